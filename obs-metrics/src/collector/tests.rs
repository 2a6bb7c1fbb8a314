//! What a collector writes, document by document.

use std::collections::BTreeSet;

use obs_core::ids::{SpanId, TraceId, TraceParent};

use super::*;
use crate::capture::Capture;
use crate::{BusinessMetricsTracker, Sink};

const LONG: Duration = Duration::from_secs(10);

fn request(id: &str) -> RequestContext {
    RequestContext::builder().request_id(id).build()
}

#[test]
fn what_is_put_is_aggregated_until_the_flush() {
    let capture = Capture::default();
    let metrics = capture.collector();
    metrics.put_metric("ProcessedRecords", 250.0, Unit::Count, &[("Pipeline", "sales")]);
    metrics.put_metric("ProcessedRecords", 250.0, Unit::Count, &[("Pipeline", "sales")]);
    metrics.put_metric("ProcessedRecords", 7.5, Unit::Count, &[("Pipeline", "sales")]);
    metrics.put_metric("Errors", 1.0, Unit::None, &[]);
    assert_eq!(capture.text(), "");
    let report = metrics.flush(LONG);
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.delivered(), 1);
    insta::assert_snapshot!(capture.text(), @r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"App","Dimensions":[["Pipeline","Service"]],"Metrics":[{"Name":"ProcessedRecords","Unit":"Count"}]},{"Namespace":"App","Dimensions":[["Service"]],"Metrics":[{"Name":"Errors"}]}]},"level":"INFO","message":"metrics","Pipeline":"sales","Service":"orders","ProcessedRecords":{"Values":[250,7.5],"Counts":[2,1]},"Errors":1}"#);
    capture.documents();
    assert_eq!(metrics.flush(LONG).delivered(), 0);
    let stats = metrics.stats();
    assert_eq!((stats.values, stats.lines, stats.values_dropped()), (4, 1, 0));
}

#[test]
fn pipelines_and_business_have_their_names_units_and_dimensions() {
    let capture = Capture::default();
    let metrics = capture.collector();
    metrics.record_processing_time("sales-pipeline", Duration::from_millis(1275));
    metrics.record_data_quality_score("sales-pipeline", 98.6);
    metrics.record_business_metric("RevenuePerHour", 1250.0, "retail");
    let business = BusinessMetricsTracker::new(metrics.clone());
    business.track_revenue_impact("sales-pipeline", 1250.0);
    business.track_cost_efficiency("sales-pipeline", 1_000, 12.5);
    business.track_cost_efficiency("idle-pipeline", 0, 3.0);
    drop(metrics.flush(LONG));
    let documents = capture.documents();
    let found: Vec<String> = documents
        .iter()
        .flat_map(|document| document.metrics())
        .map(|metric| {
            let dimensions: Vec<_> = metric.dimensions().map(|(k, v)| format!("{k}={v}")).collect();
            format!("{} {} {} {}", metric.name(), metric.sum(), metric.unit(), dimensions.join(" "))
        })
        .collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    ProcessingDuration 1.275 Seconds Pipeline=sales-pipeline Service=orders
    DataQualityScore 98.6 Percent Pipeline=sales-pipeline Service=orders
    RevenueImpact 1250 None Pipeline=sales-pipeline Service=orders
    CostPerRecord 0.0125 None Pipeline=sales-pipeline Service=orders
    ProcessingCost 12.5 None Pipeline=sales-pipeline Service=orders
    RevenuePerHour 1250 Count BusinessUnit=retail Service=orders
    CostPerRecord 0 None Pipeline=idle-pipeline Service=orders
    ProcessingCost 3 None Pipeline=idle-pipeline Service=orders
    "#);
}

#[test]
fn scenario_23_values_that_cloudwatch_does_not_take_are_dropped_and_their_siblings_kept() {
    let capture = Capture::default();
    let metrics = capture.collector();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e109, -1e109, 7.0] {
        metrics.put_metric("A", value, Unit::Count, &[]);
    }
    metrics.put_metric("B", f64::NAN, Unit::Count, &[]);
    drop(metrics.flush(LONG));
    assert_eq!(capture.values(), [("A".to_owned(), vec![(7.0, 1.0)])]);
    let stats = metrics.stats();
    assert_eq!((stats.values, stats.values_out_of_range), (7, 6));
    // The stream itself says so, once.
    insta::assert_snapshot!(capture.log_lines().join("\n"), @r#"{"level":"WARN","message":"metric values were dropped","values_dropped":6,"values_out_of_range":6}"#);
    drop(metrics.flush(LONG));
    assert_eq!(capture.log_lines().len(), 1);
}

#[test]
fn scenario_24_what_exceeds_one_document_goes_into_several() {
    let capture = Capture::default();
    let metrics = capture.collector();
    for n in 0..101 {
        metrics.put_metric(&format!("M{n}"), 1.0, Unit::Count, &[]);
        metrics.put_metric("Values", f64::from(n), Unit::Count, &[]);
    }
    drop(metrics.flush(LONG));
    let counts: Vec<usize> = capture.documents().iter().map(|d| d.metrics().count()).collect();
    assert_eq!(counts, [100, 3]);
    let values: Vec<f64> = capture
        .values()
        .into_iter()
        .filter(|(name, _)| name == "Values")
        .flat_map(|(_, values)| values.into_iter().map(|(value, _)| value))
        .collect();
    assert_eq!(values, (0..101).map(f64::from).collect::<Vec<_>>());
}

