//! One pass over a text that stops at the few bytes at which a secret can be noticed.

use std::borrow::Cow;
use std::ops::Range;

use super::pattern::Pattern;
use super::text::Text;
use super::{REDACTED, Redactor, aws_key, bearer, email, jwt, key_value, numbers};

/// The text with its secrets replaced; borrowed where it has none.
pub(super) fn replaced<'t>(redactor: &Redactor, text: &'t str) -> Cow<'t, str> {
    let mut search = Search::new(redactor, text);
    let Some(first) = search.next() else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
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
    /// The end of the last `@`.
    after_at_sign: usize,
}

impl<'a> Search<'a> {
    fn new(redactor: &'a Redactor, text: &'a str) -> Self {
        Self { redactor, text: Text { text, floor: 0 }, at: 0, after_at_sign: 0 }
    }

    /// What is noticed at the trigger at `self.at`, and where to go on if that is nothing.
    fn look(&mut self) -> (Option<Range<usize>>, usize) {
        let (text, at) = (&self.text, self.at);
        let wanted = |pattern| self.redactor.patterns.contains(pattern);
        let next = at + 1;
        let Some(byte) = text.at(at) else { return (None, next) };
        match byte {
            b'@' | b'%' if wanted(Pattern::Email) => {
                let width = if byte == b'@' { 1 } else { 3 };
                if byte == b'%' && text.bytes().get(at..at + 3) != Some(b"%40") {
                    return (None, next);
                }
                let found = email::find(text, at, width, self.after_at_sign);
                self.after_at_sign = at + width;
                (found, at + width)
            }
            b'b' | b'B' if wanted(Pattern::Bearer) => (bearer::find(text, at), next),
            b'J' if wanted(Pattern::Jwt) && at >= 2 => (jwt::find(text, at - 2), next),
            b'I' if wanted(Pattern::AwsKey) && at >= 2 => (aws_key::find(text, at - 2), next),
            b'0'..=b'9' => numbers::find(text, at, self.redactor.patterns),
            b'=' | b':' if wanted(Pattern::KeyValue) => {
                key_value::find(text, at, |name| self.redactor.is_redacted(name))
            }
            _ => (None, next),
        }
    }
}

impl Iterator for Search<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        while let Some(at) = next_trigger(self.text.bytes(), self.at) {
            self.at = at;
            let (found, next) = self.look();
            self.at = next;
            if let Some(range) = found.filter(|range| range.start >= self.text.floor) {
                self.text.floor = range.end;
                self.at = range.end;
                return Some(range);
            }
        }
        None
    }
}

/// Whether there is anything at which a secret can be noticed. The bytes may be those of a JSON string:
/// none of the triggers is escaped there.
#[inline]
pub(super) fn may_have_secrets(bytes: &[u8]) -> bool {
    next_trigger(bytes, 0).is_some()
}

/// The first byte from `at` on at which a secret can be noticed.
fn next_trigger(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..)?.iter().position(|byte| is_trigger(*byte))?;
    Some(at + found)
}

fn is_trigger(byte: u8) -> bool {
    matches!(byte, b'@' | b'%' | b'=' | b':' | b'b' | b'B' | b'I' | b'J' | b'0'..=b'9')
}
