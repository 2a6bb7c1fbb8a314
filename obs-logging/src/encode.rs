//! Encodes one event into its line.

use obs_core::RequestContext;
use obs_core::health;
use obs_core::ids::{SpanId, TraceId};
use obs_core::json::{self, Object};
use obs_core::redact::REDACTED;
use tracing_core::{Event, Subscriber};
use tracing_subscriber::registry::LookupSpan;

use crate::callsite::{Callsite, key_name, member};
use crate::entered::{self, Current};
use crate::fields::{Fields, NONE};
use crate::format::Format;
use crate::layer::{Around, Core};
use crate::scratch::Scratch;
use crate::span::View;
use crate::timestamp::micros_since_epoch;
use crate::visitor::{LogRecord, Visitor};
use crate::{limit, text};

impl Core {
    /// Encodes the event's line.
    ///
    /// The event's fields are encoded before the span's are copied: they are the application's code,
    /// which must run under no lock, and which of them there are decides what the span's give way to.
    pub(crate) fn encode<S>(
        &self,
        event: &Event<'_>,
        around: &Around<'_, '_, S>,
        scratch: &mut Scratch,
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Scratch { line, fields, appended, log_record, second, callsites, view, at, .. } =
            scratch;
        let callsite = callsites.get(&self.callsites, event.metadata());
        line.clear();
        let now = self.clock.now();
        *at = micros_since_epoch(now);
        second.write(line, now);
        callsite.head.append_to(line);
        let mut visitor = Visitor::new(callsite, fields, line, log_record);
        event.record(&mut visitor);
        visitor.finish();

        let place = place(event, around, self.id, view);
        // The request outside, the span inside: what the request's last handle may run when it is
        // dropped, runs while nothing is borrowed.
        RequestContext::with_current(|request| {
            appended.clear();
            if let Some(request) = request {
                self.copy_appended(request, appended);
            }
            let rest = Rest { callsite, log_record, request, appended, fields };
            match place {
                Place::Outside => rest.write(None, line),
                Place::Apart => rest.write(Some(view), line),
                Place::Entered(layer) => entered::with(layer, |view| rest.write(view, line)),
            }
        });
    }

    /// Copies the fields that were appended to the request, as they stand in a line.
    fn copy_appended(&self, request: &RequestContext, appended: &mut Fields) {
        request.appended(|name, value| {
            appended.push_named(&key_name(name), |out| {
                if self.callsites.redactor().is_redacted(name) {
                    json::string(out, REDACTED);
                } else {
                    let start = out.len();
                    out.extend_from_slice(value);
                    self.callsites.redactor().redact_encoded(out, start);
                }
            });
        });
        // Their names differ, but what is written for `level` may be there as `fields.level`.
        appended.dedupe();
    }

    /// Cuts the encoded line to its size, of which the line feed is a part.
    #[inline]
    pub(crate) fn finish(&self, line: &mut Vec<u8>) {
        if line.len() >= self.max_line_bytes && limit::fit(line, self.max_line_bytes - 1) {
            health::count(health::Event::Trimmed);
        }
    }

    /// Hands a finished line to the lanes, which was recorded at `at`; `readable` is where it becomes text, if that is the format.
    pub(crate) fn push(&self, line: &[u8], at: u64, readable: &mut Vec<u8>) {
        if let Some(beside) = &self.beside {
            beside.push(line.len() + 1, |lines| lines.push(line));
        }
        let line = self.formatted(line, readable);
        // A line feed is added. Whether there was room is counted by the lane.
        self.lane.push_at(line.len() + 1, at, |lines| lines.push(line));
    }

    /// The finished line in the logger's format.
    pub(crate) fn formatted<'l>(&self, line: &'l [u8], readable: &'l mut Vec<u8>) -> &'l [u8] {
        match self.format {
            Format::Json => line,
            Format::Text => {
                text::render(line, readable, self.colors);
                readable
            }
        }
    }
}

/// Which span an event is in.
enum Place {
    Outside,
    /// The innermost that the thread has entered, of this layer's; what lines take from it is kept.
    Entered(u64),
    /// Another one, of which the line takes what was read into the view at hand.
    Apart,
}

