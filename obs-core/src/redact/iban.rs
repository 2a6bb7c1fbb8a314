//! International bank account numbers.

use std::ops::Range;

use super::text::Text;

/// The number whose country begins at `at`, in one piece or in groups of four.
pub(super) fn find(text: &Text<'_>, at: usize) -> Option<Range<usize>> {
    let country: [u8; 2] = *text.bytes.get(at..)?.first_chunk()?;
    let place = LENGTHS.binary_search_by(|(known, _)| (*known).cmp(&country)).ok()?;
    let (_, len) = LENGTHS.get(place)?;
    if !text.begins_word(at) {
        return None;
    }
    let grouped = text.at(at + 4) == Some(b' ');
    let mut end = at;
    let mut remainder = Remainder(0);
    let mut first_four = [0; 4];
    for index in 0..usize::from(*len) {
        if grouped && index > 0 && index % 4 == 0 {
            if text.at(end) != Some(b' ') {
                return None;
            }
            end += 1;
        }
        let byte = text.at(end)?;
        // The country and the check digits are checked as if they stood at the end.
        match first_four.get_mut(index) {
            Some(place) => *place = byte,
            None => remainder.add(byte)?,
        }
        end += 1;
    }
    for byte in first_four {
        remainder.add(byte)?;
    }
    (remainder.0 == 1 && text.ends_word(end)).then_some(at..end)
}

/// Of a division by 97 of the number whose letters stand for 10 to 35.
struct Remainder(u32);

impl Remainder {
    fn add(&mut self, byte: u8) -> Option<()> {
        self.0 = match byte {
            b'0'..=b'9' => self.0 * 10 + u32::from(byte - b'0'),
            b'A'..=b'Z' => self.0 * 100 + u32::from(byte - b'A') + 10,
            _ => return None,
        } % 97;
        Some(())
    }
}

/// How long each country's numbers are, from the IBAN registry of SWIFT (ISO 13616).
#[rustfmt::skip]
static LENGTHS: [([u8; 2], u8); 89] = [
    (*b"AD", 24), (*b"AE", 23), (*b"AL", 28), (*b"AT", 20), (*b"AZ", 28), (*b"BA", 20),
    (*b"BE", 16), (*b"BG", 22), (*b"BH", 22), (*b"BI", 27), (*b"BR", 29), (*b"BY", 28),
    (*b"CH", 21), (*b"CR", 22), (*b"CY", 28), (*b"CZ", 24), (*b"DE", 22), (*b"DJ", 27),
    (*b"DK", 18), (*b"DO", 28), (*b"EE", 20), (*b"EG", 29), (*b"ES", 24), (*b"FI", 18),
    (*b"FK", 18), (*b"FO", 18), (*b"FR", 27), (*b"GB", 22), (*b"GE", 22), (*b"GI", 23),
    (*b"GL", 18), (*b"GR", 27), (*b"GT", 28), (*b"HN", 28), (*b"HR", 21), (*b"HU", 28),
    (*b"IE", 22), (*b"IL", 23), (*b"IQ", 23), (*b"IS", 26), (*b"IT", 27), (*b"JO", 30),
    (*b"KW", 30), (*b"KZ", 20), (*b"LB", 28), (*b"LC", 32), (*b"LI", 21), (*b"LT", 20),
    (*b"LU", 20), (*b"LV", 21), (*b"LY", 25), (*b"MC", 27), (*b"MD", 24), (*b"ME", 22),
    (*b"MK", 19), (*b"MN", 20), (*b"MR", 27), (*b"MT", 31), (*b"MU", 30), (*b"NI", 28),
    (*b"NL", 18), (*b"NO", 15), (*b"OM", 23), (*b"PK", 24), (*b"PL", 28), (*b"PS", 29),
    (*b"PT", 25), (*b"QA", 29), (*b"RO", 24), (*b"RS", 22), (*b"RU", 33), (*b"SA", 24),
    (*b"SC", 31), (*b"SD", 18), (*b"SE", 24), (*b"SI", 19), (*b"SK", 24), (*b"SM", 27),
    (*b"SO", 23), (*b"ST", 25), (*b"SV", 28), (*b"TL", 23), (*b"TN", 24), (*b"TR", 26),
    (*b"UA", 29), (*b"VA", 22), (*b"VG", 24), (*b"XK", 20), (*b"YE", 30),
];
