//! Encodes one event into its line.

use obs_core::RequestContext;
use obs_core::clock::millis_since_epoch;
use obs_core::health;
use obs_core::ids::{SpanId, SpanIds, TraceId};
use obs_core::json::{self, Object};
use obs_core::redact::REDACTED;
use tracing_core::Event;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::callsite::{Callsite, key_name, member};
use crate::fields::Fields;
use crate::format::Format;
use crate::layer::Core;
use crate::scratch::Scratch;
use crate::span;
use crate::visitor::{LogRecord, Visitor};
use crate::{limit, text};

impl Core {
    /// Encodes the event's line.
    ///
    /// The event's fields are encoded before the span's are copied: they are the application's code,
    /// which must run under no lock, and which of them there are decides what the span's give way to.
    pub(crate) fn encode<'a, S: LookupSpan<'a>>(
        &self,
        event: &Event<'_>,
        span: Option<&SpanRef<'a, S>>,
        scratch: &mut Scratch,
    ) {
        let Scratch { line, fields, appended, log_record, second, callsites, .. } = scratch;
        let callsite = callsites.get(&self.callsites, event.metadata());
        line.clear();
        second.write(line, millis_since_epoch(self.clock.now()));
        line.extend_from_slice(&callsite.head);
        let mut visitor = Visitor::new(callsite, fields, line, log_record);
        event.record(&mut visitor);
        visitor.finish();

        write_origin(line, callsite, log_record, span.map(SpanRef::name));
        // The request outside, the span's lock inside: what the request's last handle may run when
        // it is dropped, runs under no lock.
        RequestContext::with_current(|request| {
            appended.clear();
            if let Some(request) = request {
                self.copy_appended(request, appended);
                request.write_log_fields(&mut Object::resume(line, false));
            }
            let seen = span.and_then(|span| {
                span::view(span, self.id, |view| {
                    write_trace(line, view.ids, request);
                    appended.write_without(&[fields, view.fields], line);
                    view.fields.write_without(&[fields], line);
                })
            });
            if seen.is_none() {
                write_trace(line, None, request);
                appended.write_without(&[fields], line);
            }
        });
        line.extend_from_slice(fields.bytes());
        line.push(b'}');
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

    /// Cuts the encoded line to its size.
    pub(crate) fn finish(&self, line: &mut Vec<u8>) {
        if limit::fit(line, self.max_line_bytes) {
            health::count(health::Event::Trimmed);
        }
    }

    /// Hands a finished line to the lanes; `readable` is where it becomes text, if that is the format.
    pub(crate) fn push(&self, line: &[u8], readable: &mut Vec<u8>) {
        if let Some(beside) = &self.beside {
            beside.push(line.len() + 1, |lines| lines.push(line));
        }
        let line = self.formatted(line, readable);
        // A line feed is added. Whether there was room is counted by the lane.
        self.lane.push(line.len() + 1, |lines| lines.push(line));
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

/// Writes `logger`, `module`, `function`, `line`, `service` and `environment`.
fn write_origin(
    line: &mut Vec<u8>,
    callsite: &Callsite,
    log_record: &LogRecord,
    function: Option<&str>,
) {
    line.extend_from_slice(&callsite.origin);
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
        line.extend_from_slice(br#","function":"#);
        json::string(line, function);
    }
    if !log_record.line.is_empty() {
        line.extend_from_slice(br#","line":"#);
        line.extend_from_slice(&log_record.line);
    }
    line.extend_from_slice(&callsite.tail);
}

/// Writes the ids of the span's trace, else of the trace that the request continues.
fn write_trace(line: &mut Vec<u8>, ids: Option<SpanIds>, request: Option<&RequestContext>) {
    if let Some(ids) = ids {
        write_ids(line, ids.trace_id, Some(ids.span_id));
    } else if let Some(parent) = request.and_then(RequestContext::trace) {
        write_ids(line, parent.trace_id, parent.parent_id);
    } else if let Some(id) = request.and_then(RequestContext::xray_trace_id) {
        member(line, "xray_trace_id", id);
    }
}

fn write_ids(line: &mut Vec<u8>, trace: TraceId, span: Option<SpanId>) {
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
