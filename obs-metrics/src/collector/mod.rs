//! The collector: what applications hold, and how what it recorded becomes documents.

mod builder;

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use obs_core::clock::{Clock, millis_since_epoch};
use obs_core::json::Object;
use obs_core::lane::FlushReport;
use obs_core::{Redactor, RequestContext};

pub use builder::{DEFAULT_NAMESPACE, MetricsCollectorBuilder};

use crate::Error;
use crate::datum::Datum;
use crate::dimensions::DimensionSet;
use crate::encode::{self, Common, FRAME_BYTES};
use crate::event::Event;
use crate::invocation::{self, InvocationTable};
use crate::limits;
use crate::line::{self, Level, LineStyle};
use crate::plan::{Draft, Series, items, plan};
use crate::series::Table;
use crate::sink::Outputs;
use crate::stats::{Counters, Stats};
use crate::typed::{Fields, MetricEvent};
use crate::unit::Unit;

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
    inner: Option<Arc<Inner>>,
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
    /// It is emitted by [`Event::emit`], or when it is dropped; inside an invocation too it is a
    /// document of its own, with the ids of the request and the span in which it began.
    pub fn event(&self) -> Event {
        Event::begin(self.inner.clone())
    }

    /// Emits a unit of work that is a value of a type: one document, which is also its log line.
    pub fn emit(&self, work: &(impl MetricEvent + ?Sized)) {
        if self.is_enabled() {
            let mut event = self.event();
            work.write(&mut Fields::new(&mut event, work.shape()));
        }
    }

    /// Records `value` under any name, with dimensions of its own beside the collector's.
    ///
    /// Aggregated: inside an invocation it becomes part of that invocation's document, else of the
    /// next flush's. Equal values are counted, none is rounded. A known combination of name, unit
    /// and dimensions costs no allocation; each new one is a metric that CloudWatch bills.
    ///
    /// A value that is not finite or beyond ±2^360 is dropped and counted.
    pub fn put_metric(&self, name: &str, value: f64, unit: Unit, dimensions: &[(&str, &str)]) {
        let Some(inner) = &self.inner else { return };
        inner.counters.value();
        if !limits::takes_value(value) {
            inner.counters.value_out_of_range();
            return;
        }
        RequestContext::with_current(|context| match context {
            Some(context) => {
                let invocation = invocation::table_of(inner, context);
                inner.record(&invocation.table, &invocation.ids, name, value, unit, dimensions);
            }
            None => inner.record(&inner.process, &[], name, value, unit, dimensions),
        });
    }

    /// Emits what is aggregated for `context`, before the response that ends it is sent.
    ///
    /// What is recorded in the context afterwards begins a document of its own, which leaves with
    /// the next flush or with the context itself. Where the sink is queued, call
    /// [`flush`](Self::flush) too.
    pub fn finish_invocation(&self, context: &RequestContext) {
        let Some(inner) = &self.inner else { return };
        if let Some(invocation) = invocation::known_table_of(inner, context) {
            inner.emit_table(&invocation.table, &invocation.ids);
        }
        inner.report_losses();
    }

    /// Emits what is aggregated and waits until the sink has everything, `limit` at most.
    ///
    /// Inside an invocation, what other invocations have aggregated stays with them until they are
    /// finished; anywhere else it is emitted too. Works on any thread, inside any runtime and
    /// outside, and never deadlocks.
    pub fn flush(&self, limit: Duration) -> FlushReport {
        match &self.inner {
            Some(inner) => {
                inner.emit_pending();
                inner.outputs.begin_flush(limit).wait()
            }
            None => FlushReport::empty(),
        }
    }

    /// As [`flush`](Self::flush), without blocking the thread; begins with the call.
    pub fn flush_async(&self, limit: Duration) -> impl Future<Output = FlushReport> + Send + use<> {
        let flush = self.inner.as_ref().map(|inner| {
            inner.emit_pending();
            inner.outputs.begin_flush(limit)
        });
        async move {
            match flush {
                Some(flush) => flush.report().await,
                None => FlushReport::empty(),
            }
        }
    }

    /// Flushes, and ends the sink: what is recorded afterwards is dropped and counted.
    pub fn shutdown(&self, limit: Duration) -> FlushReport {
        match &self.inner {
            Some(inner) => {
                inner.emit_pending();
                inner.outputs.begin_shutdown(limit).wait()
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

/// What all clones of a collector share.
pub(crate) struct Inner {
    pub(crate) namespace: String,
    pub(crate) defaults: DimensionSet,
    pub(crate) document_bytes: usize,
    pub(crate) redactor: Redactor,
    pub(crate) style: LineStyle,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) counters: Counters,
    pub(crate) outputs: Outputs,
    /// What is recorded outside of any invocation.
    process: Mutex<Table>,
    /// The invocations that have recorded something and are not over.
    invocations: Mutex<Vec<Weak<InvocationTable>>>,
}

impl Inner {
    fn record(
        &self,
        table: &Mutex<Table>,
        ids: &[u8],
        name: &str,
        value: f64,
        unit: Unit,
        dimensions: &[(&str, &str)],
    ) {
        let mut held = lock(table);
        if held.record(&self.defaults, &self.counters, name, value, unit, dimensions) {
            let taken = held.take(self.now_millis());
            drop(held);
            self.emit(&taken, ids);
        }
    }

    /// Makes an invocation's table known to flushes from outside.
    pub(crate) fn register(&self, table: &Arc<InvocationTable>) {
        let mut invocations = lock(&self.invocations);
        invocations.retain(|table| table.strong_count() > 0);
        invocations.push(Arc::downgrade(table));
    }

    fn emit_pending(self: &Arc<Self>) {
        RequestContext::with_current(|context| match context {
            Some(context) => {
                if let Some(invocation) = invocation::known_table_of(self, context) {
                    self.emit_table(&invocation.table, &invocation.ids);
                }
            }
            None => self.emit_invocations(),
        });
        self.emit_table(&self.process, &[]);
        self.report_losses();
    }

    fn emit_invocations(&self) {
        // Out of the lock before anything is emitted, or dropped with its last handle.
        let live: Vec<_> = lock(&self.invocations).iter().filter_map(Weak::upgrade).collect();
        for invocation in live {
            self.emit_table(&invocation.table, &invocation.ids);
        }
    }

    pub(crate) fn emit_table(&self, table: &Mutex<Table>, ids: &[u8]) {
        let taken = lock(table).take(self.now_millis());
        self.emit(&taken, ids);
    }

    pub(crate) fn now_millis(&self) -> u64 {
        millis_since_epoch(self.clock.now())
    }

    /// Emits what was recorded: in as few documents as keys and limits allow, and to each sink that
    /// takes series.
    pub(crate) fn emit(&self, data: &[Datum], ids: &[u8]) {
        if !self.outputs.lines.is_empty() {
            self.emit_documents(data, ids);
        }
        self.emit_series(data);
    }

    /// Hands `data` to the sinks that take series, where there are any.
    pub(crate) fn emit_series(&self, data: &[Datum]) {
        data.iter().for_each(|datum| self.outputs.push_datum(datum));
    }

    fn emit_documents(&self, data: &[Datum], ids: &[u8]) {
        let Some(first) = data.first() else { return };
        let timestamp_millis = first.timestamp_millis;
        let mut head = Vec::with_capacity(128);
        let mut object = Object::resume(&mut head, true);
        self.style.write(&mut object, Level::Info, timestamp_millis, MESSAGE);
        object.members(ids);
        let common = Common { namespace: &self.namespace, timestamp_millis, line: &head };
        let budget = self.document_bytes.saturating_sub(FRAME_BYTES + head.len());
        let series = data.iter().map(|datum| Series {
            name: &datum.key.name,
            unit: datum.key.unit,
            resolution: datum.key.resolution,
            dimensions: &datum.key.dimensions,
            values: &datum.values,
        });
        for draft in plan(items(series), budget) {
            self.write(|buf| write_draft(buf, &common, &draft, &[]));
        }
    }

    /// Hands one line to the sink. The buffer is this thread's, used again for the next line.
    pub(crate) fn write(&self, encode: impl FnOnce(&mut Vec<u8>)) {
        self.write_within(usize::MAX, encode);
    }

    /// As [`write`](Self::write), but hands nothing over and returns false where the line exceeds
    /// the document size.
    pub(crate) fn write_if_fits(&self, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.write_within(self.document_bytes, encode)
    }

    fn write_within(&self, limit: usize, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
        // Taken out, not borrowed: a synchronous writer may record on this thread.
        let mut line = BUFFER.try_with(|buffer| buffer.take()).unwrap_or_default();
        line.clear();
        encode(&mut line);
        let fits = line.len() <= limit;
        if fits {
            self.counters.line();
            self.outputs.push_line(&line);
        }
        if line.capacity() <= KEPT_BYTES {
            let _gone = BUFFER.try_with(|buffer| buffer.replace(line));
        }
        fits
    }

    /// Says in the stream how many values were dropped, if any were since it was last said.
    fn report_losses(&self) {
        if let Some(stats) = self.counters.unreported() {
            let millis = self.now_millis();
            self.write(|buf| line::write_loss(buf, self.style, millis, &stats));
        }
    }
}

impl Drop for Inner {
    /// Flush on drop: the lane's worker delivers it and ends.
    fn drop(&mut self) {
        self.emit_invocations();
        self.emit_table(&self.process, &[]);
        self.report_losses();
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

pub(crate) fn write_draft(
    buf: &mut Vec<u8>,
    common: &Common<'_>,
    draft: &Draft<'_>,
    members: &[u8],
) {
    let directives = draft
        .directives
        .iter()
        .map(|(set, metrics)| (set.iter().map(|(name, _)| name), metrics.iter().copied()));
    encode::document(buf, common, directives, draft.dimensions.iter().copied(), members);
}

/// Takes a lock whatever happened to its last holder: no user code runs under ours.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a thread keeps of its buffer: a rare large document does not stay.
const KEPT_BYTES: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[cfg(test)]
mod tests;
