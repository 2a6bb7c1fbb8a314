//! Which types a field of a `#[derive(MetricEvent)]` struct can have.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::property::PropertyValue;
use crate::unit::Unit;

/// What a metric's field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Values<'a> {
    /// Nothing: the metric is left out of this document.
    None,
    /// One value.
    One(f64),
    /// Several values of one metric.
    Many(&'a [f64]),
}

/// A type that a `#[metric]` field can have: numbers, [`Duration`], `Option` of these, slices and
/// vectors of `f64`.
///
/// A `Duration` is recorded in the unit of its field: `Seconds`, `Milliseconds` or `Microseconds`,
/// with a fraction; under any other unit, in seconds.
pub trait MetricValue {
    /// The values in `unit`.
    fn values(&self, unit: Unit) -> Values<'_>;
}

/// A type that a `#[metric(dimension)]` field can have: text, integers and booleans, `Option` of these.
pub trait DimensionValue {
    /// The dimension's value; `None` leaves the dimension out of this document.
    fn dimension(&self) -> Option<Cow<'_, str>>;
}

/// A type that a `#[metric(property)]` field can have: text, numbers and booleans, `Option` of these.
pub trait PropertySource {
    /// The property; `None` leaves it out of this document.
    fn property(&self) -> Option<PropertyValue<'_>>;
}

macro_rules! for_numbers {
    ($($number:ty)*) => {$(
        impl MetricValue for $number {
            #[inline]
            fn values(&self, _unit: Unit) -> Values<'_> {
                Values::One(f64::from(*self))
            }
        }
    )*};
}

for_numbers!(f32 f64 u8 u16 u32 i8 i16 i32);

macro_rules! for_wide_integers {
    ($($number:ty)*) => {$(
        impl MetricValue for $number {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a count beyond 2^53 is as exact as a metric can be"
            )]
            #[inline]
            fn values(&self, _unit: Unit) -> Values<'_> {
                Values::One(*self as f64)
            }
        }
    )*};
}

for_wide_integers!(u64 i64 usize isize);

impl MetricValue for Duration {
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact to the nanosecond up to 104 days, and to 1 in 2^53 beyond"
    )]
    #[inline]
    fn values(&self, unit: Unit) -> Values<'_> {
        // One division, so that 1,275 µs are 1.275 ms to the last bit.
        Values::One(match unit {
            Unit::Milliseconds => self.as_nanos() as f64 / 1e6,
            Unit::Microseconds => self.as_nanos() as f64 / 1e3,
            _ => self.as_secs_f64(),
        })
    }
}

impl MetricValue for [f64] {
    #[inline]
    fn values(&self, _unit: Unit) -> Values<'_> {
        Values::Many(self)
    }
}

impl<const N: usize> MetricValue for [f64; N] {
    #[inline]
    fn values(&self, _unit: Unit) -> Values<'_> {
        Values::Many(self)
    }
}

impl MetricValue for Vec<f64> {
    #[inline]
    fn values(&self, _unit: Unit) -> Values<'_> {
        Values::Many(self)
    }
}

impl<T: MetricValue> MetricValue for Option<T> {
    #[inline]
    fn values(&self, unit: Unit) -> Values<'_> {
        self.as_ref().map_or(Values::None, |value| value.values(unit))
    }
}

impl DimensionValue for str {
    #[inline]
    fn dimension(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self))
    }
}

impl PropertySource for str {
    #[inline]
    fn property(&self) -> Option<PropertyValue<'_>> {
        Some(self.into())
    }
}

macro_rules! for_texts {
    ($($text:ty)*) => {$(
        impl DimensionValue for $text {
            #[inline]
            fn dimension(&self) -> Option<Cow<'_, str>> {
                Some(Cow::Borrowed(self))
            }
        }

        impl PropertySource for $text {
            #[inline]
            fn property(&self) -> Option<PropertyValue<'_>> {
                let text: &str = self;
                Some(text.into())
            }
        }
    )*};
}

for_texts!(String Cow<'_, str> Box<str> Rc<str> Arc<str>);

macro_rules! for_plain {
    ($($plain:ty)*) => {$(
        impl DimensionValue for $plain {
            #[inline]
            fn dimension(&self) -> Option<Cow<'_, str>> {
                Some(Cow::Owned(self.to_string()))
            }
        }
    )*};
}

for_plain!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl DimensionValue for bool {
    #[inline]
    fn dimension(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(if *self { "true" } else { "false" }))
    }
}

macro_rules! for_properties {
    ($($plain:ty)*) => {$(
        impl PropertySource for $plain {
            #[inline]
            fn property(&self) -> Option<PropertyValue<'_>> {
                Some((*self).into())
            }
        }
    )*};
}

for_properties!(bool u8 u16 u32 u64 usize i8 i16 i32 i64 f32 f64);

impl<T: DimensionValue> DimensionValue for Option<T> {
    #[inline]
    fn dimension(&self) -> Option<Cow<'_, str>> {
        self.as_ref().and_then(DimensionValue::dimension)
    }
}

impl<T: PropertySource> PropertySource for Option<T> {
    #[inline]
    fn property(&self) -> Option<PropertyValue<'_>> {
        self.as_ref().and_then(PropertySource::property)
    }
}

macro_rules! for_references {
    ($($reference:ty)*) => {$(
        impl<T: MetricValue + ?Sized> MetricValue for $reference {
            #[inline]
            fn values(&self, unit: Unit) -> Values<'_> {
                T::values(self, unit)
            }
        }

        impl<T: DimensionValue + ?Sized> DimensionValue for $reference {
            #[inline]
            fn dimension(&self) -> Option<Cow<'_, str>> {
                T::dimension(self)
            }
        }

        impl<T: PropertySource + ?Sized> PropertySource for $reference {
            #[inline]
            fn property(&self) -> Option<PropertyValue<'_>> {
                T::property(self)
            }
        }
    )*};
}

for_references!(&T);
