//! Where the value of a `key=value` ends.

use std::ops::Range;

use super::text::Text;
use super::{REDACTED, card, iban};

/// The value that begins at `start`, without the quotes around it; empty where there is none. What is
/// not closed ends with the text.
pub(super) fn find(text: &Text<'_>, start: usize, key: &str) -> Range<usize> {
    if text.has(start, REDACTED.as_bytes()) {
        return start..start + REDACTED.len();
    }
    let Value { mut inside, mut outside } = Value::at(text, start, key);
    // Where it is a key itself, as in `credentials: password: …`, that one's value belongs to it.
    while !inside.is_empty() {
        let sign = text.run(outside, |byte| byte == b' ');
        let is_key = matches!(text.at(sign), Some(b':' | b'='))
            || (sign > outside && text.before(outside, 1) == Some(b':'));
        if !is_key {
            break;
        }
        let next = text.run(sign, |byte| matches!(byte, b':' | b'=' | b'>' | b' ' | b'\t'));
        let value = Value::at(text, next, key);
        if value.inside.is_empty() {
            break;
        }
        // With all the quotes: those of the first need not be those of the last.
        (inside, outside) = (start..value.outside, value.outside);
    }
    inside
}

struct Value {
    /// Without the quotes.
    inside: Range<usize>,
    /// The end, quotes included.
    outside: usize,
}

impl Value {
    fn at(text: &Text<'_>, start: usize, key: &str) -> Self {
        // `b"…"` is what bytes look like in `Debug`.
        let bytes = text.has(start, b"b\"");
        if let Some(quote) = Quote::at(text, start + usize::from(bytes)) {
            let end = quote.end(text);
            return Self { inside: quote.inside..end.inside, outside: end.outside };
        }
        let end = end_of_plain(text, start, key);
        let end = end_of_groups(text, start..end);
        Self { inside: start..end, outside: end }
    }
}

/// A number in groups goes on behind the space that ends its first one: where `value` ends, or the card or
/// the bank account that begins in it.
fn end_of_groups(text: &Text<'_>, value: Range<usize>) -> usize {
    let bytes = text.bytes.get(value.clone()).unwrap_or_default();
    if bytes.is_empty() || text.at(value.end) != Some(b' ') {
        return value.end;
    }
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let mut end = value.end;
    if bytes.iter().all(u8::is_ascii_digit) {
        // Whatever it is, with an issuer's prefix or without.
        while text.at(end) == Some(b' ') && text.at(end + 1).is_some_and(is_digit) {
            end = text.run(end + 1, is_digit);
        }
    }
    for (at, byte) in value.clone().zip(bytes) {
        if is_digit(*byte) && !text.before(at, 1).is_some_and(is_digit) {
            let account = at.checked_sub(2).filter(|at| *at >= value.start);
            let account = account.and_then(|at| iban::find(text, at));
            let card = card::find(text, at);
            end = account.into_iter().chain(card).map(|found| found.end).fold(end, usize::max);
        }
    }
    end
}

/// The end of a value without quotes.
fn end_of_plain(text: &Text<'_>, start: usize, key: &str) -> usize {
    let word = text.run(start, is_of_name);
    // `Some("…")`, `Credentials { … }`, `[…]`
    let spaces = text.run(word, |byte| byte == b' ');
    match text.at(word) {
        Some(b'(' | b'[' | b'{') => return end_of_token(text, end_of_brackets(text, word)),
        Some(b' ') if word > start && text.at(spaces) == Some(b'{') => {
            return end_of_token(text, end_of_brackets(text, spaces));
        }
        _ => {}
    }
    if word > start && spaces > word {
        match Scheme::of(text.part(start..word)) {
            Some(Scheme::Token) => return end_of_token(text, spaces),
            Some(Scheme::Parameters) => return text.run(spaces, |byte| byte != b'\n'),
            None => {}
        }
    }
    let mut end = end_of_token(text, start);
    if key.len() >= COOKIE.len()
        && key.as_bytes()[key.len() - COOKIE.len()..].eq_ignore_ascii_case(COOKIE)
    {
        // `a=b; c=d`
        while text.at(end) == Some(b';') {
            let next = text.run(end + 1, |byte| byte == b' ');
            let after = end_of_token(text, next);
            if after == next {
                break;
            }
            end = after;
        }
    }
    end
}

