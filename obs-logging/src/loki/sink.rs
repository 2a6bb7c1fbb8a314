//! The sending: from the lane's lines to requests, until every line is delivered or given up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use obs_core::http::{Answer, Body, Outcome, Round, Sender, Verdict, gzip};
use obs_core::lane::{AsyncSink, Delivery, Lines, Lost, Reason};

use super::entry::{Entries, Entry};
use super::request::{Most, Streams};
use crate::notice::Notices;

/// Sends lines to Loki.
#[derive(Debug)]
pub(super) struct LokiSink {
    pub(super) sender: Sender,
    pub(super) gzip: bool,
    pub(super) most: Most,
    pub(super) streams: Streams,
    pub(super) entries: Entries,
    pub(super) notices: Arc<Notices>,
}

impl AsyncSink<Lines> for LokiSink {
    async fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
        let entries: Vec<_> = batch.iter().map(|line| self.entries.entry(line)).collect();
        let mut open = VecDeque::from(self.streams.requests(&entries, self.most));
        let mut round = Round::default();
        while let Some(range) = open.pop_front() {
            let lines = range.len();
            let Some(part) = entries.get(range.clone()) else { continue };
            let body = self.body(part);
            match self.sender.post(&body, &mut round, delivery, judge).await {
                Outcome::Delivered { .. } => delivery.delivered(lines),
                // What a gateway before Loki takes may be less than what Loki does.
                Outcome::Failed(Reason::TooLarge) if lines > 1 => {
                    let middle = range.start + lines / 2;
                    open.push_front(middle..range.end);
                    open.push_front(range.start..middle);
                }
                Outcome::Failed(reason) => delivery.failed(lines, reason),
            }
        }
    }

    fn report_lost(&mut self, lost: &Lost, batch: &mut Lines) {
        batch.push(&self.notices.lost(lost));
    }
}

impl LokiSink {
    fn body(&self, entries: &[Entry<'_>]) -> Body {
        let body = self.streams.body(entries);
        if self.gzip { gzip(&body).into() } else { body.into() }
    }
}

/// What Loki's answer means, or that of a gateway before it.
fn judge(answer: &Answer, now: SystemTime) -> (Verdict, Option<String>) {
    let verdict = match answer.status() {
        200..=299 => Verdict::Delivered { rejected: 0 },
        408 | 429 | 500..=599 => Verdict::Failed { retry_after: answer.retry_after(now) },
        413 => Verdict::TooLarge,
        _ => Verdict::Refused,
    };
    (verdict, answer.failure())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_by_their_status() {
        let failed = Verdict::Failed { retry_after: None };
        for (status, expected) in [
            (204, Verdict::Delivered { rejected: 0 }),
            (200, Verdict::Delivered { rejected: 0 }),
            (302, Verdict::Refused),
            (400, Verdict::Refused),
            (401, Verdict::Refused),
            (404, Verdict::Refused),
            (408, failed),
            (413, Verdict::TooLarge),
            (429, failed),
            (500, failed),
            (503, failed),
        ] {
            let (verdict, _) = judge(&Answer::new(status, None, "no"), SystemTime::UNIX_EPOCH);
            assert_eq!(verdict, expected, "{status}");
        }
    }
}
