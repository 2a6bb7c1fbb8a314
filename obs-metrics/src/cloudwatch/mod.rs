//! Series straight to CloudWatch: `PutMetricData` through the AWS SDK (feature `cloudwatch`).
//!
//! ```text
//!  flush ─► series ─► lane ─► datums_of ─► Requests ─► Outbox ─► PutMetricData
//!                             150 values   1,000, 1 MB  again, halves, given up
//! ```
//!
//! For processes whose standard output does not go to CloudWatch Logs. It needs the permission
//! `cloudwatch:PutMetricData`.
//!
//! # What is sent
//!
//! One value that was recorded once, a counter and a gauge go as `Value`; a distribution as `Values`
//! and `Counts`, each distinct value with its count, so that sums, minima, maxima and percentiles all
//! come out as if every value had been sent. There is no `StatisticSet`: CloudWatch computes
//! percentiles from one only where it stands for a single value.
//!
//! | what | limit | what happens beyond it |
//! | --- | --- | --- |
//! | metrics of a request | 1,000 | further requests |
//! | body of a request, before compression | 1,000,000 bytes | further requests |
//! | distinct values of a metric | 150, with counts | further metrics of the same series |
//! | dimensions | 30 | left out and counted when they are recorded |
//! | value | finite, within ±2^360 | left out and counted (`value_out_of_range`), the others are sent |
//! | timestamp | 14 days back, 2 hours ahead, when it is sent | fails as `rejected`, also after a long wait |
//!
//! Bodies of 2 KiB and more are compressed with gzip, unless the configuration says otherwise.
//!
//! # When it fails
//!
//! Throttling, errors of the service, time-outs and broken connections are tried again, ten times at
//! most ([`CloudWatch::attempts`]), with exponential waits from 100 ms to 10 s, random in their whole
//! length. What a flush leaves behind is tried again after it; a shutdown's deadline ends it. A
//! connection that broke, as after a freeze, is replaced at once.
//!
//! A request that is refused for what is in it is split in halves until the offender stands alone:
//! it fails as `rejected`, its siblings arrive. After 256 refusals in one delivery what is refused
//! fails as it stands. Denied access and unknown credentials are not tried again; credentials that
//! cannot be had are, twice.
//!
//! A request whose answer is lost is sent again and may count twice: delivery is at least once.
//! Reports say how many series arrived or failed and for which reason, [`LastFailure`] says it in
//! words. What was lost is also sent, as the metric [`LOST_METRIC`].
//!
//! # What it costs
//!
//! CloudWatch bills `PutMetricData` by request and each series as a custom metric, EMF by the
//! gigabyte of logs and each series as a custom metric. A process that flushes up to 1,000 series
//! once a minute sends some 43,800 requests a month.

mod client;
mod convert;
mod ledger;
mod outbox;
mod requests;
mod retry;
mod sending;

use std::time::Duration;

use aws_config::SdkConfig;
use obs_core::lane::{Lane, LaneBuilder, Records};

use crate::Error;
use crate::datum::Datum;
use crate::sink::{Sink, Start};
use client::Connection;
pub use obs_core::lane::LastFailure;
use sending::{Notice, Sending};

/// The metric that says how many series were lost, in `Count`, with the collector's own dimensions.
///
/// It goes with the next request after something was dropped (the queue was full) or failed, and only
/// then, until one arrives; a flush sends it where there is nothing else to send. An alarm on it
/// treats missing data as good.
pub const LOST_METRIC: &str = "ObsMetricsDropped";

