//! What follows the name of a scheme in a header: `Bearer …`, `Basic …`.

use std::ops::Range;

use super::REDACTED;
use super::text::Text;

const BEARER: &[u8] = b"bearer ";
const BASIC: &[u8] = b"basic ";

/// No word of a language is so long in a log.
const LONGEST_WORD: usize = 19;

/// The credentials behind the scheme whose name begins at `at`.
pub(super) fn find(text: &Text<'_>, at: usize) -> Option<Range<usize>> {
    if !text.begins_word(at) {
        return None;
    }
    let scheme = scheme(text, at)?;
    let start = text.run(at + scheme.len(), |byte| byte == b' ');
    let end = text.run(start, is_of_token);
    let token = text.part(start..end);
    // The rest of a token of which something was replaced already.
    if text.has(end, REDACTED.as_bytes()) {
        return None;
    }
    let trimmed = token.trim_end_matches(['.', '-', '~', '/']);
    let secret = if scheme == BEARER { !is_word(trimmed) } else { has_colon_in_base64(trimmed) };
    secret.then_some(start..start + trimmed.len())
}

/// Whether `token` may be a word of a sentence: `bearer authentication failed`.
fn is_word(token: &str) -> bool {
    let rest = token.get(1..).unwrap_or_default();
    token.len() <= LONGEST_WORD
        && (rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            || token.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// Whether `token` is base64 of something with a colon in it, as `user:password` is.
fn has_colon_in_base64(token: &str) -> bool {
    let mut bits = 0_u32;
    let mut count = 0;
    let mut found = false;
    for byte in token.trim_end_matches('=').bytes() {
        let Some(six) = six_bits(byte) else { return false };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            found |= bits >> count & 0xff == u32::from(b':');
        }
    }
    found
}

fn six_bits(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// The scheme that is named at `at`, with the space behind it.
pub(super) fn scheme(text: &Text<'_>, at: usize) -> Option<&'static [u8]> {
    // Two letters of each, which exclude nearly everything.
    let scheme = match [text.at(at + 1)? | 0x20, text.at(at + 2)? | 0x20] {
        [b'e', b'a'] => BEARER,
        [b'a', b's'] => BASIC,
        _ => return None,
    };
    text.bytes.get(at..at + scheme.len())?.eq_ignore_ascii_case(scheme).then_some(scheme)
}

/// The characters of RFC 6750's `b64token`.
fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}
