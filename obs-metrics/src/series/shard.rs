//! One shard of a table of series: recorders look up and add under its lock, and who takes holds that
//! lock for a few steps at a time only.
//!
//! ```text
//!  recorders ──► Table: index ─► slots (what a series is)
//!                             └► values, one for each slot ◄── swapped as a whole ──► Taker: values
//!                                                                                            keys
//! ```
//!
//! A take swaps the vector of values against an empty one, under the lock, and does the rest outside:
//! it knows the keys of all slots from the takes before. Slots that had no values are then freed, a
//! few at each lock.
//!
//! What holds it together: only a take frees a slot, one take runs at a time, and a free slot has no
//! values. So a slot that has values in what was swapped out is still the same series afterwards.
//!
//! Knows nothing of names, collectors or documents, so that `tests/interleavings` can run this file
//! with shuttle's locks.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::hash::Ready;
use super::sync::{Mutex, MutexGuard, lock, try_lock};

/// Slots that a take looks at, or frees, each time that it has the lock: about two microseconds.
const AT_ONCE: usize = 32;

/// What a series is, as long as it has a slot.
pub(crate) trait Identity {
    /// What a take gives of it.
    type Key: Clone;

    fn key(&self) -> Self::Key;
}

/// What is recorded of a series.
pub(crate) trait Recorded: Default {
    fn is_empty(&self) -> bool;
}

/// Series that one lock guards.
#[derive(Debug)]
pub(crate) struct Shard<S: Identity, V> {
    table: Mutex<Table<S, V>>,
    /// Locked as long as a take runs, and before the table.
    taker: Mutex<Taker<S::Key, V>>,
}

#[derive(Debug)]
pub(crate) struct Table<S, V> {
    slots: Vec<Option<Slot<S>>>,
    /// What was recorded, by slot. As many as there are slots.
    values: Vec<V>,
    free: Vec<usize>,
    /// From a hash to the first slot of that hash.
    index: HashMap<u64, usize, BuildHasherDefault<Ready>>,
    /// How much memory the values have taken, in units of who records.
    held: usize,
}

#[derive(Debug)]
struct Slot<S> {
    hash: u64,
    /// The next slot of the same hash.
    next: Option<usize>,
    series: S,
}

#[derive(Debug)]
struct Taker<K, V> {
    /// The keys of the slots, as far as a take has needed them.
    keys: Vec<Option<K>>,
    /// Empty values, to be swapped in.
    values: Vec<V>,
}

/// Which series a take forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forget {
    /// Those that had no values: a known series stays known as long as it is in use.
    Unused,
    /// All that have no values now.
    All,
}

impl<S: Identity, V> Default for Shard<S, V> {
    fn default() -> Self {
        let table = Table {
            slots: Vec::new(),
            values: Vec::new(),
            free: Vec::new(),
            index: HashMap::default(),
            held: 0,
        };
        let taker = Taker { keys: Vec::new(), values: Vec::new() };
        Self { table: Mutex::new(table), taker: Mutex::new(taker) }
    }
}

