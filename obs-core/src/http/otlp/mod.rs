//! What sinks that speak OTLP over HTTP share, whatever the signal: settings from code and from
//! OpenTelemetry's variables, and what an answer means.
//!
//! Signals differ in their paths and in the names of their variables; the answers of all three have
//! one shape.

mod answer;
mod connection;
mod protobuf;

use super::endpoint::{Endpoint, InvalidEndpoint};

pub use answer::judge;
pub use connection::{Connection, InvalidSetting, Lookup, Options};

/// One of OTLP's signals, as one of our crates sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    variables: &'static str,
    path: &'static str,
    user_agent: &'static str,
}

impl Signal {
    /// A signal: `variables` is the part of its variables' names (`METRICS`, `TRACES`), `path` begins
    /// with a slash.
    pub const fn new(
        variables: &'static str,
        path: &'static str,
        user_agent: &'static str,
    ) -> Self {
        Self { variables, path, user_agent }
    }

    /// The address that a base address stands for: the signal's path below it, unless it ends so
    /// already.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::below`].
    pub fn below(&self, base: &str) -> Result<Endpoint, InvalidEndpoint> {
        Endpoint::below(base, self.path)
    }

    /// AWS's own endpoint for the signal: `https://<service>.<region>.amazonaws.com<path>`.
    ///
    /// ```
    /// # use obs_core::http::otlp::Signal;
    /// let traces = Signal::new("TRACES", "/v1/traces", "an-agent/1.0");
    /// assert_eq!(
    ///     traces.on_aws("xray", "eu-west-1"),
    ///     "https://xray.eu-west-1.amazonaws.com/v1/traces"
    /// );
    /// ```
    pub fn on_aws(&self, service: &str, region: &str) -> String {
        // A partition of its own, with domains of its own.
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{service}.{region}.{suffix}{}", self.path)
    }

    /// The variable of this signal alone.
    fn variable(&self, setting: &str) -> String {
        format!("OTEL_EXPORTER_OTLP_{}_{setting}", self.variables)
    }
}
