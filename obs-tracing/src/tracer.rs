//! The tracer: how it is built, its layer, and its flush.

use std::sync::Arc;
use std::time::Duration;

use obs_core::lane::{FlushReport, Lane, LaneStats, LastFailure, Records};
use obs_core::{Identity, Redactor, env, guard};
use tracing_core::{Level, LevelFilter, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

#[cfg(feature = "otlp")]
use crate::Otlp;
use crate::error::Error;
use crate::layer::{SpanFilter, XRayLayer};
use crate::propagation::Propagator;
use crate::record::SpanRecord;
use crate::resource::{Known, Resource};
use crate::road::{Road, Start};
use crate::sampler::central::{Place, Service};
use crate::sampler::{RunningSampler, Sampler, SamplingStatus};
use crate::xray;

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
    resource: Vec<(String, String)>,
    #[cfg(feature = "detectors")]
    detects: bool,
    #[cfg(feature = "otel")]
    activates: bool,
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

    /// Sends segment documents to the X-Ray daemon over UDP, at the address in
    /// `AWS_XRAY_DAEMON_ADDRESS` (`host:port` or `tcp:host:port udp:host:port`), else at
    /// `127.0.0.1:2000`. A host's name is looked up when the first segment is sent.
    ///
    /// This is the default, unless `OBS_TRACES` says otherwise.
    pub fn daemon(mut self) -> Self {
        self.road = Road::Daemon(None);
        self
    }

    /// As [`XRayBuilder::daemon`], at this address, in either of its forms.
    pub fn daemon_at(mut self, address: impl Into<String>) -> Self {
        self.road = Road::Daemon(Some(address.into()));
        self
    }

    /// Sends OTLP over UDP, as the daemon inside Lambda takes it, at the address of
    /// [`XRayBuilder::daemon`]: many spans in a datagram, 49,104 bytes of protobuf at most. The
    /// daemon that one runs oneself takes segment documents only.
    pub fn otlp_udp(mut self) -> Self {
        self.road = Road::OtlpUdp(None);
        self
    }

    /// As [`XRayBuilder::otlp_udp`], at this address, in either of its forms.
    pub fn otlp_udp_at(mut self, address: impl Into<String>) -> Self {
        self.road = Road::OtlpUdp(Some(address.into()));
        self
    }

    /// Sends OTLP over HTTPS to X-Ray's own endpoint in this region, signed (SigV4) with the
    /// credentials of the AWS SDK's default chain: [`Otlp::xray`] with its defaults.
    #[cfg(feature = "otlp")]
    pub fn otlp_https(self, region: impl Into<String>) -> Self {
        self.otlp(Otlp::xray(region))
    }

    /// Sends OTLP over HTTP: to a collector, if this is an address; [`Otlp`] has settings.
    ///
    /// ```
    /// use obs_tracing::{Otlp, XRay};
    ///
    /// let tracer = XRay::builder().otlp("http://127.0.0.1:4318").build()?;
    /// let tracer = XRay::builder()
    ///     .otlp(Otlp::new("https://otlp.example.com").header("api-key", "4711"))
    ///     .build()?;
    /// # Ok::<(), obs_tracing::Error>(())
    /// ```
    #[cfg(feature = "otlp")]
    pub fn otlp(mut self, otlp: impl Into<Otlp>) -> Self {
        self.road = Road::Otlp(otlp.into());
        self
    }

    /// Encodes each segment and throws it away: for benchmarks.
    pub fn discard(mut self) -> Self {
        self.road = Road::Discard;
        self
    }

    /// An attribute of the resource, beside what is found out: `team`, `service.namespace`. It wins
    /// over one in `OTEL_RESOURCE_ATTRIBUTES`; 16 KiB are taken in all. OTLP carries them, and segment
    /// documents those for which they have a place (`cloud.account.id`, `container.id`, …).
    pub fn resource_attribute(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.resource.push((key.into(), value.into()));
        self
    }

    /// Finds out what the process runs on: Lambda, ECS, EKS or EC2, with account, region, container
    /// and instance. In Lambda from the environment alone; elsewhere a thread asks the platform's
    /// metadata services, for which the first spans wait 4 seconds at most, and no caller.
    #[cfg(feature = "detectors")]
    pub fn detect_resource(mut self) -> Self {
        self.detects = true;
        self
    }

    #[cfg(feature = "otel")]
    pub(crate) fn takes(mut self, road: Road) -> Self {
        self.road = road;
        self
    }

    #[cfg(feature = "otel")]
    pub(crate) fn activating(mut self) -> Self {
        self.activates = true;
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
    /// With `OBS_DISABLED` or `OTEL_SDK_DISABLED` (`true`, `1`, `yes`, `on`), and with `OBS_TRACES=none`
    /// where code names no road, the settings are checked as well, but the tracer records nothing: no
    /// thread, no ids, nothing sent.
    ///
    /// # Errors
    ///
    /// The sampler's ratio is not between 0 and 1, the service's name is blank, a resource attribute is
    /// wrong, or an address (the daemon's, that of its proxy, an OTLP endpoint) or a header is.
    pub fn build(self) -> Result<XRayTracer, Error> {
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
        let lookup: &dyn Fn(&str) -> Option<String> = &|name| std::env::var(name).ok();
        let resource = Resource::new(&identity, version.as_deref(), &self.resource, lookup)?;
        let road = self.road.resolve(lookup)?;
        let is_off = env::flag(env::TRACES_DISABLED) || road.is_nowhere();
        let known = Known::new(resource.clone());
        #[cfg(feature = "detectors")]
        let known = if self.detects && !is_off { known.detect(is_lambda) } else { known };
        let propagator = Arc::new(self.propagator.or_redact(&self.redactor));
        let service = Service {
            name: identity.service.clone(),
            origin: xray::origin(&resource).unwrap_or_default().to_owned(),
            ..Service::default()
        };

        let mut lane = Lane::<Records<SpanRecord>>::builder("xray");
        if let Some(bytes) = self.capacity_bytes {
            lane = lane.capacity_bytes(bytes);
        }
        // What is off asks nobody for rules.
        let sampler = if is_off { Sampler::never() } else { self.sampler };
        let daemon = road.daemon(lookup);
        let place = Place { service, daemon: daemon.as_deref(), in_lambda: is_lambda };
        let sampler = sampler.start(place)?;
        let failure = LastFailure::default();
        let start = Start {
            service: identity,
            version,
            redactor: self.redactor,
            known,
            resource,
            failure: failure.clone(),
        };
        let lane = road.start(lane, start, is_off, lookup)?;
        let level = LevelFilter::from_level(self.level.unwrap_or(Level::DEBUG));
        guard::silence_hook();
        Ok(XRayTracer {
            lane,
            sampler: Arc::new(sampler),
            level: if is_off { LevelFilter::OFF } else { level },
            in_lambda: self.in_lambda.unwrap_or(is_lambda),
            failure,
            #[cfg(feature = "otel")]
            activates: self.activates,
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
    failure: LastFailure,
    #[cfg(feature = "otel")]
    activates: bool,
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
        let sampler = Arc::clone(&self.sampler);
        let layer = XRayLayer::new(self.lane.clone(), sampler, self.in_lambda, propagator);
        #[cfg(feature = "otel")]
        let layer = layer.activating(self.activates);
        layer.with_filter(SpanFilter::new(self.level))
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

    /// Why the last attempt to send that failed did so, in words for people: a tracer logs nothing of
    /// its own, because its own log lines could be what fails.
    pub fn last_failure(&self) -> LastFailure {
        self.failure.clone()
    }
}
