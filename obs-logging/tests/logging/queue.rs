//! The queue between the caller and the writer.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use obs_core::lane::Reason;
use obs_logging::StructuredLogger;
use tracing::info;

use crate::capture::{Capture, builder, subscriber};

/// Takes a line only when the gate lets it.
#[derive(Clone)]
struct Gated {
    gate: Arc<Mutex<Receiver<()>>>,
    capture: Capture,
}

impl Gated {
    fn new(capture: &Capture) -> (Sender<()>, Self) {
        let (open, gate) = mpsc::channel();
        (open, Self { gate: Arc::new(Mutex::new(gate)), capture: capture.clone() })
    }
}

impl io::Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Open for good once the sender is gone.
        let _ = self.gate.lock().unwrap().recv();
        self.capture.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gated(capture: &Capture, queue_bytes: usize) -> (Sender<()>, StructuredLogger) {
    let (open, writer) = Gated::new(capture);
    let logger = builder(capture)
        .queued()
        .queue_bytes(queue_bytes)
        .writer(move || writer.clone())
        .build()
        .unwrap();
    (open, logger)
}

#[test]
fn scenario_04_a_blocked_writer_blocks_nobody_and_a_flush_keeps_its_limit() {
    let capture = Capture::default();
    let (open, logger) = gated(&capture, 64 * 1024);
    let start = Instant::now();
    tracing::subscriber::with_default(subscriber(&logger), || {
        for n in 0..1000 {
            info!(n, padding = "x".repeat(500), "into a full queue");
        }
    });
    let report = logger.flush(Duration::from_millis(50));
    // A thousand lines to a writer that takes none; generous for a loaded machine.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(!report.is_complete());
    assert!(report.dropped() > 800 && report.pending() > 0, "{report}");
    drop(open);
    let report = logger.flush(Duration::from_secs(10));
    assert!(report.is_complete(), "{report}");
}

#[test]
fn scenario_04_who_asked_to_be_blocked_waits_for_room_and_not_for_ever() {
    let limit = Duration::from_millis(30);
    let capture = Capture::default();
    let (open, writer) = Gated::new(&capture);
    let builder = || builder(&capture).queued().queue_bytes(1024);
    let gated = writer.clone();
    let logger = builder().block_when_full(limit).writer(move || gated.clone()).build().unwrap();
    let log = |logger: &StructuredLogger, lines: u64| {
        tracing::subscriber::with_default(subscriber(logger), || {
            (0..lines).for_each(|n| info!(n, padding = "x".repeat(500), "into a full queue"));
        });
    };
    let start = Instant::now();
    log(&logger, 4);
    assert!(start.elapsed() >= limit, "there is no room for four");
    drop(open);
    let report = logger.flush(Duration::from_secs(10));
    assert!(report.dropped() > 0 && report.pending() == 0, "{report}");

    // The writer takes lines again: all find room.
    let limit = Duration::from_secs(20);
    let logger = builder().block_when_full(limit).writer(move || writer.clone()).build().unwrap();
    log(&logger, 100);
    let report = logger.flush(limit);
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.delivered(), 100);
}

#[test]
fn scenario_04_four_threads_below_the_writers_speed_lose_nothing() {
    /// 200,000 lines a second at most.
    #[derive(Clone)]
    struct Slow(Arc<AtomicU64>);
    impl io::Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(5) {
                std::hint::spin_loop();
            }
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    const BURSTS: u64 = 1_000;
    const LINES: u64 = 10;
    let slow = Slow(Arc::default());
    let writer = slow.clone();
    let capture = Capture::default();
    let logger = builder(&capture).queued().writer(move || writer.clone()).build().unwrap();
    let dispatch = tracing::Dispatch::new(subscriber(&logger));
    // Twice what the default queue holds, at a fifth of the writer's speed and no faster than that
    // after a pause: this machine may have other things to do.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                tracing::dispatcher::with_default(&dispatch, || {
                    for _ in 0..BURSTS {
                        (0..LINES).for_each(|n| info!(n, padding = "x".repeat(100), "paced"));
                        std::thread::sleep(Duration::from_millis(1));
                    }
                });
            });
        }
    });
    let report = logger.flush(Duration::from_secs(20));
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.delivered(), 4 * BURSTS * LINES);
    assert_eq!(slow.0.load(Ordering::Relaxed), 4 * BURSTS * LINES);
}

