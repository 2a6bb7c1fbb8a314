//! The few bytes at which a secret can be noticed, eight bytes at a time: a digit, `:`, `=` or `@`, and
//! the letters `A`, `b`, `B` and `J`. Some more are found because that is cheaper than to leave them
//! out, and digits are left out that stand alone.

/// Whether one of the triggers `is_wanted`; it is asked with the place of each, in order.
#[inline]
pub(super) fn any(bytes: &[u8], mut is_wanted: impl FnMut(usize) -> bool) -> bool {
    let mut any_of = |at: usize, eight: u64| {
        let mut found = triggers(eight);
        if found == 0 {
            return false;
        }
        found &= !lonely_digits(eight);
        while found != 0 {
            if is_wanted(at + found.trailing_zeros() as usize / 8) {
                return true;
            }
            found &= found - 1;
        }
        false
    };
    let (sixteens, rest) = bytes.as_chunks();
    for (index, sixteen) in sixteens.iter().enumerate() {
        let [first, second] = halves(sixteen);
        // Most have none.
        if triggers(first) | triggers(second) != 0
            && (any_of(16 * index, first) || any_of(16 * index + 8, second))
        {
            return true;
        }
    }
    let at = bytes.len() - rest.len();
    match rest.split_first_chunk() {
        Some((eight, [])) => any_of(at, u64::from_le_bytes(*eight)),
        Some((eight, rest)) => {
            any_of(at, u64::from_le_bytes(*eight)) || any_of(at + 8, last(bytes, rest))
        }
        None => !rest.is_empty() && any_of(at, last(bytes, rest)),
    }
}

#[inline]
fn halves(sixteen: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*sixteen);
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    let lower = both as u64;
    [lower, (both >> 64) as u64]
}

/// The first trigger from `at` on.
pub(super) fn next(bytes: &[u8], at: usize) -> Option<usize> {
    let mut found = None;
    any(bytes.get(at..)?, |place| {
        found = Some(at + place);
        true
    });
    found
}

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = ONES * 0x80;

/// The top bit of each byte that is a trigger. No byte's bits reach the next one.
#[inline]
const fn triggers(eight: u64) -> u64 {
    let ascii = eight & !TOPS;
    // From `0` to `A`: all the digits and signs, and `;`, `<`, `>` and `?`.
    let sign = (ascii + ONES * (0x80 - b'0' as u64)) & !(ascii + ONES * (0x7f - b'A' as u64));
    // `b`, `B`, `J` and `j` differ in two bits.
    let not_letter = ((ascii | (ONES * 0x28)) ^ (ONES * b'j' as u64)) + ONES * 0x7f;
    (sign | !not_letter) & !eight & TOPS
}

/// The digits that are not the first of two or more, as far as these eight bytes tell.
#[inline]
const fn lonely_digits(eight: u64) -> u64 {
    let ascii = eight & !TOPS;
    let first = ascii + ONES * (0x80 - b'0' as u64);
    let digits = first & !(ascii + ONES * (0x7f - b'9' as u64)) & !eight & TOPS;
    // The last of the eight may go on.
    let goes_on = digits >> 8 | 0x80 << 56;
    digits & (digits << 8 | !goes_on)
}

/// The last bytes, less than eight, with zeros behind them.
#[inline]
fn last(bytes: &[u8], rest: &[u8]) -> u64 {
    match bytes.last_chunk() {
        // What was seen already is shifted out.
        Some(last) => u64::from_le_bytes(*last) >> (8 * (8 - rest.len())),
        None => short(rest),
    }
}

/// Less than eight bytes, with zeros behind them.
#[inline]
fn short(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let [first, last] = [first, last].map(|four| u64::from(u32::from_le_bytes(*four)));
        return first | last << (8 * (bytes.len() - 4));
    }
    let at = |place: usize| bytes.get(place).map_or(0, |byte| u64::from(*byte) << (8 * place));
    at(0) | at(1) | at(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_trigger(byte: u8) -> bool {
        matches!(byte, b':'..=b'A' | b'b' | b'B' | b'j' | b'J')
    }

    #[test]
    fn every_trigger_is_found_wherever_it_stands() {
        for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_digit()) {
            for len in 1..20 {
                for place in 0..len {
                    for around in [b' ', b'a', 0, 0x7f, 0x80, 0xff] {
                        let mut bytes = vec![around; len];
                        bytes[place] = byte;
                        let expected = is_trigger(byte).then_some(place);
                        assert_eq!(next(&bytes, 0), expected, "{byte} {place} {len} {around}");
                        bytes.insert(0, b'=');
                        let expected = expected.map(|place| place + 1);
                        assert_eq!(next(&bytes, 1), expected, "{byte} {place} {len} {around}");
                    }
                }
            }
        }
        for (text, expected) in [
            ("1", None),
            ("a1x", None),
            ("a12", Some(1)),
            ("axcdef12", Some(6)),
            // It may go on, and does not.
            ("axcdefg1x", Some(7)),
            ("axcdefg12", Some(7)),
            ("a1x2c3d4e5f66", Some(7)),
            ("a1-23", Some(3)),
        ] {
            assert_eq!(next(text.as_bytes(), 0), expected, "{text}");
        }
        assert_eq!([next(b"a=b", 2), next(b"a=c", 2), next(b"a=c", 3)], [Some(2), None, None]);
    }
}
