//! Encoded fields: the bytes of `,"key":value` after `,"key":value`, with an index over them, so
//! that a span's fields are encoded once and copied into each of its lines.

use std::ops::Range;

use obs_core::json::Piece;

use crate::limit;

/// A field's name, encoded once per callsite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// `,"name":`
    encoded: Piece,
    bit: u64,
}

impl Key {
    pub(crate) fn new(name: &str) -> Self {
        let mut encoded = Vec::with_capacity(name.len() + 4);
        encode_key(&mut encoded, name);
        let bit = bit_of(&encoded);
        Self { encoded: Piece::new(&encoded), bit }
    }
}

/// Encoded fields in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// One bit per name, by its hash: two sets whose masks share no bit share no name, which is the
    /// common case and makes joining them one copy.
    mask: u64,
}

/// Where one field lies in the bytes: `bytes[start..value]` is `,"key":`, `bytes[value..end]` its
/// value.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    value: usize,
    end: usize,
    bit: u64,
}

/// No fields at all.
pub(crate) static NONE: Fields = Fields { bytes: Vec::new(), entries: Vec::new(), mask: 0 };

impl Fields {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All fields as they stand in a line: `,"key":value,"key":value`.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the buffers hold on to, in bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.mask = 0;
    }

    /// Adds a field whose value `write` appends. It may stand there already: see [`Fields::dedupe`].
    #[inline]
    pub(crate) fn push(&mut self, key: &Key, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        key.encoded.append_to(&mut self.bytes);
        self.end(start, key.bit, write);
    }

    /// As [`Fields::push`], for a name that has no [`Key`].
    pub(crate) fn push_named(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        encode_key(&mut self.bytes, name);
        self.end(start, bit_of(&self.bytes[start..]), write);
    }

    #[inline]
    fn end(&mut self, start: usize, bit: u64, write: impl FnOnce(&mut Vec<u8>)) {
        let value = self.bytes.len();
        write(&mut self.bytes);
        self.mask |= bit;
        self.entries.push(Entry { start, value, end: self.bytes.len(), bit });
    }

    /// Takes the last field out again, and returns nothing of it.
    pub(crate) fn pop(&mut self) {
        if let Some(entry) = self.entries.pop() {
            // The mask keeps the bit: a bit too many costs a comparison, never a wrong result.
            self.bytes.truncate(entry.start);
        }
    }

    /// The last field's value.
    pub(crate) fn last_value(&self) -> &[u8] {
        self.entries.last().map_or(&[], |entry| &self.bytes[entry.value..entry.end])
    }

    /// Cuts each text that alone is longer than a line may be.
    #[cold]
    pub(crate) fn fit_values(&mut self, most: usize) {
        let mut fitted = Self::default();
        for Entry { start, value, end, bit } in std::mem::take(&mut self.entries) {
            let at = fitted.bytes.len();
            fitted.bytes.extend_from_slice(&self.bytes[start..value]);
            let mut cut = self.bytes[value..end].to_vec();
            limit::fit_value(&mut cut, most);
            fitted.end(at, bit, |out| out.extend_from_slice(&cut));
        }
        *self = fitted;
    }

    /// Leaves one field of each name: the one that was added last.
    pub(crate) fn dedupe(&mut self) {
        let repeats =
            |index| (index + 1..self.len()).any(|later| self.key(later) == self.key(index));
        if !(0..self.len()).any(repeats) {
            return;
        }
        let mut kept = Self::default();
        for index in (0..self.len()).filter(|index| !repeats(*index)) {
            kept.copy_entry(self, index);
        }
        *self = kept;
    }

    /// Appends to `line` the fields whose names none of `inner` has.
    #[inline]
    pub(crate) fn write_without(&self, inner: &[&Fields], line: &mut Vec<u8>) {
        if !self.is_empty() {
            self.write_some_without(inner, line);
        }
    }

    fn write_some_without(&self, inner: &[&Fields], line: &mut Vec<u8>) {
        if inner.iter().all(|inner| self.mask & inner.mask == 0) {
            line.extend_from_slice(&self.bytes);
            return;
        }
        for (index, entry) in self.entries.iter().enumerate() {
            let key = self.key(index);
            if !inner.iter().any(|inner| inner.mask & entry.bit != 0 && inner.find(key).is_some()) {
                line.extend_from_slice(&self.bytes[entry.start..entry.end]);
            }
        }
    }

    /// Adds the fields of `from` in `range`, except those whose names are in `unless`.
    pub(crate) fn extend_without(&mut self, from: &Fields, range: Range<usize>, unless: &Fields) {
        if range == (0..from.len()) && from.mask & unless.mask == 0 {
            let shift = self.bytes.len();
            self.bytes.extend_from_slice(&from.bytes);
            self.mask |= from.mask;
            self.entries.extend(from.entries.iter().map(|entry| Entry {
                start: entry.start + shift,
                value: entry.value + shift,
                end: entry.end + shift,
                bit: entry.bit,
            }));
            return;
        }
        for index in range {
            let bit = from.entries[index].bit;
            if unless.mask & bit == 0 || unless.find(from.key(index)).is_none() {
                self.copy_entry(from, index);
            }
        }
    }

    fn copy_entry(&mut self, from: &Fields, index: usize) {
        let Entry { start, value, end, bit } = from.entries[index];
        let to = self.bytes.len();
        self.bytes.extend_from_slice(&from.bytes[start..end]);
        self.mask |= bit;
        self.entries.push(Entry {
            start: to,
            value: to + value - start,
            end: to + end - start,
            bit,
        });
    }

    fn find(&self, encoded_key: &[u8]) -> Option<usize> {
        (0..self.len()).find(|index| self.key(*index) == encoded_key)
    }

    /// The encoded key, `,"name":`, of the field at `index`.
    fn key(&self, index: usize) -> &[u8] {
        let entry = self.entries[index];
        &self.bytes[entry.start..entry.value]
    }
}

