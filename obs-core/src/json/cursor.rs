//! JSON into a buffer that is there already, for lines of which most is known beforehand.
//!
//! Everything is copied in moves of constant size, which the compiler turns into a few instructions
//! where an append to a vector asks for room and calls a copy: what is written may therefore go over
//! the end of a value, and is written over by the next.

use super::{EXACT_INTEGERS, exact_thousandths, is_plain, string};
use crate::clock::{eight_digits, millis_digits};

/// Bytes that a piece is copied by.
const STEP: usize = 32;

/// Bytes that are written often: kept so that they are copied without a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Filled up with zeros.
    steps: Box<[[u8; STEP]]>,
    len: usize,
}

impl Piece {
    /// A piece of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let steps = bytes.chunks(STEP).map(|chunk| {
            let mut step = [0; STEP];
            step[..chunk.len()].copy_from_slice(chunk);
            step
        });
        Self { steps: steps.collect(), len: bytes.len() }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.steps.as_flattened()[..self.len]
    }
}

/// Writes JSON into a buffer of a size that does not change.
///
/// Where the buffer ends, it goes on without writing, and [`Cursor::written`] says so: for lines that
/// are expected to fit, and are written in another way where they do not.
///
/// ```
/// use obs_core::json::{Cursor, Piece};
///
/// let key = Piece::new(b"{\"duration\":");
/// let mut buffer = [0; 256];
/// let mut cursor = Cursor::new(&mut buffer);
/// cursor.piece(&key);
/// cursor.float(1.275);
/// cursor.bytes(b"}");
/// assert_eq!(cursor.written(), Some(&br#"{"duration":1.275}"#[..]));
/// ```
#[derive(Debug)]
pub struct Cursor<'a> {
    buf: &'a mut [u8],
    /// Beyond the end once something did not fit.
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Writes into `buf` from its beginning on. A value needs some 40 bytes more than it has, a
    /// [`Piece`] 32.
    pub fn new(buf: &'a mut [u8]) -> Self {
        Self { buf, at: 0 }
    }

    /// What was written; `None` where it did not fit.
    pub fn written(self) -> Option<&'a [u8]> {
        self.buf.get(..self.at)
    }

    /// How many bytes were written; `None` where they did not fit.
    #[expect(clippy::len_without_is_empty, reason = "a length to cut the buffer at")]
    pub fn len(&self) -> Option<usize> {
        (self.at <= self.buf.len()).then_some(self.at)
    }

    /// Writes a piece as it is.
    #[inline]
    pub fn piece(&mut self, piece: &Piece) {
        let mut at = self.at;
        for step in &piece.steps {
            self.put_at(at, step);
            at = at.saturating_add(STEP);
        }
        // Where a step did not fit, this is beyond the end.
        self.at = self.at.saturating_add(piece.len);
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        match self.buf.get_mut(self.at..self.at.saturating_add(bytes.len())) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.at += bytes.len();
            }
            None => self.fail(),
        }
    }

    /// Writes `text` as a JSON string, with its quotes.
    #[inline]
    pub fn string(&mut self, text: &str) {
        let bytes = text.as_bytes();
        if bytes.len() > 2 * STEP || !is_plain(bytes) {
            return self.any_string(text);
        }
        self.byte(b'"');
        self.short(bytes);
        self.byte(b'"');
    }

    /// Writes a number as [`json::float`](super::float) does.
    #[inline]
    pub fn float(&mut self, value: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "compared with the value")]
        let whole = value as i64;
        if whole as f64 == value && value.abs() < EXACT_INTEGERS {
            if whole < 0 {
                self.byte(b'-');
            }
            self.uint(whole.unsigned_abs());
        } else if let Some(thousandths) = exact_thousandths(value.abs())
            && thousandths < EIGHT_DIGITS
        {
            if value < 0.0 {
                self.byte(b'-');
            }
            self.decimal(thousandths);
        } else {
            self.any(|buf| super::float(buf, value));
        }
    }

    /// Writes an unsigned integer.
    #[inline]
    pub fn uint(&mut self, value: u64) {
        if value < EIGHT_DIGITS {
            let digits = u64::from_le_bytes(eight_digits(value));
            // The last digit stays, be it a zero.
            let zeros = leading_zeros(digits, 7);
            self.put((digits >> (8 * zeros)).to_le_bytes(), 8 - zeros);
        } else {
            self.any(|buf| super::uint(buf, value));
        }
    }

    /// Writes an integer.
    #[inline]
    pub fn int(&mut self, value: i64) {
        if value < 0 {
            self.byte(b'-');
        }
        self.uint(value.unsigned_abs());
    }

    /// Writes a time in milliseconds.
    #[inline]
    pub fn millis(&mut self, millis: u64) {
        match millis_digits(millis) {
            Some(digits) => self.put(digits, digits.len()),
            None => self.uint(millis),
        }
    }

    /// Writes `true` or `false`.
    pub fn boolean(&mut self, value: bool) {
        self.bytes(if value { b"true" } else { b"false" });
    }

    /// Writes what `write` appends, through a buffer of its own: for what is rare.
    #[cold]
    #[inline(never)]
    pub fn any(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut buf = Vec::new();
        write(&mut buf);
        self.bytes(&buf);
    }

    /// A string that is long or has something to escape.
    #[inline(never)]
    fn any_string(&mut self, text: &str) {
        if is_plain(text.as_bytes()) {
            self.byte(b'"');
            self.bytes(text.as_bytes());
            self.byte(b'"');
        } else {
            self.any(|buf| string(buf, text));
        }
    }

    /// Writes a number of thousandths below 10^8 that is not whole.
    #[inline]
    fn decimal(&mut self, thousandths: u64) {
        let digits = u64::from_le_bytes(eight_digits(thousandths));
        // Five digits before the point, of which the last stays, and three behind it.
        let zeros = leading_zeros(digits, 4);
        self.put((digits >> (8 * zeros)).to_le_bytes(), 5 - zeros);
        let fraction = (digits >> 40) << 8 | u64::from(b'.');
        let trailing = match (digits >> 48) ^ 0x3030 {
            0 => 2,
            rest if rest >> 8 == 0 => 1,
            _ => 0,
        };
        self.put(fraction.to_le_bytes(), 4 - trailing);
    }

    /// Copies 1 to 64 bytes: its beginning and its end, which overlap.
    #[inline]
    fn short(&mut self, bytes: &[u8]) {
        let len = bytes.len();
        if let (Some(first), Some(last)) = (bytes.first_chunk::<32>(), bytes.last_chunk::<32>()) {
            self.ends(first, last, len);
        } else if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk()) {
            self.ends(first, last, len);
        } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk()) {
            self.ends(first, last, len);
        } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk()) {
            self.ends(first, last, len);
        } else if let (Some(first), Some(last)) = (bytes.first_chunk::<2>(), bytes.last_chunk()) {
            self.ends(first, last, len);
        } else if let Some(first) = bytes.first() {
            self.byte(*first);
        }
    }

    #[inline]
    fn ends<const N: usize>(&mut self, first: &[u8; N], last: &[u8; N], len: usize) {
        self.put_at(self.at, first);
        self.put_at(self.at.saturating_add(len - N), last);
        self.at = self.at.saturating_add(len);
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.put([byte], 1);
    }

    /// Writes `bytes`, of which the first `len` count.
    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N], len: usize) {
        self.put_at(self.at, &bytes);
        self.at = self.at.saturating_add(len);
    }

    #[inline]
    fn put_at<const N: usize>(&mut self, at: usize, bytes: &[u8; N]) {
        match self.buf.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<N>()) {
            Some(place) => *place = *bytes,
            None => self.fail(),
        }
    }

    /// Nothing fits from now on.
    #[cold]
    fn fail(&mut self) {
        self.buf = &mut [];
        self.at = 1;
    }
}

