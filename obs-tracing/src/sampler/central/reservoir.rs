//! So many of each second, and no more.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what was taken out of it in the current second. Shared between threads, without a lock.
///
/// The second is in the upper half of one word and the count in the lower, so that both change
/// together.
#[derive(Debug, Default)]
pub(crate) struct Reservoir(AtomicU64);

impl Reservoir {
    /// Takes one out, if this second (since the epoch) has not had `limit` yet.
    #[inline]
    pub(crate) fn take(&self, second: u64, limit: u32) -> bool {
        if limit == 0 {
            return false;
        }
        // Nothing else depends on the order: the count is all there is.
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| after(state, second, limit))
            .is_ok()
    }
}

/// The state after one more was taken; `None` if there is none left.
fn after(state: u64, second: u64, limit: u32) -> Option<u64> {
    const COUNT: u64 = 0xffff_ffff;
    // 32 bits last until 2106, and then begin anew.
    let second = second & COUNT;
    let (counted, taken) = (state >> 32, state & COUNT);
    // A thread that read the clock before another one, and comes after it, does not begin the second
    // anew. A clock that stepped back further does.
    let is_same = counted == second || counted == second + 1;
    match (is_same, taken) {
        (false, _) => Some(second << 32 | 1),
        (true, taken) if taken < u64::from(limit) => Some(counted << 32 | (taken + 1)),
        (true, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_second_has_so_many_and_the_next_one_again() {
        let reservoir = Reservoir::default();
        let taken =
            |second: u64, limit: u32| (0..100).filter(|_| reservoir.take(second, limit)).count();
        assert_eq!(taken(1_000, 3), 3);
        assert_eq!(taken(1_000, 3), 0);
        // More for the same second, and then less.
        assert_eq!(taken(1_000, 5), 2);
        assert_eq!(taken(1_000, 1), 0);
        assert_eq!(taken(1_001, 1), 1);
        assert_eq!(taken(1_002, 0), 0);
        assert_eq!(taken(9_000, 2), 2);
        assert_eq!(taken(u64::MAX, 2), 2);
    }

    #[test]
    fn scenario_26_a_clock_that_steps_back_neither_stops_nor_opens_it() {
        let reservoir = Reservoir::default();
        assert!(reservoir.take(10_000, 1));
        // Read before the other thread's reading.
        assert!(!reservoir.take(9_999, 1));
        assert!(!reservoir.take(10_000, 1));
        // An hour back.
        assert!(reservoir.take(6_400, 1));
        assert!(!reservoir.take(6_400, 1));
        assert!(reservoir.take(6_401, 1));
    }

    #[test]
    fn threads_together_take_no_more() {
        let reservoir = Reservoir::default();
        for second in 1..200 {
            let taken: usize = thread::scope(|scope| {
                let threads: Vec<_> = (0..3)
                    .map(|_| scope.spawn(|| (0..20).filter(|_| reservoir.take(second, 17)).count()))
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            assert_eq!(taken, 17);
        }
    }
}
