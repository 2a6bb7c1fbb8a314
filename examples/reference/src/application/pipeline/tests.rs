use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::application::observed::{Observed, SteppingClock, observe};
use crate::application::ports::{ReadError, StoredObject, Unavailable};

const EXCERPT: &str = include_str!("../../domain/dataset/movies-excerpt.json");
const SOUND: &str = r#"[{"id": "a", "gross": 100}, {"id": "b", "gross": 20.5}]"#;

/// A bucket in memory, and the keys at which it fails.
#[derive(Debug, Default)]
struct Bucket {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    unavailable: BTreeSet<&'static str>,
}

impl Bucket {
    fn with(files: &[(&str, &str)]) -> Self {
        let objects = files.iter().map(|(key, file)| ((*key).to_owned(), (*file).into())).collect();
        Self { objects: Mutex::new(objects), unavailable: BTreeSet::new() }
    }

    fn unavailable(mut self, key: &'static str) -> Self {
        self.unavailable.insert(key);
        self
    }

    fn check(&self, key: &str) -> Result<(), Unavailable> {
        if self.unavailable.contains(key) {
            return Err(Unavailable::new(format!("reach {key}"), "SlowDown"));
        }
        Ok(())
    }

    fn json(&self, key: &str) -> Option<Value> {
        let objects = self.objects.lock().unwrap();
        objects.get(key).map(|bytes| serde_json::from_slice(bytes).unwrap())
    }

    fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }
}

impl ObjectStore for &Bucket {
    async fn read(&self, object: &ObjectRef, limit: u64) -> Result<StoredObject, ReadError> {
        self.check(&object.key).map_err(ReadError::Unavailable)?;
        let objects = self.objects.lock().unwrap();
        let bytes = objects.get(&object.key).ok_or(ReadError::Missing)?.clone();
        match bytes.len() as u64 {
            length if length > limit => Err(ReadError::TooLarge { bytes: length }),
            _ => Ok(StoredObject { bytes, etag: Some("tag".into()) }),
        }
    }

    async fn write(
        &self,
        bucket: &str,
        key: &str,
        _content_type: &'static str,
        body: Vec<u8>,
    ) -> Result<(), Unavailable> {
        assert_eq!(bucket, "data");
        self.check(key)?;
        self.objects.lock().unwrap().insert(key.to_owned(), body);
        Ok(())
    }
}

fn event(keys: &[&str]) -> Value {
    let record = |key: &&str| {
        json!({
            "eventName": "ObjectCreated:Put",
            "s3": { "bucket": { "name": "data" }, "object": { "key": key } },
        })
    };
    json!({ "Records": keys.iter().map(record).collect::<Vec<_>>() })
}

fn settings() -> PipelineSettings {
    PipelineSettings::from_vars(|name| {
        let value = match name {
            "PIPELINE_NAME" => "movies",
            "REVENUE_FIELD" => "gross",
            "COST_PER_SECOND" => "0.5",
            "MAX_OBJECT_BYTES" => "5000",
            "AWS_LAMBDA_FUNCTION_NAME" => "obs-reference-dev-pipeline",
            _ => return None,
        };
        Some(value.to_owned())
    })
    .unwrap()
}

/// Runs the function once, as Lambda would.
async fn run(bucket: &Bucket, event: &Value) -> (Result<Processed, PipelineError>, Observed) {
    let pipeline = Pipeline::new(bucket, SteppingClock::default(), settings());
    observe("data-pipeline", pipeline.handle(event)).await
}

fn metrics(observed: &Observed) -> BTreeMap<&str, &[f64]> {
    observed.metrics.iter().map(|(name, metric)| (name.as_str(), &metric.values[..])).collect()
}

#[tokio::test]
async fn a_sound_file_becomes_a_summary_and_metrics() {
    let bucket = Bucket::with(&[("incoming/films/a.json", SOUND)]);
    let (result, observed) = run(&bucket, &event(&["incoming/films/a.json"])).await;
    assert_eq!(
        result.unwrap(),
        Processed {
            files: vec![ProcessedFile {
                key: "incoming/films/a.json".into(),
                processed: 2,
                rejected: 0,
                quality_score: Some(100.0),
            }],
            skipped: 0,
        }
    );
    assert_eq!(bucket.keys(), ["incoming/films/a.json", "processed/films/a.json.summary.json"]);
    let summary = bucket.json("processed/films/a.json.summary.json").unwrap();
    assert_eq!(summary["revenue"]["sum"], 120.5);
    assert_eq!(summary["source"]["etag"], "tag");
    // A quarter of a second at 50 cents a second, for two records.
    assert_eq!(
        metrics(&observed),
        BTreeMap::from([
            ("CostPerRecord", &[0.0625][..]),
            ("DataQualityScore", &[100.0]),
            ("ProcessedRecords", &[2.0]),
            ("ProcessingCost", &[0.125]),
            ("ProcessingDuration", &[0.25]),
            ("ProcessingErrors", &[0.0]),
            ("RevenueImpact", &[120.5]),
        ])
    );
    let dimensions = [("Service", "data-pipeline"), ("Environment", "dev"), ("Pipeline", "movies")];
    let dimensions = dimensions.map(|(name, value)| (name.to_owned(), value.to_owned()));
    for (name, metric) in &observed.metrics {
        assert_eq!(metric.dimensions, BTreeMap::from(dimensions.clone()), "{name}");
    }
    assert_eq!(observed.metrics["ProcessingDuration"].unit, "Seconds");
    assert_eq!(observed.metrics["DataQualityScore"].unit, "Percent");
    assert_eq!(observed.alerts, Vec::<Value>::new());
}

