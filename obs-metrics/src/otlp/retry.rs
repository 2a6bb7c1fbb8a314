//! When a request is sent again: pure decisions, apart from the sending.

use std::time::{Duration, Instant};

use obs_core::lane::Reason;

/// How often a request is sent at most: with the waits between, some half a minute.
pub(crate) const ATTEMPTS: u32 = 8;
const BASE: Duration = Duration::from_millis(200);
const CAP: Duration = Duration::from_secs(10);
/// The longest wait that a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
/// How often the sink looks whether somebody has begun to wait for it.
pub(crate) const TICK: Duration = Duration::from_millis(20);
/// How long a lane that was closed without a deadline goes on trying.
const GRACE: Duration = Duration::from_secs(5);

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It arrived, but for this many points, which were refused.
    Delivered { rejected: usize },
    /// It did not arrive, and may the next time: busy, or out of time. The server may have said when.
    Failed { retry_after: Option<Duration> },
    /// As `Failed`, because the connection broke, or none could be made.
    ConnectionLost,
    /// The signature was not accepted: with fresh credentials it may be. The second time it is
    /// [`Refused`](Self::Refused).
    Unauthorized,
    /// It is refused, and will be each time.
    Refused,
    /// It is larger than the server takes.
    TooLarge,
}

/// What is done with a request next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Delivered {
        rejected: usize,
    },
    Failed(Reason),
    /// It is sent again after this time; `asked` by the server, which is not shortened.
    Again {
        wait: Duration,
        asked: bool,
    },
}

/// What to do after the `attempt`th of `attempts` (the first is 1) ended so, this long after the
/// first began. `jitter` is a random number from 0 to 1.
///
/// Attempts that a flush hurried do not use them up: those are over only when their waits are.
pub(crate) fn step(
    attempt: u32,
    attempts: u32,
    elapsed: Duration,
    verdict: Verdict,
    jitter: f64,
) -> Step {
    match verdict {
        Verdict::Delivered { rejected } => Step::Delivered { rejected },
        Verdict::Refused => Step::Failed(Reason::Rejected),
        Verdict::TooLarge => Step::Failed(Reason::TooLarge),
        Verdict::Unauthorized => Step::Again { wait: Duration::ZERO, asked: false },
        // A kept connection that died in a freeze: a fresh one is tried at once, one time.
        Verdict::ConnectionLost if attempt == 1 => {
            Step::Again { wait: Duration::ZERO, asked: false }
        }
        _ if attempt >= attempts && elapsed >= least(attempts) => Step::Failed(Reason::SinkFailed),
        Verdict::Failed { retry_after: Some(asked) } => {
            Step::Again { wait: asked.min(MAX_RETRY_AFTER).max(wait(attempt, jitter)), asked: true }
        }
        Verdict::Failed { retry_after: None } | Verdict::ConnectionLost => {
            Step::Again { wait: wait(attempt, jitter), asked: false }
        }
    }
}

/// The verdict on a status that is not 2xx. OTLP names those after which a request may be sent
/// again; every other one is final.
pub(crate) fn of_status(status: u16, retry_after: Option<Duration>, is_signed: bool) -> Verdict {
    match status {
        429 | 502..=504 => Verdict::Failed { retry_after },
        413 => Verdict::TooLarge,
        // Credentials that have just been replaced.
        401 | 403 if is_signed => Verdict::Unauthorized,
        _ => Verdict::Refused,
    }
}

/// When what is to wait `wait` from `now` is due. Whoever waits for it does so until `deadline`:
/// then it waits no longer than half the time that is left, unless the server `asked` for it.
pub(crate) fn due(now: Instant, wait: Duration, asked: bool, deadline: Option<Instant>) -> Instant {
    /// Whoever hurries does not hammer.
    const LEAST: Duration = Duration::from_millis(50);
    match deadline.and_then(|deadline| deadline.checked_duration_since(now)) {
        Some(left) if !asked && !left.is_zero() => now + wait.min((left / 2).max(LEAST)),
        _ => now + wait,
    }
}

