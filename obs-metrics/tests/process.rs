//! What needs a process of its own: the environment, standard output, the end of the process.
//!
//! Each test runs this test program again with one of the tests that end in `_child`, which do
//! nothing unless they are run so.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::{Command, Output};
use std::time::Duration;

use obs_core::RequestContext;
use obs_metrics::{MetricsCollector, Unit, emf};

const CHILD: &str = "OBS_METRICS_TEST_CHILD";

fn run(test: &str, vars: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads", "1"]).env(CHILD, "1");
    for name in ["OBS_SERVICE_NAME", "OTEL_SERVICE_NAME", "POWERTOOLS_SERVICE_NAME"] {
        command.env_remove(name);
    }
    command.envs(vars.iter().copied()).output().unwrap()
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// The documents among the child's output, each valid, as `Namespace Name=value …`.
fn documents(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    // The test harness writes its own text without a line break before it.
    let lines = text.lines().filter_map(|line| line.find("{\"_aws\"").map(|at| &line[at..]));
    lines
        .map(|line| {
            let document = emf::validate(line).unwrap_or_else(|v| panic!("{v}\n{line}"));
            let metric = document.metrics().next().unwrap();
            let dimensions = metric.dimensions().map(|(name, value)| format!(" {name}={value}"));
            format!("{} {}{}", metric.namespace(), metric.name(), dimensions.collect::<String>())
        })
        .collect()
}

#[test]
fn exit_child() {
    if is_child() {
        let metrics = MetricsCollector::from_env().unwrap();
        metrics.put_metric("Aggregated", 1.0, Unit::Count, &[]);
        metrics.event().put("Event", 1.0, Unit::Count);
        assert!(metrics.flush(Duration::from_secs(20)).is_complete());
        std::process::exit(7);
    }
}

#[test]
fn scenario_5_an_explicit_flush_is_enough_before_exit() {
    let output = run("exit_child", &[("OBS_SERVICE_NAME", "orders"), ("AWS_EMF_NAMESPACE", "App")]);
    assert_eq!(output.status.code(), Some(7));
    let mut found = documents(&output);
    found.sort();
    assert_eq!(
        found,
        [
            "App Aggregated Environment=dev Service=orders",
            "App Event Environment=dev Service=orders"
        ]
    );
}

#[test]
fn from_env_child() {
    if is_child() {
        let metrics = MetricsCollector::from_env().unwrap();
        metrics.put_metric("A", 1.0, Unit::Count, &[]);
        drop(metrics.flush(Duration::from_secs(20)));
    }
}

#[test]
fn the_environment_names_switches_off_and_refuses() {
    let metrics = |vars: &[(&str, &str)]| {
        let output = run("from_env_child", vars);
        (output.status.success(), documents(&output))
    };
    let one = |text: &str| (true, vec![text.to_owned()]);
    let service = ("OTEL_SERVICE_NAME", "orders");
    assert_eq!(metrics(&[service]), one("Application A Environment=dev Service=orders"));
    assert_eq!(
        metrics(&[service, ("OBS_METRICS_NAMESPACE", "Own"), ("DEPLOYMENT_ENVIRONMENT", "prod")]),
        one("Own A Environment=prod Service=orders")
    );
    for name in ["OBS_DISABLED", "OBS_METRICS_DISABLED"] {
        assert_eq!(metrics(&[service, (name, "true")]), (true, vec![]));
        assert_eq!(metrics(&[service, (name, "false")]).1.len(), 1);
    }
    assert_eq!(metrics(&[("OBS_METRICS_NAMESPACE", "AWS/Own")]), (false, vec![]));
}

#[test]
fn lambda_child() {
    if is_child() {
        let metrics = MetricsCollector::from_env().unwrap();
        let context = RequestContext::builder().request_id("8f5c").build();
        let entered = context.enter();
        metrics.put_metric("A", 1.0, Unit::Count, &[]);
        drop(entered);
        metrics.finish_invocation(&context);
        // The environment is frozen here: no flush, no drop, no end of a thread.
        std::process::abort();
    }
}

#[test]
fn scenario_7_in_lambda_a_finished_invocation_is_on_stdout_at_once() {
    let vars = [("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1"), ("AWS_LAMBDA_FUNCTION_NAME", "fn")];
    let output = run("lambda_child", &vars);
    assert!(!output.status.success());
    assert_eq!(documents(&output), ["Application A Environment=dev Service=fn"]);
}
