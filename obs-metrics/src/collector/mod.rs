//! The collector: what applications hold, and how what it recorded becomes documents.

mod builder;
mod emit;
mod flushing;
mod interval;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use obs_core::clock::{Clock, millis_since_epoch};
use obs_core::lane::{FlushReport, Handovers};
use obs_core::{Redactor, RequestContext};

pub use builder::{DEFAULT_NAMESPACE, MetricsCollectorBuilder};
pub(crate) use emit::write_draft;
use flushing::{Flushing, left};
pub(crate) use interval::Interval;

use crate::Error;
use crate::census::Census;
use crate::dimensions::DimensionSet;
use crate::event::Event;
use crate::handle::{Counter, Gauge, Histogram, MetricBuilder, Registry, Timer};
use crate::health::FlushTimes;
use crate::invocation::{self, InvocationTable};
use crate::limits;
use crate::line::LineStyle;
use crate::self_metrics::SelfMetrics;
use crate::series::{Full, Given, Table};
use crate::sink::Outputs;
use crate::stats::{Counters, Stats};
use crate::typed::{self, Fields, MetricEvent};
use crate::unit::{Resolution, Unit};

/// The `message` of documents, where an event has none of its own.
pub(crate) const MESSAGE: &str = "metrics";

/// Records metrics and writes them as valid EMF documents. Cheap to clone: all clones are one.
///
/// Recording never fails and never panics. What cannot be written as it was given is made valid or
/// left out, and counted: see [`Stats`].
///
/// When the last clone is dropped, what is still aggregated is handed to the sink, whose thread
/// delivers it. A process that ends does not wait for that: call [`flush`](Self::flush) before
/// `std::process::exit` or the end of `main`.
#[derive(Clone)]
pub struct MetricsCollector {
    /// `None` where metrics are switched off.
    pub(crate) inner: Option<Arc<Inner>>,
}

impl MetricsCollector {
    /// A collector of these settings; see [`MetricsCollectorBuilder`].
    pub fn builder() -> MetricsCollectorBuilder {
        MetricsCollectorBuilder::default()
    }

    /// A collector as the environment says, on stdout, with the dimensions `Service` and
    /// `Environment`.
    ///
    /// # Errors
    ///
    /// [`Error::is_namespace`] where the variable holds none that CloudWatch takes.
    pub fn from_env() -> Result<Self, Error> {
        Self::builder().environment_from_env().build()
    }

    /// A collector that records nothing, as where metrics are switched off.
    pub fn disabled() -> Self {
        Self { inner: None }
    }

    /// Whether anything is recorded: false where a variable switches metrics off.
    pub fn is_enabled(&self) -> bool {
        self.inner.is_some()
    }

    /// Begins a unit of work: one document, which is also the log line of that work.
    ///
    /// It is emitted by [`Event::emit`], or when it is dropped, with the ids of the request and the
    /// span in which it began. Inside an invocation it becomes a part of the invocation's document,
    /// unless one of its keys is there already (the second event of a kind), it has a message or a
    /// timestamp of its own, or its dimensions exceed their budget: then it is a document of its own.
    pub fn event(&self) -> Event {
        Event::begin(self.inner.clone())
    }

    /// Registers a [`Counter`] of this name.
    pub fn counter(&self, name: impl Into<String>) -> MetricBuilder<Counter> {
        MetricBuilder::new(self.inner.clone(), name.into())
    }

    /// Registers a [`Gauge`] of this name.
    pub fn gauge(&self, name: impl Into<String>) -> MetricBuilder<Gauge> {
        MetricBuilder::new(self.inner.clone(), name.into())
    }

    /// Registers a [`Histogram`] of this name.
    pub fn histogram(&self, name: impl Into<String>) -> MetricBuilder<Histogram> {
        MetricBuilder::new(self.inner.clone(), name.into())
    }

    /// Registers a [`Timer`] of this name.
    pub fn timer(&self, name: impl Into<String>) -> MetricBuilder<Timer> {
        MetricBuilder::new(self.inner.clone(), name.into())
    }

