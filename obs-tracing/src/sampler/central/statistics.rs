//! How often a rule decided, and what of it was reported.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lock;

/// What a rule decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Out of the quota that X-Ray gave.
    Quota,
    /// The one of this second that is taken without a quota.
    Borrowed,
    /// By the fixed rate.
    Rate,
    Dropped,
}

impl Outcome {
    pub(crate) const fn is_sampled(self) -> bool {
        !matches!(self, Self::Dropped)
    }
}

/// How often, as X-Ray counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    /// Those that were borrowed included.
    pub(crate) sampled: u64,
    pub(crate) borrowed: u64,
}

/// The counters of a rule. They only grow; what X-Ray has acknowledged is kept beside them. So
/// nothing is lost between reading and resetting, and a report that failed is part of the next one.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    requests: AtomicU64,
    sampled: AtomicU64,
    borrowed: AtomicU64,
    acknowledged: Mutex<Counts>,
}

impl Statistics {
    #[inline]
    pub(crate) fn count(&self, outcome: Outcome) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if outcome.is_sampled() {
            self.sampled.fetch_add(1, Ordering::Relaxed);
        }
        if outcome == Outcome::Borrowed {
            self.borrowed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What X-Ray does not know yet.
    pub(crate) fn unreported(&self) -> Counts {
        let known = *lock(&self.acknowledged);
        let now = Counts {
            requests: self.requests.load(Ordering::Relaxed),
            sampled: self.sampled.load(Ordering::Relaxed),
            borrowed: self.borrowed.load(Ordering::Relaxed),
        };
        consistent(known, now)
    }

    /// X-Ray has these.
    pub(crate) fn acknowledge(&self, counts: Counts) {
        let mut known = lock(&self.acknowledged);
        known.requests = known.requests.wrapping_add(counts.requests);
        known.sampled = known.sampled.wrapping_add(counts.sampled);
        known.borrowed = known.borrowed.wrapping_add(counts.borrowed);
    }
}

/// The difference. A request that is just being counted may be in one counter and not in the other:
/// no more sampled than requests, no more borrowed than sampled; the rest is for the next report.
fn consistent(known: Counts, now: Counts) -> Counts {
    let requests = now.requests.wrapping_sub(known.requests);
    let sampled = now.sampled.wrapping_sub(known.sampled).min(requests);
    let borrowed = now.borrowed.wrapping_sub(known.borrowed).min(sampled);
    Counts { requests, sampled, borrowed }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    #[test]
    fn what_was_not_acknowledged_is_reported_again() {
        let statistics = Statistics::default();
        for outcome in [Outcome::Borrowed, Outcome::Quota, Outcome::Rate, Outcome::Dropped] {
            statistics.count(outcome);
        }
        let first = statistics.unreported();
        assert_eq!(first, Counts { requests: 4, sampled: 3, borrowed: 1 });
        // The call failed; meanwhile there was another request.
        statistics.count(Outcome::Dropped);
        let second = statistics.unreported();
        assert_eq!(second, Counts { requests: 5, ..first });
        statistics.count(Outcome::Borrowed);
        statistics.acknowledge(second);
        assert_eq!(statistics.unreported(), Counts { requests: 1, sampled: 1, borrowed: 1 });
    }

    #[test]
    fn a_report_never_has_more_sampled_than_requests() {
        let counts = |requests, sampled, borrowed| Counts { requests, sampled, borrowed };
        let zero = counts(0, 0, 0);
        for (known, now, expected) in [
            (zero, counts(1, 2, 2), counts(1, 1, 1)),
            (counts(1, 1, 1), counts(2, 2, 2), counts(1, 1, 1)),
            (counts(1, 0, 0), counts(1, 1, 1), zero),
            (counts(u64::MAX, 0, 0), counts(1, 1, 0), counts(2, 1, 0)),
        ] {
            assert_eq!(consistent(known, now), expected, "{known:?} {now:?}");
        }
    }

    #[test]
    fn nothing_is_lost_between_threads_that_count_and_one_that_reports() {
        let statistics = Statistics::default();
        let done = AtomicBool::new(false);
        let total = thread::scope(|scope| {
            let reporter = scope.spawn(|| {
                let mut total = Counts::default();
                loop {
                    // Read before: what was counted until then is in the last round.
                    let is_last = done.load(Ordering::Acquire);
                    let part = statistics.unreported();
                    assert!(part.borrowed <= part.sampled && part.sampled <= part.requests);
                    // Every other report fails.
                    if is_last || part.requests % 2 == 0 {
                        statistics.acknowledge(part);
                        total.requests += part.requests;
                        total.sampled += part.sampled;
                        total.borrowed += part.borrowed;
                    }
                    if is_last {
                        return total;
                    }
                }
            });
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        for n in 0..40_000 {
                            statistics.count(match n % 4 {
                                0 => Outcome::Borrowed,
                                1 => Outcome::Quota,
                                2 => Outcome::Rate,
                                _ => Outcome::Dropped,
                            });
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            done.store(true, Ordering::Release);
            reporter.join().unwrap()
        });
        assert_eq!(total, Counts { requests: 120_000, sampled: 90_000, borrowed: 30_000 });
    }
}
