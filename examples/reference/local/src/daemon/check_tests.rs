//! What the check accepts and what it names.
#![expect(clippy::needless_pass_by_value, reason = "the values are made for the call")]

use serde_json::{Value, json};

use super::{LARGEST_DATAGRAM, Segment, Violation, check};

const HEADER: &str = "{\"format\": \"json\", \"version\": 1}\n";

fn segment() -> Value {
    json!({
        "name": "data-pipeline",
        "id": "70de5b6f19ff9a0a",
        "trace_id": "1-581cf771-a006649127e371903a2de979",
        "start_time": 1_478_293_361.271_f64,
        "end_time": 1_478_293_361.449_f64,
    })
}

/// The segment with some fields replaced, or removed where the change is null.
fn with(changes: &Value) -> Value {
    let mut document = segment();
    let fields = document.as_object_mut().unwrap();
    for (key, value) in changes.as_object().unwrap() {
        if value.is_null() {
            fields.remove(key);
        } else {
            fields.insert(key.clone(), value.clone());
        }
    }
    document
}

fn checked(document: &Value) -> Result<Segment, Vec<Violation>> {
    check(format!("{HEADER}{document}").as_bytes())
}

/// The paths of the violations after a change.
#[track_caller]
fn refused(changes: Value, expected: &[&str]) {
    let document = with(&changes);
    let violations = checked(&document).expect_err("must be refused");
    let paths: Vec<&str> = violations.iter().map(|violation| violation.path.as_str()).collect();
    assert_eq!(paths, expected, "{document}\n{violations:?}");
}

#[track_caller]
fn accepted(changes: Value) -> Segment {
    let document = with(&changes);
    checked(&document).unwrap_or_else(|violations| panic!("{document}\n{violations:?}"))
}

#[test]
fn a_segment_and_an_independent_subsegment_are_accepted() {
    let plain = accepted(json!({}));
    assert_eq!(plain.own.name, "data-pipeline");
    assert_eq!(plain.parent_id, None);
    assert!(!plain.is_subsegment);
    assert!((plain.own.seconds().unwrap() - 0.178).abs() < 1e-6);

    let child = accepted(json!({
        "type": "subsegment", "parent_id": "defdfd9912dc5a56", "namespace": "remote",
        "fault": true, "annotations": {"pipeline": "movies", "records": 3201, "cold": true},
        "metadata": {"default": {"status": "success"}},
        "cause": {"exceptions": [{"id": "70de5b6f19ff9a0b", "message": "no"}]},
        "subsegments": [{"name": "read", "id": "70de5b6f19ff9a0c", "start_time": 1.5, "in_progress": true}],
    }));
    assert!(child.is_subsegment && child.own.fault);
    assert_eq!(child.parent_id.as_deref(), Some("defdfd9912dc5a56"));
    assert_eq!(child.own.subsegments[0].name, "read");
    assert_eq!(child.own.subsegments[0].seconds(), None);
    assert_eq!(child.own.annotations["records"], json!(3201));
}

#[test]
fn required_fields_are_named_when_they_are_missing() {
    for field in ["name", "id", "trace_id", "start_time", "end_time"] {
        refused(json!({field: null}), &[field]);
    }
    refused(json!({"type": "subsegment"}), &["parent_id"]);
    refused(json!({"name": null, "id": null}), &["name", "id"]);
}

#[test]
fn ids_have_their_format() {
    for id in ["", "70de5b6f19ff9a0", "70de5b6f19ff9a0aa", "70de5b6f19ff9a0g", "0000000000000000"] {
        refused(json!({"id": id}), &["id"]);
        refused(json!({"parent_id": id}), &["parent_id"]);
    }
    refused(json!({"parent_id": "70de5b6f19ff9a0a"}), &["parent_id"]);
    for id in [
        "581cf771a006649127e371903a2de979",
        "2-581cf771-a006649127e371903a2de979",
        "1-581cf77-a006649127e371903a2de979",
        "1-581cf771-a006649127e371903a2de97",
        "1-581cf771-a006649127e371903a2de979-1",
        "1-581cf771-a006649127e371903a2de97z",
    ] {
        refused(json!({"trace_id": id}), &["trace_id"]);
    }
    refused(json!({"id": 7}), &["id"]);
}

