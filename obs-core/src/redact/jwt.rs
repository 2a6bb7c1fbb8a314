//! JSON web tokens.

use std::ops::Range;

use super::text::Text;

/// The token whose header begins at `at` with `eyJ`, which is base64 for `{"`.
pub(super) fn find(text: &Text<'_>, at: usize) -> Option<Range<usize>> {
    // Within a longer run it is by chance, and the run would be gone through once more.
    if text.before(at, 1).is_some_and(is_of_part) || !text.has(at, b"eyJ") {
        return None;
    }
    let header = text.run(at, is_of_part);
    let mut end = header;
    let mut parts = 1;
    // Three where it is signed, five where it is encrypted; some of them may be empty.
    while parts < 5 && text.at(end) == Some(b'.') {
        let next = text.run(end + 1, is_of_part);
        if parts >= 3 && next == end + 1 {
            break;
        }
        end = next;
        parts += 1;
    }
    (parts >= 3 && header > at + 3).then_some(at..end)
}

fn is_of_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}
