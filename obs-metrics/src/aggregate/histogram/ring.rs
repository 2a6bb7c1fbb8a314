//! What one thread has recorded and nobody has added up yet.

use super::sync::{AtomicU64, AtomicUsize, Ordering};

/// A queue of `N` values (a power of two) from one thread to one other.
///
/// Both may change over time, each after the one before it: who pushes is the shard's owner, who
/// drains holds the shard's lock.
pub(crate) struct Ring<const N: usize> {
    /// How many were pushed. Written by who pushes alone.
    tail: AtomicUsize,
    /// How many were drained. Written by who drains alone.
    head: AtomicUsize,
    slots: [AtomicU64; N],
}

impl<const N: usize> Ring<N> {
    pub(crate) fn new() -> Self {
        const { assert!(N.is_power_of_two(), "the counts wrap around") };
        Self {
            tail: AtomicUsize::new(0),
            head: AtomicUsize::new(0),
            slots: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Appends, unless it is full.
    #[inline]
    pub(crate) fn push(&self, bits: u64) -> bool {
        let tail = self.tail.load(Ordering::Relaxed);
        // Acquire: the slot is read before it is written again.
        if tail.wrapping_sub(self.head.load(Ordering::Acquire)) >= N {
            return false;
        }
        self.slots[tail % N].store(bits, Ordering::Relaxed);
        self.tail.store(tail.wrapping_add(1), Ordering::Release);
        true
    }

    /// Hands over all that was pushed before. At most `N` values, however fast more arrive.
    pub(crate) fn drain(&self, mut each: impl FnMut(u64)) {
        let tail = self.tail.load(Ordering::Acquire);
        let mut head = self.head.load(Ordering::Relaxed);
        while head != tail {
            each(self.slots[head % N].load(Ordering::Relaxed));
            head = head.wrapping_add(1);
        }
        self.head.store(head, Ordering::Release);
    }
}
