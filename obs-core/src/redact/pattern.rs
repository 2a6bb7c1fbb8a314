//! What is looked for in text.

/// A secret that is known by how it is written.
///
/// [`Redactor::standard`](super::Redactor::standard) looks for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pattern {
    /// `jane@example.com`, and `jane%40example.com` as it stands in URLs.
    Email,
    /// Numbers of payment cards: 13 to 19 digits, in one piece or in groups as on the card, with the
    /// prefix and the length of an issuer and a valid check digit.
    Card,
    /// What follows `Bearer` or `Basic`, unless it is an ordinary word.
    Bearer,
    /// Ids of AWS access keys: `AKIA` or `ASIA` and 16 letters or digits.
    AwsKey,
    /// JSON web tokens: `eyJ….….…`.
    Jwt,
    /// International bank account numbers: a country that has them, the length that it gives them,
    /// valid check digits; in one piece or in groups of four.
    Iban,
    /// The value in `key=value`, `key: value` and `"key":"value"` where a field called `key` is
    /// redacted.
    KeyValue,
}

impl Pattern {
    const ALL: [Self; 7] = [
        Self::Email,
        Self::Card,
        Self::Bearer,
        Self::AwsKey,
        Self::Jwt,
        Self::Iban,
        Self::KeyValue,
    ];
}

/// Which patterns are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Patterns(u8);

impl Patterns {
    pub(super) fn all() -> Self {
        Pattern::ALL.into_iter().fold(Self::default(), Self::with)
    }

    pub(super) fn with(self, pattern: Pattern) -> Self {
        Self(self.0 | 1 << pattern as u8)
    }

    pub(super) fn without(self, pattern: Pattern) -> Self {
        Self(self.0 & !(1 << pattern as u8))
    }

    #[inline]
    pub(super) fn contains(self, pattern: Pattern) -> bool {
        self.0 >> (pattern as u8) & 1 == 1
    }

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}
