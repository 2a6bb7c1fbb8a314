//! What a sink needs to know before it starts: what code says, else what the variables of
//! OpenTelemetry say, checked.

use aws_types::SdkConfig;
use obs_core::env;
use obs_core::http::Secret;
use obs_core::http::otlp::{Connection, InvalidSetting, Lookup, Options, Signal};
use obs_core::http::sigv4::Signer;

use super::MAX_RESOURCE_ATTRIBUTES;
use crate::Error;

/// Metrics, as OTLP knows them.
const METRICS: Signal =
    Signal::new("METRICS", "/v1/metrics", concat!("obs-metrics/", env!("CARGO_PKG_VERSION")));
/// The name under which CloudWatch's metrics endpoint checks signatures, and the first part of its
/// host.
const SERVICE: &str = "monitoring";

/// What code says.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) target: Target,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) options: Options,
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
    pub(super) connection: Connection,
    /// Beside those that the identity gives.
    pub(super) attributes: Vec<(String, String)>,
    /// CloudWatch's own endpoint: requests are signed, and its limits hold.
    pub(super) signer: Option<Signer>,
}

impl Given {
    pub(super) fn resolve(&self, lookup: Lookup<'_>) -> Result<Settings, Error> {
        let mut attributes = env::pairs(env::RESOURCE_ATTRIBUTES, lookup)
            .map_err(|error| Error::sink(error.to_string()))?;
        for (key, value) in &self.attributes {
            if key.trim().is_empty() {
                return Err(Error::sink("a resource attribute has no name; leave it out"));
            }
            env::set_pair(&mut attributes, key.clone(), value.clone());
        }
        if attributes.len() > MAX_RESOURCE_ATTRIBUTES {
            return Err(Error::sink(format!(
                "{} resource attributes; {MAX_RESOURCE_ATTRIBUTES} are taken, because CloudWatch \
                 counts them to the 150 labels of each metric",
                attributes.len()
            )));
        }
        let (connection, signer) = self.connection(lookup)?;
        Ok(Settings { connection, attributes, signer })
    }

    fn connection(&self, lookup: Lookup<'_>) -> Result<(Connection, Option<Signer>), Error> {
        let refused = |error: InvalidSetting| Error::sink(error.to_string());
        match &self.target {
            Target::Collector(address) => {
                let connection = self.options.collector(&METRICS, Some(address.expose()), lookup);
                Ok((connection.map_err(refused)?, None))
            }
            Target::Environment => {
                let connection = self.options.collector(&METRICS, None, lookup);
                Ok((connection.map_err(refused)?, None))
            }
            Target::CloudWatch(config) => {
                let region = config.region().ok_or_else(|| {
                    Error::sink("the SdkConfig has no region; give it one, or set AWS_REGION")
                })?;
                let credentials = config.credentials_provider().ok_or_else(|| {
                    Error::sink("the SdkConfig has no credentials; load it with aws-config")
                })?;
                let connection = match config.endpoint_url() {
                    Some(url) => self.options.aws(&METRICS, url, "the SdkConfig"),
                    None => {
                        let address = METRICS.on_aws(SERVICE, region.as_ref());
                        self.options.aws(&METRICS, &address, "the SdkConfig's region")
                    }
                };
                let signer = Signer::new(credentials, region.to_string(), SERVICE);
                Ok((connection.map_err(refused)?, Some(signer)))
            }
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
