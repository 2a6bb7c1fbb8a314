//! How a trace goes from process to process: headers are read from what comes in and written to what
//! goes out.
//!
//! | header | what it holds | limit |
//! | --- | --- | --- |
//! | `x-amzn-trace-id` | X-Ray's trace, parent and sampling; other fields (`Lineage`) are carried on, but for `Self`, which a load balancer sets for itself | 400 bytes of other fields |
//! | `traceparent` | the same, in W3C's form | 55 bytes |
//! | `tracestate` | what other tracers say: carried on as it is | 512 bytes, 32 members |
//! | `baggage` | see [`baggage`](crate::baggage) | 8,192 bytes, 180 members |
//!
//! ```
//! use std::collections::HashMap;
//! use obs_core::context::{InContextExt, RequestContext};
//! use obs_tracing::propagation;
//!
//! let headers = HashMap::from([(
//!     "X-Amzn-Trace-Id".to_owned(),
//!     "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1".to_owned(),
//! )]);
//! let caller = propagation::extract(&headers);
//! assert_eq!(caller.trace().unwrap().sampled, Some(true));
//!
//! // The first span below this context continues the caller's trace.
//! let _entered = caller.request_context().enter();
//! let mut outgoing = HashMap::new();
//! propagation::inject(&mut outgoing);
//! assert!(outgoing["x-amzn-trace-id"].starts_with("Root=1-5759e988-bd862e3fe1be46a994272793;"));
//! assert!(outgoing["traceparent"].starts_with("00-5759e988bd862e3fe1be46a994272793-"));
//! ```
//!
//! # Carriers
//!
//! | carrier | in | out |
//! | --- | --- | --- |
//! | `http::HeaderMap`, maps, lists of pairs, JSON objects | [`extract`] | [`inject`] |
//! | messages of SQS and SNS | [`message::Received`] | [`message::sqs`], [`message::sns`] |
//! | events of EventBridge | [`event_bridge::extract_detail`] | [`event_bridge::trace_header`], [`event_bridge::inject_detail`] |
//! | a Lambda function that is invoked | [`extract`] from the client context's `custom` | [`client_context::encode`] |
//! | processes | [`environment::Environment`] | [`inject`] into a [`std::process::Command`] |
//!
//! Anything else implements [`Extractor`] or [`Injector`].
//!
//! # Which header counts
//!
//! X-Ray's before W3C's ([`Propagator::prefer`] turns it round), unless it has nothing but a `Root`, as a
//! load balancer makes one. What is not valid is passed over and counted in `obs_core::health`; with no
//! valid header a new trace begins. `tracestate` is carried on where the trace that counts is
//! `traceparent`'s.
//!
//! # Sampling
//!
//! `Sampled=?` leaves the decision to us: the root's sampler decides, once for the request, and the
//! response says what ([`inject_response`]). Until there is a root, the question is passed on as it
//! came. `traceparent` has no way to leave it open: there the header is written once it is decided.

mod carrier;
pub mod client_context;
pub mod environment;
pub mod event_bridge;
mod extracted;
pub mod message;
mod propagator;
mod w3c;
mod xray;

use obs_core::RequestContext;
use obs_core::ids;

pub use carrier::{Extractor, Injector};
pub use extracted::{Extracted, Format};
pub(crate) use extracted::{RequestState, hold_decision};
pub use propagator::Propagator;
pub use w3c::parse_traceparent;
pub use xray::parse;

/// The name of X-Ray's header, in lower case.
pub const XRAY_HEADER: &str = "x-amzn-trace-id";
/// The name of W3C's header, in lower case.
pub const TRACEPARENT_HEADER: &str = "traceparent";
/// The name of the header in which other tracers keep what they need, in lower case.
pub const TRACESTATE_HEADER: &str = "tracestate";
/// The name of the header of [`baggage`](crate::baggage), in lower case.
pub const BAGGAGE_HEADER: &str = "baggage";

/// Reads what the caller sent along out of `headers`. Without a valid header what comes back is empty,
/// and a new trace begins.
///
/// Takes time in proportion to the headers' length, whatever is in them.
pub fn extract<H: Extractor + ?Sized>(headers: &H) -> Extracted {
    Propagator::current().extract(headers)
}

/// Writes the current span's headers into `headers`; without a span, those of the request, which are
/// passed on as they came; without either, nothing. The request's baggage goes along, redacted.
pub fn inject<H: Injector + ?Sized>(headers: &mut H) {
    Propagator::current().inject(headers);
}

/// X-Ray's header of the current span, or of the request; see [`inject`].
pub fn current_header() -> Option<String> {
    Some(Propagator::new().without_baggage().outgoing().trace?.xray)
}

/// Writes X-Ray's header into a response: which trace it was and, where the caller asked with
/// `Sampled=?`, whether it is sampled. Works inside of the request's spans and after them, within its
/// context. Without a trace, nothing.
///
/// ```
/// use std::collections::HashMap;
/// use obs_tracing::{Sampler, XRay, propagation, trace_function};
/// use tracing_subscriber::prelude::*;
///
/// # let tracer = XRay::builder().service("orders").sampler(Sampler::parent_or(Sampler::never())).discard().build()?;
/// # let _default = tracing_subscriber::registry().with(tracer.layer()).set_default();
/// let caller = propagation::extract(&[("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?")]);
/// let _entered = caller.request_context().enter();
/// trace_function!("request", { /* … */ });
///
/// let mut response = HashMap::new();
/// propagation::inject_response(&mut response);
/// assert_eq!(response["x-amzn-trace-id"], "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0");
/// # Ok::<(), obs_tracing::Error>(())
/// ```
pub fn inject_response<H: Injector + ?Sized>(headers: &mut H) {
    if let Some(value) = response_header() {
        headers.set(XRAY_HEADER, value);
    }
}

/// The value that [`inject_response`] writes.
pub fn response_header() -> Option<String> {
    RequestContext::with_current(|context| {
        let Some(came) = context.and_then(RequestContext::trace) else {
            return Some(xray::response_header(ids::current_ids()?.trace_id, None));
        };
        let state = context.and_then(RequestContext::slot_if_made::<RequestState>);
        let asked = state.filter(|state| state.lock().carried.asks);
        Some(xray::response_header(came.trace_id, asked.and_then(RequestState::decision)))
    })
}

#[cfg(test)]
mod tests;
