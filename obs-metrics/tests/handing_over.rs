//! Scenarios 1 and 2: a flush waits for what another thread has taken and not yet handed to the sink,
//! within its limit, and never for itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{self, Write};
use std::pin::pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use obs_core::RequestContext;
use obs_metrics::{FlushReport, MetricsCollector, MetricsCollectorBuilder, Sink, Unit};

/// Far more than anything here needs, on any machine.
const LONG: Duration = Duration::from_secs(20);
/// A deadline that is meant to be missed, and time for another thread to do the wrong thing.
const SHORT: Duration = Duration::from_millis(100);

/// Says that a line has come, and keeps it until it is told to go on.
struct Steps {
    came: Sender<()>,
    go_on: Receiver<()>,
}

impl Write for Steps {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.came.send(());
        let _ = self.go_on.recv();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The other end: lines go on one by one, or all of them once it is dropped.
struct Lines {
    came: Receiver<()>,
    go_on: Sender<()>,
}

fn stepped() -> (MetricsCollectorBuilder, Lines) {
    let ((came, seen), (go_on, wait)) = (mpsc::channel(), mpsc::channel());
    let sink = Sink::writer(Steps { came, go_on: wait }).synchronous();
    (builder(sink), Lines { came: seen, go_on })
}

fn builder(sink: Sink) -> MetricsCollectorBuilder {
    MetricsCollector::builder()
        .namespace("App")
        .service("orders")
        .sink(sink)
        .without_flush_interval()
        .enabled(true)
}

/// One more than a document takes, so that there are two.
fn put(metrics: &MetricsCollector) {
    for n in 0..101 {
        metrics.put_metric(&format!("M{n}"), 1.0, Unit::Count, &[]);
    }
}

/// Flushes while `emit` is writing the first of several lines on another thread: not one of the
/// lines is left when the flush is complete.
fn check(
    builder: MetricsCollectorBuilder,
    lines: Lines,
    emit: impl FnOnce(&MetricsCollector) + Send,
) {
    let metrics = builder.build().unwrap();
    let Lines { came, go_on } = lines;
    thread::scope(|scope| {
        let emitting = scope.spawn(|| emit(&metrics));
        came.recv_timeout(LONG).unwrap();
        let mut awaited = pin!(metrics.flush_async(LONG));
        let mut in_time = pin!(metrics.flush_async(SHORT));
        let blocking = scope.spawn(|| metrics.flush(LONG));
        // Time for it to begin.
        thread::sleep(SHORT);
        go_on.send(()).unwrap();
        came.recv_timeout(LONG).unwrap();
        // The second line is being written. The sink had one when the flushes began.
        let mut cx = Context::from_waker(Waker::noop());
        assert!(awaited.as_mut().poll(&mut cx).is_pending(), "there is more");
        let report = block_on(in_time.as_mut());
        assert!(!report.is_complete(), "{report}");
        assert!(report.lanes().iter().any(|l| l.name == "metrics" && l.timed_out), "{report}");
        assert!(!blocking.is_finished(), "there is more");
        drop(go_on);
        for report in [blocking.join().unwrap(), block_on(awaited.as_mut())] {
            assert!(report.is_complete(), "{report}");
        }
        emitting.join().unwrap();
    });
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn request() -> RequestContext {
    RequestContext::builder().request_id("r-1").build()
}

#[test]
fn scenario_1_a_flush_waits_for_what_another_flush_has_taken() {
    let (builder, lines) = stepped();
    check(builder, lines, |metrics| {
        put(metrics);
        let report = metrics.flush(LONG);
        assert!(report.is_complete(), "{report}");
    });
}

#[test]
fn scenario_1_a_flush_waits_for_what_the_interval_s_thread_has_taken() {
    let (builder, lines) = stepped();
    check(builder.flush_interval(Duration::from_millis(500)), lines, put);
}

#[test]
fn scenario_1_a_flush_waits_for_a_recorder_that_emits_a_full_shard() {
    let (builder, lines) = stepped();
    check(builder, lines, |metrics| {
        for n in 0..8_192 {
            metrics.put_metric("A", f64::from(n), Unit::Count, &[]);
        }
    });
}

#[test]
fn scenario_1_a_flush_waits_for_an_invocation_that_is_finished_or_dropped() {
    for is_finished in [true, false] {
        let (builder, lines) = stepped();
        check(builder, lines, |metrics| {
            let context = request();
            let entered = context.enter();
            put(metrics);
            drop(entered);
            if is_finished {
                metrics.finish_invocation(&context);
            }
        });
    }
}

#[test]
fn scenario_11_a_shutdown_waits_for_what_was_taken_before_it_refuses_the_rest() {
    let (builder, lines) = stepped();
    let metrics = builder.build().unwrap();
    let Lines { came, go_on } = lines;
    put(&metrics);
    thread::scope(|scope| {
        scope.spawn(|| drop(metrics.flush(LONG)));
        came.recv_timeout(LONG).unwrap();
        let shutdown = scope.spawn(|| metrics.shutdown(LONG));
        thread::sleep(SHORT);
        drop(go_on);
        let report = shutdown.join().unwrap();
        assert_eq!((report.dropped(), report.is_complete()), (0, true), "{report}");
    });
    assert_eq!(metrics.health().lanes[0].delivered, 2);
    assert_eq!(metrics.health().flushes, 2, "a shutdown is one");
}

#[test]
fn scenario_11_a_shutdown_ends_the_interval_s_thread() {
    for is_started in [true, false] {
        let every = Duration::from_millis(10);
        let metrics = builder(Sink::null()).flush_interval(every).build().unwrap();
        if is_started {
            put(&metrics);
        }
        assert!(metrics.shutdown(LONG).is_complete());
        put(&metrics);
        thread::sleep(SHORT);
        assert_eq!(metrics.health().lost(), 0, "nobody has emitted it");
        assert_eq!(metrics.flush(LONG).dropped(), 2);
    }
}

#[test]
fn scenario_2_a_flush_from_within_a_synchronous_writer_does_not_wait_for_itself() {
    struct Flushes(Arc<OnceLock<MetricsCollector>>, Sender<FlushReport>);
    impl Write for Flushes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let metrics = self.0.get().unwrap();
            let _ = self.1.send(metrics.flush(LONG));
            if let Poll::Ready(report) =
                pin!(metrics.flush_async(LONG)).poll(&mut Context::from_waker(Waker::noop()))
            {
                let _ = self.1.send(report);
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let itself = Arc::new(OnceLock::new());
    let (sender, reports) = mpsc::channel();
    let sink = Sink::writer(Flushes(Arc::clone(&itself), sender)).synchronous();
    let metrics = builder(sink).build().unwrap();
    itself.set(metrics.clone()).unwrap();
    put(&metrics);
    let start = Instant::now();
    let report = metrics.flush(LONG);
    assert!(report.is_complete(), "{report}");
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
    let reports: Vec<_> = reports.try_iter().collect();
    assert_eq!(reports.len(), 4, "two of each line");
    assert!(reports.iter().all(|report| !report.is_complete()), "what calls it is not over");
}

#[test]
fn a_tee_of_nothing_is_an_error() {
    for sink in [Sink::tee([]), Sink::tee([Sink::null(), Sink::tee([])])] {
        let error = builder(sink).build().unwrap_err();
        assert!(error.is_sink(), "{error}");
    }
}
