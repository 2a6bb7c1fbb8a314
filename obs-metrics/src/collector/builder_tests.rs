//! What a builder takes, and what it takes from the environment.

use super::*;
use crate::Unit;
use crate::capture::Capture;

type Vars<'a> = &'a [(&'a str, &'a str)];

fn build(
    change: impl FnOnce(MetricsCollectorBuilder) -> MetricsCollectorBuilder,
    vars: Vars<'_>,
) -> Result<(Capture, MetricsCollector), Error> {
    let capture = Capture::default();
    let builder = MetricsCollector::builder().sink(capture.sink());
    let lookup = |name: &str| {
        vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    };
    change(builder).build_from(true, lookup).map(|metrics| (capture, metrics))
}

/// Builds, records, and compares namespace and dimensions: `Namespace Name=value Name=value`.
fn check(
    change: impl FnOnce(MetricsCollectorBuilder) -> MetricsCollectorBuilder,
    vars: Vars<'_>,
    expected: &str,
) {
    let (capture, metrics) = build(change, vars).unwrap();
    metrics.event().put("A", 1.0, Unit::Count);
    let line = capture.text();
    let document = crate::emf::validate(&line).unwrap();
    let metric = document.metrics().next().unwrap();
    let dimensions = metric.dimensions().map(|(name, value)| format!(" {name}={value}"));
    assert_eq!(metric.namespace().to_owned() + &dimensions.collect::<String>(), expected);
}

#[test]
fn the_environment_fills_what_is_not_said() {
    let vars: Vars<'_> = &[
        ("POWERTOOLS_METRICS_NAMESPACE", "Powertools"),
        ("AWS_EMF_NAMESPACE", "Emf"),
        ("AWS_LAMBDA_FUNCTION_NAME", "fn"),
        ("OBS_ENVIRONMENT", "staging"),
    ];
    check(|b| b, vars, "Powertools Service=fn");
    check(|b| b.environment_from_env(), vars, "Powertools Environment=staging Service=fn");
    check(
        |b| b.environment_from_env(),
        &[("OBS_SERVICE_NAME", "größe")],
        "Application Environment=dev Service=gr%C3%B6%C3%9Fe",
    );
    check(|b| b.namespace("Own").service("orders"), vars, "Own Service=orders");
    check(|b| b.without_service(), vars, "Powertools");
    check(
        |b| b.dimension("Service", "own").dimension("A", "x"),
        vars,
        "Powertools A=x Service=own",
    );
    check(
        |b| b.environment_from_env().dimension("Environment", "dev"),
        vars,
        "Powertools Environment=dev Service=fn",
    );
    check(|b| b.environment("prod").service("s"), &[], "Application Environment=prod Service=s");
}

#[test]
fn what_cloudwatch_does_not_take_is_an_error() {
    let fails = |change: fn(MetricsCollectorBuilder) -> MetricsCollectorBuilder,
                 is: fn(&Error) -> bool,
                 says: &str| {
        let error = build(change, &[]).unwrap_err();
        assert!(is(&error) && error.to_string().contains(says), "{error}");
    };
    fails(|b| b.namespace(""), Error::is_namespace, "not a space");
    fails(|b| b.namespace("a,b"), Error::is_namespace, "has ','");
    fails(|b| b.namespace("AWS/Lambda"), Error::is_namespace, "reserved");
    fails(
        |b| b.service("größe"),
        Error::is_dimension,
        "\"größe\" has characters that are not ASCII",
    );
    fails(|b| b.environment(" "), Error::is_dimension, "not a space");
    fails(|b| b.dimension(":a", "x"), Error::is_dimension, "colon");
    fails(|b| b.dimension("level", "x"), Error::is_dimension, "log lines");
    fails(|b| b.dimension("A", "x").dimension("A", "y"), Error::is_dimension, "twice");
    fails(|b| b.service("s").dimension("Service", "t"), Error::is_dimension, "twice");
    fails(
        |b| (0..30).fold(b, |b, n| b.dimension(format!("D{n}"), "x")),
        Error::is_too_many_dimensions,
        "31",
    );
    fails(|b| b.document_bytes(1000), Error::is_document_bytes, "1000 bytes");
    fails(|b| b.document_bytes(usize::MAX), Error::is_document_bytes, "choose 131072 to 1048576");
}

#[test]
fn a_variable_with_a_wrong_namespace_is_named() {
    let error = build(|b| b, &[("AWS_EMF_NAMESPACE", "a,b")]).unwrap_err();
    assert!(error.is_namespace());
    assert!(error.to_string().contains("AWS_EMF_NAMESPACE"), "{error}");
}

#[test]
fn in_lambda_with_a_log_level_documents_are_not_filtered_away() {
    let vars: Vars<'_> = &[("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("AWS_LAMBDA_LOG_LEVEL", "ERROR")];
    let (capture, metrics) = build(|b| b, vars).unwrap();
    metrics.put_metric("A", 1.0, Unit::Count, &[]);
    metrics.put_metric("A", f64::NAN, Unit::Count, &[]);
    metrics.event().put("A", 1.0, Unit::Count);
    drop(metrics.flush(std::time::Duration::from_secs(5)));
    let lines = capture.lines();
    assert_eq!(lines.len(), 3);
    for line in lines {
        assert!(
            line.contains(r#""level":"ERROR""#) && line.contains(r#""timestamp":"2"#),
            "{line}"
        );
    }
}
