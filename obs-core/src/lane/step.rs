//! What the worker does next.

use std::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sleep {
    /// Nothing is queued: any item wakes the worker.
    Idle,
    /// Something is queued: only enough of it, urgency, a flush or the end wake it early.
    Lingering,
}

/// What the worker does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Sleep until woken.
    Sleep,
    /// Sleep until woken, or until then.
    SleepUntil(Instant),
    /// Take what is queued.
    Take,
    /// End: nothing is queued and nothing will be.
    End,
}

/// What the worker's decision depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) queued: bool,
    pub(super) must_tell: bool,
    pub(super) is_enough: bool,
    pub(super) urgent: bool,
    pub(super) flush_waits: bool,
    pub(super) closed: bool,
    pub(super) linger_ends: Option<Instant>,
}

/// The worker's decision: a pure function of what it sees and the time.
pub(super) fn next_step(view: View, now: Instant) -> Step {
    match view {
        View { must_tell: true, .. } => Step::Take,
        View { queued: false, closed: true, .. } => Step::End,
        View { queued: false, .. } => Step::Sleep,
        View { urgent: true, .. }
        | View { is_enough: true, .. }
        | View { flush_waits: true, .. }
        | View { closed: true, .. } => Step::Take,
        View { linger_ends: Some(end), .. } if now < end => Step::SleepUntil(end),
        _ => Step::Take,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_worker_decides_by_what_it_sees() {
        let now = Instant::now();
        let soon = now + Duration::from_millis(5);
        let nothing = View {
            queued: false,
            must_tell: false,
            is_enough: false,
            urgent: false,
            flush_waits: false,
            closed: false,
            linger_ends: None,
        };
        let some = View { queued: true, linger_ends: Some(soon), ..nothing };
        for (view, expected) in [
            (nothing, Step::Sleep),
            (View { closed: true, ..nothing }, Step::End),
            (View { urgent: true, ..nothing }, Step::Sleep),
            (View { must_tell: true, ..nothing }, Step::Take),
            (View { must_tell: true, closed: true, ..nothing }, Step::Take),
            (some, Step::SleepUntil(soon)),
            (View { linger_ends: Some(now), ..some }, Step::Take),
            (View { linger_ends: None, ..some }, Step::Take),
            (View { urgent: true, ..some }, Step::Take),
            (View { is_enough: true, ..some }, Step::Take),
            (View { flush_waits: true, ..some }, Step::Take),
            (View { closed: true, ..some }, Step::Take),
        ] {
            assert_eq!(next_step(view, now), expected, "{view:?}");
        }
    }
}
