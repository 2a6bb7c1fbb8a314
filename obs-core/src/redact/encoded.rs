//! Secrets in a string that is JSON already.

use std::borrow::Cow;

use super::{Redactor, scan};
use crate::json;

/// Replaces the secrets in the JSON string `out[start..]`.
pub(super) fn redact(redactor: &Redactor, out: &mut Vec<u8>, start: usize) {
    let Some([b'"', inside @ .., b'"']) = out.get(start..) else { return };
    if !scan::is_suspect(redactor, inside) {
        return;
    }
    let Some(text) = decoded(inside) else { return };
    if let Cow::Owned(text) = scan::replaced(redactor, &text) {
        out.truncate(start);
        json::string(out, &text);
    }
}

/// The text of a JSON string without its quotes; `None` where it is none.
fn decoded(inside: &[u8]) -> Option<Cow<'_, str>> {
    let inside = std::str::from_utf8(inside).ok()?;
    if !inside.contains('\\') {
        return Some(Cow::Borrowed(inside));
    }
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (character, behind) = unescaped(&rest[at + 1..])?;
        text.push(character);
        rest = behind;
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}

/// The character of an escape, without its backslash, and what is behind it.
fn unescaped(escape: &str) -> Option<(char, &str)> {
    let behind = escape.get(1..)?;
    let character = match escape.as_bytes().first()? {
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        plain @ (b'"' | b'\\' | b'/') => char::from(*plain),
        b'u' => return unicode(behind),
        _ => return None,
    };
    Some((character, behind))
}

/// The character of four hexadecimal digits, or of two times four where it is beyond them.
fn unicode(digits: &str) -> Option<(char, &str)> {
    let four = |digits: &str| u32::from_str_radix(digits.get(..4)?, 16).ok();
    let (first, behind) = (four(digits)?, digits.get(4..)?);
    if let Some(character) = char::from_u32(first) {
        return Some((character, behind));
    }
    let behind = behind.strip_prefix("\\u")?;
    let second = four(behind)?;
    let both =
        0x10000 + ((first.checked_sub(0xd800)? & 0x3ff) << 10) + second.checked_sub(0xdc00)?;
    Some((char::from_u32(both)?, behind.get(4..)?))
}
