use super::*;
use crate::domain::dataset::{aggregate, parse, validate};

fn source(key: &str, bytes: usize) -> Source {
    Source {
        bucket: "data".into(),
        key: key.into(),
        etag: Some("abc".into()),
        bytes: Some(bytes as u64),
    }
}

/// The summary and the rejected records of a file.
fn documents(file: &str, key: &str) -> (String, String) {
    let dataset = parse(file.as_bytes(), key).unwrap();
    let validation = validate(&dataset);
    let aggregates = aggregate(&validation, Some("amount"));
    let summary =
        Summary::new("orders", source(key, file.len()), &dataset, &validation, &aggregates);
    let rejected = rejected_lines(&dataset, &validation.rejected);
    (String::from_utf8(summary.to_json()).unwrap(), String::from_utf8(rejected).unwrap())
}

#[test]
fn the_summary_of_a_small_file() {
    let file = r#"[{"id": "a", "amount": 10, "day": "2026-01-31"},
        {"id": "b", "amount": "7", "day": null},
        {"id": "c", "amount": 2.5}, 5]"#;
    let (summary, rejected) = documents(file, "incoming/orders.json");
    assert_eq!(
        summary,
        r#"{
  "pipeline": "orders",
  "source": {
    "bucket": "data",
    "key": "incoming/orders.json",
    "etag": "abc",
    "bytes": 136
  },
  "format": "json",
  "schema": null,
  "records": {
    "total": 4,
    "processed": 3,
    "rejected": 1
  },
  "quality": {
    "score": 50.0,
    "cells": 12,
    "good": 6,
    "missing": 5,
    "mistyped": 1,
    "out_of_range": 0
  },
  "revenue": {
    "field": "amount",
    "sum": 12.5,
    "records": 2
  },
  "columns": [
    {
      "name": "id",
      "kind": "text",
      "cells": 4,
      "good": 3,
      "missing": 1,
      "mistyped": 0,
      "out_of_range": 0
    },
    {
      "name": "amount",
      "kind": "number",
      "cells": 4,
      "good": 2,
      "missing": 1,
      "mistyped": 1,
      "out_of_range": 0,
      "min": 2.5,
      "max": 10.0,
      "mean": 6.25,
      "sum": 12.5
    },
    {
      "name": "day",
      "kind": "date",
      "cells": 4,
      "good": 1,
      "missing": 3,
      "mistyped": 0,
      "out_of_range": 0,
      "earliest": "2026-01-31",
      "latest": "2026-01-31"
    }
  ],
  "rejected_object": "rejected/orders.json.jsonl"
}
"#
    );
    assert_eq!(
        rejected,
        "{\"index\":3,\"reasons\":[\"the record is a number, not an object\"],\"record\":5}\n"
    );
}

#[test]
fn the_summary_of_an_empty_file_claims_nothing() {
    let (summary, rejected) = documents("", "incoming/none.csv");
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["format"], "empty");
    assert_eq!(summary["records"]["total"], 0);
    assert_eq!(summary["quality"]["score"], serde_json::Value::Null);
    assert_eq!(summary["revenue"]["sum"], 0.0);
    assert_eq!(summary["rejected_object"], serde_json::Value::Null);
    assert_eq!(rejected, "");
}

#[test]
fn the_same_file_gives_the_same_bytes() {
    let file = include_str!("../movies-excerpt.json");
    assert_eq!(documents(file, "incoming/m.json"), documents(file, "incoming/m.json"));
}

#[test]
fn rejected_records_are_one_line_each_in_the_form_that_they_had() {
    let (_, rejected) = documents("[{\"a\": 1}, {\"a\":\r\n null},\n [\"x\\ny\",\n1]]", "f.json");
    assert_eq!(
        rejected,
        concat!(
            "{\"index\":1,\"reasons\":[\"the record has no values\"],\"record\":{\"a\":   null}}\n",
            "{\"index\":2,\"reasons\":[\"the record is an array, not an object\"],",
            "\"record\":[\"x\\ny\", 1]}\n",
        )
    );
    let (_, rejected) = documents("{\"a\": 1}\n{\"a\": \"\u{2028}\n", "f.jsonl");
    assert!(rejected.ends_with("\"record\":\"{\\\"a\\\": \\\"\u{2028}\"}\n"), "{rejected}");
    let (_, rejected) = documents("a,b\n1,2\n3\n , \n4,5\n", "f.csv");
    assert_eq!(
        rejected,
        concat!(
            "{\"index\":1,\"reasons\":[\"1 fields, the header has 2\"],\"record\":[\"3\"]}\n",
            "{\"index\":2,\"reasons\":[\"the record has no values\"],\"record\":{}}\n",
        )
    );
}

#[test]
fn a_sum_beyond_a_float_is_null() {
    let (summary, _) = documents("[{\"amount\": 1e308}, {\"amount\": 1.5e308}]", "f.json");
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["revenue"]["sum"], serde_json::Value::Null);
    assert_eq!(summary["columns"][0]["max"], 1.5e308);
    assert_eq!(summary["columns"][0]["mean"], serde_json::Value::Null);
}

#[test]
fn a_failure_says_which_file_and_why() {
    let error = Unusable::too_large(70_000_000, 67_108_864);
    let failure = failure("orders", &source("incoming/big.json", 70_000_000), &error);
    let failure: serde_json::Value = serde_json::from_slice(&failure).unwrap();
    assert_eq!(failure["error"]["code"], "too_large");
    assert_eq!(failure["source"]["key"], "incoming/big.json");
    let message = failure["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("the file has 70000000 bytes, the limit is 67108864"), "{message}");
}
