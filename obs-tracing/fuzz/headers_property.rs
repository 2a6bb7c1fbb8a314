//! What must hold of trace and baggage headers, whatever is in them.

use obs_core::Redactor;
use obs_tracing::baggage;
use obs_tracing::propagation::{
    self, BAGGAGE_HEADER, Extracted, Format, Propagator, TRACEPARENT_HEADER, TRACESTATE_HEADER,
    XRAY_HEADER,
};

/// What an input led to: a fuzzer that reaches none of it finds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Reached {
    pub(crate) trace: bool,
    pub(crate) trace_state: bool,
    pub(crate) baggage: bool,
    pub(crate) question: bool,
}

/// Checks an input: a header a line, `name: value`, as HTTP has it; a line without a name is a value of
/// every header.
///
/// # Panics
///
/// If the property does not hold.
pub(crate) fn check(input: &[u8]) -> Reached {
    let text = String::from_utf8_lossy(input);
    let names = [XRAY_HEADER, TRACEPARENT_HEADER, TRACESTATE_HEADER, BAGGAGE_HEADER];
    let headers: Vec<(&str, &str)> = text
        .split('\n')
        .flat_map(|line| match line.split_once(": ") {
            Some((name, value)) => vec![(name, value)],
            None => names.iter().map(|name| (*name, line)).collect(),
        })
        .collect();
    for (_, value) in &headers {
        alone(value);
    }
    for format in [Format::XRay, Format::W3c] {
        passed_on(&Propagator::new().prefer(format).redact(Redactor::standard()), &headers);
        passed_on(&Propagator::new().prefer(format).without_baggage(), &headers);
    }
    // What is not redacted is the same after it was passed on, and the same again.
    let propagator = Propagator::new().redact(Redactor::none());
    let first = propagator.extract(&headers);
    let sent = passed_on(&propagator, &headers);
    let second = propagator.extract(&sent);
    assert_eq!(second.trace(), first.trace());
    assert_eq!(second.asks_for_decision(), first.asks_for_decision());
    assert_eq!(second.baggage(), first.baggage());
    let is_decided = first.trace().is_some_and(|it| it.parent_id.is_some() && it.sampled.is_some());
    if is_decided {
        assert_eq!(second.trace_state(), first.trace_state());
    }
    let pairs: Vec<_> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(passed_on(&propagator, &pairs), sent);
    Reached {
        trace: first.trace().is_some(),
        trace_state: first.trace_state().is_some(),
        baggage: !first.baggage().is_empty(),
        question: first.asks_for_decision(),
    }
}

/// The readers of one value.
fn alone(value: &str) {
    if let Some(parent) = propagation::parse(value) {
        let written = parent.xray_header().to_string();
        assert_eq!(propagation::parse(&written), Some(parent), "{written}");
    }
    if let Some(parent) = propagation::parse_traceparent(value) {
        assert!(parent.parent_id.is_some() && parent.sampled.is_some());
        let xray = parent.xray_header().to_string();
        assert_eq!(propagation::parse(&xray), Some(parent), "{xray}");
    }
}

/// What a request that came with `headers` sends on.
fn passed_on(propagator: &Propagator, headers: &[(&str, &str)]) -> Vec<(String, String)> {
    let caller: Extracted = propagator.extract(headers);
    let _entered = caller.request_context().enter();
    let mut sent = Vec::new();
    propagator.inject(&mut sent);
    for (name, value) in &sent {
        let limit = match name.as_str() {
            XRAY_HEADER => 500,
            TRACEPARENT_HEADER => 55,
            TRACESTATE_HEADER => 512,
            _ => baggage::MAX_BYTES,
        };
        assert!(!value.is_empty() && value.len() <= limit, "{name}: {value}");
        assert!(value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')), "{name}: {value}");
    }
    sent
}
