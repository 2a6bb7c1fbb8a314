//! From what was recorded of a series to what `PutMetricData` takes.

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use obs_core::health::{self, Event};

use crate::datum::{Datum, SeriesKey};
use crate::distribution::Counted;
use crate::limits;
use crate::limits::VALUES_PER_DATUM;
use crate::unit::{Resolution, Unit};

/// The `MetricDatum`s of one series; none where none of its values can be sent. Further sets of its
/// dimensions become further datums.
pub(super) fn datums_of(datum: &Datum) -> impl Iterator<Item = MetricDatum> + use<'_> {
    let values = distinct(&datum.values);
    let chunks = values.len().div_ceil(VALUES_PER_DATUM);
    sets_of(&datum.key).into_iter().flat_map(move |dimensions| {
        let chunk = |n: usize| values.iter().skip(n * VALUES_PER_DATUM).take(VALUES_PER_DATUM);
        let chunks: Vec<Vec<Counted>> = (0..chunks).map(|n| chunk(n).copied().collect()).collect();
        chunks
            .into_iter()
            .map(move |values| with_values(frame_of(datum, dimensions.clone()), values))
    })
}

/// Everything but the values.
fn frame_of(datum: &Datum, dimensions: Vec<Dimension>) -> MetricDatum {
    let millis = i64::try_from(datum.timestamp_millis).unwrap_or(i64::MAX);
    MetricDatum::builder()
        .metric_name(&datum.key.name)
        .set_dimensions((!dimensions.is_empty()).then_some(dimensions))
        .timestamp(DateTime::from_millis(millis))
        .unit(unit_of(datum.key.unit))
        // The standard resolution is the default, and need not be said a thousand times.
        .set_storage_resolution((datum.key.resolution == Resolution::High).then_some(1))
        .build()
}

fn with_values(mut datum: MetricDatum, values: Vec<Counted>) -> MetricDatum {
    if let [(value, 1)] = values[..] {
        datum.value = Some(value);
        return datum;
    }
    #[expect(clippy::cast_precision_loss, reason = "the API counts in doubles; exact up to 2^53")]
    let (values, counts) = values.into_iter().map(|(value, count)| (value, count as f64)).unzip();
    (datum.values, datum.counts) = (Some(values), Some(counts));
    datum
}

/// All dimensions, and each further set of them.
fn sets_of(key: &SeriesKey) -> Vec<Vec<Dimension>> {
    let dimension = |(name, value)| Dimension::builder().name(name).value(value).build();
    let all = key.dimensions.iter().map(dimension).collect();
    let rollups = key.dimensions.rollups().map(|set| set.map(dimension).collect());
    std::iter::once(all).chain(rollups).collect()
}

/// Each value once, in ascending order: a long distribution may hold one twice, but `Values` may not.
/// A sum that grew out of range is left out and counted.
fn distinct(values: &[Counted]) -> Vec<Counted> {
    let mut sorted: Vec<Counted> = values
        .iter()
        .copied()
        .filter(|(value, count)| {
            let taken = limits::takes_value(*value);
            if !taken {
                health::count_by(Event::ValueOutOfRange, *count);
            }
            taken
        })
        .collect();
    sorted.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
    sorted.dedup_by(|(value, count), (kept, sum)| {
        let same = value.to_bits() == kept.to_bits();
        if same {
            *sum = sum.saturating_add(*count);
        }
        same
    });
    sorted
}

/// The names are the same, all 27 of them.
fn unit_of(unit: Unit) -> StandardUnit {
    StandardUnit::from(unit.as_str())
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