#[test]
fn scenario_24_the_31st_dimension_is_left_out_and_counted() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let names: Vec<String> = (0..31).map(|n| format!("D{n:02}")).collect();
    let dimensions: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
    metrics.put_metric("A", 1.0, Unit::Count, &dimensions);
    drop(metrics.flush(LONG));
    let document = &capture.documents()[0];
    assert_eq!(document.metrics().next().unwrap().dimensions().len(), 30);
    assert_eq!(metrics.stats().dimensions_left_out, 2);
}

#[test]
fn scenario_28_whatever_is_in_a_name_a_document_is_one_line() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let nasty = "a\r\nb\u{1b}[31m\u{85}\u{2028}\u{7f}\"\\\u{0}";
    metrics.put_metric(nasty, 1.0, Unit::Count, &[(nasty, nasty)]);
    let context = RequestContext::builder().request_id(nasty).correlation_id(nasty).build();
    let entered = context.enter();
    let mut event = metrics.event();
    event.dimension(nasty, nasty).put(nasty, 1.0, Unit::Count);
    event.property(nasty, nasty).message(nasty).emit();
    drop(entered);
    drop(metrics.flush(LONG));
    assert_eq!(capture.documents().len(), 2);
    let text = capture.text();
    assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{2028}'), "{text:?}");
}

#[test]
fn documents_keep_the_size_that_was_asked_for() {
    let capture = Capture::default();
    let metrics =
        capture.builder().document_bytes(crate::limits::MIN_DOCUMENT_BYTES).build().unwrap();
    let long = |n: usize| format!("{n}{}", "\"".repeat(240));
    let names: Vec<String> = (0..28).map(long).collect();
    let value = "\\".repeat(1024);
    let dimensions: Vec<_> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
    for n in 0..200 {
        metrics.put_metric(&long(n), 0.1 + n as f64, Unit::KilobytesPerSecond, &dimensions);
        metrics.put_metric(&format!("M{n}"), 0.1, Unit::KilobytesPerSecond, &[]);
        for k in 0..100 {
            metrics.put_metric("Many", 1e-300 * f64::from(k), Unit::None, &[("N", &n.to_string())]);
        }
    }
    drop(metrics.flush(LONG));
    let count: f64 = capture.documents().iter().flat_map(|d| d.metrics()).map(|m| m.count()).sum();
    assert_eq!(count, 20_400.0);
    let longest = capture.lines().iter().map(String::len).max().unwrap();
    assert!(longest <= crate::limits::MIN_DOCUMENT_BYTES && longest > 64 * 1024, "{longest}");
}

