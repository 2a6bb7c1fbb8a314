//! Several sinks at once: none waits for another, and each keeps its own settings (scenario 4).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use obs_metrics::{FlushReport, MetricsCollector, Sink, Unit};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(200);

fn collector(sinks: impl IntoIterator<Item = Sink>) -> MetricsCollector {
    MetricsCollector::builder()
        .namespace("App")
        .service("orders")
        .sink(Sink::tee(sinks))
        .enabled(true)
        .build()
        .unwrap()
}

fn put(metrics: &MetricsCollector) {
    metrics.event().put("A", 1.0, Unit::Count);
}

/// Tells the test which thread wrote which line.
struct Writer(Sender<(ThreadId, String)>);

fn writer() -> (Sink, Receiver<(ThreadId, String)>) {
    let (sender, received) = mpsc::channel();
    (Sink::writer(Writer(sender)), received)
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.send((thread::current().id(), String::from_utf8(bytes.to_vec()).unwrap()));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes nothing until the other end is dropped.
struct Blocked(Receiver<()>);

fn blocked() -> (Sink, Sender<()>) {
    let (go_on, wait) = mpsc::channel();
    (Sink::writer(Blocked(wait)), go_on)
}

impl Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `delivered dropped failed pending` of each lane.
fn counts(report: &FlushReport) -> Vec<[u64; 4]> {
    let lanes = report.lanes().iter();
    lanes.map(|lane| [lane.delivered, lane.dropped, lane.failed, lane.pending]).collect()
}

#[test]
fn scenario_4_a_blocked_part_delays_neither_the_caller_nor_the_other() {
    // Whichever of them comes first.
    for blocked_first in [true, false] {
        let ((stuck, go_on), (free, received)) = (blocked(), writer());
        let metrics = collector(if blocked_first { [stuck, free] } else { [free, stuck] });
        let start = Instant::now();
        for _ in 0..3 {
            put(&metrics);
        }
        for _ in 0..3 {
            received.recv_timeout(LONG).unwrap();
        }
        let report = metrics.flush(SHORT);
        assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
        let mut expected = vec![[0, 0, 0, 3], [3, 0, 0, 0]];
        if !blocked_first {
            expected.reverse();
        }
        assert_eq!(counts(&report), expected, "{report}");
        drop(go_on);
        let mut expected = vec![[3, 0, 0, 0], [0, 0, 0, 0]];
        if !blocked_first {
            expected.reverse();
        }
        let report = metrics.flush(LONG);
        assert_eq!(counts(&report), expected, "{report}");
    }
}

#[test]
fn each_part_keeps_its_own_capacity() {
    let ((small, go_on_small), (large, go_on_large)) = (blocked(), blocked());
    let metrics = collector([small.capacity_bytes(600), large.capacity_bytes(60_000)]);
    for _ in 0..100 {
        put(&metrics);
    }
    let report = metrics.flush(SHORT);
    let [small, large] = report.lanes() else { panic!("{report}") };
    assert!(small.dropped > 90, "{small}");
    assert_eq!((large.dropped, large.pending), (0, 100), "{large}");
    drop((go_on_small, go_on_large));
    assert_eq!(metrics.flush(LONG).pending(), 0);
}

#[test]
fn each_part_is_synchronous_or_queued_by_itself() {
    let ((here, on_caller), (there, on_lane)) = (writer(), writer());
    // What is said of the tee is left to its parts.
    let sink = Sink::tee([here.synchronous(), there.queued()]).synchronous();
    let metrics = collector([sink]);
    put(&metrics);
    let (thread, line) = on_caller.try_recv().unwrap();
    assert_eq!(thread, thread::current().id());
    let (thread, same) = on_lane.recv_timeout(LONG).unwrap();
    assert_ne!(thread, thread::current().id());
    assert_eq!(line, same);
    assert_eq!(counts(&metrics.flush(LONG)), [[1, 0, 0, 0]; 2]);
}
