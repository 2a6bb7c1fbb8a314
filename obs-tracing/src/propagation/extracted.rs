//! What the caller of a request sent along, and what of it stays with the request.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use obs_core::RequestContext;
use obs_core::ids::{SpanIds, TraceParent};

use super::w3c;
use super::xray::XRayHeader;
use crate::baggage::Baggage;

/// What the caller of this request sent along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "the caller's trace is continued in `request_context`, or not at all"]
pub struct Extracted {
    pub(super) trace: Option<TraceParent>,
    pub(super) carried: Carried,
    pub(super) baggage: Baggage,
}

/// What came with the trace and goes on with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Carried {
    /// `Sampled=?`.
    pub(super) asks: bool,
    /// The X-Ray header's other fields, each with a `;` before it.
    pub(super) fields: String,
    pub(super) trace_state: Option<String>,
}

impl Extracted {
    /// The caller's trace, if there was a header and it could be read.
    pub const fn trace(&self) -> Option<TraceParent> {
        self.trace
    }

    /// The caller's `tracestate`, where it belongs to [`Extracted::trace`].
    pub fn trace_state(&self) -> Option<&str> {
        self.carried.trace_state.as_deref()
    }

    /// Whether the caller leaves the sampling to us and wants to know the decision (`Sampled=?`): the
    /// response tells it, see [`inject_response`](super::inject_response).
    pub const fn asks_for_decision(&self) -> bool {
        self.carried.asks
    }

    /// The caller's baggage.
    pub const fn baggage(&self) -> &Baggage {
        &self.baggage
    }

    /// A request context that continues the caller's trace and carries its baggage. To say more about
    /// the request, build one with [`RequestContext::builder`], give it [`Extracted::trace`], and
    /// [attach](Extracted::attach) the rest.
    pub fn request_context(self) -> RequestContext {
        let builder = RequestContext::builder();
        let context = match self.trace {
            Some(parent) => builder.trace(parent).build(),
            None => builder.build(),
        };
        self.attach(&context);
        context
    }

    /// Gives a request what came along beside the trace itself: the baggage, `tracestate`, and the X-Ray
    /// header's other fields. What was attached before is replaced.
    ///
    /// ```
    /// use obs_core::RequestContext;
    /// use obs_tracing::{baggage, propagation};
    ///
    /// let caller = propagation::extract(&[
    ///     ("traceparent", "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"),
    ///     ("baggage", "tenant=acme"),
    /// ]);
    /// let mut builder = RequestContext::builder().request_id("8f5c");
    /// if let Some(parent) = caller.trace() {
    ///     builder = builder.trace(parent);
    /// }
    /// let context = builder.build();
    /// caller.attach(&context);
    ///
    /// let _entered = context.enter();
    /// assert_eq!(baggage::get("tenant").as_deref(), Some("acme"));
    /// ```
    pub fn attach(self, context: &RequestContext) {
        let is_empty = self.carried == Carried::default() && self.baggage.is_empty();
        if !is_empty || context.slot_if_made::<RequestState>().is_some() {
            let state = context.slot(RequestState::default);
            *state.lock() = Kept { carried: self.carried, baggage: self.baggage };
        }
    }
}

/// What is kept with a request.
#[derive(Debug, Default)]
pub(crate) struct RequestState {
    kept: Mutex<Kept>,
    /// The decision at the request's first root, where the caller left it open.
    decision: OnceLock<bool>,
}

#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(super) carried: Carried,
    pub(crate) baggage: Baggage,
}

impl RequestState {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Kept> {
        // Whatever happened to its last holder: what is kept is valid between any two statements.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn decision(&self) -> Option<bool> {
        self.decision.get().copied()
    }
}

/// Makes the sampling decision hold for the whole current request, whose caller left it open: the
/// response tells one decision, so a second root below the same request must not decide anew.
pub(crate) fn hold_decision(ids: &mut SpanIds) {
    RequestContext::with_current(|context| {
        if let Some(context) = context {
            let state = context.slot(RequestState::default);
            ids.sampled = *state.decision.get_or_init(|| ids.sampled);
        }
    });
}

/// Which of the formats is read first where a request brings both; see
/// [`Propagator::prefer`](super::Propagator::prefer).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// `x-amzn-trace-id`.
    #[default]
    XRay,
    /// `traceparent`.
    W3c,
}

/// What is continued, of what the two headers say.
///
/// The preferred one, if it tells of a caller: a span, or a decision. A load balancer gives every
/// request without an X-Ray header one that has only a new `Root`; a caller that speaks W3C would lose
/// its trace to it.
pub(super) fn choose(
    xray: Option<XRayHeader>,
    w3c: Option<TraceParent>,
    trace_state: impl FnOnce() -> Option<String>,
    preferred: Format,
) -> (Option<TraceParent>, Carried) {
    let xray_parent = xray.as_ref().map(|header| header.parent);
    let tells = |parent: &TraceParent, asks: bool| {
        parent.parent_id.is_some() || parent.sampled.is_some() || asks
    };
    let xray_tells = xray.as_ref().is_some_and(|header| tells(&header.parent, header.asks));
    let is_xray = match preferred {
        Format::XRay => xray_tells || w3c.is_none(),
        Format::W3c => w3c.is_none(),
    };
    let trace = if is_xray { xray_parent } else { w3c };
    let state = trace.zip(w3c).filter(|(trace, w3c)| trace.trace_id == w3c.trace_id);
    let carried = Carried {
        asks: is_xray && xray.as_ref().is_some_and(|header| header.asks),
        // Also beside a W3C trace: `Lineage` is how Lambda finds endless loops, whatever the trace.
        fields: xray.map(|header| header.fields).unwrap_or_default(),
        trace_state: state.and_then(|_| trace_state()),
    };
    (trace, carried)
}

/// The headers that go on with a trace.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TraceHeaders {
    pub(super) xray: String,
    pub(super) traceparent: Option<String>,
    pub(super) tracestate: Option<String>,
}

impl TraceHeaders {
    /// `came`: the trace that the request came with.
    pub(super) fn new(
        parent: TraceParent,
        came: Option<TraceParent>,
        carried: Option<&Carried>,
    ) -> Self {
        let traceparent = w3c::traceparent(parent);
        let is_callers = came.is_some_and(|came| came.trace_id == parent.trace_id);
        let state = carried.and_then(|carried| carried.trace_state.clone());
        Self {
            xray: super::xray::header(
                parent,
                is_callers && carried.is_some_and(|carried| carried.asks),
                carried.map_or("", |carried| &carried.fields),
            ),
            tracestate: state.filter(|_| is_callers && traceparent.is_some()),
            traceparent,
        }
    }
}
