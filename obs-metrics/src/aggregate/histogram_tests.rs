use std::collections::BTreeMap;

use proptest::prelude::*;

use super::HistogramCell;
use super::histogram::Taken;
use crate::limits::MAX_VALUE;

/// The least number that has all bits of its fraction.
const NORMAL: f64 = f64::MIN_POSITIVE;

/// What was recorded since the last take.
#[derive(Default)]
struct Recorded(BTreeMap<i64, (f64, u64)>);

impl Recorded {
    fn add(&mut self, value: f64, n: u64) {
        if n > 0 {
            let value = value + 0.0;
            // Numbers are in the order of their bits, once the negative ones are turned around.
            let bits = value.to_bits().cast_signed();
            let key = if bits < 0 { i64::MIN - bits } else { bits };
            self.0.entry(key).or_insert((value, 0)).1 += n;
        }
    }

    fn values(&self) -> Vec<(f64, u64)> {
        self.0.values().copied().collect()
    }
}

/// The sum of `value * n`, without rounding errors that matter.
fn exact_sum(values: &[(f64, u64)]) -> f64 {
    let (mut sum, mut rest) = (0.0_f64, 0.0);
    for (value, n) in values {
        let term = value * *n as f64;
        rest += value.mul_add(*n as f64, -term);
        let next = sum + term;
        let added = next - sum;
        rest += (sum - (next - added)) + (term - added);
        sum = next;
    }
    sum + rest
}

/// The bound that the module's docs give: how far `values` may move, relative to themselves.
fn documented_bound(values: &[(f64, u64)], most: usize) -> f64 {
    let decades = |values: &[f64]| match values {
        [] => 0.0,
        // Not the logarithm of their ratio, which can be infinite.
        [first, .., last] => (last.abs().log10() - first.abs().log10()).abs(),
        [_] => 0.0,
    };
    let numbers: Vec<f64> = values.iter().map(|(value, _)| *value).collect();
    let negative = decades(&numbers[..numbers.partition_point(|value| *value < 0.0)]);
    let positive = decades(&numbers[numbers.partition_point(|value| *value <= 0.0)..]);
    let one_sign = numbers[0] > 0.0 || numbers[numbers.len() - 1] < 0.0;
    bound(negative + positive, if one_sign { most - 2 } else { most - 4 })
}

fn bound(decades: f64, groups: usize) -> f64 {
    let width = |decades: f64| {
        let fraction_bits = (656.0 / (3.33 * decades + 0.4)).log2().floor();
        // Below one bucket in each power of two, a bucket is several of them.
        if fraction_bits >= 0.0 {
            1.0 + (-fraction_bits).exp2()
        } else {
            (-fraction_bits).exp2().exp2()
        }
    };
    (10_f64.powf(decades / groups as f64) * width(decades) - 1.0) * 1.001
}

#[track_caller]
fn check_taken(taken: Option<Taken>, recorded: &Recorded, most: usize) {
    let expected = recorded.values();
    let Some(Taken { values, count, sum, min, max }) = taken else {
        assert!(expected.is_empty(), "nothing was taken of {expected:?}");
        return;
    };
    assert!(values.len() <= most, "{} values", values.len());
    assert!(values.is_sorted_by(|a, b| a.0 < b.0), "{values:?}");
    assert_eq!(count, expected.iter().map(|(_, n)| n).sum::<u64>());
    assert_eq!(values.iter().map(|(_, n)| n).sum::<u64>(), count);
    assert_eq!((min, max), (expected[0].0, expected[expected.len() - 1].0));
    assert_eq!((min, max), (values[0].0, values[values.len() - 1].0));
    let exact = exact_sum(&expected);
    let magnitudes: f64 = expected.iter().map(|(value, n)| value.abs() * *n as f64).sum();
    // The mean of subnormal numbers has no more bits than they have.
    let slack = magnitudes * 1e-12 + count as f64 * 5e-324;
    assert!((sum - exact).abs() <= slack, "sum {sum} is not {exact}");
    let of_values = exact_sum(&values);
    assert!((of_values - exact).abs() <= slack, "sum of the values {of_values} is not {exact}");

    if expected.len() <= most {
        assert_eq!(values, expected);
        return;
    }
    if expected.iter().any(|(value, _)| *value != 0.0 && value.abs() < NORMAL) {
        return;
    }
    // Groups do not overlap, so that values and what they became are in the same order.
    let bound = documented_bound(&expected, most) + 1e-12;
    let mut became = values.iter().copied();
    let mut group = (0.0, 0);
    for (value, n) in expected {
        let mut left = n;
        while left > 0 {
            if group.1 == 0 {
                group = became.next().unwrap();
            }
            let error = (group.0 - value).abs();
            assert!(error <= bound * value.abs(), "{value} became {}: {bound}", group.0);
            let some = left.min(group.1);
            group.1 -= some;
            left -= some;
        }
    }
}

