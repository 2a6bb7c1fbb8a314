//! Ids of AWS access keys.

use std::ops::Range;

use super::text::Text;

const LEN: usize = 20;

/// The id that begins at `at`.
pub(super) fn find(text: &Text<'_>, at: usize) -> Option<Range<usize>> {
    let id = text.bytes.get(at..at + LEN)?;
    let of_key = id.starts_with(b"AKIA") || id.starts_with(b"ASIA");
    (of_key
        && id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && text.begins_word(at)
        && text.ends_word(at + LEN))
    .then_some(at..at + LEN)
}
