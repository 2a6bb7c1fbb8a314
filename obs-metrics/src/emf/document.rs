//! What CloudWatch extracts from a valid document.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::unit::{Resolution, Unit};

/// Name and value of a dimension.
pub(super) type Dimension = (Arc<str>, Arc<str>);

/// A valid document, as CloudWatch would extract it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Document {
    pub(super) timestamp_millis: u64,
    pub(super) directives: Vec<Directive>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Directive {
    pub(super) namespace: String,
    pub(super) sets: Vec<Vec<Dimension>>,
    pub(super) definitions: Vec<Definition>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) resolution: Resolution,
    pub(super) values: Arc<[(f64, f64)]>,
}

impl Document {
    pub(super) fn empty() -> Document {
        Document { timestamp_millis: 0, directives: Vec::new() }
    }

    /// The time of all its metrics.
    pub fn timestamp(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.timestamp_millis)
    }

    /// The time of all its metrics, in milliseconds since the epoch.
    pub fn timestamp_millis(&self) -> u64 {
        self.timestamp_millis
    }

    /// The metrics, in the document's order: one for each definition and dimension set.
    pub fn metrics(&self) -> impl Iterator<Item = Metric<'_>> {
        self.directives.iter().flat_map(|directive| {
            directive.definitions.iter().flat_map(move |definition| {
                directive.sets.iter().map(move |dimensions| Metric {
                    namespace: &directive.namespace,
                    definition,
                    dimensions,
                })
            })
        })
    }
}

/// One metric of a document with one set of dimensions: the values of one series.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metric<'a> {
    namespace: &'a str,
    definition: &'a Definition,
    dimensions: &'a [Dimension],
}

impl<'a> Metric<'a> {
    /// The CloudWatch namespace.
    pub fn namespace(&self) -> &'a str {
        self.namespace
    }

    /// The metric's name.
    pub fn name(&self) -> &'a str {
        &self.definition.name
    }

    /// The unit; [`Unit::None`] where the definition has none.
    pub fn unit(&self) -> Unit {
        self.definition.unit
    }

    /// How finely it is kept.
    pub fn resolution(&self) -> Resolution {
        self.definition.resolution
    }

    /// Name and value of each dimension, in the set's order.
    pub fn dimensions(&self) -> impl ExactSizeIterator<Item = (&'a str, &'a str)> + use<'a> {
        self.dimensions.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value of the dimension `name`.
    pub fn dimension(&self, name: &str) -> Option<&'a str> {
        self.dimensions().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Each value with how often it was recorded, as `PutMetricData` takes them.
    pub fn values(&self) -> &'a [(f64, f64)] {
        &self.definition.values
    }

    /// How many values were recorded.
    pub fn count(&self) -> f64 {
        self.values().iter().map(|(_, count)| count).sum()
    }

    /// The sum of what was recorded.
    pub fn sum(&self) -> f64 {
        self.values().iter().map(|(value, count)| value * count).sum()
    }

    /// The least value.
    pub fn min(&self) -> f64 {
        self.values().iter().map(|(value, _)| *value).fold(f64::INFINITY, f64::min)
    }

    /// The greatest value.
    pub fn max(&self) -> f64 {
        self.values().iter().map(|(value, _)| *value).fold(f64::NEG_INFINITY, f64::max)
    }
}
