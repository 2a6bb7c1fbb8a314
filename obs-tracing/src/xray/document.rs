//! A record as an X-Ray segment document, in the daemon's datagram.
//!
//! Each span is a document of its own: a part of a trace is sent as `type: subsegment` with the ids
//! of its trace and its parent, which X-Ray joins, instead of nested in its segment. So a span
//! leaves the process as soon as it has ended, a trace of any size needs no memory and no splitting,
//! a lost datagram costs one span, and a span that outlives its parent is not lost.

use obs_core::Identity;
use obs_core::health::{self, Event};
use obs_core::json::{self, Object};
use obs_core::redact::{REDACTED, Redactor};

use super::aws;
use super::name::segment_name;
use super::plan::{Annotation, Fallback, OWN_NAMESPACE, Plan};
use super::scrub::scrub;
use crate::record::{Kind, SpanRecord};
use crate::resource::Resource;
use crate::udp::HEADER;
use crate::value::{self, Value};

/// How much is kept of the name of an error's type, in characters.
const MAX_TYPE: usize = 200;
/// How much is kept of the service's version, in characters.
const MAX_VERSION: usize = 200;

/// Writes documents; the buffers are reused.
pub(crate) struct Encoder {
    service: Identity,
    version: Option<String>,
    /// What the service runs on.
    resource: Resource,
    redactor: Redactor,
    scratch: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new(
        service: Identity,
        version: Option<String>,
        resource: Resource,
        redactor: Redactor,
    ) -> Self {
        Self { service, version, resource, redactor, scratch: Vec::new() }
    }

    /// More has become known of what the service runs on.
    pub(crate) fn runs_on(&mut self, resource: &Resource) {
        self.resource = resource.clone();
    }

    /// Replaces what is in `out` with the datagram of `record`: the header and a valid document, of
    /// at most `limit` bytes in all. What does not fit is left out, the largest metadata first, and counted
    /// in the document and in the process's health.
    pub(crate) fn encode(&mut self, record: &SpanRecord, limit: usize, out: &mut Vec<u8>) {
        let mut plan = Plan::new(record, &self.service);
        let mut fallbacks = Fallback::ALL.iter();
        loop {
            self.write(record, &plan, out);
            if out.len() <= limit {
                break;
            }
            let excess = out.len() - limit;
            if !plan.drop_largest_metadata(excess, &mut self.scratch) {
                match fallbacks.next() {
                    Some(fallback) => plan.fall_back(*fallback),
                    // Ids, times and a name of 200 characters: far below any limit.
                    None => break,
                }
            }
        }
        if plan.left_out > 0 {
            health::count_by(Event::Trimmed, u64::from(plan.left_out));
        }
    }

    fn write(&self, record: &SpanRecord, plan: &Plan<'_>, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(HEADER);
        let mut document = Object::begin(out);
        document
            .str("name", &segment_name(&record.name))
            .display("id", record.span_id)
            .display("trace_id", record.trace_id.xray());
        if let Some(parent_id) = record.parent_id {
            document.display("parent_id", parent_id);
        }
        if record.kind != Kind::Segment {
            document.str("type", "subsegment");
        }
        seconds(document.key("start_time"), record.start);
        seconds(document.key("end_time"), record.end.max(record.start));
        if let Some(namespace) = record.namespace() {
            document.str("namespace", namespace);
        }
        for flag in record.flags() {
            document.bool(flag, true);
        }
        self.write_cause(record, plan, &mut document);
        self.write_annotations(record, plan, &mut document);
        self.write_metadata(plan, &mut document);
        if record.kind == Kind::Segment {
            if let Some(version) = &self.version {
                let version = first_characters(version, MAX_VERSION);
                document.object("service").with_str("version", version).end();
            }
            if let Some(origin) = aws::origin(&self.resource) {
                document.str("origin", origin);
            }
            let mut block = document.object("aws");
            aws::write(&self.resource, &mut block);
            block.end();
        }
        document.end();
    }

