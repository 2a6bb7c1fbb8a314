//! Distinct values with counts as an exponential histogram.
//!
//! Count, sum, minimum and maximum are exact. The values themselves go into buckets whose bounds are
//! powers of 2^(2^-scale); the scale is the finest at which no more than [`MAX_BUCKETS`] buckets are
//! needed on either side of zero.

use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;

use crate::distribution::Counted;

/// Buckets of one sign, as in the SDKs of OpenTelemetry. Values that span a factor of 500 get
/// buckets 4.4 % wide.
const MAX_BUCKETS: i64 = 160;

/// The finest scale, as in the SDKs of OpenTelemetry.
const MAX_SCALE: i32 = 20;

#[derive(Debug, PartialEq)]
pub(crate) struct Exponential {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) scale: i32,
    pub(crate) zero_count: u64,
    pub(crate) positive: Buckets,
    pub(crate) negative: Buckets,
}

impl Exponential {
    /// The histogram of `values`, which are finite and at least one.
    pub(crate) fn of(values: &[Counted]) -> Self {
        let (mut positive, mut negative) = (Side::default(), Side::default());
        let (mut count, mut zero_count) = (0_u64, 0_u64);
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for &(value, n) in values {
            count = count.saturating_add(n);
            (min, max) = (min.min(value), max.max(value));
            if value > 0.0 {
                positive.add(value, n);
            } else if value < 0.0 {
                negative.add(-value, n);
            } else {
                zero_count = zero_count.saturating_add(n);
            }
        }
        // Both sides have one scale.
        let coarser = positive.coarser().max(negative.coarser());
        Self {
            count,
            sum: sum(values),
            min,
            max,
            scale: MAX_SCALE - coarser,
            zero_count,
            positive: positive.buckets(coarser),
            negative: negative.buckets(coarser),
        }
    }
}

/// The sum of all values, with what rounding loses carried along (Neumaier): to the last bit the
/// same in nearly every case, whatever the order.
pub(crate) fn sum(values: &[Counted]) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for &(value, n) in values {
        #[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 equal values")]
        let term = value * n as f64;
        let next = sum + term;
        lost += if sum.abs() >= term.abs() { (sum - next) + term } else { (term - next) + sum };
        sum = next;
    }
    sum + lost
}

/// The values of one sign, by their magnitude, at the finest scale.
#[derive(Default)]
struct Side(Vec<(i32, u64)>);

impl Side {
    fn add(&mut self, magnitude: f64, n: u64) {
        self.0.push((index(magnitude), n));
    }

    /// How many times the scale must be halved until the buckets suffice.
    fn coarser(&self) -> i32 {
        let indices = || self.0.iter().map(|(index, _)| *index);
        let (Some(low), Some(high)) = (indices().min(), indices().max()) else { return 0 };
        let (low, high) = (i64::from(low), i64::from(high));
        (0..).find(|halved| (high >> halved) - (low >> halved) < MAX_BUCKETS).unwrap_or_default()
    }

    fn buckets(&self, coarser: i32) -> Buckets {
        let index = |at: &(i32, u64)| at.0 >> coarser;
        let Some(offset) = self.0.iter().map(index).min() else { return Buckets::default() };
        let mut bucket_counts = Vec::new();
        for at in &self.0 {
            let place = usize::try_from(index(at) - offset).unwrap_or_default();
            if bucket_counts.len() <= place {
                bucket_counts.resize(place + 1, 0_u64);
            }
            if let Some(count) = bucket_counts.get_mut(place) {
                *count = count.saturating_add(at.1);
            }
        }
        Buckets { offset, bucket_counts }
    }
}

