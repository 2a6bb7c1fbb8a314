//! Why a whole file cannot be used.

use std::fmt;

/// A file of which nothing can be processed, and the reason.
///
/// The code is stable, for queries and alarms; the message is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    code: &'static str,
    message: String,
}

impl Unusable {
    /// An error with a stable code and a message that says what is wrong and what to do.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The file is larger than the function may read.
    #[must_use]
    pub fn too_large(bytes: u64, limit: u64) -> Self {
        Self::new(
            "too_large",
            format!(
                "the file has {bytes} bytes, the limit is {limit}: split it or raise \
                 MAX_OBJECT_BYTES together with the function's memory"
            ),
        )
    }

    /// A short identifier in snake case: `not_json`, `too_large`, `missing_object`, …
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Whether the file is not what its first byte promised, rather than too large or ambiguous.
    pub(super) fn is_syntax(&self) -> bool {
        matches!(self.code, "not_json" | "not_utf8")
    }

    /// The sentence for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Unusable {}
