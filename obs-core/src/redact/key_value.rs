//! `key=value` and `key: value` in text.

use std::ops::Range;

use super::text::Text;

/// The value behind the `=` or `:` at `at`, if what stands before it `is_redacted`, and where to go on.
pub(super) fn find(
    text: &Text<'_>,
    at: usize,
    is_redacted: impl Fn(&str) -> bool,
) -> (Option<Range<usize>>, usize) {
    let key = text.text[text.run_back(at, |b| b.is_ascii_alphanumeric() || b == b'_')..at].trim();
    let start = text.run(at + 1, |byte| byte == b' ');
    let end = text.run(start, |byte| byte.is_ascii_graphic() && !b",;&)]}\"'".contains(&byte));
    ((end > start && is_redacted(key)).then_some(start..end), at + 1)
}
