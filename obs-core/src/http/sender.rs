//! The loop around a request: sent until its fate is decided.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hyper::body::Bytes;
use tracing_core::dispatcher::{Dispatch, set_default};

use super::client::{Answer, Client, Request};
use super::endpoint::Endpoint;
use super::headers::Headers;
use super::retry::{Retry, Step, Verdict};
#[cfg(feature = "sigv4")]
use super::sigv4::Signer;
use crate::clock::{Clock, SystemClock};
use crate::lane::{Attempt, Delivery, LastFailure, Patience, Reason, due_before, error_chain};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Posts bodies to one address, each until it arrived or is given up.
///
/// Used from an [`AsyncSink`](crate::lane::AsyncSink)'s `deliver`, on the lane's runtime.
#[derive(Debug)]
#[must_use = "a sender does nothing until it posts"]
pub struct Sender {
    endpoint: Endpoint,
    headers: Headers,
    timeout: Duration,
    retry: Retry,
    clock: Arc<dyn Clock>,
    last_failure: LastFailure,
    #[cfg(feature = "sigv4")]
    signer: Option<Signer>,
    /// Made at the first request.
    client: Option<Client>,
}

impl Sender {
    /// A sender to this address; `headers` go with every request.
    pub fn new(endpoint: Endpoint, headers: Headers) -> Self {
        Self {
            endpoint,
            headers,
            timeout: DEFAULT_TIMEOUT,
            retry: Retry::default(),
            clock: Arc::new(SystemClock),
            last_failure: LastFailure::default(),
            #[cfg(feature = "sigv4")]
            signer: None,
            client: None,
        }
    }

    /// How long one attempt may take, connecting and looking up credentials included. Default 10 s.
    /// While somebody waits for the delivery it is less, so that there is time for a second one.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// How often a request is sent again. Default: [`Retry::default`].
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The clock of signatures and of `Retry-After`. Default: the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Signs each request.
    #[cfg(feature = "sigv4")]
    pub fn signer(mut self, signer: Signer) -> Self {
        self.signer = Some(signer);
        self
    }

    /// Notes failures here, instead of in a place of its own.
    pub fn note_failures(mut self, last_failure: LastFailure) -> Self {
        self.last_failure = last_failure;
        self
    }

    /// Why the last attempt that failed did so.
    pub fn last_failure(&self) -> LastFailure {
        self.last_failure.clone()
    }

    /// Sends `body` until it arrived or is given up. `judge` reads an answer, received now: what it
    /// means, and what to tell people of it, if anything.
    ///
    /// What the client logs and traces while it sends is caused by us, and left out.
    pub async fn post(
        &mut self,
        body: &Body,
        round: &mut Round,
        delivery: &Delivery<'_>,
        mut judge: impl FnMut(&Answer, SystemTime) -> (Verdict, Option<String>),
    ) -> Outcome {
        let _quiet = set_default(&Dispatch::none());
        let retry = if round.nobody_there { self.retry.attempts(1) } else { self.retry };
        let began = Instant::now();
        let mut had_fresh_credentials = false;
        for attempt in 1.. {
            let timeout = self.timeout;
            let sending = self.send(body, &mut judge);
            let mut verdict = match round.patience.attempt(sending, timeout, delivery).await {
                Attempt::Ended(verdict) => verdict,
                Attempt::OutOfTime(after) => {
                    self.last_failure.set(format!("no answer within {after:?}"));
                    Verdict::Failed { retry_after: None }
                }
                Attempt::GivenUp => break,
            };
            if verdict == Verdict::Unauthorized {
                let is_second = std::mem::replace(&mut had_fresh_credentials, true);
                if is_second || !self.forget_credentials() {
                    verdict = Verdict::Refused;
                }
            }
            match retry.step(attempt, began.elapsed(), verdict, fastrand::f64()) {
                Step::Delivered { rejected } => {
                    round.nobody_there = false;
                    return Outcome::Delivered { rejected };
                }
                Step::Failed(reason) => {
                    round.nobody_there |= reason == Reason::SinkFailed;
                    return Outcome::Failed(reason);
                }
                Step::Again { wait, asked } => {
                    if !round.wait(wait, asked, delivery).await {
                        break;
                    }
                }
            }
        }
        Outcome::Failed(Reason::SinkFailed)
    }

    /// Sends it once.
    async fn send(
        &mut self,
        body: &Body,
        judge: &mut impl FnMut(&Answer, SystemTime) -> (Verdict, Option<String>),
    ) -> Verdict {
        #[cfg_attr(not(feature = "sigv4"), expect(unused_mut, reason = "signatures are added"))]
        let mut request = Request::post(&self.endpoint, &self.headers, body);
        #[cfg(feature = "sigv4")]
        if let Some(signer) = &mut self.signer
            && let Err(error) = signer.sign(&mut request, self.clock.now()).await
        {
            self.last_failure.set(format!("not signed: {}", error_chain(&error)));
            return Verdict::Failed { retry_after: None };
        }
        let client = match &self.client {
            Some(client) => client,
            None => match Client::to(&self.endpoint) {
                Ok(client) => self.client.insert(client),
                Err(error) => {
                    self.last_failure.set(format!("no client: {}", error_chain(&error)));
                    return Verdict::Failed { retry_after: None };
                }
            },
        };
        let answer = match client.send(request).await {
            Ok(answer) => answer,
            Err(error) => {
                self.last_failure.set(error.to_string());
                return Verdict::ConnectionLost;
            }
        };
        let (verdict, failure) = judge(&answer, self.clock.now());
        if let Some(failure) = failure {
            self.last_failure.set(failure);
        }
        verdict
    }

    /// Whether there are others to be had.
    fn forget_credentials(&mut self) -> bool {
        #[cfg(feature = "sigv4")]
        if let Some(signer) = &mut self.signer {
            signer.forget();
            return true;
        }
        false
    }
}

/// A body that can be sent again without a copy.
#[derive(Clone, Default)]
pub struct Body(Bytes);

impl Body {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn bytes(&self) -> Bytes {
        self.0.clone()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

/// What the requests of one delivery share: how long they go on, and whether anybody is there.
#[derive(Debug, Default)]
pub struct Round {
    patience: Patience,
    /// A request of this delivery was given up: those behind it do not wait as long again.
    nobody_there: bool,
}

impl Round {
    /// Waits, and less where somebody begins to wait meanwhile, unless the server `asked` for it;
    /// false if patience was over first.
    async fn wait(&mut self, wait: Duration, asked: bool, delivery: &Delivery<'_>) -> bool {
        let began = Instant::now();
        loop {
            if self.patience.is_over(delivery) {
                return false;
            }
            let due = began + wait;
            let due = if asked { due } else { due_before(due, began, delivery.deadline()) };
            if Instant::now() >= due {
                return true;
            }
            self.patience.pause(due).await;
        }
    }
}

/// What became of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It arrived, but for this many of what is in it, which were refused.
    Delivered {
        /// As the judge counted them.
        rejected: usize,
    },
    /// It did not, for this reason, and will not.
    Failed(Reason),
}
