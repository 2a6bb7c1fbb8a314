//! The sending: from the lane's batches to PutEvents, until every alert is delivered or given up.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_eventbridge::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_eventbridge::operation::put_events::{PutEventsError, PutEventsOutput};
use obs_core::lane::{AsyncSink, Attempt, Delivery, Lost, Patience, Reason, Records};
use tracing_core::dispatcher::{Dispatch, set_default};

use crate::Alert;
use crate::client::Connection;
use crate::entry::{Entry, Envelope};
use crate::event::Moment;
use crate::losses::Losses;
use crate::outbox::{Next, Outbox, Queued};
use crate::retry::{self, Retry, Step, Verdict};

/// What a lane of alerts carries.
#[derive(Debug)]
pub(crate) enum Item {
    /// As it was published: it is encoded on the lane's thread.
    Published(Alert, Moment),
    /// A large one, which was encoded, and cut to size, by the caller.
    Encoded(Entry),
}

/// Why the last attempt that failed did so: for people, because nothing is logged from here.
pub(crate) type LastFailure = Arc<Mutex<Option<String>>>;

/// Sends alerts to an event bus.
#[derive(Debug)]
pub(crate) struct BusSink {
    pub(crate) connection: Connection,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) retry: Retry,
    /// How long one request may take, with everything that it needs.
    pub(crate) attempt_timeout: Duration,
    pub(crate) losses: Losses,
    pub(crate) last_failure: LastFailure,
}

impl AsyncSink<Records<Item>> for BusSink {
    async fn deliver(&mut self, batch: &mut Records<Item>, delivery: &Delivery<'_>) {
        // What the SDK and its HTTP client log while they send is caused by us: the application's
        // log would tell of each failing alert, and an alert on its log would bring the next one.
        let _quiet = set_default(&Dispatch::none());
        let mut outbox = Outbox::default();
        let now = Instant::now();
        for item in batch.drain() {
            let entry = match item {
                Item::Published(alert, moment) => Entry::new(alert, &moment, &self.envelope),
                Item::Encoded(entry) => entry,
            };
            outbox.add(entry, now);
        }
        if let Some(report) = self.losses.report() {
            let moment = Moment { time: SystemTime::now(), context: None, span: None };
            outbox.add_own(Entry::new(report, &moment, &self.envelope), now);
        }
        let mut patience = Patience::default();
        loop {
            match outbox.next(Instant::now(), delivery.deadline()) {
                Next::Done => return,
                Next::WaitUntil(due) => {
                    if patience.is_over(delivery) {
                        return self.give_up(outbox.take_all(), delivery);
                    }
                    patience.pause(due).await;
                }
                Next::Send(entries) => {
                    let Some(verdicts) = self.attempt(&entries, &mut patience, delivery).await
                    else {
                        self.give_up(entries, delivery);
                        return self.give_up(outbox.take_all(), delivery);
                    };
                    for (queued, verdict) in entries.into_iter().zip(verdicts) {
                        self.settle(queued, verdict, &mut outbox, delivery);
                    }
                }
            }
        }
    }

    fn report_lost(&mut self, lost: &Lost, _: &mut Records<Item>) {
        // Those that failed were counted when they did.
        for (reason, n) in lost.dropped() {
            self.losses.add(reason, n);
        }
    }
}

impl BusSink {
    /// Sends one request, and says how it ended for each of `entries`; `None` if patience was over
    /// first.
    async fn attempt(
        &mut self,
        entries: &[Queued],
        patience: &mut Patience,
        delivery: &Delivery<'_>,
    ) -> Option<Vec<Verdict>> {
        let limit = self.attempt_timeout;
        match patience.attempt(self.send(entries), limit, delivery).await {
            Attempt::Ended(verdicts) => Some(verdicts),
            Attempt::OutOfTime(time) => {
                self.note(format!("no answer within {time:?}"));
                Some(vec![Verdict::Failed; entries.len()])
            }
            Attempt::GivenUp => None,
        }
    }

    async fn send(&mut self, entries: &[Queued]) -> Vec<Verdict> {
        let client = self.connection.client().await;
        let request = entries.iter().map(|queued| queued.entry.to_request_entry()).collect();
        match client.put_events().set_entries(Some(request)).send().await {
            Ok(output) => self.verdicts(&output, entries.len()),
            Err(error) => vec![self.verdict(&error, entries.len()); entries.len()],
        }
    }

    /// The service answered: one verdict for each entry, by its index. An answer that has fewer
    /// says nothing about the others.
    fn verdicts(&mut self, output: &PutEventsOutput, entries: usize) -> Vec<Verdict> {
        let results = output.entries();
        let verdicts = (0..entries)
            .map(|index| match results.get(index) {
                Some(result) => retry::of_entry(result.event_id(), result.error_code()),
                None => Verdict::Failed,
            })
            .collect();
        if let Some(failed) = results.iter().rev().find(|result| result.error_code().is_some()) {
            self.note(coded(failed.error_code(), failed.error_message()));
        } else if results.len() < entries {
            self.note(format!("{} results for {entries} entries", results.len()));
        }
        verdicts
    }

    /// The service did not answer, or refused the request as a whole.
    fn verdict(&mut self, error: &SdkError<PutEventsError>, entries: usize) -> Verdict {
        match error {
            SdkError::ServiceError(refused) => {
                let (status, code) = (refused.raw().status().as_u16(), refused.err().code());
                self.note(format!("{status} {}", coded(code, refused.err().message())));
                retry::of_response(status, code, entries)
            }
            other => {
                self.note(chain(other));
                self.connection.forget_if_useless();
                match other {
                    SdkError::DispatchFailure(failure) if !failure.is_timeout() => {
                        Verdict::ConnectionLost
                    }
                    _ => Verdict::Failed,
                }
            }
        }
    }

    fn settle(
        &mut self,
        mut queued: Queued,
        verdict: Verdict,
        outbox: &mut Outbox,
        delivery: &Delivery<'_>,
    ) {
        queued.attempts += 1;
        match self.retry.step(queued.attempts, verdict, fastrand::f64()) {
            Step::Delivered if queued.own => {}
            Step::Delivered => delivery.delivered(1),
            Step::Failed(reason) => self.fail(&queued, reason, delivery),
            Step::Again(wait) => outbox.again(queued, Instant::now(), wait),
            Step::Alone => outbox.again_alone(queued, Instant::now()),
        }
    }

    fn give_up(&mut self, entries: Vec<Queued>, delivery: &Delivery<'_>) {
        for queued in entries {
            self.fail(&queued, Reason::SinkFailed, delivery);
        }
    }

    fn fail(&mut self, queued: &Queued, reason: Reason, delivery: &Delivery<'_>) {
        if queued.own {
            self.losses.report_failed();
        } else {
            delivery.failed(1, reason);
            self.losses.add(reason, 1);
        }
    }

    fn note(&mut self, failure: String) {
        const SHOWN: usize = 500;
        let failure = match failure.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &failure[..end]),
            None => failure,
        };
        self.losses.because(&failure);
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }
}

fn coded(code: Option<&str>, message: Option<&str>) -> String {
    match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "no reason given".to_owned(),
    }
}

/// What an error and those behind it say, each once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_by_code_and_message() {
        assert_eq!(coded(Some("Throttling"), Some("slow down")), "Throttling: slow down");
        assert_eq!(coded(None, Some("slow down")), "slow down");
        assert_eq!(coded(None, None), "no reason given");
    }
}
