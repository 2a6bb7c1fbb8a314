//! How long a delivery goes on trying, and how long it pauses in between.

use std::thread;
use std::time::{Duration, Instant};

use obs_core::lane::{Delivery, on_lane_thread};

/// The pause after the first try that failed; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause: an agent that comes back is found within seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause while a flush or the end waits.
const PAUSE_IN_FLUSH: Duration = Duration::from_millis(100);
/// What a caller waits at most for an agent that takes nothing, where there is no other thread.
const ON_CALLER: Duration = Duration::from_millis(250);
/// How often who waits looks whether it still may.
pub(super) const GLANCE: Duration = Duration::from_millis(25);

/// One delivery's patience.
#[derive(Debug)]
pub(super) struct Patience<'a> {
    delivery: &'a Delivery<'a>,
    limit: Duration,
    give_up: Instant,
    on_caller: bool,
}

impl<'a> Patience<'a> {
    /// Gives up when nothing was taken for `limit`, or when a shutdown does.
    pub(super) fn new(delivery: &'a Delivery<'a>, limit: Duration) -> Self {
        let on_caller = !on_lane_thread();
        let limit = if on_caller { limit.min(ON_CALLER) } else { limit };
        Self { delivery, limit, give_up: Instant::now() + limit, on_caller }
    }

    /// Whether this is a caller's thread, which does not wait for further tries.
    pub(super) fn on_caller(&self) -> bool {
        self.on_caller
    }

    /// Something was taken: the wait begins anew.
    pub(super) fn renew(&mut self) {
        if !self.on_caller {
            self.give_up = Instant::now() + self.limit;
        }
    }

    /// What is left; nothing when it is over.
    pub(super) fn left(&self) -> Duration {
        self.until().saturating_duration_since(Instant::now())
    }

    pub(super) fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// Sleeps before the next try; a flush that begins meanwhile shortens it.
    pub(super) fn pause(&self, failures: u32) {
        let begun = Instant::now();
        let jitter = fastrand::f64();
        loop {
            let pause = pause_of(failures, self.delivery.deadline().is_some(), jitter);
            let end = (begun + pause).min(self.until());
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(GLANCE));
        }
    }

    /// A flush's deadline is not the end: what is pending by then may still arrive.
    fn until(&self) -> Instant {
        match self.delivery.deadline() {
            Some(deadline) if self.delivery.stopping() => deadline.min(self.give_up),
            _ => self.give_up,
        }
    }
}

/// The pause after this many tries in a row that failed; `jitter` is from 0 to 1, so that many
/// processes do not come back to one agent at the same moment.
pub(super) fn pause_of(failures: u32, flush_waits: bool, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    let longest = if flush_waits { PAUSE_IN_FLUSH } else { LONGEST_PAUSE };
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(longest).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_are_short_in_a_flush() {
        for (failures, flush_waits, jitter, millis) in [
            (0, false, 1.0, 100),
            (1, false, 1.0, 100),
            (1, false, 0.0, 50),
            (2, false, 1.0, 200),
            (3, false, 0.5, 300),
            (7, false, 1.0, 5_000),
            (u32::MAX, false, 1.0, 5_000),
            (u32::MAX, false, 0.0, 2_500),
            (1, true, 1.0, 100),
            (9, true, 1.0, 100),
            (9, true, 0.0, 50),
        ] {
            assert_eq!(
                pause_of(failures, flush_waits, jitter),
                Duration::from_millis(millis),
                "{failures} {flush_waits} {jitter}"
            );
        }
    }
}
