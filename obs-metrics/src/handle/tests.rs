//! What registered metrics send.

use std::time::Duration;

use crate::capture::Capture;
use crate::{Error, MetricsCollector, Unit};

const LONG: Duration = Duration::from_secs(10);

#[test]
fn registered_metrics_are_one_document_per_flush() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let processed = metrics.counter("ProcessedRecords").dimension("Pipeline", "sales");
    let processed = processed.register().unwrap();
    let latency = metrics.histogram("Latency").unit(Unit::Milliseconds).high_resolution();
    let latency = latency.register().unwrap();
    let depth = metrics.gauge("QueueDepth").register().unwrap();
    processed.add(250);
    processed.clone().increment();
    latency.record(12.75);
    latency.record_n(3.0, 2);
    depth.set(99.0);
    depth.set(17.0);
    depth.add(-2.0);
    assert!(metrics.flush(LONG).is_complete());
    insta::assert_snapshot!(capture.text(), @r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"App","Dimensions":[["Pipeline","Service"]],"Metrics":[{"Name":"ProcessedRecords","Unit":"Count"}]},{"Namespace":"App","Dimensions":[["Service"]],"Metrics":[{"Name":"QueueDepth"},{"Name":"Latency","Unit":"Milliseconds","StorageResolution":1}]}]},"level":"INFO","message":"metrics","Pipeline":"sales","Service":"orders","ProcessedRecords":251,"QueueDepth":15,"Latency":{"Values":[3,12.75],"Counts":[2,1]}}"#);
    assert_eq!(capture.documents().len(), 1);
    // Nothing that was not recorded again.
    assert_eq!(metrics.flush(LONG).delivered(), 0);
    processed.add(1);
    depth.add(1.0);
    drop(metrics.flush(LONG));
    let values = &capture.values()[3..];
    let expected = [("ProcessedRecords", 1.0), ("QueueDepth", 16.0)];
    assert_eq!(values, expected.map(|(name, value)| (name.to_owned(), vec![(value, 1.0)])));
}

#[test]
fn what_is_registered_twice_is_one_metric() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let counter = |pipeline: &str, unit| {
        metrics.counter("A").unit(unit).dimension("Pipeline", pipeline).register().unwrap()
    };
    counter("x", Unit::Count).add(1);
    counter("x", Unit::Count).add(2);
    counter("y", Unit::Count).add(4);
    counter("x", Unit::Bytes).add(8);
    drop(metrics.flush(LONG));
    let mut values: Vec<f64> = capture.values().iter().map(|(_, values)| values[0].0).collect();
    values.sort_by(f64::total_cmp);
    assert_eq!(values, [3.0, 4.0, 8.0]);
}

#[test]
fn what_a_dropped_handle_recorded_is_sent_and_its_series_forgotten() {
    let capture = Capture::default();
    let metrics = capture.collector();
    for n in 0..3 {
        let counter = metrics.counter("A").dimension("N", n.to_string()).register().unwrap();
        counter.add(1);
    }
    drop(metrics.flush(LONG));
    assert_eq!(capture.values().len(), 3);
    let again = metrics.counter("A").dimension("N", "0").register().unwrap();
    again.add(7);
    // The handle keeps the collector: what it recorded leaves with it.
    drop(metrics);
    assert_eq!(capture.values().len(), 3);
    drop(again);
    assert_eq!(capture.values()[3], ("A".to_owned(), vec![(7.0, 1.0)]));
}

#[test]
fn scenario_23_values_that_cloudwatch_does_not_take_are_dropped() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let histogram = metrics.histogram("H").register().unwrap();
    let gauge = metrics.gauge("G").register().unwrap();
    for value in [f64::NAN, f64::INFINITY, 1e300, 5.0] {
        histogram.record(value);
        gauge.set(value);
    }
    drop(metrics.flush(LONG));
    assert_eq!(capture.values().len(), 2);
    gauge.set(crate::limits::MAX_VALUE);
    gauge.add(crate::limits::MAX_VALUE);
    drop(metrics.flush(LONG));
    assert_eq!(capture.values().len(), 2);
    let stats = metrics.stats();
    assert_eq!((stats.values, stats.values_out_of_range), (9, 7));
}

#[test]
fn scenario_16_registered_series_beyond_the_budget_are_one() {
    let capture = Capture::default();
    let metrics = capture.builder().series_per_metric(2).build().unwrap();
    for id in ["a", "b", "c", "d"] {
        metrics.counter("A").dimension("Id", id).register().unwrap().add(1);
    }
    drop(metrics.flush(LONG));
    let found: Vec<(String, f64)> = capture
        .documents()
        .iter()
        .flat_map(|document| document.metrics())
        .map(|metric| (metric.dimension("Id").unwrap().to_owned(), metric.sum()))
        .collect();
    let expected = [("a", 1.0), ("b", 1.0), (crate::OVERFLOW, 2.0)];
    assert_eq!(found, expected.map(|(id, sum)| (id.to_owned(), sum)));
    assert_eq!(metrics.stats().values_in_overflow, 1);
}

#[test]
fn scenario_17_a_histogram_that_is_never_drained_stays_bounded() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let histogram = metrics.histogram("H").register().unwrap();
    let (mut sum, mut state) = (0.0, 1_u64);
    for _ in 0..300_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let value = (state >> 40) as f64 / 1000.0;
        sum += value;
        histogram.record(value);
    }
    drop(metrics.flush(LONG));
    let documents = capture.documents();
    let metric = documents[0].metrics().next().unwrap();
    assert!(documents.len() == 1 && metric.values().len() <= 100, "{}", metric.values().len());
    assert_eq!(metric.count(), 300_000.0);
    assert!((metric.sum() / sum - 1.0).abs() < 1e-9);
}

