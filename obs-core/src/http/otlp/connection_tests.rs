use super::*;

const TRACES: Signal = Signal::new("TRACES", "/v1/traces", "agent/1");

fn collector(
    options: &Options,
    address: Option<&str>,
    vars: &[(&str, &str)],
) -> Result<Connection, InvalidSetting> {
    options.collector(&TRACES, address, &|name| {
        vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    })
}

#[track_caller]
fn check_refused(options: &Options, vars: &[(&str, &str)], expected: &str) {
    let error = collector(options, None, vars).unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn the_variables_of_opentelemetry_say_where_to() {
    let check = |vars: &[(&str, &str)], expected: &str| {
        let found = collector(&Options::default(), None, vars).unwrap();
        assert_eq!(found.endpoint.expose(), expected);
    };
    let (all, own) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    check(&[], "http://localhost:4318/v1/traces");
    check(&[(all, "https://example.com/x")], "https://example.com/x/v1/traces");
    check(&[(own, "https://example.com/x")], "https://example.com/x");
    check(&[(all, "https://a"), (own, "https://b/c")], "https://b/c");
    let given = collector(&Options::default(), Some("http://c"), &[(own, "https://b/c")]);
    assert_eq!(given.unwrap().endpoint.expose(), "http://c/v1/traces");
}

#[test]
fn code_wins_over_the_signals_variables_and_those_over_the_common_ones() {
    let vars = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, X-Tenant=one"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
    ];
    let found = collector(&Options::default(), None, &vars).unwrap();
    assert_eq!(found.headers.get("api-key"), Some("a b"));
    assert_eq!(found.headers.get("user-agent"), Some("agent/1"));
    assert_eq!(found.timeout, Duration::from_millis(2_500));
    assert!(!found.gzip && found.headers.get("content-encoding").is_none());

    let options = Options {
        headers: vec![("X-Tenant".into(), Secret::new("two"))],
        timeout: Some(Duration::ZERO),
        gzip: Some(true),
    };
    let found = collector(&options, None, &vars).unwrap();
    assert_eq!(found.headers.get("x-tenant"), Some("two"));
    assert_eq!(found.timeout, DEFAULT_TIMEOUT);
    assert_eq!(found.headers.get("content-encoding"), Some("gzip"));
}

#[test]
fn scenario_42_what_is_wrong_is_an_error_that_shows_no_secret() {
    let none = Options::default();
    for (name, value, expected) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:hunter2@example.com", "…@example.com"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2", "key=value"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=%zz", "key=value"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "=hunter2", "key=value"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=x%0Ahunter2", "the value of the header a"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Content-Type=text/plain", "own"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "gzip or none"),
    ] {
        check_refused(&none, &[(name, value)], expected);
    }
}

#[test]
fn awss_own_endpoint_takes_nothing_from_variables_and_no_authorization() {
    let address = TRACES.on_aws("xray", "cn-north-1");
    let found = Options::default().aws(&TRACES, &address, "the region").unwrap();
    assert_eq!(found.endpoint.expose(), "https://xray.cn-north-1.amazonaws.com.cn/v1/traces");
    assert!(found.gzip);
    let options = Options {
        headers: vec![("Authorization".into(), Secret::new("hunter2"))],
        ..Options::default()
    };
    let error = options.aws(&TRACES, &address, "the region").unwrap_err();
    assert!(error.to_string().contains("own") && !error.to_string().contains("hunter2"));
    let nowhere = TRACES.on_aws("xray", "no such region");
    let error = Options::default().aws(&TRACES, &nowhere, "the region").unwrap_err();
    assert!(error.to_string().contains("the region"), "{error}");
}
