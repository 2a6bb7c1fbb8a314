//! What arrives.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, NumberDataPoint, Sum, metric, number_data_point,
};

use super::server::Collector;
use super::*;
use crate::MetricsCollector;

const NANOS: u64 = NOW * 1_000_000;
const DELTA: i32 = AggregationTemporality::Delta as i32;

fn attributes(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    let attribute = |(key, value): &(&str, &str)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue((*value).to_owned())) }),
        ..KeyValue::default()
    };
    pairs.iter().map(attribute).collect()
}

fn value(point: &NumberDataPoint) -> f64 {
    match point.value {
        Some(number_data_point::Value::AsDouble(value)) => value,
        other => panic!("{other:?}"),
    }
}

fn sum_of(metric: &Metric) -> &Sum {
    match &metric.data {
        Some(metric::Data::Sum(sum)) => sum,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_kind_arrives_as_it_was_recorded() {
    let collector = Collector::accepting();
    let outputs = start(Otlp::new(collector.url()));
    push(
        &outputs,
        &[
            datum("Processed", Kind::Counter, Unit::Count, &[(250.0, 1)]),
            datum("Depth", Kind::Gauge, Unit::None, &[(17.0, 1)]),
            datum(
                "Latency",
                Kind::Distribution,
                Unit::Milliseconds,
                &[(12.75, 3), (0.1, 2), (-1.5, 1), (0.0, 4)],
            ),
        ],
    );
    check(&flush(&outputs, LONG), 3, &[]);
    let request = collector.request();
    assert_eq!(request.line, "POST /v1/metrics HTTP/1.1");
    let metrics = request.metrics();

    let (processed, sum) = (&metrics["Processed"], sum_of(&metrics["Processed"]));
    assert_eq!(processed.unit, "{count}");
    assert!(sum.is_monotonic);
    assert_eq!(sum.aggregation_temporality, DELTA);
    assert_eq!(sum.data_points.len(), 1);
    let point = &sum.data_points[0];
    assert_eq!(value(point), 250.0);
    assert_eq!(point.time_unix_nano, NANOS);
    assert_eq!(point.attributes, attributes(&[("Pipeline", "sales")]));

    let Some(metric::Data::Gauge(gauge)) = &metrics["Depth"].data else { panic!("{metrics:?}") };
    assert_eq!(metrics["Depth"].unit, "");
    assert_eq!((value(&gauge.data_points[0]), gauge.data_points[0].time_unix_nano), (17.0, NANOS));

    let Some(metric::Data::ExponentialHistogram(histogram)) = &metrics["Latency"].data else {
        panic!("{metrics:?}")
    };
    assert_eq!(metrics["Latency"].unit, "ms");
    assert_eq!(histogram.aggregation_temporality, DELTA);
    let point = &histogram.data_points[0];
    assert_eq!((point.count, point.zero_count), (10, 4));
    assert_eq!((point.min, point.max), (Some(-1.5), Some(12.75)));
    assert_eq!(point.sum, Some(12.75 * 3.0 + 0.2 - 1.5));
    assert_eq!(point.time_unix_nano, NANOS);
    let in_buckets =
        |buckets: &Option<Buckets>| buckets.as_ref().unwrap().bucket_counts.iter().sum::<u64>();
    assert_eq!((in_buckets(&point.positive), in_buckets(&point.negative)), (5, 1));
}

#[test]
fn temporality_is_delta_and_intervals_follow_one_another() {
    let collector = Collector::accepting();
    let clock = SharedClock::at_now();
    let outputs = start_with(Otlp::new(collector.url()), &clock);
    for (n, added) in (1_u64..=3).zip([5.0, 7.0, 11.0]) {
        clock.0.advance(Duration::from_millis(1));
        let mut datum = count(added);
        datum.timestamp_millis = NOW + n;
        push(&outputs, &[datum]);
        check(&flush(&outputs, LONG), 1, &[]);
    }
    let points: Vec<_> = collector
        .requests()
        .iter()
        .map(|request| {
            let point = sum_of(&request.metrics()["Processed"]).data_points[0].clone();
            (value(&point), point.start_time_unix_nano, point.time_unix_nano)
        })
        .collect();
    // What was added since the time before, not the sum of all.
    let at = |millis: u64| NANOS + millis * 1_000_000;
    assert_eq!(points, [(5.0, at(0), at(1)), (7.0, at(1), at(2)), (11.0, at(2), at(3))]);
}

#[test]
fn a_collector_sends_what_was_recorded_with_the_one_interface() {
    let server = Collector::accepting();
    let metrics = MetricsCollector::builder()
        .namespace("Application/DataPipeline")
        .service("orders")
        .dimension("Environment", "dev")
        .dimension_set(&["Service"])
        .sink(Otlp::new(server.url()).resource_attribute("team", "core").into())
        .enabled(true)
        .build()
        .unwrap();
    let before = obs_core::clock::millis_since_epoch(std::time::SystemTime::now()) * 1_000_000;
    std::thread::sleep(Duration::from_millis(5));
    metrics.put_metric("ProcessedRecords", 250.0, Unit::Count, &[("Pipeline", "sales")]);
    metrics.put_metric("ProcessedRecords", 50.0, Unit::Count, &[("Pipeline", "sales")]);
    let mut work = metrics.event();
    work.dimension("Pipeline", "sales");
    work.put("ProcessingDuration", 1.275, Unit::Seconds);
    work.property("OrderId", "4711");
    work.emit();
    let report = metrics.flush(LONG);
    assert!(report.is_complete(), "{report:?}");

    let request = server.request();
    let decoded = request.decode();
    let from = &decoded.resource_metrics[0];
    assert_eq!(
        from.resource.as_ref().unwrap().attributes,
        attributes(&[
            ("service.name", "orders"),
            ("deployment.environment.name", "dev"),
            ("team", "core")
        ])
    );
    let scope = from.scope_metrics[0].scope.as_ref().unwrap();
    assert_eq!(scope.name, "Application/DataPipeline");
    let metrics = request.metrics();
    for (name, unit, count, sum) in
        [("ProcessedRecords", "{count}", 2, 300.0), ("ProcessingDuration", "s", 1, 1.275)]
    {
        let Some(metric::Data::ExponentialHistogram(histogram)) = &metrics[name].data else {
            panic!("{metrics:?}")
        };
        // A further set of dimensions is no further point.
        let [point] = histogram.data_points.as_slice() else { panic!("{histogram:?}") };
        assert_eq!(metrics[name].unit, unit);
        assert_eq!((point.count, point.sum), (count, Some(sum)));
        assert!(point.start_time_unix_nano >= before - 60_000_000_000, "{point:?}");
        assert!(point.start_time_unix_nano > 0 && point.time_unix_nano > before, "{point:?}");
        assert!(point.start_time_unix_nano < point.time_unix_nano, "{point:?}");
        assert_eq!(
            point.attributes,
            attributes(&[("Environment", "dev"), ("Pipeline", "sales"), ("Service", "orders")])
        );
    }
}

#[test]
fn requests_are_compressed_unless_it_is_switched_off_and_carry_the_given_headers() {
    for gzip in [true, false] {
        let collector = Collector::accepting();
        let otlp = Otlp::new(collector.url()).gzip(gzip).header("Api-Key", "4711");
        assert!(!format!("{otlp:?}").contains("4711"));
        let outputs = start(otlp);
        push(&outputs, &vec![count(1.0); 500]);
        check(&flush(&outputs, LONG), 500, &[]);
        let points: usize = collector.requests().iter().map(|request| request.points()).sum();
        assert_eq!(points, 500);
        for request in collector.requests() {
            assert_eq!(request.headers.contains_key("content-encoding"), gzip);
            assert_eq!(request.headers["api-key"], "4711");
            assert!(request.headers["user-agent"].starts_with("obs-metrics/"));
            assert!(!request.headers.contains_key("authorization"));
        }
    }
}

#[test]
fn scenario_24_2500_points_are_three_requests_at_least_and_none_is_lost() {
    let collector = Collector::accepting();
    let outputs = start(Otlp::new(collector.url()));
    let name = |n| format!("Metric{n:04}");
    let data: Vec<_> =
        (0..2_500).map(|n| datum(&name(n), Kind::Counter, Unit::Count, &[(1.0, 1)])).collect();
    push(&outputs, &data);
    check(&flush(&outputs, LONG), 2_500, &[]);
    let requests = collector.requests();
    let points: Vec<_> = requests.iter().map(server::Request::points).collect();
    assert_eq!(points.iter().sum::<usize>(), 2_500);
    // The worker takes what there is when it wakes: then these are of two batches.
    assert!((3..=4).contains(&requests.len()), "{points:?}");
    let names: std::collections::HashSet<_> =
        requests.iter().flat_map(|request| request.metrics().into_keys()).collect();
    assert_eq!(names.len(), 2_500);
}

#[test]
fn a_wrong_address_is_an_error_of_build() {
    for (sink, expected) in [
        (Sink::otlp("127.0.0.1:4318"), "begin with http://"),
        (Sink::otlp("https://me:hunter2@example.com"), "header"),
        (Otlp::new("http://127.0.0.1").header("host", "x").into(), "own"),
        (Otlp::new("http://127.0.0.1").resource_attribute("k", "x".repeat(20_000)).into(), "bytes"),
        (Sink::tee([Sink::null(), Sink::otlp("ftp://example.com")]), "ftp"),
    ] {
        let error = MetricsCollector::builder()
            .namespace("App")
            .sink(sink)
            .enabled(true)
            .build()
            .unwrap_err();
        assert!(error.is_sink() && error.to_string().contains(expected), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
