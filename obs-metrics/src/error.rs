//! What can be wrong when a collector is built.

use std::fmt;

use crate::unit::Unit;

/// Why a collector could not be built, or a unit not be read.
///
/// Recording never fails; see [`Stats`](crate::Stats) for what is counted there.
#[derive(Debug)]
pub struct Error(Kind);

#[derive(Debug)]
enum Kind {
    UnknownUnit(String),
    Namespace { given: String, by: String, fault: String },
    Metric { name: String, fault: String },
    TimerUnit(Unit),
    Dimension { name: String, fault: String },
    TooManyDimensions(usize),
    DocumentBytes(usize),
    Sink { what: String, source: Option<Box<dyn std::error::Error + Send + Sync>> },
}

impl Error {
    /// The text is none of the 27 units.
    pub fn is_unknown_unit(&self) -> bool {
        matches!(self.0, Kind::UnknownUnit(_))
    }

    /// CloudWatch does not take the namespace.
    pub fn is_namespace(&self) -> bool {
        matches!(self.0, Kind::Namespace { .. })
    }

    /// CloudWatch does not take the name of a metric, or it cannot be told from another key of its
    /// document; or a timer's unit is none of time.
    pub fn is_metric(&self) -> bool {
        matches!(self.0, Kind::Metric { .. } | Kind::TimerUnit(_))
    }

    /// CloudWatch does not take the name or the value of a dimension, or the log line has that key.
    pub fn is_dimension(&self) -> bool {
        matches!(self.0, Kind::Dimension { .. })
    }

    /// More than 30 default dimensions.
    pub fn is_too_many_dimensions(&self) -> bool {
        matches!(self.0, Kind::TooManyDimensions(_))
    }

    /// The document size is out of its bounds.
    pub fn is_document_bytes(&self) -> bool {
        matches!(self.0, Kind::DocumentBytes(_))
    }

    /// A sink could not be started: an address that is none, a file that cannot be opened, a runtime
    /// that the system refuses.
    pub fn is_sink(&self) -> bool {
        matches!(self.0, Kind::Sink { .. })
    }

    pub(crate) fn unknown_unit(text: &str) -> Self {
        Self(Kind::UnknownUnit(text.to_owned()))
    }

    /// `by` is who gave it: `namespace()` or a variable.
    pub(crate) fn namespace(given: &str, by: &str, fault: impl fmt::Display) -> Self {
        Self(Kind::Namespace {
            given: given.to_owned(),
            by: by.to_owned(),
            fault: fault.to_string(),
        })
    }

    pub(crate) fn metric(name: &str, fault: impl fmt::Display) -> Self {
        Self(Kind::Metric { name: name.to_owned(), fault: fault.to_string() })
    }

    pub(crate) fn metric_unit(unit: Unit) -> Self {
        Self(Kind::TimerUnit(unit))
    }

    pub(crate) fn dimension(name: &str, fault: impl fmt::Display) -> Self {
        Self(Kind::Dimension { name: name.to_owned(), fault: fault.to_string() })
    }

    pub(crate) fn too_many_dimensions(given: usize) -> Self {
        Self(Kind::TooManyDimensions(given))
    }

    /// `what` says what was wrong, with which value, and what to do.
    pub(crate) fn sink(what: impl Into<String>) -> Self {
        Self(Kind::Sink { what: what.into(), source: None })
    }

    /// As [`sink`](Self::sink), with what the system said.
    #[cfg_attr(
        not(any(feature = "file", feature = "cloudwatch", feature = "otlp")),
        expect(dead_code, reason = "for sinks that open something")
    )]
    pub(crate) fn sink_because(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self(Kind::Sink { what: what.into(), source: Some(source.into()) })
    }

    pub(crate) fn document_bytes(given: usize) -> Self {
        Self(Kind::DocumentBytes(given))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::limits::{DIMENSIONS_PER_SET, EVENT_BYTES, MIN_DOCUMENT_BYTES};
        match &self.0 {
            Kind::UnknownUnit(text) => write!(
                f,
                "{text:?} is not a unit of CloudWatch; write it as CloudWatch does, for example \
                 Seconds, Bytes/Second or None"
            ),
            Kind::Namespace { given, by, fault } => write!(
                f,
                "the namespace {given:?} of {by} {fault}; use letters, digits, spaces and . - _ / # : \
                 and do not begin with AWS/"
            ),
            Kind::Metric { name, fault } => write!(f, "the metric {name:?} {fault}"),
            Kind::TimerUnit(unit) => write!(
                f,
                "a timer cannot record in {unit}; choose Seconds, Milliseconds or Microseconds"
            ),
            Kind::Dimension { name, fault } => write!(f, "the dimension {name:?}: {fault}"),
            Kind::TooManyDimensions(given) => write!(
                f,
                "{given} dimensions; CloudWatch takes {DIMENSIONS_PER_SET}, those of the collector and of \
                 the metric together"
            ),
            Kind::Sink { what, .. } => f.write_str(what),
            Kind::DocumentBytes(given) => write!(
                f,
                "a document size of {given} bytes; choose {MIN_DOCUMENT_BYTES} to {EVENT_BYTES}"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Kind::Sink { source: Some(source), .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
