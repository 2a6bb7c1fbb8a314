//! The long way from an event to its lines: names that are in each other's way are changed, what
//! is too large is cut, and the metrics are planned into documents.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use obs_core::RequestContext;
use obs_core::json::{self, Object};

use super::emit::{dimensions, rollups};
use super::parts::Metric;
use super::state::State;
use crate::collector::{Inner, write_draft};
use crate::dimensions::DimensionSet;
use crate::encode::{self, Common, FRAME_BYTES, MetricRef};
use crate::limits::DIMENSIONS_PER_SET;
use crate::names;
use crate::plan::{Draft, Item, Series, item_bytes, items, metric_bytes, plan};
use crate::property::{self, Stored};
use crate::stats::Counters;

/// An event whose names are all different.
pub(super) struct Resolved<'a> {
    pub(super) dimensions: DimensionSet,
    pub(super) metrics: Vec<Measured<'a>>,
    pub(super) members: Vec<Member<'a>>,
}

/// One of its metrics.
pub(super) struct Measured<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) metric: Metric<'a>,
    /// The dimensions that it has instead of the event's, where it is over its budget.
    pub(super) overflow: Option<Arc<DimensionSet>>,
}

/// The keys of the root, each given away once.
struct Keys<'a> {
    taken: HashSet<Cow<'a, str>>,
    /// What the event has asked for: no other name is changed to one of these.
    wanted: HashSet<&'a str>,
}

impl<'a> Keys<'a> {
    fn of(state: &'a State) -> Self {
        let metrics = state.metrics().map(|metric| metric.name);
        let wanted = metrics.chain(state.properties().map(|(name, _)| name)).collect();
        Self { taken: HashSet::new(), wanted }
    }

    /// `name`, or where it is taken one like it that is not.
    fn take(&mut self, name: &'a str, counters: &Counters) -> Cow<'a, str> {
        let free = if self.taken.contains(name) {
            counters.repaired();
            let taken = |name: &str| self.taken.contains(name) || self.wanted.contains(name);
            Cow::Owned(names::free_name(name, taken))
        } else {
            Cow::Borrowed(name)
        };
        self.taken.insert(free.clone());
        free
    }
}

/// A member of the first document that is neither a dimension of its metrics nor a metric.
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: MemberValue<'a>,
}

pub(super) enum MemberValue<'a> {
    Text(Cow<'a, str>),
    Plain(&'a Stored),
    Json(Vec<u8>),
}

impl<'a> Resolved<'a> {
    pub(super) fn of(inner: &'a Inner, state: &'a State, context: Option<&RequestContext>) -> Self {
        let counters = &inner.counters;
        let mut keys = Keys::of(state);
        let mut pairs: Vec<_> = dimensions(inner, state).collect();
        let excess = pairs.split_off(pairs.len().min(DIMENSIONS_PER_SET));
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut members = Vec::new();
        for (name, _) in &pairs {
            keys.taken.insert(Cow::Borrowed(name));
        }
        // Dimensions beyond the limit are still worth a member.
        for (name, value) in excess {
            counters.excess_dimension();
            keys.taken.insert(Cow::Borrowed(name));
            let value = MemberValue::Text(Cow::Borrowed(value));
            members.push(Member { name: Cow::Borrowed(name), value });
        }
        // A name with two units is one name.
        let mut written: HashMap<&str, Cow<'a, str>> = HashMap::new();
        let metrics = state
            .metrics()
            .map(|metric| {
                let taken = || keys.take(metric.name, counters);
                let name = written.entry(metric.name).or_insert_with(taken).clone();
                Measured { name, metric, overflow: None }
            })
            .collect();
        for (name, value) in state.properties() {
            let value = match value {
                Stored::Text(place) => MemberValue::Text(Cow::Borrowed(state.text(place))),
                other => MemberValue::Plain(other),
            };
            members.push(Member { name: keys.take(name, counters), value });
        }
        if let Some(context) = context {
            context.appended(|key, value| {
                if !names::is_line_key(key) && keys.taken.insert(Cow::Owned(key.to_owned())) {
                    let value = if inner.redactor.is_redacted(key) {
                        MemberValue::Plain(&Stored::Redacted)
                    } else {
                        {
                            let mut value = value.to_vec();
                            inner.redactor.redact_encoded(&mut value, 0);
                            MemberValue::Json(value)
                        }
                    };
                    members.push(Member { name: Cow::Owned(key.to_owned()), value });
                }
            });
        }
        let dimensions = DimensionSet::of(pairs.iter().map(owned).collect())
            .with_rollups(&rollups(inner, state));
        Self { dimensions, metrics, members }
    }

    fn items(&self) -> Vec<Item<'_>> {
        items(self.metrics.iter().map(|Measured { name, metric, overflow }| Series {
            name,
            unit: metric.unit,
            resolution: metric.resolution,
            dimensions: overflow.as_deref().unwrap_or(&self.dimensions),
            values: metric.values.as_slice(),
        }))
    }

    pub(super) fn emit(mut self, inner: &Inner, common: &Common<'_>, refused: Option<&str>) {
        let budget =
            inner.document_bytes.saturating_sub(FRAME_BYTES + common.aws.len() + common.line.len());
        // At most half of the document is properties, and never so much that a metric has no room.
        let largest = self.items().iter().map(item_bytes).max().unwrap_or(self.dimension_bytes());
        let room = (budget / 2).min(budget.saturating_sub(largest));
        trim(&mut self.members, room, inner);
        let mut members = Vec::new();
        let mut object = Object::resume(&mut members, true);
        for member in &self.members {
            member.write(&mut object);
        }
        let budget = budget.saturating_sub(members.len());
        if self.metrics.is_empty() || refused.is_some() {
            self.emit_log_line(inner, common, refused, budget, &members);
        } else {
            for (n, draft) in plan(Draft::default(), self.items(), budget).iter().enumerate() {
                let members = if n == 0 { members.as_slice() } else { &[] };
                inner.write(|buf| write_draft(buf, common, draft, members));
            }
        }
    }

    /// One line with as many of the values as fit, from which nothing is extracted.
    fn emit_log_line(
        &self,
        inner: &Inner,
        common: &Common<'_>,
        refused: Option<&str>,
        budget: usize,
        members: &[u8],
    ) {
        let mut room = budget.saturating_sub(self.dimension_bytes());
        let mut shown: Vec<MetricRef<'_>> = Vec::new();
        for item in self.items() {
            let bytes = metric_bytes(item.metric.name, item.metric.values.len());
            let twice = shown.iter().any(|metric| metric.name == item.metric.name);
            if !twice && bytes <= room {
                room -= bytes;
                shown.push(item.metric);
            }
        }
        inner.write(|buf| {
            let metrics = shown.iter().copied();
            encode::log_line(buf, common, refused, self.dimensions.iter(), metrics, members);
        });
    }

    /// The bytes of the dimensions as members of the root.
    fn dimension_bytes(&self) -> usize {
        let member = |(name, value)| property::text_bytes(name) + property::text_bytes(value) + 2;
        self.dimensions.iter().map(member).sum()
    }
}

