//! Metrics over OTLP: to any collector, and to CloudWatch's own OTLP endpoint.
//!
//! ```
//! use obs_metrics::{MetricsCollector, Sink, Unit};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), obs_metrics::Error> {
//! let metrics = MetricsCollector::builder()
//!     .namespace("Application/DataPipeline")
//!     .sink(Sink::otlp("http://127.0.0.1:4318"))
//!     .build()?;
//! metrics.put_metric("ProcessedRecords", 250.0, Unit::Count, &[("Pipeline", "sales")]);
//! metrics.flush(Duration::from_millis(200));
//! # Ok(())
//! # }
//! ```
//!
//! # What becomes of what is recorded
//!
//! | recorded | OTLP |
//! | --- | --- |
//! | counter | sum, monotonic, delta |
//! | gauge | gauge: the last value |
//! | everything else: histograms, [`put_metric`], events | exponential histogram, delta |
//! | dimension | attribute of the point |
//! | further dimension sets | none: OTLP has no rollups, whoever queries leaves out attributes |
//! | namespace | name of the instrumentation scope |
//! | service, environment | resource attributes `service.name`, `deployment.environment.name` |
//! | unit | its [UCUM] code: `s`, `ms`, `By`, `MBy/s`, `%`, `{count}`; none is empty |
//! | resolution | nothing: points have their own time |
//! | properties of events | nothing: they are for the log line |
//!
//! Count, sum, minimum and maximum of a histogram are exact. Its buckets are as narrow as 160 on
//! either side of zero allow: 4.4 % for values that span a factor of 500; a single value is known to
//! one part in a million.
//!
//! **Temporality is delta**: each point is what happened since the flush before, and stands for
//! itself, also if it is the only one of an environment that Lambda threw away. A backend that wants
//! cumulative sums (Prometheus) needs the collector's `deltatocumulative` processor before it.
//!
//! # CloudWatch's own endpoint
//!
//! [`Sink::otlp_cloudwatch`] sends to `https://monitoring.<region>.amazonaws.com/v1/metrics`, signed
//! (SigV4, service `monitoring`); the role needs `cloudwatch:PutMetricData`. Such metrics are queried
//! with PromQL, delta histograms with `sum_over_time` instead of `rate`:
//!
//! ```text
//! sum(histogram_count(sum_over_time({"ProcessedRecords", "@resource.service.name"="orders"}[5m])))
//! ```
//!
//! They have **no CloudWatch namespace**: the instrumentation scope's name, which is the
//! collector's namespace here, becomes a label (`@instrumentation.@name`), as AWS's own namespaces
//! do; resource attributes become labels like `@resource.service.name`, and dimensions labels under their
//! own names.
//!
//! # Limits
//!
//! Those of CloudWatch's endpoint, kept before sending. The first three are kept for collectors too:
//!
//! | what | limit | what happens beyond it |
//! | --- | --- | --- |
//! | points of a request | [`MAX_POINTS`] | further requests |
//! | bytes of a request, uncompressed | [`MAX_REQUEST_BYTES`] | further requests |
//! | labels of a point | [`MAX_LABELS`] | there cannot be more: 30 dimensions, [`MAX_RESOURCE_ATTRIBUTES`] resource attributes (more are an error of `build`), a few of CloudWatch's own |
//! | bytes of a point's labels | [`MAX_LABEL_BYTES`] | not sent, counted as too large |
//! | time of a point | [`MAX_AGE`], [`MAX_AHEAD`] | not sent, counted as rejected |
//!
//! Resource and scope together have [`MAX_RESOURCE_BYTES`] at most; more are an error of `build`.
//!
//! # When the endpoint does not take it
//!
//! Requests are sent again on 429, 502, 503 and 504, when there is no answer, and when the connection
//! breaks (at once the first time: a kept connection dies when Lambda freezes the process), up to
//! [`Otlp::attempts`] times with doubled, randomized waits, or when `Retry-After` says. Every other
//! status is final, as OTLP wants it. What a server refuses of a request that it took otherwise is
//! counted as rejected. A request whose answer got lost is sent twice, and counted twice by the
//! backend: OTLP delivers at least once. [`FlushReport`] has the counts, [`Otlp::last_failure`] the reason.
//!
//! Proxies are not used.
//!
//! # Environment
//!
//! For collectors, what code does not say is read from `OTEL_EXPORTER_OTLP_METRICS_…` and
//! `OTEL_EXPORTER_OTLP_…`: `ENDPOINT` ([`Sink::otlp_from_env`]), `HEADERS`, `TIMEOUT`, `COMPRESSION`;
//! for both `OTEL_RESOURCE_ATTRIBUTES`. CloudWatch's endpoint takes nothing that is meant for a collector.
//!
//! # Why not through the exporter of opentelemetry-otlp
//!
//! - Its `MetricExporter` takes `opentelemetry_sdk`'s `ResourceMetrics`, which only that SDK can
//!   make (0.33: all fields are private, without constructors).
//! - Through instruments of an `SdkMeterProvider`, each value would have to be recorded again, one by
//!   one; times would be those of the export, and events in the past impossible.
//! - Its client logs what a server refused, and does not return it: nothing could be accounted for.
//!
//! So the messages are those of `opentelemetry-proto` 0.33, which the exporter is made of, and the client
//! is obs-core's, hyper with rustls, which the AWS SDK's is made of: one TLS, one HTTP, one
//! opentelemetry in the tree. No type of theirs is in this interface.
//!
//! [UCUM]: https://ucum.org
//! [`put_metric`]: crate::MetricsCollector::put_metric
//! [`FlushReport`]: crate::FlushReport

