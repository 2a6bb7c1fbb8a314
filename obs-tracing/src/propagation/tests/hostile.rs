//! Headers from whom one does not know.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const MEGABYTE: usize = 1 << 20;

/// Every header at once, and what is passed on of it.
fn run(value: &str) {
    let headers = [XRAY_HEADER, TRACEPARENT_HEADER, TRACESTATE_HEADER, BAGGAGE_HEADER]
        .map(|name| (name, value));
    for (_, value) in passed_on(&headers) {
        assert!(value.len() <= crate::baggage::MAX_BYTES);
        assert!(value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')), "{value:?}");
    }
}

#[test]
fn scenario_46_a_megabyte_takes_no_longer_than_it_is_long() {
    let long = |part: &str| part.repeat(MEGABYTE / part.len());
    let begun = Instant::now();
    for value in [
        long("a"),
        long(";"),
        long(","),
        long("="),
        long("%"),
        long("%e"),
        long("-"),
        long(" "),
        long("\t ,"),
        long("ü"),
        long("a=1,"),
        long("a=1;"),
        long("a=;b,"),
        long("Root=1-5759e988-bd862e3fe1be46a994272793;"),
        long(";Root=1-;Self=1-;Parent=;Sampled="),
        format!("Root={XRAY_ROOT};Parent={}", long("5")),
        format!("Root={XRAY_ROOT};Sampled={}", long("1")),
        format!("Root={XRAY_ROOT}{}", long(";a=1")),
        format!("Root={XRAY_ROOT};a={}", long("1")),
        format!("Root={}", long("1-")),
        format!("{TRACEPARENT}-{}", long("0")),
        format!("cc{}-{}", &TRACEPARENT[2..], long("0")),
        format!("{}a=1", long("\t")),
        (0..MEGABYTE / 8).map(|n| format!("k{n:x}=1,")).collect(),
        (0..MEGABYTE / 8).map(|n| format!(";k{n:x}=1")).collect::<String>()
            + &format!(";Root={XRAY_ROOT}"),
    ] {
        run(&value);
    }
    // 100 MB of headers in a debug build: what is quadratic would take hours.
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn many_headers_of_one_name_take_no_longer_than_they_are_long() {
    let begun = Instant::now();
    for name in [XRAY_HEADER, TRACEPARENT_HEADER, TRACESTATE_HEADER, BAGGAGE_HEADER] {
        let mut headers = vec![(name, "a=1"); MEGABYTE / 8];
        headers.push((TRACEPARENT_HEADER, TRACEPARENT));
        drop(passed_on(&headers));
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

proptest! {
    #[test]
    fn any_text(value in "\\PC{0,200}") {
        run(&value);
    }

    #[test]
    fn any_bytes(value in proptest::collection::vec(any::<u8>(), 0..200)) {
        run(&String::from_utf8_lossy(&value));
        let mut headers = http::HeaderMap::new();
        if let Ok(value) = http::HeaderValue::from_bytes(&value) {
            for name in [XRAY_HEADER, TRACEPARENT_HEADER, TRACESTATE_HEADER, BAGGAGE_HEADER] {
                headers.insert(name, value.clone());
            }
        }
        let _ = extract(&headers);
    }

    #[test]
    fn nearly_a_header(value in "(Root=|Parent=|Sampled=|1-|00-|[0-9a-f]{2}|[0-9a-f]{16}|[0-9a-fA-F]{24}|[-;,=%? \u{e9}]){0,12}") {
        run(&value);
    }
}