#[test]
fn a_timer_records_in_its_unit_also_after_a_panic() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let timer = metrics.timer("T").unit(Unit::Milliseconds).register().unwrap();
    timer.record(Duration::from_micros(1_275));
    drop(metrics.flush(LONG));
    assert_eq!(capture.values()[0], ("T".to_owned(), vec![(1.275, 1.0)]));
    timer.start().discard();
    assert_eq!(timer.time(|| 7), 7);
    let stopped = timer.start().stop();
    let panicked = std::panic::catch_unwind(|| {
        timer.time(|| std::panic::resume_unwind(Box::new(())));
    });
    assert!(panicked.is_err());
    drop(metrics.flush(LONG));
    let documents = capture.documents();
    let metric = documents[1].metrics().next().unwrap();
    assert_eq!((metric.count(), metric.unit()), (3.0, Unit::Milliseconds));
    assert!(metric.sum() >= stopped.as_secs_f64() * 1e3);
}

#[test]
fn what_is_wrong_is_an_error_when_it_is_registered() {
    let capture = Capture::default();
    for metrics in [capture.collector(), MetricsCollector::disabled()] {
        let check = |result: Result<crate::Counter, Error>, is: fn(&Error) -> bool, text: &str| {
            let error = result.unwrap_err();
            assert!(is(&error) && error.to_string() == text, "{error}");
        };
        let name = |name: &str| metrics.counter(name).register();
        check(
            name(" "),
            Error::is_metric,
            r#"the metric " " has no character that is not a space"#,
        );
        check(
            name("level"),
            Error::is_metric,
            r#"the metric "level" is a key that log lines have"#,
        );
        check(
            name("a\nb"),
            Error::is_metric,
            r#"the metric "a\nb" has control characters or line separators"#,
        );
        let with = |name: &str, value: &str| metrics.counter("A").dimension(name, value).register();
        check(
            with(":a", "b"),
            Error::is_dimension,
            r#"the dimension ":a": its name begins with a colon"#,
        );
        check(
            with("a", ""),
            Error::is_dimension,
            r#"the dimension "a": its value "" has no character that is not a space"#,
        );
        let timer = metrics.timer("T").unit(Unit::Bytes).register().unwrap_err();
        assert!(timer.is_metric(), "{timer}");
    }
    let metrics = capture.collector();
    let own = metrics.counter("Service").register().unwrap_err();
    assert_eq!(own.to_string(), r#"the metric "Service" is the name of one of its dimensions"#);
    let many =
        (0..30).fold(metrics.counter("A"), |builder, n| builder.dimension(format!("D{n}"), "x"));
    assert!(many.register().unwrap_err().is_too_many_dimensions());
}

#[test]
fn scenario_1_what_is_recorded_while_others_flush_is_sent_once() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let counter = metrics.counter("C").register().unwrap();
    let histogram = metrics.histogram("H").register().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (counter, histogram) = (counter.clone(), histogram.clone());
            scope.spawn(move || {
                for _ in 0..20_000 {
                    counter.increment();
                    histogram.record(f64::from(thread));
                }
            });
        }
        for _ in 0..50 {
            drop(metrics.flush(LONG));
        }
    });
    drop(metrics.flush(LONG));
    let (mut count, mut observed) = (0.0, 0.0);
    for metric in capture.documents().iter().flat_map(|document| document.metrics()) {
        match metric.name() {
            "C" => count += metric.sum(),
            _ => observed += metric.count(),
        }
    }
    assert_eq!((count, observed), (80_000.0, 80_000.0));
}

#[test]
fn scenario_26_a_clock_that_steps_back_makes_no_duration_negative() {
    let capture = Capture::default();
    let clock = std::sync::Arc::new(obs_core::clock::ManualClock::at_millis(crate::capture::NOW));
    let metrics = capture.builder().clock(Shared(std::sync::Arc::clone(&clock))).build().unwrap();
    let timer = metrics.timer("T").register().unwrap();
    let running = timer.start();
    clock.set(crate::capture::now() - Duration::from_secs(3600));
    assert!(running.stop() < LONG);
    metrics.record_processing_time("sales", Duration::ZERO);
    drop(metrics.flush(LONG));
    let documents = capture.documents();
    assert_eq!(documents[0].timestamp(), crate::capture::now() - Duration::from_secs(3600));
    let metrics: Vec<_> = documents.iter().flat_map(|document| document.metrics()).collect();
    assert!(metrics.len() == 2 && metrics.iter().all(|metric| metric.sum() >= 0.0));

    #[derive(Debug)]
    struct Shared(std::sync::Arc<obs_core::clock::ManualClock>);
    impl obs_core::clock::Clock for Shared {
        fn now(&self) -> std::time::SystemTime {
            self.0.now()
        }
    }
}

#[test]
fn scenario_11_what_is_recorded_after_a_shutdown_is_counted_as_lost() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let counter = metrics.counter("C").register().unwrap();
    counter.add(1);
    assert_eq!(metrics.shutdown(LONG).delivered(), 1);
    counter.add(2);
    metrics.event().put("A", 1.0, Unit::Count);
    let report = metrics.flush(LONG);
    assert_eq!((report.delivered(), report.dropped()), (0, 2), "{report}");
    assert_eq!(capture.values(), [("C".to_owned(), vec![(1.0, 1.0)])]);
}