mod histogram;
mod request;
mod settings;
mod sink;
mod unit;

use std::sync::Arc;
use std::time::Duration;

use aws_types::SdkConfig;
use obs_core::clock::{Clock, SystemClock, millis_since_epoch};
use obs_core::http::otlp::{Connection, Options};
use obs_core::http::{Retry, Secret, Sender};
pub use obs_core::lane::LastFailure;
use obs_core::lane::{Lane, LaneBuilder, Records};

use crate::Error;
use crate::datum::Datum;
use crate::sink::{Sink, Start};
use request::{Intervals, Origin};
use settings::{Given, Target};
use sink::OtlpSink;

/// Points of one request (CloudWatch's OTLP endpoint for metrics).
pub const MAX_POINTS: usize = 1_000;
/// Bytes of one request before it is compressed (CloudWatch's OTLP endpoint for metrics: 1 MB).
pub const MAX_REQUEST_BYTES: usize = 1_000_000;
/// Labels of one point, those of resource and scope included (CloudWatch's OTLP endpoint for metrics).
pub const MAX_LABELS: usize = 150;
/// Bytes of all labels of one point, with their values (CloudWatch's OTLP endpoint for metrics: 40 KB).
pub const MAX_LABEL_BYTES: usize = 40_000;
/// How old a point may be (CloudWatch's OTLP endpoint for metrics).
pub const MAX_AGE: Duration = crate::limits::MAX_AGE;
/// How far ahead a point's time may be (CloudWatch's OTLP endpoint for metrics).
pub const MAX_AHEAD: Duration = Duration::from_secs(10 * 60);
/// Resource attributes, those of the service and its environment not included. Ours: leaves room for
/// 30 dimensions, and for what CloudWatch adds, among the labels of a point.
pub const MAX_RESOURCE_ATTRIBUTES: usize = 100;
/// Bytes of resource and scope. Ours: leaves room for dimensions among the labels' bytes. For traces and
/// logs, it is the limit of CloudWatch's endpoints.
pub const MAX_RESOURCE_BYTES: usize = 16 * 1024;

/// Where and how metrics go over OTLP: a [`Sink`] with settings.
///
/// ```
/// use obs_metrics::{MetricsCollector, Otlp};
/// use std::time::Duration;
///
/// let otlp = Otlp::new("https://otlp.example.com")
///     .header("api-key", "4711")
///     .resource_attribute("service.version", "1.2.3")
///     .request_timeout(Duration::from_secs(5));
/// let failure = otlp.last_failure();
/// let metrics = MetricsCollector::builder().sink(otlp.into()).build()?;
/// assert_eq!(failure.get(), None);
/// # Ok::<(), obs_metrics::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a sink does nothing until a collector is built with it"]
pub struct Otlp {
    given: Given,
    retry: Retry,
    clock: Arc<dyn Clock>,
    last_failure: LastFailure,
}

