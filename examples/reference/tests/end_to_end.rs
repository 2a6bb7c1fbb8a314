//! The deployed stack on the local backend: from a file in the bucket to the alert on the topic.
//!
//! Every case looks at side effects only: objects, log events, metrics read back from CloudWatch,
//! messages on the topics, segments at the daemon's socket, dead letters. One deployment serves all
//! of them, and they run at once, so they also show that invocations do not mix (scenario 32).
//!
//! `cargo xtask test --only end-to-end` prepares what it needs and runs it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of tests are tests, which clippy.toml does not know"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};
use std::{env, fs};

use obs_reference_local::daemon::{Trace, traces};
use obs_reference_local::{
    Deployment, ExtractedMetric, Function, Invocation, MetricReport, Outcome, Settings, Silent,
    TopicMessage,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Lambda's asynchronous invocations: the first attempt and two retries.
const ATTEMPTS: usize = 3;

/// A deployment is started once, by the case that comes first. It is never dropped: the backend ends
/// with this process, whose end of its pipe then closes.
fn run<F: Future<Output = ()>>(case: impl FnOnce(&'static Deployment) -> F) {
    static SHARED: OnceLock<(Runtime, Deployment)> = OnceLock::new();
    let (runtime, deployment) = SHARED.get_or_init(|| {
        // Its own runtime, because the clients' connections live on the one that made them.
        let runtime = Runtime::new().expect("a runtime");
        let settings = Settings::from_env().unwrap_or_else(|error| panic!("{error}"));
        let deployment = runtime
            .block_on(Deployment::start(&settings, &mut Silent))
            .unwrap_or_else(|error| panic!("{error}"));
        (runtime, deployment)
    });
    runtime.block_on(case(deployment));
}

#[test]
#[ignore = "needs the local backend: cargo xtask test --only end-to-end"]
fn a_good_file_is_summarised_measured_and_traced() {
    run(async |deployment| {
        let csv = "city,people,area\nOslo,709037,454.0\nBergen,291940,464.7\nTromsø,78745,2521.3\n";
        let key = deployment.put_input("cities.csv", csv.into()).await.unwrap();
        let outcome = deployment.wait_for_outcome(&key).await.unwrap();
        let invocation = only(&outcome);

        let keys: Vec<_> = outcome.results.keys().map(String::as_str).collect();
        assert_eq!(keys, ["processed/cities.csv.summary.json"], "nothing rejected, nothing failed");
        let summary = outcome.summary();
        assert_eq!(summary["records"], json!({"total": 3, "processed": 3, "rejected": 0}));
        assert_eq!(summary["quality"]["score"], 100.0);
        assert_eq!(summary["format"], "delimited");

        let started = invocation.message("Starting batch processing").expect("the first line");
        assert_eq!(started.field("key"), Some(key.as_str()));
        assert_eq!(started.field("service"), Some("data-pipeline"));
        assert_eq!(started.field("environment"), Some("dev"));
        assert_eq!(started.field("function_request_id"), Some(invocation.request_id.as_str()));
        let completed = invocation.message("Batch processing completed").expect("the last line");
        assert_eq!(completed.field("level"), Some("INFO"));
        assert!(invocation.message("Batch processing failed").is_none());

        let metrics = measured(deployment, [invocation]).await;
        assert_eq!(metrics["ProcessedRecords"], 3.0);
        assert_eq!(metrics["ProcessingErrors"], 0.0);
        assert_eq!(metrics["DataQualityScore"], 100.0);
        assert!(metrics["ProcessingDuration"] > 0.0 && metrics["ProcessingDuration"] < 60.0);
        assert!(metrics["CostPerRecord"] > 0.0 && metrics["CostPerRecord"] < 0.01);
        assert!(!metrics.contains_key("RevenueImpact"), "the file has no revenue");

        let trace = trace_of(deployment, invocation).await;
        assert_eq!(
            names(&trace),
            ["handler", "process_file", "read", "parse", "validate", "aggregate", "store"]
        );
        trace.walk(|_, node| assert!(!node.segment.fault && !node.segment.error));

        // Whatever it would have published was on the bus before the response: see the flush.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(deployment.alerts().iter().all(|alert| !alert.mentions(&key)));
        assert!(deployment.dead_letters().iter().all(|letter| !letter.mentions(&key)));
    });
}

#[test]
#[ignore = "needs the local backend: cargo xtask test --only end-to-end"]
fn a_file_with_bad_records_keeps_the_good_ones_and_raises_an_alert() {
    run(async |deployment| {
        let movies = env::var("OBS_LOCAL_MOVIES").expect("OBS_LOCAL_MOVIES names movies.json");
        let movies = fs::read(movies).unwrap();
        let records: Vec<Value> = serde_json::from_slice(&movies).unwrap();
        let key = deployment.put_input("movies.json", movies).await.unwrap();
        let outcome = deployment.wait_for_outcome(&key).await.unwrap();
        let invocation = only(&outcome);

        let summary = outcome.summary();
        let count = |name: &str| summary["records"][name].as_u64().unwrap();
        assert_eq!(count("total"), records.len() as u64);
        assert_eq!(count("processed") + count("rejected"), records.len() as u64);
        assert!(count("rejected") > 0 && count("rejected") < count("processed"));
        let score = summary["quality"]["score"].as_f64().unwrap();
        assert!(score > 50.0 && score < 95.0, "missing and mistyped values: {score}");

        // Scenario 46: what could not be processed is kept, each record with its reasons.
        let rejected = &outcome.results["rejected/movies.json.jsonl"];
        let rejected: Vec<Value> = rejected
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        assert_eq!(rejected.len() as u64, count("rejected"));
        for line in &rejected {
            let index = usize::try_from(line["index"].as_u64().unwrap()).unwrap();
            assert_eq!(line["record"], records[index], "the record as it stood in the file");
            assert!(!line["reasons"].as_array().unwrap().is_empty());
        }

        let metrics = measured(deployment, [invocation]).await;
        assert_eq!(metrics["ProcessedRecords"], count("processed") as f64);
        assert_eq!(metrics["ProcessingErrors"], count("rejected") as f64);
        assert!((metrics["DataQualityScore"] - score).abs() < 1e-9);
        let revenue = summary["revenue"]["sum"].as_f64().unwrap();
        assert!((metrics["RevenueImpact"] - revenue).abs() < 1e-6 * revenue);

        let alert = deployment.wait_for_alert(&key).await.unwrap();
        check_alert(&alert, invocation, "data-quality");
        assert_eq!(alert.body["attributes"]["rejected"], json!(count("rejected")));
        assert!(deployment.dead_letters().iter().all(|letter| !letter.mentions(&key)));

        let event_id = alert.body["event_id"].as_str().unwrap();
        let processed =
            deployment.wait_for_invocations(Function::AlertProcessor, event_id, 1).await.unwrap();
        let published = processed[0].message("Alert published").expect("its log line");
        assert_eq!(published.field("service"), Some("alert-processor"));
        let trace = trace_of(deployment, &processed[0]).await;
        assert_eq!(names(&trace), ["handler", "find_runbook", "publish"]);
    });
}

#[test]
#[ignore = "needs the local backend: cargo xtask test --only end-to-end"]
fn one_broken_line_does_not_lose_the_others() {
    run(async |deployment| {
        let lines = "{\"a\": 1}\n{\"a\": 2}\n{\"a\": \n{\"a\": 4}\n";
        let key = deployment.put_input("torn.jsonl", lines.into()).await.unwrap();
        let outcome = deployment.wait_for_outcome(&key).await.unwrap();
        let records = &outcome.summary()["records"];
        assert_eq!(*records, json!({"total": 4, "processed": 3, "rejected": 1}));
        let rejected =
            String::from_utf8(outcome.results["rejected/torn.jsonl.jsonl"].clone()).unwrap();
        let rejected: Value = serde_json::from_str(&rejected).unwrap();
        assert_eq!(rejected["index"], 2);
        let metrics = measured(deployment, [only(&outcome)]).await;
        assert_eq!((metrics["ProcessedRecords"], metrics["ProcessingErrors"]), (3.0, 1.0));
    });
}

#[test]
#[ignore = "needs the local backend: cargo xtask test --only end-to-end"]
fn an_empty_file_has_no_records_and_no_score() {
    run(async |deployment| {
        let key = deployment.put_input("empty.json", Vec::new()).await.unwrap();
        let outcome = deployment.wait_for_outcome(&key).await.unwrap();
        let invocation = only(&outcome);
        let summary = outcome.summary();
        assert_eq!(summary["records"], json!({"total": 0, "processed": 0, "rejected": 0}));
        assert_eq!(summary["quality"]["score"], Value::Null);
        let warning = invocation.message("The file holds no records").expect("a warning");
        assert_eq!(warning.field("level"), Some("WARN"));
        let metrics = measured(deployment, [invocation]).await;
        assert_eq!((metrics["ProcessedRecords"], metrics["ProcessingErrors"]), (0.0, 0.0));
        assert_eq!(metrics["CostPerRecord"], 0.0, "0 records is 0, not a division");
        assert!(!metrics.contains_key("DataQualityScore"));
    });
}

#[test]
#[ignore = "needs the local backend: cargo xtask test --only end-to-end"]
fn a_file_that_is_no_data_fails_clearly() {
    run(async |deployment| {
        let letter = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR not a table of anything".to_vec();
        let key = deployment.put_input("picture.json", letter).await.unwrap();
        let outcome = failed(deployment, &key, "not_text").await;
        let note = outcome.json("failed/picture.json.error.json");
        assert_eq!(note["source"]["key"], key.as_str());
        assert!(note["error"]["message"].as_str().unwrap().contains("binary"), "{note}");
    });
}

#[test]
#[ignore = "needs the local backend: cargo xtask test --only end-to-end"]
fn a_file_that_is_torn_off_fails_clearly() {
    run(async |deployment| {
        let key =
            deployment.put_input("torn.json", b"[{\"a\": 1}, {\"a\": ".to_vec()).await.unwrap();
        failed(deployment, &key, "not_json").await;
    });
}

#[test]
#[ignore = "needs the local backend: cargo xtask test --only end-to-end"]
fn a_missing_object_fails_clearly() {
    run(async |deployment| {
        let key = "incoming/never uploaded.json";
        deployment.notify_of(key).await.unwrap();
        failed(deployment, key, "missing_object").await;
    });
}

/// What every failed file has in common: a note, three attempts that say so, an alert, and the event in
/// the dead-letter queue. Never a lost batch.
async fn failed(deployment: &Deployment, key: &str, reason: &str) -> Outcome {
    let letter = deployment.wait_for_dead_letter(Function::Pipeline, key).await.unwrap();
    let attempts =
        deployment.wait_for_invocations(Function::Pipeline, key, ATTEMPTS).await.unwrap();
    assert_eq!(attempts.len(), ATTEMPTS);
    let error = letter.body["responsePayload"]["errorMessage"].as_str().unwrap_or_default();
    assert!(error.contains(key) && error.contains(reason), "{}", letter.text);
    let event = &letter.body["requestPayload"]["Records"][0]["s3"]["object"]["key"];
    assert_eq!(event.as_str(), Some(encoded(key).as_str()), "the event can be sent again");

    let outcome = deployment.wait_for_outcome(key).await.unwrap();
    assert_eq!(outcome.results.len(), 1, "a note and no result: {:?}", outcome.results.keys());
    let note = outcome.json(&format!("failed/{}.error.json", outcome.name()));
    assert_eq!(note["error"]["code"], reason);

    for attempt in &attempts {
        assert!(attempt.message("Starting batch processing").is_some());
        assert!(attempt.message("Batch processing completed").is_none());
        let line = attempt.message("Batch processing failed").expect("the failure's line");
        assert_eq!(line.field("level"), Some("ERROR"));
        assert_eq!(line.field("reason"), Some(reason));
        assert_eq!(line.field("error_type"), Some("FileFailure"));
        let trace = trace_of(deployment, attempt).await;
        let faults: BTreeSet<_> = flagged(&trace).into_iter().collect();
        assert!(faults.contains("process_file"), "{trace:?}");
    }
    let report = extracted(attempts.iter());
    assert_eq!(report.sum("ProcessingErrors"), Some(ATTEMPTS as f64));
    assert_eq!(report.sum("ProcessedRecords"), Some(0.0));
    measured(deployment, &attempts).await;
    let alarm = deployment.alarm().await.unwrap();
    assert_eq!(alarm.state, "ALARM", "{alarm:?}");

    let alert = deployment.wait_for_alert(key).await.unwrap();
    let first = attempts.iter().find(|one| one.trace_id() == alert.body["trace_id"].as_str());
    check_alert(&alert, first.expect("the alert of one of the attempts"), "processing-errors");
    assert_eq!(alert.body["attributes"]["reason"], reason);
    outcome
}

/// What every alert has when it arrives.
fn check_alert(alert: &TopicMessage, invocation: &Invocation, runbook: &str) {
    let text = |name: &str| alert.body[name].as_str().unwrap_or_default().to_owned();
    assert!(alert.topic.ends_with(&format!("-alerts-{}", text("severity"))), "{alert:?}");
    let subject = alert.subject.as_deref().expect("a subject");
    assert!(subject.is_ascii() && subject.len() < 100 && !subject.contains('\n'), "{subject}");
    assert_eq!(text("environment"), "dev");
    assert_eq!(text("service"), "data-pipeline");
    assert_eq!(text("runbook"), runbook);
    assert!(text("runbook_link").ends_with(&format!("/{runbook}.md")), "{alert:?}");
    assert!(text("log_link").contains("obs-reference-dev-pipeline"), "{alert:?}");
    assert_eq!(text("request_id"), invocation.request_id);
    assert_eq!(Some(text("trace_id").as_str()), invocation.trace_id());
    let published = alert.published_at().expect("its own time");
    assert!(published <= alert.arrived_at && alert.arrived_at <= SystemTime::now());
}

fn only(outcome: &Outcome) -> &Invocation {
    let [invocation] = &outcome.invocations[..] else {
        panic!("one invocation: {:?}", outcome.invocations)
    };
    invocation
}

fn extracted<'a>(invocations: impl IntoIterator<Item = &'a Invocation>) -> MetricReport {
    let report = MetricReport::of(invocations);
    assert_eq!(report.violations, Vec::<String>::new());
    assert!(report.documents > 0, "no EMF document");
    report
}

/// The metrics of the invocations by name, after each was put and found again under its exact
/// dimensions.
async fn measured<'a>(
    deployment: &Deployment,
    invocations: impl IntoIterator<Item = &'a Invocation>,
) -> BTreeMap<String, f64> {
    let report = extracted(invocations);
    deployment.put_metrics(&report.metrics).await.unwrap();
    let mut sums = BTreeMap::new();
    for metric in &report.metrics {
        check_place(metric);
        let stored = deployment.stored_metric(metric).await.unwrap();
        let stored = stored.unwrap_or_else(|| panic!("{} cannot be read back", metric.name));
        // Other cases write to the same series, so each value lies between its extremes.
        for (value, _) in &metric.values {
            assert!(stored.minimum <= *value && *value <= stored.maximum, "{metric:?} {stored:?}");
        }
        let sum: f64 = metric.values.iter().map(|(value, count)| value * count).sum();
        *sums.entry(metric.name.clone()).or_insert(0.0) += sum;
    }
    sums
}

