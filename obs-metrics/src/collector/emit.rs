//! How what was recorded leaves: as documents, and as series.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Weak};

use obs_core::RequestContext;
use obs_core::json::{Cursor, Object};
use obs_core::redact::REDACTED;

use super::{Inner, MESSAGE, Written, lock};
use crate::datum::Datum;
use crate::encode::{self, Common, Directive, FRAME_BYTES};
use crate::event::Recorded;
use crate::invocation::{self, InvocationTable, Member, Parts};
use crate::limits;
use crate::line::{self, Level};
use crate::names;
use crate::plan::{Draft, Series, items, plan};
use crate::series::Table;

/// What a thread keeps of its buffer: a rare large document does not stay.
const KEPT_BYTES: usize = 64 * 1024;

/// The longest line that is written at a cursor: nearly all are shorter.
const CURSOR_BYTES: usize = 4 * 1024;

/// What a line is written into, at a cursor.
struct Desk {
    line: [u8; CURSOR_BYTES],
    ids: Vec<u8>,
}

impl Desk {
    fn new() -> Box<Self> {
        Box::new(Self { line: [0; CURSOR_BYTES], ids: Vec::new() })
    }
}

thread_local! {
    static DESK: Cell<Option<Box<Desk>>> = const { Cell::new(None) };
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Inner {
    /// Emits what the caller may see: its own invocation's or, outside, everybody's; and what belongs
    /// to the process.
    pub(super) fn emit_pending(self: &Arc<Self>) {
        let depth = self.depth_before();
        RequestContext::with_current(|context| match context {
            Some(context) => self.finish(context),
            None => self.emit_invocations(),
        });
        self.emit_process(depth);
    }

    /// Emits what is aggregated for `context`.
    pub(super) fn finish(&self, context: &RequestContext) {
        if let Some(invocation) = invocation::known_table_of(self, context) {
            self.emit_invocation(invocation, Some(context));
        }
    }

    /// `depth` is what was waiting in the sinks' queues before anything was emitted.
    pub(super) fn emit_process(&self, depth: u64) {
        let _until_pushed = self.handovers.begin();
        let now = self.now_millis();
        let mut data = self.process.take(now);
        let most = if self.outputs.lines.is_empty() {
            limits::VALUES_PER_DATUM
        } else {
            limits::VALUES_PER_METRIC
        };
        self.registry.take(self, most, now, &mut data);
        self.emit(&data, &[]);
        let apart = self.apart.take(now);
        self.emit_series(&apart);
        self.emit_own(depth);
        self.report_losses();
    }

    pub(super) fn emit_invocations(&self) {
        // Out of the lock before anything is emitted, or dropped with its last handle.
        let live: Vec<_> = lock(&self.invocations).iter().filter_map(Weak::upgrade).collect();
        for invocation in live {
            self.emit_invocation(&invocation, None);
        }
    }

    /// Emits what an invocation recorded; where its context is at hand, with the fields that were
    /// appended to it.
    pub(crate) fn emit_invocation(
        &self,
        invocation: &InvocationTable,
        context: Option<&RequestContext>,
    ) {
        let _until_pushed = self.handovers.begin();
        let mut parts = std::mem::take(&mut *lock(&invocation.parts));
        let data = invocation.table.take(self.now_millis());
        if !self.outputs.lines.is_empty() {
            if let Some(context) = context {
                parts.appended = self.appended(context);
            }
            let mut ids = invocation.ids.clone();
            if let Some(span) = parts.span() {
                let is_first = ids.is_empty();
                let mut object = Object::resume(&mut ids, is_first);
                if !invocation.has_trace_id {
                    object.display("trace_id", span.trace_id);
                }
                object.display("span_id", span.span_id);
            }
            self.emit_documents(&data, &parts, &ids);
        }
        self.emit_series(&data);
    }

    /// Emits what was recorded: in as few documents as keys and limits allow, and to each sink that
    /// takes series. Returns how many lines and bytes that were.
    pub(crate) fn emit(&self, data: &[Datum], ids: &[u8]) -> Written {
        let mut written = Written::default();
        if !self.outputs.lines.is_empty() {
            written = self.emit_documents(data, &Parts::default(), ids);
        }
        self.emit_series(data);
        written
    }

    /// Hands `data` to the sinks that take series, where there are any.
    fn emit_series(&self, data: &[Datum]) {
        data.iter().for_each(|datum| self.outputs.push_datum(datum));
    }

    /// Gives an event's metrics to the sinks that take series: aggregated until the next flush, or at
    /// once where the event has a time of its own.
    pub(crate) fn aggregate_event<'a>(
        &self,
        at: Option<u64>,
        dimensions: &[(&str, &str)],
        sets: &[Vec<Box<str>>],
        metrics: impl Iterator<Item = Recorded<'a>>,
        is_single: bool,
    ) {
        match at {
            None => {
                for metric in metrics {
                    let given = metric.given(dimensions, sets, is_single);
                    for (value, count) in metric.values.as_slice() {
                        let (census, counters) = (&self.census, &self.counters);
                        if let Some(full) =
                            self.apart.record(census, counters, &given, *value, *count)
                        {
                            let _until_pushed = self.handovers.begin();
                            self.emit_series(&full.take(self.now_millis()));
                        }
                    }
                }
            }
            Some(timestamp_millis) => {
                // A table of its own: what has a time of its own is not added to anything else.
                let table = Table::default();
                for metric in metrics {
                    let given = metric.given(dimensions, sets, is_single);
                    for (value, count) in metric.values.as_slice() {
                        // All of it is taken below.
                        let _full =
                            table.record(&self.census, &self.counters, &given, *value, *count);
                    }
                }
                self.emit_series(&table.take(timestamp_millis));
            }
        }
    }

    fn emit_documents(&self, data: &[Datum], parts: &Parts, ids: &[u8]) -> Written {
        let mut written = Written::default();
        if data.is_empty() && parts.parts.is_empty() {
            return written;
        }
        let timestamp_millis =
            data.first().map_or_else(|| self.now_millis(), |datum| datum.timestamp_millis);
        let mut head = Vec::with_capacity(128);
        let mut object = Object::resume(&mut head, true);
        self.style.write(&mut object, Level::Info, timestamp_millis, MESSAGE);
        object.members(ids);
        let common =
            Common { namespace: &self.namespace, timestamp_millis, aws: &self.aws, line: &head };
        let budget = self.document_bytes.saturating_sub(FRAME_BYTES + self.aws.len() + head.len());
        let series = data.iter().map(|datum| Series {
            name: &datum.key.name,
            unit: datum.key.unit,
            resolution: datum.key.resolution,
            dimensions: &datum.key.dimensions,
            values: &datum.values,
        });
        let mut first = Draft::default();
        parts.parts.iter().for_each(|part| first.join(part));
        let mut drafts = plan(first, items(series), budget);
        if let Some(first) = drafts.first_mut() {
            for (name, value) in &parts.appended {
                first.add_member(name, value, budget);
            }
        }
        for draft in &drafts {
            self.write(|buf| {
                write_draft(buf, &common, draft, draft.members());
                written.add(buf.len());
            });
        }
        written
    }

    /// The fields that were appended to the request, as members.
    pub(crate) fn appended(&self, context: &RequestContext) -> Vec<Member> {
        let mut fields = Vec::new();
        context.appended(|key, value| {
            if self.redactor.is_redacted(key) {
                fields.push((key.to_owned(), format!("\"{REDACTED}\"").into_bytes()));
            } else if !names::is_line_key(key) {
                let mut value = value.to_vec();
                self.redactor.redact_encoded(&mut value, 0);
                fields.push((key.to_owned(), value));
            }
        });
        fields
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

    /// Hands over a line of ordinary size that `encode` writes, returning its length; its second buffer
    /// is empty and its own. Hands nothing over and returns false where the line is too long or
    /// `encode` returns none.
    #[inline]
    pub(crate) fn write_at_cursor(
        &self,
        encode: impl FnOnce(Cursor<'_>, &mut Vec<u8>) -> Option<usize>,
    ) -> bool {
        // Taken out, not borrowed: a synchronous writer may record on this thread.
        let mut desk = DESK.try_with(Cell::take).ok().flatten().unwrap_or_else(Desk::new);
        let Desk { line, ids } = &mut *desk;
        ids.clear();
        let written = encode(Cursor::new(line), ids);
        let fits =
            written.filter(|len| *len <= self.document_bytes).and_then(|len| line.get(..len));
        if let Some(line) = fits {
            self.counters.line(line.len());
            self.outputs.push_line(line);
        }
        let fits = fits.is_some();
        let _gone = DESK.try_with(|kept| kept.set(Some(desk)));
        fits
    }

    fn write_within(&self, limit: usize, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
        // Taken out, not borrowed: a synchronous writer may record on this thread.
        let mut line = BUFFER.try_with(|buffer| buffer.take()).unwrap_or_default();
        line.clear();
        encode(&mut line);
        let fits = line.len() <= limit;
        if fits {
            self.counters.line(line.len());
            self.outputs.push_line(&line);
        }
        if line.capacity() <= KEPT_BYTES {
            let _gone = BUFFER.try_with(|buffer| buffer.replace(line));
        }
        fits
    }

    /// Says in the stream how many values were dropped, if any were since it was last said, and which
    /// metrics have too many series, if there is a new one.
    pub(super) fn report_losses(&self) {
        if self.outputs.lines.is_empty() {
            return;
        }
        if let Some(stats) = self.counters.unreported() {
            let millis = self.now_millis();
            self.write(|buf| line::write_loss(buf, self.style, millis, &stats));
        }
        if let Some(names) = self.census.untold() {
            let (millis, values) = (self.now_millis(), self.counters.read().values_in_overflow);
            self.write(|buf| line::write_overflow(buf, self.style, millis, values, &names));
        }
    }
}

pub(crate) fn write_draft(
    buf: &mut Vec<u8>,
    common: &Common<'_>,
    draft: &Draft<'_>,
    members: &[u8],
) {
    let directives = draft.directives.iter().map(|(set, metrics)| Directive {
        names: set.iter().map(|(name, _)| name),
        rollups: set.rollups().map(|rollup| rollup.map(|(name, _)| name)),
        metrics: metrics.iter().copied(),
    });
    encode::document(buf, common, directives, draft.dimensions.iter().copied(), members);
}