impl Member<'_> {
    /// Its bytes in the document.
    fn bytes(&self) -> usize {
        let value = match &self.value {
            MemberValue::Text(text) => property::text_bytes(text),
            MemberValue::Json(json) => json.len(),
            // The longest number, and the mark of what is redacted.
            MemberValue::Plain(_) => 26,
        };
        property::text_bytes(&self.name) + 2 + value
    }

    /// Makes it at most `limit` bytes long, where it is a text of some length.
    fn cut(&mut self, limit: usize) {
        let frame = property::text_bytes(&self.name) + 4;
        let short = match &self.value {
            MemberValue::Text(text) => {
                property::cut(text, limit.saturating_sub(frame).max(property::CUT.len()))
            }
            MemberValue::Json(_) => Some(Cow::Borrowed(property::CUT)),
            MemberValue::Plain(_) => None,
        };
        if let Some(short) = short.map(Cow::into_owned) {
            self.value = MemberValue::Text(Cow::Owned(short));
        }
    }

    fn write(&self, object: &mut Object<'_>) {
        let buf = object.key(&self.name);
        match &self.value {
            MemberValue::Text(text) => json::string(buf, text),
            MemberValue::Json(json) => buf.extend_from_slice(json),
            MemberValue::Plain(value) => property::write_plain(buf, value),
        }
    }
}

/// Cuts the largest texts to one size, so that `members` have `room`; where that is not enough,
/// leaves out the last ones.
fn trim(members: &mut Vec<Member<'_>>, room: usize, inner: &Inner) {
    let mut bytes: usize = members.iter().map(Member::bytes).sum();
    if bytes <= room {
        return;
    }
    let largest = fair_share(members.iter().map(Member::bytes).collect(), room);
    for member in members.iter_mut().filter(|member| member.bytes() > largest) {
        let before = member.bytes();
        member.cut(largest);
        let after = member.bytes();
        if after < before {
            inner.counters.trimmed();
        }
        bytes = bytes - before + after;
    }
    while bytes > room
        && let Some(last) = members.pop()
    {
        inner.counters.trimmed();
        bytes -= last.bytes();
    }
}

/// The size to which the largest of `sizes` have to be cut for all of them to have `room`; not
/// below a size at which a text still says something.
fn fair_share(mut sizes: Vec<usize>, mut room: usize) -> usize {
    const LEAST: usize = 128;
    sizes.sort_unstable();
    let mut left = sizes.len();
    for size in sizes {
        let share = room / left;
        if size > share {
            return share.max(LEAST);
        }
        room -= size;
        left -= 1;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenario_18_the_largest_are_cut_first() {
        let check = |sizes: &[usize], room, expected| {
            assert_eq!(fair_share(sizes.to_vec(), room), expected, "{sizes:?} in {room}");
        };
        check(&[], 0, usize::MAX);
        check(&[500, 500], 1_000, usize::MAX);
        check(&[5_000, 10, 20], 1_030, 1_000);
        check(&[5_000, 10, 9_000], 2_010, 1_000);
        check(&[5_000, 1_500, 9_000], 6_000, 2_250);
        check(&[200; 100], 1_000, 128);
    }
}
