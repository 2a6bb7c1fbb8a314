//! The limit of one callsite's lines.

use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::{Clock, ManualClock};
use obs_logging::{Format, StructuredLogger, StructuredLoggerBuilder};
use tracing::{error, info, info_span, warn};

use crate::capture::{Capture, Line, NOW, builder, captured_by, subscriber};
use crate::process::{in_child, is_child};

const SECOND: Duration = Duration::from_secs(1);

/// Two lines a second, by a clock that is moved by hand.
fn limited(capture: &Capture) -> (StructuredLoggerBuilder, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at_millis(NOW));
    (builder(capture).rate_limit(2, SECOND).clock(Arc::clone(&clock) as Arc<dyn Clock>), clock)
}

fn numbers(capture: &Capture) -> Vec<(u64, Option<u64>)> {
    let number = |line: &Line, key: &str| line.get(key).and_then(|value| value.as_u64());
    capture
        .lines()
        .iter()
        .map(|line| (number(line, "n").unwrap(), number(line, "suppressed")))
        .collect()
}

#[test]
fn a_callsite_writes_so_many_lines_and_its_next_one_says_how_many_there_were_not() {
    let capture = Capture::default();
    let (builder, clock) = limited(&capture);
    let logger = builder.build().unwrap();
    tracing::subscriber::with_default(subscriber(&logger), || {
        for n in 0..10_u64 {
            if n == 5 || n == 9 {
                clock.advance(SECOND);
            }
            // A storm of errors is no exception.
            error!(n, "the same again");
            // Another callsite has a count of its own.
            if n % 5 == 0 {
                info!(n = n + 100, "seldom");
            }
        }
    });
    assert_eq!(
        numbers(&capture),
        [(0, None), (100, None), (1, None), (5, Some(3)), (105, None), (6, None), (9, Some(2)),]
    );
}

#[test]
fn without_a_limit_nothing_is_suppressed() {
    let capture = captured_by(|builder| builder, || (0..1000).for_each(|n| info!(n, "again")));
    assert_eq!(capture.lines().len(), 1000);
    assert!(capture.lines().iter().all(|line| !line.has("suppressed")));
}

#[test]
fn scenario_26_the_clock_steps_back_and_silence_does_not_last() {
    let capture = Capture::default();
    let (builder, clock) = limited(&capture);
    let logger = builder.build().unwrap();
    tracing::subscriber::with_default(subscriber(&logger), || {
        let mut n = 0_u64;
        let mut burst = || {
            (0..4).for_each(|_| {
                info!(n, "again");
                n += 1;
            });
        };
        burst();
        clock.set(clock.now() - Duration::from_secs(3600));
        burst();
        clock.set(std::time::UNIX_EPOCH);
        burst();
        clock.advance(SECOND);
        burst();
    });
    assert_eq!(
        numbers(&capture),
        [
            (0, None),
            (1, None),
            (4, Some(2)),
            (5, None),
            (8, Some(2)),
            (9, None),
            (12, Some(2)),
            (13, None)
        ]
    );
}

#[test]
fn a_flush_and_the_end_tell_of_what_no_line_has_told() {
    let capture = Capture::default();
    let (builder, _clock) = limited(&capture);
    let logger = builder.build().unwrap();
    let burst = || (0..5).for_each(|n| warn!(target: "orders::pay", n, "again"));
    tracing::subscriber::with_default(subscriber(&logger), || {
        burst();
        assert!(logger.flush(SECOND).is_complete());
        assert_eq!(capture.lines().len(), 3);
        assert!(logger.flush(SECOND).is_complete());
        assert_eq!(capture.lines().len(), 3, "once");
        burst();
        assert!(logger.shutdown(SECOND).is_complete());
        assert_eq!(capture.lines().len(), 4);
    });
    let lines = capture.lines();
    for (line, suppressed) in [(&lines[2], 3), (&lines[3], 5)] {
        assert_eq!(line["timestamp"], "2026-11-21T12:30:00.125Z");
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["logger"], "obs_logging");
        assert_eq!(line["message"], "log lines were suppressed");
        assert_eq!(line["service"], "orders");
        assert_eq!(line["suppressed"], suppressed);
        assert_eq!(line["suppressed_level"], "WARN");
        assert_eq!(line["suppressed_logger"], "orders::pay");
        assert_eq!(line["suppressed_module"], "logging::rate");
        assert!(line["suppressed_line"].as_u64().unwrap() > 100);
    }
}

