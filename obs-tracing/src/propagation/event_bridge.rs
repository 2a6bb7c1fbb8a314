//! Events of EventBridge: X-Ray's header travels beside the event, W3C's and the baggage in its detail.
//!
//! The bus hands [`trace_header`] to its targets (a Lambda function's invocation, a message's
//! `AWSTraceHeader`), but it is not part of the event, and an archive does not keep it. What is in the
//! detail reaches every target.

use serde_json::{Map, Value};

use super::carrier::Injector;
use super::extracted::Extracted;
use super::propagator::Propagator;

/// The member of an event's detail that holds the headers: `{"traceContext": {"traceparent": "00-…"}}`.
pub const DETAIL_MEMBER: &str = "traceContext";

/// The `TraceHeader` of an entry of `PutEvents`, less than the 500 characters that it may have: X-Ray's
/// header of the current span, or of the request.
///
/// ```
/// use obs_tracing::propagation::{self, event_bridge};
///
/// # struct Entry; impl Entry {
/// #     fn set_trace_header(self, header: Option<String>) -> Self { assert!(header.unwrap().starts_with("Root=")); self }
/// # }
/// # let caller = propagation::extract(&[("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793")]);
/// # let _entered = caller.request_context().enter();
/// # let entry = Entry;
/// // let entry = PutEventsRequestEntry::builder().source("orders").detail(detail);
/// let entry = entry.set_trace_header(event_bridge::trace_header());
/// ```
pub fn trace_header() -> Option<String> {
    super::current_header()
}

/// Puts the current headers into an event's detail, as the member [`DETAIL_MEMBER`]. Where there are none
/// the detail stays as it is, and where the member is something else's (no object), too.
///
/// ```
/// use obs_tracing::propagation::{self, event_bridge};
///
/// let caller = propagation::extract(&[("traceparent", "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01")]);
/// let _entered = caller.clone().request_context().enter();
///
/// let mut detail = serde_json::json!({"order_id": 4711});
/// event_bridge::inject_detail(detail.as_object_mut().unwrap());
/// assert!(detail["traceContext"]["traceparent"].is_string());
///
/// // And at the target:
/// assert_eq!(event_bridge::extract_detail(&detail), caller);
/// ```
pub fn inject_detail(detail: &mut Map<String, Value>) {
    let mut headers = Map::new();
    Propagator::current().inject(&mut headers);
    if headers.is_empty() {
        return;
    }
    let member = detail.entry(DETAIL_MEMBER).or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(member) = member else { return };
    for (name, value) in headers {
        Injector::remove(member, &name);
        member.insert(name, value);
    }
}

/// Reads the headers out of an event's detail. Empty where it has none.
pub fn extract_detail(detail: &Value) -> Extracted {
    match detail.get(DETAIL_MEMBER) {
        Some(Value::Object(headers)) => super::extract(headers),
        _ => Extracted::default(),
    }
}
