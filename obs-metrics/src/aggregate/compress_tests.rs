use proptest::prelude::*;

use super::compress::{Bin, compress};

fn point(value: f64, count: u64) -> Bin {
    Bin { low: value, high: value, count, sum: value * count as f64 }
}

fn bucket(low: f64, high: f64, count: u64, sum: f64) -> Bin {
    Bin { low, high, count, sum }
}

#[track_caller]
fn check(bins: &[Bin], most: usize, expected: &[(f64, u64)]) {
    assert_eq!(compress(bins.to_vec(), most), expected);
}

#[test]
fn few_values_stay_as_they_are() {
    check(&[], 100, &[]);
    check(&[point(4.0, 2)], 100, &[(4.0, 2)]);
    check(&[point(0.0, 2)], 5, &[(0.0, 2)]);
    let five = [point(-1.0, 1), point(0.0, 3), point(1.0, 5), point(2.0, 7), point(3.0, 9)];
    check(&five, 5, &[(-1.0, 1), (0.0, 3), (1.0, 5), (2.0, 7), (3.0, 9)]);
}

#[test]
fn the_narrowest_groups_that_are_enough() {
    // Three values for four: 10 and 11 are nearest to each other as a ratio, not as a difference.
    let bins = [
        point(0.1, 1),
        point(1.0, 1),
        point(1.5, 3),
        point(10.0, 1),
        point(11.0, 3),
        point(99.0, 4),
    ];
    check(&bins, 5, &[(0.1, 1), (1.0, 1), (1.5, 3), (10.75, 4), (99.0, 4)]);
    // The same below zero.
    let bins: Vec<Bin> = bins.iter().rev().map(|bin| point(-bin.low, bin.count)).collect();
    check(&bins, 5, &[(-99.0, 4), (-10.75, 4), (-1.5, 3), (-1.0, 1), (-0.1, 1)]);
}

#[test]
fn no_group_reaches_over_zero() {
    let bins: Vec<Bin> =
        [-8.0, -4.0, -2.0, 0.0, 1.0, 3.0, 9.0].map(|value| point(value, 1)).to_vec();
    let five = [(-8.0, 1), (-3.0, 2), (0.0, 1), (2.0, 2), (9.0, 1)];
    check(&bins, 5, &five);
    // Less than five is taken for five.
    check(&bins, 0, &five);
    check(&bins, 6, &[(-8.0, 1), (-3.0, 2), (0.0, 1), (1.0, 1), (3.0, 1), (9.0, 1)]);
}

#[test]
fn minimum_and_maximum_are_taken_out_of_their_buckets() {
    check(&[bucket(1.0, 2.0, 2, 3.0)], 100, &[(1.0, 1), (2.0, 1)]);
    check(&[bucket(1.0, 2.0, 3, 4.5)], 100, &[(1.0, 1), (1.5, 1), (2.0, 1)]);
    // Where the rest is the minimum as well, it is one value.
    check(&[bucket(1.0, 2.0, 4, 5.0)], 100, &[(1.0, 3), (2.0, 1)]);
    check(
        &[bucket(-2.0, -1.0, 3, -5.0), bucket(4.0, 5.0, 1, 5.0)],
        100,
        &[(-2.0, 1), (-1.5, 2), (5.0, 1)],
    );
}

#[test]
fn a_mean_keeps_within_its_bounds_and_its_counts() {
    // The sum says more than there is room for: a rounding error, many times enlarged.
    check(
        &[point(1.0, 1), bucket(2.0, 3.0, 2, 6.1), point(9.0, 1)],
        5,
        &[(1.0, 1), (3.0, 2), (9.0, 1)],
    );
    let huge = [point(1.0, u64::MAX), point(2.0, 9)];
    check(&huge, 5, &[(1.0, u64::MAX), (2.0, 9)]);
}

/// Ascending bins that do not overlap, with counts and sums that their bounds allow.
fn bins() -> impl Strategy<Value = Vec<Bin>> {
    let bin = (1.0..4.0, 0.0..3.0_f64, 1..1000_u64, 0.0..1.0, prop::bool::weighted(0.1));
    (prop::collection::vec((bin, any::<bool>()), 1..300), any::<bool>()).prop_map(
        |(bins, with_zero)| {
            let (mut up, mut down) = (1e-3, -1e-3);
            let mut positive = Vec::new();
            let mut negative = Vec::new();
            for ((gap, width, count, at, leap), is_negative) in bins {
                let leap = if leap { 100.0 } else { 1.0 };
                let width = if width < 1.0 { 0.0 } else { width / 10.0 };
                let edge: &mut f64 = if is_negative { &mut down } else { &mut up };
                let near = *edge * gap * leap;
                let far = near * (1.0 + width);
                *edge = far * 1.001;
                let mean = near + (far - near) * at;
                let (low, high) = if is_negative { (far, near) } else { (near, far) };
                let bin = bucket(low, high, count, mean * count as f64);
                if is_negative { negative.insert(0, bin) } else { positive.push(bin) }
            }
            negative.extend(with_zero.then(|| point(0.0, 3)));
            negative.extend(positive);
            // What the buckets of a histogram keep to: the first begins with the minimum and the
            // last ends with the maximum, which have been counted.
            let last = negative.len() - 1;
            negative[0].count += 1;
            negative[0].sum += negative[0].low;
            negative[last].count += 1;
            negative[last].sum += negative[last].high;
            negative
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_squeezed_keeps_its_count_sum_and_range(bins in bins(), most in 0..160_usize) {
        let values = compress(bins.clone(), most);
        prop_assert!(values.len() <= most.max(5));
        prop_assert!(values.is_sorted_by(|a, b| a.0 < b.0), "{:?}", values);
        prop_assert!(values.iter().all(|(value, count)| value.is_finite() && *count > 0));
        prop_assert_eq!(values[0].0, bins[0].low);
        prop_assert_eq!(values[values.len() - 1].0, bins[bins.len() - 1].high);

        let count: u64 = bins.iter().map(|bin| bin.count).sum();
        prop_assert_eq!(values.iter().map(|(_, n)| n).sum::<u64>(), count);
        let sum: f64 = bins.iter().map(|bin| bin.sum).sum();
        let squeezed: f64 = values.iter().map(|(value, n)| value * *n as f64).sum();
        let magnitudes: f64 = bins.iter().map(|bin| bin.sum.abs()).sum();
        prop_assert!((squeezed - sum).abs() <= magnitudes * 1e-12, "{} is not {}", squeezed, sum);
        for bin in &bins {
            if bin.low == 0.0 {
                prop_assert!(values.contains(&(0.0, bin.count)));
            }
        }
    }
}
