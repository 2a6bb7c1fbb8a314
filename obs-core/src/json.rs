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

use std::fmt::{self, Display, Write as _};

/// Writes `text` as a JSON string, with its quotes.
pub fn string(buf: &mut Vec<u8>, text: &str) {
    buf.push(b'"');
    escaped(buf, text);
    buf.push(b'"');
}

/// Writes the inside of a JSON string: `text`, escaped, without quotes.
pub fn escaped(buf: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
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
pub fn float(buf: &mut Vec<u8>, value: f64) {
    const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0; // 2^53
    if value.is_nan() || value.is_infinite() {
        buf.extend_from_slice(b"null");
    } else if value == value.trunc() && value.abs() < EXACT_INTEGERS {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within ±2^53")]
        int(buf, value as i64);
    } else {
        buf.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    }
}

/// Writes an unsigned integer.
pub fn uint(buf: &mut Vec<u8>, value: u64) {
    buf.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes an integer.
pub fn int(buf: &mut Vec<u8>, value: i64) {
    buf.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
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
    pub fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.separate();
        string(self.buf, key);
        self.buf.push(b':');
        self.buf
    }

    /// A string member.
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

/// The top bit of each byte that may need an escape. Bits above the lowest one that is set may be
/// wrong (a subtraction borrows), which does not matter: only the lowest is used.
const fn candidates(eight: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    const fn zero_bytes(x: u64) -> u64 {
        x.wrapping_sub(ONES) & !x & TOPS
    }
    let control = eight.wrapping_sub(ONES * 0x20) & !eight & TOPS;
    let quote = zero_bytes(eight ^ (ONES * b'"' as u64));
    let backslash = zero_bytes(eight ^ (ONES * b'\\' as u64));
    let delete = zero_bytes(eight ^ (ONES * 0x7f));
    (eight & TOPS) | control | quote | backslash | delete
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
