//! OpenTelemetry's context while a span of ours is entered.

use std::cell::RefCell;

use obs_core::ids::SpanIds;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceState};
use opentelemetry::{Context, ContextGuard};
use tracing_core::span::Id;

use super::span_data::{span_id, trace_flags, trace_id};

thread_local! {
    /// The contexts that are active on this thread because a span is entered, the innermost last.
    static ACTIVE: RefCell<Vec<(Id, ContextGuard)>> = const { RefCell::new(Vec::new()) };
}

/// The span was entered on this thread.
pub(crate) fn activate(id: &Id, ids: SpanIds) {
    let span = SpanContext::new(
        trace_id(ids.trace_id),
        span_id(ids.span_id),
        trace_flags(ids.sampled),
        false,
        TraceState::default(),
    );
    let guard = Context::current().with_remote_span_context(span).attach();
    // Not there any more while the thread ends: then the guard is dropped at once.
    let _ = ACTIVE.try_with(|active| active.borrow_mut().push((id.clone(), guard)));
}

/// The span was left. Spans may be left in another order than that in which they were entered.
pub(crate) fn deactivate(id: &Id) {
    let guard = ACTIVE.try_with(|active| {
        let mut active = active.borrow_mut();
        let at = active.iter().rposition(|(entered, _)| entered == id)?;
        Some(active.remove(at))
    });
    // Outside of the borrow: what a context holds is the user's.
    drop(guard);
}
