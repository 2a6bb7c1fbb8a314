//! From an event to its lines.
//!
//! Nearly every event is one document as it stands, and is written without any allocation. Where a
//! limit or a conflict of names stands in the way, the long way resolves it and plans documents.

use obs_core::RequestContext;
use obs_core::clock::millis_since_epoch;
use obs_core::ids::SpanIds;
use obs_core::json::{self, Object};
use obs_core::redact::REDACTED;

use super::resolved::Resolved;
use super::state::{Scratch, State};
use crate::collector::{Inner, MESSAGE};
use crate::encode::{self, Common, MetricRef};
use crate::limits::{DIMENSIONS_PER_SET, METRICS_PER_DOCUMENT, takes_timestamp};
use crate::line::{self, Level};
use crate::names;
use crate::property::{self, Stored};
use crate::unit::Resolution;

pub(super) fn emit(
    inner: &Inner,
    state: &mut State,
    context: Option<&RequestContext>,
    span: Option<SpanIds>,
) {
    // Taken out, so that the rest of the state can be read meanwhile.
    let mut scratch = std::mem::take(&mut state.scratch);
    emit_with(&mut scratch, inner, state, context, span);
    state.scratch = scratch;
}

fn emit_with(
    scratch: &mut Scratch,
    inner: &Inner,
    state: &State,
    context: Option<&RequestContext>,
    span: Option<SpanIds>,
) {
    let Scratch { head, members } = scratch;
    head.clear();
    members.clear();
    let now = millis_since_epoch(inner.clock.now());
    let timestamp_millis = state.timestamp_millis.unwrap_or(now);
    let message = state.message_text().unwrap_or(MESSAGE);
    let mut object = Object::resume(head, true);
    inner.style.write(&mut object, Level::Info, timestamp_millis, message);
    line::append_ids(head, context, span, &inner.counters);
    let common = Common { namespace: &inner.namespace, timestamp_millis, line: head };
    let refused = (state.metrics().len() > 0 && !takes_timestamp(timestamp_millis, now))
        .then_some("timestamp_out_of_window");
    if refused.is_some() {
        let values = state.metrics().map(|(_, _, values)| values.count()).sum();
        inner.counters.out_of_window(values);
    } else if is_plain(inner, state) && emit_plain(members, inner, state, &common, context) {
        return;
    }
    Resolved::of(inner, state, context).emit(inner, &common, refused);
}

/// The collector's dimensions that the event does not have itself, and the event's own.
pub(super) fn dimensions<'a>(
    inner: &'a Inner,
    state: &'a State,
) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
    inner
        .defaults
        .iter()
        .filter(|(name, _)| state.dimensions().all(|(own, _)| own != *name))
        .chain(state.dimensions())
}

/// Whether the event is one document as it stands: all within the limits, and each key once.
fn is_plain(inner: &Inner, state: &State) -> bool {
    let metrics = state.metrics();
    let taken = |name: &str| dimensions(inner, state).any(|(other, _)| other == name);
    metrics.len() > 0
        && metrics.len() <= METRICS_PER_DOCUMENT
        && !state.mixed_units
        && dimensions(inner, state).count() <= DIMENSIONS_PER_SET
        && metrics
            .clone()
            .all(|(name, _, values)| values.of_one_document().is_some() && !taken(name))
        && state
            .properties()
            .all(|(name, _)| !taken(name) && metrics.clone().all(|(other, _, _)| other != name))
}

/// Writes the one document; returns false, having written nothing, where it is too large.
fn emit_plain(
    members: &mut Vec<u8>,
    inner: &Inner,
    state: &State,
    common: &Common<'_>,
    context: Option<&RequestContext>,
) -> bool {
    let metrics = state.metrics().filter_map(|(name, unit, values)| {
        let values = values.of_one_document()?;
        Some(MetricRef { name, unit, resolution: Resolution::Standard, values })
    });
    let mut object = Object::resume(members, true);
    for (name, value) in state.properties() {
        let buf = object.key(name);
        match value {
            Stored::Text(place) => json::string(buf, state.text(place)),
            other => property::write_plain(buf, other),
        }
    }
    if let Some(context) = context {
        let taken = |key: &str| {
            names::is_line_key(key)
                || dimensions(inner, state).any(|(name, _)| name == key)
                || state.metrics().any(|(name, _, _)| name == key)
                || state.properties().any(|(name, _)| name == key)
        };
        context.appended(|key, value| {
            if !taken(key) {
                append(&mut object, inner, key, value);
            }
        });
    }
    inner.write_if_fits(|buf| {
        let names = dimensions(inner, state).map(|(name, _)| name);
        let directives = std::iter::once((names, metrics));
        encode::document(buf, common, directives, dimensions(inner, state), members);
    })
}

/// A field that the request appends to its lines.
fn append(object: &mut Object<'_>, inner: &Inner, key: &str, value: &[u8]) {
    if inner.redactor.is_redacted(key) {
        object.str(key, REDACTED);
    } else {
        object.raw(key, value);
    }
}
