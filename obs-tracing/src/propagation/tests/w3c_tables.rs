//! `traceparent` and `tracestate`.

use super::*;
use crate::propagation::w3c::{MAX_TRACE_STATE, trace_state, traceparent};

fn check(header: &str, sampled: Option<bool>) {
    let expected = sampled.map(|sampled| parent(Some(sampled)));
    assert_eq!(parse_traceparent(header), expected, "{header:?}");
}

#[test]
fn traceparent_is_read() {
    const IDS: &str = "5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8";
    check(&format!("00-{IDS}-01"), Some(true));
    check(&format!("00-{IDS}-00"), Some(false));
    // Other flags are passed over: the second recommendation's `random`, and what may come.
    check(&format!("00-{IDS}-02"), Some(false));
    check(&format!("00-{IDS}-03"), Some(true));
    check(&format!("00-{IDS}-ff"), Some(true));
    check(&format!(" \t00-{IDS}-01 "), Some(true));
    // Later versions may have more.
    check(&format!("01-{IDS}-01"), Some(true));
    check(&format!("fe-{IDS}-01-what-may-come"), Some(true));
    check(&format!("cc-{IDS}-01-ü"), Some(true));
}

#[test]
fn what_is_no_traceparent_is_none() {
    const IDS: &str = "5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8";
    for header in [
        String::new(),
        "00".to_owned(),
        format!("00-{IDS}"),
        format!("00-{IDS}-"),
        format!("00-{IDS}-0"),
        format!("00-{IDS}-001"),
        format!("00-{IDS}-01-"),
        format!("00-{IDS}-01-more"),
        format!("00-{IDS}-01."),
        format!("01-{IDS}-01.more"),
        format!("ff-{IDS}-01"),
        format!("0-{IDS}-01"),
        format!("0g-{IDS}-01"),
        format!("00-{IDS}-0g"),
        format!("00-{IDS}-+1"),
        format!("00_{IDS}-01"),
        format!("00-{}-01", IDS.to_uppercase()),
        format!("0A-{IDS}-01"),
        "00-00000000000000000000000000000000-53995c3f42cd8ad8-01".to_owned(),
        "00-5759e988bd862e3fe1be46a994272793-0000000000000000-01".to_owned(),
        "00-5759e988bd862e3fe1be46a9942727ü-53995c3f42cd8ad8-01".to_owned(),
        format!("00-{IDS}-01,00-{IDS}-01"),
        XRAY.to_owned(),
    ] {
        check(&header, None);
    }
}

#[test]
fn traceparent_is_written_where_there_is_enough_to_say() {
    let cases = [
        (parent(Some(true)), Some(TRACEPARENT.to_owned())),
        (parent(Some(false)), Some(TRACEPARENT.replace("-01", "-00"))),
        (parent(None), None),
        (TraceParent { parent_id: None, ..parent(Some(true)) }, None),
    ];
    for (parent, expected) in cases {
        assert_eq!(traceparent(parent), expected, "{parent:?}");
    }
    // Zeros at the front are digits, too.
    let small = TraceParent {
        trace_id: TraceId::from_u128(1).unwrap(),
        parent_id: SpanId::from_u64(2),
        sampled: Some(true),
    };
    let header = "00-00000000000000000000000000000001-0000000000000002-01";
    assert_eq!(traceparent(small).as_deref(), Some(header));
    assert_eq!(parse_traceparent(header), Some(small));
    assert_eq!(small.trace_id.xray().to_string(), "1-00000000-000000000000000000000001");
}

fn check_state(values: &[&str], expected: Option<&str>) {
    assert_eq!(trace_state(values).as_deref(), expected, "{values:?}");
}

#[test]
fn tracestate_is_kept_as_it_is() {
    check_state(&[], Some(""));
    check_state(&[""], Some(""));
    check_state(
        &["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"],
        Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
    );
    check_state(&["a=1", "", "b=2"], Some("a=1,b=2"));
    check_state(&[" a=1 , ,b=2\t"], Some("a=1,b=2"));
    check_state(&["t@v=x y~!=;"], Some("t@v=x y~!=;"));
    check_state(&["a=1\r\nevil: 1"], None);
    check_state(&["a=1", "ü=1"], None);
    check_state(&["a=\u{7f}"], None);
}

#[test]
fn a_long_tracestate_loses_whole_members() {
    let exact = format!("a={},b={}", "x".repeat(250), "y".repeat(MAX_TRACE_STATE - 255));
    assert_eq!(exact.len(), MAX_TRACE_STATE);
    check_state(&[&exact], Some(&exact));
    // One byte more: the long ones go first.
    check_state(&[&format!("{exact},c=1")], Some("c=1"));
    // And then the last ones.
    let short: Vec<_> = (0..100).map(|n| format!("k{n:02}={}", "z".repeat(96))).collect();
    check_state(&[&short.join(",")], Some(&short[..5].join(",")));
    let many: Vec<_> = (0..100).map(|n| format!("k{n}=1")).collect();
    check_state(&[&many.join(",")], Some(&many[..32].join(",")));
    let huge = format!("a={}", "x".repeat(1_000_000));
    check_state(&[&huge], Some(""));
}
