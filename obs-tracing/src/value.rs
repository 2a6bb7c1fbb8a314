//! What annotations and metadata hold.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io;

use obs_core::guard::{self, PANICKED};
use obs_core::health::{self, Event};
use obs_core::json;
use serde::Serialize;

/// The longest text that is kept of one value, in bytes: what is beyond it is cut, marked with `…`
/// and counted. A document has 64 KB in all.
pub(crate) const MAX_TEXT: usize = 32 * 1024;

/// The most that one serialized value may have, in bytes. JSON cannot be cut and stay JSON, and
/// what is larger than a document can never be sent: it is replaced by a note of its size.
const MAX_JSON: usize = 64 * 1024;

/// A value of an annotation or of metadata: text, a number, a boolean, or (in metadata) any JSON.
///
/// ```
/// use obs_tracing::Value;
///
/// let values: [Value; 4] = ["acme".into(), 250.into(), 0.5.into(), true.into()];
/// let rules = Value::json(&["completeness", "format"]);
/// ```
#[derive(Clone, PartialEq)]
pub struct Value(pub(crate) Kind);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Text(Cow<'static, str>),
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    /// One JSON value, encoded.
    Json(Box<[u8]>),
}

impl Value {
    /// Anything that serializes, as JSON. Annotations hold no structure: there, it becomes text.
    ///
    /// What serializes to more than 64 KB, or not at all, or panics, is replaced by a note that says so.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Self {
        let mut out = Bounded { bytes: Vec::new(), limit: MAX_JSON, exceeded: false };
        match guard::caught(|| serde_json::to_writer(&mut out, value)) {
            None => Self::text_of_static(PANICKED),
            Some(Ok(())) => Self(Kind::Json(out.bytes.into_boxed_slice())),
            Some(Err(_)) if out.exceeded => {
                health::count(Event::Trimmed);
                Self::text_of_static("[more than 64 KB of JSON]")
            }
            Some(Err(error)) => {
                health::count(Event::NameRefused);
                Self::text(&format_args!("[not serializable: {error}]"))
            }
        }
    }

    /// What `text` displays, cut at 32 KiB.
    pub(crate) fn text(text: &dyn fmt::Display) -> Self {
        Self(Kind::Text(Cow::Owned(bounded(text))))
    }

    pub(crate) const fn text_of_static(text: &'static str) -> Self {
        Self(Kind::Text(Cow::Borrowed(text)))
    }

    /// About how many bytes it takes in a document and in memory.
    pub(crate) fn weight(&self) -> usize {
        match &self.0 {
            Kind::Text(text) => text.len(),
            Kind::Json(json) => json.len(),
            Kind::Bool(_) | Kind::I64(_) | Kind::U64(_) | Kind::F64(_) => 8,
        }
    }

    /// Writes the value as JSON; `null` for a number that JSON does not have.
    pub(crate) fn write(&self, buf: &mut Vec<u8>) {
        match &self.0 {
            Kind::Text(text) => json::string(buf, text),
            Kind::Bool(value) => json::boolean(buf, *value),
            Kind::I64(value) => json::int(buf, *value),
            Kind::U64(value) => json::uint(buf, *value),
            Kind::F64(value) => json::float(buf, *value),
            Kind::Json(value) => buf.extend_from_slice(value),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Text(text) => fmt::Debug::fmt(text, f),
            Kind::Bool(value) => fmt::Debug::fmt(value, f),
            Kind::I64(value) => fmt::Debug::fmt(value, f),
            Kind::U64(value) => fmt::Debug::fmt(value, f),
            Kind::F64(value) => fmt::Debug::fmt(value, f),
            Kind::Json(value) => f.write_str(&String::from_utf8_lossy(value)),
        }
    }
}

/// What `text` displays, cut at [`MAX_TEXT`] with a marker; formatting ends there as well. Where it
/// panics, a marker alone.
pub(crate) fn bounded(text: &dyn fmt::Display) -> String {
    let mut out = BoundedText { text: String::new(), limit: MAX_TEXT };
    let Some(written) = guard::caught(|| write!(out, "{text}")) else { return PANICKED.to_owned() };
    // An error is either the limit or the value's own; what was written until then stands.
    if written.is_err() && out.limit == 0 {
        health::count(Event::Trimmed);
        out.text.push('…');
    }
    out.text
}

