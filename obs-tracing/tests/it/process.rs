//! What is the process's own (the environment, the panic hook): each test in a process of its own,
//! which is this same binary running one ignored test.

use std::process::{Command, Output};

use obs_core::ids;
use obs_tracing::{annotate, propagation, traced};
use tracing_subscriber::prelude::*;

use crate::hostile::Hostile;
use crate::support::{Daemon, LIMIT, builder, flushed, record};

const CHILD: &str = "OBS_TRACING_TEST_CHILD";

pub(crate) fn in_child(test: &str, variables: &[(&str, &str)]) -> Output {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env_clear()
        .env(CHILD, "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    output
}

/// Whether this is such a process: someone who runs all ignored tests is not in one.
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

#[traced]
fn charge() -> bool {
    annotate("tenant", "acme");
    ids::current_ids().is_some() && propagation::current_header().is_some()
}

#[test]
fn the_environment_switches_traces_off() {
    for name in ["OBS_DISABLED", "OTEL_SDK_DISABLED"] {
        in_child("process::child_that_is_off", &[(name, "true")]);
        in_child("process::child_that_is_on", &[(name, "false")]);
    }
}

/// Calls a traced function and logs an error, below a tracer that is built by code.
fn trace(daemon: &Daemon) -> (obs_tracing::XRayTracer, bool) {
    let tracer = builder().daemon_at(daemon.address()).build().unwrap();
    let subscriber = tracing_subscriber::registry().with(tracer.layer());
    let has_ids = tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("outer").in_scope(|| {
            tracing::error!(error = "declined", "logged");
            charge()
        })
    });
    (tracer, has_ids)
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_is_off() {
    if !is_child() {
        return;
    }
    let daemon = Daemon::start();
    let (tracer, has_ids) = trace(&daemon);
    assert!(!has_ids);
    assert_eq!(tracer.stats().recorded, 0);
    let report = tracer.shutdown(LIMIT);
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.delivered(), 0);
    assert!(daemon.documents(0).0.is_empty());
    // What is wrong in code is said all the same.
    assert!(builder().daemon_at("nowhere").build().is_err());
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_is_on() {
    if !is_child() {
        return;
    }
    let daemon = Daemon::start();
    let (tracer, has_ids) = trace(&daemon);
    assert!(has_ids);
    assert_eq!(flushed(&daemon, &tracer).names(), ["charge", "outer"]);
}

#[test]
fn scenario_19_the_hook_is_silent_about_values_that_panic() {
    let output = in_child("process::child_with_a_hook", &[]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let hooked: Vec<_> = stderr.lines().filter(|line| line.starts_with("hook: ")).collect();
    assert_eq!(hooked, ["hook: in a thread"]);
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_a_hook() {
    if !is_child() {
        return;
    }
    std::panic::set_hook(Box::new(|info| {
        eprintln!("hook: {}", info.payload_as_str().unwrap_or_default());
    }));
    record(|| {
        let _span = tracing::info_span!("hostile", value = ?Hostile);
    });
    assert!(std::thread::spawn(|| panic!("in a thread")).join().is_err());
}
