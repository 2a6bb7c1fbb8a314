//! The one JSON writer: straight into a byte buffer, one line, no intermediate tree.
//!
//! Beside what JSON asks for, it escapes what could break a line or a terminal: DEL, the C1 control
//! characters (U+0080–U+009F, among them U+0085), U+2028 and U+2029. So a document is one line, and
//! no value that comes from outside can forge another.
//!
//! ```
//! use obs_core::json::Object;
//!
//! let mut line = Vec::new();
//! let mut object = Object::begin(&mut line);
//! object.str("message", "two\nlines").u64("n", 3).f64("ratio", 0.5);
//! object.end();
//! assert_eq!(line, br#"{"message":"two\nlines","n":3,"ratio":0.5}"#);
//! ```

mod cursor;

use std::fmt::{self, Display, Write as _};

pub use cursor::{Cursor, Piece};

/// Writes `text` as a JSON string, with its quotes.
#[inline]
pub fn string(buf: &mut Vec<u8>, text: &str) {
    match quoted_in_one(text.as_bytes()) {
        Some((both, len)) => {
            let end = buf.len() + len;
            buf.extend_from_slice(&both.to_le_bytes());
            buf.truncate(end);
        }
        None => longer_string(buf, text),
    }
}

/// A string of 4 to 14 bytes that has nothing to escape, with its quotes, in one word: most are so.
#[inline(always)]
fn quoted_in_one(bytes: &[u8]) -> Option<(u128, usize)> {
    const QUOTE: u128 = b'"' as u128;
    let len = bytes.len();
    let (inside, found) =
        if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            if len > 14 {
                return None;
            }
            let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
            let inside = u128::from(first) | u128::from(last) << (8 * (len - 8));
            (inside, candidates(first) | candidates(last))
        } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            let inside = u128::from(first) | u128::from(last) << (8 * (len - 4));
            (inside, candidates(u64::from(first) | u64::from(last) << 32))
        } else {
            return None;
        };
    (found == 0).then_some((inside << 8 | QUOTE | QUOTE << (8 * (len + 1)), len + 2))
}

#[inline(never)]
fn longer_string(buf: &mut Vec<u8>, text: &str) {
    // At once, so that a string is at most one move of the buffer.
    buf.reserve(text.len() + 2);
    buf.push(b'"');
    escaped(buf, text);
    buf.push(b'"');
}

/// Writes the inside of a JSON string: `text`, escaped, without quotes.
#[inline]
pub fn escaped(buf: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    if !is_plain(bytes) {
        escaped_from(buf, bytes);
    } else if !append_ends::<32>(buf, bytes)
        && !append_ends::<16>(buf, bytes)
        && !append_ends::<8>(buf, bytes)
        && !append_ends::<4>(buf, bytes)
    {
        buf.extend_from_slice(bytes);
    }
}

/// Appends `bytes`, where they are N to 2 × N, as a beginning and an end, which overlap: two moves of
/// constant size instead of a call. Returns false, having done nothing, where they are not so many.
#[inline(always)]
fn append_ends<const N: usize>(buf: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first_chunk::<N>(), bytes.last_chunk::<N>()) else {
        return false;
    };
    if bytes.len() > 2 * N {
        return false;
    }
    let end = buf.len() + bytes.len();
    buf.extend_from_slice(first);
    buf.truncate(end - N);
    buf.extend_from_slice(last);
    true
}

/// Writes what has something to escape, or may have.
fn escaped_from(buf: &mut Vec<u8>, bytes: &[u8]) {
    let mut start = 0;
    let mut at = 0;
    while let Some(found) = next_candidate(bytes, at) {
        let (escape, length) = escape_at(bytes, found);
        if length == 0 {
            // A character beyond ASCII that needs no escape.
            at = found + 1;
            continue;
        }
        buf.extend_from_slice(&bytes[start..found]);
        match escape {
            Escape::Short(letter) => buf.extend_from_slice(&[b'\\', letter]),
            Escape::Unicode(code) => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let nibble = |shift: u32| HEX[usize::from((code >> shift) & 0xf)];
                buf.extend_from_slice(&[b'\\', b'u', nibble(12), nibble(8), nibble(4), nibble(0)]);
            }
        }
        start = found + length;
        at = start;
    }
    buf.extend_from_slice(&bytes[start..]);
}

