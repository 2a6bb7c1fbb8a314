//! When a request is sent again: pure decisions, apart from the sending.

use std::time::Duration;

use crate::lane::Reason;

/// The longest wait that a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// How often and how fast a request is sent again: waits double from 200 ms to 10 s, half of them
/// random. By default 8 attempts, which take about half a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a policy is given to a sender"]
pub struct Retry {
    base: Duration,
    cap: Duration,
    ends: Ends,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Attempts(u32),
    After(Duration),
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(200),
            cap: Duration::from_secs(10),
            ends: Ends::Attempts(8),
        }
    }
}

impl Retry {
    /// How often a request is sent at most, the first time included; at least 1. Attempts that
    /// somebody who waits has hurried do not use them up: those are over only when their waits are.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.ends = Ends::Attempts(attempts.max(1));
        self
    }

    /// Instead of a number of attempts: for how long a request is sent again.
    pub fn for_at_most(mut self, limit: Duration) -> Self {
        self.ends = Ends::After(limit);
        self
    }

    /// The first wait, and the longest. At least 1 ms, so that nothing spins.
    pub fn waits(mut self, base: Duration, cap: Duration) -> Self {
        self.base = base.max(Duration::from_millis(1));
        self.cap = cap.max(self.base);
        self
    }

    /// What to do after the `attempt`th attempt (the first is 1) ended so, this long after the first
    /// began. `jitter` is a random number from 0 to 1.
    pub fn step(&self, attempt: u32, elapsed: Duration, verdict: Verdict, jitter: f64) -> Step {
        match verdict {
            Verdict::Delivered { rejected } => Step::Delivered { rejected },
            Verdict::Refused => Step::Failed(Reason::Rejected),
            Verdict::TooLarge => Step::Failed(Reason::TooLarge),
            Verdict::Unauthorized => Step::Again { wait: Duration::ZERO, asked: false },
            // A kept connection that died in a freeze: a fresh one is tried at once, one time.
            Verdict::ConnectionLost if attempt == 1 => {
                Step::Again { wait: Duration::ZERO, asked: false }
            }
            _ if self.is_over(attempt, elapsed) => Step::Failed(Reason::SinkFailed),
            Verdict::Failed { retry_after: Some(asked) } => Step::Again {
                wait: asked.min(MAX_RETRY_AFTER).max(self.wait(attempt, jitter)),
                asked: true,
            },
            Verdict::Failed { retry_after: None } | Verdict::ConnectionLost => {
                let wait = self.wait(attempt, jitter);
                let left = match self.ends {
                    Ends::Attempts(_) => wait,
                    Ends::After(limit) => limit.saturating_sub(elapsed),
                };
                Step::Again { wait: wait.min(left), asked: false }
            }
        }
    }

    fn is_over(&self, attempt: u32, elapsed: Duration) -> bool {
        match self.ends {
            Ends::Attempts(attempts) => attempt >= attempts && elapsed >= self.least(attempts),
            Ends::After(limit) => elapsed >= limit,
        }
    }

    /// The wait after the `attempt`th attempt: doubled each time, half of it random.
    fn wait(&self, attempt: u32, jitter: f64) -> Duration {
        let half = self.base.saturating_mul(1 << (attempt - 1).min(20)).min(self.cap) / 2;
        half + half.mul_f64(jitter.clamp(0.0, 1.0))
    }

    /// What the waits between so many attempts take at least.
    fn least(&self, attempts: u32) -> Duration {
        (1..attempts).map(|attempt| self.wait(attempt, 0.0)).sum()
    }
}

/// How an attempt ended: what the judge of answers decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It arrived, but for this many of what is in it, which were refused.
    Delivered {
        /// Not more than there are.
        rejected: usize,
    },
    /// It did not arrive, and may the next time: busy, or out of time.
    Failed {
        /// When, if the server has said it; cut to a minute.
        retry_after: Option<Duration>,
    },
    /// As `Failed`, because the connection broke, or none could be made.
    ConnectionLost,
    /// The signature was not accepted: with fresh credentials it may be. The second time, or where
    /// nothing is signed, it is [`Refused`](Self::Refused).
    Unauthorized,
    /// It is refused, and will be each time.
    Refused,
    /// It is larger than the server takes.
    TooLarge,
}

