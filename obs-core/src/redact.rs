//! What must not leave the process: fields whose name says that they hold a secret.
//!
//! The decision is made by name, so that it can be made once per callsite and cached.

use std::fmt;
use std::sync::Arc;

/// What stands in the place of a redacted value.
pub const REDACTED: &str = "[REDACTED]";

/// Field names that are redacted unless [`Redactor::none`] is asked for.
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

/// Decides which fields are redacted. Cheap to clone.
///
/// ```
/// use obs_core::redact::Redactor;
///
/// let redactor = Redactor::default().field("iban");
/// assert!(redactor.is_redacted("user.password"));
/// assert!(redactor.is_redacted("IBAN"));
/// assert!(!redactor.is_redacted("order_id"));
/// ```
#[derive(Clone)]
pub struct Redactor {
    standard: bool,
    fields: Arc<[Box<str>]>,
}

impl Redactor {
    /// Redacts nothing.
    pub fn none() -> Self {
        Self { standard: false, fields: Arc::new([]) }
    }

    /// Redacts fields of this name too, compared as [`STANDARD_FIELDS`] are.
    #[must_use = "a redactor is changed by value"]
    pub fn field(mut self, name: &str) -> Self {
        let name = normalized(name);
        if !name.is_empty() {
            self.fields = self
                .fields
                .iter()
                .cloned()
                .chain([name.into_boxed_str()])
                .collect::<Vec<_>>()
                .into();
        }
        self
    }

    /// Whether a field of this name is redacted. Allocates nothing; still, a decision that is made
    /// for every record is worth caching by callsite.
    pub fn is_redacted(&self, name: &str) -> bool {
        let mut letters = letters_from_the_end(name);
        let Some(last) = letters.next() else { return false };
        (self.standard
            && STANDARD_ENDS.contains(last)
            && STANDARD_FIELDS.iter().any(|field| ends_with(name, field)))
            || self.fields.iter().any(|field| ends_with(name, field))
    }
}

impl Default for Redactor {
    /// Redacts [`STANDARD_FIELDS`].
    fn default() -> Self {
        Self { standard: true, fields: Arc::new([]) }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("standard", &self.standard)
            .field("fields", &self.fields)
            .finish()
    }
}

/// How names are compared: without separators, in lower case.
fn normalized(name: &str) -> String {
    name.chars().filter(|c| !is_separator(*c)).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether `name`, normalized, ends with `field`, which is normalized already.
fn ends_with(name: &str, field: &str) -> bool {
    let mut letters = letters_from_the_end(name);
    field.bytes().rev().all(|wanted| letters.next() == Some(wanted))
}

/// The bytes of a name's normal form, last one first.
fn letters_from_the_end(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().rev().filter(|b| !is_separator(char::from(*b))).map(|b| b.to_ascii_lowercase())
}

/// The letters that end a standard field: most names are told apart by their last letter alone.
const STANDARD_ENDS: Letters = Letters::ending(STANDARD_FIELDS);

/// A set of the letters a to z.
struct Letters(u32);

impl Letters {
    const fn ending(names: &[&str]) -> Self {
        let mut set = 0;
        let mut at = 0;
        while at < names.len() {
            if let Some(last) = names[at].as_bytes().last() {
                set |= 1 << (*last - b'a');
            }
            at += 1;
        }
        Self(set)
    }

    const fn contains(&self, letter: u8) -> bool {
        letter.is_ascii_lowercase() && self.0 >> (letter - b'a') & 1 == 1
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, '-' | '_' | '.' | ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: bool) {
        assert_eq!(Redactor::default().is_redacted(name), expected, "{name}");
        assert!(!Redactor::none().is_redacted(name), "{name}");
    }

    #[test]
    fn names_that_hold_secrets_are_redacted_however_they_are_written() {
        for name in [
            "password",
            "PASSWORD",
            "db_password",
            "x-api-key",
            "apiKey",
            "set-cookie",
            "access_token",
        ] {
            check(name, true);
        }
        for name in ["order_id", "tokens_used", "secretary", "passwords_checked", ""] {
            check(name, false);
        }
    }

    #[test]
    fn own_names_are_added_to_the_standard_ones() {
        let redactor = Redactor::default().field("Customer-Email");
        assert!(redactor.is_redacted("customer_email"));
        assert!(redactor.is_redacted("password"));
        assert!(!Redactor::none().field("").is_redacted("anything"));
    }
}
