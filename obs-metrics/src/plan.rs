//! Which metrics go into which document: a pure function of what was recorded.
//!
//! A document has one value for each key of its root, so metrics share one only where that is
//! unambiguous: no name twice, no key with two values, no name that is also a key. Metrics with
//! different dimensions become directives of one document where their keys agree.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::ptr;

use obs_core::json::Object;

use crate::dimensions::DimensionSet;
use crate::distribution::Counted;
use crate::encode::MetricRef;
use crate::hash::{self, Ready};
use crate::invocation::Part;
use crate::limits::{METRICS_PER_DOCUMENT, VALUES_PER_METRIC};
use crate::unit::{Resolution, Unit};

/// How many of the last documents an item is tried with, before it begins a new one. More would
/// pack a little better and cost time with every series that fits none.
const OPEN_DOCUMENTS: usize = 8;

/// What was recorded of one series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series<'a> {
    pub(crate) name: &'a str,
    pub(crate) unit: Unit,
    pub(crate) resolution: Resolution,
    pub(crate) dimensions: &'a DimensionSet,
    pub(crate) values: &'a [Counted],
}

/// One metric for one document, with at most 100 values, and its dimensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    pub(crate) metric: MetricRef<'a>,
    pub(crate) dimensions: &'a DimensionSet,
}

/// A document: its directives, each with one set of dimensions and the metrics that have it.
#[derive(Debug, Default)]
pub(crate) struct Draft<'a> {
    pub(crate) directives: Vec<(&'a DimensionSet, Vec<MetricRef<'a>>)>,
    /// The dimensions of all directives, each once: members of the document's root.
    pub(crate) dimensions: Vec<(&'a str, &'a str)>,
    /// A hash of each key of the root: whether a name is free is said by a few of these at once.
    keys: Vec<u32>,
    definitions: usize,
    /// Further members, encoded, and their names.
    members: Vec<u8>,
    member_names: Vec<&'a str>,
    bytes: usize,
}

#[derive(Debug, PartialEq)]
enum Key<'a> {
    Metric,
    Member,
    Dimension(&'a str),
}

/// How an item would become part of a draft.
struct Fit {
    /// The directive of its dimensions, where there is one.
    directive: Option<usize>,
    bytes: usize,
}

/// The items of `series`: each one's first 100 values, then each one's second 100 and so on, so that
/// those that belong together share documents.
pub(crate) fn items<'a>(series: impl IntoIterator<Item = Series<'a>>) -> Vec<Item<'a>> {
    let mut rounds = Vec::new();
    for Series { name, unit, resolution, dimensions, values } in series {
        for (round, values) in values.chunks(VALUES_PER_METRIC).enumerate() {
            rounds.push((
                round,
                Item { metric: MetricRef { name, unit, resolution, values }, dimensions },
            ));
        }
    }
    // Stable: within a round the series keep their order.
    rounds.sort_by_key(|(round, _)| *round);
    rounds.into_iter().map(|(_, item)| item).collect()
}

