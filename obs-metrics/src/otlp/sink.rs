//! The sending: from the lane's batches to requests, until every point is delivered or given up.

use std::io::Write as _;
use std::pin::pin;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, USER_AGENT};
use obs_core::clock::{Clock, millis_since_epoch};
use obs_core::lane::{AsyncSink, Delivery, Reason, Records};
use tracing_core::dispatcher::{Dispatch, set_default};

use super::answer;
use super::client::Client;
use super::request::{Draft, Encoded, Intervals, Origin, takes_timestamp};
use super::retry::{self, Step, TICK, Verdict};
use super::settings::Settings;
use super::{LastFailure, MAX_LABEL_BYTES};
use crate::datum::Datum;
use crate::sink::chain;

/// Sends series to an OTLP endpoint.
#[derive(Debug)]
pub(crate) struct OtlpSink {
    pub(super) settings: Settings,
    pub(super) origin: Origin,
    pub(super) attempts: u32,
    pub(super) intervals: Intervals,
    pub(super) clock: Box<dyn Clock>,
    pub(super) last_failure: LastFailure,
    /// Made at the first request.
    pub(super) client: Option<Client>,
}

/// A request as it goes out, however often.
struct Outgoing {
    body: Bytes,
    points: usize,
}

impl AsyncSink<Records<Datum>> for OtlpSink {
    async fn deliver(&mut self, batch: &mut Records<Datum>, delivery: &Delivery<'_>) {
        // What the HTTP client logs while it sends is caused by us, and so are its spans.
        let _quiet = set_default(&Dispatch::none());
        let mut patience = Patience { attempts: self.attempts, closed: None };
        for request in self.encode(batch, delivery) {
            self.deliver_one(&request, &mut patience, delivery).await;
        }
    }
}

impl OtlpSink {
    /// The requests that the batch fills; what CloudWatch would refuse is counted.
    fn encode(&mut self, batch: &mut Records<Datum>, delivery: &Delivery<'_>) -> Vec<Outgoing> {
        let now = millis_since_epoch(self.clock.now());
        let mut encoded = Vec::new();
        let mut draft = Draft::new(&self.origin);
        for datum in batch.drain() {
            let millis = datum.timestamp_millis;
            if self.settings.signer.is_some()
                && let Some(reason) = self.refusal(&datum, now)
            {
                delivery.failed(1, reason);
                continue;
            }
            encoded.extend(draft.add(&datum, self.intervals.begin_of(millis, now)));
        }
        encoded.extend(draft.take());
        encoded.into_iter().map(|request| self.outgoing(request)).collect()
    }

    /// Why CloudWatch would not take this, if it would not.
    fn refusal(&self, datum: &Datum, now_millis: u64) -> Option<Reason> {
        if !takes_timestamp(datum.timestamp_millis, now_millis) {
            return Some(Reason::Rejected);
        }
        (self.origin.label_bytes(&datum.key) > MAX_LABEL_BYTES).then_some(Reason::TooLarge)
    }

    fn outgoing(&self, request: Encoded) -> Outgoing {
        let body = if self.settings.gzip { gzipped(&request.body) } else { request.body };
        Outgoing { body: body.into(), points: request.points }
    }

    /// Sends a request until its fate is decided.
    async fn deliver_one(
        &mut self,
        request: &Outgoing,
        patience: &mut Patience,
        delivery: &Delivery<'_>,
    ) {
        let began = Instant::now();
        let mut had_fresh_credentials = false;
        for attempt in 1.. {
            let Some(mut verdict) = self.attempt(request, patience, delivery).await else { break };
            if verdict == Verdict::Unauthorized
                && std::mem::replace(&mut had_fresh_credentials, true)
            {
                verdict = Verdict::Refused;
            }
            let (attempts, jitter) = (patience.attempts, fastrand::f64());
            match retry::step(attempt, attempts, began.elapsed(), verdict, jitter) {
                Step::Delivered { rejected } => {
                    delivery.delivered(request.points - rejected.min(request.points));
                    delivery.failed(rejected, Reason::Rejected);
                    patience.attempts = self.attempts;
                    return;
                }
                Step::Failed(reason) => {
                    if reason == Reason::SinkFailed {
                        // Nobody is there: what is behind this one does not wait as long again.
                        patience.attempts = 1;
                    }
                    delivery.failed(request.points, reason);
                    return;
                }
                Step::Again { wait, asked } => {
                    if !patience.wait(wait, asked, delivery).await {
                        break;
                    }
                }
            }
        }
        delivery.failed(request.points, Reason::SinkFailed);
    }

