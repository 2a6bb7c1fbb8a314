//! What a test can ask of its sink, and what it is told.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, UNIX_EPOCH};

use obs_core::RequestContext;
use obs_core::clock::ManualClock;

use super::*;
use crate::{MetricsCollector, Unit};

const LONG: Duration = Duration::from_secs(10);

fn collector(test: &TestSink) -> MetricsCollector {
    let builder = MetricsCollector::builder().namespace("App").service("orders");
    builder.sink(test.sink()).enabled(true).build().unwrap()
}

/// A sink with some metrics of two runs.
fn recorded() -> TestSink {
    let test = TestSink::new();
    let metrics = collector(&test);
    for run in 0..2 {
        metrics.put_metric("Records", 250.0, Unit::Count, &[("Pipeline", "sales")]);
        metrics.put_metric("Records", 7.0, Unit::Count, &[("Pipeline", "returns")]);
        metrics.put_metric("Records", 0.5, Unit::Percent, &[("Pipeline", "returns")]);
        let mut work = metrics.event();
        work.put_high_resolution("Latency", 12.5 + f64::from(run), Unit::Milliseconds);
        work.property("OrderId", "4711").property("Run", run);
        work.emit();
        drop(metrics.flush(LONG));
    }
    test
}

/// The message of an assertion that fails.
fn fault(assertion: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assertion)).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn metrics_are_found_by_name_dimension_unit_and_namespace() {
    let test = recorded();
    let records = || test.metric("Records");
    assert_eq!(records().values(), [(0.5, 2.0), (7.0, 2.0), (250.0, 2.0)]);
    assert_eq!((records().min(), records().max()), (Some(0.5), Some(250.0)));
    assert_eq!((records().sum(), records().count()), (515.0, 6.0));
    let sales = records().dimension("Pipeline", "sales");
    assert_eq!((sales.sum(), sales.count()), (500.0, 2.0));
    assert_eq!(sales.unit(), Some(Unit::Count));
    assert_eq!(sales.iter().count(), 2);
    assert_eq!(records().unit(), None);
    assert_eq!(records().in_unit(Unit::Percent).sum(), 1.0);
    assert!(records().dimension("Pipeline", "sales").dimension("Service", "x").is_empty());
    assert!(records().exactly(&[("Pipeline", "sales")]).is_empty());
    assert_eq!(records().exactly(&[("Service", "orders"), ("Pipeline", "sales")]).count(), 2.0);
    assert!(records().in_namespace("Other").is_empty());
    assert_eq!(test.metrics().in_namespace("App").count(), 8.0);
    assert!(test.metric("Latency").is_high_resolution());
    assert!(!test.metrics().is_high_resolution() && !records().is_high_resolution());
    assert!(!test.metric("Nothing").is_high_resolution());
    assert_eq!((test.metric("Nothing").min(), test.metric("Nothing").unit()), (None, None));
    // In each run, a pipeline, a unit, and the event have documents of their own.
    assert_eq!(test.documents().unwrap().len(), 8);
}

#[test]
fn assertions_pass_where_they_hold() {
    let test = recorded();
    let sales = test.metric("Records").dimension("Pipeline", "sales");
    sales.assert_recorded().assert_unit(Unit::Count).assert_sum(500.0).assert_count(2.0);
    test.metric("Latency").assert_high_resolution().assert_min(12.5).assert_max(13.5);
    test.metric("Latency").assert_sum(26.0 + 1e-12);
    test.metric("Errors").assert_absent();
    test.assert_property("OrderId", 4711).assert_property("Run", "1").assert_property("Run", 0);
    test.clear();
    test.metrics().assert_absent();
    assert!(test.lines().is_empty());
}

