//! How an OTLP endpoint is spoken to: what code says, else what the variables of OpenTelemetry say,
//! checked.

use std::fmt;
use std::time::Duration;

use super::Signal;
use crate::env;
use crate::http::{Endpoint, Headers, InvalidEndpoint, Secret};

/// Where a collector listens by default.
const DEFAULT_ENDPOINT: &str = "http://localhost:4318";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Headers that belong to the body or to the signature.
const OURS: [&str; 8] = [
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
];

/// Where variables are read: the process's, or a test's.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What code says, as far as it says something. What it does not say is read from
/// `OTEL_EXPORTER_OTLP_<SIGNAL>_…` and `OTEL_EXPORTER_OTLP_…`, for collectors only: AWS's own
/// endpoints take nothing that is meant for a collector.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Headers of every request; one of the same name from the environment is replaced.
    pub headers: Vec<(String, Secret)>,
    /// How long one attempt may take. Default 10 s.
    pub timeout: Option<Duration>,
    /// Whether requests are compressed with gzip. Default: yes.
    pub gzip: Option<bool>,
}

/// A checked address and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Where to.
    pub endpoint: Endpoint,
    /// With those of the body.
    pub headers: Headers,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Whether bodies are compressed.
    pub gzip: bool,
}

impl Options {
    /// A collector at `address`, below which the signal's path lies; without one, where the
    /// variables say.
    ///
    /// # Errors
    ///
    /// An address, a header or a variable is wrong.
    pub fn collector(
        &self,
        signal: &Signal,
        address: Option<&str>,
        lookup: Lookup<'_>,
    ) -> Result<Connection, InvalidSetting> {
        let endpoint = match address {
            Some(address) => checked(signal.below(address), "otlp()")?,
            None => signal.endpoint_of_variables(lookup)?,
        };
        let gzip = match self.gzip {
            Some(gzip) => gzip,
            None => signal.compression(lookup)?,
        };
        let timeout = match self.timeout {
            Some(timeout) => Some(timeout),
            None => signal.timeout(lookup)?,
        };
        let mut headers = pairs_of(&signal.variables("HEADERS"), lookup)?;
        self.add_headers(&mut headers);
        Ok(Connection {
            endpoint,
            headers: checked_headers(signal, &headers, false, gzip)?,
            timeout: nonzero(timeout),
            gzip,
        })
    }

    /// AWS's own endpoint at `address`, to which requests are signed; `by` names who gave it, for
    /// errors.
    ///
    /// # Errors
    ///
    /// The address or a header is wrong.
    pub fn aws(
        &self,
        signal: &Signal,
        address: &str,
        by: &str,
    ) -> Result<Connection, InvalidSetting> {
        let endpoint = checked(signal.below(address), by)?;
        let gzip = self.gzip.unwrap_or(true);
        let mut headers = Vec::new();
        self.add_headers(&mut headers);
        Ok(Connection {
            endpoint,
            headers: checked_headers(signal, &headers, true, gzip)?,
            timeout: nonzero(self.timeout),
            gzip,
        })
    }

    fn add_headers(&self, all: &mut Vec<(String, String)>) {
        for (name, value) in &self.headers {
            env::set_pair(all, name.to_ascii_lowercase(), value.expose().to_owned());
        }
    }
}

impl Signal {
    /// The variables of a setting: the signal's own, then that of all signals.
    fn variables(&self, setting: &str) -> [String; 2] {
        [self.variable(setting), format!("OTEL_EXPORTER_OTLP_{setting}")]
    }

    /// Whether a variable names a collector's address.
    pub fn has_endpoint(&self, lookup: Lookup<'_>) -> bool {
        first(&self.variables("ENDPOINT"), lookup).is_some()
    }

    fn endpoint_of_variables(&self, lookup: Lookup<'_>) -> Result<Endpoint, InvalidSetting> {
        if let Some((by, protocol)) = first(&self.variables("PROTOCOL"), lookup)
            && protocol == "grpc"
        {
            return Err(InvalidSetting(format!(
                "{by} is \"grpc\"; this sink speaks http/protobuf, which collectors take at port 4318"
            )));
        }
        match first(&self.variables("ENDPOINT"), lookup) {
            // The signal's own is the whole address.
            Some((by, address)) if by == self.variable("ENDPOINT") => {
                checked(Endpoint::new(&address), &by)
            }
            Some((by, address)) => checked(self.below(&address), &by),
            None => checked(self.below(DEFAULT_ENDPOINT), "the default"),
        }
    }

    fn timeout(&self, lookup: Lookup<'_>) -> Result<Option<Duration>, InvalidSetting> {
        let Some((by, millis)) = first(&self.variables("TIMEOUT"), lookup) else { return Ok(None) };
        match millis.parse() {
            Ok(millis) => Ok(Some(Duration::from_millis(millis))),
            Err(_) => Err(InvalidSetting(format!("{by} is {millis:?}, not milliseconds"))),
        }
    }

    fn compression(&self, lookup: Lookup<'_>) -> Result<bool, InvalidSetting> {
        match first(&self.variables("COMPRESSION"), lookup) {
            None => Ok(true),
            Some((_, name)) if name == "gzip" => Ok(true),
            Some((_, name)) if name == "none" => Ok(false),
            Some((by, name)) => Err(InvalidSetting(format!("{by} is {name:?}; use gzip or none"))),
        }
    }
}

/// A setting that is not taken, and why. Shows no header's value, and of addresses the host only.
#[derive(Clone, Debug)]
pub struct InvalidSetting(String);

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidSetting {}

fn first(names: &[String; 2], lookup: Lookup<'_>) -> Option<(String, String)> {
    let names = names.each_ref().map(String::as_str);
    env::first_named(&names, lookup).map(|(name, value)| (name.to_owned(), value))
}

fn pairs_of(
    names: &[String; 2],
    lookup: Lookup<'_>,
) -> Result<Vec<(String, String)>, InvalidSetting> {
    env::pairs(&names.each_ref().map(String::as_str), lookup)
        .map_err(|error| InvalidSetting(error.to_string()))
}

fn checked(
    endpoint: Result<Endpoint, InvalidEndpoint>,
    by: &str,
) -> Result<Endpoint, InvalidSetting> {
    endpoint.map_err(|error| {
        let (shown, fault) = (error.shown(), error.fault());
        InvalidSetting(format!("the OTLP endpoint {shown:?} of {by} {fault}"))
    })
}

fn checked_headers(
    signal: &Signal,
    all: &[(String, String)],
    is_signed: bool,
    gzip: bool,
) -> Result<Headers, InvalidSetting> {
    let mut headers = Headers::new();
    let mut insert = |name: &str, value: &str| {
        headers.insert(name, value).map_err(|error| InvalidSetting(error.to_string()))
    };
    insert("user-agent", signal.user_agent)?;
    for (name, value) in all {
        let lower = name.trim().to_ascii_lowercase();
        if OURS.contains(&lower.as_str()) || is_signed && lower == "authorization" {
            return Err(InvalidSetting(format!(
                "the header {lower} is the sink's own; leave it out"
            )));
        }
        insert(name, value)?;
    }
    insert("content-type", "application/x-protobuf")?;
    if gzip {
        insert("content-encoding", "gzip")?;
    }
    Ok(headers)
}

/// No time at all is none that anybody means.
fn nonzero(timeout: Option<Duration>) -> Duration {
    timeout.filter(|timeout| !timeout.is_zero()).unwrap_or(DEFAULT_TIMEOUT)
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
