//! The sending: from the lane's batches to requests, until every span is delivered or given up.

use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::{Clock, millis_since_epoch};
use obs_core::health::{self, Event};
use obs_core::http::otlp::judge;
use obs_core::http::{Body, Outcome, Round, Sender, gzip};
use obs_core::lane::{AsyncSink, Delivery, Reason, Records};

use crate::otlp::request::{Frame, Pack};
use crate::otlp::span::SpanEncoder;
use crate::record::SpanRecord;
use crate::resource::Known;

// What X-Ray's OTLP endpoint takes. The first three are kept for collectors too.
/// Bytes of one request before it is compressed: 5 MB.
const MAX_REQUEST_BYTES: usize = 5_000_000;
/// Spans of one request.
const MAX_SPANS: usize = 10_000;
/// Bytes of one span: 200 KB.
const MAX_SPAN_BYTES: usize = 200_000;
/// How old a span may be: 14 days.
const MAX_AGE: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How far ahead a span's times may be: 2 hours.
const MAX_AHEAD: Duration = Duration::from_secs(2 * 60 * 60);

/// Sends spans to an OTLP endpoint.
#[derive(Debug)]
pub(super) struct OtlpSink {
    pub(super) sender: Sender,
    pub(super) gzip: bool,
    /// X-Ray's own endpoint: requests are signed, and its limits of time hold.
    pub(super) is_signed: bool,
    pub(super) known: Known,
    pub(super) frame: Frame,
    pub(super) encoder: SpanEncoder,
    pub(super) clock: Arc<dyn Clock>,
}

/// A request as it goes out, however often.
struct Outgoing {
    body: Body,
    spans: usize,
}

impl AsyncSink<Records<SpanRecord>> for OtlpSink {
    /// Every request is tried, whatever became of the one before it.
    async fn deliver(&mut self, batch: &mut Records<SpanRecord>, delivery: &Delivery<'_>) {
        if let Some(resource) = self.known.news(delivery) {
            self.frame = Frame::new(resource);
        }
        let mut round = Round::default();
        for Outgoing { body, spans } in self.encode(batch, delivery) {
            let is_signed = self.is_signed;
            let judge = |answer: &_, now| judge(answer, spans, "spans", is_signed, now);
            match self.sender.post(&body, &mut round, delivery, judge).await {
                Outcome::Delivered { rejected } => {
                    delivery.delivered(spans - rejected.min(spans));
                    delivery.failed(rejected, Reason::Rejected);
                }
                Outcome::Failed(reason) => delivery.failed(spans, reason),
            }
        }
    }
}

impl OtlpSink {
    /// The requests that the batch fills; what X-Ray would refuse is counted.
    fn encode(
        &mut self,
        batch: &mut Records<SpanRecord>,
        delivery: &Delivery<'_>,
    ) -> Vec<Outgoing> {
        let now = millis_since_epoch(self.clock.now());
        let mut outgoing = Vec::new();
        let (mut pack, mut span) = (Pack::default(), Vec::new());
        for record in batch.drain() {
            if self.is_signed && !takes_times(&record, now) {
                health::count(Event::TimestampOutOfWindow);
                delivery.failed(1, Reason::Rejected);
                continue;
            }
            self.encoder.encode(&record, MAX_SPAN_BYTES, &mut span);
            let is_full = pack.is_full_for(span.len(), &self.frame, MAX_REQUEST_BYTES);
            if is_full || pack.count() == MAX_SPANS {
                outgoing.extend(self.take(&mut pack));
            }
            pack.push(&span);
        }
        outgoing.extend(self.take(&mut pack));
        outgoing
    }

    fn take(&self, pack: &mut Pack) -> Option<Outgoing> {
        let spans = pack.count();
        if spans == 0 {
            return None;
        }
        let mut request = Vec::new();
        pack.take(&self.frame, &mut request);
        let body = if self.gzip { gzip(&request) } else { request };
        Some(Outgoing { body: body.into(), spans })
    }
}

/// Whether X-Ray's endpoint takes a span of these times at the time `now_millis`.
fn takes_times(record: &SpanRecord, now_millis: u64) -> bool {
    let (start, end) = (record.start / 1_000_000, record.end.max(record.start) / 1_000_000);
    Duration::from_millis(now_millis.saturating_sub(start)) <= MAX_AGE
        && Duration::from_millis(end.saturating_sub(now_millis)) <= MAX_AHEAD
}
