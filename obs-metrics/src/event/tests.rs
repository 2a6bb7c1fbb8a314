//! What events write.

use obs_core::ids::{SpanId, TraceId};
use obs_core::redact::Redactor;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::*;
use crate::capture::{Capture, NOW, now};
use crate::limits::MIN_DOCUMENT_BYTES;
use std::time::Duration;

#[test]
fn an_event_is_a_document_and_a_log_line() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let mut work = metrics.event();
    work.message("Batch processing completed");
    work.dimension("Pipeline", "sales");
    work.put("ProcessingDuration", 1.275, Unit::Seconds);
    work.put("ProcessedRecords", 250.0, Unit::Count);
    work.property("OrderId", "4711").property("Retries", 2).property("Cached", true);
    work.property("password", "hunter2");
    work.emit();
    insta::assert_snapshot!(capture.text(), @r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"App","Dimensions":[["Service","Pipeline"]],"Metrics":[{"Name":"ProcessingDuration","Unit":"Seconds"},{"Name":"ProcessedRecords","Unit":"Count"}]}]},"level":"INFO","message":"Batch processing completed","Service":"orders","Pipeline":"sales","ProcessingDuration":1.275,"ProcessedRecords":250,"OrderId":"4711","Retries":2,"Cached":true,"password":"[REDACTED]"}"#);
    assert_eq!(capture.documents().len(), 1);
    drop(work);
    assert_eq!(capture.lines().len(), 1);
}

