//! What a sink needs to know before it starts: what code says, else what the variables of
//! OpenTelemetry say, checked.

use std::time::Duration;

use aws_types::SdkConfig;
use obs_core::env;
use obs_core::http::sigv4::Signer;
use obs_core::http::{Endpoint, Headers, InvalidEndpoint, InvalidHeader, Secret};

use super::{MAX_RESOURCE_ATTRIBUTES, endpoint};
use crate::Error;

const METRICS_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADERS: &[&str] = &["OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];
const TIMEOUT: &[&str] = &["OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
const COMPRESSION: &[&str] =
    &["OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"];
const PROTOCOL: &[&str] = &["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const RESOURCE_ATTRIBUTES: &[&str] = &["OTEL_RESOURCE_ATTRIBUTES"];

/// Where a collector listens by default.
const DEFAULT_ENDPOINT: &str = "http://localhost:4318";
/// The name under which CloudWatch's metrics endpoint checks signatures.
const SERVICE: &str = "monitoring";
const AGENT: &str = concat!("obs-metrics/", env!("CARGO_PKG_VERSION"));
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// What code says.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) target: Target,
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) timeout: Option<Duration>,
    pub(super) gzip: Option<bool>,
}

#[derive(Clone, Debug)]
pub(super) enum Target {
    Collector(Secret),
    Environment,
    CloudWatch(Box<SdkConfig>),
}

/// What the sink does.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) endpoint: Endpoint,
    /// With those of the body.
    pub(super) headers: Headers,
    /// Beside those that the identity gives.
    pub(super) attributes: Vec<(String, String)>,
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    /// CloudWatch's own endpoint: requests are signed, and its limits hold.
    pub(super) signer: Option<Signer>,
}

type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Given {
    pub(super) fn resolve(&self, lookup: Lookup<'_>) -> Result<Settings, Error> {
        let mut attributes = pairs_of(RESOURCE_ATTRIBUTES, lookup)?;
        for (key, value) in &self.attributes {
            if key.trim().is_empty() {
                return Err(Error::sink("a resource attribute has no name; leave it out"));
            }
            set(&mut attributes, key.clone(), value.clone());
        }
        if attributes.len() > MAX_RESOURCE_ATTRIBUTES {
            return Err(Error::sink(format!(
                "{} resource attributes; {MAX_RESOURCE_ATTRIBUTES} are taken, because CloudWatch \
                 counts them to the 150 labels of each metric",
                attributes.len()
            )));
        }
        let (endpoint, signer) = self.target.resolve(lookup)?;
        let is_signed = signer.is_some();
        let gzip = self.checked_compression(is_signed, lookup)?;
        Ok(Settings {
            endpoint,
            headers: self.checked_headers(is_signed, gzip, lookup)?,
            attributes,
            timeout: self.checked_timeout(is_signed, lookup)?,
            gzip,
            signer,
        })
    }

    /// Those of the environment are for its collector, and no business of CloudWatch's.
    fn checked_headers(
        &self,
        is_signed: bool,
        gzip: bool,
        lookup: Lookup<'_>,
    ) -> Result<Headers, Error> {
        let mut all = if is_signed { Vec::new() } else { pairs_of(HEADERS, lookup)? };
        for (name, value) in &self.headers {
            set(&mut all, name.to_ascii_lowercase(), value.expose().to_owned());
        }
        let refused = |error: InvalidHeader| Error::sink(error.to_string());
        let mut headers = Headers::new();
        headers.insert("user-agent", AGENT).map_err(refused)?;
        for (name, value) in &all {
            let lower = name.trim().to_ascii_lowercase();
            if OURS.contains(&lower.as_str()) || is_signed && lower == "authorization" {
                return Err(Error::sink(format!(
                    "the header {lower} is the sink's own; leave it out"
                )));
            }
            // The value may be a secret: the error does not show it.
            headers.insert(name, value).map_err(refused)?;
        }
        headers.insert("content-type", "application/x-protobuf").map_err(refused)?;
        if gzip {
            headers.insert("content-encoding", "gzip").map_err(refused)?;
        }
        Ok(headers)
    }

    fn checked_timeout(&self, is_signed: bool, lookup: Lookup<'_>) -> Result<Duration, Error> {
        let timeout = match (self.timeout, env::first_named(TIMEOUT, lookup)) {
            (Some(given), _) => given,
            (None, Some((by, millis))) if !is_signed => {
                millis.parse().map(Duration::from_millis).map_err(|error| {
                    Error::sink_because(format!("{by} is {millis:?}, not milliseconds"), error)
                })?
            }
            _ => DEFAULT_TIMEOUT,
        };
        // No time at all is none that anybody means.
        Ok(if timeout.is_zero() { DEFAULT_TIMEOUT } else { timeout })
    }

    fn checked_compression(&self, is_signed: bool, lookup: Lookup<'_>) -> Result<bool, Error> {
        match (self.gzip, env::first_named(COMPRESSION, lookup)) {
            (Some(gzip), _) => Ok(gzip),
            (None, Some((by, name))) if !is_signed => match name.as_str() {
                "gzip" => Ok(true),
                "none" => Ok(false),
                _ => Err(Error::sink(format!("{by} is {name:?}; use gzip or none"))),
            },
            _ => Ok(true),
        }
    }
}

