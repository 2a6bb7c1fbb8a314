//! Reading and writing the headers, with the settings of the tracer at hand.

use std::sync::Arc;

use obs_core::health::{self, Event};
use obs_core::ids::{self, TraceParent};
use obs_core::{Redactor, RequestContext};
use tracing::dispatcher;

use super::carrier::{Extractor, Injector};
use super::extracted::{Carried, Extracted, Format, RequestState, TraceHeaders, choose};
use super::{BAGGAGE_HEADER, TRACEPARENT_HEADER, TRACESTATE_HEADER, XRAY_HEADER};
use super::{w3c, xray};
use crate::baggage::Baggage;
use crate::layer::XRayLayer;

/// How traces are carried from process to process. The functions of [this module](super) use the one of
/// the current subscriber's tracer ([`XRayBuilder::propagator`](crate::XRayBuilder::propagator)),
/// without a tracer the default one.
///
/// ```
/// use obs_tracing::propagation::{Format, Propagator};
///
/// // Behind a gateway whose X-Ray headers come from outside.
/// let propagator = Propagator::new().prefer(Format::W3c).without_baggage();
/// let caller = propagator.extract(&[
///     ("x-amzn-trace-id", "Root=1-00000001-000000000000000000000001;Parent=0000000000000001;Sampled=1"),
///     ("traceparent", "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00"),
///     ("baggage", "tenant=acme"),
/// ]);
/// assert_eq!(caller.trace().unwrap().trace_id.to_string(), "5759e988bd862e3fe1be46a994272793");
/// assert!(caller.baggage().is_empty());
/// ```
#[derive(Clone, Debug)]
#[must_use = "a propagator is changed by value"]
pub struct Propagator {
    preferred: Format,
    has_baggage: bool,
    redactor: Option<Redactor>,
}

impl Propagator {
    /// X-Ray's header before W3C's, baggage both ways, standard names redacted.
    pub const fn new() -> Self {
        Self { preferred: Format::XRay, has_baggage: true, redactor: None }
    }

    /// Which header counts where both are there. Default: X-Ray's. Both are written in either case.
    ///
    /// An X-Ray header with nothing but a `Root` never comes before a `traceparent`: a load balancer
    /// makes such a one for every request that has none.
    pub const fn prefer(mut self, format: Format) -> Self {
        self.preferred = format;
        self
    }

    /// Neither reads baggage nor writes it: for services whose callers, or whom they call, are not
    /// to be trusted with it.
    pub const fn without_baggage(mut self) -> Self {
        self.has_baggage = false;
        self
    }

    /// What is redacted in baggage that leaves. Default: as the tracer does, without one the standard
    /// names.
    pub fn redact(mut self, redactor: Redactor) -> Self {
        self.redactor = Some(redactor);
        self
    }

    /// See [`extract`](super::extract).
    pub fn extract<H: Extractor + ?Sized>(&self, headers: &H) -> Extracted {
        let mut xray = None;
        for value in headers.get_all(XRAY_HEADER) {
            match xray::parse_whole(value) {
                Some(header) => {
                    xray = Some(header);
                    break;
                }
                None => health::count(Event::HeaderRefused),
            }
        }
        let w3c = match headers.get_all(TRACEPARENT_HEADER).as_slice() {
            [] => None,
            [value] => counted(w3c::parse_traceparent(value)),
            // Which of them is the caller's cannot be told.
            _ => counted(None),
        };
        let trace_state = || {
            let values = headers.get_all(TRACESTATE_HEADER);
            counted(w3c::trace_state(&values)).filter(|state| !state.is_empty())
        };
        let (trace, carried) = choose(xray, w3c, trace_state, self.preferred);
        let baggage = match self.has_baggage {
            true => Baggage::parse(headers.get_all(BAGGAGE_HEADER)),
            false => Baggage::default(),
        };
        Extracted { trace, carried, baggage }
    }

    /// See [`inject`](super::inject).
    pub fn inject<H: Injector + ?Sized>(&self, headers: &mut H) {
        let outgoing = self.outgoing();
        if let Some(trace) = outgoing.trace {
            headers.set(XRAY_HEADER, trace.xray);
            for (name, value) in
                [(TRACEPARENT_HEADER, trace.traceparent), (TRACESTATE_HEADER, trace.tracestate)]
            {
                match value {
                    Some(value) => headers.set(name, value),
                    // One that is left from another trace would contradict.
                    None => headers.remove(name),
                }
            }
        }
        if let Some(baggage) = outgoing.baggage {
            headers.set(BAGGAGE_HEADER, baggage);
        }
    }

    /// What goes out from here and now.
    pub(super) fn outgoing(&self) -> Outgoing {
        let span = ids::current_ids();
        RequestContext::with_current(|context| {
            let state = context.and_then(RequestContext::slot_if_made::<RequestState>);
            let came = context.and_then(RequestContext::trace);
            let kept = state.map(RequestState::lock);
            let carried: Option<&Carried> = kept.as_ref().map(|kept| &kept.carried);
            let parent = span.map(TraceParent::from).or_else(|| {
                let came = came?;
                let decision = || state.and_then(RequestState::decision);
                Some(TraceParent { sampled: came.sampled.or_else(decision), ..came })
            });
            let trace = parent.map(|parent| TraceHeaders::new(parent, came, carried));
            let baggage =
                kept.as_ref().filter(|_| self.has_baggage).and_then(|kept| match &self.redactor {
                    Some(redactor) => kept.baggage.header(redactor),
                    None => kept.baggage.header(&Redactor::default()),
                });
            Outgoing { trace, baggage }
        })
    }

    /// With the tracer's redactor, unless it has one of its own.
    pub(crate) fn or_redact(mut self, redactor: &Redactor) -> Self {
        self.redactor.get_or_insert_with(|| redactor.clone());
        self
    }

    /// That of the current subscriber's tracer.
    pub(super) fn current() -> Arc<Self> {
        let of_tracer = dispatcher::get_default(|dispatch| {
            dispatch.downcast_ref::<XRayLayer>().map(XRayLayer::propagator)
        });
        of_tracer.unwrap_or_default()
    }

    pub(crate) fn current_redactor() -> Redactor {
        Self::current().redactor.clone().unwrap_or_default()
    }
}

impl Default for Propagator {
    /// [`Propagator::new`].
    fn default() -> Self {
        Self::new()
    }
}

/// The headers that go out.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) trace: Option<TraceHeaders>,
    pub(super) baggage: Option<String>,
}

/// Counts a header that is there and cannot be read.
fn counted<T>(parsed: Option<T>) -> Option<T> {
    if parsed.is_none() {
        health::count(Event::HeaderRefused);
    }
    parsed
}
