//! From an event to its lines.
//!
//! Nearly every event has a known shape, and its values are put between rendered pieces. One of a new
//! shape that is a document as it stands is written, and its shape remembered. Where a limit or a
//! conflict of names stands in the way, the long way resolves it and plans documents.

use std::sync::Arc;

use obs_core::RequestContext;
use obs_core::json::{self, Object};
use obs_core::redact::REDACTED;

use super::overflow;
use super::parts::Metric;
use super::resolved::Resolved;
use super::shape::{self, Shape};
use super::state::{Scratch, State};
use crate::collector::{Inner, MESSAGE};
use crate::dimensions::{DimensionSet, add_further_sets, unknown_name};
use crate::encode::{self, Common, Directive, MetricRef};
use crate::hash::mix;
use crate::invocation;
use crate::limits::{DIMENSIONS_PER_SET, METRICS_PER_DOCUMENT, takes_timestamp};
use crate::line::{self, Level};
use crate::names;
use crate::property::{self, Stored};

pub(super) fn emit(inner: &Arc<Inner>, state: &mut State, context: Option<&RequestContext>) {
    let now = inner.now_millis();
    let millis = state.timestamp_millis.unwrap_or(now);
    let in_time = millis == now || takes_timestamp(millis, now);
    if in_time && emit_known(inner, state, millis, context) {
        return;
    }
    state.leave();
    count_unknown_sets(inner, state);
    if !in_time {
        let values = state.metrics().map(|metric| metric.values.count()).sum();
        inner.counters.out_of_window(values);
    } else if !inner.writes_lines_only() {
        inner.interval.ensure(inner);
        let dimensions: Vec<_> = state.dimensions().collect();
        let (at, sets) = (state.timestamp_millis, &state.parts.sets);
        inner.aggregate_event(at, &dimensions, sets, state.metrics(), state.is_single);
    }
    if inner.outputs.lines.is_empty() {
        return;
    }
    // Taken out, so that the rest of the state can be read meanwhile.
    let mut scratch = std::mem::take(&mut state.scratch);
    emit_parts(&mut scratch, inner, state, millis, in_time, context);
    state.scratch = scratch;
}

/// Writes an event whose calls were those of a known shape; returns false, having written nothing,
/// where something beside the shape stands in the way.
fn emit_known(
    inner: &Inner,
    state: &mut State,
    millis: u64,
    context: Option<&RequestContext>,
) -> bool {
    if !inner.writes_lines_only() || !state.follows_to_the_end() {
        return false;
    }
    let Some(shape) = state.follow.as_ref().map(|follow| &follow.shape) else { return false };
    if let Some(context) = context
        && must_look_closer(inner, context, state.may_join(), shape)
    {
        return false;
    }
    let written = inner.write_at_cursor(|mut cursor, ids| {
        line::append_ids_after(ids, context, state.span.as_ref(), &inner.counters);
        let mut hash = shape.series_hash(inner.census.seed(), std::iter::empty());
        shape.begin(&mut cursor, inner.style, millis, state.message_text(), ids);
        for n in &shape.order {
            let (Some(call), Some(value)) = (shape.calls.get(*n), state.value(*n)) else {
                continue;
            };
            cursor.piece(&call.key);
            match value {
                Stored::Text(place) => {
                    let text = state.text(place);
                    cursor.string(text);
                    if call.is_dimension() {
                        hash = mix(hash, text.as_bytes());
                    }
                }
                Stored::Float(value) => cursor.float(*value),
                Stored::Unsigned(n) => cursor.uint(*n),
                Stored::Signed(n) => cursor.int(*n),
                Stored::Bool(b) => cursor.boolean(*b),
                Stored::Redacted => cursor.string(REDACTED),
            }
        }
        cursor.byte(b'}');
        cursor.len().filter(|_| inner.census.knows(hash))
    });
    if written {
        shape::used(shape);
    }
    written
}

/// Whether an event of a known shape cannot be written as it stands: it may become a part of its
/// invocation's document, or the request has fields that go into it.
pub(crate) fn must_look_closer(
    inner: &Inner,
    context: &RequestContext,
    may_join: bool,
    shape: &Shape,
) -> bool {
    let mut has_appended = false;
    context.appended(|_, _| has_appended = true);
    has_appended || may_join && !invocation::is_taken(inner, context, shape.first_metric())
}

fn emit_parts(
    scratch: &mut Scratch,
    inner: &Arc<Inner>,
    state: &State,
    timestamp_millis: u64,
    in_time: bool,
    context: Option<&RequestContext>,
) {
    let Scratch { head, members } = scratch;
    head.clear();
    members.clear();
    let message = state.message_text().unwrap_or(MESSAGE);
    let mut object = Object::resume(head, true);
    inner.style.write(&mut object, Level::Info, timestamp_millis, message);
    line::append_ids(head, context, state.span, &inner.counters);
    let common =
        Common { namespace: &inner.namespace, timestamp_millis, aws: &inner.aws, line: head };
    let refused = (state.metrics().len() > 0 && !in_time).then_some("timestamp_out_of_window");
    let is_plain = refused.is_none() && is_plain(inner, state);
    let overflows = is_plain.then(|| overflow::overflows(inner, state));
    if overflows.as_ref().is_some_and(Vec::is_empty) {
        if let Some(context) = context
            && state.may_join()
            && invocation::join(inner, context, || joined(inner, state))
        {
            return;
        }
        if emit_plain(members, inner, state, &common, context) {
            if state.parts.is_unchanged()
                && !state.is_single
                && let Some(shape) = Shape::of(inner, state.calls(), &[])
            {
                shape::remember(shape);
            }
            return;
        }
    }
    let mut resolved = Resolved::of(inner, state, context);
    if refused.is_none() {
        resolved.keep_budgets(inner, overflows);
    }
    resolved.emit(inner, &common, refused);
}