#[test]
fn assertions_that_fail_say_what_was_there_instead() {
    let test = TestSink::new();
    let metrics = collector(&test);
    insta::assert_snapshot!(fault(|| { test.metric("Errors").assert_sum(1.0); }), @"
    Errors: nothing was recorded
    no metric was written; what is aggregated is written by a flush
    ");
    metrics.put_metric("Records", 7.0, Unit::Count, &[("Pipeline", "sales")]);
    metrics.put_metric("Records", 7.0, Unit::Count, &[("Pipeline", "sales")]);
    metrics.put_metric("Records", 1.5, Unit::Count, &[("Pipeline", "sales")]);
    drop(metrics.flush(LONG));
    let mut work = metrics.event();
    work.put_high_resolution("Latency", 12.5, Unit::Milliseconds).property("OrderId", 17);
    work.emit();
    let sales = || test.metric("Records").dimension("Pipeline", "sales");
    insta::assert_snapshot!(fault(|| { sales().assert_sum(257.0); }), @"
    Records with Pipeline=sales: the sum is 15.5, not 257
    what was recorded:
      Records [Count] Pipeline=sales, Service=orders: 7 (2 times), 1.5
      Latency [Milliseconds, by the second] Service=orders: 12.5
    ");
    let first = |assertion: &dyn Fn()| fault(assertion).lines().next().unwrap().to_owned();
    let all = [
        first(&|| {
            sales().assert_count(2.0);
        }),
        first(&|| {
            sales().assert_min(7.0);
        }),
        first(&|| {
            sales().assert_max(8.0);
        }),
        first(&|| {
            sales().assert_unit(Unit::Bytes);
        }),
        first(&|| {
            sales().assert_high_resolution();
        }),
        first(&|| {
            sales().assert_absent();
        }),
        first(&|| {
            sales().exactly(&[]).in_unit(Unit::Bytes).assert_recorded();
        }),
        first(&|| {
            test.metrics().exactly(&[]).in_namespace("Other").assert_recorded();
        }),
        first(&|| {
            test.assert_property("OrderId", 18);
        }),
        first(&|| {
            test.assert_property("Password", "");
        }),
    ];
    insta::assert_snapshot!(all.join("\n"), @"
    Records with Pipeline=sales: there are 3 values, not 2
    Records with Pipeline=sales: the least value is 1.5, not 7
    Records with Pipeline=sales: the greatest value is 7, not 8
    Records with Pipeline=sales: the unit is not Bytes
    Records with Pipeline=sales: it is kept by the minute
    Records with Pipeline=sales: it was recorded 3 times
    Records with exactly Pipeline=sales in Bytes: nothing was recorded
    any metric with exactly no dimension of Other: nothing was recorded
    no line has OrderId = 18; there is 17
    no line has Password = ; none has Password at all:
    ");
}

#[test]
fn an_invalid_document_is_an_error_and_fails_every_assertion() {
    // The collector's clock is not the test's.
    let test = TestSink::at(UNIX_EPOCH + Duration::from_secs(1_600_000_000));
    let metrics = collector(&test);
    metrics.event().put("Errors", 1.0, Unit::Count);
    let invalid = test.documents().unwrap_err();
    assert_eq!(invalid.iter().len(), 1);
    assert!(invalid.to_string().contains("/_aws/Timestamp: "), "{invalid}");
    assert!(test.metric("Errors").is_empty());
    let message = fault(|| {
        test.metric("Errors").assert_absent();
    });
    assert_eq!(message, invalid.to_string());
    test.set_now(SystemTime::now());
    test.metric("Errors").assert_count(1.0);
}

#[test]
fn lines_have_properties_and_say_what_they_are() {
    let test = TestSink::at(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let metrics = MetricsCollector::builder()
        .clock(ManualClock::at_millis(1_700_000_000_000))
        .sink(test.clone().sink())
        .enabled(true)
        .build()
        .unwrap();
    metrics.event().put("Errors", 1.0, Unit::Count).property("Text", "a \"b\"").property("N", 1.5);
    metrics.event().property("Ok", true).message("done");
    let lines = test.lines();
    let kinds: Vec<bool> = lines.iter().map(Line::is_document).collect();
    assert_eq!(kinds, [true, false]);
    assert_eq!(lines[0].property("Text").as_deref(), Some("a \"b\""));
    assert_eq!(lines[0].property("N").as_deref(), Some("1.5"));
    assert_eq!(lines[1].property("Ok").as_deref(), Some("true"));
    assert_eq!(lines[1].property("Text"), None);
    assert_eq!(test.properties("message"), ["metrics", "done"]);
    assert_eq!(lines[1].to_string(), lines[1].as_str());
    assert_eq!(Line::new("no JSON").property("a"), None);
}

#[test]
fn handles_are_there_after_a_flush() {
    let test = TestSink::new();
    let metrics = collector(&test);
    let records = metrics.counter("Records").dimension("Pipeline", "sales").register().unwrap();
    let latency = metrics.histogram("Latency").high_resolution().register().unwrap();
    records.add(3);
    records.add(4);
    latency.record_n(12.5, 3);
    test.metrics().assert_absent();
    drop(metrics.flush(LONG));
    test.metric("Records").dimension("Pipeline", "sales").assert_count(1.0).assert_sum(7.0);
    test.metric("Latency").assert_high_resolution().assert_count(3.0);
}

#[test]
fn what_an_invocation_recorded_is_there_when_it_is_finished() {
    let test = TestSink::new();
    let metrics = collector(&test);
    let context = RequestContext::builder().request_id("8f5c").build();
    let entered = context.enter();
    metrics.put_metric("Records", 250.0, Unit::Count, &[]);
    metrics.event().put("Latency", 12.5, Unit::Milliseconds).property("OrderId", "4711");
    drop(entered);
    test.metrics().assert_absent();
    metrics.finish_invocation(&context);
    test.metric("Records").assert_sum(250.0);
    test.metric("Latency").assert_count(1.0);
    test.assert_property("function_request_id", "8f5c").assert_property("OrderId", "4711");
}

#[test]
fn many_threads_may_record_while_it_is_read() {
    let test = TestSink::new();
    let metrics = collector(&test);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    metrics.event().put("Errors", 1.0, Unit::Count);
                    assert!(test.documents().is_ok());
                }
            });
        }
    });
    // A busy writer leaves a line to the thread that writes: the flush waits for all.
    drop(metrics.flush(LONG));
    test.metric("Errors").assert_sum(200.0);
}
