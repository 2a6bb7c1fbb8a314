//! JSON into a buffer that is there already, for lines of which most is known beforehand.
//!
//! Everything is copied in moves of constant size, which the compiler turns into a few instructions
//! where an append to a vector asks for room and calls a copy: what is written may therefore go over
//! the end of a value, and is written over by the next.

use super::{EXACT_INTEGERS, candidates, exact_thousandths, is_plain, string};
use crate::clock::eight_digits;

/// Bytes that a piece is copied by.
const STEP: usize = 32;

/// Bytes that are written often: kept so that they are copied without a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// The first step once more, not behind a pointer: most pieces have no other.
    first: [u8; STEP],
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
        let steps: Box<[_]> = steps.collect();
        Self { first: steps.first().copied().unwrap_or_default(), steps, len: bytes.len() }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.steps.as_flattened()[..self.len]
    }

    /// Appends the piece to `buf`.
    #[inline(always)]
    pub fn append_to(&self, buf: &mut Vec<u8>) {
        if self.len <= STEP {
            let end = buf.len() + self.len;
            buf.extend_from_slice(&self.first);
            buf.truncate(end);
        } else {
            buf.extend_from_slice(self.as_bytes());
        }
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
    #[inline(always)]
    pub fn piece(&mut self, piece: &Piece) {
        self.at = match self.window() {
            Some(place) => {
                *place = piece.first;
                if piece.len <= STEP {
                    self.at + piece.len
                } else {
                    long_piece(self.buf, self.at, piece)
                }
            }
            None => FULL,
        };
    }

    /// Writes bytes as they are.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.at = copied(self.buf, self.at, bytes);
    }

    /// Writes one byte.
    #[inline(always)]
    pub fn byte(&mut self, byte: u8) {
        self.at = match self.buf.get_mut(self.at) {
            Some(place) => {
                *place = byte;
                self.at + 1
            }
            None => FULL,
        };
    }

    /// Writes `text` as a JSON string, with its quotes.
    #[inline(always)]
    pub fn string(&mut self, text: &str) {
        self.at = match plain_string(self.buf, self.at, text.as_bytes()) {
            FULL => any_string(self.buf, self.at, text),
            at => at,
        };
    }

    /// As [`string`](Self::string), where `text` is at most 64 printable characters of ASCII without a
    /// quote or a backslash; returns false, having written nothing, where it is not for sure.
    #[inline(always)]
    pub fn plain_string(&mut self, text: &str) -> bool {
        match plain_string(self.buf, self.at, text.as_bytes()) {
            FULL => false,
            at => {
                self.at = at;
                true
            }
        }
    }

    /// Writes a number as [`json::float`](super::float) does.
    #[inline(always)]
    pub fn float(&mut self, value: f64) {
        if let Some((word, len)) = short_decimal(value)
            && let Some(place) = self.window()
        {
            *place = word.to_le_bytes();
            self.at += len;
        } else {
            self.at = any_float(self.buf, self.at, value);
        }
    }

    /// Writes an unsigned integer.
    #[inline(always)]
    pub fn uint(&mut self, value: u64) {
        if let Some((word, len)) = three_digits(value)
            && let Some(place) = self.window()
        {
            *place = word.to_le_bytes();
            self.at += len;
        } else {
            self.at = any_uint(self.buf, self.at, value);
        }
    }

    /// Writes an integer.
    #[inline(always)]
    pub fn int(&mut self, value: i64) {
        if value < 0 {
            self.byte(b'-');
        }
        self.uint(value.unsigned_abs());
    }

    /// Writes a time in milliseconds.
    #[inline]
    pub fn millis(&mut self, millis: u64) {
        if let Some(window) = self.window()
            && thirteen_digits(window, millis)
        {
            self.at += 13;
        } else {
            self.at = any_uint(self.buf, self.at, millis);
        }
    }

    /// Writes `true` or `false`.
    #[inline]
    pub fn boolean(&mut self, value: bool) {
        self.bytes(if value { b"true" } else { b"false" });
    }

    /// The next bytes, where there are so many.
    #[inline(always)]
    fn window<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        window(self.buf, self.at)
    }
}

/// A place that no buffer has: nothing fits any more.
const FULL: usize = usize::MAX;

// What is not a method is called by value: a cursor that is lent to no call stays in the processor's
// registers.

#[inline(always)]
fn window<const N: usize>(buf: &mut [u8], at: usize) -> Option<&mut [u8; N]> {
    buf.get_mut(at..).and_then(<[u8]>::first_chunk_mut)
}