/// The bucket of a positive, finite value at the finest scale: bucket i holds what is greater than
/// base^i and at most base^(i+1), where base is 2^(2^-20). Within ±2^31 for every `f64`.
fn index(value: f64) -> i32 {
    const SUBNORMAL: f64 = (1_u64 << 54) as f64;
    const MANTISSA_BITS: u32 = 52;
    let (bits, shifted) = if value < f64::MIN_POSITIVE {
        ((value * SUBNORMAL).to_bits(), 54)
    } else {
        (value.to_bits(), 0)
    };
    let exponent = ((bits >> MANTISSA_BITS) & 0x7ff) as i32 - 1023 - shifted;
    let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    let first = exponent << MAX_SCALE;
    if mantissa == 0 {
        // A power of two is the upper bound of the bucket before, exactly.
        return first - 1;
    }
    let fraction = f64::from_bits((1023 << MANTISSA_BITS) | mantissa);
    #[expect(clippy::cast_possible_truncation, reason = "from 0 to 2^20")]
    let within = (fraction.log2() * f64::from(1 << MAX_SCALE)).ceil() as i32 - 1;
    // A logarithm that was rounded does not leave its power of two.
    first + within.clamp(0, (1 << MAX_SCALE) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lower and upper bound of a bucket.
    fn bounds(index: i32, scale: i32) -> (f64, f64) {
        let base = 2f64.powf(2f64.powi(-scale));
        (base.powi(index), base.powi(index + 1))
    }

    fn check(values: &[Counted]) -> Exponential {
        let histogram = Exponential::of(values);
        let count: u64 = values.iter().map(|(_, n)| n).sum();
        assert_eq!(histogram.count, count);
        let buckets: u64 = [&histogram.positive, &histogram.negative]
            .iter()
            .flat_map(|buckets| &buckets.bucket_counts)
            .sum();
        assert_eq!(buckets + histogram.zero_count, count, "{values:?}");
        for buckets in [&histogram.positive, &histogram.negative] {
            assert!(buckets.bucket_counts.len() <= 160, "{values:?}");
        }
        let lowest = values.iter().map(|(v, _)| *v).fold(f64::INFINITY, f64::min);
        let highest = values.iter().map(|(v, _)| *v).fold(f64::NEG_INFINITY, f64::max);
        assert_eq!((histogram.min, histogram.max), (lowest, highest));
        histogram
    }

    #[test]
    fn scenario_24_count_sum_minimum_and_maximum_are_exact() {
        let histogram = check(&[(12.75, 3), (0.5, 1), (-2.0, 2), (0.0, 4)]);
        assert_eq!(histogram.count, 10);
        assert_eq!(histogram.sum, 34.75);
        assert_eq!(histogram.zero_count, 4);
        assert_eq!((histogram.min, histogram.max), (-2.0, 12.75));
        assert_eq!(histogram.negative.bucket_counts.iter().sum::<u64>(), 2);
        assert_eq!(sum(&[(1e100, 1), (1.0, 1), (-1e100, 1)]), 1.0);
    }

    #[test]
    fn one_value_has_one_bucket_of_the_finest_scale() {
        let histogram = check(&[(1.275, 7)]);
        assert_eq!(histogram.scale, 20);
        assert_eq!(histogram.positive.bucket_counts, [7]);
        assert_eq!(histogram.negative, Buckets::default());
        let (low, high) = bounds(histogram.positive.offset, 20);
        assert!(low < 1.275 && 1.275 <= high, "{low} {high}");
        assert_eq!(check(&[(0.0, 2)]).positive, Buckets::default());
    }

    #[test]
    fn bounds_belong_to_the_bucket_below() {
        for (value, expected) in
            [(1.0, -1), (2.0, (1 << 20) - 1), (4.0, (2 << 20) - 1), (0.5, -(1 << 20) - 1)]
        {
            assert_eq!(index(value), expected, "{value}");
        }
        assert_eq!(index(1.0 + f64::EPSILON), 0);
        assert_eq!(index(2.0 - f64::EPSILON), (1 << 20) - 1);
        assert_eq!(index(f64::from_bits(1)), (-1074 << 20) - 1);
    }

    #[test]
    fn values_are_in_their_buckets_within_the_stated_error() {
        let values: Vec<Counted> = (0..500).map(|n| (f64::from(n) + 1.0, 1)).collect();
        let histogram = check(&values);
        assert_eq!(histogram.scale, 4);
        let mut below = 0;
        for (place, count) in (0..).zip(&histogram.positive.bucket_counts) {
            let (_, high) = bounds(histogram.positive.offset + place, 4);
            below += count;
            // As many values are at most the bucket's upper bound as were recorded.
            let expected = values.iter().filter(|(v, _)| *v <= high * (1.0 + 1e-12)).count();
            assert_eq!(below, expected as u64, "{high}");
        }
    }

    #[test]
    fn scenario_23_the_widest_range_fits() {
        let tiny = f64::from_bits(1);
        let huge = crate::limits::MAX_VALUE;
        assert_eq!(check(&[(tiny, 1), (huge, 1)]).scale, -4);
        check(&[(-tiny, 1), (-huge, 2), (tiny, 3), (huge, 4), (0.0, 5)]);
        check(&[(f64::MAX, 1), (tiny, 1)]);
    }
}
