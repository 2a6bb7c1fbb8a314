//! What a lane carries: encoded lines in one buffer, or records in a vector.

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
}

/// Lines of bytes, each ended by a line feed, one after the other in one buffer.
#[derive(Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
    ends: Vec<usize>,
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
        self.ends.iter().scan(0, |start, end| {
            let line = self.bytes.get(*start..*end);
            *start = *end;
            line
        })
    }

    /// All lines as they stand one after the other.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Batch for Lines {
    #[inline]
    fn len(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    fn clear(&mut self, keep_bytes: usize) {
        self.bytes.clear();
        self.ends.clear();
        self.bytes.shrink_to(keep_bytes);
        self.ends.shrink_to(keep_bytes / size_of::<usize>());
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
}