/// Distributes `items` over documents of at most `budget` bytes, what is common to all documents
/// left aside. Every item is in exactly one. An item that exceeds the budget alone gets a document
/// of its own. What is in `first` already stays there.
pub(crate) fn plan<'a>(
    first: Draft<'a>,
    items: impl IntoIterator<Item = Item<'a>>,
    budget: usize,
) -> Vec<Draft<'a>> {
    let mut drafts: Vec<Draft<'a>> = Vec::new();
    if first.definitions > 0 {
        drafts.push(first);
    }
    // A document that took a set of dimensions last is tried even if it is no longer open.
    let mut last_of: HashMap<&DimensionSet, usize, BuildHasherDefault<Ready>> = HashMap::default();
    // The last item's: nearly always the next one has the same dimensions.
    let mut last: Option<(&DimensionSet, usize)> = None;
    for item in items {
        let key = key_hash(item.metric.name);
        let place = |drafts: &mut [Draft<'a>], n: usize| {
            drafts.get_mut(n).is_some_and(|draft| match draft.fit(key, &item, budget) {
                Some(fit) => {
                    draft.place(key, item, &fit);
                    true
                }
                None => false,
            })
        };
        let before = match last {
            Some((set, n)) if is_same(set, item.dimensions) => Some(n),
            _ => last_of.get(item.dimensions).copied(),
        };
        let open = drafts.len().saturating_sub(OPEN_DOCUMENTS);
        let mut tried = before.filter(|n| *n < open).into_iter().chain(open..drafts.len());
        let n = tried.find(|n| place(&mut drafts, *n)).unwrap_or_else(|| {
            let mut draft = Draft::default();
            let fit = Fit { directive: None, bytes: draft.cost(&item, None) };
            draft.place(key, item, &fit);
            drafts.push(draft);
            drafts.len() - 1
        });
        if before != Some(n) {
            last_of.insert(item.dimensions, n);
        }
        last = Some((item.dimensions, n));
    }
    drafts
}

impl<'a> Draft<'a> {
    /// Takes an event whose keys are known to be in nobody's way here.
    pub(crate) fn join(&mut self, part: &'a Part) {
        self.bytes += part.bytes();
        for (name, unit, resolution, values) in &part.metrics {
            let (unit, resolution) = (*unit, *resolution);
            let metric = MetricRef { name, unit, resolution, values };
            let item = Item { metric, dimensions: &part.dimensions };
            let fit = Fit { directive: self.directive_of(item.dimensions), bytes: 0 };
            self.place(key_hash(name), item, &fit);
        }
        for (name, value) in &part.members {
            self.write_member(name, value);
        }
    }

    /// Adds a member, where its name is free and there is room.
    pub(crate) fn add_member(&mut self, name: &'a str, value: &[u8], budget: usize) {
        let bytes = crate::property::text_bytes(name) + 2 + value.len();
        if self.bytes + bytes <= budget && self.key(key_hash(name), name).is_none() {
            self.bytes += bytes;
            self.write_member(name, value);
        }
    }

    /// The members beside dimensions and metrics, encoded.
    pub(crate) fn members(&self) -> &[u8] {
        &self.members
    }

    fn write_member(&mut self, name: &'a str, value: &[u8]) {
        let is_first = self.members.is_empty();
        Object::resume(&mut self.members, is_first).raw(name, value);
        self.keys.push(key_hash(name));
        self.member_names.push(name);
    }

