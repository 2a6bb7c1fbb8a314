//! A push that goes straight to the sink: in a lane without a thread, while nothing else is going on.
//!
//! It takes the worker and never the lane's lock, so that it costs one lock and one more atomic
//! instruction instead of two locks. Who finds the worker taken queues its item under the lane's lock
//! and tries the worker once more; who delivered directly looks, after giving the worker back, whether
//! somebody did. Nothing is left behind between those two:
//!
//! ```text
//!   who queues                               who delivers directly
//!   ──────────                               ─────────────────────
//!   1. sets ASKED       (read-modify-write)   a. gives the worker back
//!   2. tries the worker                       b. counts the turn, sees ASKED (read-modify-write)
//! ```
//!
//! 1 and b change the same word, so one of them comes first. If it is 1, then b sees ASKED, and the
//! queue is looked at. If it is b, then 1 reads what b wrote, or what others have made of it since (a
//! release sequence): a happens before 2, and 2 finds the worker free, or with somebody whose own look
//! is still to come. A flush sets ASKED too, before it looks whether there is anything to wait for: b's
//! thread wakes it, or it sees that it is done.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

use super::batch::Batch;
use super::shared::Shared;
use super::worker::{Drain, Turn};

/// Somebody wants more of who has the worker than its own item: something is queued or to be told,
/// somebody waits, or the lane is closed. Changed under the lane's lock only.
const ASKED: u64 = 1;
/// One direct delivery: they are counted in the bits above, so that the word changes with each.
const TURN: u64 = 2;

/// The worker of a lane that has no thread, and what is known of direct deliveries without the lane's
/// lock.
pub(super) struct Desk<B> {
    worker: Mutex<Option<Box<dyn Drain<B>>>>,
    turns: AtomicU64,
    /// The losses that the sink was told of, as the lane's counters number them.
    told: AtomicU64,
    // What follows is moved only by who has the worker.
    /// The weight of what is being delivered directly.
    bytes: AtomicUsize,
    /// How many items were ever delivered directly, those included that are being delivered.
    begun: AtomicU64,
    /// How many of them the sink is done with.
    done: AtomicU64,
}

/// The worker, in this thread's hands.
type Held<'l, B> = MutexGuard<'l, Option<Box<dyn Drain<B>>>>;

impl<B> Desk<B> {
    pub(super) fn new() -> Self {
        Self {
            worker: Mutex::new(None),
            turns: AtomicU64::new(0),
            told: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
            done: AtomicU64::new(0),
        }
    }

    /// The worker, unless another thread has it now. Never waits.
    #[inline]
    pub(super) fn take(&self) -> Option<Held<'_, B>> {
        match self.worker.try_lock() {
            Ok(held) => Some(held),
            // A waker panicked: the worker is whole between any two statements.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Says whether anything is wanted of who has the worker; under the lane's lock.
    pub(super) fn ask(&self, is_wanted: bool) {
        if is_wanted {
            self.turns.fetch_or(ASKED, Ordering::AcqRel);
        } else {
            self.turns.fetch_and(!ASKED, Ordering::AcqRel);
        }
    }

    pub(super) fn told(&self, losses: u64) {
        self.told.store(losses, Ordering::Relaxed);
    }

    /// The weight of what is being delivered directly; about, for who has not the worker.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }
}

impl<B: Batch> Shared<B> {
    /// What an item that is delivered directly weighs at most. Who finds the worker busy without a batch
    /// from the queue reserves as much: how much it is may not be visible yet.
    #[inline]
    pub(super) fn direct_limit(&self) -> usize {
        self.capacity / 16
    }

    /// Delivers what `add` adds on this thread, where nothing else is going on and the sink blocks.
    /// Returns `add` where that is not so.
    #[inline]
    pub(super) fn push_directly<F: FnOnce(&mut B)>(
        &self,
        bytes: usize,
        add: F,
        turn: &Turn,
    ) -> Result<(), F> {
        let desk = &self.desk;
        if bytes > self.direct_limit() {
            return Err(add);
        }
        let Some(held) = desk.take() else { return Err(add) };
        if desk.turns.load(Ordering::Acquire) & ASKED != 0
            || self.counters.losses() != desk.told.load(Ordering::Relaxed)
        {
            return Err(add);
        }
        desk.bytes.store(bytes, Ordering::Relaxed);
        let mut add = Some(add);
        let mut direct = Direct { lane: self, turn, held: Some(held) };
        if let Some(worker) = direct.held.as_mut().and_then(|held| held.as_mut()) {
            worker.deliver_directly(self, &mut |batch| {
                if let Some(add) = add.take() {
                    add(batch);
                }
            });
        }
        drop(direct);
        add.map_or(Ok(()), Err)
    }

    /// So many items are delivered directly now; said by who has the worker.
    #[inline]
    pub(super) fn begin_directly(&self, items: u64) {
        let begun = &self.desk.begun;
        begun.store(begun.load(Ordering::Relaxed) + items, Ordering::Release);
    }
}

/// A direct delivery. When this is dropped, also by a panic, the worker is given back, and who asked
/// meanwhile is served.
struct Direct<'l, B: Batch> {
    lane: &'l Shared<B>,
    turn: &'l Turn,
    held: Option<Held<'l, B>>,
}

impl<B: Batch> Drop for Direct<'_, B> {
    #[inline]
    fn drop(&mut self) {
        let desk = &self.lane.desk;
        desk.done.store(desk.begun.load(Ordering::Relaxed), Ordering::Release);
        desk.bytes.store(0, Ordering::Relaxed);
        drop(self.held.take());
        if desk.turns.fetch_add(TURN, Ordering::AcqRel) & ASKED != 0 {
            self.lane.serve(self.turn);
        }
    }
}
