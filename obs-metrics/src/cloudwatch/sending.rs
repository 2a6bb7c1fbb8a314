//! The sending: from the lane's batches to `PutMetricData`, until every series is delivered or given
//! up.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataError;
use obs_core::clock::{Clock, SystemClock, millis_since_epoch};
use obs_core::health::{self, Event};
use obs_core::lane::{AsyncSink, Attempt, Delivery, Lost, Patience, Reason, Records, error_chain};
use tracing_core::dispatcher::{Dispatch, set_default};

use super::client::Connection;
use super::convert::datums_of;
use super::ledger::Ledger;
use super::outbox::{Next, Outbox};
use super::requests::{Packer, Part, Request};
use super::retry::{self, Step, Tried, Verdict};
use super::{LOST_METRIC, LastFailure};
use crate::datum::{Datum, Kind, SeriesKey};
use crate::dimensions::DimensionSet;
use crate::distribution::Distribution;
use crate::unit::{Resolution, Unit};

/// Sends series to CloudWatch.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) connection: Connection,
    pub(super) namespace: String,
    pub(super) notice: Notice,
    /// How long one request may take, with everything that it needs.
    pub(super) request_timeout: Duration,
    /// How often a request is sent at most.
    pub(super) attempts: u32,
    pub(super) last_failure: LastFailure,
}

/// The series that says what was lost.
#[derive(Debug)]
pub(super) struct Notice(Arc<SeriesKey>);

impl Notice {
    /// The notice of a collector with these dimensions of its own.
    pub(super) fn new(dimensions: &DimensionSet) -> Self {
        Self(Arc::new(SeriesKey {
            name: LOST_METRIC.to_owned(),
            unit: Unit::Count,
            resolution: Resolution::Standard,
            kind: Kind::Counter,
            dimensions: Arc::new(dimensions.clone()),
        }))
    }

    fn of(&self, lost: u64) -> Datum {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
        let values = Distribution::one((lost as f64, 1));
        Datum { key: Arc::clone(&self.0), timestamp_millis: now_millis(), values }
    }

    fn is(&self, datum: &Datum) -> bool {
        Arc::ptr_eq(&datum.key, &self.0)
    }
}

impl AsyncSink<Records<Datum>> for Sending {
    async fn deliver(&mut self, batch: &mut Records<Datum>, delivery: &Delivery<'_>) {
        // What the SDK and its HTTP client log while they send is caused by us, and would end in the
        // application's log with each flush.
        let _quiet = set_default(&Dispatch::none());
        let mut run = Run::new(delivery);
        // The notice goes in the first request: it is lost last.
        let notice = batch.as_slice().iter().rev().find(|datum| self.notice.is(datum)).cloned();
        for sent in notice.iter().flat_map(datums_of) {
            run.packer.add(Part::new(sent, None, now_millis()));
        }
        let mut data = batch.drain().filter(|datum| !self.notice.is(datum));
        let namespace = self.namespace.clone();
        let mut sender = Sender {
            connection: &mut self.connection,
            namespace: &namespace,
            request_timeout: self.request_timeout,
            attempts: self.attempts,
            last_failure: &self.last_failure,
        };
        loop {
            // Converted as they go, a request's worth at a time: they take more memory than data.
            while !run.packer.is_full(&namespace)
                && let Some(datum) = data.next()
            {
                run.add(&datum);
            }
            let Some(request) = run.packer.pack(&namespace, Instant::now()) else { break };
            if !sender.send_all(request, &mut run).await {
                run.give_up();
                delivery.failed(data.count(), Reason::SinkFailed);
                break;
            }
        }
        if run.notice_arrived {
            // Everything else is accounted for: this only says that something arrived.
            delivery.delivered(1);
        }
    }

    fn report_lost(&mut self, lost: &Lost, batch: &mut Records<Datum>) {
        batch.push(self.notice.of(lost.total()));
    }
}

/// One delivery.
struct Run<'a> {
    delivery: &'a Delivery<'a>,
    patience: Patience,
    ledger: Ledger,
    packer: Packer,
    outbox: Outbox,
    /// How many requests were refused for what is in them.
    refusals: u32,
    notice_arrived: bool,
}

impl<'a> Run<'a> {
    fn new(delivery: &'a Delivery<'a>) -> Self {
        Self {
            delivery,
            patience: Patience::default(),
            ledger: Ledger::default(),
            packer: Packer::default(),
            outbox: Outbox::default(),
            refusals: 0,
            notice_arrived: false,
        }
    }

    fn add(&mut self, datum: &Datum) {
        let sent: Vec<_> = datums_of(datum).collect();
        if sent.is_empty() {
            self.delivery.failed(1, Reason::Rejected);
            return;
        }
        let series = self.ledger.open(sent.len());
        for sent in sent {
            self.packer.add(Part::new(sent, series, datum.timestamp_millis));
        }
    }

