//! One span as protobuf, within a limit.

use std::borrow::Cow;
use std::ops::Range;

use obs_core::Identity;
use obs_core::health::{self, Event};
use obs_core::redact::Redactor;

use super::any_value;
use super::translate::{ANNOTATIONS, AttributeValue, Told, Translated, translate};
use super::wire;
use crate::record::{SpanKind, SpanRecord};
use crate::xray::{SHORT_MESSAGE, first_characters, segment_name};

/// The fields of `Span`.
const TRACE_ID: u64 = 1;
const SPAN_ID: u64 = 2;
const PARENT_SPAN_ID: u64 = 4;
const NAME: u64 = 5;
const KIND: u64 = 6;
const START: u64 = 7;
const END: u64 = 8;
const ATTRIBUTES: u64 = 9;
const DROPPED_ATTRIBUTES: u64 = 10;
const EVENTS: u64 = 11;
const DROPPED_EVENTS: u64 = 12;
const STATUS: u64 = 15;
const FLAGS: u64 = 16;

/// Bits of `flags`: sampled, as the parent's trace context says it; and that it is known whether the
/// parent is remote, and that it is.
const SAMPLED: u32 = 1;
const HAS_IS_REMOTE: u32 = 1 << 8;
const IS_REMOTE: u32 = 1 << 9;
const STATUS_ERROR: u64 = 2;

/// The most characters of a name where X-Ray's own rules do not hold. Ours.
const MAX_NAME: usize = 1_000;
/// How many exceptions are kept of a span that is too large.
const FEW_EXCEPTIONS: usize = 5;

/// Writes spans; the buffers are reused.
#[derive(Debug)]
pub(crate) struct SpanEncoder {
    service: Identity,
    redactor: Redactor,
    /// Whether names are made such as X-Ray takes.
    for_xray: bool,
    parts: Parts,
}

/// What of a span may be left out, encoded.
#[derive(Debug, Default)]
struct Parts {
    attributes: Vec<u8>,
    places: Vec<Place>,
    events: Vec<u8>,
}

/// Where an attribute stands among the encoded ones.
#[derive(Debug)]
struct Place {
    range: Range<usize>,
    /// Kept as long as there are others to leave out.
    is_needed: bool,
    is_left_out: bool,
}

impl SpanEncoder {
    pub(crate) fn new(service: Identity, redactor: Redactor, for_xray: bool) -> Self {
        Self { service, redactor, for_xray, parts: Parts::default() }
    }

    /// Replaces what is in `out` with the members of a `Span`, of at most `limit` bytes, which is at
    /// least 6 KiB. What does not fit is left out, the largest attribute first, and counted in the
    /// span and in the process's health.
    pub(crate) fn encode(&mut self, record: &SpanRecord, limit: usize, out: &mut Vec<u8>) {
        out.clear();
        let Self { service, redactor, parts, for_xray } = self;
        let translated = translate(record, service, redactor);
        let name = name(&record.name, *for_xray);
        write_head(record, &name, &translated, out);
        parts.write_attributes(&translated);
        parts.write_events(record, &translated.exceptions, usize::MAX);

        let (mut dropped_events, mut message) = (0, usize::MAX);
        let room = |out: &Vec<u8>, message: usize| {
            // Status, and the two counts of what was left out.
            let status =
                translated.error.as_ref().map_or(0, |it| it.len().min(message.saturating_mul(4)));
            limit.saturating_sub(out.len() + status + 32)
        };
        let mut left_out = parts.leave_out_largest(room(out, message), false);
        if parts.bytes() > room(out, message) {
            message = SHORT_MESSAGE;
            let few = translated.exceptions.len().min(FEW_EXCEPTIONS);
            dropped_events = translated.exceptions.len() - few;
            parts.write_events(record, &translated.exceptions[..few], message);
            left_out += 1 + parts.leave_out_largest(room(out, message), true);
        }
        if parts.bytes() > room(out, message) {
            dropped_events = translated.exceptions.len();
            parts.events.clear();
        }

        parts.write(out);
        let dropped = left_out + translated.left_out as usize;
        if dropped > 0 {
            wire::uint(out, DROPPED_ATTRIBUTES, dropped as u64);
        }
        if dropped_events > 0 {
            wire::uint(out, DROPPED_EVENTS, dropped_events as u64);
        }
        if let Some(error) = &translated.error {
            wire::message(out, STATUS, |out| {
                wire::string(out, 2, first_characters(error, message));
                wire::uint(out, 3, STATUS_ERROR);
            });
        }
        let lost = dropped + dropped_events;
        if lost > 0 {
            health::count_by(Event::Trimmed, lost as u64);
        }
    }
}

