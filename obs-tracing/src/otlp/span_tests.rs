use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::failure::Exception;
use crate::otlp::request::{Frame, Pack};
use crate::otlp::translate::tests::record;
use crate::record::{Field, Kind, Place, Status};
use crate::resource::Resource;
use crate::value::Value;

/// The least limit that is promised.
const LEAST: usize = 6 * 1024;

fn encode(record: &SpanRecord, limit: usize) -> Span {
    let mut out = b"what was there before".to_vec();
    let service = Identity::new("orders", "test");
    SpanEncoder::new(service, Redactor::default(), true).encode(record, limit, &mut out);
    assert!(out.len() <= limit, "{} of {limit} bytes", out.len());
    Span::decode(out.as_slice()).unwrap()
}

fn attribute<'s>(attributes: &'s [KeyValue], key: &str) -> Option<&'s Any> {
    let mut found = attributes.iter().filter(|attribute| attribute.key == key);
    let first = found.next()?;
    assert!(found.next().is_none(), "{key} stands twice");
    first.value.as_ref()?.value.as_ref()
}

fn text(text: &str) -> Any {
    Any::StringValue(text.to_owned())
}

#[test]
fn a_span_is_read_by_anothers_decoder_as_it_was_recorded() {
    let mut record = record();
    record.kind = Kind::Segment;
    record.name = "Vec<T>".into();
    record.status = Some(Status::Error);
    record.error_type = Some("PaymentError".into());
    for (error_type, message) in [("PaymentError", "declined"), ("Timeout", "after 3 s")] {
        let error_type = error_type.into();
        let message = message.to_owned();
        record.exceptions.push(Exception { error_type, message, has_cause: true });
    }
    record.add(Field::annotation("count", (-1).into()));
    record.add(Field::annotation("good", true.into()));
    record.add(Field::metadata("ratio", 0.25.into()));
    let nested = serde_json::json!({"list": [1, "b", null, 1.5], "big": u64::MAX});
    record.add(Field::metadata("nested", Value::json(&nested)));

    let span = encode(&record, LEAST);
    assert_eq!(span.trace_id, record.trace_id.to_u128().to_be_bytes());
    assert_eq!(span.span_id, record.span_id.to_u64().to_be_bytes());
    assert_eq!(span.parent_span_id, [0, 0, 0, 0, 0, 0, 0, 0xaa]);
    assert_eq!((span.name.as_str(), span.kind), ("Vec_T_", 2));
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (record.start, record.end));
    assert_eq!(span.flags, 0x301);
    assert_eq!((span.dropped_attributes_count, span.dropped_events_count), (0, 0));
    let status = span.status.unwrap();
    assert_eq!((status.code(), status.message.as_str()), (StatusCode::Error, "declined"));
    let told: Vec<_> = span
        .events
        .iter()
        .map(|event| {
            assert_eq!((event.name.as_str(), event.time_unix_nano), ("exception", record.end));
            let get = |key| attribute(&event.attributes, key).unwrap().clone();
            (get("exception.type"), get("exception.message"))
        })
        .collect();
    assert_eq!(
        told,
        [(text("PaymentError"), text("declined")), (text("Timeout"), text("after 3 s"))]
    );

    let get = |key| attribute(&span.attributes, key).unwrap();
    assert_eq!(*get("count"), Any::IntValue(-1));
    assert_eq!(*get("good"), Any::BoolValue(true));
    assert_eq!(*get("ratio"), Any::DoubleValue(0.25));
    assert_eq!(*get("error_type"), text("PaymentError"));
    let Any::ArrayValue(keys) = get(ANNOTATIONS) else { panic!("no list") };
    let keys: Vec<_> = keys.values.iter().map(|it| it.value.clone().unwrap()).collect();
    let expected = ["status", "error_type", "service", "environment", "count", "good"].map(text);
    assert_eq!(keys, expected);
    let Any::KvlistValue(members) = get("nested") else { panic!("no members") };
    assert_eq!(*attribute(&members.values, "big").unwrap(), text("18446744073709551615"));
    let Some(Any::ArrayValue(list)) = attribute(&members.values, "list") else { panic!("no list") };
    let of = |value| AnyValue { value };
    assert_eq!(
        list.values,
        [
            of(Some(Any::IntValue(1))),
            of(Some(text("b"))),
            of(None),
            of(Some(Any::DoubleValue(1.5)))
        ]
    );
}

