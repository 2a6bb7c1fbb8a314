//! The checks of target members: what a dimension set or a metric definition names at the root.

use std::sync::Arc;

use super::document::Dimension;
use super::found::quoted;
use super::node::Node;
use super::pointer::Pointer;
use super::validate::{Checker, wanted};
use super::violation::Rule;
use crate::limits::{VALUES_PER_METRIC, takes_value};
use crate::names::dimension_value_fault;

impl<'d> Checker<'d> {
    /// Name and value of a dimension, read once however many sets name it.
    pub(super) fn dimension(&mut self, name: &'d str, named_at: &Pointer<'_>) -> Option<Dimension> {
        if let Some(dimension) = self.dimensions.get(name) {
            return dimension.clone();
        }
        let node = self.target(name, named_at)?;
        let here = Pointer::Root;
        let pointer = here.member(name);
        let dimension = match node {
            Node::String(value) => {
                if let Some(fault) = dimension_value_fault(value) {
                    let message = format!("{} {fault}", quoted(value));
                    self.found.add(&pointer, Rule::DimensionValue, message);
                }
                Some((name.into(), value.as_str().into()))
            }
            other => {
                let message = wanted("a string, since it is a dimension's value", Some(other));
                self.found.add(&pointer, Rule::DimensionValue, message);
                None
            }
        };
        self.dimensions.insert(name, dimension.clone());
        dimension
    }

    /// The values of a metric, read once however many directives name it.
    pub(super) fn values(&mut self, name: &'d str, named_at: &Pointer<'_>) -> Arc<[(f64, f64)]> {
        if let Some(values) = self.values.get(name) {
            return Arc::clone(values);
        }
        let Some(node) = self.target(name, named_at) else { return Arc::new([]) };
        let here = Pointer::Root;
        let pointer = here.member(name);
        let values: Arc<[_]> = match node {
            Node::Object(_) => self.values_with_counts(node, &pointer).into(),
            Node::Array(items) => {
                self.numbers(items, &pointer).into_iter().map(|value| (value, 1.0)).collect()
            }
            number => match number.as_f64() {
                Some(value) => {
                    self.in_range(value, &pointer);
                    Arc::new([(value, 1.0)])
                }
                None => {
                    let message =
                        wanted("a number, an array of numbers, or Values and Counts", Some(number));
                    self.found.add(&pointer, Rule::Value, message);
                    Arc::new([])
                }
            },
        };
        self.values.insert(name, Arc::clone(&values));
        values
    }

    fn target(&mut self, name: &str, named_at: &Pointer<'_>) -> Option<&'d Node> {
        let target = self.members.get(name).copied();
        if target.is_none() {
            let message = format!("the document has no member {}", quoted(name));
            self.found.add(named_at, Rule::Target, message);
        }
        target
    }

    fn values_with_counts(&mut self, node: &Node, pointer: &Pointer<'_>) -> Vec<(f64, f64)> {
        let (values_at, counts_at) = (pointer.member("Values"), pointer.member("Counts"));
        let values = match node.member("Values") {
            Some(Node::Array(values)) => values,
            other => {
                self.found.add(&values_at, Rule::Value, wanted("an array of numbers", other));
                return Vec::new();
            }
        };
        let numbers = self.numbers(values, &values_at);
        let counts = match node.member("Counts") {
            None => vec![1.0; numbers.len()],
            Some(Node::Array(counts)) => {
                if counts.len() != values.len() {
                    let message = format!("{} counts for {} values", counts.len(), values.len());
                    self.found.add(&counts_at, Rule::Counts, message);
                }
                self.counts(counts, &counts_at)
            }
            other => {
                self.found.add(&counts_at, Rule::Counts, wanted("an array of numbers", other));
                Vec::new()
            }
        };
        numbers.into_iter().zip(counts).collect()
    }

    fn counts(&mut self, counts: &[Node], pointer: &Pointer<'_>) -> Vec<f64> {
        self.at_most_100(counts, pointer, "counts");
        let mut numbers = Vec::with_capacity(counts.len());
        for (n, count) in counts.iter().enumerate() {
            match count.as_f64() {
                Some(number) if number > 0.0 => numbers.push(number),
                Some(number) => {
                    let message = format!("is {number:?}; a positive number is asked for");
                    self.found.add(&pointer.item(n), Rule::Counts, message);
                }
                None => {
                    let message = wanted("a positive number", Some(count));
                    self.found.add(&pointer.item(n), Rule::Counts, message);
                }
            }
        }
        numbers
    }

    fn numbers(&mut self, items: &[Node], pointer: &Pointer<'_>) -> Vec<f64> {
        if items.is_empty() {
            self.found.add(pointer, Rule::ValueCount, "has no value");
        }
        self.at_most_100(items, pointer, "values");
        let mut numbers = Vec::with_capacity(items.len());
        for (n, item) in items.iter().enumerate() {
            let pointer = pointer.item(n);
            match item.as_f64() {
                Some(value) => {
                    self.in_range(value, &pointer);
                    numbers.push(value);
                }
                None => self.found.add(&pointer, Rule::Value, wanted("a number", Some(item))),
            }
        }
        numbers
    }

    fn at_most_100(&mut self, items: &[Node], pointer: &Pointer<'_>, what: &str) {
        if items.len() > VALUES_PER_METRIC {
            let message =
                format!("{} {what}; a metric has at most {VALUES_PER_METRIC}", items.len());
            self.found.add(pointer, Rule::ValueCount, message);
        }
    }

    fn in_range(&mut self, value: f64, pointer: &Pointer<'_>) {
        if !takes_value(value) {
            let message = format!("{value:e} is beyond ±2^360");
            self.found.add(pointer, Rule::ValueRange, message);
        }
    }
}
