use std::sync::Arc;

use super::*;
use crate::datum::Kind;
use crate::dimensions::DimensionSet;

fn datum(kind: Kind, values: &[Counted]) -> Datum {
    let dimensions = [("Service", "orders"), ("Pipeline", "sales")];
    Datum {
        key: Arc::new(SeriesKey {
            name: "A".to_owned(),
            unit: Unit::Milliseconds,
            resolution: Resolution::Standard,
            kind,
            dimensions: Arc::new(DimensionSet::of(
                dimensions.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            )),
        }),
        timestamp_millis: 1_700_000_000_123,
        values: values.to_vec().into(),
    }
}

/// Values with counts of one datum, whichever way it says them.
fn said(datum: &MetricDatum) -> Vec<(f64, f64)> {
    match datum.value {
        Some(value) => {
            assert!(datum.values.is_none() && datum.counts.is_none());
            vec![(value, 1.0)]
        }
        None => datum.values().iter().copied().zip(datum.counts().iter().copied()).collect(),
    }
}

fn check(values: &[Counted], expected: &[(f64, f64)]) {
    let datum = datum(Kind::Distribution, values);
    let all: Vec<_> = datums_of(&datum).flat_map(|datum| said(&datum)).collect();
    assert_eq!(all, expected);
}

#[test]
fn a_series_is_sent_under_its_name_with_all_that_it_has() {
    let datum = datum(Kind::Distribution, &[(7.5, 1)]);
    let [sent] = &datums_of(&datum).collect::<Vec<_>>()[..] else { panic!("not one datum") };
    assert_eq!(sent.metric_name(), Some("A"));
    assert_eq!(sent.unit(), Some(&StandardUnit::Milliseconds));
    assert_eq!(sent.timestamp().unwrap().to_millis().unwrap(), 1_700_000_000_123);
    assert_eq!(sent.storage_resolution(), None);
    assert!(sent.statistic_values().is_none());
    let dimensions: Vec<_> =
        sent.dimensions().iter().map(|d| (d.name().unwrap(), d.value().unwrap())).collect();
    assert_eq!(dimensions, [("Pipeline", "sales"), ("Service", "orders")]);
}

#[test]
fn a_further_set_of_dimensions_is_a_further_datum() {
    let mut datum = datum(Kind::Distribution, &[(7.5, 1), (8.5, 2)]);
    let key = Arc::get_mut(&mut datum.key).unwrap();
    let set = DimensionSet::clone(&key.dimensions);
    key.dimensions = Arc::new(set.with_rollups(&[["Service"].as_slice(), &[]]));
    let sent: Vec<_> = datums_of(&datum).collect();
    let names: Vec<Vec<_>> =
        sent.iter().map(|d| d.dimensions().iter().filter_map(|d| d.name()).collect()).collect();
    assert_eq!(names, [vec!["Pipeline", "Service"], vec!["Service"], vec![]]);
    assert!(sent.iter().all(|datum| said(datum) == [(7.5, 1.0), (8.5, 2.0)]));
}

#[test]
fn the_resolution_is_said_only_where_it_is_high() {
    let mut datum = datum(Kind::Distribution, &[(7.5, 1)]);
    Arc::get_mut(&mut datum.key).unwrap().resolution = Resolution::High;
    assert!(datums_of(&datum).all(|sent| sent.storage_resolution() == Some(1)));
}

#[test]
fn counters_gauges_and_single_values_are_one_value() {
    for kind in [Kind::Counter, Kind::Gauge, Kind::Distribution] {
        let datum = datum(kind, &[(17.0, 1)]);
        let sent: Vec<_> = datums_of(&datum).collect();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].value(), Some(17.0));
        assert!(sent[0].values.is_none() && sent[0].counts.is_none());
    }
}

#[test]
fn a_distribution_is_its_distinct_values_with_counts() {
    check(&[(2.0, 1), (1.0, 3)], &[(1.0, 3.0), (2.0, 1.0)]);
    check(&[(2.0, 4)], &[(2.0, 4.0)]);
    // One that stands there twice, as beyond the first hundred.
    check(&[(2.0, 4), (1.0, 1), (2.0, 3)], &[(1.0, 1.0), (2.0, 7.0)]);
    check(&[], &[]);
}

#[test]
fn scenario_23_a_sum_out_of_range_is_left_out_and_its_siblings_are_kept() {
    let before = health::counted(Event::ValueOutOfRange);
    check(
        &[(f64::NAN, 2), (1.0, 1), (f64::INFINITY, 1), (limits::MAX_VALUE * 2.0, 1)],
        &[(1.0, 1.0)],
    );
    check(&[(f64::NEG_INFINITY, 1)], &[]);
    assert!(health::counted(Event::ValueOutOfRange) >= before + 5);
}

#[test]
fn scenario_24_more_values_than_a_datum_takes_become_further_datums() {
    for (n, sizes) in [(150, &[150][..]), (151, &[150, 1]), (400, &[150, 150, 100])] {
        let values: Vec<Counted> =
            (0..n).map(|n| (f64::from(n), 1 + u64::from(n % 3 == 0))).collect();
        let datum = datum(Kind::Distribution, &values);
        let sent: Vec<_> = datums_of(&datum).map(|datum| said(&datum)).collect();
        assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
        let expected: Vec<_> =
            values.iter().map(|(value, count)| (*value, *count as f64)).collect();
        assert_eq!(sent.concat(), expected);
    }
}

#[test]
fn all_27_units_are_those_of_the_sdk() {
    for unit in Unit::ALL {
        assert!(StandardUnit::values().contains(&unit.as_str()), "{unit}");
        assert_eq!(unit_of(*unit).as_str(), unit.as_str());
    }
    assert_eq!(Unit::ALL.len(), StandardUnit::values().len());
}
