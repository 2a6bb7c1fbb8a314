//! Properties: what a document says beside its metrics, searchable in the log, never a dimension.

use std::borrow::Cow;
use std::ops::Range;

use obs_core::Redactor;
use obs_core::json::{self, Cursor};

/// What a property can hold: text, a number or a boolean.
#[derive(Clone, Debug, PartialEq)]
pub struct PropertyValue<'a>(pub(crate) Value<'a>);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Text(Cow<'a, str>),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
}

impl<'a> From<&'a str> for PropertyValue<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Self(Value::Text(Cow::Borrowed(text)))
    }
}

impl<'a> From<&'a String> for PropertyValue<'a> {
    #[inline]
    fn from(text: &'a String) -> Self {
        Self(Value::Text(Cow::Borrowed(text)))
    }
}

impl From<String> for PropertyValue<'_> {
    #[inline]
    fn from(text: String) -> Self {
        Self(Value::Text(Cow::Owned(text)))
    }
}

impl From<bool> for PropertyValue<'_> {
    #[inline]
    fn from(value: bool) -> Self {
        Self(Value::Bool(value))
    }
}

macro_rules! numbers {
    ($($variant:ident($as:ty): $($from:ty)*;)*) => {$($(
        impl From<$from> for PropertyValue<'_> {
            #[inline]
            fn from(value: $from) -> Self {
                Self(Value::$variant(<$as>::from(value)))
            }
        }
    )*)*};
}

numbers! {
    Unsigned(u64): u8 u16 u32 u64;
    Signed(i64): i8 i16 i32 i64;
    Float(f64): f32 f64;
}

impl From<usize> for PropertyValue<'_> {
    #[inline]
    fn from(value: usize) -> Self {
        Self(Value::Unsigned(value as u64))
    }
}

/// A property's value as an event keeps it: text as a place in the event's own buffer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stored {
    Text(Range<usize>),
    Redacted,
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
}

/// What stands at the end of a text that was cut.
pub(crate) const CUT: &str = "…[cut]";

/// `text`, cut so that it has at most `limit` bytes as a JSON string's inside, with a marker where
/// it was cut; `None` where not even the marker fits.
pub(crate) fn cut(text: &str, limit: usize) -> Option<Cow<'_, str>> {
    let mut bytes = 0;
    let mut kept = 0;
    for (at, c) in text.char_indices() {
        bytes += encoded_bytes(c);
        if bytes + CUT.len() <= limit {
            kept = at + c.len_utf8();
        }
        if bytes > limit {
            return (CUT.len() <= limit).then(|| Cow::Owned(format!("{}{CUT}", &text[..kept])));
        }
    }
    Some(Cow::Borrowed(text))
}

/// The bytes of `text` as a JSON string, with quotes.
pub(crate) fn text_bytes(text: &str) -> usize {
    2 + text.chars().map(encoded_bytes).sum::<usize>()
}

/// What [`json::escaped`] makes of a character.
fn encoded_bytes(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\u{2028}' | '\u{2029}' => 6,
        c if c.is_control() => 6,
        c => c.len_utf8(),
    }
}

/// Writes a value as it is given, but for its secrets.
#[inline(always)]
pub(crate) fn write_value(
    cursor: &mut Cursor<'_>,
    value: &PropertyValue<'_>,
    redacted: bool,
    redactor: &Redactor,
) {
    match &value.0 {
        _ if redacted => cursor.string(obs_core::redact::REDACTED),
        Value::Text(text) if redactor.scans_text() => cursor.string(&redactor.redact(text)),
        Value::Text(text) => cursor.string(text),
        Value::Unsigned(n) => cursor.uint(*n),
        Value::Signed(n) => cursor.int(*n),
        Value::Float(n) => cursor.float(*n),
        Value::Bool(b) => cursor.boolean(*b),
    }
}

/// Writes a value that is not text.
pub(crate) fn write_plain(buf: &mut Vec<u8>, value: &Stored) {
    match value {
        Stored::Text(_) => {}
        Stored::Redacted => json::string(buf, obs_core::redact::REDACTED),
        Stored::Unsigned(n) => json::uint(buf, *n),
        Stored::Signed(n) => json::int(buf, *n),
        Stored::Float(n) => json::float(buf, *n),
        Stored::Bool(b) => json::boolean(buf, *b),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_text_is_cut_at_a_character() {
        for (text, limit, expected) in [
            ("short", 5, Some("short")),
            ("a longer text", 12, Some("a lo…[cut]")),
            ("ääääääää", 13, Some("ää…[cut]")),
            ("\n\n\n\n\n\n\n\n", 13, Some("\n\n…[cut]")),
            ("a longer text", 8, Some("…[cut]")),
            ("a longer text", 7, None),
            ("", 0, Some("")),
        ] {
            assert_eq!(cut(text, limit).as_deref(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_length_is_the_one_that_is_written(text in any::<String>(), limit in 8_usize..64) {
            let mut buf = Vec::new();
            json::string(&mut buf, &text);
            prop_assert_eq!(buf.len(), text_bytes(&text));
            let short = cut(&text, limit).unwrap();
            prop_assert!(text_bytes(&short) <= limit + 2);
        }
    }
}
