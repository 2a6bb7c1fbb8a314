//! What begins with digits or has them behind two letters.

use std::ops::Range;

use super::pattern::Patterns;
use super::text::Text;

/// The secret at the digit at `at`, which is the first of its run, and where to go on.
pub(super) fn find(
    text: &Text<'_>,
    at: usize,
    _patterns: Patterns,
) -> (Option<Range<usize>>, usize) {
    (None, text.run(at, |byte| byte.is_ascii_digit()))
}
