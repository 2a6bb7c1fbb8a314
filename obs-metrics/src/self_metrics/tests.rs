//! What a collector says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::capture::Capture;
use crate::unit::Unit;
use crate::{MetricsCollector, emf};

const LONG: Duration = Duration::from_secs(10);

/// The own metrics of each document that has some: name to value.
fn own(capture: &Capture) -> Vec<BTreeMap<String, f64>> {
    let documents = capture.documents();
    let own = documents.iter().map(|document| {
        let own = document.metrics().filter(|metric| metric.name().starts_with("Obs"));
        own.map(|metric| {
            assert_eq!(metric.dimensions().collect::<Vec<_>>(), [("Service", "orders")]);
            (metric.name().to_owned(), metric.sum())
        })
        .collect::<BTreeMap<_, _>>()
    });
    own.filter(|own| !own.is_empty()).collect()
}

fn collector(capture: &Capture) -> MetricsCollector {
    capture.builder().self_metrics(true).series_per_metric(2).build().unwrap()
}

#[test]
fn a_flush_says_what_happened_since_the_last_one() {
    let capture = Capture::default();
    let metrics = collector(&capture);
    for id in ["a", "b", "c", "c"] {
        metrics.put_metric("A", 1.0, Unit::Count, &[("Id", id)]);
    }
    metrics.put_metric("A", f64::NAN, Unit::Count, &[]);
    metrics.put_metric(" ", 1.0, Unit::Count, &[]);
    drop(metrics.flush(LONG));
    let bytes_of = |lines: &[String]| -> usize {
        let not_own = lines.iter().filter(|line| !line.contains("ObsBytes"));
        not_own.map(|line| line.len() + 1).sum()
    };
    let first = capture.lines();
    let reasons: Vec<_> = first.iter().filter(|line| line.contains("ObsValuesDropped")).collect();
    assert_eq!(reasons.len(), 1);
    assert!(
        reasons[0].contains(r#""values_out_of_range":1,"values_without_name":1"#),
        "{reasons:?}"
    );
    metrics.put_metric("A", 1.0, Unit::Count, &[("Id", "a")]);
    drop(metrics.flush(LONG));
    let second = capture.lines();
    let [one, two] = own(&capture).try_into().unwrap();
    let expected = |names: &[(&str, f64)]| -> BTreeMap<String, f64> {
        names.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    };
    // The lines that tell of losses come after the document, and count in the next one.
    let documents_before = first.iter().take_while(|line| emf::is_emf(line)).cloned();
    let before: Vec<String> = documents_before.collect();
    assert_eq!(
        one,
        expected(&[
            ("ObsBytes", bytes_of(&before) as f64),
            ("ObsDeliveriesLost", 0.0),
            ("ObsQueueDepth", 0.0),
            ("ObsValuesDropped", 2.0),
            ("ObsValuesInOverflow", 2.0),
            ("ObsValuesRecorded", 6.0),
        ])
    );
    assert!(two["ObsFlushTime"] >= 0.0);
    assert_eq!(two["ObsValuesRecorded"], 1.0);
    assert_eq!((two["ObsValuesDropped"], two["ObsValuesInOverflow"]), (0.0, 0.0));
    assert_eq!(two["ObsBytes"], (bytes_of(&second) - bytes_of(&before)) as f64);
    let stats = metrics.stats();
    assert_eq!(stats.values, 7, "its own values are not counted");
    assert_eq!(stats.bytes, capture.text().len() as u64);
}

#[test]
fn a_flush_with_nothing_to_say_says_nothing() {
    let capture = Capture::default();
    let metrics = collector(&capture);
    for _ in 0..3 {
        drop(metrics.flush(LONG));
    }
    assert_eq!(capture.lines().len(), 0);
    metrics.event().put("A", 1.0, Unit::Count);
    for _ in 0..3 {
        drop(metrics.flush(LONG));
    }
    assert_eq!(capture.lines().len(), 2);
    drop(metrics);
    assert_eq!((capture.lines().len(), own(&capture).len()), (2, 1));
}

#[test]
fn the_last_handle_says_what_is_left_to_say() {
    let capture = Capture::default();
    let metrics = collector(&capture);
    metrics.put_metric("A", 1.0, Unit::Count, &[]);
    drop(metrics);
    assert_eq!(own(&capture)[0]["ObsValuesRecorded"], 1.0);
}

#[test]
fn own_metrics_are_off_by_default_and_in_the_preview_where_they_are_on() {
    let capture = Capture::default();
    let metrics = capture.collector();
    metrics.put_metric("A", 1.0, Unit::Count, &[]);
    drop(metrics.flush(LONG));
    assert_eq!((own(&capture).len(), metrics.preview().len()), (0, 1));
    assert_eq!(collector(&Capture::default()).preview().len(), 7);
}

#[test]
fn scenario_16_the_stream_is_told_once_of_a_metric_with_too_many_series() {
    let capture = Capture::default();
    let metrics = capture.builder().series_per_metric(1).build().unwrap();
    let put = |name: &str, id: &str| metrics.put_metric(name, 1.0, Unit::Count, &[("Id", id)]);
    let told = || -> Vec<String> {
        drop(metrics.flush(LONG));
        let lines = capture.lines().into_iter();
        lines.filter(|line| !emf::is_emf(line) && line.contains("budget")).collect()
    };
    put("A", "a");
    assert_eq!(told().len(), 0);
    (0..3).for_each(|n| put("A", &n.to_string()));
    assert_eq!(told().len(), 1);
    put("A", "again");
    assert_eq!(told().len(), 1);
    put("B", "a");
    put("B", "b");
    insta::assert_snapshot!(told()[1], @r#"{"level":"WARN","message":"metrics have more series than their budget","values_in_overflow":5,"metrics_in_overflow":2,"metrics":["A","B"]}"#);
    let health = metrics.health();
    assert_eq!((health.stats.values_in_overflow, health.series, health.flushes), (5, 4, 4));
    assert!(obs_core::health::counted(obs_core::health::Event::SeriesOverflow) >= 5);
}

#[test]
fn a_queue_that_waits_is_seen() {
    /// Blocks until it is let go.
    struct Gate(std::sync::mpsc::Receiver<()>);
    impl std::io::Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _closed = self.0.recv();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (open, gate) = std::sync::mpsc::channel();
    let metrics = MetricsCollector::builder()
        .sink(crate::Sink::writer(Gate(gate)).queued())
        .enabled(true)
        .build()
        .unwrap();
    for n in 0..3 {
        metrics.event().put("A", f64::from(n), Unit::Count);
    }
    let report = metrics.flush(Duration::from_millis(20));
    assert!(!report.is_complete());
    let health = metrics.health();
    assert_eq!((health.queued(), health.lost(), health.flushes), (3, 0, 1));
    assert!(health.queued_bytes() > 300, "{health}");
    assert!(health.last_flush >= Some(Duration::from_millis(20)), "{health}");
    drop(open);
    assert!(metrics.flush(LONG).is_complete());
    let health = metrics.health();
    assert_eq!((health.queued(), health.flushes), (0, 2));
    assert!(health.longest_flush >= health.last_flush);
    assert!(health.to_string().contains("2 flushes"), "{health}");
}
