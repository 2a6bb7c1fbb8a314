//! The tracer: how it is built, its layer, and its flush.

use std::sync::Arc;
use std::time::Duration;

use obs_core::lane::{FlushReport, Lane, LaneStats, Records};
use obs_core::{Identity, Redactor, env, guard};
use tracing_core::{Level, LevelFilter, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::error::Error;
use crate::layer::{SpanFilter, XRayLayer};
use crate::propagation::Propagator;
use crate::record::SpanRecord;
use crate::sampler::central::{Place, Service};
use crate::sampler::{RunningSampler, Sampler, SamplingStatus};
use crate::xray::{DaemonAddress, DaemonSink, Encoder, NullSink};

/// Traces to X-Ray: [`XRay::builder`] is where it begins.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct XRay;

impl XRay {
    /// Begins to build a tracer. Everything has a default: `XRay::builder().build()?` traces to the
    /// daemon that the environment names.
    pub fn builder() -> XRayBuilder {
        XRayBuilder::default()
    }
}

/// Collects a tracer's settings; see [`XRay::builder`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct XRayBuilder {
    service: Option<String>,
    environment: Option<String>,
    version: Option<String>,
    sampler: Sampler,
    redactor: Redactor,
    propagator: Propagator,
    road: Road,
    level: Option<Level>,
    capacity_bytes: Option<usize>,
    in_lambda: Option<bool>,
}

/// Where finished segments go.
#[derive(Clone, Debug, Default)]
enum Road {
    /// The daemon that `AWS_XRAY_DAEMON_ADDRESS` names, else the default one.
    #[default]
    Daemon,
    DaemonAt(String),
    Discard,
}

impl XRayBuilder {
    /// The service's name, an annotation of every segment. Default: see [`env::SERVICE`].
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.service = Some(name.into());
        self
    }

    /// The deployment environment, an annotation of every segment. Default: see
    /// [`env::ENVIRONMENT`], else `dev`.
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = Some(name.into());
        self
    }

    /// The service's version, in the segment's `service` block. Default: none, in Lambda the
    /// function's version.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Which traces are kept. Default: what the caller decided, else all.
    pub fn sampler(mut self, sampler: Sampler) -> Self {
        self.sampler = sampler;
        self
    }

    /// Whose values never leave: fields, annotations and metadata are redacted by their names.
    /// Default: the standard names, such as `password` and `authorization`. [`Redactor::standard`]
    /// searches texts and the messages of errors too.
    pub fn redact(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// How traces are carried from process to process: which header counts where a request brings
    /// several, whether baggage is. Default: [`Propagator::new`], which redacts as this tracer does.
    pub fn propagator(mut self, propagator: Propagator) -> Self {
        self.propagator = propagator;
        self
    }

    /// Sends to the X-Ray daemon over UDP, at the address in `AWS_XRAY_DAEMON_ADDRESS` (`host:port`
    /// or `tcp:host:port udp:host:port`), else at `127.0.0.1:2000`. This is the default. A host's
    /// name is looked up when the first segment is sent.
    pub fn daemon(mut self) -> Self {
        self.road = Road::Daemon;
        self
    }

    /// Sends to the X-Ray daemon at this address, in either of the forms of
    /// [`XRayBuilder::daemon`].
    pub fn daemon_at(mut self, address: impl Into<String>) -> Self {
        self.road = Road::DaemonAt(address.into());
        self
    }

    /// Encodes each segment and throws it away: for benchmarks.
    pub fn discard(mut self) -> Self {
        self.road = Road::Discard;
        self
    }

    /// The most detailed level of spans that become segments. Default: `DEBUG`. The log's level is
    /// another matter: neither hides anything from the other.
    pub fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// The most bytes of finished segments that wait to be sent; what is beyond is dropped and
    /// counted. Default: 4 MiB.
    pub fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.capacity_bytes = Some(bytes);
        self
    }

    /// Whether the service makes the segment that a request's trace header names, as Lambda does:
    /// then the first span of a request is a subsegment of it. Default: whether this process is a
    /// Lambda function.
    pub fn in_lambda(mut self, in_lambda: bool) -> Self {
        self.in_lambda = Some(in_lambda);
        self
    }

    /// The tracer. Starts the thread that sends.
    ///
    /// With `OBS_DISABLED` or `OTEL_SDK_DISABLED` (`true`, `1`, `yes`, `on`) the settings are checked
    /// as well, but the tracer records nothing: no thread, no ids, nothing sent.
    ///
    /// # Errors
    ///
    /// The sampler's ratio is not between 0 and 1, an address (the daemon's, or that of its proxy) cannot be
    /// read, or the service's name is blank.
    pub fn build(self) -> Result<XRayTracer, Error> {
        let is_off = env::flag(env::TRACES_DISABLED);
        self.sampler.check()?;
        let mut identity = Identity::from_env();
        if let Some(service) = self.service {
            identity.service = service;
        }
        if let Some(environment) = self.environment {
            identity.environment = environment;
        }
        if identity.service.trim().is_empty() {
            return Err(Error::empty_service());
        }
        let is_lambda = env::is_lambda();
        let version = self
            .version
            .or_else(|| env::first(&["AWS_LAMBDA_FUNCTION_VERSION"]).filter(|_| is_lambda));
        let propagator = Arc::new(self.propagator.or_redact(&self.redactor));
        let origin = origin(is_lambda);
        let service = Service {
            name: identity.service.clone(),
            origin: origin.unwrap_or_default().to_owned(),
            ..Service::default()
        };
        let encoder = Encoder::new(identity, version, origin, self.redactor);

        let mut lane = Lane::<Records<SpanRecord>>::builder("xray");
        if let Some(bytes) = self.capacity_bytes {
            lane = lane.capacity_bytes(bytes);
        }
        let daemon = match &self.road {
            Road::DaemonAt(text) => Some(text.clone()),
            Road::Daemon | Road::Discard => env::first(env::XRAY_DAEMON),
        };
        let address = match (&self.road, &daemon) {
            (Road::Discard, _) => None,
            (_, Some(text)) => Some(DaemonAddress::parse(text)?),
            (_, None) => Some(DaemonAddress::default()),
        };
        // What is off asks nobody for rules.
        let sampler = if is_off { Sampler::never() } else { self.sampler };
        let place = Place { service, daemon: daemon.as_deref(), in_lambda: is_lambda };
        let sampler = sampler.start(place)?;
        let lane = match address {
            // The filter lets nothing through: the lane stays empty and needs no thread.
            _ if is_off => lane.synchronous().start(NullSink::new(encoder)),
            Some(address) => lane.start(DaemonSink::new(address, encoder)),
            None => lane.start(NullSink::new(encoder)),
        };
        let level = LevelFilter::from_level(self.level.unwrap_or(Level::DEBUG));
        guard::silence_hook();
        Ok(XRayTracer {
            lane,
            sampler: Arc::new(sampler),
            level: if is_off { LevelFilter::OFF } else { level },
            in_lambda: self.in_lambda.unwrap_or(is_lambda),
            propagator,
        })
    }
}

