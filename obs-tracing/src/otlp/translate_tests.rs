use obs_core::ids::{SpanId, TraceId};

use super::*;
use crate::failure::Exception;
use crate::record::{Field, Place};

pub(crate) fn record() -> SpanRecord {
    SpanRecord {
        trace_id: TraceId::from_xray("1-5759e988-bd862e3fe1be46a994272793").unwrap(),
        span_id: SpanId::from_hex("53995c3f42cd8ad8").unwrap(),
        parent_id: SpanId::from_hex("00000000000000aa"),
        kind: Kind::Subsegment,
        name: "charge".into(),
        start: 1_700_000_000_000_000_000,
        end: 1_700_000_001_000_000_000,
        status: Some(Status::Success),
        error_type: None,
        class: None,
        span_kind: SpanKind::Internal,
        exceptions: Vec::new(),
        fields: Vec::new(),
        left_out: 0,
        bytes: 0,
    }
}

fn metadata(namespace: &str, key: &'static str, value: impl Into<value::Value>) -> Field {
    let place = Place::Metadata(Some(namespace.into()));
    Field { place, key: key.into(), value: value.into() }
}

/// Each attribute as `key: value`.
fn shown(record: &SpanRecord) -> Vec<String> {
    let service = Identity::new("orders", "test");
    let translated = translate(record, &service, &Redactor::default());
    let attributes = translated.attributes.iter().map(|attribute| {
        let value = match &attribute.value {
            AttributeValue::Text(text) => format!("{text:?}"),
            AttributeValue::Json(json) => format!("json {}", String::from_utf8_lossy(json)),
            other => format!("{other:?}"),
        };
        format!("{}: {value}", attribute.key)
    });
    attributes.collect()
}

#[test]
fn annotations_are_listed_and_metadata_has_its_namespace() {
    let mut record = record();
    record.add(Field::annotation("order.id", 4711.into()));
    record.add(Field::annotation("tags", vec!["a", "b"].into()));
    record.add(Field::metadata("http.request.method", "GET".into()));
    record.add(Field::metadata("items", vec![1, 2].into()));
    record.add(metadata("debug", "payload", value::Value::json(&serde_json::json!({"a": [1]}))));
    record.add(metadata("debug", "note", "x \"y\""));
    assert_eq!(
        shown(&record),
        [
            r#"status: "success""#,
            "order_id: Int(4711)",
            r#"tags: "[\"a\",\"b\"]""#,
            r#"aws.xray.annotations: Texts(["status", "order_id", "tags"])"#,
            r#"http.request.method: "GET""#,
            "items: json [1,2]",
            r#"aws.xray.metadata.debug: "{\"payload\":{\"a\":[1]},\"note\":\"x \\\"y\\\"\"}""#,
        ]
    );
}

#[test]
fn scenario_29_no_key_stands_twice() {
    let mut record = record();
    record.error_type = Some("PaymentError".into());
    record.add(Field::annotation("status", "mine".into()));
    record.add(Field::annotation("tenant", "a".into()));
    record.add(Field::annotation("tenant", "b".into()));
    record.add(Field::metadata("tenant", "c".into()));
    record.add(Field::metadata(ANNOTATIONS, "d".into()));
    record.add(Field::metadata("aws.xray.metadata.default", "e".into()));
    assert_eq!(
        shown(&record),
        [
            r#"status: "success""#,
            r#"error_type: "PaymentError""#,
            r#"tenant: "b""#,
            r#"aws.xray.annotations: Texts(["status", "error_type", "tenant"])"#,
            concat!(
                r#"aws.xray.metadata.default: "{\"tenant\":\"c\",\"aws.xray.annotations\":\"d\","#,
                r#"\"aws.xray.metadata.default\":\"e\"}""#
            ),
        ]
    );
}

#[test]
fn scenario_41_what_is_redacted_leaves_as_that() {
    let mut record = record();
    record.status = None;
    record.add(Field::annotation("api_key", "hunter2".into()));
    record.add(Field::metadata("password", "hunter2".into()));
    let nested = serde_json::json!({"token": "hunter2", "b": 1});
    record.add(Field::metadata("payload", value::Value::json(&nested)));
    record.add(metadata("debug", "secret", "hunter2"));
    let shown = shown(&record).join("\n");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(shown.matches(REDACTED).count(), 4, "{shown}");
}

