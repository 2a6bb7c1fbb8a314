//! Spans packed into an `ExportTraceServiceRequest`, by bytes.

use super::{any_value, wire};
use crate::resource::Resource;

/// What every request has beside its spans: the resource and the scope, each as the field that it is.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    resource: Vec<u8>,
    scope: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(resource: &Resource) -> Self {
        let mut frame = Self::default();
        wire::message(&mut frame.resource, 1, |out| {
            for (key, value) in resource.iter() {
                wire::message(out, 1, |out| any_value::resource_attribute(out, key, value));
            }
        });
        wire::message(&mut frame.scope, 1, |out| {
            wire::string(out, 1, env!("CARGO_PKG_NAME"));
            wire::string(out, 2, env!("CARGO_PKG_VERSION"));
        });
        frame
    }

    /// The bytes of a request whose spans have so many, their framing included.
    fn request_len(&self, spans: usize) -> usize {
        wire::bytes_len(self.resource_spans_len(spans))
    }

    fn resource_spans_len(&self, spans: usize) -> usize {
        self.resource.len() + wire::bytes_len(self.scope.len() + spans)
    }

    /// The most bytes that one span may have, alone in a request of at most `limit` bytes.
    pub(crate) fn room(&self, limit: usize) -> usize {
        // Five lengths of at most five bytes, and their tags.
        limit.saturating_sub(self.resource.len() + self.scope.len() + 24)
    }
}

/// A request that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Pack {
    /// Each a field of `ScopeSpans`.
    spans: Vec<u8>,
    count: usize,
}

impl Pack {
    /// Whether a span of so many bytes has no room in a request of at most `limit` bytes.
    pub(crate) fn is_full_for(&self, span: usize, frame: &Frame, limit: usize) -> bool {
        frame.request_len(self.spans.len() + wire::bytes_len(span)) > limit
    }

    pub(crate) fn push(&mut self, span: &[u8]) {
        wire::bytes(&mut self.spans, 2, span);
        self.count += 1;
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Replaces what is in `out` with the request. The pack is empty after that.
    pub(crate) fn take(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        out.clear();
        out.reserve(frame.request_len(self.spans.len()));
        wire::bytes_head(out, 1, frame.resource_spans_len(self.spans.len()));
        out.extend_from_slice(&frame.resource);
        wire::bytes_head(out, 2, frame.scope.len() + self.spans.len());
        out.extend_from_slice(&frame.scope);
        out.extend_from_slice(&self.spans);
        self.clear();
    }

    pub(crate) fn clear(&mut self) {
        self.spans.clear();
        self.count = 0;
    }
}
