use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::region::Region;

use super::*;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const METRICS_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";

fn given(target: Target) -> Given {
    Given { target, attributes: Vec::new(), options: Options::default() }
}

fn collector(address: &str) -> Given {
    given(Target::Collector(Secret::new(address)))
}

fn resolve(given: &Given, vars: &[(&str, &str)]) -> Result<Settings, Error> {
    given.resolve(&|name| {
        vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    })
}

#[track_caller]
fn check_refused(given: &Given, vars: &[(&str, &str)], expected: &str) {
    let error = resolve(given, vars).unwrap_err();
    assert!(error.is_sink());
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn the_variables_of_opentelemetry_say_where_to() {
    let check = |vars: &[(&str, &str)], expected: &str| {
        assert_eq!(
            resolve(&given(Target::Environment), vars).unwrap().connection.endpoint.expose(),
            expected
        );
    };
    check(&[], "http://localhost:4318/v1/metrics");
    check(&[(ENDPOINT, "https://example.com/x")], "https://example.com/x/v1/metrics");
    check(&[(METRICS_ENDPOINT, "https://example.com/x")], "https://example.com/x");
    check(&[(ENDPOINT, "https://a"), (METRICS_ENDPOINT, "https://b/c")], "https://b/c");
    let grpc = [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    check_refused(&given(Target::Environment), &grpc, "http/protobuf");
    check_refused(&given(Target::Environment), &[(ENDPOINT, "localhost:4318")], ENDPOINT);
}

#[test]
fn code_wins_over_variables() {
    let vars = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, X-Tenant=one"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_RESOURCE_ATTRIBUTES", "host.name=h1,team=core"),
    ];
    let mut given = collector("http://127.0.0.1:4318");
    let found = resolve(&given, &vars).unwrap();
    assert_eq!(found.connection.headers.get("api-key"), Some("a b"));
    assert_eq!(found.connection.headers.get("x-tenant"), Some("one"));
    assert_eq!(found.connection.timeout, Duration::from_millis(1500));
    assert!(!found.connection.gzip);
    assert_eq!(
        found.attributes,
        [("host.name".into(), "h1".into()), ("team".into(), "core".into())]
    );

    given.options.headers.push(("X-Tenant".into(), Secret::new("two")));
    given.attributes.push(("team".into(), "shop".into()));
    given.options.timeout = Some(Duration::from_secs(2));
    given.options.gzip = Some(true);
    let found = resolve(&given, &vars).unwrap();
    assert_eq!(found.connection.headers.get("x-tenant"), Some("two"));
    // With the agent, and the two of the body.
    assert_eq!(found.connection.headers.len(), 5);
    assert_eq!(found.connection.timeout, Duration::from_secs(2));
    assert!(found.connection.gzip);
    assert_eq!(found.attributes[1], ("team".into(), "shop".into()));
}

#[test]
fn what_is_wrong_is_an_error_that_shows_no_secret() {
    check_refused(&collector("127.0.0.1:4318"), &[], "begin with http://");
    check_refused(&collector("https://me:hunter2@example.com"), &[], "…@example.com");
    let plain = collector("http://127.0.0.1:4318");
    for (name, value, expected) in [
        ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2", "key=value"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=%zz", "key=value"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=c", "the header"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=x%0Ahunter2", "the value of the header a"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Content-Type=text/plain", "own"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "gzip or none"),
        ("OTEL_RESOURCE_ATTRIBUTES", "=x", "key=value"),
    ] {
        check_refused(&plain, &[(name, value)], expected);
        let error = resolve(&plain, &[(name, value)]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    let mut given = collector("https://me:hunter2@example.com");
    given.options.headers.push(("api-key".into(), Secret::new("hunter2")));
    assert!(!format!("{given:?}").contains("hunter2"));
}

#[test]
fn scenario_24_resource_attributes_leave_room_for_dimensions_among_150_labels() {
    let mut given = collector("http://127.0.0.1:4318");
    let attribute = |n: usize| (format!("a{n}"), "x".to_owned());
    given.attributes = (0..MAX_RESOURCE_ATTRIBUTES).map(attribute).collect();
    assert!(resolve(&given, &[]).is_ok());
    given.attributes.push(attribute(MAX_RESOURCE_ATTRIBUTES));
    check_refused(&given, &[], "150 labels");
}

#[test]
fn cloudwatch_is_found_by_its_region_and_takes_nothing_from_the_collectors_variables() {
    let config = |region: Option<&'static str>, credentials: bool| {
        let mut config = SdkConfig::builder();
        config.set_region(region.map(Region::new));
        if credentials {
            let credentials = Credentials::new("AKIDEXAMPLE", "hunter2", None, None, "test");
            config.set_credentials_provider(Some(SharedCredentialsProvider::new(credentials)));
        }
        given(Target::CloudWatch(Box::new(config.build())))
    };
    let vars = [
        (ENDPOINT, "http://127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
    ];
    let found = resolve(&config(Some("eu-west-1"), true), &vars).unwrap();
    let address = found.connection.endpoint.expose();
    assert_eq!(address, "https://monitoring.eu-west-1.amazonaws.com/v1/metrics");
    assert!(
        found.connection.headers.get("api-key").is_none()
            && found.connection.gzip
            && found.signer.is_some()
    );
    assert!(!format!("{found:?}").contains("hunter2"));
    let mut signed = config(Some("eu-west-1"), true);
    signed.options.headers.push(("Authorization".into(), Secret::new("Bearer x")));
    check_refused(&signed, &vars, "own");
    check_refused(&config(None, true), &vars, "region");
    check_refused(&config(Some("eu-west-1"), false), &vars, "credentials");
    check_refused(&config(Some("no such region"), true), &vars, "region");
}