/// Writes whatever `value` displays as a JSON string, with its quotes, without an intermediate
/// string. A `Display` that fails leaves what it had written.
pub fn display(buf: &mut Vec<u8>, value: impl Display) {
    buf.push(b'"');
    // The adapter below never fails; an error of the value's own ends its text here.
    let _ = write!(EscapedWriter { buf }, "{value}");
    buf.push(b'"');
}

/// Writes a number: shortest digits that read back as the same `f64`, whole numbers without a
/// fraction; `null` for NaN and infinities, which JSON does not have.
#[inline]
pub fn float(buf: &mut Vec<u8>, value: f64) {
    match cursor::short_decimal(value) {
        Some((word, len)) => append_word(buf, word, len),
        None => longer_float(buf, value),
    }
}

/// The first `len` bytes of a word, in one move.
#[inline(always)]
fn append_word(buf: &mut Vec<u8>, word: u64, len: usize) {
    let end = buf.len() + len;
    buf.extend_from_slice(&word.to_le_bytes());
    buf.truncate(end);
}

#[inline(never)]
fn longer_float(buf: &mut Vec<u8>, value: f64) {
    // Casts saturate and round towards zero: cheaper than `trunc`, which is a call on machines
    // without an instruction for it.
    #[expect(clippy::cast_possible_truncation, reason = "compared with the value")]
    let whole = value as i64;
    if whole as f64 == value && value.abs() < EXACT_INTEGERS {
        int(buf, whole);
    } else if let Some(thousandths) = exact_thousandths(value.abs()) {
        if value < 0.0 {
            buf.push(b'-');
        }
        decimal(buf, thousandths);
    } else {
        any_float(buf, value);
    }
}

/// Apart, so that its buffer is no burden to the others.
#[inline(never)]
fn any_float(buf: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        buf.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        buf.extend_from_slice(b"null");
    }
}

const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0; // 2^53

/// The integer n for which n/1000 is `value`, which is not negative: then n's digits, with the point,
/// are the shortest that read back as `value`. They do read back, since n/1000, rounded once, is the
/// float nearest to them. And below 2^43 floats lie less than a thousandth apart, so no other number of
/// three decimals reads back as the same one, and none of fewer decimals either.
fn exact_thousandths(value: f64) -> Option<u64> {
    const LIMIT: f64 = 4_503_599_627_370_496.0; // 2^52, in thousandths
    let scaled = value * 1000.0;
    #[expect(clippy::cast_possible_truncation, reason = "compared below")]
    let n = (scaled + 0.5) as i64;
    #[expect(clippy::cast_sign_loss, reason = "not negative")]
    (scaled < LIMIT && n as f64 / 1000.0 == value).then_some(n as u64)
}

/// Writes a number of thousandths that is not whole.
fn decimal(buf: &mut Vec<u8>, thousandths: u64) {
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    uint(buf, whole);
    let digit = |n: u64| b'0' + (n % 10) as u8;
    buf.extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
    let zeros = if rest % 100 == 0 { 2 } else { usize::from(rest % 10 == 0) };
    buf.truncate(buf.len() - zeros);
}

/// Writes an unsigned integer.
#[inline]
pub fn uint(buf: &mut Vec<u8>, value: u64) {
    match cursor::short_uint(value) {
        Some((word, len)) => append_word(buf, word, len),
        None => longer_uint(buf, value),
    }
}

#[inline(never)]
fn longer_uint(buf: &mut Vec<u8>, value: u64) {
    buf.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes an integer.
#[inline]
pub fn int(buf: &mut Vec<u8>, value: i64) {
    if value < 0 {
        buf.push(b'-');
    }
    uint(buf, value.unsigned_abs());
}

/// Writes `true` or `false`.
pub fn boolean(buf: &mut Vec<u8>, value: bool) {
    buf.extend_from_slice(if value { b"true" } else { b"false" });
}

/// A [`fmt::Write`] that escapes into a JSON string's inside; the quotes are the caller's.
#[derive(Debug)]
pub struct EscapedWriter<'a> {
    buf: &'a mut Vec<u8>,
}

impl<'a> EscapedWriter<'a> {
    /// Appends to `buf`.
    pub fn new(buf: &'a mut Vec<u8>) -> Self {
        Self { buf }
    }
}