/// One unit a name, and the exact set of dimensions that the alarm is on.
fn check_place(metric: &ExtractedMetric) {
    assert_eq!(metric.namespace, "Application/DataPipeline");
    let unit = match metric.name.as_str() {
        "ProcessedRecords" | "ProcessingErrors" => "Count",
        "ProcessingDuration" => "Seconds",
        "DataQualityScore" => "Percent",
        _ => return,
    };
    assert_eq!(metric.unit, unit, "{metric:?}");
    let expected = [("Environment", "dev"), ("Pipeline", "movies"), ("Service", "data-pipeline")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(metric.dimensions, BTreeMap::from(expected));
}

/// The invocation's trace as it arrived at the daemon's socket, once its root is there.
async fn trace_of(deployment: &Deployment, invocation: &Invocation) -> Trace {
    let id = invocation.trace_id().expect("log lines carry the trace id");
    let deadline = SystemTime::now() + Duration::from_secs(10);
    loop {
        for datagram in deployment.datagrams() {
            assert!(datagram.segment.is_ok(), "{:?}", datagram.segment);
        }
        let segments = deployment.segments(id);
        let trace = traces(&segments).into_iter().next();
        if let Some(trace) = trace.filter(|trace| names(trace).contains(&"handler".to_owned())) {
            // A subsegment of the function's own segment, which the trace header names.
            assert_eq!(trace.roots.len(), 1, "{trace:?}");
            assert!(trace.roots[0].missing_parent.is_some(), "{trace:?}");
            return trace;
        }
        assert!(SystemTime::now() < deadline, "no trace {id}: {segments:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn names(trace: &Trace) -> Vec<String> {
    let mut names = Vec::new();
    trace.walk(|_, node| names.push(node.segment.name.clone()));
    names
}

/// The names of the segments that say that something went wrong.
fn flagged(trace: &Trace) -> Vec<String> {
    let mut names = Vec::new();
    trace.walk(|_, node| {
        if node.segment.fault || node.segment.error {
            names.push(node.segment.name.clone());
        }
    });
    names
}

/// As S3 writes a key in an event.
fn encoded(key: &str) -> String {
    key.replace(' ', "%20")
}
