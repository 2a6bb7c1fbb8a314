use std::sync::Arc;

use obs_core::Identity;

use super::*;
use crate::dimensions::DimensionSet;
use crate::unit::{Resolution, Unit};

const NOW: u64 = 1_700_000_000_000;

fn datum(name: &str, kind: Kind, dimensions: &[(&str, &str)], values: &[(f64, u64)]) -> Datum {
    let pairs = dimensions.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let key = SeriesKey {
        name: name.to_owned(),
        unit: Unit::Milliseconds,
        resolution: Resolution::Standard,
        kind,
        dimensions: Arc::new(DimensionSet::of(pairs)),
    };
    Datum { key: Arc::new(key), timestamp_millis: NOW, values: values.to_vec().into() }
}

fn origin() -> Origin {
    let identity = Identity::new("orders", "prod");
    let attributes = [("service.name".to_owned(), "other".to_owned()), ("k".into(), "v".into())];
    Origin::new("Application/DataPipeline", &identity, &attributes)
}

fn decode(encoded: &Encoded) -> ExportMetricsServiceRequest {
    assert!(encoded.body.len() <= MAX_REQUEST_BYTES, "{} bytes", encoded.body.len());
    assert!(encoded.points <= MAX_POINTS, "{} points", encoded.points);
    ExportMetricsServiceRequest::decode(encoded.body.as_slice()).unwrap()
}

/// The requests for `data`, and that no point is lost among them.
fn encode(data: &[Datum]) -> Vec<Encoded> {
    let origin = origin();
    let mut draft = Draft::new(&origin);
    let mut encoded: Vec<_> =
        data.iter().filter_map(|datum| draft.add(datum, Some(NOW - 1))).collect();
    encoded.extend(draft.take());
    assert_eq!(encoded.iter().map(|one| one.points).sum::<usize>(), data.len());
    for one in &encoded {
        let points: usize = decode(one).resource_metrics[0].scope_metrics[0]
            .metrics
            .iter()
            .map(|metric| match metric.data.as_ref().unwrap() {
                metric::Data::Sum(sum) => sum.data_points.len(),
                metric::Data::Gauge(gauge) => gauge.data_points.len(),
                metric::Data::ExponentialHistogram(histogram) => histogram.data_points.len(),
                other => panic!("{other:?}"),
            })
            .sum();
        assert_eq!(points, one.points);
    }
    encoded
}

#[test]
fn who_it_is_from_is_resource_and_scope() {
    let encoded = encode(&[datum("Latency", Kind::Distribution, &[], &[(1.0, 1)])]);
    let request = decode(&encoded[0]);
    let from = &request.resource_metrics[0];
    let expected =
        [("service.name", "orders"), ("deployment.environment.name", "prod"), ("k", "v")];
    let expected = expected.map(|(key, value)| attribute(key, value));
    assert_eq!(from.resource.as_ref().unwrap().attributes, expected);
    let scope = from.scope_metrics[0].scope.as_ref().unwrap();
    assert_eq!(scope.name, "Application/DataPipeline");
}

#[test]
fn series_of_one_name_unit_and_kind_are_points_of_one_metric() {
    let encoded = encode(&[
        datum("A", Kind::Counter, &[("P", "1")], &[(2.0, 1)]),
        datum("A", Kind::Counter, &[("P", "2")], &[(3.0, 1)]),
        datum("A", Kind::Gauge, &[("P", "1")], &[(4.0, 1)]),
        datum("B", Kind::Counter, &[], &[(5.0, 1)]),
    ]);
    let request = decode(&encoded[0]);
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let names: Vec<_> =
        metrics.iter().map(|metric| (metric.name.as_str(), metric.unit.as_str())).collect();
    assert_eq!(names, [("A", "ms"), ("A", "ms"), ("B", "ms")]);
    let Some(metric::Data::Sum(sum)) = &metrics[0].data else { panic!("{metrics:?}") };
    assert_eq!(sum.data_points.len(), 2);
    assert_eq!(sum.data_points[1].attributes, [attribute("P", "2")]);
}