    /// What a key of the root is, where it is there.
    fn key(&self, hash: u32, name: &str) -> Option<Key<'a>> {
        if !self.keys.contains(&hash) {
            return None;
        }
        let dimension = self.dimensions.iter().find(|(known, _)| *known == name);
        let is_member = || self.member_names.contains(&name);
        let mut metrics = self.directives.iter().flat_map(|(_, metrics)| metrics);
        if let Some((_, value)) = dimension {
            Some(Key::Dimension(value))
        } else if metrics.any(|metric| metric.name == name) {
            Some(Key::Metric)
        } else {
            is_member().then_some(Key::Member)
        }
    }

    /// The directive of these dimensions: most likely one of the last ones.
    fn directive_of(&self, dimensions: &DimensionSet) -> Option<usize> {
        self.directives.iter().rposition(|(set, _)| is_same(set, dimensions))
    }

    /// How `item`, whose name has this hash, has room here.
    fn fit(&self, key: u32, item: &Item<'a>, budget: usize) -> Option<Fit> {
        if self.definitions >= METRICS_PER_DOCUMENT || self.key(key, item.metric.name).is_some() {
            return None;
        }
        let directive = self.directive_of(item.dimensions);
        let agrees = |(name, value): (&str, &str)| {
            let key = self.key(key_hash(name), name);
            key.is_none_or(|key| key == Key::Dimension(value))
        };
        if directive.is_none() && !item.dimensions.iter().all(agrees) {
            return None;
        }
        let bytes = self.cost(item, directive);
        (self.bytes + bytes <= budget).then_some(Fit { directive, bytes })
    }

    fn place(&mut self, key: u32, item: Item<'a>, fit: &Fit) {
        self.definitions += 1;
        self.bytes += fit.bytes;
        self.keys.push(key);
        let known = fit.directive.and_then(|known| self.directives.get_mut(known));
        if let Some((_, metrics)) = known {
            metrics.push(item.metric);
            return;
        }
        for (name, value) in item.dimensions.iter() {
            if !self.dimensions.iter().any(|(known, _)| *known == name) {
                self.keys.push(key_hash(name));
                self.dimensions.push((name, value));
            }
        }
        // Where series have nothing in common there is a draft for each.
        if self.directives.is_empty() {
            self.directives.reserve_exact(1);
        }
        self.directives.push((item.dimensions, vec![item.metric]));
    }

    /// The bytes that `item` adds, at most: into a directive that there is, or with one of its own.
    fn cost(&self, item: &Item<'a>, directive: Option<usize>) -> usize {
        let metric = metric_bytes(item.metric.name, item.metric.values.len());
        if directive.is_some() {
            return metric;
        }
        let names = item.dimensions.iter().map(|(name, _)| text_bytes(name) + 1).sum::<usize>();
        let rollup = |set: &mut dyn Iterator<Item = (&str, &str)>| {
            3 + set.map(|(name, _)| text_bytes(name) + 1).sum::<usize>()
        };
        let rollups = item.dimensions.rollups().map(|mut set| rollup(&mut set)).sum::<usize>();
        let is_new = |name: &str| !self.dimensions.iter().any(|(known, _)| *known == name);
        let new = item.dimensions.iter().filter(|(name, _)| is_new(name));
        let members = new.map(|(name, value)| text_bytes(name) + text_bytes(value) + 2);
        DIRECTIVE_BYTES + names + rollups + members.sum::<usize>() + metric
    }
}

fn is_same(one: &DimensionSet, other: &DimensionSet) -> bool {
    ptr::eq(one, other) || one == other
}

/// A hash of few bits: eight of them are compared at once.
#[expect(clippy::cast_possible_truncation, reason = "the low bits are as good as all")]
fn key_hash(name: &str) -> u32 {
    hash::mix(0, name.as_bytes()) as u32
}

/// `{"Namespace":"…","Dimensions":[[…]],"Metrics":[…]},` with the longest namespace.
pub(crate) const DIRECTIVE_BYTES: usize = 50 + 2 * crate::limits::NAMESPACE_CHARS;
/// `{"Name":…,"Unit":"Kilobytes/Second","StorageResolution":1},` and `:{"Values":[],"Counts":[]},`.
const DEFINITION_BYTES: usize = 96;
/// The longest double, the longest count, and a comma each.
const VALUE_BYTES: usize = 25 + 21;

/// The bytes of a document that has only this item, at most; what is common to all left aside.
pub(crate) fn item_bytes(item: &Item<'_>) -> usize {
    Draft::default().cost(item, None)
}

/// The bytes of a metric's definition and its member at the root, at most.
pub(crate) fn metric_bytes(name: &str, values: usize) -> usize {
    2 * text_bytes(name) + DEFINITION_BYTES + values * VALUE_BYTES
}