/// The first number of nine digits.
const EIGHT_DIGITS: u64 = 100_000_000;

/// How many of the first digits are zeros, `most` at most.
#[inline]
fn leading_zeros(digits: u64, most: usize) -> usize {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    (((digits ^ ZEROS).trailing_zeros() / 8) as usize).min(most)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json;

    /// What the cursor writes, in front of something that it must not touch.
    fn written(write: impl FnOnce(&mut Cursor<'_>)) -> String {
        let mut buffer = [0; 1024];
        let mut cursor = Cursor::new(&mut buffer);
        write(&mut cursor);
        cursor.bytes(b"|");
        String::from_utf8(cursor.written().unwrap().to_vec()).unwrap()
    }

    fn appended(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut buf = Vec::new();
        write(&mut buf);
        buf.push(b'|');
        String::from_utf8(buf).unwrap()
    }

    fn check_float(value: f64) {
        assert_eq!(written(|c| c.float(value)), appended(|buf| json::float(buf, value)), "{value}");
    }

    #[test]
    fn numbers_are_written_as_elsewhere() {
        for value in [0, 1, 9, 10, 99_999_999, 100_000_000, u64::MAX] {
            assert_eq!(written(|c| c.uint(value)), format!("{value}|"));
        }
        for value in [0, -1, 7, -99_999_999, i64::MIN, i64::MAX] {
            assert_eq!(written(|c| c.int(value)), format!("{value}|"));
        }
        for millis in [0, 999, 1_700_000_000_000, u64::MAX] {
            assert_eq!(written(|c| c.millis(millis)), format!("{millis}|"));
        }
        for value in [0.0, -0.0, 1.275, 98.6, -98.6, 0.5, 0.001, 0.1, 1e-7, 99_999.999, 1e300] {
            check_float(value);
        }
        for value in [100_000.001, 1e15 + 0.5, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 250.0] {
            check_float(value);
        }
    }

    #[test]
    fn strings_of_any_length_are_written() {
        for len in 0..200 {
            let text: String = ('a'..='z').cycle().take(len).collect();
            assert_eq!(written(|c| c.string(&text)), format!("\"{text}\"|"));
        }
    }

    #[test]
    fn a_piece_is_its_bytes() {
        for len in [0, 1, 31, 32, 33, 64, 300] {
            let bytes: Vec<u8> = (b'a'..=b'z').cycle().take(len).collect();
            let piece = Piece::new(&bytes);
            assert_eq!(piece.as_bytes(), bytes);
            let expected = format!("{}|", String::from_utf8(bytes).unwrap());
            assert_eq!(written(|c| c.piece(&piece)), expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let piece = Piece::new(b"abc");
        for size in 0..64 {
            let mut buffer = vec![0; size];
            let mut cursor = Cursor::new(&mut buffer);
            for _ in 0..30 {
                cursor.piece(&piece);
            }
            cursor.string("text");
            cursor.float(1.5);
            cursor.bytes(b"x");
            assert_eq!((cursor.len(), cursor.written()), (None, None), "{size}");
        }
        let mut cursor = Cursor::new(&mut []);
        cursor.bytes(b"");
        assert_eq!((cursor.len(), cursor.written()), (Some(0), Some(&b""[..])));
    }

    proptest! {
        #[test]
        fn any_text_is_written_as_elsewhere(text in "\\PC{0,80}|[ -~]{0,80}|.{0,20}") {
            prop_assert_eq!(written(|c| c.string(&text)), appended(|buf| json::string(buf, &text)));
        }

        #[test]
        fn any_number_is_written_as_elsewhere(n in any::<f64>(), k in -200_000_000_i64..200_000_000) {
            check_float(n);
            check_float(k as f64 / 1000.0);
            check_float(k as f64);
        }
    }
}