    /// Emits one metric as a document of its own, at once, with exactly these dimensions: none of the
    /// collector's, unless they are given here.
    ///
    /// For what has to stand apart, such as a cold start by function and version. Values and names
    /// are treated as those of an event.
    pub fn single_metric(&self, name: &str, value: f64, unit: Unit, dimensions: &[(&str, &str)]) {
        let mut event = self.event();
        event.set_single();
        for (name, value) in dimensions {
            event.dimension(name, value);
        }
        event.put(name, value, unit);
    }

    /// Emits a unit of work that is a value of a type: one document, which is also its log line. Inside
    /// an invocation it is treated as an [`event`](Self::event).
    pub fn emit(&self, work: &(impl MetricEvent + ?Sized)) {
        let Some(inner) = &self.inner else { return };
        if !typed::write_line(inner, work) {
            let mut event = self.event();
            work.write(&mut Fields::of_event(&mut event, work.shape()));
        }
    }

    /// Records `value` under any name, with dimensions of its own beside the collector's.
    ///
    /// Aggregated: inside an invocation it becomes part of that invocation's document, else of the
    /// next flush's, which outside of Lambda comes after
    /// [a minute](MetricsCollectorBuilder::flush_interval) at the latest. Equal values are counted,
    /// none is rounded. A known combination of name, unit and dimensions costs no allocation; each new
    /// one is a metric that CloudWatch bills.
    ///
    /// A value that is not finite or beyond ±2^360 is dropped and counted.
    pub fn put_metric(&self, name: &str, value: f64, unit: Unit, dimensions: &[(&str, &str)]) {
        let Some(inner) = &self.inner else { return };
        inner.counters.value();
        if !limits::takes_value(value) {
            inner.counters.value_out_of_range();
            return;
        }
        let resolution = Resolution::Standard;
        let given = Given { name, unit, resolution, dimensions, sets: &[], is_single: false };
        RequestContext::with_current(|context| match context {
            Some(context) => {
                let invocation = invocation::table_of(inner, context);
                inner.record(&invocation.table, &invocation.ids, &given, value);
            }
            None => {
                inner.interval.ensure(inner);
                inner.record(&inner.process, &[], &given, value);
            }
        });
    }

    /// What all clones share; `None` where metrics are switched off.
    pub(crate) fn inner(&self) -> Option<&Inner> {
        self.inner.as_deref()
    }

    /// Emits what is aggregated for `context`, before the response that ends it is sent.
    ///
    /// What is recorded in the context afterwards begins a document of its own, which leaves with
    /// the next flush or with the context itself. Where the sink is queued, call
    /// [`flush`](Self::flush) too.
    pub fn finish_invocation(&self, context: &RequestContext) {
        let Some(inner) = &self.inner else { return };
        let _until_pushed = inner.handovers.begin();
        inner.finish(context);
        inner.report_losses();
    }

    /// Emits what is aggregated and waits until the sink has everything, `limit` at most.
    ///
    /// Inside an invocation, what other invocations have aggregated stays with them until they are
    /// finished; anywhere else it is emitted too. What another thread is emitting at the time is waited
    /// for: where it has not reached the sinks within `limit`, the report has an entry `metrics` that is
    /// out of time. Works on any thread, inside any runtime and outside, and never deadlocks; from
    /// within a synchronous writer it does not wait.
    pub fn flush(&self, limit: Duration) -> FlushReport {
        match &self.inner {
            Some(inner) => {
                let began = Instant::now();
                inner.emit_pending();
                let handed_over = inner.handovers.settled(left(began, limit)).wait();
                let report = inner.outputs.begin_flush(left(began, limit)).wait();
                inner.flushes.took(began.elapsed());
                report.merge(handed_over)
            }
            None => FlushReport::empty(),
        }
    }

    /// As [`flush`](Self::flush), without blocking the thread; begins with the call.
    pub fn flush_async(&self, limit: Duration) -> impl Future<Output = FlushReport> + Send + use<> {
        let flush = self.inner.as_ref().map(|inner| {
            let began = Instant::now();
            inner.emit_pending();
            (Flushing::begin(inner, began, limit), Arc::clone(&inner.flushes), began)
        });
        async move {
            match flush {
                Some((flushing, flushes, began)) => {
                    let report = flushing.report(began, limit).await;
                    flushes.took(began.elapsed());
                    report
                }
                None => FlushReport::empty(),
            }
        }
    }