/// The bytes of a valid name or value as a JSON string: only quotes and backslashes are escaped.
fn text_bytes(text: &str) -> usize {
    text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count() + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> DimensionSet {
        DimensionSet::of(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    fn item<'a>(name: &'a str, unit: Unit, dimensions: &'a DimensionSet) -> Item<'a> {
        let resolution = Resolution::Standard;
        Item { metric: MetricRef { name, unit, resolution, values: &[(1.0, 1)] }, dimensions }
    }

    /// Plans and writes each document as `name name | name`, a bar between directives.
    fn check(items: &[Item<'_>], expected: &[&str]) {
        let drafts = plan(Draft::default(), items.iter().copied(), 100_000);
        let documents: Vec<String> = drafts
            .iter()
            .map(|draft| {
                let directives: Vec<String> = draft
                    .directives
                    .iter()
                    .map(|(_, metrics)| {
                        metrics.iter().map(|metric| metric.name).collect::<Vec<_>>().join(" ")
                    })
                    .collect();
                directives.join(" | ")
            })
            .collect();
        assert_eq!(documents, expected);
    }

    #[test]
    fn metrics_share_a_document_where_their_keys_agree() {
        let (none, sales, stock) =
            (set(&[]), set(&[("Pipeline", "sales")]), set(&[("Pipeline", "stock")]));
        let both = set(&[("Pipeline", "sales"), ("Region", "eu")]);
        let count = |name, dimensions| item(name, Unit::Count, dimensions);
        check(&[], &[]);
        check(&[count("A", &sales), count("B", &sales)], &["A B"]);
        check(&[count("A", &sales), count("B", &none), count("C", &both)], &["A | B | C"]);
        // One key, two values.
        check(&[count("A", &sales), count("B", &stock)], &["A", "B"]);
        // One name, two series.
        check(&[count("A", &sales), count("A", &both)], &["A", "A"]);
        // A name that is another's dimension, either way round.
        check(&[count("Pipeline", &none), count("B", &sales)], &["Pipeline", "B"]);
        check(&[count("B", &sales), count("Pipeline", &none)], &["B", "Pipeline"]);
        // A later one still finds the document of its dimensions.
        check(&[count("A", &sales), count("B", &stock), count("C", &sales)], &["A C", "B"]);
    }

    #[test]
    fn one_name_with_two_units_goes_into_two_documents() {
        let none = set(&[]);
        check(
            &[
                item("A", Unit::Count, &none),
                item("A", Unit::Bytes, &none),
                item("B", Unit::Count, &none),
            ],
            &["A B", "A"],
        );
    }

    #[test]
    fn scenario_24_the_101st_metric_begins_a_document() {
        let none = set(&[]);
        let names: Vec<String> = (0..101).map(|n| format!("M{n}")).collect();
        let items: Vec<_> = names.iter().map(|name| item(name, Unit::Count, &none)).collect();
        let sizes = |items: &[Item<'_>]| {
            let drafts = plan(Draft::default(), items.iter().copied(), 1_000_000);
            drafts.iter().map(|draft| draft.definitions).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&items[..100]), [100]);
        assert_eq!(sizes(&items), [100, 1]);
    }

    #[test]
    fn scenario_24_further_values_come_in_further_rounds() {
        let none = set(&[]);
        let many: Vec<Counted> = (0..201).map(|n| (f64::from(n), 1)).collect();
        let few = [(1.0, 1)];
        let series = |name, values| {
            let (unit, resolution) = (Unit::Count, Resolution::Standard);
            Series { name, unit, resolution, dimensions: &none, values }
        };
        let items = items([series("A", &many), series("B", &few), series("C", &many)]);
        let names: Vec<_> = items.iter().map(|i| (i.metric.name, i.metric.values.len())).collect();
        let expected =
            [("A", 100), ("B", 1), ("C", 100), ("A", 100), ("C", 100), ("A", 1), ("C", 1)];
        assert_eq!(names, expected);
        check(&items, &["A B C", "A C", "A C"]);
    }

    #[test]
    fn documents_keep_the_budget_and_take_at_least_one() {
        let none = set(&[]);
        let names: Vec<String> = (0..20).map(|n| format!("M{n}")).collect();
        let items: Vec<_> = names.iter().map(|name| item(name, Unit::Count, &none)).collect();
        let budget = DIRECTIVE_BYTES + 5 * metric_bytes("M10", 1);
        let drafts = plan(Draft::default(), items.iter().copied(), budget);
        assert_eq!(drafts.len(), 4);
        assert!(drafts.iter().all(|draft| draft.bytes <= budget));
        assert_eq!(plan(Draft::default(), items.iter().copied(), 0).len(), 20);
    }
}