/// A tracer. Cheap to clone; all clones are one tracer.
///
/// A process that exits does not wait for what is queued: call [`XRayTracer::flush`] or
/// [`XRayTracer::shutdown`] before the end.
#[derive(Clone, Debug)]
pub struct XRayTracer {
    lane: Lane<Records<SpanRecord>>,
    /// Shared with the layers: it is also what tells this tracer's spans from another's.
    sampler: Arc<RunningSampler>,
    level: LevelFilter,
    in_lambda: bool,
    propagator: Arc<Propagator>,
}

impl XRayTracer {
    /// The layer that makes segments of spans, with its own filter: it leaves out what the SDK does
    /// itself (its HTTP client, the AWS SDK, the Lambda runtime) and hides nothing from other layers.
    ///
    /// It needs a subscriber that is built on [`tracing_subscriber::registry()`]. One tracer below a
    /// subscriber: a second one sees no spans.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let propagator = Arc::clone(&self.propagator);
        XRayLayer::new(self.lane.clone(), Arc::clone(&self.sampler), self.in_lambda, propagator)
            .with_filter(SpanFilter::new(self.level))
    }

    /// Waits until every segment that ended before this call is sent or has failed, `limit` at
    /// most. Works on any thread, inside any runtime and outside. Spans that are still open are
    /// sent when they end.
    pub fn flush(&self, limit: Duration) -> FlushReport {
        self.lane.flush(limit)
    }

    /// As [`XRayTracer::flush`], without blocking the thread. Begins with the call.
    pub fn flush_async(&self, limit: Duration) -> impl Future<Output = FlushReport> + Send + use<> {
        self.lane.flush_async(limit)
    }

    /// Refuses what ends after this call (it is counted as dropped), and waits as
    /// [`XRayTracer::flush`] does.
    pub fn shutdown(&self, limit: Duration) -> FlushReport {
        self.lane.shutdown(limit)
    }

    /// As [`XRayTracer::shutdown`], without blocking the thread.
    pub fn shutdown_async(
        &self,
        limit: Duration,
    ) -> impl Future<Output = FlushReport> + Send + use<> {
        self.lane.shutdown_async(limit)
    }

    /// How [`Sampler::xray_central`] is doing: how old its rules are, and what went wrong. `None`
    /// with another sampler.
    pub fn sampling(&self) -> Option<SamplingStatus> {
        self.sampler.status()
    }

    /// How many segments were queued, sent and lost since the tracer was built.
    pub fn stats(&self) -> LaneStats {
        self.lane.stats()
    }
}

/// The kind of AWS resource that this process runs on, as far as its environment tells.
fn origin(is_lambda: bool) -> Option<&'static str> {
    if is_lambda {
        Some("AWS::Lambda::Function")
    } else if env::first(&["ECS_CONTAINER_METADATA_URI_V4"]).is_some() {
        Some("AWS::ECS::Container")
    } else {
        None
    }
}