/// Copies `bytes` to the place `at`, and returns the place behind them.
#[inline]
fn copied(buf: &mut [u8], at: usize, bytes: &[u8]) -> usize {
    let end = at.saturating_add(bytes.len());
    match buf.get_mut(at..end) {
        Some(place) => {
            place.copy_from_slice(bytes);
            end
        }
        None => FULL,
    }
}

/// A piece of several steps, one by one: that is faster than a call to copy them all.
#[inline]
fn long_piece(buf: &mut [u8], at: usize, piece: &Piece) -> usize {
    let mut to = at;
    for step in &piece.steps {
        let Some(place) = window(buf, to) else { return FULL };
        *place = *step;
        to += STEP;
    }
    at + piece.len
}

/// Writes what `write` appends, through a buffer of its own: for what is rare.
#[cold]
#[inline(never)]
fn any(buf: &mut [u8], at: usize, write: impl FnOnce(&mut Vec<u8>)) -> usize {
    let mut bytes = Vec::new();
    write(&mut bytes);
    copied(buf, at, &bytes)
}

/// A string that [`quoted`] can write; [`FULL`] where it is not.
#[inline(never)]
fn plain_string(buf: &mut [u8], at: usize, bytes: &[u8]) -> usize {
    let is_plain = window(buf, at).is_some_and(|window| quoted(window, bytes));
    if is_plain { at + bytes.len() + 2 } else { FULL }
}

/// A string that is long or has something to escape, or comes near the end.
#[inline(never)]
fn any_string(buf: &mut [u8], at: usize, text: &str) -> usize {
    if is_plain(text.as_bytes()) {
        let at = copied(buf, at, b"\"");
        let at = copied(buf, at, text.as_bytes());
        copied(buf, at, b"\"")
    } else {
        any(buf, at, |bytes| string(bytes, text))
    }
}

/// A number that is large or has more than three decimals, or comes near the end.
#[inline(never)]
fn any_float(buf: &mut [u8], at: usize, value: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "compared with the value")]
    let whole = value as i64;
    if whole as f64 == value && value.abs() < EXACT_INTEGERS {
        let at = if whole < 0 { copied(buf, at, b"-") } else { at };
        any_uint(buf, at, whole.unsigned_abs())
    } else if let Some(thousandths) = exact_thousandths(value.abs())
        && thousandths < EIGHT_DIGITS
        && let Some(window) = window(buf, at)
    {
        at + decimal(window, value < 0.0, thousandths)
    } else {
        any(buf, at, |bytes| super::float(bytes, value))
    }
}

/// An integer of more than three digits, or near the end.
#[inline(never)]
fn any_uint(buf: &mut [u8], at: usize, value: u64) -> usize {
    if value < EIGHT_DIGITS
        && let Some(place) = window(buf, at)
    {
        let (word, len) = up_to_eight_digits(value);
        *place = word.to_le_bytes();
        at + len
    } else {
        any(buf, at, |bytes| super::uint(bytes, value))
    }
}

/// The text of a number below 1000, and its length.
#[inline(always)]
fn three_digits(value: u64) -> Option<(u64, usize)> {
    let digits = usize::try_from(value).ok().and_then(|n| THREE_DIGITS.get(n))?;
    Some((digits.whole(), digits.whole_len()))
}

/// The text of a number below 10^8, and its length.
#[inline]
fn up_to_eight_digits(value: u64) -> (u64, usize) {
    let len = digits_of(value);
    (u64::from_le_bytes(eight_digits(value)) >> (8 * (8 - len)), len)
}

/// The text of a number of at most eight digits, and its length.
#[inline]
pub(super) fn short_uint(value: u64) -> Option<(u64, usize)> {
    match three_digits(value) {
        None if value < EIGHT_DIGITS => Some(up_to_eight_digits(value)),
        short => short,
    }
}

/// Writes `millis`, where they have thirteen digits. Three at a time and from the middle to both ends:
/// nothing waits long for another.
#[inline(always)]
fn thirteen_digits(window: &mut [u8; 16], millis: u64) -> bool {
    let (upper, lower) = (millis / 1_000_000, millis % 1_000_000);
    let (first_four, third) = (upper / 1000, upper % 1000);
    let (first, second) = (first_four / 1000, first_four % 1000);
    if !(1..10).contains(&first) {
        return false;
    }
    window[0] = b'0' + u8::try_from(first).unwrap_or_default();
    // With each three there comes a byte that the next three take the place of.
    for (n, three) in [second, third, lower / 1000, lower % 1000].into_iter().enumerate() {
        if let Some(digits) = usize::try_from(three).ok().and_then(|n| THREE_DIGITS.get(n))
            && let Some(place) = window.get_mut(1 + 3 * n..).and_then(<[u8]>::first_chunk_mut)
        {
            *place = digits.0.to_le_bytes();
        }
    }
    true
}