#[track_caller]
fn check(recorded: impl IntoIterator<Item = (f64, u64)>, most: usize) -> Vec<(f64, u64)> {
    let cell = HistogramCell::new();
    let mut model = Recorded::default();
    for (value, n) in recorded {
        cell.record_n(value, n);
        model.add(value, n);
    }
    let taken = cell.take(most);
    let values = taken.as_ref().map(|taken| taken.values.clone()).unwrap_or_default();
    check_taken(taken, &model, most);
    assert_eq!(cell.take(most), None);
    values
}

/// The same each time, from 0 to 1.
fn random(seed: u64) -> impl Iterator<Item = f64> + Clone {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    })
}

#[test]
fn few_values_are_exact() {
    assert_eq!(check([], 100), []);
    assert_eq!(check([(12.75, 0)], 100), []);
    assert_eq!(check([(12.75, 1)], 100), [(12.75, 1)]);
    assert_eq!(check([(2.0, 1), (1.0, 3), (2.0, 1)], 100), [(1.0, 3), (2.0, 2)]);
    assert_eq!(check([(0.0, 1), (-0.0, 2)], 100), [(0.0, 3)]);
    assert_eq!(check([(1.0, u64::MAX - 1), (1.0, 1)], 100), [(1.0, u64::MAX)]);
    let extremes = [(-MAX_VALUE, 1), (-5e-324, 2), (0.0, 3), (5e-324, 4), (MAX_VALUE, 5)];
    assert_eq!(check(extremes, 100), extremes);
    assert_eq!(check(extremes, 5), extremes);
}

#[test]
fn scenario_24_values_are_exact_up_to_the_limit() {
    for most in [100, 150] {
        let limit = i32::try_from(most).unwrap();
        let numbers = |count: i32| (0..count).map(|n| (f64::from(n) * 0.1 - 3.0, 1));
        assert_eq!(check(numbers(limit), most).len(), most);
        assert!(check(numbers(limit + 1), most).len() <= most);
        assert!(check(numbers(10 * limit), most).len() <= most);
    }
}

#[test]
fn values_beyond_the_limit_move_by_less_than_documented() {
    // The table of the module's docs.
    for (decades, of_100, of_150) in
        [(1.0, 3.2, 2.4), (2.0, 6.5, 4.8), (4.0, 13.4, 9.8), (6.0, 18.8, 13.3), (9.0, 31.4, 22.3)]
    {
        for (most, percent) in [(100, of_100), (150, of_150)] {
            let exactly = bound(decades, most - 2) * 100.0;
            assert!((percent - 0.1..percent).contains(&exactly), "{exactly} %, not {percent} %");
            for from in [1e-3, 1.0, 1.4, 1.99, 12_345.0] {
                let values = random(7).take(10_000).map(|at| (from * 10_f64.powf(at * decades), 1));
                check(values.clone(), most);
                check(values.map(|(value, n)| (-value, n)), most);
            }
        }
    }
}