#[tokio::test]
async fn a_file_of_low_quality_raises_an_alert() {
    let bucket = Bucket::with(&[("incoming/movies.json", EXCERPT)]);
    let (result, observed) = run(&bucket, &event(&["incoming/movies.json"])).await;
    let score = result.unwrap().files[0].quality_score.unwrap();
    assert_eq!(score, 68.75);
    assert_eq!(observed.values("ProcessingErrors"), [1.0]);
    assert_eq!(observed.values("DataQualityScore"), [score]);
    assert_eq!(observed.values("RevenueImpact"), [0.0; 0], "the file has no column `gross`");
    let rejected = bucket.objects.lock().unwrap()["rejected/movies.json.jsonl"].clone();
    let rejected: Value = serde_json::from_slice(&rejected).unwrap();
    assert_eq!(rejected["reasons"], json!(["`Title` is missing"]));
    assert_eq!(rejected["record"]["Worldwide Gross"], 3_080_493);

    assert_eq!(observed.alerts.len(), 1);
    let event = &observed.alerts[0];
    assert_eq!(
        (&event["source"], &event["detail-type"]),
        (&json!("myapp.alerts"), &json!("Business Alert"))
    );
    let detail = &event["detail"];
    // Of the 112 cells of the excerpt 77 are good, which is more than 25 points too little.
    assert_eq!(detail["severity"], "critical");
    assert_eq!(detail["runbook"], "data-quality");
    assert_eq!(detail["message"], "Data quality of pipeline movies is below its threshold");
    assert_eq!(
        detail["attributes"],
        json!({
            "pipeline": "movies",
            "quality_score": 68.75,
            "threshold": 95.0,
            "records": 7,
            "rejected": 1,
            "bucket": "data",
            "key": "incoming/movies.json",
            "log_group": "/aws/lambda/obs-reference-dev-pipeline",
        })
    );
}

#[tokio::test]
async fn an_empty_file_is_processed_and_has_no_quality() {
    let bucket = Bucket::with(&[("incoming/empty.json", "")]);
    let (result, observed) = run(&bucket, &event(&["incoming/empty.json"])).await;
    assert_eq!(result.unwrap().files[0].quality_score, None);
    assert_eq!(
        metrics(&observed),
        BTreeMap::from([
            ("CostPerRecord", &[0.0][..]),
            ("ProcessedRecords", &[0.0]),
            ("ProcessingCost", &[0.125]),
            ("ProcessingDuration", &[0.25]),
            ("ProcessingErrors", &[0.0]),
            ("RevenueImpact", &[0.0]),
        ])
    );
    assert_eq!(observed.alerts, Vec::<Value>::new());
    let summary = bucket.json("processed/empty.json.summary.json").unwrap();
    assert_eq!(
        (&summary["quality"]["score"], &summary["records"]["total"]),
        (&Value::Null, &json!(0))
    );
}

#[tokio::test]
async fn a_file_that_is_no_data_fails_with_a_note_and_an_alert() {
    for (file, code, message) in [
        (Some("this is not JSON"), "not_json", "neither JSON, JSON Lines nor CSV"),
        (Some("[{\"a\": 1},"), "not_json", "ends too early"),
        (None, "missing_object", "does not exist any more"),
        (Some(&*" ".repeat(5_001)), "too_large", "5001 bytes, the limit is 5000"),
    ] {
        let files = file.map(|file| [("incoming/a b.json", file)]);
        let bucket = Bucket::with(files.as_ref().map_or(&[], |files| &files[..]));
        let (result, observed) = run(&bucket, &event(&["incoming/a+b.json"])).await;

        let error = result.unwrap_err();
        assert_eq!(error.failures()[0].code(), code);
        let text = error.to_string();
        assert!(text.starts_with("incoming/a b.json: ") && text.contains(message), "{text}");

        let note = bucket.json("failed/a b.json.error.json").unwrap();
        assert_eq!(note["error"]["code"], code);
        assert!(note["error"]["message"].as_str().unwrap().contains(message), "{note}");
        assert_eq!(note["source"]["key"], "incoming/a b.json");
        let was_read = code == "not_json";
        assert_eq!(note["source"]["etag"], json!(was_read.then_some("tag")), "{note}");

        assert_eq!(observed.values("ProcessingErrors"), [1.0]);
        assert_eq!(observed.values("ProcessedRecords"), [0.0]);
        assert_eq!(observed.values("ProcessingCost"), [0.125]);
        assert_eq!(observed.values("DataQualityScore"), [0.0; 0]);
        let detail = &observed.alerts[0]["detail"];
        assert_eq!(
            (&detail["severity"], &detail["runbook"]),
            (&json!("high"), &json!("processing-errors"))
        );
        assert_eq!(detail["attributes"]["reason"], code);
        assert_eq!(detail["attributes"]["key"], "incoming/a b.json");
        assert_eq!(observed.alerts.len(), 1);
    }
}

