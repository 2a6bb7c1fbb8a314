//! The events that are parts of one document, with each key of its root once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasherDefault;

use obs_core::ids::SpanIds;

use crate::dimensions::DimensionSet;
use crate::distribution::Counted;
use crate::hash::Ready;
use crate::limits::METRICS_PER_DOCUMENT;
use crate::plan::metric_bytes;
use crate::property::text_bytes;
use crate::unit::{Resolution, Unit};

/// An event as a part of a document.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) dimensions: DimensionSet,
    /// Name, unit, resolution, values.
    pub(crate) metrics: Vec<(String, Unit, Resolution, Vec<Counted>)>,
    /// Properties: name and JSON value.
    pub(crate) members: Vec<Member>,
    /// The span in which it began.
    pub(crate) span: Option<SpanIds>,
}

/// A name and a JSON value.
pub(crate) type Member = (String, Vec<u8>);

/// The parts of one document.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) parts: Vec<Part>,
    /// The fields that were appended to the request when the last part came.
    pub(crate) appended: Vec<Member>,
    /// The keys of the document's root; of a dimension, with its value.
    keys: HashMap<String, Option<String>, BuildHasherDefault<Ready>>,
    definitions: usize,
    bytes: usize,
}

impl Parts {
    /// Takes `part` where no key of it is there already, the same dimension with the same value left
    /// aside, and where metrics and bytes have room.
    pub(crate) fn join(&mut self, part: Part, most_bytes: usize) -> bool {
        let is_new = |name: &String| !self.keys.contains_key(name);
        let bytes = part.bytes();
        let fits = self.definitions + part.metrics.len() <= METRICS_PER_DOCUMENT
            && self.bytes + bytes <= most_bytes
            && part.metrics.iter().all(|(name, ..)| is_new(name))
            && part.members.iter().all(|(name, _)| is_new(name))
            && part.dimensions.iter().all(|(name, value)| match self.keys.get(name) {
                None => true,
                Some(known) => known.as_deref() == Some(value),
            });
        if !fits {
            return false;
        }
        self.definitions += part.metrics.len();
        self.bytes += bytes;
        let names = part.metrics.iter().map(|(name, ..)| name);
        for name in names.chain(part.members.iter().map(|(name, _)| name)) {
            self.keys.insert(name.clone(), None);
        }
        for (name, value) in part.dimensions.iter() {
            if let Entry::Vacant(vacant) = self.keys.entry(name.to_owned()) {
                vacant.insert(Some(value.to_owned()));
            }
        }
        self.parts.push(part);
        true
    }

    /// Whether there is a key of this name.
    pub(crate) fn is_taken(&self, name: &str) -> bool {
        self.keys.contains_key(name)
    }

    /// The span in which all parts began, where it is one.
    pub(crate) fn span(&self) -> Option<SpanIds> {
        let span = self.parts.first()?.span;
        span.filter(|_| self.parts.iter().all(|part| part.span == span))
    }
}

impl Part {
    /// Its bytes in a document, at most.
    pub(crate) fn bytes(&self) -> usize {
        let metrics =
            self.metrics.iter().map(|(name, _, _, values)| metric_bytes(name, values.len()));
        let members = self.members.iter().map(|(name, value)| text_bytes(name) + 2 + value.len());
        let sets = 1 + self.dimensions.rollups().len();
        let dimensions = self
            .dimensions
            .iter()
            .map(|(name, value)| (1 + sets) * text_bytes(name) + text_bytes(value) + 2);
        metrics.chain(members).chain(dimensions).sum::<usize>() + crate::plan::DIRECTIVE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use obs_core::ids::{SpanId, TraceId};

    use super::*;

    fn part(dimension: (&str, &str), metric: &str, member: &str) -> Part {
        let (name, value) = dimension;
        Part {
            dimensions: DimensionSet::of(vec![(name.to_owned(), value.to_owned())]),
            metrics: vec![(metric.to_owned(), Unit::Count, Resolution::Standard, vec![(1.0, 1)])],
            members: vec![(member.to_owned(), b"1".to_vec())],
            span: None,
        }
    }

    #[test]
    fn parts_join_where_no_key_is_in_the_way() {
        let mut parts = Parts::default();
        for (given, expected) in [
            (part(("P", "x"), "A", "a"), true),
            // Metric, property and the value of a dimension that are there already.
            (part(("P", "x"), "A", "b"), false),
            (part(("P", "x"), "B", "a"), false),
            (part(("P", "y"), "B", "b"), false),
            // A key in another role.
            (part(("A", "x"), "B", "b"), false),
            (part(("P", "x"), "a", "b"), false),
            (part(("Q", "x"), "B", "P"), false),
            (part(("P", "x"), "B", "b"), true),
            (part(("Q", "x"), "C", "c"), true),
        ] {
            let what = format!("{given:?}");
            assert_eq!(parts.join(given, usize::MAX), expected, "{what}");
        }
        assert!(parts.is_taken("A") && parts.is_taken("P") && !parts.is_taken("D"));
        assert_eq!(parts.parts.len(), 3);
    }

    #[test]
    fn a_document_names_the_span_that_all_its_parts_have() {
        let trace_id = TraceId::generate();
        let mut parts = Parts::default();
        assert_eq!(parts.span(), None);
        for (span, name, expected) in [(7, "A", Some(7)), (7, "B", Some(7)), (8, "C", None)] {
            let ids = |span| SpanIds {
                trace_id,
                span_id: SpanId::from_u64(span).unwrap(),
                sampled: true,
            };
            let part =
                Part { span: Some(ids(span)), members: Vec::new(), ..part(("P", "x"), name, "") };
            assert!(parts.join(part, usize::MAX));
            assert_eq!(parts.span(), expected.map(ids));
        }
    }

    #[test]
    fn parts_keep_the_limits() {
        let mut parts = Parts::default();
        let taken = (0..101)
            .filter(|n| {
                parts.join(part(("P", "x"), &format!("M{n}"), &format!("p{n}")), usize::MAX)
            })
            .count();
        assert_eq!(taken, METRICS_PER_DOCUMENT);
        let one = part(("P", "x"), "A", "a");
        let bytes = one.bytes();
        assert!(Parts::default().join(one, bytes));
        assert!(!Parts::default().join(part(("P", "x"), "A", "a"), bytes - 1));
    }
}
