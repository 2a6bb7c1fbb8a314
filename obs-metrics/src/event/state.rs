//! What an event has been told so far, in buffers that are used again.

use std::ops::Range;

use obs_core::Redactor;

use crate::dimensions;
use crate::distribution::Distribution;
use crate::limits;
use crate::names;
use crate::property::{self, PropertyValue, Stored, Value};
use crate::series::mix;
use crate::stats::Counters;
use crate::unit::Unit;

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
    /// Valid names and values; each name once.
    dimensions: Vec<(Range<usize>, Range<usize>)>,
    /// The first `used` are this event's; the others wait with their memory for the next one.
    metrics: Vec<Put>,
    used: usize,
    /// Valid names, each once.
    properties: Vec<Property>,
    /// Whether one name has two units: then one document cannot hold it.
    pub(super) mixed_units: bool,
    pub(super) scratch: Scratch,
}

/// Where an emission puts what it encodes before the document.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Level, message, ids.
    pub(super) head: Vec<u8>,
    /// Properties.
    pub(super) members: Vec<u8>,
}

#[derive(Debug)]
struct Put {
    name: Range<usize>,
    /// Compared before the names are: most events have few metrics, some have hundreds.
    hash: u64,
    unit: Unit,
    values: Distribution,
}

#[derive(Debug)]
struct Property {
    name: Range<usize>,
    hash: u64,
    value: Stored,
}

impl State {
    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
            && self.dimensions.is_empty()
            && self.properties.is_empty()
            && self.message.is_none()
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.message = None;
        self.timestamp_millis = None;
        self.dimensions.clear();
        for put in self.metrics.iter_mut().take(self.used) {
            put.values.clear();
        }
        self.used = 0;
        self.properties.clear();
        self.mixed_units = false;
    }

    /// Whether its memory is of an ordinary event's size.
    pub(super) fn is_worth_keeping(&self) -> bool {
        self.text.capacity() + self.scratch.members.capacity() <= KEPT_BYTES
            && self.metrics.len() <= limits::METRICS_PER_DOCUMENT
    }

    pub(super) fn dimension(&mut self, name: &str, value: &str, counters: &Counters) {
        let Some((name, value)) = dimensions::valid_pair(name, value, counters) else { return };
        let value = append(&mut self.text, &value);
        let known = self.dimensions.iter_mut().find(|(known, _)| self.text[known.clone()] == *name);
        match known {
            Some((_, old)) => *old = value,
            None => {
                let name = append(&mut self.text, &name);
                self.dimensions.push((name, value));
            }
        }
    }

    pub(super) fn put(&mut self, name: &str, value: f64, unit: Unit, counters: &Counters) {
        counters.value();
        if !limits::takes_value(value) {
            counters.value_out_of_range();
            return;
        }
        let Some(valid) = names::metric_name(name) else {
            counters.value_without_name();
            return;
        };
        if *valid != *name {
            counters.repaired();
        }
        let hash = mix(0, valid.as_bytes());
        for put in self.metrics.iter_mut().take(self.used) {
            if put.hash == hash && self.text[put.name.clone()] == *valid {
                if put.unit == unit {
                    put.values.record(value);
                    return;
                }
                self.mixed_units = true;
            }
        }
        let name = append(&mut self.text, &valid);
        match self.metrics.get_mut(self.used) {
            Some(put) => {
                (put.name, put.hash, put.unit) = (name, hash, unit);
                put.values.record(value);
            }
            None => {
                let mut values = Distribution::default();
                values.record(value);
                self.metrics.push(Put { name, hash, unit, values });
            }
        }
        self.used += 1;
    }

    pub(super) fn property(
        &mut self,
        name: &str,
        value: PropertyValue<'_>,
        redactor: &Redactor,
        counters: &Counters,
    ) {
        let Some(valid) = names::property_name(name) else {
            counters.blank_property();
            return;
        };
        if *valid != *name {
            counters.repaired();
        }
        let value = match value.0 {
            _ if redactor.is_redacted(name) => Stored::Redacted,
            Value::Text(text) => Stored::Text(append(&mut self.text, &text)),
            Value::Unsigned(n) => Stored::Unsigned(n),
            Value::Signed(n) => Stored::Signed(n),
            Value::Float(n) => Stored::Float(n),
            Value::Bool(b) => Stored::Bool(b),
        };
        let hash = mix(0, valid.as_bytes());
        let known = self
            .properties
            .iter_mut()
            .find(|known| known.hash == hash && self.text[known.name.clone()] == *valid);
        match known {
            Some(known) => known.value = value,
            None => {
                let name = append(&mut self.text, &valid);
                self.properties.push(Property { name, hash, value });
            }
        }
    }

    pub(super) fn message(&mut self, message: &str, counters: &Counters) {
        let short = property::cut(message, MESSAGE_BYTES).unwrap_or_default();
        if short.len() != message.len() {
            counters.trimmed();
        }
        self.message = Some(append(&mut self.text, &short));
    }

    pub(super) fn message_text(&self) -> Option<&str> {
        self.message.clone().map(|message| &self.text[message])
    }

    pub(super) fn dimensions(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.dimensions
            .iter()
            .map(|(name, value)| (&self.text[name.clone()], &self.text[value.clone()]))
    }

    pub(super) fn metrics(
        &self,
    ) -> impl ExactSizeIterator<Item = (&str, Unit, &Distribution)> + Clone {
        self.metrics
            .iter()
            .take(self.used)
            .map(|put| (&self.text[put.name.clone()], put.unit, &put.values))
    }

    pub(super) fn properties(&self) -> impl Iterator<Item = (&str, &Stored)> + Clone {
        self.properties.iter().map(|known| (&self.text[known.name.clone()], &known.value))
    }

    pub(super) fn text(&self, place: &Range<usize>) -> &str {
        &self.text[place.clone()]
    }
}

fn append(text: &mut String, part: &str) -> Range<usize> {
    let start = text.len();
    text.push_str(part);
    start..text.len()
}
