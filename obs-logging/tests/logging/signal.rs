//! SIGUSR1 to a real process.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Command;
use std::time::Duration;

use obs_logging::{Format, StructuredLogger};
use tracing::{debug, info};

use crate::capture::{Capture, Line, builder};
use crate::process::{is_child, start};

#[test]
fn sigusr1_makes_the_log_verbose_and_back_and_says_so() {
    let mut child = start("signal::child_that_gets_signals", &[]);
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(|line| line.unwrap())
        .filter(|line| line.starts_with('{'))
        .map(|line| line.parse::<Line>().unwrap());
    let mut next = || lines.next().unwrap();
    // Each byte makes the child log twice: at debug and at info.
    let mut ask = || stdin.write_all(b"?").unwrap();
    let signal = || {
        let sent = Command::new("kill").args(["-USR1", &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    };

    ask();
    assert_eq!(next()["message"], "info");
    signal();
    let told = next();
    assert_eq!(told["message"], "log level changed by a signal");
    assert_eq!(told["logger"], "obs_logging");
    assert_eq!(told["level"], "INFO");
    assert_eq!(told["directives_before"], "info");
    assert_eq!(told["directives"], "debug");
    ask();
    assert_eq!(next()["message"], "debug");
    assert_eq!(next()["message"], "info");
    signal();
    assert_eq!(next()["directives"], "info");
    ask();
    assert_eq!(next()["message"], "info");

    drop(stdin);
    assert!(lines.next().is_none());
    assert!(child.wait().unwrap().success());
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_gets_signals() {
    if !is_child() {
        return;
    }
    // As most programs do: the layer keeps the logger, and so its watch, alive.
    drop(
        StructuredLogger::builder()
            .level("info")
            .level_on_signal("debug")
            .format(Format::Json)
            .init()
            .unwrap(),
    );
    while std::io::stdin().read_exact(&mut [0]).is_ok() {
        debug!("debug");
        info!("info");
    }
}

#[test]
fn who_does_not_ask_for_it_leaves_the_signal_alone() {
    let mut child = start("signal::child_that_leaves_signals_alone", &[]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(stdout.any(|line| line.unwrap().contains("ready")));
    let sent = Command::new("kill").args(["-USR1", &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    let status = child.wait().unwrap();
    assert!(!status.success() && status.code().is_none(), "ended by the signal: {status}");
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_leaves_signals_alone() {
    if !is_child() {
        return;
    }
    let logger = StructuredLogger::builder().format(Format::Json).init().unwrap();
    info!("ready");
    assert!(logger.flush(Duration::from_secs(10)).is_complete());
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn wrong_directives_are_refused_when_the_logger_is_built() {
    let error = builder(&Capture::default()).level_on_signal("loud").build().unwrap_err();
    assert!(error.is_level() && !error.is_signal());
    assert!(error.to_string().contains("\"loud\" (given to level_on_signal)"), "{error}");
}

/// The only test of this process that has such a thread.
#[cfg(target_os = "linux")]
#[test]
fn the_thread_ends_with_the_logger() {
    let is_there = || {
        std::fs::read_dir("/proc/self/task").unwrap().any(|task| {
            // A thread may end while it is looked at.
            std::fs::read_to_string(task.unwrap().path().join("comm"))
                .is_ok_and(|name| name.trim() == "obs-log-level")
        })
    };
    let wait_until = |expected: bool| {
        (0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            is_there() == expected
        })
    };
    assert!(!is_there());
    let logger = builder(&Capture::default()).level_on_signal("debug").build().unwrap();
    let layer = logger.layer::<tracing_subscriber::Registry>();
    assert!(wait_until(true));
    drop(logger);
    assert!(is_there(), "the layer is still in use");
    drop(layer);
    assert!(wait_until(false));
}
