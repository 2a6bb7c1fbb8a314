//! OTLP over HTTP: to X-Ray's own endpoint and to collectors. Feature `otlp`.

mod credentials;
mod sink;

use std::sync::Arc;
use std::time::Duration;

use aws_types::SdkConfig;
use obs_core::clock::{Clock, SystemClock};
use obs_core::http::otlp::{Connection, InvalidSetting, Options, Signal};
use obs_core::http::sigv4::Signer;
use obs_core::http::{Retry, Secret, Sender};
use obs_core::lane::{Lane, LaneBuilder, Records};

use crate::error::Error;
use crate::otlp::request::Frame;
use crate::otlp::span::SpanEncoder;
use crate::record::SpanRecord;
use crate::road::Start;
use sink::OtlpSink;

/// Traces, as OTLP knows them.
pub(crate) const TRACES: Signal =
    Signal::new("TRACES", "/v1/traces", concat!("obs-tracing/", env!("CARGO_PKG_VERSION")));
/// The name under which X-Ray's endpoint checks signatures, and the first part of its host.
const SERVICE: &str = "xray";

/// Where and how spans go over OTLP and HTTP: a road with settings, for
/// [`XRayBuilder::otlp`](crate::XRayBuilder::otlp). Feature `otlp`.
///
/// What code does not say is read from `OTEL_EXPORTER_OTLP_TRACES_…` and `OTEL_EXPORTER_OTLP_…`
/// (`ENDPOINT`, `HEADERS`, `TIMEOUT`, `COMPRESSION`), for collectors only: X-Ray's endpoint takes
/// nothing that is meant for a collector. Proxies are not used.
///
/// ```
/// use obs_tracing::{Otlp, XRay};
/// use std::time::Duration;
///
/// let otlp = Otlp::new("https://otlp.example.com")
///     .header("api-key", "4711")
///     .request_timeout(Duration::from_secs(5));
/// let tracer = XRay::builder().otlp(otlp).build()?;
/// # Ok::<(), obs_tracing::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a road does nothing until a tracer is built with it"]
pub struct Otlp {
    target: Target,
    options: Options,
    retry: Retry,
    clock: Arc<dyn Clock>,
}

#[derive(Clone, Debug)]
enum Target {
    Collector(Secret),
    Environment,
    XRay(String),
    XRayWith(Box<SdkConfig>),
}

impl Otlp {
    /// To a collector at this address, over HTTP with protobuf: `http://127.0.0.1:4318`. Spans go to
    /// `/v1/traces` below it, unless it ends so. What is wrong with it is an error of `build`.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self::to(Target::Collector(Secret::new(endpoint)))
    }

    /// To where `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` says, used as it is, or else
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, else to `http://localhost:4318`.
    pub fn from_env() -> Self {
        Self::to(Target::Environment)
    }

    /// To X-Ray's own OTLP endpoint in this region, `https://xray.<region>.amazonaws.com/v1/traces`,
    /// signed with the credentials of the AWS SDK's default chain, which are looked up at the first
    /// request. The role needs `xray:PutTraceSegments`, and the account Transaction Search.
    pub fn xray(region: impl Into<String>) -> Self {
        Self::to(Target::XRay(region.into()))
    }

    /// As [`Otlp::xray`], with region and credentials of `config`; to its endpoint where it has one,
    /// as for a local stand-in.
    pub fn xray_with(config: &SdkConfig) -> Self {
        Self::to(Target::XRayWith(Box::new(config.clone())))
    }

    fn to(target: Target) -> Self {
        Self {
            target,
            options: Options::default(),
            retry: Retry::default(),
            clock: Arc::new(SystemClock),
        }
    }

    /// A header of every request, as for an API key; one of this name from the environment is
    /// replaced. The value is never shown, in no error and in no `Debug`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.headers.push((name.into(), Secret::new(value)));
        self
    }

    /// How long one attempt may take, connecting and looking up credentials included. Default: the
    /// environment's, else 10 s. A flush shortens it so that there is time for a second one.
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.options.timeout = Some(limit);
        self
    }

    /// How often a request is sent at most, the first time included. Default 8, which takes about half
    /// a minute; at least 1. A broken connection is replaced once in any case.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.retry = self.retry.attempts(attempts);
        self
    }

    /// Whether requests are compressed with gzip. Default: yes, unless the environment says `none`.
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.options.gzip = Some(gzip);
        self
    }

    /// The clock of signatures, and of how old a span may be. Default: the system's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Checks the settings.
    pub(crate) fn resolve(
        self,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Resolved, Error> {
        let refused = |error: InvalidSetting| Error::road(error.to_string());
        let (connection, signer) = match &self.target {
            Target::Collector(address) => {
                let address = Some(address.expose());
                (self.options.collector(&TRACES, address, lookup).map_err(refused)?, None)
            }
            Target::Environment => {
                (self.options.collector(&TRACES, None, lookup).map_err(refused)?, None)
            }
            Target::XRay(region) => {
                let address = TRACES.on_aws(SERVICE, region);
                let connection = self.options.aws(&TRACES, &address, "otlp_https()'s region");
                let signer = Signer::new(credentials::default_chain(region), region, SERVICE);
                (connection.map_err(refused)?, Some(signer))
            }
            Target::XRayWith(config) => {
                let region = config.region().ok_or_else(|| {
                    Error::road("the SdkConfig has no region; give it one, or set AWS_REGION")
                })?;
                let credentials = config.credentials_provider().ok_or_else(|| {
                    Error::road("the SdkConfig has no credentials; load it with aws-config")
                })?;
                let address = match config.endpoint_url() {
                    Some(url) => url.to_owned(),
                    None => TRACES.on_aws(SERVICE, region.as_ref()),
                };
                let connection = self.options.aws(&TRACES, &address, "the SdkConfig");
                let signer = Signer::new(credentials, region.to_string(), SERVICE);
                (connection.map_err(refused)?, Some(signer))
            }
        };
        Ok(Resolved { connection, signer, retry: self.retry, clock: self.clock })
    }
}

