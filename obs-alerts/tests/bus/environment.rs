//! What the environment says, and what a wrong configuration is told.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use obs_alerts::{AlertPublisher, Error};

use crate::server::{EventBus, config};
use crate::{LONG, alert, child, publisher};

/// Runs the test of this name in a process with `variables` and a bus that its SDK finds.
fn with_bus(test: &str, variables: &[(&str, &str)]) -> EventBus {
    let bus = EventBus::accepting();
    let url = bus.url();
    let mut all = vec![
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
    ];
    all.extend_from_slice(variables);
    let (code, text) = child::run(test, &all);
    assert_eq!(code, Some(0), "{test}:\n{text}");
    bus
}

#[test]
fn everything_comes_from_the_environment() {
    if child::is_child() {
        let alerts = AlertPublisher::from_env().unwrap();
        assert!(alerts.is_enabled());
        alerts.publish(alert("m"));
        let report = alerts.flush(LONG);
        assert!(report.is_complete(), "{report}: {:?}", alerts.last_failure());
        return;
    }
    let bus = with_bus(
        "environment::everything_comes_from_the_environment",
        &[
            ("OBS_ALERTS_SOURCE", "env.alerts"),
            ("OBS_ALERTS_BUS", "env-bus"),
            ("OBS_SERVICE_NAME", "env-service"),
            ("OBS_ENVIRONMENT", "staging"),
        ],
    );
    let [entry] = &bus.arrived()[..] else { panic!("{:?}", bus.arrived()) };
    assert_eq!(entry.raw["Source"], "env.alerts");
    assert_eq!(entry.raw["EventBusName"], "env-bus");
    assert_eq!(entry.detail["service"], "env-service");
    assert_eq!(entry.detail["environment"], "staging");
    let authorization = &bus.requests()[0].headers["authorization"];
    assert!(authorization.contains("AKIDEXAMPLE/"), "{authorization}");
    assert!(authorization.contains("/eu-central-1/events/aws4_request"), "{authorization}");
}

#[test]
fn code_wins_over_the_environment() {
    if child::is_child() {
        let alerts = AlertPublisher::builder()
            .source("code.alerts")
            .bus("code-bus")
            .service("code-service")
            .environment("code")
            .build()
            .unwrap();
        alerts.publish(alert("m"));
        assert!(alerts.flush(LONG).is_complete());
        return;
    }
    let bus = with_bus(
        "environment::code_wins_over_the_environment",
        &[
            // Not even looked at: it would be refused.
            ("OBS_ALERTS_SOURCE", "aws.alerts"),
            ("OBS_ALERTS_BUS", "env-bus"),
            ("OBS_SERVICE_NAME", "env-service"),
        ],
    );
    let [entry] = &bus.arrived()[..] else { panic!("{:?}", bus.arrived()) };
    assert_eq!(entry.raw["Source"], "code.alerts");
    assert_eq!(entry.raw["EventBusName"], "code-bus");
    assert_eq!(entry.detail["service"], "code-service");
    assert_eq!(entry.detail["environment"], "code");
}

#[test]
fn nothing_is_sent_before_the_first_alert() {
    if child::is_child() {
        let alerts = AlertPublisher::from_env().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert!(alerts.flush(LONG).is_complete());
        assert!(alerts.shutdown(LONG).is_complete());
        return;
    }
    let name = "environment::nothing_is_sent_before_the_first_alert";
    let bus = with_bus(name, &[("OBS_ALERTS_SOURCE", "env.alerts")]);
    assert_eq!(bus.connections(), 0);
}

#[test]
fn obs_disabled_switches_alerts_off() {
    if child::is_child() {
        let alerts = AlertPublisher::from_env().unwrap();
        assert!(!alerts.is_enabled());
        alerts.publish(alert("m"));
        let report = alerts.flush(LONG);
        assert!(report.is_complete() && report.lanes().is_empty(), "{report}");
        assert!(alerts.shutdown(LONG).is_complete());
        assert!(obs_core::health::snapshot().lanes.is_empty(), "no thread was started");
        return;
    }
    let name = "environment::obs_disabled_switches_alerts_off";
    let bus = with_bus(name, &[("OBS_DISABLED", "true"), ("OBS_ALERTS_SOURCE", "env.alerts")]);
    assert_eq!(bus.connections(), 0);
}

