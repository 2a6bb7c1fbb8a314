//! What `parent = …` hangs a segment on: a span of this process, or the caller's trace.

use std::cell::Cell;

use obs_core::ids::{self, TraceParent};
use tracing::{Id, dispatcher};
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

use crate::propagation::Extracted;

thread_local! {
    /// The trace that the span which is being made continues, where that is not its context's: it
    /// has no other way to the layer.
    static EXPLICIT: Cell<Option<TraceParent>> = const { Cell::new(None) };
}

/// A parent, taken when the call begins. It must live until the span is made.
#[derive(Debug)]
pub struct Parent {
    span: Option<Id>,
    trace: Option<TraceParent>,
}

impl Parent {
    /// A span of this process. Should it be closed by the time it is needed, its trace is continued.
    pub(super) fn span(span: Option<Id>) -> Self {
        let ids = span.as_ref().and_then(|id| {
            in_registry(|registry| {
                registry.span(id).and_then(|span| ids::ids_of(&span)).map(TraceParent::from)
            })
        });
        Self { span, trace: ids.flatten() }
    }

    /// The caller's trace; without one, a new trace begins.
    pub(super) const fn trace(trace: Option<TraceParent>) -> Self {
        Self { span: None, trace }
    }

    /// The parent as `tracing` takes it. Of a trace it knows nothing: that goes to the layer.
    pub fn place(&self) -> Option<Id> {
        if let Some(id) = &self.span {
            // The registry panics over a parent that it does not know.
            if in_registry(|registry| registry.span(id).is_some()).unwrap_or(true) {
                return Some(id.clone());
            }
        }
        EXPLICIT.set(self.trace);
        None
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        // Still there if nobody wanted the span.
        EXPLICIT.set(None);
    }
}

/// The trace that the span which is being made continues, if it was given one.
pub(crate) fn explicit_trace() -> Option<TraceParent> {
    EXPLICIT.take()
}

impl From<Extracted> for Option<TraceParent> {
    fn from(extracted: Extracted) -> Self {
        extracted.trace()
    }
}

/// `None` where the subscriber is not built on a registry.
fn in_registry<R>(look: impl FnOnce(&Registry) -> R) -> Option<R> {
    if !dispatcher::has_been_set() {
        return None;
    }
    let mut look = Some(look);
    dispatcher::get_default(|dispatch| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        look.take().map(|look| look(registry))
    })
}