#[test]
fn times_are_seconds_and_in_order() {
    refused(json!({"end_time": 1_478_293_361.0_f64}), &["end_time"]);
    refused(json!({"start_time": 1_478_293_361_271_u64}), &["start_time"]);
    refused(json!({"start_time": "1478293361"}), &["start_time"]);
    refused(json!({"start_time": -1}), &["start_time"]);
    refused(json!({"in_progress": true}), &["in_progress"]);
    refused(json!({"end_time": null, "in_progress": false}), &["end_time"]);
    accepted(json!({"end_time": null, "in_progress": true}));
    accepted(json!({"end_time": 1_478_293_361.271_f64}));
}

// Scenario 30: names are made valid for their target.
#[test]
fn names_hold_what_x_ray_allows() {
    for name in ["a", "Vec of T", r"_.:/%&#=+\-@ 9", "größe", &"n".repeat(200)] {
        accepted(json!({"name": name}));
    }
    for name in ["", "Vec<T>", "a,b", "tab\there", "what?", "(x)", &"n".repeat(201)] {
        refused(json!({"name": name}), &["name"]);
    }
}

#[test]
fn annotations_have_simple_keys_and_values() {
    let check = |key: &str, value: Value| {
        refused(json!({"annotations": {key: value}}), &[&format!("annotations.{key}")]);
    };
    check("order-id", json!(1));
    check("", json!(1));
    check(&"k".repeat(501), json!(1));
    check("list", json!([1]));
    check("nothing", Value::Null);
    check("long", json!("v".repeat(1_001)));
    accepted(json!({"annotations": {"long": "ü".repeat(1_000)}}));
    let fifty_one: serde_json::Map<_, _> =
        (0..51).map(|index| (format!("k{index}"), json!(index))).collect();
    refused(json!({"annotations": fifty_one}), &["annotations"]);
    refused(json!({"annotations": [1]}), &["annotations"]);
}

#[test]
fn metadata_is_namespaced() {
    refused(json!({"metadata": {"AWS.x": {"a": 1}}}), &["metadata.AWS.x"]);
    refused(json!({"metadata": {"default": 7}}), &["metadata.default"]);
}

#[test]
fn embedded_subsegments_are_checked_like_their_parent() {
    let embedded = |inner: Value| json!({"subsegments": [inner]});
    refused(embedded(json!(7)), &["subsegments[0]"]);
    refused(
        embedded(json!({"name": "a<b>", "id": "1", "start_time": 1.0, "end_time": 2.0})),
        &["subsegments[0].name", "subsegments[0].id"],
    );
    refused(
        embedded(
            json!({"name": "a", "id": "70de5b6f19ff9a0a", "start_time": 1.0, "end_time": 2.0}),
        ),
        &["subsegments[0].id"],
    );
    refused(
        embedded(
            json!({"name": "a", "id": "70de5b6f19ff9a0b", "start_time": 1.0, "end_time": 2.0, "user": "u"}),
        ),
        &["subsegments[0].user"],
    );
    refused(json!({"subsegments": {}}), &["subsegments"]);
}

#[test]
fn other_fields_have_their_kind() {
    refused(json!({"fault": "yes"}), &["fault"]);
    refused(json!({"type": "segment"}), &["type"]);
    refused(json!({"cause": 7}), &["cause"]);
    refused(json!({"cause": {"exceptions": [{"id": "x"}]}}), &["cause.exceptions[0].id"]);
    refused(json!({"http": "GET"}), &["http"]);
    refused(json!({"duration": 1}), &["duration"]);
    refused(json!({"namespace": "remote"}), &["namespace"]);
    refused(
        json!({"type": "subsegment", "parent_id": "defdfd9912dc5a56", "namespace": "local"}),
        &["namespace"],
    );
}

#[test]
fn the_datagram_has_its_header_and_its_size() {
    let check_bytes = |datagram: &[u8], expected: &str| {
        let violations = check(datagram).expect_err("must be refused");
        assert!(violations[0].to_string().contains(expected), "{violations:?}");
    };
    let document = segment().to_string();
    check_bytes(b"", "no newline");
    check_bytes(document.as_bytes(), "no newline");
    check_bytes(format!("{{\"format\":\"json\",\"version\":2}}\n{document}").as_bytes(), "header");
    check_bytes(format!("{{\"format\":\"json\"}}\n{document}").as_bytes(), "header");
    check_bytes(format!("{HEADER}[]").as_bytes(), "not an object");
    check_bytes(format!("{HEADER}{document}{document}").as_bytes(), "not JSON");
    check_bytes(b"\xff\n{}", "not UTF-8");

    let long = with(&json!({"metadata": {"default": {"text": "x".repeat(LARGEST_DATAGRAM)}}}));
    let violations = checked(&long).expect_err("too large");
    assert_eq!(violations.len(), 2, "the datagram and the document: {violations:?}");
}
