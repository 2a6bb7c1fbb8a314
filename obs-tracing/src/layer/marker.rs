//! How the layer knows the spans of `#[traced]` and `trace_function!`.

use tracing_core::Metadata;

use crate::record::SpanKind;

/// The field that the spans of ours declare first and never record: it shows in no log line. A kind
/// other than `internal` is the last part of its name, so that it costs nothing to tell.
const MARKER: &str = "obs.traced";

/// The kind of a span of ours; `None` if it is not.
pub(super) fn kind_of(metadata: &Metadata<'_>) -> Option<SpanKind> {
    let first = metadata.fields().iter().next()?;
    match first.name().strip_prefix(MARKER)? {
        "" => Some(SpanKind::Internal),
        kind => SpanKind::parse(kind.strip_prefix('.')?),
    }
}