#[test]
fn an_invocations_metrics_leave_with_its_ids_when_it_is_finished() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let trace = TraceParent {
        trace_id: TraceId::from_xray("1-5759e988-bd862e3fe1be46a994272793").unwrap(),
        parent_id: SpanId::from_u64(1),
        sampled: Some(true),
    };
    let context = RequestContext::builder()
        .request_id("8f5c")
        .correlation_id("order-17")
        .cold_start(true)
        .trace(trace)
        .build();
    let entered = context.enter();
    metrics.put_metric("ProcessedRecords", 250.0, Unit::Count, &[("Pipeline", "sales")]);
    drop(entered);
    metrics.put_metric("Outside", 1.0, Unit::Count, &[]);
    metrics.finish_invocation(&context);
    insta::assert_snapshot!(capture.text(), @r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"App","Dimensions":[["Pipeline","Service"]],"Metrics":[{"Name":"ProcessedRecords","Unit":"Count"}]}]},"level":"INFO","message":"metrics","correlation_id":"order-17","function_request_id":"8f5c","cold_start":true,"trace_id":"5759e988bd862e3fe1be46a994272793","xray_trace_id":"1-5759e988-bd862e3fe1be46a994272793","Pipeline":"sales","Service":"orders","ProcessedRecords":250}"#);
    // Nothing twice, and what comes late is a document of its own with the same ids.
    metrics.finish_invocation(&context);
    assert_eq!(capture.documents().len(), 1);
    context.wrap(|| metrics.put_metric("Late", 1.0, Unit::Count, &[]))();
    drop(context);
    assert_eq!(capture.documents().len(), 2);
    assert!(capture.lines()[1].contains(r#""function_request_id":"8f5c""#));
    assert!(capture.lines()[1].contains(r#""Late":1"#));
    drop(metrics.flush(LONG));
    assert!(capture.lines()[2].contains(r#""Outside":1"#) && !capture.lines()[2].contains("8f5c"));
}

#[test]
fn a_flush_outside_of_invocations_takes_those_that_are_open() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let contexts = [request("a"), request("b")];
    for context in &contexts {
        context.wrap(|| metrics.put_metric("A", 1.0, Unit::Count, &[]))();
    }
    drop(metrics.flush(LONG));
    let lines = capture.lines();
    assert!(lines.len() == 2 && lines[0].contains(r#""a""#) && lines[1].contains(r#""b""#));
}

#[test]
fn what_is_aggregated_leaves_after_the_interval() {
    let capture = Capture::default();
    let every = Duration::from_millis(5);
    let metrics = capture.builder().flush_interval(every).build().unwrap();
    let counter = metrics.counter("C").register().unwrap();
    for n in 1..3 {
        counter.add(1);
        metrics.put_metric("A", 1.0, Unit::Count, &[]);
        let begun = std::time::Instant::now();
        while capture.values().len() < 2 * n && begun.elapsed() < LONG {
            std::thread::sleep(every);
        }
        assert_eq!(capture.values().len(), 2 * n);
    }
    // The thread does not keep the collector.
    let weak = Arc::downgrade(metrics.inner.as_ref().unwrap());
    drop((counter, metrics));
    let begun = std::time::Instant::now();
    while weak.strong_count() > 0 && begun.elapsed() < LONG {
        std::thread::sleep(every);
    }
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn two_collectors_in_one_invocation_are_two() {
    let (one, two) = (Capture::default(), Capture::default());
    let (first, second) = (one.collector(), two.collector());
    let context = request("a");
    let entered = context.enter();
    first.put_metric("First", 1.0, Unit::Count, &[]);
    second.put_metric("Second", 1.0, Unit::Count, &[]);
    drop(entered);
    first.finish_invocation(&context);
    assert_eq!((one.lines().len(), two.lines().len()), (1, 0));
    // The last handle is dropped while the invocation is open.
    drop(second);
    assert_eq!(two.values(), [("Second".to_owned(), vec![(1.0, 1.0)])]);
    drop(context);
    assert_eq!((one.lines().len(), two.lines().len()), (1, 1));
}

#[test]
fn scenario_12_a_flood_of_series_is_emitted_before_it_grows() {
    let capture = Capture::default();
    let metrics = capture.builder().series_per_metric(50_000).build().unwrap();
    let context = RequestContext::builder().build();
    let entered = context.enter();
    for n in 0..3_000 {
        metrics.put_metric("A", 1.0, Unit::Count, &[("Id", &n.to_string())]);
    }
    drop(entered);
    assert_eq!(capture.documents().len(), 2_048);
    metrics.finish_invocation(&context);
    let ids: BTreeSet<String> = capture
        .documents()
        .iter()
        .flat_map(|d| {
            d.metrics().map(|m| m.dimension("Id").unwrap().to_owned()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(ids.len(), 3_000);
    // Outside of an invocation the table has sixteen parts of that size.
    for n in 3_000..43_000 {
        metrics.put_metric("A", 1.0, Unit::Count, &[("Id", &n.to_string())]);
    }
    let early = metrics.stats().lines - 3_000;
    assert!((40_000 - 16 * 2_048..40_000).contains(&early), "{early}");
    drop(metrics.flush(LONG));
    assert_eq!(metrics.stats().lines, 43_000);
}

#[test]
fn a_synchronous_writer_that_records_does_not_deadlock() {
    #[derive(Default)]
    struct Recording(std::sync::OnceLock<MetricsCollector>);
    struct Writer(Arc<Recording>);
    impl std::io::Write for Writer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if let Some(metrics) = self.0.0.get() {
                metrics.put_metric("A", 1.0, Unit::Count, &[]);
                metrics.event().put("B", 1.0, Unit::Count);
                drop(metrics.flush(LONG));
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let recording = Arc::new(Recording::default());
    let sink = Sink::writer(Writer(Arc::clone(&recording))).synchronous();
    let metrics = MetricsCollector::builder().sink(sink).enabled(true).build().unwrap();
    recording.0.set(metrics.clone()).unwrap();
    metrics.event().put("C", 1.0, Unit::Count);
    let report = metrics.shutdown(LONG);
    assert!(report.delivered() >= 1, "{report}");
    assert_eq!(report.pending(), 0, "{report}");
}

#[test]
fn a_disabled_collector_does_nothing() {
    for metrics in
        [MetricsCollector::disabled(), MetricsCollector::builder().enabled(false).build().unwrap()]
    {
        assert!(!metrics.is_enabled());
        metrics.put_metric("A", 1.0, Unit::Count, &[]);
        metrics.event().dimension("P", "x").put("A", 1.0, Unit::Count).property("q", 1).emit();
        metrics.finish_invocation(&request("a"));
        assert!(metrics.flush(LONG).is_complete());
        assert_eq!(metrics.stats(), Stats::default());
    }
}

#[test]
fn a_collector_can_be_shared_and_sent() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<MetricsCollector>();
    check::<BusinessMetricsTracker>();
    fn send<T: Send>(_: &T) {}
    let metrics = MetricsCollector::disabled();
    send(&metrics.event());
    send(&metrics.flush_async(LONG));
}
