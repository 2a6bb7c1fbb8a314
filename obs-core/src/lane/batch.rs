//! What a lane carries: encoded lines in buffers, or records in a vector.

mod gathered;

use gathered::Gathered;

/// A growing collection that a lane fills and a sink empties. It is reused, so that a lane in its
/// steady state allocates nothing.
pub trait Batch: Default + Send + 'static {
    /// How many items there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all items and keeps the memory, but for what exceeds `keep_bytes`.
    fn clear(&mut self, keep_bytes: usize);

    /// What was added and has no stamp was recorded at this time.
    fn stamp(&mut self, at: u64) {
        let _ = at;
    }

    /// Moves the items of `part` here, where only such are. Those of a stamp come in its order, among
    /// equal ones in that of the parts.
    fn gather(&mut self, part: &mut Self);
}

/// Lines of bytes, each ended by a line feed, one after the other in one buffer.
#[derive(Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// One for each line, in a lane for many threads.
    stamps: Vec<u64>,
    /// Lines that come before those here. Kept apart: copying them costs as much as writing them did.
    gathered: Gathered,
}

impl Lines {
    /// Appends `line`, which has no line feed, and a line feed. Its weight is one byte more than its
    /// length.
    #[inline]
    pub fn push(&mut self, line: &[u8]) {
        self.bytes.reserve(line.len() + 1);
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        self.ends.push(self.bytes.len());
    }

    /// The lines, each with its line feed.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.gathered.iter(self)
    }

    /// All lines as they stand one after the other. Copies them together first, where many threads
    /// pushed them.
    pub fn as_bytes(&mut self) -> &[u8] {
        if self.gathered.lines() > 0 {
            let mut joined = Self::default();
            joined.bytes.reserve(self.gathered.bytes() + self.bytes.len());
            for line in self.iter() {
                joined.bytes.extend_from_slice(line);
                joined.ends.push(joined.bytes.len());
            }
            *self = joined;
        }
        &self.bytes
    }
}

impl Batch for Lines {
    #[inline]
    fn len(&self) -> usize {
        self.ends.len() + self.gathered.lines()
    }

    #[inline]
    fn clear(&mut self, keep_bytes: usize) {
        self.bytes.clear();
        self.ends.clear();
        self.stamps.clear();
        self.bytes.shrink_to(keep_bytes);
        self.ends.shrink_to(keep_bytes / size_of::<usize>());
        self.stamps.shrink_to(keep_bytes / size_of::<u64>());
        self.gathered.clear(keep_bytes.saturating_sub(self.bytes.capacity()));
    }

    #[inline]
    fn stamp(&mut self, at: u64) {
        if self.stamps.len() + 1 == self.ends.len() {
            self.stamps.push(at);
        } else {
            self.stamps.resize(self.ends.len(), at);
        }
    }

    fn gather(&mut self, part: &mut Self) {
        if !part.is_empty() {
            self.gathered.take(part);
        }
    }
}

/// Records of any type.
#[derive(Debug)]
pub struct Records<T> {
    items: Vec<T>,
}

impl<T> Records<T> {
    /// Appends a record. Its weight is what the caller says to [`Lane::push`](super::Lane::push).
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }

    /// The records.
    pub fn as_slice(&self) -> &[T] {
        &self.items
    }

    /// Takes all records out.
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = T> + '_ {
        self.items.drain(..)
    }
}

impl<T> Default for Records<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T: Send + 'static> Batch for Records<T> {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn clear(&mut self, keep_bytes: usize) {
        self.items.clear();
        self.items.shrink_to(keep_bytes / size_of::<T>().max(1));
    }

    fn gather(&mut self, part: &mut Self) {
        self.items.append(&mut part.items);
    }
}
