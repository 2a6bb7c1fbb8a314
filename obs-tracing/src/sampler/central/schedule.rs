//! When what is asked for: decisions without a clock.

/// How often rules are asked for, in milliseconds.
pub(crate) const RULES_EVERY: u64 = 300_000;
/// How often statistics are sent, in milliseconds, where X-Ray does not ask for another interval.
pub(crate) const REPORT_EVERY: u64 = 10_000;
/// Reports that are due this much later, in milliseconds, go with those that are due now.
pub(crate) const TOGETHER: u64 = 500;

/// The longest sleep, in milliseconds: a clock that was set, or a process that was frozen, is noticed
/// after this time.
const LONGEST_SLEEP: u64 = 10_000;
/// The shortest one.
const SHORTEST_SLEEP: u64 = 50;
/// The first wait after a failure, in milliseconds, and the longest.
const RETRY: (u64, u64) = (1_000, 60_000);

/// A moment, up to 2 % later than it is due, so that many processes that begin together do not ask
/// together. `random` is from 0 to 1.
pub(crate) fn spread(now: u64, interval: u64, random: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below interval")]
    let later = (interval as f64 * 0.02 * random.clamp(0.0, 1.0)) as u64;
    now.saturating_add(interval).saturating_add(later)
}

/// When to try again after this many failures in a row: later with each, and by chance up to a half
/// more; never later than `interval`, at which it would have been done anyway, if that is longer
/// than a minute.
pub(crate) fn retry_at(now: u64, failures: u32, interval: u64, random: f64) -> u64 {
    let (first, most) = RETRY;
    let wait = first.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let wait = wait.min(most).min(interval.max(first));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 30,000")]
    let later = (wait as f64 * 0.5 * random.clamp(0.0, 1.0)) as u64;
    now.saturating_add(wait).saturating_add(later)
}

/// How long to sleep until the first of these moments, in milliseconds.
pub(crate) fn sleep(now: u64, due: impl Iterator<Item = u64>) -> u64 {
    let first = due.min().unwrap_or(u64::MAX);
    first.saturating_sub(now).clamp(SHORTEST_SLEEP, LONGEST_SLEEP)
}

/// Whether the rules that are there are not those of today: `theirs` is when X-Ray says that a rule
/// was last changed, `ours` the same from when the rules arrived. Both are X-Ray's clock, in seconds:
/// ours may go wrong.
pub(crate) fn is_outdated(theirs: Option<f64>, ours: Option<f64>) -> bool {
    match (theirs, ours) {
        (Some(theirs), Some(ours)) => theirs > ours,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_spread_over_a_fiftieth() {
        for (random, expected) in [(0.0, 11_000), (0.5, 11_100), (1.0, 11_200), (7.0, 11_200)] {
            assert_eq!(spread(1_000, 10_000, random), expected);
        }
        assert_eq!(spread(u64::MAX, 10_000, 1.0), u64::MAX);
    }

    #[test]
    fn failures_are_repeated_more_and_more_slowly() {
        for (failures, interval, random, expected) in [
            (1, RULES_EVERY, 0.0, 1_000),
            (1, RULES_EVERY, 1.0, 1_500),
            (2, RULES_EVERY, 0.0, 2_000),
            (6, RULES_EVERY, 0.0, 32_000),
            (7, RULES_EVERY, 0.0, 60_000),
            (u32::MAX, RULES_EVERY, 1.0, 90_000),
            (5, REPORT_EVERY, 0.0, 10_000),
            (3, 0, 0.0, 1_000),
        ] {
            assert_eq!(retry_at(0, failures, interval, random), expected, "{failures} {random}");
        }
    }

    #[test]
    fn a_sleep_has_bounds() {
        assert_eq!(sleep(1_000, [9_000, 4_000].into_iter()), 3_000);
        assert_eq!(sleep(1_000, [500].into_iter()), SHORTEST_SLEEP);
        assert_eq!(sleep(1_000, [500_000].into_iter()), LONGEST_SLEEP);
        assert_eq!(sleep(1_000, [].into_iter()), LONGEST_SLEEP);
    }

    #[test]
    fn rules_are_outdated_by_the_clock_of_x_ray() {
        for (theirs, ours, expected) in [
            (None, None, false),
            (None, Some(5.0), false),
            (Some(5.0), None, true),
            (Some(5.0), Some(5.0), false),
            (Some(4.0), Some(5.0), false),
            (Some(5.5), Some(5.0), true),
        ] {
            assert_eq!(is_outdated(theirs, ours), expected, "{theirs:?} {ours:?}");
        }
    }
}
