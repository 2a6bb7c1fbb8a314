//! What was recorded of one series since it was last emitted: what tables and handles give, and
//! every kind of sink takes.

use std::sync::Arc;

use crate::dimensions::DimensionSet;
use crate::distribution::{Counted, Distribution};
use crate::unit::{Resolution, Unit};

/// A series as it is sent: its name and dimensions are valid.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct SeriesKey {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) resolution: Resolution,
    pub(crate) kind: Kind,
    pub(crate) dimensions: Arc<DimensionSet>,
}

/// What the values of a series are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Single observations.
    #[default]
    Distribution,
    /// One value: the sum of what was added since the last time.
    Counter,
    /// One value: the last one that was set.
    Gauge,
}

/// The values of one series.
#[derive(Clone, Debug)]
pub(crate) struct Datum {
    pub(crate) key: Arc<SeriesKey>,
    pub(crate) timestamp_millis: u64,
    /// Distinct values with their counts; never empty.
    pub(crate) values: Distribution,
}

impl Datum {
    /// The memory that it takes in a queue, about.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.values.len() * size_of::<Counted>()
    }
}