/// The event as a part of its invocation's document.
fn joined(inner: &Inner, state: &State) -> invocation::Part {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let dimensions = DimensionSet::of(dimensions(inner, state).map(owned).collect())
        .with_rollups(&rollups(inner, state));
    let metrics = state.metrics().map(|Metric { name, unit, resolution, values }| {
        (name.to_owned(), unit, resolution, values.as_slice().to_vec())
    });
    let members = state.properties().map(|(name, value)| {
        let mut member = Vec::new();
        write_property(&mut member, state, value);
        (name.to_owned(), member)
    });
    invocation::Part {
        dimensions,
        metrics: metrics.collect(),
        members: members.collect(),
        span: state.span,
    }
}

/// The collector's dimensions that the event does not have itself, and the event's own.
pub(super) fn dimensions<'a>(
    inner: &'a Inner,
    state: &'a State,
) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
    let defaults = (!state.is_single).then_some(&inner.defaults);
    defaults
        .into_iter()
        .flat_map(DimensionSet::iter)
        .filter(|(name, _)| state.dimensions().all(|(own, _)| own != *name))
        .chain(state.dimensions())
}

/// Whether the event is one document as it stands: all within the limits, and each key once.
fn is_plain(inner: &Inner, state: &State) -> bool {
    let metrics = state.metrics();
    let taken = |name: &str| dimensions(inner, state).any(|(other, _)| other == name);
    metrics.len() > 0
        && metrics.len() <= METRICS_PER_DOCUMENT
        && !state.parts.mixed_units
        && dimensions(inner, state).count() <= DIMENSIONS_PER_SET
        && metrics
            .clone()
            .all(|metric| metric.values.of_one_document().is_some() && !taken(metric.name))
        && state
            .properties()
            .all(|(name, _)| !taken(name) && metrics.clone().all(|metric| metric.name != name))
}

/// Writes the one document; returns false, having written nothing, where it is too large.
fn emit_plain(
    members: &mut Vec<u8>,
    inner: &Inner,
    state: &State,
    common: &Common<'_>,
    context: Option<&RequestContext>,
) -> bool {
    let metrics = state.metrics().filter_map(|Metric { name, unit, resolution, values }| {
        let values = values.of_one_document()?;
        Some(MetricRef { name, unit, resolution, values })
    });
    let mut object = Object::resume(members, true);
    for (name, value) in state.properties() {
        write_property(object.key(name), state, value);
    }
    if let Some(context) = context {
        let taken = |key: &str| {
            names::is_line_key(key)
                || dimensions(inner, state).any(|(name, _)| name == key)
                || state.metrics().any(|metric| metric.name == key)
                || state.properties().any(|(name, _)| name == key)
        };
        context.appended(|key, value| {
            if !taken(key) {
                append(&mut object, inner, key, value);
            }
        });
    }
    let rollups = rollups(inner, state);
    inner.write_if_fits(|buf| {
        let directive = Directive {
            names: dimensions(inner, state).map(|(name, _)| name),
            rollups: rollups.iter().map(|set| set.iter().copied()),
            metrics,
        };
        let directives = std::iter::once(directive);
        encode::document(buf, common, directives, dimensions(inner, state), members);
    })
}

/// The further sets of dimensions, the collector's and the event's own.
pub(super) fn rollups<'a>(inner: &'a Inner, state: &'a State) -> Vec<Vec<&'a str>> {
    let wanted = if state.is_single { &[] } else { inner.defaults.wanted() };
    let own = &state.parts.sets;
    if wanted.is_empty() && own.is_empty() {
        return Vec::new();
    }
    let names = dimensions(inner, state).map(|(name, _)| name);
    further_sets(names, wanted, own)
}

/// The names of the further sets that the collector's and an event's own make of these dimensions.
pub(super) fn further_sets<'a, S: AsRef<[N]>, N: AsRef<str>>(
    names: impl Iterator<Item = &'a str> + Clone,
    wanted: &[Vec<String>],
    own: &[S],
) -> Vec<Vec<&'a str>> {
    let mut places = Vec::new();
    add_further_sets(&mut places, &names, wanted);
    add_further_sets(&mut places, &names, own);
    let all: Vec<&str> = names.collect();
    let named = |set: &Vec<usize>| set.iter().filter_map(|n| all.get(*n).copied()).collect();
    places.iter().map(named).collect()
}

fn count_unknown_sets(inner: &Inner, state: &State) {
    if state.parts.sets.is_empty() {
        return;
    }
    let names = dimensions(inner, state).map(|(name, _)| name);
    let is_unknown = |set: &&Vec<Box<str>>| unknown_name(&names, set).is_some();
    match state.parts.sets.iter().filter(is_unknown).count() {
        0 => {}
        n => inner.counters.unknown_sets(n as u64),
    }
}

fn write_property(buf: &mut Vec<u8>, state: &State, value: &Stored) {
    match value {
        Stored::Text(place) => json::string(buf, state.text(place)),
        other => property::write_plain(buf, other),
    }
}

/// A field that the request appends to its lines.
fn append(object: &mut Object<'_>, inner: &Inner, key: &str, value: &[u8]) {
    if inner.redactor.is_redacted(key) {
        object.str(key, REDACTED);
    } else {
        let out = object.key(key);
        let start = out.len();
        out.extend_from_slice(value);
        inner.redactor.redact_encoded(out, start);
    }
}
