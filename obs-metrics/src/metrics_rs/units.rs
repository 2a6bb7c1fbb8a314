//! The facade's units as CloudWatch's, and which one a name has.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::collector::lock;
use crate::unit::Unit;

/// Names whose unit is remembered. What is described beyond that has no unit.
const MAX_NAMES: usize = 16_000;

/// How the values of a metric are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) unit: Unit,
    pub(super) scale: Scale,
}

/// What a value is multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    One,
    Times(u64),
    /// Divided by.
    By(u64),
}

impl Scale {
    #[expect(clippy::cast_precision_loss, reason = "powers of 1024 and 1000 are exact")]
    pub(super) fn apply(self, value: f64) -> f64 {
        match self {
            Scale::One => value,
            Scale::Times(factor) => value * factor as f64,
            // Not times a thousandth, which no double is.
            Scale::By(divisor) => value / divisor as f64,
        }
    }
}

impl From<Unit> for Measure {
    fn from(unit: Unit) -> Self {
        Self { unit, scale: Scale::One }
    }
}

impl From<::metrics::Unit> for Measure {
    fn from(unit: ::metrics::Unit) -> Self {
        use ::metrics::Unit as Theirs;
        let bytes = |power| Self { unit: Unit::Bytes, scale: Scale::Times(1_u64 << (10 * power)) };
        let unit = match unit {
            Theirs::Count => Unit::Count,
            Theirs::Percent => Unit::Percent,
            Theirs::Seconds => Unit::Seconds,
            Theirs::Milliseconds => Unit::Milliseconds,
            Theirs::Microseconds => Unit::Microseconds,
            Theirs::Nanoseconds => {
                return Self { unit: Unit::Microseconds, scale: Scale::By(1000) };
            }
            Theirs::Bytes => Unit::Bytes,
            Theirs::Kibibytes => return bytes(1),
            Theirs::Mebibytes => return bytes(2),
            Theirs::Gibibytes => return bytes(3),
            Theirs::Tebibytes => return bytes(4),
            Theirs::TerabitsPerSecond => Unit::TerabitsPerSecond,
            Theirs::GigabitsPerSecond => Unit::GigabitsPerSecond,
            Theirs::MegabitsPerSecond => Unit::MegabitsPerSecond,
            Theirs::KilobitsPerSecond => Unit::KilobitsPerSecond,
            Theirs::BitsPerSecond => Unit::BitsPerSecond,
            Theirs::CountPerSecond => Unit::CountPerSecond,
        };
        unit.into()
    }
}

/// The unit of each name, which is the first that it was given.
#[derive(Debug, Default)]
pub(super) struct Units(Mutex<HashMap<String, Measure>>);

impl Units {
    pub(super) fn describe(&self, name: &str, unit: Option<::metrics::Unit>) {
        if let Some(unit) = unit {
            self.first(name, unit.into());
        }
    }

    pub(super) fn of(&self, name: &str, default: Unit) -> Measure {
        self.first(name, default.into())
    }

    fn first(&self, name: &str, measure: Measure) -> Measure {
        let mut names = lock(&self.0);
        if let Some(known) = names.get(name) {
            return *known;
        }
        if names.len() < MAX_NAMES {
            names.insert(name.to_owned(), measure);
        }
        measure
    }
}
