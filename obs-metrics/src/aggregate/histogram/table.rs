//! Distinct values with their counts, or buckets once there are too many of them.
//!
//! A bucket is a prefix of a number's bits: the sign, the exponent and as much of the fraction as
//! fits. While nothing is cut off (`shift` 0), a bucket is one value. When the table is full, `shift`
//! grows by as much as is needed, and buckets that have become one are added up. So the buckets are
//! as narrow as the range of values allows, need no logarithm, and shrink to a few for any range.

/// The most entries. Two decades have room for 64 buckets in each power of two, six for 32.
pub(crate) const LIMIT: usize = 660;

/// Places of the index to begin with; a power of two.
const FIRST_INDEX: usize = 32;

pub(crate) struct Table {
    entries: Vec<Entry>,
    /// Where an entry is, plus 1; 0 is nowhere. Open addressing, at most two thirds taken.
    index: Vec<u16>,
    /// How many low bits of the values are cut off.
    shift: u32,
    /// 0 has no place among logarithmic buckets.
    zeros: u64,
    /// Kept once `shift` is not 0; before, the entries know.
    range: Range,
}

/// One value, or one bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Entry {
    /// The bits of its values, without the low `shift` ones.
    pub(crate) key: u64,
    pub(crate) count: u64,
    /// The sum of the values, as long as `shift` is not 0: `sum + rest`, where `rest` is what was
    /// rounded off. With `sum` alone, some billions of values would be off by more than 1e-9.
    sum: f64,
    rest: f64,
}

/// The smallest and the largest value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// What a table held.
pub(crate) struct Part<'a> {
    pub(crate) entries: &'a [Entry],
    pub(crate) shift: u32,
    pub(crate) zeros: u64,
    pub(crate) range: Range,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            entries: Vec::with_capacity(FIRST_INDEX / 2),
            index: vec![0; FIRST_INDEX],
            shift: 0,
            zeros: 0,
            range: Range::EMPTY,
        }
    }

    /// Counts the finite number with these bits `n` times.
    pub(crate) fn add(&mut self, bits: u64, n: u64) {
        let value = f64::from_bits(bits);
        if value == 0.0 {
            self.zeros = self.zeros.saturating_add(n);
            return;
        }
        let at = match self.find(bits >> self.shift) {
            Ok(at) => at,
            Err(place) => self.insert(bits, place),
        };
        let entry = &mut self.entries[at];
        entry.count = entry.count.saturating_add(n);
        if self.shift > 0 {
            entry.sum_up(value * as_f64(n));
            self.range.widen(value);
        }
    }

    /// What was added, and forgets it: the table is empty when `use_it` has returned.
    pub(crate) fn take<R>(&mut self, use_it: impl FnOnce(Part<'_>) -> R) -> R {
        if self.shift == 0 {
            self.know_sums();
        }
        let (shift, zeros, range) = (self.shift, self.zeros, self.range);
        let result = use_it(Part { entries: &self.entries, shift, zeros, range });
        if !self.entries.is_empty() {
            self.entries.clear();
            self.index.fill(0);
        }
        self.shift = 0;
        self.zeros = 0;
        self.range = Range::EMPTY;
        result
    }

    /// How many entries and places of the index there is room for.
    #[cfg(test)]
    pub(crate) fn room(&self) -> (usize, usize) {
        (self.entries.capacity(), self.index.len())
    }

    /// Where the entry is, or the free place of the index that it would have.
    #[inline]
    fn find(&self, key: u64) -> Result<usize, usize> {
        let mask = self.index.len() - 1;
        let mut place = hash(key) & mask;
        loop {
            match usize::from(self.index[place]) {
                0 => return Err(place),
                next if self.entries[next - 1].key == key => return Ok(next - 1),
                _ => place = (place + 1) & mask,
            }
        }
    }

    /// Makes an entry with count 0; `place` is where the index is free for it.
    #[cold]
    fn insert(&mut self, bits: u64, mut place: usize) -> usize {
        if self.entries.len() == LIMIT {
            self.coarsen();
            match self.find(bits >> self.shift) {
                Ok(at) => return at,
                Err(free) => place = free,
            }
        }
        let at = self.entries.len();
        if at == self.entries.capacity() {
            self.entries.reserve_exact(at.min(LIMIT - at));
        }
        self.entries.push(Entry { key: bits >> self.shift, count: 0, sum: 0.0, rest: 0.0 });
        if self.entries.len() * 3 > self.index.len() * 2 {
            self.index.resize(self.index.len() * 2, 0);
            self.index_anew();
        } else {
            self.index[place] = number(at);
        }
        at
    }

    /// Makes the buckets wider until one more fits.
    fn coarsen(&mut self) {
        if self.shift == 0 {
            self.know_sums();
        }
        let drop = merge(&mut self.entries, LIMIT - 1);
        self.shift += drop;
        self.index_anew();
    }

    /// From one value an entry to buckets: sums and range, which the values alone told so far.
    fn know_sums(&mut self) {
        for entry in &mut self.entries {
            let value = f64::from_bits(entry.key);
            entry.sum = value * as_f64(entry.count);
            self.range.widen(value);
        }
    }

    fn index_anew(&mut self) {
        self.index.fill(0);
        for at in 0..self.entries.len() {
            // No two entries have one key.
            if let Err(place) = self.find(self.entries[at].key) {
                self.index[place] = number(at);
            }
        }
    }
}

