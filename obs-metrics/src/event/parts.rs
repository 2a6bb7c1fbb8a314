//! What an event was told, by kind: names are valid and each is there once.

use std::ops::Range;

use super::shape::What;
use super::state::append;
use crate::dimensions;
use crate::distribution::Distribution;
use crate::hash::mix;
use crate::limits;
use crate::names;
use crate::property::Stored;
use crate::series::Given;
use crate::stats::Counters;
use crate::unit::{Resolution, Unit};

/// The parts of an event. Their texts stand in the event's own text, which each method is given.
#[derive(Debug, Default)]
pub(super) struct Parts {
    dimensions: Vec<(Range<usize>, Range<usize>)>,
    /// The first `used` are this event's; the others wait with their memory for the next one.
    metrics: Vec<Put>,
    used: usize,
    properties: Vec<Property>,
    /// Further sets of dimensions, by name as they were given.
    pub(super) sets: Vec<Vec<Box<str>>>,
    /// Which part each call made, in their order.
    order: Vec<(Kind, usize)>,
    /// Whether a call did not make a part as it stands: such calls are no shape.
    changed: bool,
    /// Whether one name has two units or resolutions: then one document cannot hold it.
    pub(super) mixed_units: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Dimension,
    Metric,
    Property,
}

/// A metric of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric<'a> {
    pub(crate) name: &'a str,
    pub(crate) unit: Unit,
    pub(crate) resolution: Resolution,
    pub(crate) values: &'a Distribution,
}

impl<'a> Metric<'a> {
    /// The metric with these dimensions and further sets of them, as a series is given.
    pub(crate) fn given(
        &self,
        dimensions: &'a [(&'a str, &'a str)],
        sets: &'a [Vec<Box<str>>],
        is_single: bool,
    ) -> Given<'a> {
        let Self { name, unit, resolution, .. } = *self;
        Given { name, unit, resolution, dimensions, sets, is_single }
    }
}

#[derive(Debug)]
struct Put {
    name: Range<usize>,
    /// Compared before the names are: most events have few metrics, some have hundreds.
    hash: u64,
    unit: (Unit, Resolution),
    values: Distribution,
}

#[derive(Debug)]
struct Property {
    name: Range<usize>,
    hash: u64,
    value: Stored,
}

impl Parts {
    pub(super) fn is_empty(&self) -> bool {
        self.used == 0 && self.dimensions.is_empty() && self.properties.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.dimensions.clear();
        for put in self.metrics.iter_mut().take(self.used) {
            put.values.clear();
        }
        self.used = 0;
        self.properties.clear();
        self.sets.clear();
        self.order.clear();
        self.changed = false;
        self.mixed_units = false;
    }

    pub(super) fn is_worth_keeping(&self) -> bool {
        self.metrics.len() <= limits::METRICS_PER_DOCUMENT
    }

    pub(super) fn dimension(
        &mut self,
        text: &mut String,
        name: &str,
        value: &str,
        counters: &Counters,
    ) {
        let Some((valid, valid_value)) = dimensions::valid_pair(name, value, counters) else {
            self.changed = true;
            return;
        };
        self.changed |= *valid != *name;
        let value = append(text, &valid_value);
        match self.dimensions.iter_mut().find(|(known, _)| text[known.clone()] == *valid) {
            Some((_, old)) => {
                self.changed = true;
                *old = value;
            }
            None => {
                let name = append(text, &valid);
                self.add_dimension(name, value);
            }
        }
    }

    pub(super) fn put(
        &mut self,
        text: &mut String,
        name: &str,
        value: f64,
        unit: (Unit, Resolution),
        counters: &Counters,
    ) {
        let Some(valid) = names::metric_name(name) else {
            self.changed = true;
            counters.value_without_name();
            return;
        };
        if *valid != *name {
            self.changed = true;
            counters.repaired();
        }
        let hash = mix(0, valid.as_bytes());
        for put in self.metrics.iter_mut().take(self.used) {
            if put.hash == hash && text[put.name.clone()] == *valid {
                self.changed = true;
                if put.unit == unit {
                    put.values.record(value);
                    return;
                }
                self.mixed_units = true;
            }
        }
        let name = append(text, &valid);
        self.add_metric(name, hash, unit, value);
    }

