//! JSON into a buffer that is there already, for lines of which most is known beforehand.
//!
//! Everything is copied in moves of constant size, which the compiler turns into a few instructions
//! where an append to a vector asks for room and calls a copy: what is written may therefore go over
//! the end of a value, and is written over by the next.

use super::{EXACT_INTEGERS, candidates, exact_thousandths, is_plain, string};
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
    /// Writes into `buf` from its beginning on. A value needs some 70 bytes more than it has, a
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
            at = match self.buf.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
                Some(place) => {
                    *place = *step;
                    at + STEP
                }
                None => FULL,
            };
        }
        self.at = if at == FULL { FULL } else { self.at + piece.len };
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let end = self.at.saturating_add(bytes.len());
        self.at = match self.buf.get_mut(self.at..end) {
            Some(place) => {
                place.copy_from_slice(bytes);
                end
            }
            None => FULL,
        };
    }

    /// Writes `text` as a JSON string, with its quotes.
    #[inline]
    pub fn string(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let window = self.buf.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut::<WINDOW>);
        if window.is_some_and(|window| quoted(window, bytes)) {
            self.at += bytes.len() + 2;
        } else {
            self.any_string(text);
        }
    }

    /// Writes a number as [`json::float`](super::float) does.
    #[inline]
    pub fn float(&mut self, value: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "compared with the value")]
        let whole = value as i64;
        if whole as f64 == value && value.abs() < EXACT_INTEGERS {
            self.int(whole);
        } else if let Some(thousandths) = exact_thousandths(value.abs())
            && thousandths < EIGHT_DIGITS
            && let Some(window) = self.buf.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut)
        {
            self.at += decimal(window, value < 0.0, thousandths);
        } else {
            self.any(|buf| super::float(buf, value));
        }
    }

    /// Writes an unsigned integer.
    #[inline]
    pub fn uint(&mut self, value: u64) {
        if value < EIGHT_DIGITS
            && let Some(place) = self.buf.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut)
        {
            let digits = u64::from_le_bytes(eight_digits(value));
            let len = digits_of(value);
            *place = (digits >> (8 * (8 - len))).to_le_bytes();
            self.at += len;
        } else {
            self.any(|buf| super::uint(buf, value));
        }
    }

    /// Writes an integer.
    #[inline]
    pub fn int(&mut self, value: i64) {
        if value < 0 {
            self.bytes(b"-");
        }
        self.uint(value.unsigned_abs());
    }

    /// Writes a time in milliseconds.
    #[inline]
    pub fn millis(&mut self, millis: u64) {
        match millis_digits(millis) {
            Some(digits) => self.bytes(&digits),
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

    /// A string that is long or has something to escape, or comes near the end.
    #[inline(never)]
    fn any_string(&mut self, text: &str) {
        if is_plain(text.as_bytes()) {
            self.bytes(b"\"");
            self.bytes(text.as_bytes());
            self.bytes(b"\"");
        } else {
            self.any(|buf| string(buf, text));
        }
    }
}

/// A place that no buffer has: nothing fits any more.
const FULL: usize = usize::MAX;

/// Room for 64 bytes and quotes.
const WINDOW: usize = 66;

/// Writes `bytes` between quotes, where they are at most 64 and have nothing to escape: what stands
/// in `window` otherwise is of no meaning. Copied as a beginning and an end, which overlap.
#[inline]
fn quoted(window: &mut [u8; WINDOW], bytes: &[u8]) -> bool {
    let len = bytes.len();
    let plain = if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        len <= 64 && {
            ends::<32>(window, first, last, len);
            are_plain(first) & are_plain(last)
        }
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        ends::<16>(window, first, last, len);
        are_plain(first) & are_plain(last)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        ends::<8>(window, first, last, len);
        (candidates(u64::from_le_bytes(*first)) | candidates(u64::from_le_bytes(*last))) == 0
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        ends::<4>(window, first, last, len);
        let [first, last] = [first, last].map(|four| u64::from(u32::from_le_bytes(*four)));
        candidates(first | last << 32) == 0
    } else {
        // Three at most.
        for (place, byte) in window.iter_mut().skip(1).zip(bytes) {
            *place = *byte;
        }
        is_plain(bytes)
    };
    window[0] = b'"';
    if let Some(end) = window.get_mut(len + 1) {
        *end = b'"';
    }
    plain
}

#[inline]
fn ends<const N: usize>(window: &mut [u8; WINDOW], first: &[u8; N], last: &[u8; N], len: usize) {
    if let Some(place) = window.get_mut(1..).and_then(<[u8]>::first_chunk_mut) {
        *place = *first;
    }
    if let Some(place) = window.get_mut(1 + len - N..).and_then(<[u8]>::first_chunk_mut) {
        *place = *last;
    }
}

/// Whether none of these needs an escape: without a branch, so that it becomes a few instructions
/// over all of them.
#[inline(always)]
fn are_plain<const N: usize>(bytes: &[u8; N]) -> bool {
    let mut strange = 0;
    for byte in bytes {
        let control = byte.wrapping_sub(0x20) > 0x7e - 0x20;
        strange |= u8::from(control) | u8::from(*byte == b'"') | u8::from(*byte == b'\\');
    }
    strange == 0
}

/// Writes a number of thousandths below 10^8 that is not whole; returns its length.
#[inline]
fn decimal(window: &mut [u8; 16], negative: bool, thousandths: u64) -> usize {
    let digits = u64::from_le_bytes(eight_digits(thousandths));
    // Five digits before the point, of which the last stays, and three behind it.
    let before = digits_of(thousandths).saturating_sub(3).max(1);
    let sign = usize::from(negative);
    window[0] = b'-';
    let whole = (digits >> (8 * (5 - before))).to_le_bytes();
    if let Some(place) = window.get_mut(sign..).and_then(<[u8]>::first_chunk_mut) {
        *place = whole;
    }
    let fraction = ((digits >> 40) << 8 | u64::from(b'.')).to_le_bytes();
    if let Some(place) = window.get_mut(sign + before..).and_then(<[u8]>::first_chunk_mut) {
        *place = fraction;
    }
    let zeros =
        usize::from(thousandths.is_multiple_of(10)) + usize::from(thousandths.is_multiple_of(100));
    sign + before + 4 - zeros
}

/// How many digits a number below 10^8 has. By comparisons, not from the digits: where a value ends is
/// what the next one waits for.
#[inline]
fn digits_of(value: u64) -> usize {
    const POWERS: [u64; 7] = [10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];
    1 + POWERS.iter().map(|power| usize::from(value >= *power)).sum::<usize>()
}

/// The first number of nine digits.
const EIGHT_DIGITS: u64 = 100_000_000;

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
