//! The sending: from the lane's batches to requests, until every point is delivered or given up.

use std::sync::Arc;

use obs_core::clock::{Clock, millis_since_epoch};
use obs_core::http::otlp::judge;
use obs_core::http::{Body, Outcome, Round, Sender, gzip};
use obs_core::lane::{AsyncSink, Delivery, Reason, Records};

use super::MAX_LABEL_BYTES;
use super::request::{Draft, Encoded, Intervals, Origin, takes_timestamp};
use crate::datum::Datum;

/// Sends series to an OTLP endpoint.
#[derive(Debug)]
pub(crate) struct OtlpSink {
    pub(super) sender: Sender,
    pub(super) gzip: bool,
    /// CloudWatch's own endpoint: requests are signed, and its limits hold.
    pub(super) is_signed: bool,
    pub(super) origin: Origin,
    pub(super) intervals: Intervals,
    pub(super) clock: Arc<dyn Clock>,
}

/// A request as it goes out, however often.
struct Outgoing {
    body: Body,
    points: usize,
}

impl AsyncSink<Records<Datum>> for OtlpSink {
    async fn deliver(&mut self, batch: &mut Records<Datum>, delivery: &Delivery<'_>) {
        let mut round = Round::default();
        for Outgoing { body, points } in self.encode(batch, delivery) {
            let is_signed = self.is_signed;
            let judge = |answer: &_, now| judge(answer, points, "points", is_signed, now);
            match self.sender.post(&body, &mut round, delivery, judge).await {
                Outcome::Delivered { rejected } => {
                    delivery.delivered(points - rejected.min(points));
                    delivery.failed(rejected, Reason::Rejected);
                }
                Outcome::Failed(reason) => delivery.failed(points, reason),
            }
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
            if self.is_signed
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
        let body = if self.gzip { gzip(&request.body) } else { request.body };
        Outgoing { body: body.into(), points: request.points }
    }
}
