//! Every carrier, both ways.

use std::collections::HashMap;
use std::process::Command;

use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};

use super::*;
use crate::propagation::environment::Environment;
use crate::propagation::message::Received;

const STATE: &str = "rojo=1";
const BAGGAGE: &str = "tenant=acme,note=a%20b;ttl=60";

fn all() -> [(&'static str, &'static str); 4] {
    [
        (XRAY_HEADER, XRAY),
        (TRACEPARENT_HEADER, TRACEPARENT),
        (TRACESTATE_HEADER, STATE),
        (BAGGAGE_HEADER, BAGGAGE),
    ]
}

/// The carrier brings all that there is.
fn check_in(carrier: &(impl Extractor + ?Sized)) {
    let caller = extract(carrier);
    assert_eq!(caller.trace(), Some(parent(Some(true))));
    assert_eq!(caller.trace_state(), Some(STATE));
    let baggage: Vec<_> = caller.baggage().iter().collect();
    assert_eq!(baggage, [("tenant", "acme"), ("note", "a b")]);
}

/// Whatever is injected into the carrier comes out again.
fn check_out<C: Injector + Extractor>(mut carrier: C) -> C {
    let _entered = extract(&all()).request_context().enter();
    inject(&mut carrier);
    for (name, value) in all() {
        assert_eq!(carrier.get_all(name), [value], "{name}");
    }
    check_in(&carrier);
    carrier
}

#[test]
fn maps_and_lists() {
    check_in(&all());
    check_in(all().as_slice());
    check_in(&all().to_vec());
    check_in(&&all());
    check_in(&all().map(|(name, value)| (name.to_uppercase(), value.to_owned())));
    check_in(&HashMap::from(all()));
    check_in(&HashMap::<String, String>::from(
        all().map(|(name, value)| (name.to_uppercase(), value.to_owned())),
    ));
    check_in(&BTreeMap::from(all()));
    check_in(&map(&all()));
    let old = || {
        [
            ("TRACEPARENT", "old"),
            ("TraceState", "old"),
            ("X-Amzn-Trace-Id", "old"),
            ("BAGGAGE", "old=1"),
            ("other", "kept"),
        ]
    };
    let owned = || old().map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(check_out(HashMap::from(owned()))["other"], "kept");
    assert_eq!(check_out(BTreeMap::from(owned()))["other"], "kept");
    assert_eq!(check_out(Vec::from(owned())).len(), 5);
    let object = old().into_iter().map(|(name, value)| (name.to_owned(), json!(value)));
    assert_eq!(check_out(object.collect::<Map<_, _>>())["other"], "kept");
    check_out(HeaderMap::new());
}

#[test]
fn of_keys_that_differ_in_case_only_it_is_always_the_same() {
    for _ in 0..20 {
        let headers = HashMap::from([("BAGGAGE", "a=1"), ("Baggage", "b=2"), ("BAggage", "c=3")]);
        assert_eq!(Extractor::get(&headers, "baggage"), Some("a=1"));
    }
    let headers = HashMap::from([("BAGGAGE", "a=1"), ("baggage", "b=2")]);
    assert_eq!(Extractor::get(&headers, "baggage"), Some("b=2"));
}

#[test]
fn http_headers() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("X-Amzn-Trace-Id", XRAY),
        ("TraceParent", TRACEPARENT),
        ("tracestate", STATE),
        ("baggage", "tenant=acme"),
        ("Baggage", "note=a%20b;ttl=60"),
    ] {
        headers.append(http::HeaderName::try_from(name).unwrap(), HeaderValue::from_static(value));
    }
    check_in(&headers);
    // The ones that came several times are one afterwards.
    check_out(headers.clone());
    // A value that is no text is as good as none.
    headers.insert(XRAY_HEADER, HeaderValue::from_bytes(b"Root=\xff").unwrap());
    check_counted(Event::HeaderRefused, 1, || check_in(&headers));
}

#[test]
fn json_members_that_are_no_text_are_absent() {
    let headers =
        json!({"traceparent": 1, "tracestate": null, "baggage": ["a=1"], "x-amzn-trace-id": {}});
    assert_eq!(extract(headers.as_object().unwrap()), Extracted::default());
}

