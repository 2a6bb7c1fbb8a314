//! Where many threads add to one lane at one time without meeting each other.
//!
//! A word that two cores write costs each of them a wait for the other's cache, as long as copying the
//! line itself; under one lock those waits come one after the other. So each thread has a shard, and a
//! push there writes nothing that another thread writes:
//!
//! ```text
//!   push ──► this thread's shard, its lock ──► credit left? ──► add, credit -= bytes
//!                                               │ no
//!                                               ▼
//!             the lane's lock ──► room? ──► a credit of many pushes, then add; wakes the worker
//! ```
//!
//! What must hold:
//!
//! - A credit counts as queued. It is a part of the capacity that no one else gets, and is revoked where
//!   somebody finds no room, so that nothing is dropped while there is some.
//! - A shard without items has no credit when the worker goes to sleep, so that the next push there goes
//!   to the lane, and wakes it. A closed lane has given none.
//! - Items are numbered, for flushes, when the shards are counted under the lane's lock: what was pushed
//!   before a flush began is in a shard by then.
//! - A batch is taken with all shards locked: of two pushes one after the other, by whatever threads, the
//!   second is never in an earlier batch.
//! - Within a batch a thread's items keep their order; those of several threads are in that of their
//!   stamps. A push to the lane itself comes after all that was pushed before it, and before what comes
//!   after it.
//!
//! The lane's lock is taken before a shard's, never after it.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::batch::Batch;
use crate::lock;

/// As many as threads of one process log at one time where that is much. Those beyond share.
const SHARDS: usize = 8;

/// What a shard is given at one time is this part of what ends a batch's wait: it counts as queued, and
/// must not end it alone.
const CREDITS: usize = 32;

pub(super) struct Shards<B>(Box<[Slot<B>]>);

/// Two cache lines of its own: processors fetch them in pairs.
#[repr(align(128))]
#[derive(Default)]
struct Slot<B>(Mutex<Shard<B>>);

#[derive(Default)]
struct Shard<B> {
    batch: B,
    /// What may be added here without asking.
    credit: usize,
    /// How many items have no number.
    uncounted: u64,
    /// No item that is added has an earlier stamp.
    not_before: u64,
}

/// What was found in the shards.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Items that had no number.
    pub(super) added: u64,
    /// The weight of credits that were taken back.
    pub(super) unused: usize,
}

/// What decides over a credit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// What is free of the capacity.
    pub(super) free: usize,
    /// What is queued does not linger when it weighs this.
    pub(super) enough: usize,
}

/// What a shard is given for an item of `bytes`, which has room, and for those after it. The less is
/// left, the less goes where it may not be used.
fn credit(limits: Limits, bytes: usize) -> usize {
    bytes.max((limits.enough / CREDITS).min(limits.free / (2 * SHARDS)))
}

impl<B: Batch> Shard<B> {
    fn add(&mut self, bytes: usize, at: u64, add: impl FnOnce(&mut B)) {
        let before = self.batch.len();
        add(&mut self.batch);
        self.uncounted += self.batch.len().saturating_sub(before) as u64;
        self.credit -= bytes;
        self.not_before = self.not_before.max(at);
        self.batch.stamp(self.not_before);
    }
}

impl<B> Shards<B> {
    pub(super) fn none() -> Self {
        Self(Box::default())
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This thread's shard.
    #[inline]
    fn mine(&self) -> Option<&Slot<B>> {
        self.0.get(shard_of_thread())
    }
}

impl<B: Batch> Shards<B> {
    pub(super) fn new() -> Self {
        Self((0..SHARDS).map(|_| Slot::default()).collect())
    }

    fn locked(&self) -> impl Iterator<Item = MutexGuard<'_, Shard<B>>> {
        self.0.iter().map(|slot| lock(&slot.0))
    }

    /// Adds within this thread's credit, or returns `add`.
    #[inline]
    pub(super) fn push<F: FnOnce(&mut B)>(&self, bytes: usize, at: u64, add: F) -> Result<(), F> {
        let Some(slot) = self.mine() else { return Err(add) };
        let mut shard = lock(&slot.0);
        if shard.credit < bytes || shard.credit == 0 {
            return Err(add);
        }
        shard.add(bytes, at, add);
        Ok(())
    }

    /// Adds an item for which there is room; under the lane's lock. Returns how much room is used or
    /// given away.
    pub(super) fn push_with_credit(
        &self,
        limits: Limits,
        bytes: usize,
        at: u64,
        add: impl FnOnce(&mut B),
    ) -> usize {
        let Some(slot) = self.mine() else { return 0 };
        let mut shard = lock(&slot.0);
        let given = credit(limits, bytes);
        shard.credit += given;
        shard.add(bytes, at, add);
        given
    }

    /// Numbers all items, and takes credits back where there are none. Under the lane's lock.
    pub(super) fn count(&self) -> Counted {
        let mut counted = Counted::default();
        for mut shard in self.locked() {
            counted.added += std::mem::take(&mut shard.uncounted);
            if shard.batch.is_empty() {
                counted.unused += std::mem::take(&mut shard.credit);
            }
        }
        counted
    }

    /// Moves all items into the batch, and takes all credits back. Under the lane's lock.
    pub(super) fn gather(&self, batch: &mut B) -> Counted {
        let mut shards: Vec<_> = self.locked().collect();
        let mut counted = Counted::default();
        for shard in &mut shards {
            counted.added += std::mem::take(&mut shard.uncounted);
            counted.unused += std::mem::take(&mut shard.credit);
            // A clock that was set back disturbs no more than one batch.
            shard.not_before = 0;
            batch.gather(&mut shard.batch);
        }
        counted
    }

    /// Takes all credits back. Under the lane's lock.
    pub(super) fn revoke(&self) -> usize {
        self.locked().map(|mut shard| std::mem::take(&mut shard.credit)).sum()
    }

    /// The weight of all credits.
    pub(super) fn unused(&self) -> usize {
        self.locked().map(|shard| shard.credit).sum()
    }

    /// A stamp after all that was pushed and not after what will be; none where there are no shards.
    pub(super) fn after_all(&self) -> Option<u64> {
        let latest = self.locked().map(|shard| shard.not_before).max()?;
        let after = latest.saturating_add(1);
        for mut shard in self.locked() {
            shard.not_before = shard.not_before.max(after);
        }
        Some(after)
    }
}

/// Threads get shards in turn, when they first push: those that log at one time are mostly of one age.
#[inline]
fn shard_of_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    match SHARD.get() {
        usize::MAX => {
            let shard = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
            SHARD.set(shard);
            shard
        }
        shard => shard,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credit_is_for_many_items_while_there_is_room_and_never_less_than_the_item() {
        for (free, enough, bytes, expected) in [
            (4 << 20, 512 << 10, 200, 16 << 10),
            (1 << 20, 512 << 10, 200, 16 << 10),
            (16_000, 512 << 10, 200, 1_000),
            (200, 512 << 10, 200, 200),
            (4 << 20, 512 << 10, 1 << 20, 1 << 20),
            (50, 25, 10, 10),
            (10, 25, 10, 10),
            (0, 25, 0, 0),
        ] {
            let given = credit(Limits { free, enough }, bytes);
            assert_eq!(given, expected, "{free} {enough} {bytes}");
            assert!(given <= free);
        }
    }
}