impl Target {
    fn resolve(&self, lookup: Lookup<'_>) -> Result<(Endpoint, Option<Signer>), Error> {
        match self {
            Target::Collector(address) => {
                Ok((checked(address.expose(), "otlp()", endpoint::below)?, None))
            }
            Target::Environment => Ok((from_env(lookup)?, None)),
            Target::CloudWatch(config) => {
                let region = config.region().ok_or_else(|| {
                    Error::sink("the SdkConfig has no region; give it one, or set AWS_REGION")
                })?;
                let credentials = config.credentials_provider().ok_or_else(|| {
                    Error::sink("the SdkConfig has no credentials; load it with aws-config")
                })?;
                let endpoint = match config.endpoint_url() {
                    Some(url) => checked(url, "the SdkConfig", endpoint::below)?,
                    None => {
                        let address = endpoint::cloudwatch(region.as_ref());
                        checked(&address, "the SdkConfig's region", Endpoint::new)?
                    }
                };
                Ok((endpoint, Some(Signer::new(credentials, region.to_string(), SERVICE))))
            }
        }
    }
}

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

fn from_env(lookup: Lookup<'_>) -> Result<Endpoint, Error> {
    if let Some((by, protocol)) = env::first_named(PROTOCOL, lookup)
        && protocol == "grpc"
    {
        return Err(Error::sink(format!(
            "{by} is \"grpc\"; this sink speaks http/protobuf, which collectors take at port 4318"
        )));
    }
    match env::first_named(&[METRICS_ENDPOINT, ENDPOINT], lookup) {
        Some((by, address)) if by == METRICS_ENDPOINT => checked(&address, by, Endpoint::new),
        Some((by, address)) => checked(&address, by, endpoint::below),
        None => checked(DEFAULT_ENDPOINT, "the default", endpoint::below),
    }
}

fn checked(
    address: &str,
    by: &str,
    check: impl Fn(&str) -> Result<Endpoint, InvalidEndpoint>,
) -> Result<Endpoint, Error> {
    check(address).map_err(|error| {
        let (shown, fault) = (error.shown(), error.fault());
        Error::sink(format!("the OTLP endpoint {shown:?} of {by} {fault}"))
    })
}

fn set(pairs: &mut Vec<(String, String)>, key: String, value: String) {
    match pairs.iter_mut().find(|(known, _)| *known == key) {
        Some((_, old)) => *old = value,
        None => pairs.push((key, value)),
    }
}

/// `key=value,key=value` of the first of `names` that is set; values are percent-encoded.
fn pairs_of(names: &[&'static str], lookup: Lookup<'_>) -> Result<Vec<(String, String)>, Error> {
    let Some((by, text)) = env::first_named(names, lookup) else { return Ok(Vec::new()) };
    let mut pairs = Vec::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        // The text may be a secret: the error does not show it.
        let fault = || Error::sink(format!("{by} is not of the form key=value,key=value"));
        let (key, value) = pair.split_once('=').ok_or_else(fault)?;
        let value = percent_decoded(value.trim()).ok_or_else(fault)?;
        let key = percent_decoded(key.trim()).filter(|key| !key.is_empty()).ok_or_else(fault)?;
        set(&mut pairs, key, value);
    }
    Ok(pairs)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