    pub(super) fn property(
        &mut self,
        text: &mut String,
        name: &str,
        value: Stored,
        counters: &Counters,
    ) {
        let Some(valid) = names::property_name(name) else {
            self.changed = true;
            counters.blank_property();
            return;
        };
        if *valid != *name {
            self.changed = true;
            counters.repaired();
        }
        let hash = mix(0, valid.as_bytes());
        let known = self
            .properties
            .iter_mut()
            .find(|known| known.hash == hash && text[known.name.clone()] == *valid);
        match known {
            Some(known) => {
                self.changed = true;
                known.value = value;
            }
            None => {
                let name = append(text, &valid);
                self.add_property(name, hash, value);
            }
        }
    }

    pub(super) fn dimension_set(&mut self, names: &[&str]) {
        self.changed = true;
        let valid = |name: &&str| dimensions::name_in_set(name).into_boxed_str();
        self.sets.push(names.iter().map(valid).collect());
    }

    /// A call of a known shape: its name is valid, and new to this event.
    pub(super) fn replay(&mut self, text: &mut String, what: What, name: &str, value: Stored) {
        let hash = mix(0, name.as_bytes());
        let name = append(text, name);
        match (what, value) {
            (What::Dimension, Stored::Text(value)) => self.add_dimension(name, value),
            (What::Metric(unit, resolution), Stored::Float(value)) => {
                self.add_metric(name, hash, (unit, resolution), value);
            }
            (_, value) => self.add_property(name, hash, value),
        }
    }

    fn add_dimension(&mut self, name: Range<usize>, value: Range<usize>) {
        self.order.push((Kind::Dimension, self.dimensions.len()));
        self.dimensions.push((name, value));
    }

    fn add_metric(&mut self, name: Range<usize>, hash: u64, unit: (Unit, Resolution), value: f64) {
        self.order.push((Kind::Metric, self.used));
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

    fn add_property(&mut self, name: Range<usize>, hash: u64, value: Stored) {
        self.order.push((Kind::Property, self.properties.len()));
        self.properties.push(Property { name, hash, value });
    }

    /// Whether the calls make these parts as they stand, each one a part.
    pub(super) fn is_unchanged(&self) -> bool {
        !self.changed
    }

    pub(super) fn dimensions<'a>(
        &'a self,
        text: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
        self.dimensions.iter().map(|(name, value)| (&text[name.clone()], &text[value.clone()]))
    }

    pub(super) fn metrics<'a>(
        &'a self,
        text: &'a str,
    ) -> impl ExactSizeIterator<Item = Metric<'a>> + Clone {
        self.metrics.iter().take(self.used).map(|put| {
            let (unit, resolution) = put.unit;
            Metric { name: &text[put.name.clone()], unit, resolution, values: &put.values }
        })
    }

    pub(super) fn properties<'a>(
        &'a self,
        text: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Stored)> + Clone {
        self.properties.iter().map(|known| (&text[known.name.clone()], &known.value))
    }

    pub(super) fn calls<'a>(
        &'a self,
        text: &'a str,
    ) -> impl Iterator<Item = (What, &'a str)> + Clone {
        self.order.iter().filter_map(|(kind, n)| {
            let (what, name) = match kind {
                Kind::Dimension => (What::Dimension, &self.dimensions.get(*n)?.0),
                Kind::Property => (What::Property, &self.properties.get(*n)?.name),
                Kind::Metric => {
                    let put = self.metrics.get(*n)?;
                    (What::Metric(put.unit.0, put.unit.1), &put.name)
                }
            };
            Some((what, &text[name.clone()]))
        })
    }
}