/// When an attempt that began at `began` is cut off. Whoever waits until `deadline` gets a second
/// one: over a connection that died in a freeze, the first would be silent for all of its time.
pub(crate) fn attempt_ends(began: Instant, limit: Duration, deadline: Option<Instant>) -> Instant {
    /// What a healthy server may well take.
    const LEAST: Duration = Duration::from_millis(250);
    let left = deadline.and_then(|deadline| deadline.checked_duration_since(began));
    let limit = match left {
        Some(left) if !left.is_zero() => limit.min((left / 2).max(LEAST)),
        _ => limit,
    };
    began + limit
}

/// When a lane that was seen to be closed at `closed` gives up. A deadline from before is that of a
/// flush that is long over, not of who closed the lane.
pub(crate) fn gives_up_at(closed: Instant, deadline: Option<Instant>) -> Instant {
    deadline.filter(|deadline| *deadline + TICK >= closed).unwrap_or(closed + GRACE)
}

/// The wait after the `attempt`th attempt: doubled each time, half of it random.
fn wait(attempt: u32, jitter: f64) -> Duration {
    let half = BASE.saturating_mul(1 << (attempt - 1).min(20)).min(CAP) / 2;
    half + half.mul_f64(jitter.clamp(0.0, 1.0))
}

/// What the waits between so many attempts take at least.
fn least(attempts: u32) -> Duration {
    (1..attempts).map(|attempt| wait(attempt, 0.0)).sum()
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
        let check = |attempt, verdict, expected| {
            let step = step(attempt, ATTEMPTS, Duration::from_secs(60), verdict, 1.0);
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
        assert_eq!(step(1, ATTEMPTS, Duration::ZERO, failed, 0.0), again(MILLIS(100)));
    }

    #[test]
    fn attempts_that_were_hurried_do_not_use_up_the_time() {
        let failed = Verdict::Failed { retry_after: None };
        // 100, 200, 400, 800, 1,600, 3,200 and 5,000 ms.
        for (attempt, elapsed, is_over) in
            [(8, 11_299, false), (8, 11_300, true), (7, 60_000, false), (90, 11_000, false)]
        {
            let step = step(attempt, ATTEMPTS, MILLIS(elapsed), failed, 0.5);
            assert_eq!(step == Step::Failed(Reason::SinkFailed), is_over, "{attempt} {elapsed}");
        }
    }

    #[test]
    fn scenario_15_a_dead_connection_is_replaced_at_once_even_where_one_attempt_is_all() {
        for attempts in [1, ATTEMPTS] {
            let lost = step(1, attempts, Duration::ZERO, Verdict::ConnectionLost, 0.5);
            assert_eq!(lost, again(Duration::ZERO));
        }
        let lost = step(2, 1, Duration::ZERO, Verdict::ConnectionLost, 0.5);
        assert_eq!(lost, Step::Failed(Reason::SinkFailed));
    }

    #[test]
    fn statuses_are_those_of_the_specification() {
        let failed = Verdict::Failed { retry_after: None };
        for (status, is_signed, expected) in [
            (429, false, failed),
            (502, false, failed),
            (503, false, failed),
            (504, false, failed),
            (500, false, Verdict::Refused),
            (400, false, Verdict::Refused),
            (301, false, Verdict::Refused),
            (403, false, Verdict::Refused),
            (403, true, Verdict::Unauthorized),
            (413, false, Verdict::TooLarge),
        ] {
            assert_eq!(of_status(status, None, is_signed), expected, "{status}");
        }
    }

    #[test]
    fn whoever_waits_is_given_another_attempt_before_the_deadline() {
        let now = Instant::now();
        let (wait, limit) = (MILLIS(1_000), MILLIS(5_000));
        let after = |millis| Some(now + MILLIS(millis));
        for (asked, deadline, expected) in [
            (false, None, 1_000),
            (false, after(600), 300),
            (false, after(60), 50),
            (false, after(60_000), 1_000),
            (true, after(600), 1_000),
            (false, after(0), 1_000),
        ] {
            assert_eq!(due(now, wait, asked, deadline), now + MILLIS(expected), "{deadline:?}");
        }
        for (deadline, expected) in
            [(None, 5_000), (after(60_000), 5_000), (after(4_000), 2_000), (after(100), 250)]
        {
            assert_eq!(attempt_ends(now, limit, deadline), now + MILLIS(expected), "{deadline:?}");
        }
        assert_eq!(gives_up_at(now, None), now + GRACE);
        assert_eq!(gives_up_at(now, after(100)), now + MILLIS(100));
    }
}
