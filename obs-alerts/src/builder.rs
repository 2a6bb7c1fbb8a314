//! How a publisher is made.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use obs_core::lane::Lane;
use obs_core::{Identity, Redactor, env};

use crate::address::{self, Problem};
use crate::client::Connection;
use crate::entry::Envelope;
use crate::error::{Kind, What};
use crate::losses::Losses;
use crate::publisher::Inner;
use crate::sink::{BusSink, LastFailure};
use crate::{AlertPublisher, Error, Retry};

/// Collects what an [`AlertPublisher`] needs to know.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct AlertPublisherBuilder {
    source: Option<String>,
    bus: Option<String>,
    detail_type: String,
    service: Option<String>,
    environment: Option<String>,
    config: Option<SdkConfig>,
    redactor: Redactor,
    retry: Retry,
    attempt_timeout: Duration,
    linger: Duration,
    capacity_bytes: usize,
}

impl Default for AlertPublisherBuilder {
    fn default() -> Self {
        Self {
            source: None,
            bus: None,
            detail_type: "Alert".to_owned(),
            service: None,
            environment: None,
            config: None,
            redactor: Redactor::default(),
            retry: Retry::default(),
            attempt_timeout: Duration::from_secs(5),
            linger: Duration::from_millis(50),
            capacity_bytes: 4 * 1024 * 1024,
        }
    }
}

impl AlertPublisherBuilder {
    /// Whom the alerts come from: the events' `source`, by which rules pick them, like
    /// `myapp.alerts`. Default: `OBS_ALERTS_SOURCE`.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The event bus, by name or by ARN. Default: `OBS_ALERTS_BUS`, else the account's own bus,
    /// `default`.
    pub fn bus(mut self, bus: impl Into<String>) -> Self {
        self.bus = Some(bus.into());
        self
    }

    /// The `detail-type` of alerts that name none. Default: `Alert`.
    pub fn detail_type(mut self, detail_type: impl Into<String>) -> Self {
        self.detail_type = detail_type.into();
        self
    }

    /// The service that alerts come from. Default: [`Identity::from_env`].
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// The environment that the service runs in. Default: [`Identity::from_env`].
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// Region, credentials and endpoint. Default: what `aws_config::defaults` finds, looked up at
    /// the first alert and not at the start.
    ///
    /// The publisher makes an HTTP client of its own, on a thread of its own: one that is in
    /// `config` belongs to the runtime that uses it. Retries, time-outs and cached identities are
    /// its own as well. The credentials provider is shared; where it makes HTTP calls (SSO, STS,
    /// instance metadata), those go through the provider's own client.
    pub fn config(mut self, config: &SdkConfig) -> Self {
        self.config = Some(config.clone());
        self
    }

    /// Which attributes lose their values, by name, and which secrets are taken out of the message and
    /// of attributes. Default: [`Redactor::default`], the standard names; [`Redactor::standard`] searches
    /// texts too.
    pub fn redact(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// How often and how fast an alert is sent again. The SDK's own retries are off.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How long one request may take, connecting and looking up credentials included. Default 5 s.
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.attempt_timeout = limit;
        self
    }

    /// How long an alert waits for others to share a request with. Default 50 ms. Critical alerts
    /// do not wait.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// The most bytes that critical alerts may take in memory until they are sent, and again that
    /// much for all others. Default 4 MiB, some 2,500 alerts; at least 512 KiB, so that an alert
    /// of any size has room.
    pub fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.capacity_bytes = bytes;
        self
    }

    /// Starts the publisher: two threads that sleep until there is an alert. Nothing is sent and no
    /// credentials are looked up until then. With `OBS_DISABLED` it is [`AlertPublisher::disabled`].
    ///
    /// # Errors
    ///
    /// - There is no source, or it is not visible ASCII of at most 256 characters, or it begins with
    ///   `aws.`, which EventBridge keeps for AWS services.
    /// - The bus is neither a name (at most 256 of letters, digits and `. _ - /`) nor an ARN of an
    ///   event bus.
    /// - The default detail type is blank, or longer than 128 characters.
    /// - The `SdkConfig` has no region or no credentials.
    /// - The system refused the file descriptors of the sending threads' runtimes.
    pub fn build(self) -> Result<AlertPublisher, Error> {
        if env::flag(env::DISABLED) {
            return Ok(AlertPublisher::disabled());
        }
        let source = checked(
            What::Source,
            self.source.as_deref(),
            env::ALERTS_SOURCE,
            address::check_source,
        )?
        .ok_or(Kind::NoSource)?;
        let bus = checked(What::Bus, self.bus.as_deref(), env::ALERTS_BUS, address::check_bus)?
            .unwrap_or_else(|| "default".to_owned());
        let detail_type =
            checked(What::DetailType, Some(&self.detail_type), &[], address::check_detail_type)?
                .unwrap_or_default();
        if let Some(config) = &self.config {
            check_config(config)?;
        }
        let from_env = Identity::from_env();
        let envelope = Arc::new(Envelope {
            source: source.into(),
            bus: bus.into(),
            detail_type: detail_type.into(),
            identity: Identity::new(
                self.service.unwrap_or(from_env.service),
                self.environment.unwrap_or(from_env.environment),
            ),
            redactor: self.redactor,
        });
        let last_failure = LastFailure::default();
        let start = |name, linger| {
            let sink = BusSink {
                connection: Connection::Planned(self.config.clone().map(Box::new)),
                envelope: Arc::clone(&envelope),
                retry: self.retry,
                attempt_timeout: self.attempt_timeout,
                losses: Losses::default(),
                last_failure: Arc::clone(&last_failure),
            };
            Lane::builder(name)
                .capacity_bytes(self.capacity_bytes.max(MIN_CAPACITY))
                .linger(linger)
                .start_async(sink)
                .map_err(Kind::Start)
        };
        Ok(AlertPublisher::of(Inner {
            critical: start("alerts-critical", Duration::ZERO)?,
            others: start("alerts", self.linger)?,
            envelope: Arc::clone(&envelope),
            last_failure: Arc::clone(&last_failure),
        }))
    }
}

/// Room for one alert of the largest size, and what it takes beside.
const MIN_CAPACITY: usize = 512 * 1024;

/// What code says, else the first of `variables`, else nothing; checked.
fn checked(
    what: What,
    in_code: Option<&str>,
    variables: &'static [&'static str],
    check: impl Fn(&str) -> Result<(), Problem>,
) -> Result<Option<String>, Error> {
    let (value, from) = match in_code {
        Some(value) => (value.to_owned(), None),
        None => match env::first_named(variables, |name| std::env::var(name).ok()) {
            Some((name, value)) => (value, Some(name)),
            None => return Ok(None),
        },
    };
    match check(&value) {
        Ok(()) => Ok(Some(value)),
        Err(problem) => Err(Kind::Invalid { what, value, from, problem }.into()),
    }
}

fn check_config(config: &SdkConfig) -> Result<(), Error> {
    if config.region().is_none() {
        return Err(Kind::Config("region").into());
    }
    if config.credentials_provider().is_none() {
        return Err(Kind::Config("credentials").into());
    }
    Ok(())
}
