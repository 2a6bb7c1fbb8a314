//! One pass over a text that stops at the few bytes at which a secret can be noticed.

use std::borrow::Cow;
use std::ops::Range;

use super::pattern::Pattern;
use super::text::Text;
use super::{REDACTED, Redactor, aws_key, bearer, card, email, iban, jwt, key_value, trigger};

/// The text with its secrets replaced; borrowed where it has none.
pub(super) fn replaced<'t>(redactor: &Redactor, text: &'t str) -> Cow<'t, str> {
    let mut search =
        Search { redactor, text: Text { bytes: text.as_bytes(), floor: 0 }, at: 0, after_sign: 0 };
    let Some(first) = search.next() else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + REDACTED.len());
    let mut copied = 0;
    let mut found = Some(first);
    while let Some(range) = found {
        out.push_str(&text[copied..range.start]);
        out.push_str(REDACTED);
        copied = range.end;
        found = search.next();
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// The secrets of a text, in order.
struct Search<'a> {
    redactor: &'a Redactor,
    text: Text<'a>,
    at: usize,
    /// The end of the last `@`: what is before it was looked at.
    after_sign: usize,
}

impl Search<'_> {
    /// What is noticed at the trigger at `at`, and where to go on if that is nothing.
    fn look(&mut self, at: usize) -> (Option<Range<usize>>, usize) {
        let text = &self.text;
        let wanted = |pattern| self.redactor.patterns.contains(pattern);
        let next = at + 1;
        match text.at(at) {
            Some(b'@') if wanted(Pattern::Email) => self.email(at, next),
            Some(b'b' | b'B') if wanted(Pattern::Bearer) => (bearer::find(text, at), next),
            Some(b'J') if wanted(Pattern::Jwt) && at >= 2 => (jwt::find(text, at - 2), next),
            Some(b'A') if wanted(Pattern::AwsKey) => (aws_key::find(text, at), next),
            Some(b'0'..=b'9') => self.number(at),
            Some(b'=' | b':') if wanted(Pattern::KeyValue) => {
                key_value::find(text, at, self.redactor)
            }
            _ => (None, next),
        }
    }

    /// At an `@`, which ends at `end`.
    fn email(&mut self, at: usize, end: usize) -> (Option<Range<usize>>, usize) {
        let floor = std::mem::replace(&mut self.after_sign, end);
        (email::find(&self.text, at..end, floor), end)
    }

    /// At the first of a run of digits.
    fn number(&mut self, at: usize) -> (Option<Range<usize>>, usize) {
        let wanted = |pattern| self.redactor.patterns.contains(pattern);
        let mut found = None;
        if wanted(Pattern::Email) && is_escaped_sign(&self.text, at) {
            (found, _) = self.email(at - 1, at + 2);
        }
        let text = &self.text;
        let end = text.run(at, |byte| byte.is_ascii_digit());
        if end - at >= 2 && found.is_none() && wanted(Pattern::Iban) && at >= text.floor + 2 {
            found = iban::find(text, at - 2);
        }
        if end - at >= 4 && found.is_none() && wanted(Pattern::Card) {
            found = card::find(text, at);
        }
        (found, end)
    }
}

impl Iterator for Search<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        while let Some(at) = trigger::next(self.text.bytes, self.at) {
            let (found, next) = self.look(at);
            self.at = next;
            // Nothing is replaced twice.
            if let Some(range) = found.filter(|range| range.start >= self.text.floor) {
                self.text.floor = range.end;
                self.at = range.end;
                return Some(range);
            }
        }
        None
    }
}

/// Whether the `4` at `at` belongs to `%40`, which is `@` in a URL.
fn is_escaped_sign(text: &Text<'_>, at: usize) -> bool {
    text.before(at, 1) == Some(b'%') && text.has(at, b"40")
}

/// Whether [`replaced`] may find anything in the text of which `inside` is the JSON string: far less
/// work than to decode it. No trigger is escaped, and what an escape next to one looks like is at most
/// one more reason to look closer.
pub(super) fn is_suspect(redactor: &Redactor, inside: &[u8]) -> bool {
    let text = Text { bytes: inside, floor: 0 };
    // The end of the digits that were looked at.
    let mut seen = 0;
    trigger::any(inside, |at| match inside[at] {
        b'0'..=b'9' if at < seen => false,
        b'0'..=b'9' => {
            seen = text.run(at, |byte| byte.is_ascii_digit());
            is_suspect_number(&text, at, seen)
        }
        b':' | b'=' => key_value::secret_key(&text, at, redactor).is_some(),
        b'b' | b'B' => bearer::scheme(&text, at).is_some(),
        b'@' => true,
        b'A' => matches!(text.at(at + 1), Some(b'K' | b'S')) && text.at(at + 2) == Some(b'I'),
        b'J' => text.before(at, 1) == Some(b'y'),
        _ => false,
    })
}

/// Whether the run of digits may be a card's, an IBAN's check digits, or the end of `%40`.
#[inline]
fn is_suspect_number(text: &Text<'_>, start: usize, end: usize) -> bool {
    let upper_case = |back| text.before(start, back).is_some_and(|byte| byte.is_ascii_uppercase());
    match end - start {
        0 | 1 => false,
        card::MIN.. => true,
        len => {
            (upper_case(1) && upper_case(2))
                || is_escaped_sign(text, start)
                || (len >= 4 && card::may_go_on(text, end))
        }
    }
}