#[test]
fn scenario_30_names_stay_as_they_are_where_xray_does_not_read_them() {
    let name_of = |text: &str, for_xray| name(text, for_xray).into_owned();
    assert_eq!(name_of("parse::<Vec<T>>", true), "parse::_Vec_T__");
    assert_eq!(name_of("parse::<Vec<T>>", false), "parse::<Vec<T>>");
    assert_eq!(name_of(" ", false), "unnamed");
    assert_eq!(name_of(&"é".repeat(3_000), false).chars().count(), MAX_NAME);
}

#[test]
fn scenario_37_of_a_span_that_is_too_large_the_largest_attribute_goes_first() {
    let mut record = record();
    record.add(Field::annotation("tenant", "acme".into()));
    for (key, bytes) in [("small", 1_000), ("large", 9_000), ("medium", 3_000)] {
        record.add(Field::metadata(key, "x".repeat(bytes).into()));
    }
    let span = encode(&record, LEAST);
    let kept: Vec<_> = span.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(kept, ["status", "tenant", ANNOTATIONS, "small", "medium"]);
    assert_eq!(span.dropped_attributes_count, 1);
    let span = encode(&record, 200_000);
    assert_eq!((span.attributes.len(), span.dropped_attributes_count), (6, 0));
}

#[test]
fn scenario_37_long_messages_are_cut_and_counted() {
    let mut record = record();
    record.status = Some(Status::Error);
    for n in 0..8 {
        let message = format!("{n}{}", "é".repeat(10_000));
        record.exceptions.push(Exception { error_type: "E".into(), message, has_cause: false });
    }
    let span = encode(&record, LEAST);
    assert!(span.events.len() < 8 && !span.events.is_empty() || span.dropped_events_count == 8);
    assert_eq!(span.events.len() + span.dropped_events_count as usize, 8);
    assert_eq!(span.status.unwrap().message.chars().count(), SHORT_MESSAGE);
    // Each 20 KB.
    assert_eq!(encode(&record, 200_000).events.len(), 8);
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,20}", "[a-z]{1,10}", Just("é\"\\\n".repeat(900)), Just("x".repeat(20_000))]
}

fn field() -> impl Strategy<Value = Field> {
    let value = prop_oneof![
        any_text().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        prop::collection::vec(any_text(), 0..3).prop_map(Value::from),
    ];
    let place = prop_oneof![
        Just(Place::Annotation),
        Just(Place::Metadata(None)),
        any_text().prop_map(|namespace| Place::Metadata(Some(namespace.into()))),
    ];
    (place, any_text(), value).prop_map(|(place, key, value)| Field {
        place,
        key: key.into(),
        value,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_record_is_a_valid_span_within_any_limit(
        name in any_text(),
        fields in prop::collection::vec(field(), 0..80),
        messages in prop::collection::vec(any_text(), 0..12),
        failed: bool,
        limit in LEAST..60_000_usize,
    ) {
        let mut record = record();
        record.name = name.into();
        record.status = failed.then_some(Status::Error);
        fields.into_iter().for_each(|field| record.add(field));
        for message in messages {
            let error_type = message.clone().into();
            record.add_exceptions(vec![Exception { error_type, message, has_cause: false }]);
        }
        let span = encode(&record, limit);
        let mut keys: Vec<_> = span.attributes.iter().map(|attribute| &attribute.key).collect();
        keys.sort();
        prop_assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", keys);
        prop_assert!(!span.name.is_empty());
    }

    #[test]
    fn a_pack_says_exactly_when_it_is_full(
        sizes in prop::collection::vec(0..400_usize, 1..40),
        limit in 500..20_000_usize,
    ) {
        let frame = Frame::new(&Resource::of(&[("service.name", "orders")]));
        let (mut pack, mut out) = (Pack::default(), Vec::new());
        for size in sizes {
            // A field of this size.
            let mut span = Vec::new();
            wire::bytes(&mut span, PARENT_SPAN_ID, &vec![0; size]);
            if pack.is_full_for(span.len(), &frame, limit) {
                let count = pack.count();
                pack.take(&frame, &mut out);
                prop_assert!(out.len() <= limit || count == 0, "{} of {}", out.len(), limit);
            }
            pack.push(&span);
        }
        let count = pack.count();
        pack.take(&frame, &mut out);
        prop_assert!(count == 1 || out.len() <= limit, "{} of {}", out.len(), limit);
        let request = ExportTraceServiceRequest::decode(out.as_slice()).unwrap();
        prop_assert_eq!(request.resource_spans[0].scope_spans[0].spans.len(), count);
    }
}
