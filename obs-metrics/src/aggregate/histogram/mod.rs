//! Values with their counts: exact while they are few, in logarithmic buckets beyond that.
//!
//! ```text
//!  owner thread ──► Ring (64 values) ──► Table ──► Gathered ──► compress ──► Taken
//!                   no lock               under the shard's lock:  sorted, at most `most` values
//!                                         by the owner when the ring is full,
//!                                         by who takes
//!  other threads ──────────────────────► Table of a shared shard, under its lock
//! ```
//!
//! # How exact
//!
//! Always: the count, the minimum and the maximum, which are values of their own; and the sum,
//! within 1e-9 of the sum of magnitudes (in fact about 1e-15, however many values there are; half
//! the smallest subnormal number for each subnormal value besides, since their mean has no more bits).
//!
//! While a take has at most `most` distinct values, each of them. Beyond that, values are grouped,
//! and a group is represented by its mean, so a value moves by less than
//!
//! ```text
//! 1.001 * (10^(d / (most - 2)) * (1 + w) - 1)        w = 2^-floor(log2(656 / (3.33 * d + 0.4)))
//! ```
//!
//! of itself, where `d` is how many decades lie between the smallest and the largest value. Where
//! zero or both signs occur, it is `most - 4`, and `d` is the decades of both sides together. `w` is
//! the width of a table's bucket (beyond 190 decades a bucket is several powers of two wide, and in
//! place of `1 + w` stands their ratio).
//!
//! | from the smallest to the largest | 100 values | 150 values |
//! | --- | --- | --- |
//! | 1 decade | 3.2 % | 2.4 % |
//! | 2 decades | 6.5 % | 4.8 % |
//! | 4 decades | 13.4 % | 9.8 % |
//! | 6 decades | 18.8 % | 13.3 % |
//! | 9 decades | 31.4 % | 22.3 % |
//!
//! That is the worst case; values that lie in clusters come out better. Subnormal numbers (below
//! 2.3e-308) have fewer bits, and no bound relative to themselves.
//!
//! # Memory
//!
//! Nothing before the first value; then for each thread that records, 0.6 KB for the ring and up to
//! 660 entries of 32 bytes with an index of 2 KB: 24 KB at most, however long nothing is taken.
//! It is kept from one take to the next, so that recording allocates no more.

mod gathered;
mod ring;
mod table;

pub(crate) use gathered::Taken;
pub(crate) use ring::Ring;

use super::compress;
use super::shards::Place;
use super::sync::{self, Mutex, OnceLock, layout, lock, place, try_lock};
use gathered::Gathered;
use table::Table;

/// Values that the owner of a shard holds back until it needs the lock: few enough to add up within a
/// microsecond, enough to forget what a lock costs.
const HELD: usize = 64;

/// The values of a histogram since they were last taken.
pub(crate) struct HistogramCell {
    shards: Box<[OnceLock<Box<Shard>>]>,
    /// The first shard that all threads share.
    shared: usize,
}

#[repr(align(128))]
struct Shard {
    ring: Ring<HELD>,
    table: Mutex<Table>,
}

impl HistogramCell {
    pub(crate) fn new() -> Self {
        let layout = layout();
        Self {
            shards: (0..layout.shards()).map(|_| OnceLock::new()).collect(),
            shared: usize::from(layout.owned),
        }
    }

    /// Counts `value`, which is finite and within ±2^360.
    #[inline]
    pub(crate) fn record(&self, value: f64) {
        let place = place();
        if let Place::Owned(index) = place
            && let Some(shard) = self.shards.get(usize::from(index)).and_then(OnceLock::get)
            && shard.ring.push(value.to_bits())
        {
            return;
        }
        self.add(place, value, 1);
    }

    /// Counts `value`, which is finite and within ±2^360, `n` times; 0 times leaves no trace.
    pub(crate) fn record_n(&self, value: f64, n: u64) {
        match n {
            0 => {}
            1 => self.record(value),
            _ => self.add(place(), value, n),
        }
    }

    /// Adds to the table of the thread's shard, with what its ring holds.
    ///
    /// Where somebody takes from that shard right now, a shared one does as well. Only where each of
    /// those is busy too is there a wait, for one that holds its lock for microseconds.
    #[inline(never)]
    fn add(&self, place: Place, value: f64, n: u64) {
        let (Place::Owned(index) | Place::Shared(index)) = place;
        let Some(own) = self.shard(usize::from(index)) else { return };
        if let Some(mut table) = try_lock(&own.table) {
            own.empty_ring(&mut table);
            table.add(value.to_bits(), n);
            return;
        }
        for index in self.shared..self.shards.len() {
            if let Some(mut table) = self.shard(index).and_then(|shard| try_lock(&shard.table)) {
                table.add(value.to_bits(), n);
                return;
            }
        }
        lock(&own.table).add(value.to_bits(), n);
    }

    fn shard(&self, index: usize) -> Option<&Shard> {
        let shard = self
            .shards
            .get(index)?
            .get_or_init(|| Box::new(Shard { ring: Ring::new(), table: Mutex::new(Table::new()) }));
        Some(shard)
    }

    /// What was recorded since the last take, as at most `most` values (5 at least), or `None` where
    /// that is nothing.
    ///
    /// A value that is recorded meanwhile is in this take or in the next one.
    pub(crate) fn take(&self, most: usize) -> Option<Taken> {
        let mut gathered = Gathered::new();
        for shard in self.shards.iter().filter_map(OnceLock::get) {
            let mut table = lock(&shard.table);
            shard.empty_ring(&mut table);
            gathered.take_from(&mut table);
        }
        gathered.into_taken(most)
    }

    /// Entries and places of the index that all tables have room for.
    #[cfg(test)]
    pub(crate) fn room(&self) -> (usize, usize) {
        self.shards.iter().filter_map(OnceLock::get).map(|shard| lock(&shard.table).room()).fold(
            (0, 0),
            |(entries, places), (more_entries, more_places)| {
                (entries + more_entries, places + more_places)
            },
        )
    }
}

impl Shard {
    fn empty_ring(&self, table: &mut Table) {
        self.ring.drain(|bits| table.add(bits, 1));
    }
}