#[test]
fn messages() {
    let _entered = extract(&all()).request_context().enter();
    let sqs = message::sqs();
    let system = sqs.system.clone().unwrap();
    assert_eq!(
        (system.name, system.data_type, system.value.as_str()),
        ("AWSTraceHeader", "String", XRAY)
    );
    let names: Vec<_> = sqs.attributes.iter().map(|attribute| attribute.name).collect();
    assert_eq!(names, ["traceparent", "baggage", "tracestate"]);
    let received: Received<'_> = sqs
        .attributes
        .iter()
        .chain(&sqs.system)
        .map(|attribute| (attribute.name, attribute.value.as_str()))
        .chain([("SenderId", "AIDA"), ("own", "1")])
        .collect();
    check_in(&received);
    let names = r#"["x-amzn-trace-id", "traceparent", "tracestate", "baggage"]"#;
    assert_eq!(format!("{received:?}"), names);

    let sns = message::sns();
    assert!(
        sns.iter().all(|attribute| attribute.data_type == "String" && !attribute.value.is_empty())
    );
    let pairs = || sns.iter().map(|attribute| (attribute.name, attribute.value.as_str()));
    assert_eq!(
        pairs().map(|(name, _)| name).collect::<Vec<_>>(),
        ["x-amzn-trace-id", "traceparent", "baggage", "tracestate"]
    );
    check_in(&pairs().collect::<Received<'_>>());
    // What the services wrote counts before what the sender wrote, in any order.
    let theirs = "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=0";
    let with_theirs =
        || pairs().filter(|(name, _)| *name == XRAY_HEADER).chain([("AWSTraceHeader", theirs)]);
    for received in [
        with_theirs().collect::<Received<'_>>(),
        with_theirs().collect::<Vec<_>>().into_iter().rev().collect(),
    ] {
        assert_eq!(extract(&received).trace().unwrap().sampled, Some(false));
    }
}

#[test]
fn messages_outside_of_a_trace_carry_nothing() {
    let sqs = message::sqs();
    assert_eq!((sqs.system, sqs.attributes.len(), message::sns().len()), (None, 0, 0));
    assert_eq!(
        extract(&[("own", "1")].into_iter().collect::<Received<'_>>()),
        Extracted::default()
    );
}

#[test]
fn events() {
    let mut without = Map::new();
    event_bridge::inject_detail(&mut without);
    assert_eq!((without.len(), event_bridge::trace_header()), (0, None));

    let _entered = extract(&all()).request_context().enter();
    assert_eq!(event_bridge::trace_header().as_deref(), Some(XRAY));
    let mut detail = json!({"order_id": 4711, "traceContext": {"TraceParent": OTHER, "own": 1}});
    event_bridge::inject_detail(detail.as_object_mut().unwrap());
    assert_eq!(detail["traceContext"]["own"], 1);
    assert_eq!(detail["traceContext"]["traceparent"], TRACEPARENT);
    assert_eq!(detail["traceContext"].get("TraceParent"), None);
    check_in(detail["traceContext"].as_object().unwrap());
    assert_eq!(event_bridge::extract_detail(&detail), extract(&all()));

    // Somebody else's.
    let mut taken = json!({"traceContext": "mine"});
    event_bridge::inject_detail(taken.as_object_mut().unwrap());
    assert_eq!(taken, json!({"traceContext": "mine"}));
    for detail in [taken, json!({}), json!([]), Value::Null] {
        assert_eq!(event_bridge::extract_detail(&detail), Extracted::default());
    }
}

fn unbase64(text: &str) -> Value {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits: Vec<bool> = Vec::new();
    for letter in text.trim_end_matches('=').bytes() {
        let six = letters.iter().position(|known| *known == letter).unwrap();
        bits.extend((0..6).rev().map(|bit| six >> bit & 1 == 1));
    }
    let bytes: Vec<u8> = bits
        .chunks_exact(8)
        .map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit)))
        .collect();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn client_contexts() {
    assert_eq!(unbase64(&client_context::encode::<&str, &str>([])), json!({"custom": {}}));
    let _entered = extract(&all()).request_context().enter();
    let context = unbase64(&client_context::encode([("own", "\"1\""), ("Baggage", "old")]));
    assert_eq!(context["custom"]["own"], "\"1\"");
    assert_eq!(context["custom"].get("Baggage"), None);
    check_in(context["custom"].as_object().unwrap());
}

#[test]
fn a_client_context_keeps_its_limit() {
    let _entered = extract(&all()).request_context().enter();
    crate::baggage::set("much", &"x".repeat(3_000));
    let encoded = client_context::encode([("own", "1")]);
    assert!(encoded.len() <= 3_583);
    let members = |encoded: &str| -> Vec<String> {
        unbase64(encoded)["custom"].as_object().unwrap().keys().cloned().collect()
    };
    // An object of serde_json is sorted by name.
    assert_eq!(members(&encoded), ["own", "traceparent", "tracestate", "x-amzn-trace-id"]);
    let own = "x".repeat(2_560);
    let encoded = client_context::encode([("own", own.as_str())]);
    assert!(encoded.len() <= 3_583);
    assert_eq!(members(&encoded), ["own", "x-amzn-trace-id"]);
    let own = "x".repeat(4_000);
    check_counted(Event::LimitExceeded, 4, || {
        assert_eq!(members(&client_context::encode([("own", own.as_str())])), ["own"]);
    });
}

#[test]
fn environments() {
    let variables = [
        ("_X_AMZN_TRACE_ID", XRAY),
        ("TRACEPARENT", TRACEPARENT),
        ("TRACESTATE", STATE),
        ("BAGGAGE", BAGGAGE),
    ];
    check_in(&Environment::of(variables));
    assert_eq!(
        format!("{:?}", Environment::of(variables)),
        "[\"x-amzn-trace-id\", \"traceparent\", \"tracestate\", \"baggage\"]"
    );
    let none =
        Environment::of([("traceparent", TRACEPARENT), ("X_AMZN_TRACE_ID", XRAY), ("BAGGAGE", "")]);
    assert_eq!(extract(&none), Extracted::default());

    let mut command = Command::new("true");
    let _entered = extract(&all()).request_context().enter();
    inject(&mut command);
    let set: Vec<_> = command
        .get_envs()
        .map(|(name, value)| (name.to_str().unwrap(), value.unwrap().to_str().unwrap()))
        .collect();
    check_in(&Environment::of(set));
}

#[test]
fn a_child_does_not_inherit_another_traces_variables() {
    let mut command = Command::new("true");
    let _entered = extract(&[(XRAY_HEADER, format!("Root={XRAY_ROOT}"))]).request_context().enter();
    inject(&mut command);
    let set: BTreeMap<_, _> = command
        .get_envs()
        .map(|(name, value)| {
            (name.to_str().unwrap(), value.map(|value| value.to_str().unwrap().to_owned()))
        })
        .collect();
    let root = format!("Root={XRAY_ROOT}");
    assert_eq!(
        set,
        BTreeMap::from([
            ("_X_AMZN_TRACE_ID", Some(root)),
            ("TRACEPARENT", None),
            ("TRACESTATE", None)
        ])
    );
}
