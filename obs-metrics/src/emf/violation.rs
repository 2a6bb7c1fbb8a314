//! What can be wrong with a document, and who says so.

use std::fmt::{self, Write as _};

use crate::names::breaks_line;

/// Every violation of one line; there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations {
    pub(super) listed: Vec<Violation>,
    pub(super) omitted: usize,
}

impl Violations {
    /// The violations: of the line as a whole, of any member anywhere, then of each directive in the
    /// document's order, with what it names.
    pub fn iter(&self) -> std::slice::Iter<'_, Violation> {
        self.listed.iter()
    }

    /// How many more there are than are listed: 0 unless the list has over 64 MiB of text, which
    /// takes many violations below a very long key.
    pub fn omitted(&self) -> usize {
        self.omitted
    }
}

impl<'a> IntoIterator for &'a Violations {
    type Item = &'a Violation;
    type IntoIter = std::slice::Iter<'a, Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Violations {
    type Item = Violation;
    type IntoIter = std::vec::IntoIter<Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.listed.into_iter()
    }
}

impl fmt::Display for Violations {
    /// One violation a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.listed.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            violation.fmt(f)?;
        }
        if self.omitted > 0 {
            write!(f, "\n… and {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}

/// One rule that one place of a document breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    pub(super) pointer: String,
    pub(super) rule: Rule,
    pub(super) message: String,
}

impl Violation {
    /// Where: a JSON pointer (RFC 6901), empty for the whole document.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// The rule that is broken.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// What was found, and what is asked for.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Violation {
    /// One line: what a key has that would break it, or change a terminal, is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            f.write_str("(document)")?;
        } else if self.pointer.contains(breaks_line) {
            for c in self.pointer.chars() {
                if breaks_line(c) { write!(f, "{}", c.escape_debug())? } else { f.write_char(c)? }
            }
        } else {
            f.write_str(&self.pointer)?;
        }
        write!(f, ": {} [{}; {}]", self.message, self.rule.as_str(), self.rule.source())
    }
}

const SPECIFICATION: &str = "EMF specification";
const SCHEMA: &str = "EMF specification, JSON schema";
const METRIC_DATUM: &str = "CloudWatch API, MetricDatum";
const DIMENSION: &str = "CloudWatch API, Dimension";
const PUT_METRIC_DATA: &str = "CloudWatch API, PutMetricData";
const LOG_EVENT: &str = "CloudWatch Logs API, PutLogEvents";
const CLIENT_LIBRARIES: &str = "EMF client libraries of AWS";
const LOG_GROUP: &str = "CloudWatch Logs API, CreateLogGroup";
const LOG_STREAM: &str = "CloudWatch Logs API, CreateLogStream";
const JSON: &str = "RFC 8259";

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident => $text:literal, $source:expr;)*) => {
        /// A rule of the embedded metric format, or of what stands behind it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[$doc])* $name,)*
        }

        impl Rule {
            #[cfg(test)]
            pub(super) const ALL: &'static [Rule] = &[$(Rule::$name,)*];

            /// The rule's name in reports: lower case with hyphens.
            pub const fn as_str(self) -> &'static str {
                match self { $(Rule::$name => $text,)* }
            }

            /// Who says so.
            pub const fn source(self) -> &'static str {
                match self { $(Rule::$name => $source,)* }
            }
        }
    };
}

rules! {
    /// A log event has at most 1 MiB.
    EventSize => "event-size", LOG_EVENT;
    /// A document is one line: a raw line break would make two events of it.
    OneLine => "one-line", LOG_EVENT;
    /// The line is a JSON text.
    Json => "json", JSON;
    /// At most 127 levels of arrays and objects: beyond them nothing is looked at, as parsers have a
    /// limit of their own.
    Depth => "depth", JSON;
    /// A number is one that a double can hold (section 6).
    Number => "number", JSON;
    /// The document is an object, with nothing before or after it.
    RootObject => "root-object", SPECIFICATION;
    /// No member occurs twice: which one counts is not defined.
    UniqueMembers => "unique-members", JSON;
    /// `_aws` is there and an object.
    Metadata => "metadata", SCHEMA;
    /// `Timestamp` is there: whole milliseconds since the epoch.
    Timestamp => "timestamp", SCHEMA;
    /// The timestamp is at most 14 days old and at most 2 hours ahead.
    TimestampWindow => "timestamp-window", METRIC_DATUM;
    /// `LogGroupName` in `_aws`, where it is there: a log group's name.
    LogGroup => "log-group", LOG_GROUP;
    /// `LogStreamName` in `_aws`, where it is there: a log stream's name.
    LogStream => "log-stream", LOG_STREAM;
    /// `CloudWatchMetrics` is there: an array of directives.
    Directives => "directives", SCHEMA;
    /// `Namespace` is there: 1 to 255 characters of those that a namespace takes.
    Namespace => "namespace", PUT_METRIC_DATA;
    /// `Dimensions` is there and holds at least one set, which is an array of names.
    DimensionSets => "dimension-sets", SCHEMA;
    /// A dimension set has at most 30 keys.
    DimensionCount => "dimension-count", SPECIFICATION;
    /// A dimension set names no dimension twice.
    UniqueDimensions => "unique-dimensions", DIMENSION;
    /// A directive names no dimension set twice, in whatever order.
    UniqueSets => "unique-sets", CLIENT_LIBRARIES;
    /// A dimension's name: 1 to 250 printable ASCII characters, not blank, no colon in front.
    DimensionName => "dimension-name", DIMENSION;
    /// A dimension's value: a string of 1 to 1,024 printable ASCII characters, not blank.
    DimensionValue => "dimension-value", DIMENSION;
    /// What a dimension set or a metric definition names is a member of the document's root.
    Target => "target", SPECIFICATION;
    /// `Metrics` is there: an array of metric definitions.
    Definitions => "definitions", SCHEMA;
    /// A directive has at most 100 metric definitions.
    DefinitionCount => "definition-count", SPECIFICATION;
    /// A metric's name: 1 to 255 characters, not blank, no control characters.
    MetricName => "metric-name", METRIC_DATUM;
    /// One of the 27 units.
    Unit => "unit", METRIC_DATUM;
    /// `StorageResolution` is 1 or 60.
    StorageResolution => "storage-resolution", METRIC_DATUM;
    /// A name is defined once in a directive, and with one unit and one resolution in a document.
    UniqueDefinition => "unique-definition", CLIENT_LIBRARIES;
    /// A metric's value: a number, an array of numbers, or `Values` with `Counts`.
    Value => "value", SPECIFICATION;
    /// A metric has 1 to 100 values, and at most as many `Counts`.
    ValueCount => "value-count", SPECIFICATION;
    /// A value is within ±2^360.
    ValueRange => "value-range", METRIC_DATUM;
    /// `Counts` has a positive number for each of `Values`.
    Counts => "counts", METRIC_DATUM;
}