    fn settle(&mut self, parts: impl IntoIterator<Item = Part>, outcome: Result<(), Reason>) {
        for part in parts {
            self.notice_arrived |= part.series.is_none() && outcome.is_ok();
            self.ledger.settle(part.series, outcome, self.delivery);
        }
    }

    /// What is on its way or was to be fails.
    fn give_up(&mut self) {
        let left: Vec<Part> = self.outbox.take_all().chain(self.packer.take_all()).collect();
        self.settle(left, Err(Reason::SinkFailed));
    }
}

/// What sends requests: the sink without its notice.
struct Sender<'a> {
    connection: &'a mut Connection,
    namespace: &'a str,
    request_timeout: Duration,
    attempts: u32,
    last_failure: &'a LastFailure,
}

impl Sender<'_> {
    /// Sends `request` until all of it is settled; false if patience was over first.
    async fn send_all(&mut self, request: Request, run: &mut Run<'_>) -> bool {
        run.outbox.add(request);
        loop {
            match run.outbox.next(Instant::now(), run.delivery.deadline()) {
                Next::Done => return true,
                Next::WaitUntil(due) => {
                    if run.patience.is_over(run.delivery) {
                        return false;
                    }
                    run.patience.pause(due).await;
                }
                Next::Send(mut request) => {
                    let out = request.take_out_of_window(now_millis());
                    health::count_by(Event::TimestampOutOfWindow, out.len() as u64);
                    run.settle(out, Err(Reason::Rejected));
                    if request.parts.is_empty() {
                        continue;
                    }
                    let Some(verdict) = self.attempt(&request, run).await else {
                        run.settle(request.parts, Err(Reason::SinkFailed));
                        return false;
                    };
                    self.decide(request, verdict, run);
                }
            }
        }
    }

    /// Sends one request, and says how it ended; `None` if patience was over first.
    async fn attempt(&mut self, request: &Request, run: &mut Run<'_>) -> Option<Verdict> {
        let (limit, delivery) = (self.request_timeout, run.delivery);
        match run.patience.attempt(self.send(request), limit, delivery).await {
            Attempt::Ended(verdict) => Some(verdict),
            Attempt::OutOfTime(time) => {
                self.note(format!("no answer within {time:.1?}"));
                Some(Verdict::Failed)
            }
            Attempt::GivenUp => None,
        }
    }

    async fn send(&mut self, request: &Request) -> Verdict {
        let client = self.connection.client().await;
        let data = request.parts.iter().map(|part| part.datum.clone()).collect();
        let sent = client.put_metric_data().namespace(self.namespace).set_metric_data(Some(data));
        match sent.send().await {
            Ok(_) => Verdict::Delivered,
            Err(error) => self.verdict(&error),
        }
    }

    fn verdict(&mut self, error: &SdkError<PutMetricDataError>) -> Verdict {
        if let SdkError::ServiceError(refused) = error {
            let (status, code) = (refused.raw().status().as_u16(), refused.err().code());
            self.note(format!("{status} {}", coded(code, refused.err().message())));
            return retry::of_response(status, code);
        }
        self.note(error_chain(error));
        match error {
            _ if self.connection.forget_if_useless() => Verdict::Unsent,
            SdkError::ConstructionFailure(_) => Verdict::Unsent,
            SdkError::DispatchFailure(_) if is_about_credentials(error) => Verdict::Unsent,
            SdkError::DispatchFailure(failure) if !failure.is_timeout() => Verdict::ConnectionLost,
            _ => Verdict::Failed,
        }
    }

    fn decide(&self, request: Request, verdict: Verdict, run: &mut Run<'_>) {
        let tried = Tried {
            metrics: request.parts.len(),
            failures: request.failures,
            attempts: self.attempts,
            refusals: run.refusals,
        };
        let now = Instant::now();
        match retry::step(verdict, tried, fastrand::f64()) {
            Step::Delivered => run.settle(request.parts, Ok(())),
            Step::Failed(reason) => run.settle(request.parts, Err(reason)),
            Step::Again(wait) => run.outbox.again(request, now, wait),
            Step::Split => {
                run.refusals += 1;
                run.outbox.split(request, now);
            }
        }
    }

    fn note(&self, failure: String) {
        const SHOWN: usize = 500;
        self.last_failure.set(match failure.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &failure[..end]),
            None => failure,
        });
    }
}

fn now_millis() -> u64 {
    millis_since_epoch(SystemClock.now())
}

fn coded(code: Option<&str>, message: Option<&str>) -> String {
    match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "no reason given".to_owned(),
    }
}

fn is_about_credentials(error: &(dyn Error + 'static)) -> bool {
    error.is::<CredentialsError>() || error.source().is_some_and(is_about_credentials)
}
