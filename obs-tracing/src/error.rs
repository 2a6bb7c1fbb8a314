//! What can be wrong with how a tracer is set up.

use std::fmt;

/// Why a tracer could not be built. Recording itself never fails.
#[derive(Debug)]
pub struct Error(Problem);

#[derive(Debug)]
enum Problem {
    InvalidAddress {
        address: String,
        why: &'static str,
    },
    InvalidRatio(f64),
    EmptyService,
    InvalidResource(String),
    Road(String),
    #[cfg(feature = "sampling-aws")]
    InvalidSampling(String),
}

impl Error {
    pub(crate) fn invalid_address(address: &str, why: &'static str) -> Self {
        Self(Problem::InvalidAddress { address: address.to_owned(), why })
    }

    pub(crate) const fn invalid_ratio(ratio: f64) -> Self {
        Self(Problem::InvalidRatio(ratio))
    }

    pub(crate) const fn empty_service() -> Self {
        Self(Problem::EmptyService)
    }

    pub(crate) const fn invalid_resource(fault: String) -> Self {
        Self(Problem::InvalidResource(fault))
    }

    pub(crate) fn road(fault: impl Into<String>) -> Self {
        Self(Problem::Road(fault.into()))
    }

    #[cfg(feature = "sampling-aws")]
    pub(crate) const fn invalid_sampling(why: String) -> Self {
        Self(Problem::InvalidSampling(why))
    }

    /// Whether the daemon's address cannot be read.
    pub const fn is_invalid_address(&self) -> bool {
        matches!(self.0, Problem::InvalidAddress { .. })
    }

    /// Whether the sampler's ratio is not between 0 and 1.
    pub const fn is_invalid_ratio(&self) -> bool {
        matches!(self.0, Problem::InvalidRatio(_))
    }

    /// Whether central sampling cannot ask with the `SdkConfig` that it was given.
    #[cfg(feature = "sampling-aws")]
    pub const fn is_invalid_sampling(&self) -> bool {
        matches!(self.0, Problem::InvalidSampling(_))
    }

    /// Whether the service's name is blank.
    pub const fn is_empty_service(&self) -> bool {
        matches!(self.0, Problem::EmptyService)
    }

    /// Whether a resource attribute is wrong, or there are too many.
    pub const fn is_invalid_resource(&self) -> bool {
        matches!(self.0, Problem::InvalidResource(_))
    }

    /// Whether there is no such road out, or it cannot be taken: `OBS_TRACES` names none, an OTLP
    /// endpoint or one of its headers is wrong, an exporter is another tracer's already, or the system
    /// refused a runtime.
    pub const fn is_road(&self) -> bool {
        matches!(self.0, Problem::Road(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Problem::InvalidAddress { address, why } => write!(
                f,
                "the X-Ray daemon's address {address:?} {why}: \
                 expected `host:port` or `tcp:host:port udp:host:port`"
            ),
            Problem::InvalidRatio(ratio) => {
                write!(f, "the sampling ratio is {ratio}: expected a number from 0 to 1")
            }
            #[cfg(feature = "sampling-aws")]
            Problem::InvalidSampling(why) => write!(f, "central sampling: {why}"),
            Problem::EmptyService => {
                f.write_str("the service's name is blank: give one, or leave it out")
            }
            Problem::InvalidResource(fault) | Problem::Road(fault) => f.write_str(fault),
        }
    }
}

impl std::error::Error for Error {}
