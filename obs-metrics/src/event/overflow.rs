//! Events and the budgets of series.
//!
//! An event that is within the budgets is written as it stands, and costs one hash to know. Beyond
//! them, the metrics that are over their budget get a document of their own, in which the
//! dimensions that came with the event have the value `__overflow__`. The values that they had are
//! kept as properties with the suffix `_given`, so that one still finds the line by them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::emit::{dimensions, rollups};
use super::parts::Metric;
use super::resolved::{Measured, Member, MemberValue, Resolved};
use super::shape;
use super::state::State;
use crate::census::{Admission, Candidate, OVERFLOW};
use crate::collector::Inner;
use crate::dimensions::DimensionSet;
use crate::encode;
use crate::names;
use crate::property::Stored;

/// What the property is called that keeps the value of an event's dimension `Customer`:
/// `Customer_given`.
const GIVEN: &str = "_given";

/// A metric of an event that goes into an overflow series.
pub(super) struct Overflow {
    /// Its place among the event's metrics.
    metric: usize,
    dimensions: Arc<DimensionSet>,
    renamed: bool,
}

/// What goes into overflow series of an event whose names are all different: nothing where it is
/// within the budgets of all its metrics. Admits what there is room for; counts nothing.
///
/// Each metric is asked for once, and the answer kept until the event is written: the census lists what
/// it answers, so that every answer has to be sent.
pub(super) fn overflows(inner: &Inner, state: &State) -> Vec<Overflow> {
    let seed = inner.census.seed() ^ u64::from(state.is_single);
    let hash = shape::series_hash(
        seed,
        shape::with_sets(shape::hash_of(state.calls()), &state.parts.sets),
        state.dimensions().map(|(_, value)| value),
    );
    if inner.census.knows(hash) {
        return Vec::new();
    }
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let set = DimensionSet::of(dimensions(inner, state).map(owned).collect())
        .with_rollups(&rollups(inner, state));
    let metrics = state.metrics().map(|metric| (metric.name, metric));
    let overflows = ask(inner, &Arc::new(set), metrics);
    if overflows.is_empty() {
        inner.census.learn(hash);
    }
    overflows
}

/// Asks the census for each metric under the name that it is written with, whatever becomes of the
/// others.
fn ask<'a>(
    inner: &Inner,
    dimensions: &Arc<DimensionSet>,
    metrics: impl Iterator<Item = (&'a str, Metric<'a>)>,
) -> Vec<Overflow> {
    let overflow = |(place, (name, metric)): (usize, (&str, Metric<'_>))| {
        let Metric { unit, resolution, .. } = metric;
        let candidate = Candidate { name, unit, resolution, dimensions };
        match inner.census.admit(&inner.counters, &candidate, 0) {
            Admission::AsGiven => None,
            Admission::Overflow { dimensions, renamed } => {
                Some(Overflow { metric: place, dimensions, renamed })
            }
        }
    };
    metrics.enumerate().filter_map(overflow).collect()
}

impl<'a> Resolved<'a> {
    /// Gives the metrics that are over their budget the dimensions of their overflow series, and
    /// keeps what they replace as members. `overflows` is what [`overflows`] said; where it was not
    /// asked, the census is.
    pub(super) fn keep_budgets(&mut self, inner: &Inner, overflows: Option<Vec<Overflow>>) {
        let overflows = overflows.unwrap_or_else(|| {
            let metrics = self.metrics.iter().map(|one| (&*one.name, one.metric));
            ask(inner, &Arc::new(self.dimensions.clone()), metrics)
        });
        if overflows.is_empty() {
            return;
        }
        let mut given: Vec<Member<'a>> = Vec::new();
        for Overflow { metric, dimensions, renamed } in overflows {
            let Some(Measured { name, metric, overflow }) = self.metrics.get_mut(metric) else {
                continue;
            };
            *overflow = Some(dimensions);
            if renamed {
                let mut json = Vec::new();
                encode::values(&mut json, metric.values.as_slice());
                let name = std::mem::replace(name, OVERFLOW.into());
                given.push(Member { name, value: MemberValue::Json(json) });
            }
            // Where sinks take series too, these values are counted as they are aggregated.
            if inner.writes_lines_only() {
                inner.census.overflowed(&inner.counters, name, metric.values.count());
            }
        }
        given.extend(self.given_dimensions(inner));
        self.add_members(given);
    }

    /// The dimensions of the event that an overflow replaces, as members.
    fn given_dimensions(&self, inner: &Inner) -> Vec<Member<'a>> {
        let is_replaced = |pair: &(&str, &str)| {
            pair.1 != OVERFLOW && inner.defaults.iter().all(|own| own != *pair)
        };
        self.dimensions
            .iter()
            .filter(is_replaced)
            .map(|(name, value)| Member {
                name: format!("{name}{GIVEN}").into(),
                value: match inner.redactor.is_redacted(name) {
                    true => MemberValue::Plain(&Stored::Redacted),
                    false => MemberValue::Text(inner.redactor.redact(value).into_owned().into()),
                },
            })
            .collect()
    }

    /// Adds `given`, and changes the members' names where they are now in the way of another's.
    fn add_members(&mut self, given: Vec<Member<'a>>) {
        let metrics = self.metrics.iter().map(|metric| metric.name.to_string());
        let sets = self.metrics.iter().filter_map(|metric| metric.overflow.as_deref());
        let sets = sets.chain(std::iter::once(&self.dimensions));
        let keys = sets.flat_map(|set| set.iter().map(|(name, _)| name.to_owned()));
        let mut taken: HashSet<String> = metrics.chain(keys).collect();
        self.members.extend(given);
        for member in &mut self.members {
            if taken.contains(&*member.name) {
                let free = names::free_name(&member.name, |name| taken.contains(name));
                member.name = Cow::Owned(free);
            }
            taken.insert(member.name.to_string());
        }
    }
}
