//! What the sink does, and what flushes say: scenarios 1–4, 9–12 and 14, with real threads and writers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use obs_metrics::{MetricsCollector, Sink, Unit, emf};

/// Far more than anything here needs, on any machine.
const LONG: Duration = Duration::from_secs(20);
/// A deadline that is meant to be missed by the sink.
const SHORT: Duration = Duration::from_millis(200);

fn collector(sink: Sink) -> MetricsCollector {
    MetricsCollector::builder()
        .namespace("App")
        .service("orders")
        .sink(sink)
        .enabled(true)
        .build()
        .unwrap()
}

/// A writer that hands each line to the test, and says when it is dropped.
struct Lines(Sender<String>);

fn lines() -> (Lines, Receiver<String>) {
    let (sender, receiver) = mpsc::channel();
    (Lines(sender), receiver)
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(String::from_utf8(bytes.to_vec()).unwrap());
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that stands still until its gate is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
    fn wait(&self) {
        let mut open = self.0.0.lock().unwrap();
        while !*open {
            open = self.0.1.wait(open).unwrap();
        }
    }
}

struct Gated<W>(Gate, W);

impl<W: Write> Write for Gated<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.wait();
        self.1.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.1.flush()
    }
}

/// The sum of all values in `lines`, each of which is a valid document.
fn sum(lines: impl Iterator<Item = String>) -> f64 {
    lines
        .filter(|line| emf::is_emf(line))
        .flat_map(|line| {
            let document = emf::validate(&line).unwrap_or_else(|v| panic!("{v}"));
            document.metrics().map(|metric| metric.sum()).collect::<Vec<_>>()
        })
        .sum()
}

#[test]
fn scenario_1_what_was_recorded_before_a_flush_is_delivered_by_it() {
    let (writer, received) = lines();
    let metrics = collector(Sink::writer(writer));
    let stop = Arc::new(AtomicBool::new(false));
    let others: Vec<_> = (0..2)
        .map(|_| {
            let (metrics, stop) = (metrics.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    metrics.event().put("Other", 1.0, Unit::Count);
                    metrics.put_metric("OtherAggregated", 1.0, Unit::Count, &[]);
                }
            })
        })
        .collect();
    for round in 0..20 {
        metrics.put_metric("Mine", 1.0, Unit::Count, &[]);
        metrics.event().put("MineToo", 1.0, Unit::Count);
        let report = metrics.flush(LONG);
        assert_eq!(report.pending(), 0, "{report}");
        let found: Vec<String> = received.try_iter().collect();
        for name in ["\"Mine\":1", "\"MineToo\":1"] {
            assert!(found.iter().any(|line| line.contains(name)), "{name} in round {round}");
        }
    }
    stop.store(true, Ordering::Relaxed);
    others.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Flushes while the sink stands still: it returns by its deadline. Then with the sink running.
fn check_flush(flush: impl Fn(&MetricsCollector, Duration) -> obs_metrics::FlushReport) {
    let gate = Gate::default();
    let (writer, received) = lines();
    let metrics = collector(Sink::writer(Gated(gate.clone(), writer)));
    metrics.put_metric("A", 1.0, Unit::Count, &[]);
    let start = Instant::now();
    let report = flush(&metrics, SHORT);
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    assert_eq!((report.delivered(), report.pending()), (0, 1), "{report}");
    gate.open();
    let report = flush(&metrics, LONG);
    assert!(report.is_complete() && report.delivered() == 1, "{report}");
    assert_eq!(sum(received.try_iter()), 1.0);
}

#[test]
fn scenario_2_a_flush_returns_by_its_deadline_wherever_it_is_called() {
    use tokio::runtime::Builder;
    let blocking = |metrics: &MetricsCollector, limit| metrics.flush(limit);
    check_flush(blocking);
    let current = || Builder::new_current_thread().enable_time().build().unwrap();
    let one_worker =
        || Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    for runtime in [current(), one_worker()] {
        // Inside block_on, and in a task.
        check_flush(|metrics, limit| runtime.block_on(async { metrics.flush(limit) }));
        check_flush(|metrics, limit| runtime.block_on(metrics.flush_async(limit)));
        check_flush(|metrics, limit| {
            let flush = metrics.flush_async(limit);
            runtime.block_on(async { tokio::spawn(flush).await.unwrap() })
        });
    }
}

