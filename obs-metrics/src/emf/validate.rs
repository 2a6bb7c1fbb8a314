//! The checks themselves: one pass over the document, every violation reported.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::sync::Arc;
use std::time::SystemTime;

use obs_core::clock::millis_since_epoch;

use super::document::{Definition, Directive, Document};
use super::node::Node;
use super::violation::{Rule, Violation, Violations};
use crate::limits::{
    DIMENSIONS_PER_SET, EVENT_BYTES, METRICS_PER_DOCUMENT, VALUES_PER_METRIC, takes_timestamp,
    takes_value,
};
use crate::names::{
    dimension_name_fault, dimension_value_fault, metric_name_fault, namespace_fault,
};
use crate::unit::{Resolution, Unit};

/// What is larger than this is not looked at beyond its size.
const PARSED_BYTES: usize = 16 * EVENT_BYTES;

/// Checks one line of output as CloudWatch would, without any network.
///
/// A line break at its end is not part of it. The time now is the system's.
///
/// # Errors
///
/// Every violation of the embedded metric format, and of the limits of what stands behind it.
pub fn validate(line: &str) -> Result<Document, Violations> {
    validate_at(line, SystemTime::now())
}

/// As [`validate`], at a given time: a timestamp may be 14 days old and 2 hours ahead.
///
/// # Errors
///
/// As [`validate`].
pub fn validate_at(line: &str, now: SystemTime) -> Result<Document, Violations> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut found = Found::default();
    if line.len() > EVENT_BYTES {
        found.add(
            "",
            Rule::EventSize,
            format!("{} bytes; a log event has at most {EVENT_BYTES}", line.len()),
        );
        if line.len() > PARSED_BYTES {
            return Err(Violations(found.violations));
        }
    }
    if line.contains(['\n', '\r']) {
        found.add("", Rule::OneLine, "has a line break: stdout would make several events of it");
    }
    let root = match serde_json::from_str::<Node>(line) {
        Ok(Node::Object(members)) => Node::Object(members),
        Ok(other) => {
            found.add("", Rule::RootObject, format!("is {}; an object is asked for", other.kind()));
            return Err(Violations(found.violations));
        }
        Err(error) => {
            found.add("", Rule::Json, format!("is not JSON: {error}"));
            return Err(Violations(found.violations));
        }
    };
    let mut checker = Checker {
        members: index(&root),
        found,
        series: HashMap::new(),
        values: HashMap::new(),
        texts: HashMap::new(),
    };
    let document = checker.document(&root, millis_since_epoch(now));
    if checker.found.violations.is_empty() {
        Ok(document)
    } else {
        Err(Violations(checker.found.violations))
    }
}

#[derive(Default)]
struct Found {
    violations: Vec<Violation>,
    /// A member that several directives name is reported once.
    seen: HashSet<(String, Rule)>,
}

impl Found {
    fn add(&mut self, pointer: impl Into<String>, rule: Rule, message: impl Into<String>) {
        let pointer = pointer.into();
        if self.seen.insert((pointer.clone(), rule)) {
            self.violations.push(Violation { pointer, rule, message: message.into() });
        }
    }
}

fn index(root: &Node) -> HashMap<&str, &Node> {
    let mut members = HashMap::new();
    if let Node::Object(all) = root {
        for (key, node) in all {
            members.entry(key.as_str()).or_insert(node);
        }
    }
    members
}

struct Checker<'d> {
    members: HashMap<&'d str, &'d Node>,
    found: Found,
    /// The unit and the resolution that the document has given each name.
    series: HashMap<&'d str, (Unit, Resolution)>,
    values: HashMap<&'d str, Arc<[(f64, f64)]>>,
    texts: HashMap<&'d str, Arc<str>>,
}

