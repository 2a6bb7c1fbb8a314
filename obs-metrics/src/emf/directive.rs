//! The checks of one directive: its namespace, its dimension sets, its metric definitions.

use std::collections::{BTreeSet, HashSet};

use super::document::{Definition, Dimension, Directive};
use super::found::{beginning, quoted};
use super::node::Node;
use super::pointer::Pointer;
use super::validate::{Checker, wanted};
use super::violation::Rule;
use crate::limits::{DIMENSIONS_PER_SET, METRICS_PER_DOCUMENT};
use crate::names::{dimension_name_fault, metric_name_fault, namespace_fault};
use crate::unit::{Resolution, Unit};

impl<'d> Checker<'d> {
    pub(super) fn directive(&mut self, node: &'d Node, pointer: &Pointer<'_>) -> Option<Directive> {
        if !matches!(node, Node::Object(_)) {
            self.found.add(pointer, Rule::Directives, wanted("an object", Some(node)));
            return None;
        }
        let member = |name| (node.member(name), pointer.member(name));
        let (namespace, namespace_at) = member("Namespace");
        let (dimensions, dimensions_at) = member("Dimensions");
        let (metrics, metrics_at) = member("Metrics");
        Some(Directive {
            namespace: self.namespace(namespace, &namespace_at),
            sets: self.dimension_sets(dimensions, &dimensions_at),
            definitions: self.definitions(metrics, &metrics_at),
        })
    }

    fn namespace(&mut self, node: Option<&Node>, pointer: &Pointer<'_>) -> String {
        match node {
            Some(Node::String(text)) => {
                if let Some(fault) = namespace_fault(text) {
                    let message = format!("{} {fault}", quoted(text));
                    self.found.add(pointer, Rule::Namespace, message);
                }
                text.clone()
            }
            other => {
                self.found.add(pointer, Rule::Namespace, wanted("a string", other));
                String::new()
            }
        }
    }

    fn dimension_sets(
        &mut self,
        node: Option<&'d Node>,
        pointer: &Pointer<'_>,
    ) -> Vec<Vec<Dimension>> {
        let Some(Node::Array(sets)) = node else {
            self.found.add(pointer, Rule::DimensionSets, wanted("an array of arrays", node));
            return Vec::new();
        };
        if sets.is_empty() {
            let message = "is empty; it holds at least one set, which may be empty: [[]]";
            self.found.add(pointer, Rule::DimensionSets, message);
        }
        let mut seen = HashSet::new();
        let mut checked = Vec::with_capacity(sets.len());
        for (n, set) in sets.iter().enumerate() {
            let pointer = pointer.item(n);
            checked.push(self.dimension_set(set, &pointer));
            if let Some(names) = names_of(set)
                && !seen.insert(names)
            {
                self.found.add(&pointer, Rule::UniqueSets, "is a set of its directive already");
            }
        }
        checked
    }

    fn dimension_set(&mut self, node: &'d Node, pointer: &Pointer<'_>) -> Vec<Dimension> {
        let Node::Array(keys) = node else {
            self.found.add(pointer, Rule::DimensionSets, wanted("an array of names", Some(node)));
            return Vec::new();
        };
        if keys.len() > DIMENSIONS_PER_SET {
            let message = format!("{} keys; a set has at most {DIMENSIONS_PER_SET}", keys.len());
            self.found.add(pointer, Rule::DimensionCount, message);
        }
        let mut seen = HashSet::new();
        let mut set = Vec::with_capacity(keys.len());
        for (n, key) in keys.iter().enumerate() {
            let pointer = pointer.item(n);
            let Node::String(name) = key else {
                self.found.add(&pointer, Rule::DimensionName, wanted("a string", Some(key)));
                continue;
            };
            if let Some(fault) = dimension_name_fault(name) {
                let message = format!("{} {fault}", quoted(name));
                self.found.add(&pointer, Rule::DimensionName, message);
            }
            if !seen.insert(name) {
                let message = format!("{} is in the set twice", quoted(name));
                self.found.add(&pointer, Rule::UniqueDimensions, message);
            }
            set.extend(self.dimension(name, &pointer));
        }
        set
    }