    fn write_cause(&self, record: &SpanRecord, plan: &Plan<'_>, document: &mut Object<'_>) {
        let exceptions = &record.exceptions[..record.exceptions.len().min(plan.max_exceptions)];
        if exceptions.is_empty() {
            return;
        }
        let mut cause = document.object("cause");
        let mut list = cause.array("exceptions");
        for (index, exception) in exceptions.iter().enumerate() {
            // Before it is cut: half a secret is not noticed.
            let message = self.redactor.redact(&exception.message);
            let mut object = list.object();
            object
                .display("id", exception_id(record, index))
                .str("type", first_characters(&exception.error_type, MAX_TYPE))
                .str("message", first_characters(&message, plan.max_message));
            if exception.has_cause && index + 1 < exceptions.len() {
                object.display("cause", exception_id(record, index + 1));
            }
            object.end();
        }
        list.end();
        cause.end();
    }

    fn write_annotations(&self, record: &SpanRecord, plan: &Plan<'_>, document: &mut Object<'_>) {
        if record.status.is_none() && record.error_type.is_none() && plan.annotations.is_empty() {
            return;
        }
        let mut object = document.object("annotations");
        if let Some(status) = record.status {
            object.str("status", status.as_str());
        }
        if let Some(error_type) = &record.error_type {
            object.str("error_type", first_characters(error_type, MAX_TYPE));
        }
        for Annotation { key, value, .. } in &plan.annotations {
            if self.redactor.is_redacted(key) {
                object.str(key, REDACTED);
            } else {
                self.write_annotation(object.key(key), value, plan.max_annotation_text);
            }
        }
        object.end();
    }

    /// Annotations are text, numbers and booleans; what is structured becomes text.
    fn write_annotation(&self, out: &mut Vec<u8>, value: &Value, max_text: usize) {
        match &value.0 {
            value::Kind::Text(text) => {
                json::string(out, first_characters(&self.redactor.redact(text), max_text));
            }
            value::Kind::Json(bytes) => {
                let mut text = Vec::new();
                scrub(bytes, &self.redactor, &mut text);
                let text = String::from_utf8_lossy(&text);
                json::string(out, first_characters(&self.redactor.redact(&text), max_text));
            }
            _ => value.write(out),
        }
    }

    fn write_metadata(&self, plan: &Plan<'_>, document: &mut Object<'_>) {
        let kept = || plan.metadata.iter().filter(|entry| !entry.left_out);
        if plan.left_out == 0 && kept().next().is_none() {
            return;
        }
        let mut metadata = document.object("metadata");
        for namespace in &plan.namespaces {
            let mut entries = kept().filter(|entry| entry.namespace == *namespace).peekable();
            if entries.peek().is_none() {
                continue;
            }
            let mut object = metadata.object(namespace);
            for entry in entries {
                if self.redactor.is_redacted(&entry.key) {
                    object.str(&entry.key, REDACTED);
                } else if let value::Kind::Json(bytes) = &entry.value.0 {
                    scrub(bytes, &self.redactor, object.key(&entry.key));
                } else {
                    let out = object.key(&entry.key);
                    let start = out.len();
                    entry.value.write(out);
                    self.redactor.redact_encoded(out, start);
                }
            }
            object.end();
        }
        if plan.left_out > 0 {
            let mut own = metadata.object(OWN_NAMESPACE);
            own.u64("left_out", u64::from(plan.left_out));
            own.end();
        }
        metadata.end();
    }
}

/// `Object`'s methods for a chain that ends the object.
trait With: Sized {
    fn with_str(self, key: &str, value: &str) -> Self;
}

impl With for Object<'_> {
    fn with_str(mut self, key: &str, value: &str) -> Self {
        self.str(key, value);
        self
    }
}

/// X-Ray's time: seconds since the epoch, here with microseconds.
fn seconds(out: &mut Vec<u8>, nanos: u64) {
    json::uint(out, nanos / 1_000_000_000);
    let mut micros = nanos / 1_000 % 1_000_000;
    let mut fraction = *b".000000";
    for digit in fraction[1..].iter_mut().rev() {
        let value = (micros % 10) as u8;
        *digit += value;
        micros /= 10;
    }
    out.extend_from_slice(&fraction);
}

/// An exception's id, unique within its document: the span's id, rotated, and its place in the list.
fn exception_id(record: &SpanRecord, index: usize) -> impl std::fmt::Display {
    let id = record.span_id.to_u64().rotate_left(32) ^ (index as u64 + 1);
    std::fmt::from_fn(move |f| write!(f, "{id:016x}"))
}

pub(crate) fn first_characters(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    match text.char_indices().nth(max) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
