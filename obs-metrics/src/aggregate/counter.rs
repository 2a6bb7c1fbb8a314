//! A sum of whole numbers.

use super::shards::Place;
use super::sync::{AtomicU64, Mutex, Ordering, layout, lock, place};

/// Adds up what several threads count.
///
/// A shard only ever grows, so that taking writes nothing that a recorder writes. All arithmetic is
/// modulo 2^64 and comes out right as long as less than 2^64 is added between two takes: at one
/// million a nanosecond that is over five hours.
pub(crate) struct CounterCell {
    shards: Box<[Shard]>,
    /// What all takes so far have returned.
    taken: Mutex<u64>,
}

/// A cache line of its own; two, because x86-64 fetches them in pairs and some arm64 have 128 bytes.
#[repr(align(128))]
struct Shard(AtomicU64);

impl CounterCell {
    pub(crate) fn new() -> Self {
        let shards = (0..layout().shards()).map(|_| Shard(AtomicU64::new(0))).collect();
        Self { shards, taken: Mutex::new(0) }
    }

    /// Adds `n`. Adding 0 leaves no trace.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        match place() {
            Place::Owned(index) => {
                if let Some(Shard(sum)) = self.shards.get(usize::from(index)) {
                    sum.store(sum.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
                }
            }
            Place::Shared(index) => {
                if let Some(Shard(sum)) = self.shards.get(usize::from(index)) {
                    sum.fetch_add(n, Ordering::Relaxed);
                }
            }
        }
    }

    /// All that was ever added, taken or not.
    pub(crate) fn total(&self) -> u64 {
        let all = self.shards.iter().map(|shard| shard.0.load(Ordering::Relaxed));
        all.fold(0, u64::wrapping_add)
    }

    /// What was added since the last take, or `None` where that is nothing.
    pub(crate) fn take(&self) -> Option<u64> {
        let mut taken = lock(&self.taken);
        let total = self.total();
        let since = total.wrapping_sub(*taken);
        *taken = total;
        (since != 0).then_some(since)
    }
}
