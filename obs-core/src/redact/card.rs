//! Numbers of payment cards.

use std::ops::Range;

use super::text::Text;

/// The least number of digits.
pub(super) const MIN: usize = 13;
const MAX: usize = 19;
/// As many groups as are printed on a card, at most.
const MAX_GROUPS: usize = 5;

/// The number whose first group of digits begins at `at`.
pub(super) fn find(text: &Text<'_>, at: usize) -> Option<Range<usize>> {
    // A phone number, or a part of a fraction.
    let behind_sign = match text.before(at, 1) {
        Some(b'+') => true,
        Some(b'.' | b',') => text.before(at, 2).is_some_and(|byte| byte.is_ascii_digit()),
        _ => false,
    };
    if behind_sign || !text.begins_word(at) {
        return None;
    }
    let mut groups = [0; MAX_GROUPS];
    let mut digits = Digits { digits: [0; MAX], len: 0 };
    let mut separator = None;
    let mut found = None;
    let mut end = at;
    for index in 0..MAX_GROUPS {
        let begin = end + usize::from(index > 0);
        let Some(len) = digits.read(text, begin) else { break };
        groups[index] = len;
        end = begin + len;
        if is_shape(&groups[..=index]) && ends_number(text, end) && digits.are_of_a_card() {
            found = Some(at..end);
        }
        separator = separator.or(text.at(end).filter(|byte| matches!(byte, b' ' | b'-')));
        if separator.is_none() || separator != text.at(end) {
            break;
        }
    }
    found
}

/// Whether a group of digits that ends at `end` may be followed by a card's next one.
pub(super) fn may_go_on(text: &Text<'_>, end: usize) -> bool {
    matches!(text.at(end), Some(b' ' | b'-'))
        && text.run(end + 1, |byte| byte.is_ascii_digit()) >= end + 5
}

/// How numbers are written: in one piece, or in groups as on the card.
fn is_shape(groups: &[usize]) -> bool {
    match groups {
        [len] => (MIN..=MAX).contains(len),
        [4, 6, last] => (4..=5).contains(last),
        [4, 4, 4, last] => (1..=4).contains(last),
        [4, 4, 4, 4, last] => (1..=3).contains(last),
        _ => false,
    }
}

fn ends_number(text: &Text<'_>, end: usize) -> bool {
    let fraction =
        text.at(end) == Some(b'.') && text.at(end + 1).is_some_and(|byte| byte.is_ascii_digit());
    text.ends_word(end) && !fraction
}

struct Digits {
    digits: [u8; MAX],
    len: usize,
}

impl Digits {
    /// Adds the run of digits at `at`, which is not empty; `None` where they are too many.
    fn read(&mut self, text: &Text<'_>, at: usize) -> Option<usize> {
        let before = self.len;
        while let Some(byte @ b'0'..=b'9') = text.at(at + self.len - before) {
            *self.digits.get_mut(self.len)? = byte - b'0';
            self.len += 1;
        }
        (self.len > before).then_some(self.len - before)
    }

    fn are_of_a_card(&self) -> bool {
        let digits = &self.digits[..self.len];
        is_issued(digits) && has_check_digit(digits)
    }
}

/// Whether an issuer has numbers that begin like this and are so long.
fn is_issued(digits: &[u8]) -> bool {
    let first_six = digits.iter().take(6).fold(0, |n, digit| n * 10 + u32::from(*digit));
    match first_six {
        // Visa
        400_000..=499_999 => matches!(digits.len(), 13 | 16 | 19),
        // Mastercard
        222_100..=272_099 | 510_000..=559_999 => digits.len() == 16,
        // American Express
        340_000..=349_999 | 370_000..=379_999 => digits.len() == 15,
        // Diners Club
        300_000..=305_999 | 309_500..=309_599 | 360_000..=369_999 | 380_000..=399_999 => {
            digits.len() >= 14
        }
        // JCB, Mir, UnionPay and RuPay
        352_800..=358_999 | 220_000..=220_499 | 810_000..=829_999 => digits.len() >= 16,
        // Maestro, Discover, UnionPay, RuPay, Elo
        500_000..=509_999 | 560_000..=589_999 | 600_000..=699_999 => true,
        _ => false,
    }
}

/// Luhn's check.
fn has_check_digit(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(*digit) << (place % 2);
            value / 10 + value % 10
        })
        .sum();
    sum.is_multiple_of(10)
}