#[test]
fn scenario_24_a_request_has_1000_points_at_most() {
    let one = datum("A", Kind::Counter, &[], &[(1.0, 1)]);
    for (points, expected) in [
        (1, vec![1]),
        (1_000, vec![1_000]),
        (1_001, vec![1_000, 1]),
        (2_500, vec![1_000, 1_000, 500]),
    ] {
        let encoded = encode(&vec![one.clone(); points]);
        let sizes: Vec<_> = encoded.iter().map(|one| one.points).collect();
        assert_eq!(sizes, expected);
    }
}

#[test]
fn scenario_24_a_request_has_1_mb_at_most() {
    // The largest points there are: 30 dimensions with the longest names and values, all buckets.
    let names: Vec<String> = (0..30).map(|n| format!("{n:0250}")).collect();
    let long = "x".repeat(1024);
    let dimensions: Vec<(&str, &str)> =
        names.iter().map(|name| (name.as_str(), long.as_str())).collect();
    let values: Vec<(f64, u64)> =
        (-160..160).map(|n| (f64::from(n) * 3e9 + 1.0, u64::MAX >> 10)).collect();
    let data: Vec<Datum> = (0..100)
        .map(|n| datum(&format!("{n:0255}"), Kind::Distribution, &dimensions, &values))
        .collect();
    let encoded = encode(&data);
    assert!(encoded.len() > 3, "{} requests", encoded.len());
    // None is left half empty.
    for one in &encoded[..encoded.len() - 1] {
        assert!(one.body.len() > MAX_REQUEST_BYTES * 9 / 10, "{} bytes", one.body.len());
    }
    // And with many small points of many metrics.
    let data: Vec<Datum> = (0..5_000)
        .map(|n| datum(&format!("{n:0255}"), Kind::Counter, &dimensions[..1], &[(1.0, 1)]))
        .collect();
    encode(&data);
}

#[test]
fn an_interval_begins_where_the_one_before_ended() {
    let mut intervals = Intervals::since(NOW);
    let mut check = |millis, now, expected: Option<u64>| {
        assert_eq!(intervals.begin_of(millis, now), expected, "{millis}");
    };
    check(NOW, NOW, None);
    check(NOW + 10, NOW + 10, Some(NOW));
    check(NOW + 10, NOW + 10, Some(NOW));
    check(NOW + 25, NOW + 30, Some(NOW + 10));
    // Events with a time of their own.
    check(NOW - 5, NOW + 30, None);
    check(NOW + 5_000, NOW + 30, None);
    check(NOW + 40, NOW + 40, Some(NOW + 25));
}

#[test]
fn scenario_25_cloudwatch_takes_points_14_days_old_to_10_minutes_ahead() {
    const MINUTE: u64 = 60_000;
    const DAY: u64 = 24 * 60 * MINUTE;
    for (millis, expected) in [
        (NOW, true),
        (NOW + 10 * MINUTE, true),
        (NOW + 10 * MINUTE + 1, false),
        (NOW - 14 * DAY, true),
        (NOW - 14 * DAY - 1, false),
        (u64::MAX, false),
    ] {
        assert_eq!(takes_timestamp(millis, NOW), expected, "{millis}");
    }
}

#[test]
fn the_labels_of_a_point_are_its_own_and_the_resources() {
    let origin = origin();
    let bytes = |dimensions| {
        origin.label_bytes(&datum("Latency", Kind::Counter, dimensions, &[(1.0, 1)]).key)
    };
    let none = bytes(&[]);
    // service.name, deployment.environment.name, k, the scope, the metric.
    assert!(none > "service.nameordersdeployment.environment.nameprodkvLatencyms".len());
    assert_eq!(bytes(&[("Pipeline", "sales"), ("A", "1")]), none + 15);
}