#[test]
fn scenario_41_secrets_in_texts_are_replaced_wherever_they_stand() {
    let mut record = record();
    record.status = Some(Status::Error);
    let told = "no jane@example.com".to_owned();
    record.exceptions = vec![Exception { error_type: "E".into(), message: told, has_cause: false }];
    record.add(Field::annotation("who", "jane@example.com".into()));
    record.add(Field::annotation("list", vec!["jane@example.com"].into()));
    record.add(Field::metadata("who_else", "to jane@example.com".into()));
    record.add(metadata("debug", "who", "jane@example.com"));
    let service = Identity::new("orders", "test");
    let translated = translate(&record, &service, &Redactor::standard());
    let shown = format!("{translated:?}");
    assert!(!shown.contains("jane"), "{shown}");
    assert_eq!(shown.matches(REDACTED).count(), 6, "{shown}");
}

#[test]
fn scenario_23_numbers_that_json_does_not_have_are_text() {
    let mut record = record();
    record.status = None;
    record.add(Field::annotation("lost", f64::NAN.into()));
    record.add(Field::metadata("nan", f64::NAN.into()));
    record.add(Field::metadata("large", u64::MAX.into()));
    record.add(Field::metadata("half", 0.5.into()));
    assert_eq!(
        shown(&record),
        [r#"nan: "NaN""#, r#"large: "18446744073709551615""#, "half: Double(0.5)"]
    );
}

#[test]
fn the_kind_the_parent_and_the_error_follow_the_record() {
    let check = |kind, status, error_type: Option<&'static str>, message: Option<&str>| {
        let mut record = record();
        record.kind = kind;
        record.status = status;
        record.error_type = error_type.map(Into::into);
        record.exceptions.extend(message.map(|message| Exception {
            error_type: "E".into(),
            message: message.to_owned(),
            has_cause: false,
        }));
        let service = Identity::new("orders", "test");
        let it = translate(&record, &service, &Redactor::default());
        let listed = it.attributes.iter().any(|attribute| attribute.key == "service");
        (it.kind, it.has_remote_parent, listed, it.error.map(Cow::into_owned))
    };
    use SpanKind::{Internal, Server};
    let error = |text: &str| Some(text.to_owned());
    assert_eq!(check(Kind::Segment, None, None, None), (Server, true, true, None));
    assert_eq!(
        check(Kind::Invocation, Some(Status::Panicked), None, None),
        (Internal, true, true, error("panicked"))
    );
    assert_eq!(
        check(Kind::Subsegment, Some(Status::Error), Some("E"), None),
        (Internal, false, false, error("E"))
    );
    assert_eq!(
        check(Kind::Subsegment, Some(Status::Error), Some("E"), Some("declined")).3,
        error("declined")
    );
    assert_eq!(check(Kind::Subsegment, Some(Status::Cancelled), None, None).3, None);
}

#[test]
fn long_annotations_are_cut_at_a_character() {
    let mut record = record();
    record.status = None;
    record.add(Field::annotation("a", "é".repeat(2_000).into()));
    let shown = shown(&record);
    assert_eq!(shown[0].matches('é').count(), MAX_ANNOTATION_TEXT);
}

#[test]
fn kinds_are_kept_and_a_segment_with_a_parent_stays_one() {
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    let check = |kind: Kind, span_kind: SpanKind, has_parent: bool, expected: SpanKind| {
        let parent_id = SpanId::from_u64(7).filter(|_| has_parent);
        let record = SpanRecord { kind, span_kind, parent_id, ..record() };
        let service = Identity::new("orders", "test");
        let found = translate(&record, &service, &Redactor::default()).kind;
        assert_eq!(found, expected, "{kind:?} {span_kind:?} {has_parent}");
    };
    for span_kind in [Internal, Server, Client, Producer, Consumer] {
        check(Kind::Subsegment, span_kind, true, span_kind);
        check(Kind::Invocation, span_kind, true, span_kind);
        check(Kind::Segment, span_kind, true, Server);
    }
    check(Kind::Segment, Internal, false, Server);
    check(Kind::Segment, Consumer, false, Consumer);
}
