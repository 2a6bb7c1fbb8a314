//! Deadlines kept by a thread of the system, so that they fire also when every runtime is blocked.
//!
//! For wake-ups only: all deadlines share the thread, so a call that did work would delay the others.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::lock;

type Call = Box<dyn FnOnce() + Send>;

struct Pending {
    calls: BTreeMap<(Instant, u64), Call>,
    next: u64,
    running: bool,
}

static PENDING: Mutex<Pending> =
    Mutex::new(Pending { calls: BTreeMap::new(), next: 0, running: false });
static CHANGED: Condvar = Condvar::new();

/// Calls `call` at `at` on the timer's thread, which the first use starts.
///
/// `call` must be short: all deadlines of the process share the thread. A panic in it is caught.
/// Dropping the [`Timer`] cancels the call if it has not begun.
///
/// # Errors
///
/// The system refused to start the thread.
pub(crate) fn at(at: Instant, call: impl FnOnce() + Send + 'static) -> std::io::Result<Timer> {
    let mut pending = lock(&PENDING);
    if !pending.running {
        std::thread::Builder::new().name("obs-timer".to_owned()).spawn(run)?;
        pending.running = true;
    }
    let key = (at, pending.next);
    pending.next += 1;
    pending.calls.insert(key, Box::new(call));
    let is_first = pending.calls.first_key_value().is_some_and(|(first, _)| *first == key);
    drop(pending);
    if is_first {
        CHANGED.notify_one();
    }
    Ok(Timer { key })
}

/// A call that is due at a moment; dropping it cancels the call.
#[must_use = "dropping a timer cancels it"]
pub(crate) struct Timer {
    key: (Instant, u64),
}

impl Drop for Timer {
    fn drop(&mut self) {
        // Removed under the lock, dropped outside it: the call may own anything.
        let cancelled = lock(&PENDING).calls.remove(&self.key);
        drop(cancelled);
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("at", &self.key.0).finish()
    }
}

fn run() {
    let mut pending = lock(&PENDING);
    loop {
        let now = Instant::now();
        match pending.calls.first_key_value().map(|((at, _), _)| *at) {
            None => pending = CHANGED.wait(pending).unwrap_or_else(PoisonError::into_inner),
            Some(at) if at > now => {
                pending = CHANGED
                    .wait_timeout(pending, at - now)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
            Some(_) => {
                let due = pending.calls.pop_first();
                drop(pending);
                if let Some((_, call)) = due
                    && let Err(panic) = catch_unwind(AssertUnwindSafe(call))
                {
                    // Not dropped: what it carries may panic in turn.
                    std::mem::forget(panic);
                }
                pending = lock(&PENDING);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn calls_come_in_the_order_of_their_deadlines_and_a_dropped_one_never() {
        let (send, receive) = mpsc::channel();
        let start = Instant::now();
        let after = |millis: u64, what: &'static str| {
            let send = send.clone();
            at(start + Duration::from_millis(millis), move || send.send(what).unwrap()).unwrap()
        };
        let late = after(40, "late");
        let early = after(20, "early");
        let never = after(30, "never");
        let panics =
            at(start + Duration::from_millis(25), || panic!("caught by the timer")).unwrap();
        drop(never);
        let seen: Vec<_> =
            (0..2).map(|_| receive.recv_timeout(Duration::from_secs(10)).unwrap()).collect();
        assert_eq!(seen, ["early", "late"]);
        assert!(start.elapsed() >= Duration::from_millis(40));
        drop((late, early, panics));
    }
}