impl fmt::Write for EscapedWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escaped(self.buf, text);
        Ok(())
    }
}

/// An object being written. [`Object::end`] closes it.
#[derive(Debug)]
#[must_use = "an object is closed by `end`"]
pub struct Object<'a> {
    buf: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Writes `{`.
    pub fn begin(buf: &'a mut Vec<u8>) -> Self {
        buf.push(b'{');
        Self { buf, empty: true }
    }

    /// Goes on with an object in `buf` whose `{` is written and, unless `empty`, some members.
    pub fn resume(buf: &'a mut Vec<u8>, empty: bool) -> Self {
        Self { buf, empty }
    }

    /// Writes `"key":` and hands out the buffer, to which exactly one value must be written.
    #[inline]
    pub fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.buf.reserve(key.len() + 4);
        if self.empty {
            self.empty = false;
            self.buf.push(b'"');
        } else {
            self.buf.extend_from_slice(b",\"");
        }
        escaped(self.buf, key);
        self.buf.extend_from_slice(b"\":");
        self.buf
    }

    /// A string member.
    #[inline]
    pub fn str(&mut self, key: &str, value: &str) -> &mut Self {
        string(self.key(key), value);
        self
    }

    /// A string member of what `value` displays.
    pub fn display(&mut self, key: &str, value: impl Display) -> &mut Self {
        display(self.key(key), value);
        self
    }

    /// A number member; `null` where JSON has no number for it.
    pub fn f64(&mut self, key: &str, value: f64) -> &mut Self {
        float(self.key(key), value);
        self
    }

    /// An unsigned integer member.
    pub fn u64(&mut self, key: &str, value: u64) -> &mut Self {
        uint(self.key(key), value);
        self
    }

    /// An integer member.
    pub fn i64(&mut self, key: &str, value: i64) -> &mut Self {
        int(self.key(key), value);
        self
    }

    /// A boolean member.
    pub fn bool(&mut self, key: &str, value: bool) -> &mut Self {
        boolean(self.key(key), value);
        self
    }

    /// A `null` member.
    pub fn null(&mut self, key: &str) -> &mut Self {
        self.key(key).extend_from_slice(b"null");
        self
    }

    /// A member whose value is JSON already.
    pub fn raw(&mut self, key: &str, json: &[u8]) -> &mut Self {
        self.key(key).extend_from_slice(json);
        self
    }

    /// Whole members that are JSON already: `"a":1,"b":2`, without braces. Nothing when empty.
    pub fn members(&mut self, json: &[u8]) -> &mut Self {
        if !json.is_empty() {
            self.separate();
            self.buf.extend_from_slice(json);
        }
        self
    }

    /// A member that is an object.
    pub fn object(&mut self, key: &str) -> Object<'_> {
        Object::begin(self.key(key))
    }

    /// A member that is an array.
    pub fn array(&mut self, key: &str) -> Array<'_> {
        Array::begin(self.key(key))
    }

    /// Writes `}`.
    pub fn end(self) {
        self.buf.push(b'}');
    }

    fn separate(&mut self) {
        if self.empty {
            self.empty = false;
        } else {
            self.buf.push(b',');
        }
    }
}

/// An array being written. [`Array::end`] closes it.
#[derive(Debug)]
#[must_use = "an array is closed by `end`"]
pub struct Array<'a> {
    buf: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Array<'a> {
    /// Writes `[`.
    pub fn begin(buf: &'a mut Vec<u8>) -> Self {
        buf.push(b'[');
        Self { buf, empty: true }
    }

    /// Hands out the buffer, to which exactly one value must be written.
    pub fn value(&mut self) -> &mut Vec<u8> {
        if self.empty {
            self.empty = false;
        } else {
            self.buf.push(b',');
        }
        self.buf
    }

    /// A string.
    pub fn str(&mut self, value: &str) -> &mut Self {
        string(self.value(), value);
        self
    }

    /// A number; `null` where JSON has no number for it.
    pub fn f64(&mut self, value: f64) -> &mut Self {
        float(self.value(), value);
        self
    }

    /// An unsigned integer.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        uint(self.value(), value);
        self
    }

    /// An object.
    pub fn object(&mut self) -> Object<'_> {
        Object::begin(self.value())
    }

    /// An array.
    pub fn array(&mut self) -> Array<'_> {
        Array::begin(self.value())
    }

    /// Writes `]`.
    pub fn end(self) {
        self.buf.push(b']');
    }
}

