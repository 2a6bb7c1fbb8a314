//! The current segment: what may be added to it, and which trace it belongs to.

use std::borrow::Cow;

use obs_core::RequestContext;
use obs_core::health::{self, Event};
use obs_core::ids::{self, TraceId};
use serde::Serialize;

use crate::layer::with_current;
use crate::record::{Field, Place};
use crate::value::Value;
use crate::xray::is_reserved;

/// Adds an annotation to the current segment: X-Ray indexes it, so that traces can be searched by
/// it. Without a segment, or in a trace that is not sampled, nothing happens.
///
/// Limits: keys are made of `[A-Za-z0-9_]` (what is not becomes `_`), at most 500; text is cut at
/// 1,000 characters; 50 a segment, what is beyond goes into the metadata namespace `annotations`. A
/// later value replaces an earlier one of the same key.
///
/// ```
/// # use obs_tracing::traced;
/// #[traced]
/// fn charge() {
///     obs_tracing::annotate("tenant", "acme");
///     obs_tracing::annotate("attempt", 2);
/// }
/// # charge();
/// ```
pub fn annotate(key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
    let field = Field::annotation(key, value.into());
    with_current(|record| record.add(field));
}

/// Adds metadata to the current segment: kept with the trace, not indexed. Anything that serializes.
/// Without a segment, or in a trace that is not sampled, nothing is serialized.
///
/// A segment has room for 64 KB in all; of what does not fit, the largest is left out and counted.
/// Namespaces and keys that begin with `AWS.` are X-Ray's own: refused and counted.
///
/// ```
/// # use obs_tracing::traced;
/// #[traced]
/// fn charge() {
///     obs_tracing::metadata("debug", "payload", &serde_json::json!({"items": [1, 2]}));
/// }
/// # charge();
/// ```
pub fn metadata<T>(namespace: &str, key: impl Into<Cow<'static, str>>, value: &T)
where
    T: Serialize + ?Sized,
{
    let key = key.into();
    if is_reserved(namespace) || is_reserved(&key) {
        health::count(Event::NameRefused);
        return;
    }
    if with_current(|_| ()).is_none() {
        return;
    }
    // Serialized before the segment is locked: `Serialize` is the user's and may log.
    let value = Value::json(value);
    let place = Place::Metadata(Some(namespace.into()));
    with_current(|record| record.add(Field { place, key, value }));
}

/// The id of the current span's trace; without a span, of the request's.
pub fn current_trace_id() -> Option<TraceId> {
    ids::current_ids().map(|ids| ids.trace_id).or_else(|| {
        RequestContext::with_current(|context| context?.trace().map(|parent| parent.trace_id))
    })
}
