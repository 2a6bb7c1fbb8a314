//! Units of work as types: `#[derive(MetricEvent)]`.

mod fields;
mod value;

pub use fields::Fields;
pub(crate) use fields::write_line;
pub use value::{DimensionValue, MetricValue, PropertySource, Values};

use crate::unit::{Resolution, Unit};

/// A unit of work whose metrics, dimensions and properties are the fields of a struct. Derive it.
///
/// Emitted by [`MetricsCollector::emit`](crate::MetricsCollector::emit).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a unit of work",
    note = "add `#[derive(MetricEvent)]` to it"
)]
pub trait MetricEvent {
    /// The fields' names, units and kinds: all that is the same for every value of the type.
    #[doc(hidden)]
    fn shape(&self) -> &'static Shape;

    /// Gives the fields' values in the order of the shape.
    #[doc(hidden)]
    fn write(&self, fields: &mut Fields<'_>);
}

/// What is the same for all values of a type. Made by the derive, which has checked the names.
#[doc(hidden)]
#[derive(Debug)]
pub struct Shape {
    pub(crate) fields: &'static [Field],
    pub(crate) message: Option<&'static str>,
    /// Further sets of dimensions, by name, under which the metrics appear too.
    pub(crate) dimension_sets: &'static [&'static [&'static str]],
}

impl Shape {
    /// The fields: all dimensions first, then all metrics, then all properties.
    pub const fn new(fields: &'static [Field]) -> Self {
        Self { fields, message: None, dimension_sets: &[] }
    }

    /// The line's `message`, unless a field gives it.
    #[must_use]
    pub const fn with_message(mut self, message: &'static str) -> Self {
        self.message = Some(message);
        self
    }

    /// Further sets of dimensions.
    #[must_use]
    pub const fn with_dimension_sets(mut self, sets: &'static [&'static [&'static str]]) -> Self {
        self.dimension_sets = sets;
        self
    }
}

/// A field of a [`Shape`].
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A dimension of all metrics of the event.
    Dimension(&'static str),
    /// A metric.
    Metric(&'static str, Unit, Resolution),
    /// A member of the document that is neither.
    Property(&'static str),
}

#[cfg(test)]
mod same_text_tests;
#[cfg(test)]
mod tests;
