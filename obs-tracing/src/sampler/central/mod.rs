//! Central sampling: the rules that are kept in X-Ray, for all services in one place.
//!
//! ```text
//!  root of a trace                      thread `obs-sampling`                 X-Ray, by the daemon's proxy
//!  ───────────────                      ─────────────────────                 ────────────────────────────
//!  fields ─► Request ─┐                 every 300 s ── /GetSamplingRules ──►  rules
//!                     ▼                       │
//!             RuleSet::decide  ◄── swapped ───┤
//!                     │                       │
//!             Statistics ──────── read ──► every 10 s ── /SamplingTargets ──► quota, rate, interval
//! ```
//!
//! `rules.rs` decides, without a clock and without a road; `poller.rs` keeps the rules up to date,
//! with moments from `schedule.rs`.

#[cfg(feature = "sampling-aws")]
mod aws;
mod document;
mod poller;
#[cfg(any(test, feature = "__fuzz"))]
pub(crate) mod property;
mod proxy;
mod request;
mod reservoir;
mod rule;
mod rules;
mod schedule;
mod shared;
mod statistics;
mod status;
#[cfg(test)]
mod tests;
mod wildcard;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use obs_core::clock::SystemClock;
use obs_core::ids::TraceId;
use tracing_core::field::Visit;

use crate::error::Error;
use crate::xray::DaemonAddress;
use poller::Poller;
use proxy::{Proxy, Road};
pub(crate) use rule::Service;
use shared::Shared;
pub use status::SamplingStatus;

/// How central sampling is set up: for [`Sampler::central`](crate::Sampler::central).
///
/// ```
/// use obs_tracing::{CentralSampling, Sampler};
///
/// let rules = CentralSampling::new()
///     .proxy("xray-daemon.internal:2000")
///     .resource_arn("arn:aws:ecs:eu-west-1:123456789012:task/orders/4711");
/// let sampler = Sampler::parent_or(Sampler::central(rules));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "settings do nothing until a sampler is made of them"]
pub struct CentralSampling {
    proxy: Option<String>,
    resource_arn: Option<String>,
    #[cfg(feature = "sampling-aws")]
    aws: Option<aws::Aws>,
}

impl CentralSampling {
    /// The default: the proxy of the daemon that the tracer sends to.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the daemon's proxy listens, over TCP: `host:port`, or `tcp:host:port udp:host:port`, of which
    /// the first counts. Default: as the tracer's daemon, else as `AWS_XRAY_DAEMON_ADDRESS` says, else
    /// `127.0.0.1:2000`.
    ///
    /// In Lambda nothing is asked for unless this is said: the daemon there has no proxy.
    pub fn proxy(mut self, address: impl Into<String>) -> Self {
        self.proxy = Some(address.into());
        self
    }

    /// The ARN of the resource that this process runs on, for rules that name one. Default: what
    /// the trace's first span says in `cloud.resource_id`, `aws.lambda.invoked_arn` or `aws.….arn`.
    pub fn resource_arn(mut self, arn: impl Into<String>) -> Self {
        self.resource_arn = Some(arn.into());
        self
    }

    /// Whether the settings are right.
    pub(crate) fn check(&self) -> Result<(), Error> {
        #[cfg(feature = "sampling-aws")]
        if let Some(aws) = &self.aws {
            return aws.road().map(drop);
        }
        self.proxy.as_deref().map_or(Ok(()), |address| DaemonAddress::parse_tcp(address).map(drop))
    }

    /// Begins to ask for rules. Until they arrive, the fallback decides.
    ///
    /// # Errors
    ///
    /// The proxy's address cannot be read.
    pub(crate) fn start(self, place: Place<'_>) -> Result<Central, Error> {
        let mut service = place.service;
        service.resource_arn = self.resource_arn.unwrap_or_default();
        let shared = Arc::new(Shared::new(service, Arc::new(SystemClock)));
        #[cfg(feature = "sampling-aws")]
        if let Some(aws) = &self.aws {
            poll(Poller::new(Arc::clone(&shared), aws.road()?), &shared);
            return Ok(Central(shared));
        }
        let address = match (&self.proxy, place.daemon) {
            (Some(own), _) => Some(DaemonAddress::parse_tcp(own)?),
            _ if place.in_lambda => None,
            (None, Some(daemon)) => Some(DaemonAddress::parse_tcp(daemon)?),
            (None, None) => Some(DaemonAddress::default()),
        };
        match address {
            Some(address) => poll(Poller::new(Arc::clone(&shared), Proxy::new(address)), &shared),
            None => shared.failed("in Lambda there is no proxy to ask for rules"),
        }
        Ok(Central(shared))
    }
}

/// Where a sampler is started.
#[derive(Clone, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) service: Service,
    /// The daemon's address, in either of its forms; `None` for the default.
    pub(crate) daemon: Option<&'a str>,
    pub(crate) in_lambda: bool,
}

/// Central sampling at work. Its thread ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Central(Arc<Shared>);

impl Central {
    /// The decision for a new trace whose first span has the fields that `visit` visits.
    pub(crate) fn decide(&self, trace_id: TraceId, visit: impl FnOnce(&mut dyn Visit)) -> bool {
        self.0.decide(trace_id, visit)
    }

    pub(crate) fn status(&self) -> SamplingStatus {
        self.0.status()
    }
}

impl Drop for Central {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Without a thread the fallback decides.
fn poll(poller: Poller<impl Road + 'static>, shared: &Shared) {
    let thread = thread::Builder::new().name("obs-sampling".to_owned());
    if let Err(error) = thread.spawn(move || poller.run()) {
        shared.failed(&format!("no thread to ask for rules: {error}"));
    }
}

/// Takes a lock whatever happened to its last holder: what these locks guard is valid between any two
/// statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
