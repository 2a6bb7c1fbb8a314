//! The headers, read and written, over every carrier.

mod carriers;
mod hostile;
mod precedence;
mod round_trip;
mod w3c_tables;

use std::collections::BTreeMap;

use obs_core::health::{Event, counted};
use obs_core::ids::{SpanId, TraceId, TraceParent};

use super::*;

pub(super) const XRAY_ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
pub(super) const PARENT: &str = "53995c3f42cd8ad8";
pub(super) const XRAY: &str =
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
pub(super) const TRACEPARENT: &str = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
/// Another trace.
pub(super) const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

pub(super) fn parent(sampled: Option<bool>) -> TraceParent {
    TraceParent {
        trace_id: TraceId::from_xray(XRAY_ROOT).unwrap(),
        parent_id: SpanId::from_hex(PARENT),
        sampled,
    }
}

/// What is sent on by a request that came with `headers` and made no span.
pub(super) fn passed_on(headers: &[(&str, &str)]) -> BTreeMap<String, String> {
    let _entered = extract(headers).request_context().enter();
    let mut out = BTreeMap::new();
    inject(&mut out);
    out
}

pub(super) fn map(headers: &[(&str, &str)]) -> BTreeMap<String, String> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_request_without_spans_passes_its_headers_on() {
    for text in [
        format!("Root={XRAY_ROOT};Parent={PARENT};Sampled=1"),
        format!("Root={XRAY_ROOT};Parent={PARENT}"),
        format!("Root={XRAY_ROOT};Parent={PARENT};Sampled=?"),
        format!("Root={XRAY_ROOT};Sampled=0"),
        format!("Root={XRAY_ROOT}"),
        format!("Root={XRAY_ROOT};Parent={PARENT};Sampled=1;Lineage=1:a87bd80c:0"),
    ] {
        let out = passed_on(&[("X-Amzn-Trace-Id", text.as_str())]);
        assert_eq!(out[XRAY_HEADER], text);
        // W3C's header has both a span and a decision, or is not there.
        let is_whole = text.contains("Parent=") && text.contains("Sampled=1");
        assert_eq!(
            out.get(TRACEPARENT_HEADER).map(String::as_str),
            is_whole.then_some(TRACEPARENT)
        );
    }
}

#[test]
fn one_trace_in_both_forms() {
    let expected = map(&[(XRAY_HEADER, XRAY), (TRACEPARENT_HEADER, TRACEPARENT)]);
    assert_eq!(passed_on(&[(XRAY_HEADER, XRAY)]), expected);
    assert_eq!(passed_on(&[(TRACEPARENT_HEADER, TRACEPARENT)]), expected);
    let unsampled = (XRAY.replace("Sampled=1", "Sampled=0"), TRACEPARENT.replace("-01", "-00"));
    let expected = map(&[(XRAY_HEADER, &unsampled.0), (TRACEPARENT_HEADER, &unsampled.1)]);
    assert_eq!(passed_on(&[(XRAY_HEADER, &unsampled.0)]), expected);
    assert_eq!(passed_on(&[(TRACEPARENT_HEADER, &unsampled.1)]), expected);
}

#[test]
fn without_a_trace_nothing_is_written() {
    let mut out = map(&[("TraceParent", "kept"), ("baggage", "kept=1")]);
    let before = out.clone();
    inject(&mut out);
    assert_eq!(out, before);
    assert_eq!(extract(&map(&[])), Extracted::default());
    assert_eq!((current_header(), response_header()), (None, None));
}

#[test]
fn headers_of_another_trace_do_not_stay() {
    let _entered = extract(&[(XRAY_HEADER, format!("Root={XRAY_ROOT}"))]).request_context().enter();
    let mut out = map(&[
        ("Traceparent", OTHER),
        ("TraceState", "a=1"),
        ("X-AMZN-TRACE-ID", "old"),
        ("a", "b"),
    ]);
    inject(&mut out);
    assert_eq!(out, map(&[(XRAY_HEADER, &format!("Root={XRAY_ROOT}")), ("a", "b")]));
}

#[test]
fn scenario_31_the_next_request_has_nothing_of_the_one_before() {
    let all = [
        (XRAY_HEADER, format!("{XRAY};Lineage=1:a87bd80c:0")),
        (TRACEPARENT_HEADER, TRACEPARENT.to_owned()),
        (TRACESTATE_HEADER, "a=1".to_owned()),
        (BAGGAGE_HEADER, "tenant=acme".to_owned()),
    ];
    {
        let _entered = extract(&all).request_context().enter();
        let mut out = BTreeMap::new();
        inject(&mut out);
        assert_eq!(out.len(), 4);
    }
    assert!(passed_on(&[]).is_empty());
    // Nor where what came is attached to a context that was used before.
    let context = extract(&all).request_context();
    extract(&map(&[])).attach(&context);
    let _entered = context.enter();
    let mut out = BTreeMap::new();
    inject(&mut out);
    assert_eq!(out, map(&[(XRAY_HEADER, XRAY), (TRACEPARENT_HEADER, TRACEPARENT)]));
}

/// Health counters belong to the process, and other tests count too: at least so many.
pub(super) fn check_counted(event: Event, at_least: u64, act: impl FnOnce()) {
    let before = counted(event);
    act();
    assert!(counted(event) >= before + at_least, "{event:?}");
}
