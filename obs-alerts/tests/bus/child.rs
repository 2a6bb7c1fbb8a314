//! Tests that need a process of their own: for its environment, its end, or its global state.

use std::process::Command;

const MARK: &str = "OBS_ALERTS_TEST_CHILD";

/// Whether this is the process that [`run`] started.
pub(crate) fn is_child() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Runs the test of this name again, in a process with these variables and no others of ours or of
/// AWS, and returns its exit code and what it printed.
pub(crate) fn run(test: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    for (name, _) in std::env::vars() {
        if ["AWS_", "OBS_", "OTEL_", "POWERTOOLS_", "DEPLOYMENT_"]
            .iter()
            .any(|p| name.starts_with(p))
        {
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
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(!text.contains("running 0 tests"), "no such test: {test}");
    (output.status.code(), text)
}

/// Runs `body` in a process of its own; call it from the test of this name.
#[track_caller]
pub(crate) fn alone(test: &str, body: impl FnOnce()) {
    if is_child() {
        body();
    } else {
        let (code, text) = run(test, &[]);
        assert_eq!(code, Some(0), "{test} failed in its own process:\n{text}");
    }
}