    /// Flushes, and ends the sink: what is recorded afterwards is dropped and counted.
    pub fn shutdown(&self, limit: Duration) -> FlushReport {
        match &self.inner {
            Some(inner) => {
                let began = Instant::now();
                inner.interval.end();
                inner.emit_pending();
                let handed_over = inner.handovers.settled(left(began, limit)).wait();
                let report = inner.outputs.begin_shutdown(left(began, limit)).wait();
                inner.flushes.took(began.elapsed());
                report.merge(handed_over)
            }
            None => FlushReport::empty(),
        }
    }

    /// What was recorded, repaired and left out since the collector was built.
    pub fn stats(&self) -> Stats {
        self.inner.as_ref().map(|inner| inner.counters.read()).unwrap_or_default()
    }
}

impl fmt::Debug for MetricsCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner {
            Some(inner) => inner.fmt(f),
            None => f.write_str("MetricsCollector(disabled)"),
        }
    }
}

/// What was handed to the sinks of lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) lines: u64,
    /// Line feeds included.
    pub(crate) bytes: u64,
}

impl Written {
    pub(crate) fn add(&mut self, line: usize) {
        self.lines += 1;
        self.bytes += line as u64 + 1;
    }
}

/// What all clones of a collector share.
pub(crate) struct Inner {
    /// What tells this collector from all others of the process, dropped ones included.
    pub(crate) id: u64,
    pub(crate) namespace: String,
    pub(crate) defaults: DimensionSet,
    pub(crate) document_bytes: usize,
    /// Members of `_aws` that the sink asks for, encoded.
    pub(crate) aws: Vec<u8>,
    pub(crate) redactor: Redactor,
    pub(crate) style: LineStyle,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) counters: Counters,
    pub(crate) outputs: Outputs,
    pub(crate) census: Census,
    /// Not owned by it alone: a flush that is awaited does not keep the collector.
    pub(crate) flushes: Arc<FlushTimes>,
    /// What was taken from the tables and cells below and is not with the sinks yet: begun before the
    /// taking.
    pub(crate) handovers: Handovers,
    /// Where the collector's own numbers are metrics too.
    pub(crate) own: Option<SelfMetrics>,
    /// The registered series.
    pub(crate) registry: Registry,
    /// What is recorded outside of any invocation.
    process: Table,
    pub(crate) interval: Interval,
    /// What events recorded, for the sinks that take series alone: lines have it already.
    apart: Table,
    /// The invocations that have recorded something and are not over.
    invocations: Mutex<Vec<Weak<InvocationTable>>>,
}

// What is under our locks is whole between any two statements, and no user's code runs there: a panic
// leaves nothing half done.
impl std::panic::RefUnwindSafe for Inner {}

impl Inner {
    #[inline]
    fn record(&self, table: &Table, ids: &[u8], given: &Given<'_>, value: f64) {
        if let Some(full) = table.record(&self.census, &self.counters, given, value, 1) {
            self.emit_full(full, ids);
        }
    }

    #[cold]
    fn emit_full(&self, full: Full<'_>, ids: &[u8]) {
        let _until_pushed = self.handovers.begin();
        self.emit(&full.take(self.now_millis()), ids);
    }

    /// Makes an invocation's table known to flushes from outside.
    pub(crate) fn register(&self, table: &Arc<InvocationTable>) {
        let mut invocations = lock(&self.invocations);
        invocations.retain(|table| table.strong_count() > 0);
        invocations.push(Arc::downgrade(table));
    }

    pub(crate) fn now_millis(&self) -> u64 {
        millis_since_epoch(self.clock.now())
    }

    /// Whether all that is recorded leaves as lines.
    pub(crate) fn writes_lines_only(&self) -> bool {
        self.outputs.series.is_empty()
    }
}

impl Drop for Inner {
    /// Flush on drop: the lane's worker delivers it and ends.
    fn drop(&mut self) {
        self.interval.end();
        let depth = self.depth_before();
        self.emit_invocations();
        self.emit_process(depth);
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsCollector")
            .field("namespace", &self.namespace)
            .field("dimensions", &self.defaults)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

/// Takes a lock whatever happened to its last holder: no user code runs under ours.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod sets_tests;
#[cfg(test)]
mod tests;