fn encode_key(out: &mut Vec<u8>, name: &str) {
    out.push(b',');
    obs_core::json::string(out, name);
    out.push(b':');
}

/// One of 64 bits, by the hash (FNV-1a) of an encoded key.
fn bit_of(encoded_key: &[u8]) -> u64 {
    let hash = encoded_key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    1 << (hash >> 58)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(of: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in of {
            fields.push(&Key::new(name), |out| out.extend_from_slice(value.as_bytes()));
        }
        fields
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_name_that_is_not_plain_is_escaped() {
        assert_eq!(text(Key::new("a \"b\"\n").encoded.as_bytes()), r#","a \"b\"\n":"#);
    }

    #[test]
    fn the_last_of_a_name_wins_within_one_set() {
        // 29
        let mut twice = fields(&[("a", "1"), ("b", "2"), ("a", "3")]);
        twice.dedupe();
        assert_eq!(text(twice.bytes()), r#","b":2,"a":3"#);
        assert_eq!(twice.len(), 2);
    }

    #[test]
    fn the_inner_set_wins_over_the_outer() {
        // 29, with and without names in common
        let outer = fields(&[("a", "1"), ("b", "2")]);
        for (inner, expected) in [
            (fields(&[("c", "3")]), r#","a":1,"b":2"#),
            (fields(&[("b", "3")]), r#","a":1"#),
            (fields(&[("b", "3"), ("a", "4")]), ""),
            (Fields::default(), r#","a":1,"b":2"#),
        ] {
            let mut line = Vec::new();
            outer.write_without(&[&inner], &mut line);
            assert_eq!(text(&line), expected);
            let mut joined = Fields::default();
            joined.extend_without(&outer, 0..outer.len(), &inner);
            assert_eq!(text(joined.bytes()), expected);
        }
    }

    #[test]
    fn a_field_that_was_popped_is_gone() {
        let mut some = fields(&[("a", "1"), ("b", "22")]);
        assert_eq!(some.last_value(), b"22");
        some.pop();
        assert_eq!(text(some.bytes()), r#","a":1"#);
        some.pop();
        some.pop();
        assert!(some.is_empty());
        assert_eq!(some.last_value(), b"");
    }
}