#[test]
fn the_end_of_the_last_handle_tells_too() {
    let capture = Capture::default();
    let (builder, _clock) = limited(&capture);
    let logger = builder.build().unwrap();
    tracing::subscriber::with_default(subscriber(&logger), || {
        (0..3).for_each(|n| info!(n, "again"));
        drop(logger);
        assert_eq!(capture.lines().len(), 2);
    });
    assert_eq!(capture.lines()[2]["suppressed"], 1);
}

#[test]
fn scenario_29_a_field_of_that_name_gives_way() {
    let capture = Capture::default();
    let (builder, clock) = limited(&capture);
    let logger = builder.build().unwrap();
    tracing::subscriber::with_default(subscriber(&logger), || {
        let _span = info_span!("work", suppressed = "span's").entered();
        for n in 0..4 {
            if n == 3 {
                clock.advance(SECOND);
            }
            info!(n, suppressed = "event's", "again");
        }
    });
    let last = &capture.lines()[2];
    assert_eq!(last["suppressed"], 1);
    assert_eq!(last["fields.suppressed"], "event's");
}

#[test]
fn lines_that_the_level_hides_do_not_count() {
    let capture = Capture::default();
    let (builder, _clock) = limited(&capture);
    let logger = builder.level("warn").build().unwrap();
    tracing::subscriber::with_default(subscriber(&logger), || {
        let log = |n: u64| info!(n, "again");
        (0..10).for_each(log);
        logger.set_level("info").unwrap();
        (10..12).for_each(log);
    });
    assert_eq!(numbers(&capture), [(10, None), (11, None)]);
}

#[test]
fn threads_share_a_callsites_limit_and_no_line_is_uncounted() {
    let capture = Capture::default();
    let (builder, _clock) = limited(&capture);
    let logger = builder.build().unwrap();
    let dispatch = tracing::Dispatch::new(subscriber(&logger));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                tracing::dispatcher::with_default(&dispatch, || {
                    (0..500).for_each(|n| info!(n, "again"));
                });
            });
        }
    });
    assert_eq!(capture.lines().len(), 2);
    let _ = logger.flush(SECOND);
    assert_eq!(capture.lines()[2]["suppressed"], 1998);
}

#[test]
fn records_of_the_log_crate_are_told_apart_by_their_origin() {
    in_child("rate::child_that_floods_log", |child| {
        let lines = child.lines();
        let of = |target: &str| lines.iter().filter(|line| line["logger"] == target).count();
        assert_eq!((of("one"), of("two"), of("three")), (2, 2, 2));
        let told: Vec<_> = lines
            .iter()
            .filter(|line| line["logger"] == "obs_logging")
            .map(|line| (line["suppressed_logger"].as_str().unwrap(), &line["suppressed"]))
            .collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told.contains(&("ü".repeat(150).as_str(), &1.into())));
        assert!(told.contains(&("one", &3.into())) && told.contains(&("two", &3.into())));
        let origin = lines.iter().find(|line| line["suppressed_logger"] == "one").unwrap();
        assert_eq!(origin["suppressed_module"], "logging::rate");
        assert!(origin["suppressed_line"].as_u64().unwrap() > 100);
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_floods_log() {
    if !is_child() {
        return;
    }
    let logger = StructuredLogger::builder()
        .format(Format::Json)
        .rate_limit(2, SECOND)
        .clock(Arc::new(ManualClock::at_millis(NOW)))
        .init()
        .unwrap();
    for n in 0..5 {
        for target in ["one", "two"] {
            log::warn!(target: target, "{n}");
        }
    }
    // Of a target that the program makes up, the beginning is kept.
    let long = "ü".repeat(10_000);
    (0..3).for_each(|n| log::info!(target: &long, "{n}"));
    log::warn!(target: "three", "on one line");
    log::warn!(target: "three", "and on another");
    assert!(logger.flush(Duration::from_secs(10)).is_complete());
}