impl<'d> Checker<'d> {
    fn document(&mut self, root: &'d Node, now_millis: u64) -> Document {
        self.unique_members(root, "");
        let mut document = Document { timestamp_millis: 0, directives: Vec::new() };
        let aws = match self.members.get("_aws").copied() {
            Some(aws @ Node::Object(_)) => aws,
            other => {
                self.found.add("/_aws", Rule::Metadata, wanted("an object", other));
                return document;
            }
        };
        document.timestamp_millis = self.timestamp(aws, now_millis);
        let pointer = "/_aws/CloudWatchMetrics";
        match aws.member("CloudWatchMetrics") {
            Some(Node::Array(directives)) => {
                document.directives = directives
                    .iter()
                    .enumerate()
                    .filter_map(|(n, directive)| {
                        self.directive(directive, &format!("{pointer}/{n}"))
                    })
                    .collect();
            }
            other => self.found.add(pointer, Rule::Directives, wanted("an array", other)),
        }
        document
    }

    /// Members that occur twice, wherever they are.
    fn unique_members(&mut self, node: &Node, pointer: &str) {
        match node {
            Node::Object(members) => {
                let mut seen = HashSet::new();
                for (key, member) in members {
                    if !seen.insert(key.as_str()) {
                        self.found.add(
                            child(pointer, key),
                            Rule::UniqueMembers,
                            "occurs twice in its object",
                        );
                    }
                    if matches!(member, Node::Object(_) | Node::Array(_)) {
                        self.unique_members(member, &child(pointer, key));
                    }
                }
            }
            Node::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    if matches!(item, Node::Object(_) | Node::Array(_)) {
                        self.unique_members(item, &child(pointer, n));
                    }
                }
            }
            _ => {}
        }
    }

    fn timestamp(&mut self, aws: &Node, now_millis: u64) -> u64 {
        let pointer = "/_aws/Timestamp";
        match aws.member("Timestamp") {
            Some(Node::Unsigned(millis)) => {
                if !takes_timestamp(*millis, now_millis) {
                    let message = format!(
                        "{millis} is more than 14 days before or 2 hours after {now_millis}, which is now"
                    );
                    self.found.add(pointer, Rule::TimestampWindow, message);
                }
                *millis
            }
            Some(Node::Signed(millis)) => {
                let message = format!("{millis} is before the epoch");
                self.found.add(pointer, Rule::TimestampWindow, message);
                0
            }
            Some(Node::Float(number)) => {
                let message = format!("{number} is not a whole number of milliseconds");
                self.found.add(pointer, Rule::Timestamp, message);
                0
            }
            other => {
                let message = wanted("whole milliseconds since the epoch", other);
                self.found.add(pointer, Rule::Timestamp, message);
                0
            }
        }
    }

    fn directive(&mut self, node: &'d Node, pointer: &str) -> Option<Directive> {
        if !matches!(node, Node::Object(_)) {
            self.found.add(pointer, Rule::Directives, wanted("an object", Some(node)));
            return None;
        }
        Some(Directive {
            namespace: self.namespace(node.member("Namespace"), &child(pointer, "Namespace")),
            sets: self.dimension_sets(node.member("Dimensions"), &child(pointer, "Dimensions")),
            definitions: self.definitions(node.member("Metrics"), &child(pointer, "Metrics")),
        })
    }

    fn namespace(&mut self, node: Option<&Node>, pointer: &str) -> String {
        match node {
            Some(Node::String(text)) => {
                if let Some(fault) = namespace_fault(text) {
                    self.found.add(pointer, Rule::Namespace, format!("{text:?} {fault}"));
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
        pointer: &str,
    ) -> Vec<Vec<(Arc<str>, Arc<str>)>> {
        let Some(Node::Array(sets)) = node else {
            self.found.add(pointer, Rule::DimensionSets, wanted("an array of arrays", node));
            return Vec::new();
        };
        if sets.is_empty() {
            let message = "is empty; it holds at least one set, which may be empty: [[]]";
            self.found.add(pointer, Rule::DimensionSets, message);
        }
        sets.iter()
            .enumerate()
            .map(|(n, set)| self.dimension_set(set, &child(pointer, n)))
            .collect()
    }

    fn dimension_set(&mut self, node: &'d Node, pointer: &str) -> Vec<(Arc<str>, Arc<str>)> {
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
            let pointer = child(pointer, n);
            let Node::String(name) = key else {
                self.found.add(pointer, Rule::DimensionName, wanted("a string", Some(key)));
                continue;
            };
            if let Some(fault) = dimension_name_fault(name) {
                self.found.add(&pointer, Rule::DimensionName, format!("{name:?} {fault}"));
            }
            if !seen.insert(name) {
                self.found.add(
                    &pointer,
                    Rule::UniqueDimensions,
                    format!("{name:?} is in the set twice"),
                );
            }
            if let Some(value) = self.dimension_value(name, &pointer) {
                set.push((self.shared(name), value));
            }
        }
        set
    }

    fn dimension_value(&mut self, name: &str, named_at: &str) -> Option<Arc<str>> {
        let pointer = child("", name);
        match self.members.get(name).copied() {
            None => {
                self.found.add(
                    named_at,
                    Rule::Target,
                    format!("the document has no member {name:?}"),
                );
                None
            }
            Some(Node::String(value)) => {
                if let Some(fault) = dimension_value_fault(value) {
                    self.found.add(pointer, Rule::DimensionValue, format!("{value:?} {fault}"));
                }
                Some(self.shared(value))
            }
            other => {
                let message = wanted("a string, since it is a dimension's value", other);
                self.found.add(pointer, Rule::DimensionValue, message);
                None
            }
        }
    }

    fn definitions(&mut self, node: Option<&'d Node>, pointer: &str) -> Vec<Definition> {
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
            .filter_map(|(n, definition)| {
                self.definition(definition, &child(pointer, n), &mut seen)
            })
            .collect()
    }

    fn definition(
        &mut self,
        node: &'d Node,
        pointer: &str,
        seen: &mut HashSet<&'d str>,
    ) -> Option<Definition> {
        if !matches!(node, Node::Object(_)) {
            self.found.add(pointer, Rule::Definitions, wanted("an object", Some(node)));
            return None;
        }
        let unit = self.unit(node.member("Unit"), &child(pointer, "Unit"));
        let at = child(pointer, "StorageResolution");
        let resolution = self.resolution(node.member("StorageResolution"), &at);
        let at = child(pointer, "Name");
        let name = match node.member("Name") {
            Some(Node::String(name)) => name,
            other => {
                self.found.add(at, Rule::MetricName, wanted("a string", other));
                return None;
            }
        };
        if let Some(fault) = metric_name_fault(name) {
            self.found.add(&at, Rule::MetricName, format!("{name:?} {fault}"));
        }
        let first = *self.series.entry(name).or_insert((unit, resolution));
        if !seen.insert(name) {
            let message = format!("{name:?} is defined twice in its directive");
            self.found.add(&at, Rule::UniqueDefinition, message);
        } else if first != (unit, resolution) {
            let message = format!(
                "{name:?} is defined with {unit} at {} s here, with {} at {} s before",
                resolution.seconds(),
                first.0,
                first.1.seconds()
            );
            self.found.add(&at, Rule::UniqueDefinition, message);
        }
        Some(Definition { name: name.clone(), unit, resolution, values: self.values(name, &at) })
    }

    fn unit(&mut self, node: Option<&Node>, pointer: &str) -> Unit {
        match node {
            None => Unit::None,
            Some(Node::String(text)) => text.parse().unwrap_or_else(|error: crate::Error| {
                self.found.add(pointer, Rule::Unit, error.to_string());
                Unit::None
            }),
            other => {
                self.found.add(pointer, Rule::Unit, wanted("a string", other));
                Unit::None
            }
        }
    }

    fn resolution(&mut self, node: Option<&Node>, pointer: &str) -> Resolution {
        match node {
            None | Some(Node::Unsigned(60)) => Resolution::Standard,
            Some(Node::Unsigned(1)) => Resolution::High,
            Some(Node::Unsigned(other)) => {
                let message = format!("{other}; 1 or 60 seconds are asked for");
                self.found.add(pointer, Rule::StorageResolution, message);
                Resolution::Standard
            }
            other => {
                self.found.add(pointer, Rule::StorageResolution, wanted("1 or 60", other));
                Resolution::Standard
            }
        }
    }

    /// The values of a metric, read once however many directives name it.
    fn values(&mut self, name: &'d str, named_at: &str) -> Arc<[(f64, f64)]> {
        if let Some(values) = self.values.get(name) {
            return Arc::clone(values);
        }
        let pointer = child("", name);
        let values = match self.members.get(name).copied() {
            None => {
                self.found.add(
                    named_at,
                    Rule::Target,
                    format!("the document has no member {name:?}"),
                );
                return Arc::new([]);
            }
            Some(Node::Object(_)) => self.values_with_counts(name, &pointer),
            Some(Node::Array(items)) => {
                self.numbers(items, &pointer).into_iter().map(|value| (value, 1.0)).collect()
            }
            Some(node) => match node.as_f64() {
                Some(value) => {
                    self.in_range(value, &pointer);
                    Vec::from([(value, 1.0)])
                }
                None => {
                    let message =
                        wanted("a number, an array of numbers, or Values and Counts", Some(node));
                    self.found.add(pointer, Rule::Value, message);
                    Vec::new()
                }
            },
        };
        let values: Arc<[(f64, f64)]> = values.into();
        self.values.insert(name, Arc::clone(&values));
        values
    }

    fn values_with_counts(&mut self, name: &str, pointer: &str) -> Vec<(f64, f64)> {
        let Some(&node) = self.members.get(name) else { return Vec::new() };
        let (values_at, counts_at) = (child(pointer, "Values"), child(pointer, "Counts"));
        let Some(Node::Array(values)) = node.member("Values") else {
            let message = wanted("an array of numbers", node.member("Values"));
            self.found.add(values_at, Rule::Value, message);
            return Vec::new();
        };
        let values = self.numbers(values, &values_at);
        let counts = match node.member("Counts") {
            None => vec![1.0; values.len()],
            Some(Node::Array(counts)) => {
                if counts.len() != values.len() {
                    let message = format!("{} counts for {} values", counts.len(), values.len());
                    self.found.add(&counts_at, Rule::Counts, message);
                }
                self.counts(counts, &counts_at)
            }
            other => {
                self.found.add(counts_at, Rule::Counts, wanted("an array of numbers", other));
                Vec::new()
            }
        };
        values.into_iter().zip(counts).collect()
    }

    fn counts(&mut self, counts: &[Node], pointer: &str) -> Vec<f64> {
        let mut numbers = Vec::with_capacity(counts.len());
        for (n, count) in counts.iter().enumerate() {
            match count.as_f64().filter(|count| *count > 0.0) {
                Some(number) => numbers.push(number),
                None => {
                    let message = "is not a positive number".to_owned();
                    self.found.add(child(pointer, n), Rule::Counts, message);
                }
            }
        }
        numbers
    }

    fn numbers(&mut self, items: &[Node], pointer: &str) -> Vec<f64> {
        if items.is_empty() {
            self.found.add(pointer, Rule::ValueCount, "has no value");
        }
        if items.len() > VALUES_PER_METRIC {
            let message =
                format!("{} values; a metric has at most {VALUES_PER_METRIC}", items.len());
            self.found.add(pointer, Rule::ValueCount, message);
        }
        let mut numbers = Vec::with_capacity(items.len());
        for (n, item) in items.iter().enumerate() {
            let pointer = child(pointer, n);
            match item.as_f64() {
                Some(value) => {
                    self.in_range(value, &pointer);
                    numbers.push(value);
                }
                None => self.found.add(pointer, Rule::Value, wanted("a number", Some(item))),
            }
        }
        numbers
    }

    fn in_range(&mut self, value: f64, pointer: &str) {
        if !takes_value(value) {
            let message = format!("{value:e} is beyond ±2^360");
            self.found.add(pointer, Rule::ValueRange, message);
        }
    }

    fn shared(&mut self, text: &'d str) -> Arc<str> {
        Arc::clone(self.texts.entry(text).or_insert_with(|| text.into()))
    }
}

fn wanted(what: &str, found: Option<&Node>) -> String {
    match found {
        None => format!("is missing; {what} is asked for"),
        Some(node) => format!("is {}; {what} is asked for", node.kind()),
    }
}

/// The pointer of a member or an item, escaped as RFC 6901 asks for.
fn child(pointer: &str, key: impl Display) -> String {
    let key = key.to_string();
    let key =
        if key.contains(['~', '/']) { key.replace('~', "~0").replace('/', "~1") } else { key };
    format!("{pointer}/{key}")
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