/// A sink that sends series with `PutMetricData`.
///
/// Region, credentials and endpoint are those of the `SdkConfig`; what was recorded is sent by each flush,
/// every minute unless the collector says otherwise. [`Sink::cloudwatch`] is this with its defaults.
///
/// ```no_run
/// use obs_metrics::{CloudWatch, MetricsCollector};
/// use std::time::Duration;
///
/// # fn run(sdk_config: aws_config::SdkConfig) -> Result<(), obs_metrics::Error> {
/// let cloudwatch = CloudWatch::new(&sdk_config).request_timeout(Duration::from_secs(2));
/// let last_failure = cloudwatch.last_failure();
/// let metrics = MetricsCollector::builder().sink(cloudwatch.into()).build()?;
/// let report = metrics.flush(Duration::from_secs(5));
/// if !report.is_complete() {
///     eprintln!("{report}: {last_failure}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it sends nothing until it is a sink: `cloudwatch.into()`"]
pub struct CloudWatch {
    config: Option<SdkConfig>,
    request_timeout: Duration,
    attempts: u32,
    last_failure: LastFailure,
}

impl CloudWatch {
    /// Sends with the region, the credentials and the endpoint of `config`.
    ///
    /// The sink makes an HTTP client of its own, on a thread of its own: one that is in `config`
    /// belongs to the runtime that uses it. Retries, time-outs and cached identities are its own as
    /// well. The credentials provider is shared.
    ///
    /// `build()` of the collector fails, [`Error::is_sink`], where `config` has no region or no
    /// credentials provider.
    pub fn new(config: &SdkConfig) -> Self {
        Self { config: Some(config.clone()), ..Self::from_env() }
    }

    /// Sends with what `aws_config::defaults` finds, looked up at the first delivery.
    pub fn from_env() -> Self {
        Self {
            config: None,
            request_timeout: Duration::from_secs(5),
            attempts: 10,
            last_failure: LastFailure::default(),
        }
    }

    /// How long one request may take, connecting and looking up credentials included. Default 5 s; at
    /// least 10 ms. Where a flush waits, an attempt takes half the time that is left, so that there
    /// is a second one.
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.request_timeout = limit.max(Duration::from_millis(10));
        self
    }

    /// How often a request is sent at most, the first time included. Default 10, which takes about
    /// half a minute; at least 1.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Why the last attempt that failed did so. The handle is of this sink and its clones, and
    /// outlives them.
    pub fn last_failure(&self) -> LastFailure {
        self.last_failure.clone()
    }

    fn start(
        self,
        lane: LaneBuilder<Records<Datum>>,
        with: &Start<'_>,
    ) -> Result<Lane<Records<Datum>>, Error> {
        if let Some(config) = &self.config {
            check(config)?;
        }
        let sending = Sending {
            connection: Connection::Planned(self.config.map(Box::new)),
            namespace: with.namespace.to_owned(),
            notice: Notice::new(with.dimensions),
            request_timeout: self.request_timeout,
            attempts: self.attempts,
            last_failure: self.last_failure,
        };
        lane.start_async(sending).map_err(|refused| {
            let what = "the system refused the CloudWatch sink its runtime";
            Error::sink_because(what, refused)
        })
    }
}

impl From<CloudWatch> for Sink {
    fn from(cloudwatch: CloudWatch) -> Self {
        Sink::series("cloudwatch", |lane, with| cloudwatch.start(lane, with))
    }
}

impl Sink {
    /// CloudWatch itself, by `PutMetricData`: [`CloudWatch`] with its defaults.
    ///
    /// ```no_run
    /// use obs_metrics::{MetricsCollector, Sink};
    ///
    /// # async fn run() -> Result<(), obs_metrics::Error> {
    /// let sdk_config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    /// let metrics = MetricsCollector::builder().sink(Sink::cloudwatch(&sdk_config)).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cloudwatch(config: &SdkConfig) -> Self {
        CloudWatch::new(config).into()
    }
}

fn check(config: &SdkConfig) -> Result<(), Error> {
    let missing = if config.region().is_none() {
        "a region; set AWS_REGION, or load it"
    } else if config.credentials_provider().is_none() {
        "a credentials provider; load it"
    } else {
        return Ok(());
    };
    let what = format!("the SdkConfig of the CloudWatch sink lacks {missing} with aws_config");
    Err(Error::sink(what))
}
