//! Which names are those of secrets.

/// Field names that are redacted unless [`Redactor::none`](super::Redactor::none) is asked for.
///
/// A field is redacted when its name, without `-`, `_`, `.` and case, is one of these or ends with
/// one of these: `user_password` and `X-Api-Key` are, `tokens_used` is not.
pub const STANDARD_FIELDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "secretkey",
    "secretaccesskey",
    "clientsecret",
    "token",
    "authorization",
    "apikey",
    "privatekey",
    "cookie",
    "credentials",
    "creditcard",
    "cardnumber",
    "cvv",
    "ssn",
];

/// How names are compared: without separators, in lower case.
pub(super) fn normalized(name: &str) -> String {
    name.chars().filter(|c| !is_separator(*c)).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether `name`, normalized, ends with a name of [`STANDARD_FIELDS`].
pub(super) fn is_standard(name: &str) -> bool {
    let mut letters = letters_from_the_end(name);
    let (Some(last), Some(second), Some(third)) = (letters.next(), letters.next(), letters.next())
    else {
        return false;
    };
    let ends_like = |field: &&&str| field.as_bytes().last() == Some(&last);
    may_end_standard(third, second, last)
        && STANDARD_FIELDS.iter().filter(ends_like).any(|field| ends_with(name, field))
}

/// Whether `name`, normalized, ends with `field`, which is normalized already.
pub(super) fn ends_with(name: &str, field: &str) -> bool {
    let mut letters = letters_from_the_end(name);
    field.bytes().rev().all(|wanted| letters.next() == Some(wanted))
}

/// The bytes of a name's normal form, last one first.
fn letters_from_the_end(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().rev().filter(|b| !is_separator(char::from(*b))).map(|b| b.to_ascii_lowercase())
}

fn is_separator(c: char) -> bool {
    matches!(c, '-' | '_' | '.' | ' ')
}

/// How the standard fields end: most names are told apart by that alone.
static STANDARD_ENDS: LastLetters = LastLetters::of(STANDARD_FIELDS);

/// Whether a standard field may end with these three. Only letters of a name's normal form exclude it.
#[inline]
pub(super) fn may_end_standard(third: u8, second: u8, last: u8) -> bool {
    let letter = |byte: u8| byte.to_ascii_lowercase().wrapping_sub(b'a');
    let Some([seconds, thirds]) = STANDARD_ENDS.0.get(usize::from(letter(last))) else {
        return false;
    };
    let has = |set: u32, byte: u8| letter(byte) >= 26 || set >> letter(byte) & 1 == 1;
    *seconds != 0 && has(*seconds, second) && (letter(second) >= 26 || has(*thirds, third))
}

/// For each last letter, which ones are the second and the third from the end.
struct LastLetters([[u32; 2]; 26]);

impl LastLetters {
    const fn of(names: &[&str]) -> Self {
        let mut set = Self([[0; 2]; 26]);
        let mut at = 0;
        while at < names.len() {
            if let [.., third, second, last] = names[at].as_bytes() {
                let sets = &mut set.0[(*last - b'a') as usize];
                sets[0] |= 1 << (*second - b'a');
                sets[1] |= 1 << (*third - b'a');
            }
            at += 1;
        }
        set
    }
}

/// The last bytes of names, in lower case.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends([u64; 4]);

impl Ends {
    /// With the last byte of `name`, which is normalized.
    pub(super) fn with(mut self, name: &str) -> Self {
        if let Some(last) = name.as_bytes().last() {
            self.0[usize::from(last >> 6)] |= 1 << (last & 63);
        }
        self
    }

    #[inline]
    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }
}
