//! Tells `tracing` that a level has changed: it remembers what was said of each callsite.
//!
//! Asking everybody again is one thread's work at a time, of all loggers together. Of two that do it
//! at once, one could be late to write down an answer from before the other's change, and callsites
//! would stay asleep. No lock is held meanwhile, as other layers are asked too, and may wait for
//! something themselves.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_core::subscriber::NoSubscriber;
use tracing_core::{Dispatch, callsite, dispatcher};

/// How long a change waits for another thread that is asking. When it is over, that thread asks once
/// more because of this change, only later.
const PATIENCE: Duration = Duration::from_millis(500);

static ANNOUNCED: Announcements = Announcements {
    state: Mutex::new(State { changes: 0, announced: 0, is_busy: false }),
    progress: Condvar::new(),
};

/// Makes all callsites ask again. What was changed before the call holds after it.
///
/// `dispatch` is the last one that was made with the changed layer: see [`ask_all`].
pub(super) fn announce(dispatch: &Dispatch) {
    ANNOUNCED.announce(|| ask_all(dispatch));
}

/// `tracing` that knows of one subscriber only, asks this thread's instead. It has none where that
/// one is the default of other threads, nor while it is being told of something (a value that sets
/// the level while it is logged), and then all callsites would be switched off. Nor can it be given
/// one in that case: another thread can.
fn ask_all(dispatch: &Dispatch) {
    if !dispatcher::get_default(Dispatch::is::<NoSubscriber>) {
        callsite::rebuild_interest_cache();
        return;
    }
    let ask = || dispatcher::with_default(dispatch, callsite::rebuild_interest_cache);
    thread::scope(|scope| {
        // Without a thread to spare, callsites ask again with the next change.
        let _ = thread::Builder::new().spawn_scoped(scope, ask);
    });
}

struct Announcements {
    state: Mutex<State>,
    progress: Condvar,
}

struct State {
    changes: u64,
    /// So many of the changes have reached all callsites.
    announced: u64,
    /// A thread is asking, and goes on until there is no change left.
    is_busy: bool,
}

impl Announcements {
    fn announce(&self, ask: impl Fn()) {
        let mut state = self.lock();
        state.changes += 1;
        let change = state.changes;
        if state.is_busy {
            let waits = |state: &mut State| state.is_busy && state.announced < change;
            state = self
                .progress
                .wait_timeout_while(state, PATIENCE, waits)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            if state.is_busy || state.announced >= change {
                return;
            }
            // The other thread has unwound.
        }
        state.is_busy = true;
        let busy = Busy(self);
        while state.announced < state.changes {
            let changes = state.changes;
            drop(state);
            ask();
            state = self.lock();
            state.announced = changes;
            self.progress.notify_all();
        }
        drop(state);
        drop(busy);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the work back, also where a layer panics that is asked.
struct Busy<'a>(&'a Announcements);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.lock().is_busy = false;
        self.0.progress.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::*;

    fn announcements() -> Announcements {
        let state = State { changes: 0, announced: 0, is_busy: false };
        Announcements { state: Mutex::new(state), progress: Condvar::new() }
    }

    #[test]
    fn one_thread_asks_at_a_time_and_each_change_is_asked_about_after_it() {
        let (announcements, value, seen) = (announcements(), AtomicU64::new(0), AtomicU64::new(0));
        let is_asking = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let mine = value.fetch_add(1, Ordering::SeqCst) + 1;
                        announcements.announce(|| {
                            assert!(!is_asking.swap(true, Ordering::SeqCst));
                            let read = value.load(Ordering::SeqCst);
                            std::thread::yield_now();
                            seen.store(read, Ordering::SeqCst);
                            is_asking.store(false, Ordering::SeqCst);
                        });
                        assert!(seen.load(Ordering::SeqCst) >= mine);
                    }
                });
            }
        });
    }

    #[test]
    fn a_change_by_somebody_who_is_asked_is_asked_about_afterwards() {
        let (announcements, asked) = (announcements(), AtomicU64::new(0));
        announcements.announce(|| {
            if asked.fetch_add(1, Ordering::SeqCst) == 0 {
                announcements.announce(|| unreachable!("who asks already goes on"));
            }
        });
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn who_unwinds_leaves_the_work_to_the_next() {
        let (announcements, asked) = (announcements(), AtomicU64::new(0));
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            announcements.announce(|| std::panic::resume_unwind(Box::new(())));
        }));
        assert!(unwound.is_err());
        announcements.announce(|| {
            asked.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}