#[tokio::test]
async fn what_may_work_next_time_leaves_no_note() {
    for (key, reason) in [
        ("incoming/a.json", "could not reach incoming/a.json: SlowDown"),
        (
            "processed/a.json.summary.json",
            "could not reach processed/a.json.summary.json: SlowDown",
        ),
    ] {
        let bucket = Bucket::with(&[("incoming/a.json", SOUND)]).unavailable(key);
        let (result, observed) = run(&bucket, &event(&["incoming/a.json"])).await;
        let error = result.unwrap_err();
        assert_eq!(error.failures()[0].code(), "service_unavailable");
        assert_eq!(error.to_string(), format!("incoming/a.json: {reason}"));
        assert_eq!(bucket.keys(), ["incoming/a.json"]);
        assert_eq!(observed.values("ProcessingErrors"), [1.0]);
        assert_eq!(observed.alerts.len(), 1);
    }
}

#[tokio::test]
async fn a_note_that_cannot_be_written_does_not_hide_the_failure() {
    let bucket =
        Bucket::with(&[("incoming/a.json", "nonsense")]).unavailable("failed/a.json.error.json");
    let (result, observed) = run(&bucket, &event(&["incoming/a.json"])).await;
    assert_eq!(result.unwrap_err().failures()[0].code(), "not_json");
    assert_eq!(observed.alerts.len(), 1);
}

// Scenario 46: the rest of the batch is processed.
#[tokio::test]
async fn one_failed_record_does_not_lose_the_others() {
    let bucket = Bucket::with(&[
        ("incoming/a.json", SOUND),
        ("incoming/b.json", "nonsense"),
        ("incoming/c.csv", "id,gross\n1,5\n2,6\n"),
        ("processed/d.json", SOUND),
    ]);
    let mut event =
        event(&["incoming/a.json", "incoming/b.json", "incoming/c.csv", "processed/d.json"]);
    event["Records"].as_array_mut().unwrap().insert(1, json!({ "s3": null }));
    let (result, observed) = run(&bucket, &event).await;
    let error = result.unwrap_err().to_string();
    assert!(
        error.starts_with(
            "2 of 5 records failed: malformed S3 event: record 1: `/s3/bucket/name` is missing; \
             incoming/b.json: the file is neither"
        ),
        "{error}"
    );
    assert!(bucket.json("processed/a.json.summary.json").is_some());
    assert!(bucket.json("processed/c.csv.summary.json").is_some());
    assert_eq!(bucket.json("processed/d.json.summary.json"), None);
    let sum = |name: &str| observed.values(name).iter().sum::<f64>();
    assert_eq!((sum("ProcessedRecords"), sum("ProcessingErrors")), (4.0, 2.0));
    assert_eq!(sum("RevenueImpact"), 131.5);
    assert_eq!(observed.alerts.len(), 2);
}

// Scenario 46: a malformed event.
#[tokio::test]
async fn an_event_of_another_kind_is_an_error_and_an_alert() {
    for event in [json!({}), json!({ "Records": 7 }), json!(null), json!([[[[]]]])] {
        let bucket = Bucket::default();
        let (result, observed) = run(&bucket, &event).await;
        let error = result.unwrap_err();
        assert_eq!(error.failures()[0].code(), "malformed_event");
        assert!(error.to_string().starts_with("malformed S3 event: "), "{error}");
        let counts = [("ProcessedRecords", &[0.0][..]), ("ProcessingErrors", &[1.0])];
        assert_eq!(metrics(&observed), BTreeMap::from(counts));
        assert_eq!(observed.alerts[0]["detail"]["runbook"], "processing-errors");
    }
}

#[tokio::test]
async fn processing_a_file_again_writes_the_same_objects() {
    let bucket = Bucket::with(&[("incoming/movies.json", EXCERPT), ("incoming/x", "nonsense")]);
    let event = event(&["incoming/movies.json", "incoming/x"]);
    run(&bucket, &event).await.0.unwrap_err();
    let first = bucket.objects.lock().unwrap().clone();
    run(&bucket, &event).await.0.unwrap_err();
    assert_eq!(*bucket.objects.lock().unwrap(), first);
    assert_eq!(first.len(), 5);
}