/// What is done with a request next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is done.
    Delivered {
        /// As the verdict says.
        rejected: usize,
    },
    /// It is given up, for this reason.
    Failed(Reason),
    /// It is sent again.
    Again {
        /// After this time.
        wait: Duration,
        /// The server has asked for it: it is not shortened.
        asked: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLIS: fn(u64) -> Duration = Duration::from_millis;

    fn again(wait: Duration) -> Step {
        Step::Again { wait, asked: false }
    }

    #[test]
    fn steps_follow_the_verdict() {
        let retry = Retry::default();
        let check = |attempt, verdict, expected| {
            let step = retry.step(attempt, Duration::from_secs(60), verdict, 1.0);
            assert_eq!(step, expected, "{attempt} {verdict:?}");
        };
        let failed = Verdict::Failed { retry_after: None };
        check(1, Verdict::Delivered { rejected: 2 }, Step::Delivered { rejected: 2 });
        check(1, Verdict::Refused, Step::Failed(Reason::Rejected));
        check(1, Verdict::TooLarge, Step::Failed(Reason::TooLarge));
        check(1, failed, again(MILLIS(200)));
        check(2, failed, again(MILLIS(400)));
        check(7, failed, again(MILLIS(10_000)));
        check(8, failed, Step::Failed(Reason::SinkFailed));
        check(1, Verdict::Unauthorized, again(Duration::ZERO));
        check(2, Verdict::ConnectionLost, again(MILLIS(400)));
        let asked = |seconds| Verdict::Failed { retry_after: Some(Duration::from_secs(seconds)) };
        check(1, asked(3), Step::Again { wait: MILLIS(3_000), asked: true });
        check(1, asked(0), Step::Again { wait: MILLIS(200), asked: true });
        check(1, asked(3_600), Step::Again { wait: MILLIS(60_000), asked: true });
        assert_eq!(retry.step(1, Duration::ZERO, failed, 0.0), again(MILLIS(100)));
        let odd = retry.waits(Duration::ZERO, Duration::ZERO);
        assert_eq!(odd.step(3, Duration::ZERO, failed, 1.0), again(MILLIS(1)));
    }

    #[test]
    fn attempts_that_were_hurried_do_not_use_up_the_time() {
        let failed = Verdict::Failed { retry_after: None };
        // 100, 200, 400, 800, 1,600, 3,200 and 5,000 ms.
        for (attempt, elapsed, is_over) in
            [(8, 11_299, false), (8, 11_300, true), (7, 60_000, false), (90, 11_000, false)]
        {
            let step = Retry::default().step(attempt, MILLIS(elapsed), failed, 0.5);
            assert_eq!(step == Step::Failed(Reason::SinkFailed), is_over, "{attempt} {elapsed}");
        }
    }

    #[test]
    fn a_limit_of_time_is_kept_however_many_attempts_there_were() {
        let retry = Retry::default().for_at_most(Duration::from_secs(60));
        let failed = Verdict::Failed { retry_after: None };
        let check = |attempt, elapsed, expected| {
            assert_eq!(retry.step(attempt, MILLIS(elapsed), failed, 1.0), expected, "{elapsed}");
        };
        check(90, 30_000, again(MILLIS(10_000)));
        check(9, 55_000, again(MILLIS(5_000)));
        check(1, 60_000, Step::Failed(Reason::SinkFailed));
    }

    #[test]
    fn scenario_15_a_dead_connection_is_replaced_at_once_even_where_one_attempt_is_all() {
        for attempts in [1, 8] {
            let retry = Retry::default().attempts(attempts);
            let lost = retry.step(1, Duration::ZERO, Verdict::ConnectionLost, 0.5);
            assert_eq!(lost, again(Duration::ZERO));
        }
        let once = Retry::default().attempts(0);
        let lost = once.step(2, Duration::ZERO, Verdict::ConnectionLost, 0.5);
        assert_eq!(lost, Step::Failed(Reason::SinkFailed));
    }
}
