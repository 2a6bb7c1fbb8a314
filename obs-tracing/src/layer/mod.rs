//! The layer: follows spans from their beginning to their end, and queues what is sampled.
//!
//! Every span that the filter lets through gets [`SpanIds`] in its extensions; one that is sampled
//! an [`OpenSpan`] as well, which is taken out and queued when the call ends (a span of ours) or
//! the span closes (any other). Nothing of the user's runs while an extension is locked: values are formatted before.

mod anchor;
mod fields;
mod filter;
mod marker;
mod open;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use obs_core::RequestContext;
use obs_core::ids::{SpanId, SpanIds, TraceId, TraceParent};
use obs_core::lane::{Lane, Records, on_lane_thread};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{ExtensionsMut, LookupSpan, SpanRef};

pub(crate) use filter::SpanFilter;
pub(crate) use open::{OpenSpan, end_span, with_current, with_span};

use crate::propagation::{self, Propagator};
use crate::record::{Kind, SpanKind, SpanRecord, Status};
use crate::sampler::RunningSampler;
use crate::traced::explicit_trace;
use anchor::Anchor;
use fields::{ErrorField, FieldCollector};

/// Makes segments of spans. Made by [`XRayTracer::layer`](crate::XRayTracer::layer).
pub(crate) struct XRayLayer {
    lane: Lane<Records<SpanRecord>>,
    sampler: Arc<RunningSampler>,
    in_lambda: bool,
    /// Whether spans become OpenTelemetry's current ones.
    #[cfg(feature = "otel")]
    activates: bool,
    propagator: Arc<Propagator>,
}

/// Where a new span hangs.
struct Origin {
    ids: SpanIds,
    parent_id: Option<SpanId>,
    kind: Kind,
    anchor: Option<Anchor>,
}

impl XRayLayer {
    pub(crate) fn new(
        lane: Lane<Records<SpanRecord>>,
        sampler: Arc<RunningSampler>,
        in_lambda: bool,
        propagator: Arc<Propagator>,
    ) -> Self {
        Self {
            lane,
            sampler,
            in_lambda,
            #[cfg(feature = "otel")]
            activates: false,
            propagator,
        }
    }

    #[cfg(feature = "otel")]
    pub(crate) fn activating(self, activates: bool) -> Self {
        Self { activates, ..self }
    }

    pub(crate) fn propagator(&self) -> Arc<Propagator> {
        Arc::clone(&self.propagator)
    }

    /// The first span of a trace in this process: decides the sampling, once for all below it.
    fn root(&self, parent: Option<TraceParent>, attributes: &Attributes<'_>) -> Origin {
        let trace_id = parent.map_or_else(TraceId::generate, |parent| parent.trace_id);
        let decided = parent.and_then(|parent| parent.sampled);
        let sampled = self.sampler.decide(decided, trace_id, |visit| attributes.record(visit));
        let parent_id = parent.and_then(|parent| parent.parent_id);
        Origin {
            ids: SpanIds { trace_id, span_id: SpanId::generate(), sampled },
            parent_id,
            kind: if self.in_lambda && parent_id.is_some() {
                Kind::Invocation
            } else {
                Kind::Segment
            },
            anchor: None,
        }
    }

    fn origin<'a, S>(&self, span: &SpanRef<'a, S>, attributes: &Attributes<'_>) -> Option<Origin>
    where
        S: Subscriber + LookupSpan<'a>,
    {
        // The nearest span that the filter let through, as `span` came from a filtered context.
        if let Some(parent) = span.parent() {
            let extensions = parent.extensions();
            if let Some(ids) = extensions.get::<SpanIds>() {
                return Some(Origin {
                    ids: SpanIds { span_id: SpanId::generate(), ..*ids },
                    parent_id: Some(ids.span_id),
                    kind: Kind::Subsegment,
                    anchor: extensions.get::<OpenSpan>().map(|open| open.anchor),
                });
            }
        }
        // A sink's own doing is not traced: it would feed the sink.
        if on_lane_thread() {
            return None;
        }
        // `parent: None` asks for a trace of its own, also within a request; `#[traced(parent = …)]`
        // may say which one that continues.
        if attributes.is_root() {
            return Some(self.root(explicit_trace(), attributes));
        }
        // Not within `with_current`: the sampler may run the application's `Debug`.
        let parent =
            RequestContext::with_current(|context| context.and_then(RequestContext::trace));
        let mut origin = self.root(parent, attributes);
        if parent.is_some_and(|parent| parent.sampled.is_none()) {
            propagation::hold_decision(&mut origin.ids);
        }
        Some(origin)
    }
}