#[test]
fn scenario_12_what_was_dropped_is_counted_and_said_in_the_stream() {
    let capture = Capture::default();
    let (open, logger) = gated(&capture, 16 * 1024);
    let log = |from: u64, n: u64| {
        tracing::subscriber::with_default(subscriber(&logger), || {
            for n in from..from + n {
                info!(n, padding = "x".repeat(500), "flood");
            }
        });
    };
    log(0, 320);
    drop(open);
    let first = logger.flush(Duration::from_secs(10));
    log(1000, 1);
    let second = logger.flush(Duration::from_secs(10));
    assert!(second.is_complete(), "{second}");
    let lines = capture.lines();
    let notices: Vec<_> =
        lines.iter().filter(|line| line["message"] == "log lines were lost").collect();
    let said: u64 = notices.iter().map(|line| line["lost"].as_u64().unwrap()).sum();
    assert!(said > 0);
    assert_eq!(said, first.dropped() + second.dropped());
    assert_eq!(said + lines.len() as u64 - notices.len() as u64, 321);
    let notice = notices[0];
    assert_eq!(notice["level"], "WARN");
    assert_eq!(notice["logger"], "obs_logging");
    assert_eq!(notice["service"], "orders");
    assert_eq!(notice["timestamp"], "2026-11-21T12:30:00.125Z");
    assert_eq!(notice["reasons"][Reason::QueueFull.as_str()], notice["lost"]);
}

#[test]
fn scenario_09_when_all_handles_are_gone_what_is_queued_is_written() {
    let capture = Capture::default();
    let logger = builder(&capture).queued().build().unwrap();
    let subscriber = subscriber(&logger);
    drop(logger);
    tracing::subscriber::with_default(subscriber, || {
        for n in 0..100 {
            info!(n, "still written");
        }
    });
    let start = Instant::now();
    while capture.lines().len() < 100 {
        assert!(start.elapsed() < Duration::from_secs(10), "{}", capture.lines().len());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn scenario_11_logging_after_shutdown_is_dropped_and_counted() {
    for queued in [true, false] {
        let capture = Capture::default();
        let logger = builder(&capture);
        let logger = if queued { logger.queued() } else { logger }.build().unwrap();
        tracing::subscriber::with_default(subscriber(&logger), || {
            info!("before");
            assert_eq!(logger.shutdown(Duration::from_secs(10)).delivered(), 1);
            info!("after");
            assert_eq!(logger.shutdown(Duration::from_secs(10)).dropped(), 1);
            assert_eq!(logger.flush(Duration::from_secs(10)).delivered(), 0);
        });
        assert_eq!(capture.line()["message"], "before");
    }
}

#[test]
fn scenario_02_a_flush_works_inside_and_outside_of_a_runtime() {
    let capture = Capture::default();
    let logger = builder(&capture).queued().build().unwrap();
    let log = |text: &'static str| {
        tracing::subscriber::with_default(subscriber(&logger), || info!("{text}"));
    };
    log("outside");
    assert_eq!(logger.flush(Duration::from_secs(10)).delivered(), 1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        log("inside, awaited");
        assert_eq!(logger.flush_async(Duration::from_secs(10)).await.delivered(), 1);
        log("inside, blocking");
        assert_eq!(logger.flush(Duration::from_secs(10)).delivered(), 1);
        log("last");
        assert_eq!(logger.shutdown_async(Duration::from_secs(10)).await.delivered(), 1);
    });
    assert_eq!(capture.lines().len(), 4);
}

#[test]
fn threads_that_log_at_once_never_mix_their_lines() {
    let capture = Capture::default();
    let logger = builder(&capture).queued().queue_bytes(64 << 20).build().unwrap();
    let dispatch = tracing::Dispatch::new(subscriber(&logger));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let dispatch = &dispatch;
            scope.spawn(move || {
                tracing::dispatcher::with_default(dispatch, || {
                    for n in 0..500 {
                        info!(thread, n, "line");
                    }
                });
            });
        }
    });
    assert!(logger.flush(Duration::from_secs(10)).is_complete());
    let lines = capture.lines();
    assert_eq!(lines.len(), 2000);
    for thread in 0..4 {
        let order: Vec<_> = lines
            .iter()
            .filter(|line| line["thread"] == thread)
            .map(|line| line["n"].as_u64().unwrap())
            .collect();
        assert_eq!(order, (0..500).collect::<Vec<_>>());
    }
}