#[test]
fn scenario_41_secrets_in_messages_and_properties_are_replaced() {
    let capture = Capture::default();
    let metrics = capture.builder().redact(Redactor::standard()).build().unwrap();
    // The first is of a new shape, the second of a known one, the third has what its request appended.
    let request = RequestContext::builder().build();
    request.append("customer", "jane@example.com");
    for with_request in [false, false, true] {
        let _entered = with_request.then(|| request.enter());
        let mut work = metrics.event();
        work.message("mail to jane@example.com").put("A", 1.0, Unit::Count);
        work.property("url", "/x?token=8f5c&n=1").property("note", "plain").emit();
    }
    let lines = capture.lines();
    assert_eq!(lines.len(), 3);
    for line in &lines {
        assert!(line.contains(r#""message":"mail to [REDACTED]""#), "{line}");
        assert!(line.contains(r#""url":"/x?token=[REDACTED]&n=1","note":"plain""#), "{line}");
        assert!(!line.contains("jane"), "{line}");
    }
    assert!(lines[2].contains(r#""customer":"[REDACTED]""#), "{}", lines[2]);
}

#[test]
fn scenario_41_what_an_invocation_appended_is_searched() {
    let capture = Capture::default();
    let metrics = capture.builder().redact(Redactor::standard()).build().unwrap();
    let request = RequestContext::builder().request_id("8f5c").build();
    request.append("customer", "jane@example.com");
    let entered = request.enter();
    metrics.put_metric("A", 1.0, Unit::Count, &[]);
    drop(entered);
    metrics.finish_invocation(&request);
    let text = capture.text();
    assert!(text.contains(r#""customer":"[REDACTED]""#), "{text}");
}

#[test]
fn a_chain_on_a_temporary_is_emitted_at_the_end_of_its_statement() {
    let capture = Capture::default();
    let metrics = || capture.collector();
    metrics().event().put("ProcessedRecords", 250.0, Unit::Count);
    assert_eq!(capture.values(), [("ProcessedRecords".to_owned(), vec![(250.0, 1.0)])]);
    metrics().event().dimension("P", "x").put("A", 1.0, Unit::Count).emit();
    assert_eq!(capture.lines().len(), 2);
}

#[test]
fn the_last_value_of_a_dimension_or_property_wins() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let mut work = metrics.event();
    work.dimension("P", "a").dimension("P", "b").dimension("Service", "other");
    work.property("q", 1).property("q", "two").put("A", 1.0, Unit::Count);
    drop(work);
    let line = capture.text();
    assert!(line.contains(r#""P":"b""#) && line.contains(r#""Service":"other""#), "{line}");
    assert!(line.contains(r#""q":"two""#), "{line}");
    capture.documents();
}

#[test]
fn values_of_one_name_are_collected() {
    let capture = Capture::default();
    let metrics = capture.collector();
    metrics.event().put("A", 1.0, Unit::Count).put("A", 2.0, Unit::Count);
    metrics.event().put("A", 1.0, Unit::Count).put("A", 1.0, Unit::Count);
    let lines = capture.lines();
    assert!(lines[0].contains(r#""A":[1,2]"#), "{}", lines[0]);
    assert!(lines[1].contains(r#""A":{"Values":[1],"Counts":[2]}"#), "{}", lines[1]);
    capture.documents();
}

#[test]
fn scenario_24_a_large_event_becomes_several_documents() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let mut work = metrics.event();
    work.property("id", 7);
    for n in 0..250 {
        work.put(&format!("M{n}"), f64::from(n), Unit::Count);
        work.put("Values", f64::from(n), Unit::Count);
    }
    work.put("Values", 1.0, Unit::Bytes);
    drop(work);
    let counts: Vec<usize> = capture.documents().iter().map(|d| d.metrics().count()).collect();
    assert_eq!(counts, [100, 100, 52, 1, 1]);
    let total: f64 = capture.documents().iter().flat_map(|d| d.metrics()).map(|m| m.count()).sum();
    assert_eq!(total, 501.0);
    let with_property = capture.lines().iter().filter(|line| line.contains(r#""id":7"#)).count();
    assert_eq!(with_property, 1);
}

#[test]
fn scenario_24_the_31st_dimension_is_a_member_but_no_dimension() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let mut work = metrics.event();
    for n in 0..31 {
        work.dimension(&format!("D{n:02}"), "x");
    }
    work.put("A", 1.0, Unit::Count);
    drop(work);
    let document = &capture.documents()[0];
    assert_eq!(document.metrics().next().unwrap().dimensions().len(), 30);
    assert!(capture.text().contains(r#""D30":"x""#));
    assert_eq!(metrics.stats().dimensions_left_out, 2);
}

#[test]
fn scenario_25_an_event_out_of_the_window_is_a_log_line_that_says_so() {
    const HOUR: Duration = Duration::from_secs(3600);
    let capture = Capture::default();
    let metrics = capture.collector();
    let at = |time| {
        let mut work = metrics.event();
        work.timestamp(time).put("A", 1.0, Unit::Count).put("B", 2.0, Unit::Count).property("q", 1);
    };
    at(now() - 15 * 24 * HOUR);
    at(now() + 3 * HOUR);
    assert_eq!(capture.documents().len(), 0);
    assert_eq!(metrics.stats().values_out_of_window, 4);
    insta::assert_snapshot!(capture.log_lines()[0], @r#"{"level":"INFO","message":"metrics","metrics_refused":"timestamp_out_of_window","Service":"orders","A":1,"B":2,"q":1}"#);
    at(now() - 13 * 24 * HOUR);
    assert_eq!(capture.documents()[0].timestamp(), now() - 13 * 24 * HOUR);
}

#[test]
fn scenario_23_an_event_without_a_valid_value_is_a_log_line() {
    let capture = Capture::default();
    let metrics = capture.collector();
    metrics.event().put("A", f64::NAN, Unit::Count).put("B", 1.0, Unit::Count);
    assert_eq!(capture.values(), [("B".to_owned(), vec![(1.0, 1.0)])]);
    metrics.event().put("A", f64::INFINITY, Unit::Count).property("q", 1.5);
    assert_eq!(capture.log_lines().len(), 1);
    assert!(capture.log_lines()[0].contains(r#""q":1.5"#));
    drop(metrics.event());
    metrics.event().put("A", f64::NAN, Unit::Count);
    assert_eq!(capture.lines().len(), 2);
    assert_eq!(metrics.stats().values_out_of_range, 3);
}

#[test]
fn names_that_are_in_each_others_way_are_changed_and_counted() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let mut work = metrics.event();
    work.dimension("P", "x").dimension("P_", "y");
    work.put("P", 1.0, Unit::Count).put("Service", 2.0, Unit::Count).put("level", 3.0, Unit::Count);
    work.property("P", "property").property("Service", "property").property("message", "property");
    work.property("level", 1).property("_aws", 2);
    drop(work);
    insta::assert_snapshot!(capture.text(), @r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"App","Dimensions":[["P","P_","Service"]],"Metrics":[{"Name":"P__","Unit":"Count"},{"Name":"Service_","Unit":"Count"},{"Name":"level_","Unit":"Count"}]}]},"level":"INFO","message":"metrics","P":"x","P_":"y","Service":"orders","P__":1,"Service_":2,"level_":3,"P___":"property","Service__":"property","message_":"property","level__":1,"_aws_":2}"#);
    assert_eq!(capture.documents()[0].metrics().count(), 3);
    assert_eq!(metrics.stats().repaired, 9);
}

#[test]
fn the_request_and_the_span_in_which_it_began_are_in_the_line() {
    struct Ids(SpanIds);
    impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Ids {
        fn on_new_span(
            &self,
            _: &tracing::span::Attributes<'_>,
            id: &tracing::Id,
            context: Context<'_, S>,
        ) {
            context.span(id).unwrap().extensions_mut().insert(self.0);
        }
    }
    let ids = SpanIds {
        trace_id: TraceId::from_xray("1-5759e988-bd862e3fe1be46a994272793").unwrap(),
        span_id: SpanId::from_u64(0xabcd).unwrap(),
        sampled: true,
    };
    let capture = Capture::default();
    let metrics = capture.builder().redact(Redactor::default().field("iban")).build().unwrap();
    let context = RequestContext::builder().request_id("8f5c").cold_start(false).build();
    context.append("tenant", "acme");
    context.append("iban", "DE00");
    context.append("A", "is a metric");
    let mut work =
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Ids(ids)), || {
            let _entered = context.enter();
            tracing::info_span!("work").in_scope(|| metrics.event())
        });
    work.put("A", 1.0, Unit::Count);
    // Ended where neither is current; it becomes a part of the request's document.
    std::thread::spawn(move || drop(work)).join().unwrap();
    assert_eq!(capture.text(), "");
    metrics.finish_invocation(&context);
    insta::assert_snapshot!(capture.text(), @r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"App","Dimensions":[["Service"]],"Metrics":[{"Name":"A","Unit":"Count"}]}]},"level":"INFO","message":"metrics","function_request_id":"8f5c","cold_start":false,"trace_id":"5759e988bd862e3fe1be46a994272793","span_id":"000000000000abcd","Service":"orders","A":1,"tenant":"acme","iban":"[REDACTED]"}"#);
    capture.documents();
}

#[test]
fn the_second_event_of_a_kind_in_a_request_is_a_document_of_its_own() {
    let capture = Capture::default();
    let metrics = capture.collector();
    let context = RequestContext::builder().request_id("8f5c").build();
    context.append("tenant", "acme");
    let entered = context.enter();
    for order in ["1", "2", "3"] {
        let mut work = metrics.event();
        work.dimension("P", "x").put("A", 1.0, Unit::Count).property("order", order).emit();
    }
    metrics.event().dimension("P", "y").put("B", 2.0, Unit::Count);
    metrics.event().dimension("P", "x").put("C", 3.0, Unit::Count);
    metrics.event().dimension("Q", "x").put("D", 4.0, Unit::Count).message("own").emit();
    metrics.put_metric("E", 5.0, Unit::Count, &[("P", "x")]);
    drop((entered, context));
    let shapes: Vec<String> = capture
        .documents()
        .iter()
        .map(|d| {
            d.metrics().map(|m| format!("{}={}", m.name(), m.sum())).collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(shapes, ["A=1", "A=1", "B=2", "D=4", "A=1 C=3 E=5"]);
    let lines = capture.lines();
    assert!(lines.iter().all(|line| line.contains("8f5c") && line.contains("acme")), "{lines:?}");
    assert!(lines[0].contains(r#""order":"2""#) && lines[4].contains(r#""order":"1""#));
}

#[test]
fn scenario_18_the_largest_properties_are_cut_where_the_document_would_be_too_large() {
    let capture = Capture::default();
    let metrics = capture.builder().document_bytes(MIN_DOCUMENT_BYTES).build().unwrap();
    let context = RequestContext::builder().request_id("8f5c").build();
    context.append("appended", "y".repeat(200_000));
    let entered = context.enter();
    let mut work = metrics.event();
    work.property("small", "kept").property("large", "ä\n".repeat(3_500_000));
    work.put("A", 1.0, Unit::Count);
    drop((work, entered));
    let line = capture.text();
    assert!(line.len() <= MIN_DOCUMENT_BYTES && line.len() > 30_000, "{}", line.len());
    assert!(
        line.contains(r#""small":"kept""#) && line.contains("…[cut]\"") && line.contains("8f5c")
    );
    assert_eq!(capture.documents().len(), 1);
    assert_eq!(metrics.stats().trimmed, 2);

    let mut work = metrics.event();
    for n in 0..5_000 {
        work.property(&format!("p{n}"), "a value of some length that is not cut");
    }
    work.message(&"m".repeat(100_000)).put("A", 1.0, Unit::Count);
    drop(work);
    let lines = capture.lines();
    assert!(
        lines[1].len() <= MIN_DOCUMENT_BYTES && lines[1].contains("\"p0\":"),
        "{}",
        lines[1].len()
    );
    assert_eq!(capture.documents().len(), 2);
}

#[test]
fn a_plain_log_line_keeps_the_size_too() {
    let capture = Capture::default();
    let metrics = capture.builder().document_bytes(MIN_DOCUMENT_BYTES).build().unwrap();
    let mut work = metrics.event();
    for n in 0..300 {
        for k in 0..100 {
            work.put(&format!("M{n}"), f64::from(k) * 1e-301, Unit::Count);
        }
    }
    for n in 0..29 {
        work.dimension(&format!("D{n}{}", "\"".repeat(240)), &"\"".repeat(1024));
    }
    work.property("large", "x".repeat(500_000));
    work.timestamp(SystemTime::UNIX_EPOCH);
    drop(work);
    assert_eq!(capture.log_lines().len(), 1);
    assert!(capture.text().len() <= MIN_DOCUMENT_BYTES, "{}", capture.text().len());
    assert_eq!(metrics.stats().values_out_of_window, 30_000);
}

#[test]
fn states_are_used_again_and_carry_nothing_over() {
    let capture = Capture::default();
    let metrics = capture.collector();
    for n in 0..3 {
        let mut work = metrics.event();
        work.timestamp(now() - Duration::from_secs(n)).message("m").dimension("P", "x");
        work.put("A", 1.0, Unit::Count).put("A", 2.0, Unit::Count).put("B", 1.0, Unit::Bytes);
        work.property("q", "x");
        work.emit();
        work.put("C", 7.0, Unit::Count);
    }
    let documents = capture.documents();
    assert_eq!(documents.len(), 6);
    for pair in documents.chunks(2) {
        assert_eq!(pair[0].metrics().count(), 2);
        let alone: Vec<_> = pair[1].metrics().collect();
        assert_eq!(alone.len(), 1);
        assert_eq!((alone[0].name(), alone[0].dimensions().len()), ("C", 1));
        assert_eq!(pair[1].timestamp_millis(), NOW);
    }
}

#[test]
fn scenario_16_an_event_over_the_budget_keeps_what_it_was_given() {
    let capture = Capture::default();
    let redactor = Redactor::default().field("Customer");
    let metrics = capture
        .builder()
        .series_per_metric(1)
        .series_limit("Wide", 2)
        .redact(redactor)
        .build()
        .unwrap();
    let record = |pipeline: &str| {
        let mut work = metrics.event();
        work.dimension("Pipeline", pipeline).dimension("Customer", "secret");
        work.put("A", 1.0, Unit::Count).put("Wide", 2.0, Unit::Count);
        work.property("Pipeline_given", "mine").property("n", 7);
    };
    record("a");
    assert_eq!((capture.lines().len(), metrics.stats().values_in_overflow), (1, 0));
    record("b");
    record("c");
    record("a");
    let lines = capture.lines();
    // One metric over, the other within: two documents. Both over: one again.
    assert_eq!((lines.len(), metrics.stats().values_in_overflow), (5, 3));
    insta::assert_snapshot!(lines[1], @r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"App","Dimensions":[["Customer","Pipeline","Service"]],"Metrics":[{"Name":"A","Unit":"Count"}]}]},"level":"INFO","message":"metrics","Customer":"__overflow__","Pipeline":"__overflow__","Service":"orders","A":1,"Pipeline_given":"mine","n":7,"Customer_given":"[REDACTED]","Pipeline_given_":"b"}"#);
    insta::assert_snapshot!(lines[2], @r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"App","Dimensions":[["Customer","Pipeline","Service"]],"Metrics":[{"Name":"Wide","Unit":"Count"}]}]},"level":"INFO","message":"metrics","Customer":"secret","Pipeline":"b","Service":"orders","Wide":2}"#);
    insta::assert_snapshot!(lines[3], @r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"App","Dimensions":[["Customer","Pipeline","Service"]],"Metrics":[{"Name":"A","Unit":"Count"},{"Name":"Wide","Unit":"Count"}]}]},"level":"INFO","message":"metrics","Customer":"__overflow__","Pipeline":"__overflow__","Service":"orders","A":1,"Wide":2,"Pipeline_given":"mine","n":7,"Customer_given":"[REDACTED]","Pipeline_given_":"c"}"#);
    assert_eq!(lines[4], lines[0]);
    assert_eq!(capture.documents().len(), 5);
}

#[test]
fn scenario_16_an_event_keeps_the_name_of_a_metric_that_has_no_room() {
    let capture = Capture::default();
    let metrics = capture.builder().series_in_all(1).build().unwrap();
    metrics.event().put("A", 1.0, Unit::Count);
    metrics.event().put("B", 2.0, Unit::Count).put("B", 3.0, Unit::Count);
    assert_eq!(metrics.stats().values_in_overflow, 2);
    insta::assert_snapshot!(capture.lines()[1], @r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"App","Dimensions":[["Service"]],"Metrics":[{"Name":"__overflow__","Unit":"Count"}]}]},"level":"INFO","message":"metrics","Service":"orders","__overflow__":[2,3],"B":[2,3]}"#);
    capture.documents();
}