impl From<&str> for Otlp {
    /// A collector at this address.
    fn from(endpoint: &str) -> Self {
        Self::new(endpoint)
    }
}

impl From<String> for Otlp {
    /// A collector at this address.
    fn from(endpoint: String) -> Self {
        Self::new(endpoint)
    }
}

/// Checked settings.
#[derive(Debug)]
pub(crate) struct Resolved {
    connection: Connection,
    /// X-Ray's own endpoint: requests are signed, and its limits hold.
    signer: Option<Signer>,
    retry: Retry,
    clock: Arc<dyn Clock>,
}

impl Resolved {
    pub(crate) fn start(
        self,
        lane: LaneBuilder<Records<SpanRecord>>,
        start: Start,
    ) -> Result<Lane<Records<SpanRecord>>, Error> {
        let is_signed = self.signer.is_some();
        let Connection { endpoint, headers, timeout, gzip } = self.connection;
        let mut sender = Sender::new(endpoint, headers)
            .timeout(timeout)
            .retry(self.retry)
            .clock(Arc::clone(&self.clock))
            .note_failures(start.failure);
        if let Some(signer) = self.signer {
            sender = sender.signer(signer);
        }
        let sink = OtlpSink {
            sender,
            gzip,
            is_signed,
            known: start.known,
            frame: Frame::default(),
            encoder: SpanEncoder::new(start.service, start.redactor, is_signed),
            clock: self.clock,
        };
        lane.start_async(sink)
            .map_err(|error| Error::road(format!("the runtime of the OTLP road: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(otlp: Otlp, expected: &str) {
        let error = otlp.resolve(&|_| None).unwrap_err();
        assert!(error.is_road());
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_an_error_that_shows_no_secret() {
        check_refused(Otlp::new("127.0.0.1:4318"), "begin with http://");
        check_refused(Otlp::new("https://me:hunter2@example.com"), "…@example.com");
        check_refused(Otlp::new("http://a").header("host", "hunter2"), "own");
        check_refused(Otlp::xray("eu-west-1").header("authorization", "hunter2"), "own");
        check_refused(Otlp::xray("no such region"), "region");
        check_refused(Otlp::xray_with(&SdkConfig::builder().build()), "no region");
        let shown = format!("{:?}", Otlp::new("http://hunter2/hunter2").header("a", "hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn xrays_endpoint_is_found_by_its_region_and_signed() {
        let found = Otlp::xray("eu-west-1").resolve(&|_| Some("nonsense".to_owned())).unwrap();
        let address = found.connection.endpoint.expose();
        assert_eq!(address, "https://xray.eu-west-1.amazonaws.com/v1/traces");
        assert!(found.signer.is_some() && found.connection.gzip);
    }
}
