//! What must not leave the process: fields whose name says that they hold a secret, and secrets in
//! texts that are known by how they are written.
//!
//! By name is decided once per callsite and costs nothing for each record. Texts are searched only if
//! that is asked for, with [`Redactor::standard`] or [`Redactor::pattern`].

mod aws_key;
mod bearer;
mod card;
mod email;
mod encoded;
mod iban;
mod jwt;
mod key_value;
mod names;
mod pattern;
mod scan;
mod sensitive;
mod text;
mod trigger;
mod value;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use names::Ends;
pub use names::STANDARD_FIELDS;
pub use pattern::Pattern;
use pattern::Patterns;
pub use sensitive::Sensitive;

/// What stands in the place of a redacted value.
pub const REDACTED: &str = "[REDACTED]";

/// Decides what is redacted: fields by their names and, where asked for, secrets in texts. Cheap to
/// clone.
///
/// ```
/// use obs_core::redact::{Pattern, Redactor};
///
/// let names = Redactor::default().field("iban");
/// assert!(names.is_redacted("user.password"));
/// assert!(names.is_redacted("IBAN"));
/// assert!(!names.is_redacted("order_id"));
/// assert_eq!(names.redact("from jane@example.com"), "from jane@example.com");
///
/// let all = Redactor::standard();
/// assert_eq!(all.redact("from jane@example.com"), "from [REDACTED]");
/// assert_eq!(all.redact("GET /orders?token=8f5c&page=2"), "GET /orders?token=[REDACTED]&page=2");
/// assert_eq!(all.without(Pattern::Email).redact("from jane@example.com"), "from jane@example.com");
/// ```
#[derive(Clone)]
pub struct Redactor {
    standard: bool,
    patterns: Patterns,
    fields: Arc<[Box<str>]>,
    /// The last bytes of `fields`.
    ends: Ends,
}

impl Redactor {
    /// Redacts [`STANDARD_FIELDS`], and every [`Pattern`] in texts.
    ///
    /// A text without secrets costs some ten nanoseconds and no allocation. The time is proportional
    /// to the text's length, whatever is in it.
    pub fn standard() -> Self {
        Self { patterns: Patterns::all(), ..Self::default() }
    }

    /// Redacts nothing.
    pub fn none() -> Self {
        Self {
            standard: false,
            patterns: Patterns::default(),
            fields: Arc::new([]),
            ends: Ends::default(),
        }
    }

    /// Redacts fields of this name too, compared as [`STANDARD_FIELDS`] are.
    #[must_use = "a redactor is changed by value"]
    pub fn field(mut self, name: &str) -> Self {
        let name = names::normalized(name);
        if !name.is_empty() {
            self.ends = self.ends.with(&name);
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

    /// Looks for this pattern in texts too.
    #[must_use = "a redactor is changed by value"]
    pub fn pattern(mut self, pattern: Pattern) -> Self {
        self.patterns = self.patterns.with(pattern);
        self
    }

    /// Does not look for this pattern.
    #[must_use = "a redactor is changed by value"]
    pub fn without(mut self, pattern: Pattern) -> Self {
        self.patterns = self.patterns.without(pattern);
        self
    }

    /// Whether a field of this name is redacted. Allocates nothing; still, a decision that is made
    /// for every record is worth caching by callsite.
    pub fn is_redacted(&self, name: &str) -> bool {
        (self.standard && names::is_standard(name))
            || self.fields.iter().any(|field| names::ends_with(name, field))
    }

    /// Whether the name of a redacted field may end with these three bytes.
    #[inline]
    fn may_end_like(&self, [third, second, last]: [u8; 3]) -> bool {
        (self.standard && names::may_end_standard(third, second, last))
            || self.ends.contains(last.to_ascii_lowercase())
    }

    /// Whether texts are searched at all: whether [`Redactor::redact`] can change anything.
    #[inline]
    pub fn scans_text(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// The text with [`REDACTED`] in the place of each secret; borrowed where none was found.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.scans_text() { scan::replaced(self, text) } else { Cow::Borrowed(text) }
    }

    /// Redacts a text that is encoded already: `out[start..]` is one JSON string, with its quotes, as
    /// [`json::string`](crate::json::string) writes it. It is the same as to encode the redacted text.
    /// What is not a string stays as it is.
    #[inline]
    pub fn redact_encoded(&self, out: &mut Vec<u8>, start: usize) {
        if self.scans_text() {
            encoded::redact(self, out, start);
        }
    }
}

impl Default for Redactor {
    /// Redacts [`STANDARD_FIELDS`] and searches no text.
    fn default() -> Self {
        Self { standard: true, ..Self::none() }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("standard", &self.standard)
            .field("patterns", &self.patterns)
            .field("fields", &self.fields)
            .finish()
    }
}

#[cfg(test)]
mod tests;
