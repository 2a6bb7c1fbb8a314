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
    let Some(last) = letters_from_the_end(name).next() else { return false };
    STANDARD_ENDS.contains(last) && STANDARD_FIELDS.iter().any(|field| ends_with(name, field))
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

/// The letters that end a standard field: most names are told apart by their last letter alone.
pub(super) const STANDARD_ENDS: Ends = Ends::of(STANDARD_FIELDS);

/// The last bytes of names, in lower case.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends([u64; 4]);

impl Ends {
    const fn of(names: &[&str]) -> Self {
        let mut set = Self([0; 4]);
        let mut at = 0;
        while at < names.len() {
            set = set.with(names[at]);
            at += 1;
        }
        set
    }

    /// With the last byte of `name`, which is normalized.
    pub(super) const fn with(mut self, name: &str) -> Self {
        if let Some(last) = name.as_bytes().last() {
            self.0[(*last >> 6) as usize] |= 1 << (*last & 63);
        }
        self
    }

    #[inline]
    pub(super) const fn contains(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] >> (byte & 63) & 1 == 1
    }
}
