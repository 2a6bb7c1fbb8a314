//! What the environment says, in a process of its own.

use std::process::Command;

use obs_metrics::{CloudWatch, Unit};

use crate::server::Service;
use crate::{LONG, builder};

const MARK: &str = "OBS_METRICS_TEST_CHILD";

fn is_child() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Runs the test of this name again, in a process with these variables of AWS and no others.
#[track_caller]
fn run(test: &str, variables: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    for (name, _) in std::env::vars() {
        if name.starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    let output = command
        .env(MARK, "1")
        // Whatever is configured on the machine that runs the tests is none of their business.
        .env("AWS_CONFIG_FILE", "/nonexistent")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success() && text.contains("running 1 test"), "{test}:\n{text}");
}

#[test]
fn region_credentials_and_endpoint_come_from_the_environment() {
    if is_child() {
        let sink = CloudWatch::from_env();
        let last_failure = sink.last_failure();
        let metrics = builder(sink).build().unwrap();
        metrics.put_metric("A", 1.0, Unit::Count, &[]);
        let report = metrics.flush(LONG);
        assert!(report.is_complete() && report.delivered() == 1, "{report}: {last_failure}");
        return;
    }
    let service = Service::accepting();
    run(
        "environment::region_credentials_and_endpoint_come_from_the_environment",
        &[
            ("AWS_ENDPOINT_URL", &service.url()),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
        ],
    );
    assert_eq!(service.names(), ["A"]);
    let authorization = &service.requests()[0].headers["authorization"];
    assert!(authorization.contains("/eu-central-1/monitoring/aws4_request"), "{authorization}");
}

#[test]
fn an_environment_without_a_region_fails_soon_and_says_so() {
    if is_child() {
        let sink = CloudWatch::from_env();
        let last_failure = sink.last_failure();
        let metrics = builder(sink).build().unwrap();
        metrics.put_metric("A", 1.0, Unit::Count, &[]);
        let start = std::time::Instant::now();
        let report = metrics.flush(LONG);
        assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
        assert_eq!(report.failed(), 1, "{report}");
        assert!(last_failure.to_string().to_lowercase().contains("region"), "{last_failure}");
        return;
    }
    run(
        "environment::an_environment_without_a_region_fails_soon_and_says_so",
        &[("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "not-a-secret")],
    );
}
