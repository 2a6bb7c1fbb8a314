//! Which shard of every cell a thread records into.
//!
//! ```text
//!            owned by one thread each              shared by all other threads
//!   cell   [ 0 ] [ 1 ] [ 2 ] …                     [ n ] …
//!            load, add, store: no locked             locked instructions, or a lock
//!            instruction, nobody else writes
//! ```
//!
//! A locked instruction costs 5 to 10 ns even where no other core wants the line, more than all the
//! rest of recording, hence the owned shards. A thread asks for a place when it first records and
//! gives it back when it ends; one that came too late gets the next one that is given back. The lock of [`Places`] is what the next owner sees the previous one's
//! writes through: ordinary loads and stores are enough after it.

use super::sync::{AtomicBool, Mutex, Ordering, lock};

/// The most shards a cell has.
const MOST: u8 = 16;

/// A thread's shard, by its index in each cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// No other thread writes to this shard as long as this one lives.
    Owned(u8),
    /// Any number of threads write to this shard.
    Shared(u8),
}

/// How many shards of each kind a cell has: the owned ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) owned: u8,
    pub(crate) shared: u8,
}

impl Layout {
    /// Eight shards, or [`MOST`] where more than four threads run at once; a quarter is shared.
    ///
    /// More than run at once, because some thread always records a little and then sleeps for good.
    /// Not many more: a counter has 128 bytes for each.
    pub(crate) fn for_parallelism(threads: usize) -> Self {
        let shards = if threads <= 4 { MOST / 2 } else { MOST };
        Self { owned: shards - shards / 4, shared: shards / 4 }
    }

    pub(crate) fn shards(self) -> usize {
        usize::from(self.owned) + usize::from(self.shared)
    }
}

/// Who owns which shard, for all cells of the process.
pub(crate) struct Places {
    layout: Layout,
    state: Mutex<State>,
    /// Whether an owned shard is free, for who would rather not lock to find out.
    vacant: AtomicBool,
}

struct State {
    /// One bit for each owned shard that no thread has.
    free: u32,
    /// How many threads were sent to a shared shard.
    sent: u8,
}

impl Places {
    pub(crate) fn new(layout: Layout) -> Self {
        let free = (1_u32 << layout.owned) - 1;
        Self {
            layout,
            state: Mutex::new(State { free, sent: 0 }),
            vacant: AtomicBool::new(free != 0),
        }
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// An owned shard if there is one left, to be given back with [`release`](Self::release).
    pub(crate) fn claim(&self) -> Place {
        let mut state = lock(&self.state);
        for index in 0..self.layout.owned {
            if state.free & (1 << index) != 0 {
                state.free &= !(1 << index);
                self.vacant.store(state.free != 0, Ordering::Relaxed);
                return Place::Owned(index);
            }
        }
        state.sent = state.sent.wrapping_add(1);
        Place::Shared(self.layout.owned + state.sent % self.layout.shared)
    }

    /// Gives an owned shard to the thread that asks next. Who calls it writes to it no more.
    pub(crate) fn release(&self, index: u8) {
        let mut state = lock(&self.state);
        state.free |= 1 << index;
        self.vacant.store(true, Ordering::Relaxed);
    }

    /// Whether a thread with a shared shard does well to [`claim`](Self::claim) again. A hint: it may
    /// be too late.
    #[inline]
    pub(crate) fn vacant(&self) -> bool {
        self.vacant.load(Ordering::Relaxed)
    }

    /// A place that every thread may use.
    pub(crate) fn shared(&self) -> Place {
        Place::Shared(self.layout.owned)
    }
}