/// The text of a number of at most three digits before the point and three behind it, and its length.
///
/// As [`exact_thousandths`], which says why these digits are the right ones. What is added moves the
/// point of the sum behind the last thousandth: its lowest bits are the rounded integer, where a
/// conversion would also have to look for what an integer cannot hold.
#[inline(always)]
pub(super) fn short_decimal(value: f64) -> Option<(u64, usize)> {
    const POINT: f64 = 4_503_599_627_370_496.0; // 2^52
    let magnitude = value.abs();
    let scaled = magnitude * 1000.0;
    let sum = scaled + POINT;
    // False for NaN too.
    if !(scaled < 999_999.5 && (sum - POINT) / 1000.0 == magnitude) {
        return None;
    }
    let thousandths = (sum.to_bits() & 0xf_ffff) as u32;
    let three = |n: u32| THREE_DIGITS.get(n as usize);
    let (whole, fraction) = (three(thousandths / 1000)?, three(thousandths % 1000)?);
    let before = whole.whole_len();
    let word = whole.whole() | fraction.fraction() << (8 * before);
    let len = before + fraction.fraction_len();
    Some(if value < 0.0 { (word << 8 | u64::from(b'-'), len + 1) } else { (word, len) })
}

/// The digits of a number below 1000: three of them, then how many it has, then, in the upper half of
/// that byte, how long it is as a fraction, with the point.
#[derive(Clone, Copy)]
struct ThreeDigits(u32);

static THREE_DIGITS: [ThreeDigits; 1000] = {
    let mut all = [ThreeDigits(0); 1000];
    let mut n = 0_u32;
    while n < 1000 {
        let (hundreds, tens, ones) = (n / 100, n / 10 % 10, n % 10);
        let whole = 1 + (n >= 10) as u32 + (n >= 100) as u32;
        let fraction =
            if n == 0 { 0 } else { 4 - n.is_multiple_of(10) as u32 - n.is_multiple_of(100) as u32 };
        let digits = hundreds | tens << 8 | ones << 16 | 0x0030_3030;
        all[n as usize] = ThreeDigits(digits | (whole | fraction << 4) << 24);
        n += 1;
    }
    all
};

impl ThreeDigits {
    #[inline]
    fn whole_len(self) -> usize {
        (self.0 >> 24 & 0xf) as usize
    }

    /// Without zeros in front. What stands behind the digits is of no meaning, but for the upper half.
    #[inline]
    fn whole(self) -> u64 {
        u64::from((self.0 & 0x00ff_ffff) >> (8 * (3 - (self.0 >> 24 & 0xf))))
    }

    #[inline]
    fn fraction_len(self) -> usize {
        (self.0 >> 28) as usize
    }

    /// The point and three digits.
    #[inline]
    fn fraction(self) -> u64 {
        u64::from(self.0 << 8 | u32::from(b'.'))
    }
}

/// Room for 64 bytes and quotes.
const WINDOW: usize = 66;

/// Writes `bytes` between quotes, where they are at most 64 and have nothing to escape: what stands
/// in `window` otherwise is of no meaning. Copied as a beginning and an end, which overlap.
#[inline]
fn quoted(window: &mut [u8; WINDOW], bytes: &[u8]) -> bool {
    let len = bytes.len();
    let plain = if len > 16 {
        len <= 64 && long_quoted(window, bytes)
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

/// As [`quoted`], of 17 to 64 bytes, without the quotes.
#[inline]
fn long_quoted(window: &mut [u8; WINDOW], bytes: &[u8]) -> bool {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        ends::<32>(window, first, last, bytes.len());
        (found(first) | found(last)) == 0
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        ends::<16>(window, first, last, bytes.len());
        (found(first) | found(last)) == 0
    } else {
        false
    }
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

/// Not zero where one of these may need an escape. Eight at a time: of a comparison for each byte, the
/// compiler makes branches.
#[inline]
fn found<const N: usize>(bytes: &[u8; N]) -> u64 {
    let (eights, _) = bytes.as_chunks();
    eights.iter().fold(0, |found, eight| found | candidates(u64::from_le_bytes(*eight)))
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
#[path = "cursor_tests.rs"]
mod tests;
