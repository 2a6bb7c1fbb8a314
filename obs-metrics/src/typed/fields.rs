//! Takes the values of a typed event's fields.

use std::time::SystemTime;

use super::{DimensionValue, Field, MetricValue, PropertySource, Shape, Values};
use crate::event::Event;

/// Takes the values of a [`MetricEvent`](super::MetricEvent)'s fields, in the order of its shape.
#[doc(hidden)]
#[derive(Debug)]
pub struct Fields<'a> {
    event: &'a mut Event,
    rest: std::slice::Iter<'a, Field>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(event: &'a mut Event, shape: &'static Shape) -> Self {
        if let Some(message) = shape.message {
            event.message(message);
        }
        Self { event, rest: shape.fields.iter() }
    }

    /// The line's `message`; before all fields of the shape.
    pub fn message(&mut self, message: &str) {
        self.event.message(message);
    }

    /// When it happened; before all fields of the shape.
    pub fn timestamp(&mut self, time: SystemTime) {
        self.event.timestamp(time);
    }

    /// The next field, a dimension.
    pub fn dimension(&mut self, value: &(impl DimensionValue + ?Sized)) {
        if let (Some(Field::Dimension(name)), Some(value)) = (self.rest.next(), value.dimension()) {
            self.event.dimension(name, &value);
        }
    }

    /// The next field, a metric.
    pub fn metric(&mut self, value: &(impl MetricValue + ?Sized)) {
        let Some(Field::Metric(name, unit, _)) = self.rest.next() else { return };
        match value.values(*unit) {
            Values::None => {}
            Values::One(value) => drop(self.event.put(name, value, *unit)),
            Values::Many(values) => {
                for value in values {
                    self.event.put(name, *value, *unit);
                }
            }
        }
    }

    /// The next field, a property.
    pub fn property(&mut self, value: &(impl PropertySource + ?Sized)) {
        if let (Some(Field::Property(name)), Some(value)) = (self.rest.next(), value.property()) {
            self.event.property(name, value);
        }
    }
}
