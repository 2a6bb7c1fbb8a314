use obs_core::ids::{SpanId, TraceId};
use proptest::prelude::*;

use super::*;
use crate::classify::ErrorClass;
use crate::failure::Exception;
use crate::record::{Field, Place, SpanKind, Status};
use crate::udp::{MAX_DATAGRAM, SMALL_DATAGRAM};

#[path = "../../tests/it/support/rules.rs"]
mod rules;

fn identity() -> Identity {
    Identity::new("orders", "test")
}

fn record() -> SpanRecord {
    SpanRecord {
        trace_id: TraceId::from_xray("1-5759e988-bd862e3fe1be46a994272793").unwrap(),
        span_id: SpanId::from_hex("53995c3f42cd8ad8").unwrap(),
        parent_id: None,
        span_kind: SpanKind::Internal,
        kind: Kind::Segment,
        name: "charge".into(),
        start: 1_700_000_000_000_000_000,
        end: 1_700_000_001_002_003_999,
        status: Some(Status::Success),
        error_type: None,
        class: None,
        exceptions: Vec::new(),
        fields: Vec::new(),
        left_out: 0,
        bytes: 0,
    }
}

fn encode(record: &SpanRecord) -> Vec<u8> {
    encode_within(record, MAX_DATAGRAM)
}

fn encode_within(record: &SpanRecord, limit: usize) -> Vec<u8> {
    let mut out = b"what was there before".to_vec();
    let resource = Resource::of(&[("cloud.platform", "aws_ecs")]);
    Encoder::new(identity(), Some("7".to_owned()), resource, Redactor::default())
        .encode(record, limit, &mut out);
    out
}

fn check(record: &SpanRecord, expected: &str) {
    let datagram = encode(record);
    rules::check(&datagram).unwrap();
    let json = datagram.strip_prefix(HEADER).unwrap();
    assert_eq!(std::str::from_utf8(json).unwrap(), expected);
}

#[test]
fn a_segment_byte_by_byte() {
    let version = env!("CARGO_PKG_VERSION");
    check(
        &record(),
        &format!(
            concat!(
                r#"{{"name":"charge","id":"53995c3f42cd8ad8","#,
                r#""trace_id":"1-5759e988-bd862e3fe1be46a994272793","#,
                r#""start_time":1700000000.000000,"end_time":1700000001.002003,"#,
                r#""annotations":{{"status":"success","service":"orders","environment":"test"}},"#,
                r#""service":{{"version":"7"}},"origin":"AWS::ECS::Container","#,
                r#""aws":{{"xray":{{"sdk":"Obs for Rust","sdk_version":"{}"}}}}}}"#,
            ),
            version
        ),
    );
}

#[test]
fn a_failed_subsegment_byte_by_byte() {
    let mut subsegment = record();
    subsegment.kind = Kind::Subsegment;
    subsegment.parent_id = SpanId::from_hex("00000000000000aa");
    subsegment.status = Some(Status::Error);
    subsegment.error_type = Some("PaymentError".into());
    subsegment.exceptions = vec![
        Exception { error_type: "PaymentError".into(), message: "no\nway".into(), has_cause: true },
        Exception { error_type: "Error".into(), message: String::new(), has_cause: false },
    ];
    subsegment.add(Field::annotation("order_id", 4711.into()));
    subsegment.add(Field::metadata("items", 2.into()));
    check(
        &subsegment,
        concat!(
            r#"{"name":"charge","id":"53995c3f42cd8ad8","#,
            r#""trace_id":"1-5759e988-bd862e3fe1be46a994272793","#,
            r#""parent_id":"00000000000000aa","type":"subsegment","#,
            r#""start_time":1700000000.000000,"end_time":1700000001.002003,"fault":true,"#,
            r#""cause":{"exceptions":[{"id":"42cd8ad853995c3e","type":"PaymentError","#,
            r#""message":"no\nway","cause":"42cd8ad853995c3d"},"#,
            r#"{"id":"42cd8ad853995c3d","type":"Error","message":""}]},"#,
            r#""annotations":{"status":"error","error_type":"PaymentError","order_id":4711},"#,
            r#""metadata":{"default":{"items":2}}}"#,
        ),
    );
}

#[test]
fn scenario_26_a_span_never_ends_before_it_began() {
    let mut record = record();
    record.end = record.start - 1;
    let document = rules::check(&encode(&record)).unwrap();
    assert_eq!(document["start_time"], document["end_time"]);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,20}",
        "[a-z]{1,10}",
        Just("\u{1}\"\\\n\u{2028}".repeat(500)),
        Just("x".repeat(20_000))
    ]
}