    fn definitions(&mut self, node: Option<&'d Node>, pointer: &Pointer<'_>) -> Vec<Definition> {
        let Some(Node::Array(definitions)) = node else {
            self.found.add(pointer, Rule::Definitions, wanted("an array of definitions", node));
            return Vec::new();
        };
        if definitions.len() > METRICS_PER_DOCUMENT {
            let message = format!(
                "{} definitions; a directive has at most {METRICS_PER_DOCUMENT}",
                definitions.len()
            );
            self.found.add(pointer, Rule::DefinitionCount, message);
        }
        let mut seen = HashSet::new();
        definitions
            .iter()
            .enumerate()
            .filter_map(|(n, definition)| self.definition(definition, &pointer.item(n), &mut seen))
            .collect()
    }

    fn definition(
        &mut self,
        node: &'d Node,
        pointer: &Pointer<'_>,
        seen: &mut HashSet<&'d str>,
    ) -> Option<Definition> {
        if !matches!(node, Node::Object(_)) {
            self.found.add(pointer, Rule::Definitions, wanted("an object", Some(node)));
            return None;
        }
        let unit = self.unit(node.member("Unit"), &pointer.member("Unit"));
        let at = pointer.member("StorageResolution");
        let resolution = self.resolution(node.member("StorageResolution"), &at);
        let at = pointer.member("Name");
        let name = match node.member("Name") {
            Some(Node::String(name)) => name,
            other => {
                self.found.add(&at, Rule::MetricName, wanted("a string", other));
                return None;
            }
        };
        if let Some(fault) = metric_name_fault(name) {
            self.found.add(&at, Rule::MetricName, format!("{} {fault}", quoted(name)));
        }
        let first = *self.series.entry(name).or_insert((unit, resolution));
        if !seen.insert(name) {
            let message = format!("{} is defined twice in its directive", quoted(name));
            self.found.add(&at, Rule::UniqueDefinition, message);
        } else if first != (unit, resolution) {
            let message = format!(
                "{} is defined with {unit} at {} s here, with {} at {} s before",
                quoted(name),
                resolution.seconds(),
                first.0,
                first.1.seconds()
            );
            self.found.add(&at, Rule::UniqueDefinition, message);
        }
        Some(Definition { name: name.clone(), unit, resolution, values: self.values(name, &at) })
    }

    fn unit(&mut self, node: Option<&Node>, pointer: &Pointer<'_>) -> Unit {
        match node {
            None => Unit::None,
            Some(Node::String(text)) => text.parse().unwrap_or_else(|_: crate::Error| {
                let error = crate::Error::unknown_unit(&beginning(text));
                self.found.add(pointer, Rule::Unit, error);
                Unit::None
            }),
            other => {
                self.found.add(pointer, Rule::Unit, wanted("a string", other));
                Unit::None
            }
        }
    }

    fn resolution(&mut self, node: Option<&Node>, pointer: &Pointer<'_>) -> Resolution {
        let found = match node {
            None | Some(Node::Unsigned(60)) => return Resolution::Standard,
            Some(Node::Unsigned(1)) => return Resolution::High,
            Some(Node::Unsigned(number)) => number.to_string(),
            Some(Node::Signed(number)) => number.to_string(),
            // With its point: 60.0 is no integer to every reader.
            Some(Node::Float(number)) => format!("{number:?}"),
            Some(other) => other.kind().to_owned(),
        };
        let message = format!("is {found}; 1 or 60 seconds is asked for");
        self.found.add(pointer, Rule::StorageResolution, message);
        Resolution::Standard
    }
}

/// The names in a dimension set; `None` where it is none.
fn names_of(set: &Node) -> Option<BTreeSet<&str>> {
    let Node::Array(keys) = set else { return None };
    let names = keys.iter().map(|key| match key {
        Node::String(name) => Some(name.as_str()),
        _ => None,
    });
    names.collect()
}
