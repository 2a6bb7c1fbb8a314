//! The checks themselves: one pass over the document, every violation reported.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use obs_core::clock::millis_since_epoch;

use super::document::{Dimension, Document};
use super::found::Found;
use super::node::Node;
use super::pointer::Pointer;
use super::violation::{Rule, Violations};
use crate::limits::{EVENT_BYTES, takes_timestamp};
use crate::names::{Fault, log_group_fault, log_stream_fault};
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
    let here = Pointer::Root;
    if line.len() > EVENT_BYTES {
        let message = format!("{} bytes; a log event has at most {EVENT_BYTES}", line.len());
        found.add(&here, Rule::EventSize, message);
        if line.len() > PARSED_BYTES {
            return found.or(Document::empty());
        }
    }
    if line.contains(['\n', '\r']) {
        let message = "has a line break: stdout would make several events of it";
        found.add(&here, Rule::OneLine, message);
    }
    match Node::parse(line) {
        Ok(root @ Node::Object(_)) => {
            let mut checker = Checker::new(&root, found);
            let document = checker.document(&root, millis_since_epoch(now));
            checker.found.or(document)
        }
        Ok(other) => {
            found.add(&here, Rule::RootObject, wanted("an object", Some(&other)));
            found.or(Document::empty())
        }
        Err(error) => {
            let message = error.to_string();
            if message.starts_with("recursion limit exceeded") {
                let message = format!("is nested too deeply to be checked: {message}");
                found.add(&here, Rule::Depth, message);
            } else {
                found.add(&here, Rule::Json, format!("is not JSON: {message}"));
            }
            found.or(Document::empty())
        }
    }
}

/// The checks of one document. Each target is read once, however often it is named, so that the work
/// grows as the document does.
pub(super) struct Checker<'d> {
    /// The root's members; the first of a name.
    pub(super) members: HashMap<&'d str, &'d Node>,
    pub(super) found: Found,
    /// The unit and the resolution that the document has given each name.
    pub(super) series: HashMap<&'d str, (Unit, Resolution)>,
    /// The targets of metric definitions.
    pub(super) values: HashMap<&'d str, Arc<[(f64, f64)]>>,
    /// The targets of dimension sets; `None` where one is no string.
    pub(super) dimensions: HashMap<&'d str, Option<Dimension>>,
}

impl<'d> Checker<'d> {
    fn new(root: &'d Node, found: Found) -> Self {
        let mut members = HashMap::new();
        if let Node::Object(all) = root {
            for (key, node) in all {
                members.entry(key.as_str()).or_insert(node);
            }
        }
        Checker {
            members,
            found,
            series: HashMap::new(),
            values: HashMap::new(),
            dimensions: HashMap::new(),
        }
    }

    fn document(&mut self, root: &'d Node, now_millis: u64) -> Document {
        let here = Pointer::Root;
        self.any_member(root, &here);
        let mut document = Document::empty();
        let pointer = here.member("_aws");
        let aws = match self.members.get("_aws").copied() {
            Some(aws @ Node::Object(_)) => aws,
            other => {
                self.found.add(&pointer, Rule::Metadata, wanted("an object", other));
                return document;
            }
        };
        document.timestamp_millis =
            self.timestamp(aws.member("Timestamp"), &pointer.member("Timestamp"), now_millis);
        self.log_name(aws, &pointer, "LogGroupName", Rule::LogGroup, log_group_fault);
        self.log_name(aws, &pointer, "LogStreamName", Rule::LogStream, log_stream_fault);
        let pointer = pointer.member("CloudWatchMetrics");
        match aws.member("CloudWatchMetrics") {
            Some(Node::Array(directives)) => {
                document.directives = directives
                    .iter()
                    .enumerate()
                    .filter_map(|(n, directive)| self.directive(directive, &pointer.item(n)))
                    .collect();
            }
            other => self.found.add(&pointer, Rule::Directives, wanted("an array", other)),
        }
        document
    }

    /// The name of a log group or stream, for the agent; nearly always there is none.
    fn log_name(
        &mut self,
        aws: &Node,
        pointer: &Pointer<'_>,
        member: &str,
        rule: Rule,
        fault: fn(&str) -> Option<Fault>,
    ) {
        let message = match aws.member(member) {
            None => return,
            Some(Node::String(name)) => match fault(name) {
                Some(fault) => format!("{name:?} {fault}"),
                None => return,
            },
            other => wanted("a string", other),
        };
        self.found.add(&pointer.member(member), rule, message);
    }

    /// What holds wherever it is: no member twice, no number that is too large to be read.
    fn any_member(&mut self, node: &Node, pointer: &Pointer<'_>) {
        match node {
            Node::Object(members) => {
                let mut seen = HashSet::new();
                for (key, member) in members {
                    let pointer = pointer.member(key);
                    if !seen.insert(key.as_str()) {
                        let message = "occurs twice in its object";
                        self.found.add(&pointer, Rule::UniqueMembers, message);
                    }
                    self.any_member(member, &pointer);
                }
            }
            Node::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.any_member(item, &pointer.item(n));
                }
            }
            Node::Huge => {
                self.found.add(pointer, Rule::Number, "is a number that no double holds");
            }
            _ => {}
        }
    }

    fn timestamp(&mut self, node: Option<&Node>, pointer: &Pointer<'_>, now_millis: u64) -> u64 {
        match node {
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
                let message =
                    format!("{number:?} is not written as a whole number of milliseconds");
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
}

/// The message for what is missing or of another kind.
pub(super) fn wanted(what: &str, found: Option<&Node>) -> String {
    match found {
        None => format!("is missing; {what} is asked for"),
        Some(node) => format!("is {}; {what} is asked for", node.kind()),
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
