//! What an event has been told so far, in buffers that are used again.
//!
//! While the event follows a known shape, only values are kept, in the order of the calls. Once it
//! leaves the shapes, what came so far becomes [`Parts`], and so does what comes after.

use std::ops::Range;

use obs_core::ids::SpanIds;
use obs_core::{Redactor, RequestContext};

use super::parts::Parts;
use super::shape::{Follow, What};
use crate::limits;
use crate::names;
use crate::property::{self, PropertyValue, Stored, Value};
use crate::stats::Counters;
use crate::unit::{Resolution, Unit};

/// Bytes that a message may have.
const MESSAGE_BYTES: usize = 8 * 1024;
/// Memory that a state keeps for the next event.
const KEPT_BYTES: usize = 16 * 1024;

/// The texts of all parts stand one after the other in `text`; the parts hold their places.
#[derive(Debug, Default)]
pub(super) struct State {
    text: String,
    message: Option<Range<usize>>,
    pub(super) timestamp_millis: Option<u64>,
    /// The shape that the calls so far have followed.
    pub(super) follow: Option<Follow>,
    /// The values of the calls so far, while a shape is followed.
    values: Vec<Stored>,
    pub(super) parts: Parts,
    /// Values that came and are not counted yet.
    came: u64,
    /// Nothing of the collector's dimensions; always a document of its own.
    pub(super) is_single: bool,
    pub(super) scratch: Scratch,
    /// Where the work began: it may end on a thread that knows nothing of the request.
    pub(super) context: Option<RequestContext>,
    pub(super) span: Option<SpanIds>,
}

/// Where an emission puts what it encodes before the document.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Level, message, ids.
    pub(super) head: Vec<u8>,
    /// Properties.
    pub(super) members: Vec<u8>,
}

impl State {
    /// Begins an event of this collector.
    pub(super) fn begin(&mut self, collector: u64) {
        let again = self.follow.take().and_then(|follow| follow.again(collector));
        self.follow = again.or_else(|| Follow::begin(collector));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.parts.is_empty() && self.message.is_none()
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.message = None;
        self.timestamp_millis = None;
        self.values.clear();
        // While a shape is followed, there are none.
        if self.follow.is_none() {
            self.parts.clear();
        }
        self.is_single = false;
    }

    /// Whether its memory is of an ordinary event's size.
    pub(super) fn is_worth_keeping(&self) -> bool {
        self.text.capacity() + self.scratch.members.capacity() <= KEPT_BYTES
            && self.parts.is_worth_keeping()
    }

    /// How many values came since it was last asked.
    pub(super) fn take_came(&mut self) -> u64 {
        std::mem::take(&mut self.came)
    }

    pub(super) fn dimension(&mut self, name: &str, value: &str, counters: &Counters) {
        if names::is_plain_dimension_value(value) && self.follows(What::Dimension, name).is_some() {
            let value = append(&mut self.text, value);
            self.values.push(Stored::Text(value));
        } else {
            self.leave();
            self.parts.dimension(&mut self.text, name, value, counters);
        }
    }

    pub(super) fn put(
        &mut self,
        name: &str,
        value: f64,
        unit: Unit,
        resolution: Resolution,
        counters: &Counters,
    ) {
        self.came += 1;
        if !limits::takes_value(value) {
            counters.value_out_of_range();
        } else if self.follows(What::Metric(unit, resolution), name).is_some() {
            self.values.push(Stored::Float(value));
        } else {
            self.leave();
            self.parts.put(&mut self.text, name, value, (unit, resolution), counters);
        }
    }

    pub(super) fn property(
        &mut self,
        name: &str,
        value: PropertyValue<'_>,
        redactor: &Redactor,
        counters: &Counters,
    ) {
        if let Some(redacted) = self.follows(What::Property, name) {
            let value = stored(&mut self.text, value, redacted, redactor);
            self.values.push(value);
        } else {
            self.leave();
            let redacted = redactor.is_redacted(name);
            let value = stored(&mut self.text, value, redacted, redactor);
            self.parts.property(&mut self.text, name, value, counters);
        }
    }

    /// A further set of dimensions under which the metrics appear too.
    pub(super) fn dimension_set(&mut self, names: &[&str]) {
        self.leave();
        self.parts.dimension_set(names);
    }

    pub(super) fn message(&mut self, message: &str, redactor: &Redactor, counters: &Counters) {
        // Before it is cut: half a secret is not noticed.
        let message = redactor.redact(message);
        let short = property::cut(&message, MESSAGE_BYTES).unwrap_or_default();
        if short.len() != message.len() {
            counters.trimmed();
        }
        self.message = Some(append(&mut self.text, &short));
    }

    pub(super) fn message_text(&self) -> Option<&str> {
        self.message.clone().map(|message| &self.text[message])
    }

    /// Whether nothing but a conflict of names keeps it from being a part of its invocation's document.
    pub(super) fn may_join(&self) -> bool {
        !self.is_single && self.message.is_none() && self.timestamp_millis.is_none()
    }

    /// Whether the calls that came are those of a known shape, all of them.
    pub(super) fn follows_to_the_end(&mut self) -> bool {
        !self.is_single && self.follow.as_mut().is_some_and(Follow::is_complete)
    }

    /// The values, in the order of the shape's calls.
    pub(super) fn value(&self, call: usize) -> Option<&Stored> {
        self.values.get(call)
    }

    pub(super) fn text(&self, place: &Range<usize>) -> &str {
        &self.text[place.clone()]
    }

    /// Follows one call further; returns whether its value is redacted, `None` where it is new.
    #[inline]
    fn follows(&mut self, what: What, name: &str) -> Option<bool> {
        self.follow.as_mut()?.next(what, name)
    }

    /// Leaves the shapes: what came so far is looked at name by name from now on.
    pub(super) fn leave(&mut self) {
        let Some(follow) = self.follow.take() else { return };
        for ((what, name), value) in follow.calls().zip(self.values.drain(..)) {
            self.parts.replay(&mut self.text, what, name, value);
        }
    }
}

pub(super) fn append(text: &mut String, part: &str) -> Range<usize> {
    let start = text.len();
    text.push_str(part);
    start..text.len()
}

/// In place: what was written in parts and is moved as a whole waits for them.
#[inline(always)]
fn stored(
    text: &mut String,
    value: PropertyValue<'_>,
    redacted: bool,
    redactor: &Redactor,
) -> Stored {
    match value.0 {
        _ if redacted => Stored::Redacted,
        Value::Text(value) if redactor.scans_text() => {
            Stored::Text(append(text, &redactor.redact(&value)))
        }
        Value::Text(value) => Stored::Text(append(text, &value)),
        Value::Unsigned(n) => Stored::Unsigned(n),
        Value::Signed(n) => Stored::Signed(n),
        Value::Float(n) => Stored::Float(n),
        Value::Bool(b) => Stored::Bool(b),
    }
}

// What is read of an event that has left the shapes.
impl State {
    pub(super) fn dimensions(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.parts.dimensions(&self.text)
    }

    pub(super) fn metrics(
        &self,
    ) -> impl ExactSizeIterator<Item = super::parts::Metric<'_>> + Clone {
        self.parts.metrics(&self.text)
    }

    pub(super) fn properties(&self) -> impl Iterator<Item = (&str, &Stored)> + Clone {
        self.parts.properties(&self.text)
    }

    /// The calls in their order.
    pub(super) fn calls(&self) -> impl Iterator<Item = (What, &str)> + Clone {
        self.parts.calls(&self.text)
    }
}
