//! What is global (the subscriber, the `log` crate's logger, the panic hook, stdout): each test in a
//! process of its own, which is this same binary running one ignored test.

use std::fmt::{self, Debug};
use std::io::{Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use obs_core::health::{self, Event};
use obs_logging::{Format, StructuredLogger};
use tracing::{debug, error, info, info_span, warn};

use crate::capture::Line;

const CHILD: &str = "OBS_LOGGING_TEST_CHILD";

/// What a child wrote.
pub(crate) struct Written(Output);

impl Written {
    pub(crate) fn lines(&self) -> Vec<Line> {
        let stdout = String::from_utf8_lossy(&self.0.stdout);
        stdout.lines().filter(|line| line.starts_with('{')).map(read).collect()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}

fn read(line: &str) -> Line {
    line.parse().unwrap_or_else(|invalid| panic!("{invalid}"))
}

/// Runs `test` in a process of its own and checks what it wrote.
pub(crate) fn in_child(test: &str, check: impl FnOnce(&Written)) {
    in_child_with(test, &[], check);
}

pub(crate) fn in_child_with(test: &str, variables: &[(&str, &str)], check: impl FnOnce(&Written)) {
    let output = start(test, variables).wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    check(&Written(output));
}

/// As [`in_child_with`], for one that is ended by an abort.
pub(crate) fn in_dying_child(test: &str, variables: &[(&str, &str)], check: impl FnOnce(&Written)) {
    let output = start(test, variables).wait_with_output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        // SIGABRT
        assert_eq!(output.status.signal(), Some(6), "{output:?}");
    }
    check(&Written(output));
}

pub(crate) fn start(test: &str, variables: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env_clear()
        .env(CHILD, "1")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Whether this is such a process: someone who runs all ignored tests is not in one.
pub(crate) fn is_child() -> bool {
    let child = std::env::var_os(CHILD).is_some();
    if child {
        // The test harness has begun a line.
        println!();
    }
    child
}

fn init() -> StructuredLogger {
    StructuredLogger::builder().service("orders").format(Format::Json).init().unwrap()
}

#[test]
fn scenario_05_a_flush_is_enough_before_the_process_exits() {
    in_child("process::child_that_exits", |child| {
        let lines = child.lines();
        assert_eq!(lines.len(), 100);
        assert_eq!(lines[99]["n"], 99);
        assert_eq!(lines[99]["environment"], "dev");
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_exits() {
    if !is_child() {
        return;
    }
    let logger = init();
    for n in 0..100 {
        info!(n, "before the exit");
    }
    let report = logger.flush(Duration::from_secs(10));
    std::process::exit(i32::from(!report.is_complete()));
}

#[test]
fn scenario_20_a_queued_writer_that_logs_is_not_fed_with_its_own_lines() {
    in_child("process::child_whose_writer_logs", |child| {
        let lines = child.lines();
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str()).collect();
        assert_eq!(messages, [Some("from the application")]);
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_whose_writer_logs() {
    struct Logs;
    impl Write for Logs {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            info!("from the writer");
            std::io::stdout().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            std::io::stdout().flush()
        }
    }
    if !is_child() {
        return;
    }
    let logger =
        StructuredLogger::builder().format(Format::Json).writer(|| Logs).queued().init().unwrap();
    info!("from the application");
    for _ in 0..3 {
        // What the first delivery logged would come with the second, and so on.
        let report = logger.flush(Duration::from_secs(10));
        assert_eq!(report.pending(), 0, "{report}");
    }
    std::process::exit(0);
}

#[test]
fn in_lambda_nothing_waits_for_a_flush() {
    let lambda = [
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("AWS_LAMBDA_FUNCTION_NAME", "orders-fn"),
        ("AWS_LAMBDA_LOG_LEVEL", "WARN"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("OBS_ENVIRONMENT", "prod"),
    ];
    in_child_with("process::child_in_lambda", &lambda, |child| {
        let lines = child.lines();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["message"], "seen");
        assert_eq!(lines[0]["service"], "orders-fn");
        assert_eq!(lines[0]["environment"], "prod");
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_in_lambda() {
    if !is_child() {
        return;
    }
    let _logger = StructuredLogger::init().unwrap();
    info!("hidden by the level");
    warn!("seen");
    std::process::exit(0);
}

#[test]
fn a_wrong_variable_is_an_error_that_names_it() {
    let wrong = [("OBS_LOG_LEVEL", "verbose")];
    in_child_with("process::child_with_a_wrong_level", &wrong, |child| {
        assert!(child.stderr().contains("\"verbose\" (OBS_LOG_LEVEL)"), "{}", child.stderr());
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_a_wrong_level() {
    if !is_child() {
        return;
    }
    let error = StructuredLogger::init().unwrap_err();
    assert!(error.is_level());
    eprintln!("{error}");
}

#[test]
fn a_second_subscriber_is_a_clear_error() {
    in_child("process::child_that_installs_twice", |child| {
        let stderr = child.stderr();
        assert!(stderr.contains("a global tracing subscriber is already set"), "{stderr}");
        assert!(stderr.contains("the log crate already has a logger"), "{stderr}");
        assert_eq!(child.lines().len(), 1, "the first one stays");
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_installs_twice() {
    if !is_child() {
        return;
    }
    let logger = init();
    let second = StructuredLogger::init().unwrap_err();
    let bridge = logger.bridge_log().unwrap_err();
    assert!(second.is_already_set() && bridge.is_already_set());
    eprintln!("{second}\n{bridge}");
    info!("still here");
    let _ = logger.flush(Duration::from_secs(10));
}

#[test]
fn records_of_the_log_crate_keep_their_origin() {
    in_child_with("process::child_that_uses_log", &[("RUST_LOG", "info,quiet=off")], |child| {
        let lines = child.lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        let line = &lines[0];
        assert_eq!(line["message"], "3 of 4");
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["logger"], "old::client");
        assert_eq!(line["module"], "logging::process");
        assert!(line["line"].as_u64().unwrap() > 100);
        assert_eq!(line["function"], "request");
        assert_eq!(line["order_id"], "o-1");
        assert!(line.keys().iter().all(|key| !key.starts_with("log.")), "{line:?}");
        assert_eq!(lines[1]["logger"], "logging::process");
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_uses_log() {
    if !is_child() {
        return;
    }
    let logger = init();
    let _span = info_span!("request", order_id = "o-1").entered();
    log::warn!(target: "old::client", "{} of {}", 3, 4);
    log::debug!("hidden");
    log::error!(target: "quiet", "hidden");
    log::info!("with its own target");
    let _ = logger.flush(Duration::from_secs(10));
}

/// Logs itself while it is formatted: without an end, if nothing ends it.
struct Endless;

impl Debug for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = info_span!("deeper", me = ?Self);
        span.record("me", "later");
        info!(me = ?Self, "from inside");
        f.write_str("endless")
    }
}

#[test]
fn scenario_20_with_a_global_subscriber_a_value_that_logs_itself_ends() {
    in_child("process::child_that_recurses", |child| {
        let lines = child.lines();
        let (outer, inner) = lines.split_last().unwrap();
        assert_eq!(outer["message"], "outer");
        assert_eq!(outer["value"], "endless");
        assert!(!inner.is_empty(), "one that is nested arrives");
        assert!(inner.iter().all(|line| line["message"] == "from inside"));
        assert!(inner.len() < 100, "{}", inner.len());
        assert!(child.stderr().contains("counted"));
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_recurses() {
    if !is_child() {
        return;
    }
    let logger = init();
    let span = info_span!("work", value = 0);
    let _entered = span.enter();
    info!(value = ?Endless, "outer");
    let _ = logger.flush(Duration::from_secs(10));
    if health::counted(Event::Reentrant) > 0 {
        eprintln!("counted");
    }
}

#[test]
fn scenario_20_a_value_that_logs_once_gives_both_lines() {
    in_child("process::child_that_logs_in_debug", |child| {
        let lines = child.lines();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["message"], "inner");
        assert_eq!(lines[0]["n"], 1);
        assert_eq!(lines[1]["message"], "outer with text");
        assert_eq!(lines[1]["before"], 0);
        assert_eq!(lines[1]["value"], "text");
        assert_eq!(lines[1]["after"], 2);
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_logs_in_debug() {
    struct Once;
    impl Debug for Once {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info!(n = 1, "inner");
            f.write_str("text")
        }
    }
    if !is_child() {
        return;
    }
    let logger = init();
    info!(before = 0, value = ?Once, after = 2, "outer with text");
    let _ = logger.flush(Duration::from_secs(10));
}

#[test]
fn scenario_21_a_closed_stdout_is_counted_and_harms_nobody() {
    for mode in ["queued", "synchronous"] {
        let mut child = start("process::child_without_stdout", &[("MODE", mode)]);
        let mut stderr = child.stderr.take().unwrap();
        // Once it has begun, and no harness writes to stdout any more.
        stderr.read_exact(&mut [0]).unwrap();
        drop(child.stdout.take());
        drop(child.stdin.take());
        let mut written = String::new();
        stderr.read_to_string(&mut written).unwrap();
        let stderr = written;
        assert!(child.wait().unwrap().success(), "{stderr}");
        assert!(stderr.contains("failed=10 all counted=true"), "{stderr}");
    }
}

#[test]
#[ignore = "run in a process of its own"]
fn child_without_stdout() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let _ = std::io::stderr().write_all(b"!");
    // Until the parent has closed the other end of stdout.
    let _ = std::io::stdin().read(&mut [0]);
    let builder = StructuredLogger::builder().format(Format::Json);
    let synchronous = std::env::var("MODE").is_ok_and(|mode| mode == "synchronous");
    let builder = if synchronous { builder.synchronous() } else { builder.queued() };
    let logger = builder.init().unwrap();
    for n in 0..10 {
        error!(n, "to nobody");
    }
    let report = logger.flush(Duration::from_secs(10));
    // The ten, and lines that would have told of them.
    let counted = health::counted(Event::StdoutFailed) >= 10;
    let _ = writeln!(std::io::stderr(), "failed={} all counted={counted}", report.failed());
    // Not through the harness, which would panic at its own closed stdout.
    std::process::exit(0);
}

#[test]
fn scenario_19_the_panic_hook_is_silent_for_values_and_only_for_them() {
    in_child("process::child_with_a_hook", |child| {
        let stderr = child.stderr();
        assert!(!stderr.contains("hook: in a value"), "{stderr}");
        assert!(stderr.contains("hook: in a thread"), "{stderr}");
        assert_eq!(child.lines()[0]["value"], "[panicked while formatting]");
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_a_hook() {
    struct Panics;
    impl Debug for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("in a value")
        }
    }
    if !is_child() {
        return;
    }
    std::panic::set_hook(Box::new(|info| {
        eprintln!("hook: {}", info.payload_as_str().unwrap_or_default());
    }));
    let logger = init();
    info!(value = ?Panics, "a value");
    let ended = std::thread::spawn(|| panic!("in a thread")).join();
    assert!(ended.is_err());
    let _ = logger.flush(Duration::from_secs(10));
}

#[test]
fn obs_can_be_switched_off() {
    in_child_with("process::child_that_is_off", &[("OBS_DISABLED", "true")], |child| {
        assert!(child.lines().is_empty());
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_is_off() {
    if !is_child() {
        return;
    }
    let logger = init();
    error!("hidden");
    debug!("hidden");
    assert_eq!(logger.flush(Duration::from_secs(10)).delivered(), 0);
}