enum Escape {
    Short(u8),
    Unicode(u16),
}

/// How the character at `at` is escaped and how many bytes it has; a length of 0 means not at all.
fn escape_at(bytes: &[u8], at: usize) -> (Escape, usize) {
    let byte = bytes[at];
    match byte {
        b'"' | b'\\' => (Escape::Short(byte), 1),
        b'\n' => (Escape::Short(b'n'), 1),
        b'\r' => (Escape::Short(b'r'), 1),
        b'\t' => (Escape::Short(b't'), 1),
        0x08 => (Escape::Short(b'b'), 1),
        0x0c => (Escape::Short(b'f'), 1),
        0x00..=0x1f | 0x7f => (Escape::Unicode(u16::from(byte)), 1),
        // C2 80–C2 9F: the C1 control characters.
        0xc2 => match bytes.get(at + 1) {
            Some(&next @ 0x80..=0x9f) => (Escape::Unicode(u16::from(next)), 2),
            _ => (Escape::Unicode(0), 0),
        },
        // E2 80 A8 and E2 80 A9: the line and the paragraph separator.
        0xe2 => match (bytes.get(at + 1), bytes.get(at + 2)) {
            (Some(0x80), Some(&last @ 0xa8..=0xa9)) => {
                (Escape::Unicode(0x2000 | u16::from(last - 0x80)), 3)
            }
            _ => (Escape::Unicode(0), 0),
        },
        _ => (Escape::Unicode(0), 0),
    }
}

/// The first byte from `at` on that may need an escape: a control character, a quote, a backslash,
/// DEL, or anything beyond ASCII. Eight bytes at a time.
fn next_candidate(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(eight) = bytes[at..].first_chunk::<8>() {
        let mask = candidates(u64::from_le_bytes(*eight));
        if mask != 0 {
            return Some(at + mask.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    bytes[at..]
        .iter()
        .position(|byte| !matches!(byte, 0x20..=0x7e) || matches!(byte, b'"' | b'\\'))
        .map(|offset| at + offset)
}

/// Whether no byte may need an escape. Most strings are short and plain: no loop up to 32 bytes, no
/// branch for each byte, and what is at the end is read again where it overlaps.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let found = candidates_of_two(first) | candidates_of_two(last);
        found == 0 && (bytes.len() <= 32 || is_plain_within(bytes))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        candidates(u64::from_le_bytes(*first)) | candidates(u64::from_le_bytes(*last)) == 0
    } else {
        candidates(short(bytes)) == 0
    }
}

/// As [`is_plain`], but for the last bytes. Ends with the first that it finds: a long text is gone
/// through again from its begin.
fn is_plain_within(bytes: &[u8]) -> bool {
    bytes.as_chunks().0.iter().all(|sixteen| candidates_of_two(sixteen) == 0)
}

#[inline]
fn candidates_of_two(sixteen: &[u8; 16]) -> u64 {
    let both = u128::from_le_bytes(*sixteen);
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    let lower = both as u64;
    candidates(lower) | candidates((both >> 64) as u64)
}

/// Less than eight bytes as one word; where there are too few, plain ones or one of them again.
#[inline]
fn short(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
    }
    let [first, middle, last] = match *bytes {
        [a, b, c] => [a, b, c],
        [a, b] => [a, b, b],
        [a] => [a; 3],
        _ => [b' '; 3],
    };
    u64::from_le_bytes([first, middle, last, b' ', b' ', b' ', b' ', b' '])
}

/// The top bit of each byte that may need an escape. Bits above the lowest one that is set may be
/// wrong (a subtraction borrows, an addition carries), which does not matter: only the lowest is used.
#[inline]
const fn candidates(eight: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    // For a byte of ASCII, each of these reaches the top bit only where it is to be found. With that bit
    // turned, 0x22 is 0x20: the quote is next to the control characters.
    let control_or_quote = (eight ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (eight ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    let delete = eight.wrapping_add(ONES);
    (eight | control_or_quote | backslash | delete) & TOPS
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