    /// Sends it once, and says how that ended; `None` if patience was over first.
    async fn attempt(
        &mut self,
        request: &Outgoing,
        patience: &mut Patience,
        delivery: &Delivery<'_>,
    ) -> Option<Verdict> {
        let (began, limit) = (Instant::now(), self.settings.timeout);
        {
            let mut sending = pin!(self.send(request));
            loop {
                match tokio::time::timeout(TICK, sending.as_mut()).await {
                    Ok(verdict) => return Some(verdict),
                    Err(_) if patience.is_over(delivery) => return None,
                    Err(_) => {
                        let ends = retry::attempt_ends(began, limit, delivery.deadline());
                        if Instant::now() >= ends {
                            break;
                        }
                    }
                }
            }
        }
        self.last_failure.set(format!("no answer within {:?}", began.elapsed()));
        Some(Verdict::Failed { retry_after: None })
    }

    async fn send(&mut self, outgoing: &Outgoing) -> Verdict {
        let now = self.clock.now();
        let mut request = self.request(outgoing);
        if let Some(signer) = &mut self.settings.signer
            && let Err(error) = signer.sign(&mut request, &outgoing.body, now).await
        {
            self.last_failure.set(format!("not signed: {}", chain(error.as_ref())));
            return Verdict::Failed { retry_after: None };
        }
        let client = match &self.client {
            Some(client) => client,
            None => match Client::to(&self.settings.uri) {
                Ok(client) => self.client.insert(client),
                Err(error) => {
                    self.last_failure.set(format!("no client: {}", chain(&error)));
                    return Verdict::Failed { retry_after: None };
                }
            },
        };
        let answer = match client.send(request).await {
            Ok(answer) => answer,
            Err(error) => {
                self.last_failure.set(error);
                return Verdict::ConnectionLost;
            }
        };
        let is_signed = self.settings.signer.is_some();
        let (verdict, failure) = answer::judge(&answer, outgoing.points, is_signed, now);
        if let Some(failure) = failure {
            self.last_failure.set(failure);
        }
        if verdict == Verdict::Unauthorized
            && let Some(signer) = &mut self.settings.signer
        {
            signer.forget();
        }
        verdict
    }

    fn request(&self, outgoing: &Outgoing) -> Request<Full<Bytes>> {
        const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
        const AGENT: HeaderValue =
            HeaderValue::from_static(concat!("obs-metrics/", env!("CARGO_PKG_VERSION")));
        let mut request = Request::new(Full::new(outgoing.body.clone()));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = self.settings.uri.clone();
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, AGENT);
        headers.extend(self.settings.headers.clone());
        headers.insert(CONTENT_TYPE, PROTOBUF);
        if self.settings.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        request
    }
}

fn gzipped(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing into memory does not fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

/// How long a delivery goes on: while the lane is open until its attempts are used up (what a flush
/// leaves behind is tried again after it), and until the deadline of a shutdown.
#[derive(Debug)]
struct Patience {
    /// Attempts for each request.
    attempts: u32,
    /// When the sink saw that the lane is closed.
    closed: Option<Instant>,
}

impl Patience {
    fn is_over(&mut self, delivery: &Delivery<'_>) -> bool {
        if !delivery.stopping() {
            return false;
        }
        let now = Instant::now();
        let closed = *self.closed.get_or_insert(now);
        now >= retry::gives_up_at(closed, delivery.deadline())
    }

    /// Waits, and less where somebody begins to wait meanwhile; false if patience was over first.
    async fn wait(&mut self, wait: Duration, asked: bool, delivery: &Delivery<'_>) -> bool {
        let began = Instant::now();
        loop {
            if self.is_over(delivery) {
                return false;
            }
            let now = Instant::now();
            let due = retry::due(began, wait, asked, delivery.deadline());
            if now >= due {
                return true;
            }
            tokio::time::sleep_until(due.min(now + TICK).into()).await;
        }
    }
}