#[test]
fn any_range_fits() {
    let any_magnitude = |at: f64| (at * 1382.0 - 1022.0).exp2();
    let positive = random(1).take(50_000).map(any_magnitude);
    check(positive.clone().map(|value| (value, 1)), 100);
    let signs = random(2).map(|at| if at < 0.5 { -1.0 } else { 1.0 });
    check(positive.clone().zip(signs).map(|(value, sign)| (value * sign, 1)), 100);
    let extremes = random(3).map(|at| if at < 0.5 { 5e-324 } else { -MAX_VALUE });
    check(positive.zip(extremes).flat_map(|(a, b)| [(a, 1), (b, 1)]), 100);
    // All of them subnormal.
    check((0..5_000).map(|n| (f64::from_bits(n * 3), 1)), 100);
    check((0..5_000).map(|n| (-f64::from_bits(n * n), 1)), 150);
    // As near to each other as numbers can be.
    let near = (0..5_000).map(|n| (f64::from_bits(1.0_f64.to_bits() + n), 1));
    let taken = check(near, 100);
    assert!(taken.len() > 90, "only {} values", taken.len());
}

#[test]
fn small_values_are_not_lost_in_a_large_sum() {
    let cell = HistogramCell::new();
    // Enough values for buckets, of which the last one gets all the rest.
    let mut exact = 0.0;
    for n in 0..2_000 {
        cell.record(1.0 + f64::from(n));
        exact += 1.0 + f64::from(n);
    }
    cell.record_n(2_000.1, 1 << 20);
    for _ in 0..3_000_000 {
        cell.record(2_000.1);
    }
    exact += 2_000.1 * f64::from((1 << 20) + 3_000_000);
    let sum = cell.take(100).unwrap().sum;
    assert!((sum - exact).abs() <= exact * 1e-15, "{sum} is not {exact}");
}

#[test]
fn scenario_17_a_histogram_that_is_never_drained_stays_bounded() {
    let cell = HistogramCell::new();
    let any = |at: f64| {
        let magnitude = (at.fract() * 1434.0 - 1074.0).exp2();
        if at < 1.0 { magnitude } else { -magnitude }
    };
    let mut range = (0.0_f64, 0.0_f64);
    for value in random(3).map(|at| any(at * 2.0)).take(10_000_000) {
        cell.record(value);
        range = (range.0.min(value), range.1.max(value));
    }
    // One thread, one shard.
    let (entries, index) = cell.room();
    assert!(entries <= 660 && index <= 1024, "{entries} entries, {index} places");
    let taken = cell.take(100).unwrap();
    assert_eq!(taken.count, 10_000_000);
    assert_eq!((taken.min, taken.max), range);
    assert!(taken.values.len() <= 100);
    // The room is kept, so that nothing is allocated again.
    assert_eq!(cell.room(), (entries, index));
    cell.record(1.0);
    assert_eq!(cell.take(100).unwrap().values, [(1.0, 1)]);
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-20..80_i32).prop_map(f64::from),
        4 => (0.0..6.0).prop_map(|power| 10_f64.powf(power)),
        2 => (-6.0..3.0).prop_map(|power| -(10_f64.powf(power))),
        1 => -MAX_VALUE..=MAX_VALUE,
        1 => (0..=MAX_VALUE.to_bits()).prop_map(f64::from_bits),
        1 => prop::sample::select(vec![0.0, -0.0, MAX_VALUE, -MAX_VALUE, NORMAL, 5e-324, -5e-324]),
    ]
}

/// Values of one kind, which is what a metric has.
fn values() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        prop::collection::vec(any_value(), 0..2_000),
        (0.0..12.0, any::<bool>()).prop_flat_map(|(decades, negative)| {
            let sign = if negative { -1.0 } else { 1.0 };
            prop::collection::vec(
                (0.0..=decades).prop_map(move |power| sign * 10_f64.powf(power)),
                0..2_000,
            )
        }),
        prop::collection::vec((0..99_i32).prop_map(|n| f64::from(n) / 8.0), 0..2_000),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn whatever_is_recorded_is_taken(
        rounds in prop::collection::vec((values(), prop::sample::select(vec![100, 150])), 1..4),
        times in prop::collection::vec(prop_oneof![3 => Just(1), 1 => 0..1_000_u64], 1..50),
    ) {
        let cell = HistogramCell::new();
        for (values, most) in rounds {
            let mut recorded = Recorded::default();
            for (value, n) in values.into_iter().zip(times.iter().cycle()) {
                if *n == 1 { cell.record(value) } else { cell.record_n(value, *n) }
                recorded.add(value, *n);
            }
            check_taken(cell.take(most), &recorded, most);
        }
        prop_assert_eq!(cell.take(100), None);
    }
}
