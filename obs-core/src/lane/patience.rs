//! How long a sink that sends to a service goes on with one delivery.

use std::pin::pin;
use std::time::{Duration, Instant};

use super::sink::Delivery;

/// How often a sink looks whether somebody has begun to wait for it.
const TICK: Duration = Duration::from_millis(20);
/// How long a lane that was closed without a deadline goes on trying.
const GRACE: Duration = Duration::from_secs(5);

/// How long a delivery goes on: without end while nobody waits or somebody only flushes (what a
/// flush leaves behind is tried again after it), and until the deadline of a shutdown.
#[derive(Debug, Default)]
pub struct Patience {
    /// When the sink saw that the lane is closed.
    closed: Option<Instant>,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum Attempt<T> {
    /// With this.
    Ended(T),
    /// It took its whole time, which was this, and is cut off.
    OutOfTime(Duration),
    /// Patience was over first.
    GivenUp,
}

impl Patience {
    /// Whether the lane is shut down and its time is over.
    pub fn is_over(&mut self, delivery: &Delivery<'_>) -> bool {
        if !delivery.stopping() {
            return false;
        }
        let now = Instant::now();
        let closed = *self.closed.get_or_insert(now);
        now >= ends_at(closed, delivery.deadline())
    }

    /// Awaits `sending` for `limit` at most. Whoever waits for the delivery gets a second attempt
    /// before the deadline: over a connection that died in a freeze, the first would be silent for
    /// all of its time.
    pub async fn attempt<F: Future>(
        &mut self,
        sending: F,
        limit: Duration,
        delivery: &Delivery<'_>,
    ) -> Attempt<F::Output> {
        let began = Instant::now();
        let mut sending = pin!(sending);
        loop {
            match tokio::time::timeout(TICK, sending.as_mut()).await {
                Ok(output) => return Attempt::Ended(output),
                Err(_) if self.is_over(delivery) => return Attempt::GivenUp,
                Err(_) if Instant::now() >= attempt_ends(began, limit, delivery.deadline()) => {
                    return Attempt::OutOfTime(began.elapsed());
                }
                Err(_) => {}
            }
        }
    }

    /// Sleeps until `due`, or for so short a time that the caller should look again who waits.
    pub async fn pause(&self, due: Instant) {
        tokio::time::sleep_until(due.min(Instant::now() + TICK).into()).await;
    }
}

/// When something is sent again that is due at `due` and was tried at `tried`: whoever waits does so
/// until `deadline`, and then nothing waits longer than half the time that was left, but for 50 ms,
/// so that a flush that is nearly over does not use up all attempts.
pub fn due_before(due: Instant, tried: Instant, deadline: Option<Instant>) -> Instant {
    const LEAST: Duration = Duration::from_millis(50);
    match deadline.and_then(|deadline| deadline.checked_duration_since(tried)) {
        Some(left) => due.min(tried + (left / 2).max(LEAST)),
        None => due,
    }
}

/// When an attempt that began at `began` is cut off.
fn attempt_ends(began: Instant, limit: Duration, deadline: Option<Instant>) -> Instant {
    /// What a healthy service may well take.
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
fn ends_at(closed: Instant, deadline: Option<Instant>) -> Instant {
    deadline.filter(|deadline| *deadline + TICK >= closed).unwrap_or(closed + GRACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_lane_ends_at_its_deadline_and_without_one_after_a_grace() {
        let closed = Instant::now() + Duration::from_secs(60);
        let check = |deadline: Option<Instant>, expected: Instant| {
            assert_eq!(ends_at(closed, deadline), expected);
        };
        check(None, closed + GRACE);
        check(Some(closed + Duration::from_secs(1)), closed + Duration::from_secs(1));
        check(Some(closed + Duration::from_secs(60)), closed + Duration::from_secs(60));
        check(Some(closed - Duration::from_secs(1)), closed + GRACE);
    }

    #[test]
    fn an_attempt_leaves_time_for_another_before_the_deadline() {
        let (began, limit) = (Instant::now() + Duration::from_secs(60), Duration::from_secs(5));
        let check = |deadline: Option<Instant>, millis: u64| {
            let expected = began + Duration::from_millis(millis);
            assert_eq!(attempt_ends(began, limit, deadline), expected, "{deadline:?}");
        };
        let after = |millis| Some(began + Duration::from_millis(millis));
        check(None, 5_000);
        check(after(60_000), 5_000);
        check(after(4_000), 2_000);
        check(after(100), 250);
        // The deadline of a flush that was over when the attempt began.
        check(after(0), 5_000);
        check(Some(began - limit), 5_000);
    }

    #[test]
    fn who_waits_sees_another_attempt_before_the_deadline() {
        let tried = Instant::now();
        let after = |millis| tried + Duration::from_millis(millis);
        assert_eq!(due_before(after(800), tried, None), after(800));
        assert_eq!(due_before(after(800), tried, Some(after(1_000))), after(500));
        assert_eq!(due_before(after(300), tried, Some(after(1_000))), after(300));
        assert_eq!(due_before(after(800), after(100), Some(after(50))), after(800));
        // Not again and again while the last of the time runs out.
        assert_eq!(due_before(after(800), tried, Some(after(20))), after(50));
        assert_eq!(due_before(after(30), tried, Some(after(20))), after(30));
    }
}
