//! The shards of one histogram, put together.

use super::compress::{Bin, compress};
use super::table::{Entry, Part, Range, Table, sum_equal};

/// The values of a histogram: what one datum of a metric takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Taken {
    /// Ascending and distinct, each with how often it occurred.
    pub(crate) values: Vec<(f64, u64)>,
    /// How many values were recorded.
    pub(crate) count: u64,
    /// Their sum.
    pub(crate) sum: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// What was taken from the tables so far, all cut to the same width.
pub(crate) struct Gathered {
    entries: Vec<Entry>,
    shift: u32,
    zeros: u64,
    range: Range,
    tables: usize,
}

impl Gathered {
    pub(crate) fn new() -> Self {
        Self { entries: Vec::new(), shift: 0, zeros: 0, range: Range::EMPTY, tables: 0 }
    }

    /// Takes what is in `table`, whose lock is held: copies and nothing else.
    pub(crate) fn take_from(&mut self, table: &mut Table) {
        table.take(|part| self.append(part));
    }

    fn append(&mut self, Part { entries, shift, zeros, range }: Part<'_>) {
        self.zeros = self.zeros.saturating_add(zeros);
        if entries.is_empty() {
            return;
        }
        let width = self.shift.max(shift);
        for entry in &mut self.entries {
            *entry = entry.cut(width - self.shift);
        }
        let new = entries.iter().map(|entry| entry.cut(width - shift));
        self.entries.extend(new);
        self.shift = width;
        self.range.widen(range.min);
        self.range.widen(range.max);
        self.tables += 1;
    }

    /// At most `most` values, or `None` where nothing was recorded.
    pub(crate) fn into_taken(mut self, most: usize) -> Option<Taken> {
        if self.zeros > 0 {
            self.range.widen(0.0);
        } else if self.entries.is_empty() {
            return None;
        }
        self.entries.sort_unstable_by_key(|entry| entry.key);
        if self.tables > 1 {
            sum_equal(&mut self.entries);
        }
        let bins = self.bins();
        let count = bins.iter().fold(0_u64, |count, bin| count.saturating_add(bin.count));
        let sum = bins.iter().map(|bin| bin.sum).sum();
        let values = compress(bins, most);
        Some(Taken { values, count, sum, min: self.range.min, max: self.range.max })
    }

    /// The entries as ascending intervals.
    fn bins(&self) -> Vec<Bin> {
        // Sorted by their bits, the positive numbers come first, then the negative ones, each by
        // their magnitudes.
        let positive = self.entries.partition_point(|entry| !self.is_negative(entry));
        let (positive, negative) = self.entries.split_at(positive);
        let zero = Bin { low: 0.0, high: 0.0, count: self.zeros, sum: 0.0 };
        let mut bins = Vec::with_capacity(self.entries.len() + 1);
        bins.extend(negative.iter().rev().map(|entry| self.bin(entry)));
        bins.extend((self.zeros > 0).then_some(zero));
        bins.extend(positive.iter().map(|entry| self.bin(entry)));
        bins
    }

    fn bin(&self, entry: &Entry) -> Bin {
        let first = entry.key << self.shift;
        let last = first | ((1 << self.shift) - 1);
        // All bits but the sign 0 would be zero, which is no value of a bucket.
        let near = f64::from_bits(if first << 1 == 0 { first | 1 } else { first });
        let far = f64::from_bits(last);
        let (low, high) = if self.is_negative(entry) { (far, near) } else { (near, far) };
        let Range { min, max } = self.range;
        let (low, high) = (low.max(min), high.min(max));
        Bin { low, high, count: entry.count, sum: entry.sum() }
    }

    fn is_negative(&self, entry: &Entry) -> bool {
        entry.key >> (63 - self.shift) != 0
    }
}
