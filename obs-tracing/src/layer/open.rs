//! A sampled span that has not ended, as it stands in the span's extensions, and how the functions
//! of this crate reach it without knowing the subscriber's type.

use obs_core::ids::SpanIds;
use tracing::{Span, dispatcher};
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

use super::XRayLayer;
use super::anchor::Anchor;
use crate::record::SpanRecord;

/// What is known so far of a sampled span.
#[derive(Debug)]
pub(crate) struct OpenSpan {
    pub(crate) record: SpanRecord,
    pub(super) anchor: Anchor,
    /// The tracer that it belongs to.
    pub(super) owner: usize,
}

impl OpenSpan {
    pub(super) fn finish(self) -> SpanRecord {
        SpanRecord { end: self.anchor.end(), ..self.record }
    }
}

/// Calls `change` with the record of `span`, if it is sampled. `change` runs under the span's lock:
/// it must not log or call what is not ours.
pub(crate) fn with_span<R>(span: &Span, change: impl FnOnce(&mut SpanRecord) -> R) -> Option<R> {
    span.with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        let mut extensions = span.extensions_mut();
        extensions.get_mut::<OpenSpan>().map(|open| change(&mut open.record))
    })?
}

/// Ends the segment of `span`, if it is sampled, after a last `change`: it is queued now, however
/// long the span itself lives. A span lives as long as any of its children, and a task that goes on
/// in the background must neither lengthen the call that started it nor keep it from a flush.
pub(crate) fn end_span(span: &Span, change: impl FnOnce(&mut SpanRecord)) {
    span.with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        let layer = dispatch.downcast_ref::<XRayLayer>();
        let mut extensions = span.extensions_mut();
        let open = extensions.get_mut::<OpenSpan>()?;
        change(&mut open.record);
        // A layer that cannot be found so, or not the right one of two, queues it at the span's end.
        let layer = layer.filter(|layer| layer.id() == open.owner)?;
        let open = extensions.remove::<OpenSpan>()?;
        drop(extensions);
        layer.queue(open);
        Some(())
    });
}

/// As [`with_span`], with the innermost span that the tracer follows: spans that its filter leaves
/// out are passed over.
pub(crate) fn with_current<R>(change: impl FnOnce(&mut SpanRecord) -> R) -> Option<R> {
    let mut change = Some(change);
    dispatcher::get_default(|dispatch| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        let current = dispatch.current_span();
        let span = registry
            .span(current.id()?)?
            .scope()
            .find(|span| span.extensions().get::<SpanIds>().is_some())?;
        let mut extensions = span.extensions_mut();
        let open = extensions.get_mut::<OpenSpan>()?;
        change.take().map(|change| change(&mut open.record))
    })
}
