//! `key=value`, `key: value` and `"key":"value"` in text.

use std::ops::Range;

use super::text::Text;
use super::value;
use super::{REDACTED, Redactor};

/// The value behind the `=` or `:` at `at` if its key is redacted, and where to go on.
pub(super) fn find(
    text: &Text<'_>,
    at: usize,
    redactor: &Redactor,
) -> (Option<Range<usize>>, usize) {
    let nothing = (None, at + 1);
    let Some(key) = secret_key(text, at, redactor) else { return nothing };
    // `key => value`, `key == value`
    let behind = text.run(at + 1, |byte| matches!(byte, b'=' | b'>'));
    if text.has(behind, b"//") || is_in_arn(text, &key) {
        return nothing;
    }
    let start = text.run(behind, |byte| matches!(byte, b' ' | b'\t'));
    let key = text.part(key);
    let value = value::find(text, start, key);
    if value.is_empty() {
        nothing
    } else if text.part(value.clone()) == REDACTED {
        (None, value.end)
    } else {
        (Some(value.clone()), value.end)
    }
}

/// The key before the `=` or `:` at `at`, if its values are redacted. It may be quoted, or several words.
pub(super) fn secret_key(text: &Text<'_>, at: usize, redactor: &Redactor) -> Option<Range<usize>> {
    // `module::path`
    let neighbours = [text.before(at, 1), text.at(at + 1)];
    if text.at(at) == Some(b':') && neighbours.contains(&Some(b':')) {
        return None;
    }
    if text.bytes.get(text.floor..at).and_then(<[u8]>::last_chunk).is_some_and(|last_three| {
        // A letter right before it: nearly always it ends no secret's name.
        last_three[2].is_ascii_alphabetic() && !redactor.may_end_like(*last_three)
    }) {
        return None;
    }
    let mut end = text.run_back(at, |byte| byte == b' ');
    if let Some(b'"' | b'\'' | b'`') = text.before(end, 1) {
        end = text.run_back(end - 1, |byte| byte == b'\\');
    }
    // Most keys are told apart by how they end.
    let letters = text.run_back(end, |byte| matches!(byte, b'-' | b'_' | b'.' | b' '));
    // What is not there is no letter, and excludes nothing.
    if !redactor.may_end_like([3, 2, 1].map(|back| text.before(letters, back).unwrap_or(b' '))) {
        return None;
    }
    let start = text.run_back(end, is_of_key);
    redactor.is_redacted(text.part(start..end)).then_some(start..end)
}

fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b' ') || !byte.is_ascii()
}

/// Whether the key is a part of an AWS resource's name: `arn:aws:secretsmanager:…:secret:name`.
fn is_in_arn(text: &Text<'_>, key: &Range<usize>) -> bool {
    /// What stands before `secret:` in the longest of them.
    const WINDOW: usize = 80;
    if text.part(key.clone()) != "secret" || text.at(key.end) != Some(b':') {
        return false;
    }
    let before = &text.bytes[key.start.saturating_sub(WINDOW).max(text.floor)..key.start];
    let word = before.rsplit(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    word.ends_with(b":") && word.windows(4).any(|four| four == b"arn:")
}