impl<S> Layer<S> for XRayLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let Some(origin) = self.origin(&span, attributes) else { return };
        let metadata = attributes.metadata();
        let open = origin.ids.sampled.then(|| {
            let anchor = origin.anchor.unwrap_or_else(Anchor::now);
            let (anchor, start) = anchor.start();
            let marked = marker::kind_of(metadata);
            let mut record = SpanRecord {
                trace_id: origin.ids.trace_id,
                span_id: origin.ids.span_id,
                parent_id: origin.parent_id,
                kind: origin.kind,
                span_kind: marked.unwrap_or(SpanKind::Internal),
                name: Cow::Borrowed(metadata.name()),
                start,
                end: start,
                status: marked.map(|_| Status::Success),
                error_type: None,
                class: None,
                exceptions: Vec::new(),
                fields: Vec::new(),
                left_out: 0,
                bytes: 0,
            };
            if marked.is_none() {
                attributes.record(&mut FieldCollector(&mut record));
            }
            OpenSpan { record, anchor, owner: self.id() }
        });
        let mut extensions = span.extensions_mut();
        // Two tracers below one subscriber: the first one has the span.
        if extensions.get_mut::<SpanIds>().is_none() {
            extensions.insert(origin.ids);
            if let Some(open) = open {
                extensions.insert(open);
            }
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if span.extensions().get::<OpenSpan>().is_none() {
            return;
        }
        let mut collected = fields::collect(values);
        if let Some(open) = span.extensions_mut().get_mut::<OpenSpan>() {
            collected.drain(..).for_each(|field| open.record.add_foreign(field));
        }
    }

    /// The filter lets through events at the level of errors that have a field `error`.
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else { return };
        if span.extensions().get::<OpenSpan>().is_none() {
            return;
        }
        let Some(failure) = ErrorField::of(event) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<OpenSpan>() {
            // A span of ours knows from the function's result whether it failed. For one that is
            // not, such as `#[instrument(err)]`'s, the event is all there is.
            if open.record.status.is_none() || open.record.status == Some(Status::Error) {
                open.record.fail_unless_typed(failure);
            } else {
                open.record.add_exceptions(failure.exceptions);
            }
        }
    }

    #[cfg(feature = "otel")]
    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if self.activates {
            let ids = context.span(id).and_then(|span| span.extensions().get::<SpanIds>().copied());
            if let Some(ids) = ids {
                crate::otel::activate(id, ids);
            }
        }
    }

    #[cfg(feature = "otel")]
    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        if self.activates {
            crate::otel::deactivate(id);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        if let Some(open) = take_own(&mut span.extensions_mut(), self.id()) {
            self.queue(open);
        }
    }
}

impl XRayLayer {
    fn queue(&self, open: OpenSpan) {
        let mut record = open.finish();
        // A server's span is the work of a service, wherever it hangs. In Lambda that has its segment.
        if record.span_kind == SpanKind::Server
            && record.kind == Kind::Subsegment
            && !self.in_lambda
        {
            record.kind = Kind::Segment;
        }
        self.lane.push(record.weight(), |batch| batch.push(record));
    }

    /// Tells the spans of this tracer from those of another below the same subscriber.
    fn id(&self) -> usize {
        Arc::as_ptr(&self.sampler).addr()
    }
}

impl fmt::Debug for XRayLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XRayLayer")
            .field("lane", &self.lane)
            .field("sampler", &self.sampler)
            .finish_non_exhaustive()
    }
}

fn take_own(extensions: &mut ExtensionsMut<'_>, owner: usize) -> Option<OpenSpan> {
    extensions.get_mut::<OpenSpan>().filter(|open| open.owner == owner)?;
    extensions.remove()
}