#[test]
fn scenario_3_a_batch_that_fails_is_reported_and_the_others_arrive() {
    struct FirstFails(AtomicUsize, Lines);
    impl Write for FirstFails {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => Err(io::ErrorKind::BrokenPipe.into()),
                _ => self.1.write(bytes),
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (writer, received) = lines();
    let metrics = collector(Sink::writer(FirstFails(AtomicUsize::new(0), writer)));
    let reports: Vec<_> = (0..3)
        .map(|n| {
            metrics.event().put("A", f64::from(n), Unit::Count);
            metrics.flush(LONG)
        })
        .collect();
    let counts: Vec<_> = reports.iter().map(|r| (r.delivered(), r.failed())).collect();
    assert_eq!(counts, [(0, 1), (1, 0), (1, 0)]);
    assert!(!reports[0].is_complete());
    assert_eq!(sum(received.try_iter()), 3.0);
}

#[test]
fn scenario_4_and_12_a_dead_destination_neither_blocks_nor_grows_and_the_loss_is_in_the_stream() {
    const CAPACITY: usize = 16 * 1024;
    let gate = Gate::default();
    let (writer, received) = lines();
    let metrics = collector(Sink::writer(Gated(gate.clone(), writer)).capacity_bytes(CAPACITY));
    let start = Instant::now();
    let mut recorded = 0.0;
    // Ten times what the queue takes.
    while recorded * 200.0 < 10.0 * CAPACITY as f64 {
        metrics.event().put("A", 1.0, Unit::Count);
        recorded += 1.0;
    }
    let report = metrics.flush(SHORT);
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    assert!(report.dropped() > 0 && report.pending() > 0, "{report}");
    gate.open();
    metrics.event().put("A", 1.0, Unit::Count);
    recorded += 1.0;
    let after = metrics.flush(LONG);
    assert_eq!(after.pending(), 0, "{after}");
    let lines: Vec<String> = received.try_iter().collect();
    // What was kept while nothing moved, and the two lines after that.
    let kept: usize = lines.iter().map(String::len).sum();
    assert!(kept <= CAPACITY + 1024, "{kept}");
    let told: Vec<_> = lines.iter().filter(|line| line.contains("documents_dropped")).collect();
    assert!(!told.is_empty() && told[0].contains("queue_full"), "{told:?}");
    let dropped = (report.dropped() + after.dropped()) as f64;
    assert_eq!(sum(lines.into_iter()) + dropped, recorded);
}

#[test]
fn scenario_4_dropping_the_collector_does_not_wait_for_a_blocked_sink() {
    let gate = Gate::default();
    let (writer, received) = lines();
    let metrics = collector(Sink::writer(Gated(gate.clone(), writer)));
    metrics.put_metric("A", 1.0, Unit::Count, &[]);
    let start = Instant::now();
    drop(metrics);
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    gate.open();
    assert_eq!(sum(received.iter()), 1.0);
}

#[test]
fn scenario_9_the_last_handle_delivers_what_is_left_and_ends_the_worker() {
    let (writer, received) = lines();
    let metrics = collector(Sink::writer(writer));
    let clone = metrics.clone();
    metrics.put_metric("A", 1.0, Unit::Count, &[]);
    metrics.event().put("B", 2.0, Unit::Count);
    drop(metrics);
    clone.put_metric("A", 4.0, Unit::Count, &[]);
    drop(clone);
    // Ends only when the worker has dropped the writer.
    assert_eq!(sum(received.iter()), 7.0);
}

#[test]
fn scenario_10_under_continuous_load_flushes_return() {
    let (writer, received) = lines();
    let metrics = collector(Sink::writer(writer));
    let stop = Arc::new(AtomicBool::new(false));
    let load = {
        let (metrics, stop) = (metrics.clone(), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                metrics.event().put("A", 1.0, Unit::Count);
            }
        })
    };
    for _ in 0..10 {
        let report = metrics.flush(LONG);
        assert_eq!(report.pending(), 0, "{report}");
        received.try_iter().for_each(drop);
    }
    stop.store(true, Ordering::Relaxed);
    load.join().unwrap();
}

#[test]
fn scenario_11_after_a_shutdown_nothing_panics_and_everything_is_counted() {
    for sink in [Sink::null(), Sink::null().queued()] {
        let metrics = collector(sink);
        metrics.put_metric("A", 1.0, Unit::Count, &[]);
        let report = metrics.shutdown(LONG);
        assert!(report.is_complete() && report.delivered() == 1, "{report}");
        metrics.put_metric("A", 1.0, Unit::Count, &[]);
        metrics.event().put("B", 1.0, Unit::Count);
        let report = metrics.flush(LONG);
        assert_eq!((report.delivered(), report.dropped()), (0, 2), "{report}");
        assert_eq!(metrics.shutdown(LONG).pending(), 0);
    }
}

#[test]
fn scenario_14_a_writer_that_panics_takes_nobody_with_it() {
    struct Panics(bool, Lines);
    impl Write for Panics {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if std::mem::take(&mut self.0) {
                panic!("a writer that panics once");
            }
            self.1.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for synchronous in [false, true] {
        let (writer, received) = lines();
        let sink = Sink::writer(Panics(true, writer));
        let metrics = collector(if synchronous { sink.synchronous() } else { sink });
        metrics.event().put("A", 1.0, Unit::Count);
        let report = metrics.flush(LONG);
        assert_eq!((report.delivered(), report.failed()), (0, 1), "{report}");
        metrics.event().put("A", 2.0, Unit::Count);
        assert!(metrics.flush(LONG).is_complete());
        assert_eq!(sum(received.try_iter()), 2.0);
    }
}