fn place<S>(event: &Event<'_>, around: &Around<'_, '_, S>, logger: u64, view: &mut View) -> Place
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let (layer, context) = match around {
        Around::Nowhere => return Place::Outside,
        Around::Span(span) => {
            view.read(span, logger);
            return Place::Apart;
        }
        Around::Told { layer, context } => (layer, context),
    };
    if event.is_contextual() {
        match entered::current(*layer) {
            Current::Fresh => return Place::Entered(*layer),
            Current::Stale(id) => {
                let Some(span) = context.span(&id) else { return Place::Outside };
                view.read(&span, logger);
                drop(span);
                entered::keep(*layer, &id, view);
                return Place::Entered(*layer);
            }
            Current::Unknown => {}
        }
    }
    let Some(span) = context.event_span(event) else { return Place::Outside };
    view.read(&span, logger);
    Place::Apart
}

/// What comes after the message.
struct Rest<'a> {
    callsite: &'a Callsite,
    log_record: &'a LogRecord,
    request: Option<&'a RequestContext>,
    appended: &'a Fields,
    fields: &'a Fields,
}

impl Rest<'_> {
    fn write(&self, view: Option<&View>, line: &mut Vec<u8>) {
        let Self { callsite, log_record, request, appended, fields } = *self;
        let spans = view.map_or(&NONE, |view| &view.fields);
        // At once: most of what comes is known.
        line.reserve(
            callsite.origin_and_tail.len() + fields.bytes().len() + spans.bytes().len() + ROOM,
        );
        if view.is_none() && !callsite.is_log_record {
            line.extend_from_slice(&callsite.origin_and_tail);
        } else {
            write_origin(line, callsite, log_record, view.map(|view| &*view.function));
        }
        if let Some(request) = request {
            request.write_log_fields(&mut Object::resume(line, false));
        }
        match view {
            Some(view) if !view.ids.is_empty() => line.extend_from_slice(&view.ids),
            _ => write_request_trace(line, request),
        }
        appended.write_without(&[fields, spans], line);
        spans.write_without(&[fields], line);
        line.extend_from_slice(fields.bytes());
        line.push(b'}');
    }
}

/// Enough for the request's ids and the trace's.
const ROOM: usize = 512;

/// Writes `logger`, `module`, `function`, `line`, `service` and `environment`.
fn write_origin(
    line: &mut Vec<u8>,
    callsite: &Callsite,
    log_record: &LogRecord,
    function: Option<&[u8]>,
) {
    line.extend_from_slice(callsite.origin());
    if callsite.is_log_record {
        for (key, value) in
            [(&br#","logger":"#[..], &log_record.target), (br#","module":"#, &log_record.module)]
        {
            if !value.is_empty() {
                line.extend_from_slice(key);
                line.extend_from_slice(value);
            }
        }
    }
    if let Some(function) = function {
        line.extend_from_slice(function);
    }
    if callsite.is_log_record && !log_record.line.is_empty() {
        line.extend_from_slice(br#","line":"#);
        line.extend_from_slice(&log_record.line);
    }
    line.extend_from_slice(callsite.tail());
}

/// Writes the ids of the trace that the request continues, where the span has none.
fn write_request_trace(line: &mut Vec<u8>, request: Option<&RequestContext>) {
    let Some(request) = request else { return };
    if let Some(parent) = request.trace() {
        write_ids(line, parent.trace_id, parent.parent_id);
    } else if let Some(id) = request.xray_trace_id() {
        member(line, "xray_trace_id", id);
    }
}

/// Writes `trace_id`, `span_id` and `xray_trace_id`.
pub(crate) fn write_ids(line: &mut Vec<u8>, trace: TraceId, span: Option<SpanId>) {
    let mut hex = [0; 32];
    write_hex(&mut hex, trace.to_u128());
    line.extend_from_slice(br#","trace_id":""#);
    line.extend_from_slice(&hex);
    line.push(b'"');
    if let Some(span) = span {
        let mut hex = [0; 16];
        write_hex(&mut hex, u128::from(span.to_u64()));
        line.extend_from_slice(br#","span_id":""#);
        line.extend_from_slice(&hex);
        line.push(b'"');
    }
    // X-Ray's form has the same digits: `1-` 8 of them `-` the other 24.
    line.extend_from_slice(br#","xray_trace_id":"1-"#);
    line.extend_from_slice(&hex[..8]);
    line.push(b'-');
    line.extend_from_slice(&hex[8..]);
    line.push(b'"');
}

fn write_hex(out: &mut [u8], bits: u128) {
    for (place, digit) in out.iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(bits >> (4 * place) & 0xf) as usize];
    }
}