impl Otlp {
    /// To a collector at this address, over HTTP with protobuf: `http://127.0.0.1:4318`. Metrics go to
    /// `/v1/metrics` below it, unless it ends so. What is wrong with it is an error of `build`.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self::to(Target::Collector(Secret::new(endpoint)))
    }

    /// To where `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` says, used as it is, or else
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, else to `http://localhost:4318`.
    pub fn from_env() -> Self {
        Self::to(Target::Environment)
    }

    /// To CloudWatch's own OTLP endpoint in the region of `config`, signed with its credentials; to
    /// its endpoint where it has one, as for a local stand-in.
    ///
    /// Of `config` only region, credentials provider and endpoint are taken. Credentials are looked up
    /// at the first request, and again two minutes before they end.
    pub fn cloudwatch(config: &SdkConfig) -> Self {
        Self::to(Target::CloudWatch(Box::new(config.clone())))
    }

    fn to(target: Target) -> Self {
        Self {
            given: Given { target, attributes: Vec::new(), options: Options::default() },
            retry: Retry::default(),
            clock: Arc::new(SystemClock),
            last_failure: LastFailure::default(),
        }
    }

    /// A header of every request, as for an API key; one of this name from the environment is
    /// replaced. The value is never shown, in no error and in no `Debug`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.given.options.headers.push((name.into(), Secret::new(value)));
        self
    }

    /// An attribute of the resource, beside `service.name` and `deployment.environment.name`, which
    /// the collector gives: [`MAX_RESOURCE_ATTRIBUTES`] at most, those of `OTEL_RESOURCE_ATTRIBUTES`
    /// included.
    pub fn resource_attribute(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.given.attributes.push((key.into(), value.into()));
        self
    }

    /// How long one attempt may take, connecting and looking up credentials included. Default:
    /// `OTEL_EXPORTER_OTLP_METRICS_TIMEOUT`, `OTEL_EXPORTER_OTLP_TIMEOUT`, else 10 s. A flush shortens
    /// it so that there is time for a second one.
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.given.options.timeout = Some(limit);
        self
    }

    /// How often a request is sent at most, the first time included. Default 8, which takes about half
    /// a minute; at least 1. A broken connection is replaced once in any case.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.retry = self.retry.attempts(attempts);
        self
    }

    /// Whether requests are compressed with gzip. Default: yes, unless
    /// `OTEL_EXPORTER_OTLP_METRICS_COMPRESSION` or `OTEL_EXPORTER_OTLP_COMPRESSION` is `none`.
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.given.options.gzip = Some(gzip);
        self
    }

    /// The clock of signatures, and of how far ahead a point may be. Default: the system's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Why the last attempt that failed did so, in words for people: nothing is logged by a sink,
    /// because its own log lines could be what fails.
    pub fn last_failure(&self) -> LastFailure {
        self.last_failure.clone()
    }

    fn start(
        self,
        lane: LaneBuilder<Records<Datum>>,
        start: &Start<'_>,
    ) -> Result<Lane<Records<Datum>>, Error> {
        let settings = self.given.resolve(&|name| std::env::var(name).ok())?;
        let origin = Origin::new(start.namespace, start.identity, &settings.attributes);
        if origin.bytes() > MAX_RESOURCE_BYTES {
            return Err(Error::sink(format!(
                "resource attributes of {} bytes; {MAX_RESOURCE_BYTES} are taken",
                origin.bytes()
            )));
        }
        let intervals = Intervals::since(millis_since_epoch(self.clock.now()));
        let is_signed = settings.signer.is_some();
        let Connection { endpoint, headers, timeout, gzip } = settings.connection;
        let mut sender = Sender::new(endpoint, headers)
            .timeout(timeout)
            .retry(self.retry)
            .clock(Arc::clone(&self.clock))
            .note_failures(self.last_failure);
        if let Some(signer) = settings.signer {
            sender = sender.signer(signer);
        }
        lane.start_async(OtlpSink { sender, gzip, is_signed, origin, intervals, clock: self.clock })
            .map_err(|error| Error::sink_because("the OTLP sink's runtime was refused", error))
    }
}

impl From<Otlp> for Sink {
    fn from(otlp: Otlp) -> Self {
        Self::series("otlp", |lane, start| otlp.start(lane, start))
    }
}

impl Sink {
    /// A collector at this address, over OTLP: [`Otlp::new`] with its defaults.
    pub fn otlp(endpoint: impl Into<String>) -> Self {
        Otlp::new(endpoint).into()
    }

    /// A collector at the address that OpenTelemetry's variables give: [`Otlp::from_env`] with its
    /// defaults.
    pub fn otlp_from_env() -> Self {
        Otlp::from_env().into()
    }

    /// CloudWatch's own OTLP endpoint: [`Otlp::cloudwatch`] with its defaults.
    pub fn otlp_cloudwatch(config: &SdkConfig) -> Self {
        Otlp::cloudwatch(config).into()
    }
}

#[cfg(test)]
mod tests;
