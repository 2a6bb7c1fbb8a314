//! What can be wrong when a logger is built.

use std::error::Error as StdError;
use std::fmt;

/// Why a logger could not be built or installed.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Level {
        value: String,
        origin: &'static str,
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    Format {
        value: String,
        origin: &'static str,
    },
    SampleRate(f64),
    #[cfg(all(unix, feature = "signal"))]
    Signal(std::io::Error),
    SubscriberTaken(Box<dyn StdError + Send + Sync>),
    LogTaken(Box<dyn StdError + Send + Sync>),
    #[cfg(feature = "loki")]
    Loki {
        what: String,
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
}

impl Error {
    pub(crate) fn level(
        value: &str,
        origin: &'static str,
        source: Option<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { kind: Kind::Level { value: value.to_owned(), origin, source } }
    }

    pub(crate) fn format(value: &str, origin: &'static str) -> Self {
        Self { kind: Kind::Format { value: value.to_owned(), origin } }
    }

    pub(crate) fn sample_rate(rate: f64) -> Self {
        Self { kind: Kind::SampleRate(rate) }
    }

    #[cfg(all(unix, feature = "signal"))]
    pub(crate) fn signal(source: std::io::Error) -> Self {
        Self { kind: Kind::Signal(source) }
    }

    pub(crate) fn subscriber_taken(source: impl StdError + Send + Sync + 'static) -> Self {
        Self { kind: Kind::SubscriberTaken(Box::new(source)) }
    }

    pub(crate) fn log_taken(source: impl StdError + Send + Sync + 'static) -> Self {
        Self { kind: Kind::LogTaken(Box::new(source)) }
    }

    #[cfg(feature = "loki")]
    pub(crate) fn loki(what: impl Into<String>) -> Self {
        Self { kind: Kind::Loki { what: what.into(), source: None } }
    }

    #[cfg(feature = "loki")]
    pub(crate) fn loki_because(
        what: impl Into<String>,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self { kind: Kind::Loki { what: what.into(), source: Some(Box::new(source)) } }
    }

    /// A setting of the Loki sink is wrong, or its runtime was refused.
    #[cfg(feature = "loki")]
    pub fn is_loki(&self) -> bool {
        matches!(self.kind, Kind::Loki { .. })
    }

    /// The level, given by code or in a variable, is not one.
    pub fn is_level(&self) -> bool {
        matches!(self.kind, Kind::Level { .. })
    }

    /// The variable that names the format holds neither `json` nor `text`.
    pub fn is_format(&self) -> bool {
        matches!(self.kind, Kind::Format { .. })
    }

    /// The share of traces whose debug lines are written is not between 0 and 1.
    pub fn is_sample_rate(&self) -> bool {
        matches!(self.kind, Kind::SampleRate(_))
    }

    /// SIGUSR1 cannot be watched: no thread, no pipe or no handler.
    #[cfg(all(unix, feature = "signal"))]
    pub fn is_signal(&self) -> bool {
        matches!(self.kind, Kind::Signal(_))
    }

    /// The process has a global subscriber, or a logger of the `log` crate, already.
    pub fn is_already_set(&self) -> bool {
        matches!(self.kind, Kind::SubscriberTaken(_) | Kind::LogTaken(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Level { value, origin, .. } => write!(
                f,
                "the level {value:?} ({origin}) is not valid: use trace, debug, info, warn, error or \
                 off, or directives such as \"info,orders=debug\" (all of one target: \"orders=trace\")"
            ),
            Kind::Format { value, origin } => {
                write!(f, "the log format {value:?} ({origin}) is not valid: use json or text")
            }
            Kind::SampleRate(rate) => write!(
                f,
                "the share of traces whose debug lines are written is {rate}: it goes from 0 to 1"
            ),
            #[cfg(all(unix, feature = "signal"))]
            Kind::Signal(_) => f.write_str(
                "SIGUSR1 cannot be watched: leave `level_on_signal` out, or give the process room for \
                 one more thread and two more files",
            ),
            Kind::SubscriberTaken(_) => f.write_str(
                "a global tracing subscriber is already set: add `logger.layer()` to that one, or \
                 install the logger first",
            ),
            Kind::LogTaken(_) => f.write_str(
                "the log crate already has a logger, so its records cannot come to this one: do not \
                 install another logger (env_logger, for example) beside it",
            ),
            #[cfg(feature = "loki")]
            Kind::Loki { what, .. } => write!(f, "the Loki sink: {what}"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.kind {
            Kind::Level { source, .. } => source.as_deref().map(|source| source as _),
            Kind::Format { .. } | Kind::SampleRate(_) => None,
            #[cfg(all(unix, feature = "signal"))]
            Kind::Signal(source) => Some(source),
            Kind::SubscriberTaken(source) | Kind::LogTaken(source) => Some(&**source),
            #[cfg(feature = "loki")]
            Kind::Loki { source, .. } => source.as_deref().map(|source| source as _),
        }
    }
}
