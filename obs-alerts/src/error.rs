//! Why a publisher could not be built.

use std::fmt;

use crate::address::Problem;

/// A publisher's configuration is wrong. Publishing itself never fails.
#[derive(Debug)]
pub struct Error(Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    /// A name that the bus would not take, and where it came from.
    Invalid { what: What, value: String, from: Option<&'static str>, problem: Problem },
    /// No source, neither in code nor in the environment.
    NoSource,
    /// The `SdkConfig` lacks what every request needs.
    Config(&'static str),
    /// The system refused what the sending threads need.
    Start(std::io::Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Source,
    Bus,
    DetailType,
}

impl What {
    const fn as_str(self) -> &'static str {
        match self {
            What::Source => "source",
            What::Bus => "event bus",
            What::DetailType => "detail type",
        }
    }
}

impl Error {
    /// Whether no source was given: alerts are not configured, rather than configured wrongly.
    pub fn is_not_configured(&self) -> bool {
        matches!(self.0, Kind::NoSource)
    }

    /// Whether the source is not one that EventBridge takes from us.
    pub fn is_invalid_source(&self) -> bool {
        matches!(self.0, Kind::Invalid { what: What::Source, .. })
    }

    /// Whether the bus is neither a name nor an ARN of an event bus.
    pub fn is_invalid_bus(&self) -> bool {
        matches!(self.0, Kind::Invalid { what: What::Bus, .. })
    }

    /// Whether the default detail type is blank or too long.
    pub fn is_invalid_detail_type(&self) -> bool {
        matches!(self.0, Kind::Invalid { what: What::DetailType, .. })
    }

    /// Whether the `SdkConfig` names no region or no credentials.
    pub fn is_incomplete_config(&self) -> bool {
        matches!(self.0, Kind::Config(_))
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self(kind)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Invalid { what, value, from, problem } => {
                let shown: String = value.chars().take(80).collect();
                write!(f, "the {} {shown:?}", what.as_str())?;
                if shown.len() < value.len() {
                    f.write_str("… ")?;
                } else {
                    f.write_str(" ")?;
                }
                if let Some(variable) = from {
                    write!(f, "(from {variable}) ")?;
                }
                write!(f, "{problem}")
            }
            Kind::NoSource => f.write_str(
                "alerts have no source: call `.source(\"myapp.alerts\")` or set OBS_ALERTS_SOURCE",
            ),
            Kind::Config(lacks) => write!(
                f,
                "the SdkConfig has no {lacks}, so that no request could be sent: load it with \
                 `aws_config::defaults`, or leave `.config(…)` out to have it loaded at the first alert"
            ),
            Kind::Start(error) => {
                write!(f, "the publisher's runtime could not be started: {error}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Kind::Start(error) => Some(error),
            Kind::Invalid { .. } | Kind::NoSource | Kind::Config(_) => None,
        }
    }
}