impl Entry {
    /// The sum of its values.
    pub(crate) fn sum(&self) -> f64 {
        self.sum + self.rest
    }

    /// The entry in a table whose keys have `bits` bits less.
    pub(crate) fn cut(self, bits: u32) -> Self {
        Self { key: self.key >> bits, ..self }
    }

    /// Adds without losing what is rounded off (Knuth's TwoSum).
    #[inline]
    fn sum_up(&mut self, value: f64) {
        let sum = self.sum + value;
        let added = sum - self.sum;
        self.rest += (self.sum - (sum - added)) + (value - added);
        self.sum = sum;
    }

    fn absorb(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum_up(other.sum);
        self.rest += other.rest;
    }
}

impl Range {
    pub(crate) const EMPTY: Self = Self { min: f64::INFINITY, max: f64::NEG_INFINITY };

    #[inline]
    pub(crate) fn widen(&mut self, value: f64) {
        if value < self.min {
            self.min = value;
        }
        if value > self.max {
            self.max = value;
        }
    }
}

/// Cuts bits off all keys until at most `most` entries are left (2 at least), and says how many.
/// The entries are sorted by their keys afterwards.
fn merge(entries: &mut Vec<Entry>, most: usize) -> u32 {
    entries.sort_unstable_by_key(|entry| entry.key);
    let bits = bits_to_cut(entries.iter().map(|entry| entry.key), most);
    for entry in entries.iter_mut() {
        *entry = entry.cut(bits);
    }
    sum_equal(entries);
    bits
}

/// Adds up entries of one key; they are sorted.
pub(crate) fn sum_equal(entries: &mut Vec<Entry>) {
    entries.dedup_by(|next, kept| {
        let same = next.key == kept.key;
        if same {
            kept.absorb(next);
        }
        same
    });
}

/// How many low bits to cut off sorted keys so that at most `most` distinct ones are left. Two always
/// are where the highest bits differ.
pub(crate) fn bits_to_cut(sorted: impl Iterator<Item = u64>, most: usize) -> u32 {
    // Two neighbours become one key once all bits are cut off in which they differ.
    let mut pairs_of_length = [0_usize; 65];
    let mut before = None;
    for key in sorted {
        if let Some(before) = before.replace(key) {
            pairs_of_length[(64 - (before ^ key).leading_zeros()) as usize] += 1;
        }
    }
    let mut bits = 63;
    let mut distinct = 1 + pairs_of_length[64];
    while bits > 0 && distinct + pairs_of_length[bits] <= most {
        distinct += pairs_of_length[bits];
        bits -= 1;
    }
    u32::try_from(bits).unwrap_or(63)
}

/// Spreads keys whose low bits are all 0, as those of small whole numbers are.
#[inline]
fn hash(key: u64) -> usize {
    let mixed = (key ^ (key >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    // The high bits are the mixed ones, and more than an index has.
    (mixed >> 48) as usize
}

fn number(at: usize) -> u16 {
    u16::try_from(at + 1).unwrap_or(0)
}

/// Within 2^-53 of itself, which is less than a sum loses.
fn as_f64(count: u64) -> f64 {
    count as f64
}