const COOKIE: &[u8] = b"cookie";

/// How the value of an `Authorization` goes on behind the name of its scheme.
enum Scheme {
    /// With one word.
    Token,
    /// With all that is in the line.
    Parameters,
}

impl Scheme {
    fn of(word: &str) -> Option<Self> {
        let one_of = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(word));
        if one_of(&["bearer", "basic", "negotiate", "token", "apikey", "dpop"]) {
            Some(Self::Token)
        } else if one_of(&["digest", "signature", "aws4-hmac-sha256", "aws4-ecdsa-p256-sha256"]) {
            Some(Self::Parameters)
        } else {
            None
        }
    }
}

/// The end of a word, which brackets that it opens itself do not end.
fn end_of_token(text: &Text<'_>, start: usize) -> usize {
    let mut depth = 0_usize;
    let end = text.run(start, |byte| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth > 0 => depth -= 1,
            b')' | b']' | b'}' | b',' | b';' | b'&' | b'"' | b'\'' | b'`' | b'>' => return false,
            0..=b' ' | 0x7f => return false,
            _ => {}
        }
        true
    });
    // The quote that follows is escaped, and belongs to what is around.
    match text.at(end) {
        Some(b'"') => start.max(text.run_back(end, |byte| byte == b'\\')),
        _ => end,
    }
}

/// The end of what the bracket at `open` encloses.
fn end_of_brackets(text: &Text<'_>, open: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = open;
    while let Some(byte) = text.at(at) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b'"' | b'\\' => {
                at = match Quote::at(text, at) {
                    Some(quote) if quote.quote == b'"' => quote.end(text).outside,
                    _ => text.run(at, |byte| byte == b'\\'),
                };
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    text.bytes.len()
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':')
}

/// A quotation mark that opens, in a text that may be quoted itself: `\"`, `\\\"`.
struct Quote {
    quote: u8,
    slashes: usize,
    inside: usize,
}

/// Where a quotation ends.
struct QuoteEnd {
    /// Before the mark that closes and what escapes it.
    inside: usize,
    outside: usize,
}

impl Quote {
    fn at(text: &Text<'_>, at: usize) -> Option<Self> {
        let mark = text.run(at, |byte| byte == b'\\');
        let quote = text.at(mark).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
        Some(Self { quote, slashes: mark - at, inside: mark + 1 })
    }

    fn end(&self, text: &Text<'_>) -> QuoteEnd {
        let mut at = self.inside;
        loop {
            let mark = text.run(at, |byte| byte != self.quote);
            if mark >= text.bytes.len() {
                return QuoteEnd { inside: mark, outside: mark };
            }
            let inside = Text { floor: at, ..*text };
            let slashes = mark - inside.run_back(mark, |byte| byte == b'\\');
            if let Some(own) = closing(slashes, self.slashes) {
                return QuoteEnd { inside: mark - own, outside: mark + 1 };
            }
            at = mark + 1;
        }
    }
}

/// Whether a mark behind `slashes` closes what one behind `opening` of them has opened, or what is
/// around that; then how many of them belong to the mark.
fn closing(slashes: usize, opening: usize) -> Option<usize> {
    if slashes.is_multiple_of(2) {
        Some(0)
    } else if opening.is_multiple_of(2) {
        None
    } else {
        // Each level of quoting makes 2n+1 of n.
        closing(slashes / 2, opening / 2).map(|own| 2 * own + 1)
    }
}
