//! What of a request is still to be sent: itself, or the parts that it was split into.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use obs_core::lane::due_before;

use super::requests::{Part, Request};

/// Requests that are neither delivered nor given up, in the order in which they go.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Request>,
}

/// What the sender does next.
#[derive(Debug)]
pub(super) enum Next {
    /// Send this.
    Send(Request),
    /// Nothing is due before then.
    WaitUntil(Instant),
    /// Nothing is left.
    Done,
}

impl Outbox {
    pub(super) fn add(&mut self, request: Request) {
        self.waiting.push_back(request);
    }

    /// Puts a request back that was sent in vain, to go out again after `wait`.
    pub(super) fn again(&mut self, mut request: Request, now: Instant, wait: Duration) {
        request.failures += 1;
        (request.tried, request.due) = (now, now + wait);
        self.waiting.push_back(request);
    }

    /// Puts a request back in halves, which go next: so only one chain of halves waits at a time.
    pub(super) fn split(&mut self, request: Request, now: Instant) {
        let [first, second] = request.halves(now);
        self.waiting.push_front(second);
        self.waiting.push_front(first);
    }

    /// Takes out everything that is left, due or not.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Part> {
        std::mem::take(&mut self.waiting).into_iter().flat_map(|request| request.parts)
    }

    /// What to do at `now`, where whoever waits for this delivery does so until `deadline`.
    pub(super) fn next(&mut self, now: Instant, deadline: Option<Instant>) -> Next {
        let due = |request: &Request| due_before(request.due, request.tried, deadline);
        if let Some(n) = self.waiting.iter().position(|request| due(request) <= now)
            && let Some(request) = self.waiting.remove(n)
        {
            return Next::Send(request);
        }
        self.waiting.iter().map(due).min().map_or(Next::Done, Next::WaitUntil)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::types::MetricDatum;

    use super::*;

    fn request(names: &str, now: Instant) -> Request {
        let part = |name: char| {
            Part::new(MetricDatum::builder().metric_name(name.to_string()).build(), None, 0)
        };
        Request { parts: names.chars().map(part).collect(), failures: 0, tried: now, due: now }
    }

    fn names(parts: impl IntoIterator<Item = Part>) -> String {
        parts.into_iter().map(|part| part.datum.metric_name().unwrap().to_owned()).collect()
    }

    #[track_caller]
    fn sent(outbox: &mut Outbox, now: Instant) -> Request {
        match outbox.next(now, None) {
            Next::Send(request) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn halves_go_next_and_one_after_the_other() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        outbox.add(request("abcde", now));
        outbox.add(request("z", now));
        let whole = sent(&mut outbox, now);
        outbox.split(whole, now);
        let first = sent(&mut outbox, now);
        outbox.split(first, now);
        let order: Vec<String> = (0..4).map(|_| names(sent(&mut outbox, now).parts)).collect();
        assert_eq!(order, ["a", "b", "cde", "z"]);
        assert!(matches!(outbox.next(now, None), Next::Done));
    }

    #[test]
    fn what_failed_waits_and_its_failures_count_for_its_halves() {
        let now = Instant::now();
        let wait = Duration::from_secs(4);
        let mut outbox = Outbox::default();
        outbox.add(request("ab", now));
        let failed = sent(&mut outbox, now);
        outbox.again(failed, now, wait);
        assert!(matches!(outbox.next(now, None), Next::WaitUntil(due) if due == now + wait));
        // Whoever waits sees another attempt.
        let deadline = Some(now + wait);
        assert!(
            matches!(outbox.next(now, deadline), Next::WaitUntil(due) if due == now + wait / 2)
        );
        let failed = sent(&mut outbox, now + wait);
        assert_eq!(failed.failures, 1);
        assert!(failed.halves(now).iter().all(|half| half.failures == 1 && half.parts.len() == 1));
    }

    #[test]
    fn everything_that_is_left_can_be_taken() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        outbox.add(request("ab", now));
        outbox.again(request("c", now), now, Duration::from_secs(9));
        assert_eq!(names(outbox.take_all()), "abc");
        assert!(matches!(outbox.next(now, None), Next::Done));
    }
}