fn field() -> impl Strategy<Value = Field> {
    let value = prop_oneof![
        text().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        prop::collection::vec(text(), 0..3).prop_map(Value::from),
    ];
    let place = prop_oneof![
        Just(Place::Annotation),
        Just(Place::Metadata(None)),
        text().prop_map(|namespace| Place::Metadata(Some(namespace.into()))),
    ];
    (place, text(), value).prop_map(|(place, key, value)| Field { place, key: key.into(), value })
}

fn exception() -> impl Strategy<Value = Exception> {
    (text(), text(), any::<bool>()).prop_map(|(error_type, message, has_cause)| Exception {
        error_type: error_type.into(),
        message,
        has_cause,
    })
}

const SPAN_KINDS: &[SpanKind] = &[
    SpanKind::Internal,
    SpanKind::Server,
    SpanKind::Client,
    SpanKind::Producer,
    SpanKind::Consumer,
];

const STATUSES: &[Option<Status>] = &[
    None,
    Some(Status::Success),
    Some(Status::Error),
    Some(Status::Cancelled),
    Some(Status::Panicked),
];

const CLASSES: &[Option<ErrorClass>] =
    &[None, Some(ErrorClass::Fault), Some(ErrorClass::Error), Some(ErrorClass::Throttle)];

#[test]
fn flags_are_those_of_the_status_and_the_class() {
    for &status in STATUSES {
        for &class in CLASSES {
            let record = SpanRecord { status, class, ..record() };
            let expected: &[&str] = match (status, class) {
                (Some(Status::Panicked), _) => &["fault"],
                (Some(Status::Error), None | Some(ErrorClass::Fault)) => &["fault"],
                (Some(Status::Error), Some(ErrorClass::Error)) => &["error"],
                (Some(Status::Error), Some(ErrorClass::Throttle)) => &["error", "throttle"],
                _ => &[],
            };
            assert_eq!(record.flags(), expected, "{status:?} {class:?}");
        }
    }
}

#[test]
fn only_what_stands_for_another_service_has_a_namespace() {
    for kind in [Kind::Segment, Kind::Invocation, Kind::Subsegment] {
        for &span_kind in SPAN_KINDS {
            let mut record = SpanRecord { kind, span_kind, ..record() };
            let is_remote =
                kind != Kind::Segment && matches!(span_kind, SpanKind::Client | SpanKind::Producer);
            assert_eq!(record.namespace(), is_remote.then_some("remote"), "{kind:?} {span_kind:?}");
            record.add(Field::metadata("rpc.system", "aws-api".into()));
            assert_eq!(record.namespace(), is_remote.then_some("aws"), "{kind:?} {span_kind:?}");
        }
    }
}

#[test]
fn a_kind_is_read_in_any_case() {
    for (text, expected) in [
        ("client", Some(SpanKind::Client)),
        ("Server", Some(SpanKind::Server)),
        ("PRODUCER", Some(SpanKind::Producer)),
        ("consumer", Some(SpanKind::Consumer)),
        ("internal", Some(SpanKind::Internal)),
        ("", None),
        ("clients", None),
    ] {
        assert_eq!(SpanKind::parse(text), expected, "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_record_is_a_valid_document(
        name in text(),
        fields in prop::collection::vec(field(), 0..80),
        exceptions in prop::collection::vec(exception(), 0..12),
        left_out: bool,
        kind in prop::sample::select(vec![Kind::Segment, Kind::Invocation, Kind::Subsegment]),
        span_kind in prop::sample::select(SPAN_KINDS.to_vec()),
        status in prop::sample::select(STATUSES.to_vec()),
        class in prop::sample::select(CLASSES.to_vec()),
    ) {
        let mut record = record();
        (record.kind, record.span_kind) = (kind, span_kind);
        record.parent_id = SpanId::from_u64(1).filter(|_| kind != Kind::Segment);
        (record.status, record.class) = (status, class);
        record.name = name.into();
        record.left_out = left_out.into();
        fields.into_iter().for_each(|field| record.add(field));
        record.add_exceptions(exceptions);
        for limit in [MAX_DATAGRAM, SMALL_DATAGRAM] {
            let datagram = encode_within(&record, limit);
            prop_assert!(datagram.len() <= limit, "{} bytes", datagram.len());
            let checked = rules::check(&datagram);
            prop_assert!(checked.is_ok(), "{:?}", checked);
        }
    }
}
