//! The times of a trace's spans: one reading of the clock, then a clock that never steps back.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long children reckon from their parent's reading. After that the clock is read anew: it may
/// have been set, and a machine that slept did not count the time.
const MAX_AGE: Duration = Duration::from_secs(60);

/// A moment on both clocks. A trace's root takes one and its children inherit it, so that their
/// times agree with each other whatever the wall clock does meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    /// Nanoseconds since the epoch.
    wall: u64,
    instant: Instant,
}

impl Anchor {
    pub(crate) fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { wall: nanos(since_epoch), instant: Instant::now() }
    }

    /// The anchor that a span which starts now reckons by, and its start in nanoseconds since the
    /// epoch.
    pub(crate) fn start(self) -> (Self, u64) {
        let now = Instant::now();
        let age = now.saturating_duration_since(self.instant);
        if age > MAX_AGE {
            let anchor = Self::now();
            (anchor, anchor.wall)
        } else {
            (self, self.wall.saturating_add(nanos(age)))
        }
    }

    /// Now, in nanoseconds since the epoch; never before what [`Anchor::start`] gave.
    pub(crate) fn end(self) -> u64 {
        self.wall.saturating_add(nanos(self.instant.elapsed()))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_reckon_from_their_parents_anchor() {
        let root = Anchor::now();
        let (anchor, start) = root.start();
        assert_eq!(anchor.wall, root.wall);
        assert!(start >= root.wall);
        assert!(anchor.end() >= start);
    }

    #[test]
    fn an_old_anchor_is_taken_anew() {
        let Some(long_ago) = Instant::now().checked_sub(MAX_AGE + Duration::from_secs(1)) else {
            return; // The machine has been up for less than that.
        };
        let old = Anchor { wall: 0, instant: long_ago };
        let (anchor, start) = old.start();
        assert!(anchor.wall > 1_600_000_000_000_000_000);
        assert_eq!(anchor.wall, start);
    }
}