/// As OTLP numbers the kinds.
const fn number(kind: SpanKind) -> u64 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn write_head(record: &SpanRecord, name: &str, translated: &Translated<'_>, out: &mut Vec<u8>) {
    wire::bytes(out, TRACE_ID, &record.trace_id.to_u128().to_be_bytes());
    wire::bytes(out, SPAN_ID, &record.span_id.to_u64().to_be_bytes());
    let mut flags = SAMPLED | HAS_IS_REMOTE;
    if let Some(parent_id) = record.parent_id {
        wire::bytes(out, PARENT_SPAN_ID, &parent_id.to_u64().to_be_bytes());
        flags |= if translated.has_remote_parent { IS_REMOTE } else { 0 };
    }
    wire::string(out, NAME, name);
    wire::uint(out, KIND, number(translated.kind));
    wire::fixed64(out, START, record.start);
    wire::fixed64(out, END, record.end.max(record.start));
    wire::fixed32(out, FLAGS, flags);
}

fn name(name: &str, for_xray: bool) -> Cow<'_, str> {
    if for_xray || name.trim().is_empty() {
        segment_name(name)
    } else {
        first_characters(name, MAX_NAME).into()
    }
}

impl Parts {
    fn write_attributes(&mut self, translated: &Translated<'_>) {
        self.attributes.clear();
        self.places.clear();
        for attribute in &translated.attributes {
            let start = self.attributes.len();
            wire::message(&mut self.attributes, ATTRIBUTES, |out| {
                any_value::attribute(out, &attribute.key, &attribute.value);
            });
            let is_needed = matches!(attribute.key.as_ref(), "status" | "error_type" | ANNOTATIONS)
                // An annotation is short, and what traces are found by.
                || !matches!(attribute.value, AttributeValue::Json(_))
                    && self.attributes.len() - start < 64;
            self.places.push(Place {
                range: start..self.attributes.len(),
                is_needed,
                is_left_out: false,
            });
        }
    }

    /// An event named `exception` for each, as OpenTelemetry's semantic conventions have it.
    fn write_events(&mut self, record: &SpanRecord, exceptions: &[Told<'_>], message: usize) {
        self.events.clear();
        for exception in exceptions {
            wire::message(&mut self.events, EVENTS, |out| {
                wire::fixed64(out, 1, record.end.max(record.start));
                wire::string(out, 2, "exception");
                let mut text = |key: &str, text: &str| {
                    wire::message(out, 3, |out| {
                        any_value::attribute(out, key, &AttributeValue::Text(text.into()));
                    });
                };
                text("exception.type", first_characters(exception.error_type, message));
                text("exception.message", first_characters(&exception.message, message));
            });
        }
    }

    /// Leaves out attributes, the largest first, until all that is kept has at most `room` bytes;
    /// those that are needed only where there is nothing else. Says how many.
    fn leave_out_largest(&mut self, room: usize, with_needed: bool) -> usize {
        let mut left_out = 0;
        let mut bytes = self.bytes();
        if bytes <= room {
            return 0;
        }
        let mut order: Vec<usize> = (0..self.places.len()).collect();
        // Of those of one size the later one goes first.
        order.sort_by_key(|index| {
            let place = &self.places[*index];
            (place.is_needed, std::cmp::Reverse((place.range.len(), *index)))
        });
        for index in order {
            let place = &mut self.places[index];
            if bytes <= room || place.is_needed && !with_needed {
                break;
            }
            if !place.is_left_out {
                place.is_left_out = true;
                bytes -= place.range.len();
                left_out += 1;
            }
        }
        left_out
    }

    fn write(&self, out: &mut Vec<u8>) {
        for place in self.places.iter().filter(|place| !place.is_left_out) {
            out.extend_from_slice(&self.attributes[place.range.clone()]);
        }
        out.extend_from_slice(&self.events);
    }

    fn bytes(&self) -> usize {
        let kept = self.places.iter().filter(|place| !place.is_left_out);
        self.events.len() + kept.map(|place| place.range.len()).sum::<usize>()
    }
}

#[cfg(test)]
#[path = "span_tests.rs"]
mod tests;