impl<S: Identity, V: Recorded> Shard<S, V> {
    /// The table, to record into it.
    #[inline]
    pub(crate) fn table(&self) -> MutexGuard<'_, Table<S, V>> {
        lock(&self.table)
    }

    /// Takes all values. Waits for a take that runs already. Returns how many series it forgot.
    pub(crate) fn take(&self, forget: Forget, each: impl FnMut(S::Key, V)) -> usize {
        self.take_as(&mut lock(&self.taker), forget, each)
    }

    /// As [`take`](Self::take), unless one runs already.
    pub(crate) fn try_take(&self, forget: Forget, each: impl FnMut(S::Key, V)) -> usize {
        try_lock(&self.taker).map_or(0, |mut taker| self.take_as(&mut taker, forget, each))
    }

    fn take_as(
        &self,
        taker: &mut Taker<S::Key, V>,
        forget: Forget,
        mut each: impl FnMut(S::Key, V),
    ) -> usize {
        let Taker { keys, values } = taker;
        {
            let mut table = self.table();
            // There are new slots seldom: after the first takes there is nothing to be added.
            let slots = table.slots.len();
            values.resize_with(slots, V::default);
            std::mem::swap(&mut table.values, values);
            table.held = 0;
        }
        keys.resize_with(values.len(), || None);
        let mut unknown = Vec::new();
        let mut idle = Vec::new();
        for (slot, (key, values)) in keys.iter().zip(values.iter()).enumerate() {
            match (key, values.is_empty()) {
                (None, false) => unknown.push(slot),
                (Some(_), true) => idle.push(slot),
                (Some(_), false) if forget == Forget::All => idle.push(slot),
                (Some(_), false) | (None, true) => {}
            }
        }
        for slots in unknown.chunks(AT_ONCE) {
            let table = self.table();
            for slot in slots {
                if let Some(key) = keys.get_mut(*slot) {
                    *key = table.series(*slot).map(Identity::key);
                }
            }
        }
        for (key, values) in keys.iter().zip(values.iter_mut()) {
            if !values.is_empty()
                && let Some(key) = key
            {
                each(key.clone(), std::mem::take(values));
            }
        }
        if forget == Forget::All {
            idle.extend(unknown);
        }
        let mut forgotten = Vec::with_capacity(idle.len());
        for slots in idle.chunks(AT_ONCE) {
            let mut table = self.table();
            for slot in slots {
                if let Some(series) = table.forget(*slot) {
                    forgotten.push(series);
                    if let Some(key) = keys.get_mut(*slot) {
                        *key = None;
                    }
                }
            }
        }
        // What they own is given back here, under no recorder's lock.
        forgotten.len()
    }
}

impl<S: Identity, V: Recorded> Table<S, V> {
    /// The slot of the series of this hash for which `is` says so.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is: impl Fn(&S) -> bool) -> Option<usize> {
        let mut at = self.index.get(&hash).copied();
        while let Some(index) = at {
            let slot = self.slots.get(index)?.as_ref()?;
            if is(&slot.series) {
                return Some(index);
            }
            at = slot.next;
        }
        None
    }

    /// A slot for a new series. Something is recorded into it before the table is given up.
    pub(crate) fn add(&mut self, hash: u64, series: S) -> usize {
        let index = self.free.pop().unwrap_or(self.slots.len());
        let next = self.index.insert(hash, index);
        let slot = Some(Slot { hash, next, series });
        match self.slots.get_mut(index) {
            Some(free) => *free = slot,
            None => {
                self.slots.push(slot);
                self.values.push(V::default());
            }
        }
        index
    }

    /// What is recorded into this slot.
    #[inline]
    pub(crate) fn values(&mut self, slot: usize) -> Option<&mut V> {
        self.values.get_mut(slot)
    }

    /// Says that values have taken one unit of memory more.
    #[inline]
    pub(crate) fn grew(&mut self) {
        self.held += 1;
    }

    /// How much memory the values have taken since the last take.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// How many series there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn series(&self, slot: usize) -> Option<&S> {
        Some(&self.slots.get(slot)?.as_ref()?.series)
    }

    /// Frees the slot, where nothing was recorded into it meanwhile.
    fn forget(&mut self, slot: usize) -> Option<S> {
        if !self.values.get(slot)?.is_empty() {
            return None;
        }
        let Slot { hash, next, series } = self.slots.get_mut(slot)?.take()?;
        let first = self.index.get(&hash).copied();
        match (first == Some(slot), next) {
            (true, Some(next)) => _ = self.index.insert(hash, next),
            (true, None) => _ = self.index.remove(&hash),
            (false, _) => self.unlink(first, slot, next),
        }
        self.free.push(slot);
        Some(series)
    }

    /// Makes the slot before `slot`, in the list that begins with `at`, point behind it.
    fn unlink(&mut self, mut at: Option<usize>, slot: usize, next: Option<usize>) {
        while let Some(Some(before)) = at.and_then(|at| self.slots.get_mut(at)) {
            if before.next == Some(slot) {
                before.next = next;
                return;
            }
            at = before.next;
        }
    }
}