#[test]
fn an_environment_without_a_region_fails_with_a_reason_and_not_for_ever() {
    if child::is_child() {
        let alerts = AlertPublisher::builder()
            .source("myapp.alerts")
            .retry(obs_alerts::Retry::default().attempts(2))
            .build()
            .unwrap();
        alerts.publish(alert("without"));
        let report = alerts.flush(LONG);
        assert_eq!(report.failed(), 1, "{report}");
        let failure = alerts.last_failure().unwrap();
        assert_eq!(failure, "dispatch failure: other: missing signing region");
        // Somebody configures one: the next alert looks again.
        let file = std::env::var("AWS_CONFIG_FILE").unwrap();
        std::fs::write(file, "[default]\nregion = eu-central-1\n").unwrap();
        alerts.publish(alert("with"));
        let report = alerts.flush(LONG);
        assert!(report.is_complete(), "{report}: {:?}", alerts.last_failure());
        return;
    }
    let bus = EventBus::accepting();
    let file = std::env::temp_dir().join(format!("obs-alerts-{}.config", std::process::id()));
    let (code, text) = child::run(
        "environment::an_environment_without_a_region_fails_with_a_reason_and_not_for_ever",
        &[
            ("AWS_ENDPOINT_URL", &bus.url()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
            ("AWS_CONFIG_FILE", file.to_str().unwrap()),
        ],
    );
    let _ = std::fs::remove_file(file);
    assert_eq!(code, Some(0), "{text}");
    assert!(bus.messages().contains(&"with".to_owned()), "{:?}", bus.messages());
}

#[test]
fn a_wrong_environment_is_told_by_its_variable() {
    if child::is_child() {
        let error = AlertPublisher::from_env().unwrap_err();
        assert!(error.is_invalid_source());
        assert_eq!(
            error.to_string(),
            "the source \"aws.alerts\" (from OBS_ALERTS_SOURCE) begins with `aws.`, which \
             EventBridge keeps for AWS services: use your own, like `myapp.alerts`"
        );
        return;
    }
    let name = "environment::a_wrong_environment_is_told_by_its_variable";
    let (code, text) = child::run(name, &[("OBS_ALERTS_SOURCE", "aws.alerts")]);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn alerts_that_are_not_configured_say_what_to_do() {
    child::alone("environment::alerts_that_are_not_configured_say_what_to_do", || {
        let error = AlertPublisher::from_env().unwrap_err();
        assert!(error.is_not_configured());
        assert_eq!(
            error.to_string(),
            "alerts have no source: call `.source(\"myapp.alerts\")` or set OBS_ALERTS_SOURCE"
        );
    });
}

#[test]
fn what_the_bus_would_refuse_is_refused_at_the_start() {
    let build = |source: &str, bus: &str, detail_type: &str| {
        AlertPublisher::builder()
            .source(source)
            .bus(bus)
            .detail_type(detail_type)
            .config(&config("http://127.0.0.1:9"))
            .build()
            .map(drop)
    };
    let check = |result: Result<(), Error>, is: fn(&Error) -> bool, text: &str| {
        let error = result.unwrap_err();
        assert!(is(&error), "{error}");
        assert_eq!(error.to_string(), text);
    };
    build("myapp.alerts", "default", "Business Alert").unwrap();
    check(build("", "b", "d"), Error::is_invalid_source, "the source \"\" is blank");
    check(
        build("my app", "b", "d"),
        Error::is_invalid_source,
        "the source \"my app\" contains ' ', and only letters, digits and . _ - / : # are allowed",
    );
    check(
        build("s", "my bus", "d"),
        Error::is_invalid_bus,
        "the event bus \"my bus\" contains ' ', and only letters, digits and . _ - / are allowed",
    );
    check(
        build("s", "arn:aws:sns:eu-central-1:123456789012:topic", "d"),
        Error::is_invalid_bus,
        "the event bus \"arn:aws:sns:eu-central-1:123456789012:topic\" is no ARN of an event bus: \
         arn:aws:events:REGION:ACCOUNT:event-bus/NAME",
    );
    check(build("s", "b", " "), Error::is_invalid_detail_type, "the detail type \" \" is blank");
    let long = build(&"s".repeat(1_000), "b", "d").unwrap_err().to_string();
    assert!(
        long.contains("has 1000 characters, and 256 are allowed") && long.len() < 200,
        "{long}"
    );
}

#[test]
fn a_configuration_that_could_send_nothing_is_refused_at_the_start() {
    let build = |config: SdkConfig| {
        AlertPublisher::builder().source("s").config(&config).build().map(drop).unwrap_err()
    };
    let error = build(SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build());
    assert!(error.is_incomplete_config());
    assert!(error.to_string().starts_with("the SdkConfig has no region"), "{error}");
    let error = build(SdkConfig::builder().region(Region::new("eu-central-1")).build());
    assert!(error.to_string().starts_with("the SdkConfig has no credentials"), "{error}");
}

#[test]
fn a_publisher_goes_to_other_threads_and_shows_no_secrets() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    let bus = EventBus::accepting();
    let alerts = publisher(&bus);
    check(&alerts);
    let debug = format!("{alerts:?} {:?}", crate::builder(&bus));
    assert!(debug.contains("observability"), "{debug}");
    assert!(!debug.contains("not-a-secret"), "{debug}");
    assert_eq!(format!("{:?}", AlertPublisher::disabled()), "AlertPublisher { enabled: false }");
}
