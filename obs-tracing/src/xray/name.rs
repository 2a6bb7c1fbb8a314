//! Names that X-Ray takes: what it would refuse is replaced, never lost.

use std::borrow::Cow;

use obs_core::health::{self, Event};

/// X-Ray's limit for a segment's name, in characters.
const MAX_NAME: usize = 200;
/// X-Ray's limit for an annotation's key, in characters.
const MAX_KEY: usize = 500;

/// A valid segment name: 1 to 200 letters, numbers, spaces and `_ . : / % & # = + \ - @`. Any other
/// character becomes `_`, control characters that separate words become spaces.
pub(crate) fn segment_name(name: &str) -> Cow<'_, str> {
    let valid = |c: char| c.is_alphanumeric() || " _.:/%&#=+\\-@".contains(c);
    let trimmed = name.trim();
    if trimmed.is_empty() {
        health::count(Event::NameRepaired);
        return Cow::Borrowed("unnamed");
    }
    // Nearly every name is a Rust identifier: bytes are enough to see that.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.len() <= MAX_NAME && name.bytes().all(plain) {
        return Cow::Borrowed(name);
    }
    if trimmed.len() == name.len() && name.chars().all(valid) && name.chars().count() <= MAX_NAME {
        return Cow::Borrowed(name);
    }
    health::count(Event::NameRepaired);
    let repaired: String = trimmed
        .chars()
        .take(MAX_NAME)
        .map(|c| match c {
            c if valid(c) => c,
            c if c.is_whitespace() => ' ',
            _ => '_',
        })
        .collect();
    Cow::Owned(repaired)
}

/// A valid annotation key: 1 to 500 of `[A-Za-z0-9_]`. Any other character becomes `_`.
pub(crate) fn annotation_key(key: &str) -> Cow<'_, str> {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if key.is_empty() {
        health::count(Event::NameRepaired);
        return Cow::Borrowed("_");
    }
    if key.len() <= MAX_KEY && key.chars().all(valid) {
        return Cow::Borrowed(key);
    }
    health::count(Event::NameRepaired);
    Cow::Owned(key.chars().take(MAX_KEY).map(|c| if valid(c) { c } else { '_' }).collect())
}

/// Whether X-Ray keeps this metadata key or namespace for itself.
pub(crate) fn is_reserved(key: &str) -> bool {
    key.starts_with("AWS.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_name(name: &str, expected: &str) {
        assert_eq!(segment_name(name), expected, "{name:?}");
    }

    #[test]
    fn scenario_30_names_are_made_valid() {
        check_name("charge", "charge");
        check_name("charge-card", "charge-card");
        check_name("GET /orders/{id}?q=1", "GET /orders/_id__q=1");
        check_name("parse::<Vec<T>>", "parse::_Vec_T__");
        check_name("Vec<T>", "Vec_T_");
        check_name("a(b)!", "a_b__");
        check_name("größe 日本", "größe 日本");
        check_name("", "unnamed");
        check_name(" \n ", "unnamed");
        check_name(" padded ", "padded");
        check_name("two\nlines\t\u{1b}[31m", "two lines __31m");
        check_name(&"é".repeat(300), &"é".repeat(200));
        check_name(&"x".repeat(300), &"x".repeat(200));
        check_name(&"x".repeat(200), &"x".repeat(200));
    }

    #[test]
    fn scenario_30_annotation_keys_are_made_valid() {
        for (key, expected) in [
            ("order_id", "order_id"),
            ("order.id", "order_id"),
            ("größe", "gr__e"),
            ("", "_"),
            (&"k".repeat(600), &"k".repeat(500)),
        ] {
            assert_eq!(annotation_key(key), expected, "{key:?}");
        }
    }
}