/// Collects text up to a limit, then fails, which ends the formatting of what is too long.
struct BoundedText {
    text: String,
    /// Bytes left; 0 once the limit was met.
    limit: usize,
}

impl fmt::Write for BoundedText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if part.len() < self.limit {
            self.text.push_str(part);
            self.limit -= part.len();
            return Ok(());
        }
        self.text.push_str(&part[..part.floor_char_boundary(self.limit)]);
        self.limit = 0;
        Err(fmt::Error)
    }
}

struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    exceeded: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + part.len() > self.limit {
            self.exceeded = true;
            return Err(io::Error::other("larger than a document"));
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(&text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        if text.len() > MAX_TEXT { Self::text(&text) } else { Self(Kind::Text(text.into())) }
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Cow<'_, str>> for Value {
    fn from(text: Cow<'_, str>) -> Self {
        Self::from(text.into_owned())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self(Kind::Bool(value))
    }
}

impl From<char> for Value {
    fn from(value: char) -> Self {
        Self(Kind::Text(value.to_string().into()))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self(Kind::F64(value))
    }
}

impl From<f32> for Value {
    fn from(value: f32) -> Self {
        Self(Kind::F64(f64::from(value)))
    }
}

macro_rules! from_integer {
    ($($kind:ident($wide:ty): $($narrow:ty),+;)+) => {$($(
        impl From<$narrow> for Value {
            fn from(value: $narrow) -> Self {
                // A number that 64 bits do not hold is kept as text, with all of its digits.
                match <$wide>::try_from(value) {
                    Ok(value) => Self(Kind::$kind(value)),
                    Err(_) => Self(Kind::Text(value.to_string().into())),
                }
            }
        }
    )+)+};
}

from_integer! {
    I64(i64): i8, i16, i32, i64, i128, isize;
    U64(u64): u8, u16, u32, u64, u128, usize;
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or_else(|| Self(Kind::Json(b"null".as_slice().into())), Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        let mut out = Vec::new();
        let mut array = json::Array::begin(&mut out);
        for value in values {
            value.into().write(array.value());
        }
        array.end();
        if out.len() > MAX_JSON {
            health::count(Event::Trimmed);
            return Self::text_of_static("[more than 64 KB of JSON]");
        }
        Self(Kind::Json(out.into_boxed_slice()))
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(values: [T; N]) -> Self {
        Self::from(Vec::from(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: impl Into<Value>, expected: &str) {
        let mut out = Vec::new();
        value.into().write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn values_are_written_as_json() {
        check("a \"b\"", r#""a \"b\"""#);
        check(String::from("x"), r#""x""#);
        check(250, "250");
        check(-1_i8, "-1");
        check(u64::MAX, "18446744073709551615");
        check(u128::MAX, r#""340282366920938463463374607431768211455""#);
        check(0.5, "0.5");
        check(f64::NAN, "null");
        check(true, "true");
        check('ß', r#""ß""#);
        check(Option::<i32>::None, "null");
        check(vec!["completeness", "format"], r#"["completeness","format"]"#);
        check(Value::json(&serde_json::json!({"a": [1, null]})), r#"{"a":[1,null]}"#);
    }

    #[test]
    fn scenario_18_long_text_is_cut_at_a_character_boundary() {
        for text in ["a".repeat(10_000_000), "日本".repeat(100_000)] {
            let Kind::Text(kept) = Value::from(text).0 else { panic!("not text") };
            assert!(kept.len() <= MAX_TEXT + '…'.len_utf8(), "{}", kept.len());
            assert!(kept.ends_with('…'));
        }
        let Kind::Text(kept) = Value::from("b".repeat(MAX_TEXT - 1)).0 else { panic!("not text") };
        assert!(!kept.ends_with('…'));
    }

    #[test]
    fn what_does_not_serialize_leaves_a_note() {
        check(Value::json(&vec![1_u64; 100_000]), r#""[more than 64 KB of JSON]""#);
        let keys = std::collections::HashMap::from([(vec![1], 2)]);
        check(Value::json(&keys), r#""[not serializable: key must be a string]""#);
    }
}
