//! How urgent an alert is: one scale, whatever words a source or a target uses for it.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How urgent an alert is. Ordered: `Severity::Critical` is the greatest.
///
/// Read from text in any case; words of other scales are taken too ([`Severity::from_str`]).
///
/// ```
/// use obs_alerts::Severity;
///
/// assert!(Severity::Critical > Severity::High);
/// assert_eq!("WARNING".parse(), Ok(Severity::Medium));
/// assert_eq!(Severity::Medium.to_string(), "medium");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// For the record: nothing has to be done.
    Info,
    /// To be looked at when there is time.
    Low,
    /// To be looked at within the working day; `warning` is this one.
    Medium,
    /// To be looked at now.
    High,
    /// Someone is woken up. Sent at once, on a lane of its own.
    Critical,
}

impl Severity {
    /// All of them, the most urgent first.
    pub const ALL: [Severity; 5] =
        [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];

    /// The word for it on the bus: lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
            Severity::Info => "info",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = UnknownSeverity;

    /// Reads our own five words and those of the neighbours, in any case and with blanks around:
    /// `fatal` and `emergency` are critical, `error` is high, `warning` and `warn` are medium,
    /// `informational` is info.
    ///
    /// # Errors
    ///
    /// Any other word. [`AlertEvent`](crate::AlertEvent) does not lose an alert for it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WORDS: [(&str, Severity); 11] = [
            ("critical", Severity::Critical),
            ("fatal", Severity::Critical),
            ("emergency", Severity::Critical),
            ("high", Severity::High),
            ("error", Severity::High),
            ("medium", Severity::Medium),
            ("warning", Severity::Medium),
            ("warn", Severity::Medium),
            ("low", Severity::Low),
            ("info", Severity::Info),
            ("informational", Severity::Info),
        ];
        let word = text.trim();
        WORDS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(word))
            .map(|(_, severity)| *severity)
            .ok_or_else(|| UnknownSeverity(word.chars().take(UnknownSeverity::SHOWN).collect()))
    }
}

impl Serialize for Severity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Severity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;
        impl de::Visitor<'_> for Word {
            type Value = Severity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a severity: critical, high, medium, low or info")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Severity, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Word)
    }
}

/// A word that names no severity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSeverity(String);

impl UnknownSeverity {
    /// How many characters of the word are shown: it may come from anywhere.
    const SHOWN: usize = 40;
}

impl fmt::Display for UnknownSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown severity {:?}: use critical, high, medium, low or info", self.0)
    }
}

impl Error for UnknownSeverity {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<Severity>) {
        assert_eq!(text.parse::<Severity>().ok(), expected, "{text:?}");
        let json = serde_json::to_string(text).unwrap();
        assert_eq!(serde_json::from_str::<Severity>(&json).ok(), expected, "{text:?} as JSON");
    }

    #[test]
    fn severities_are_read_in_any_case_and_by_their_neighbours_words() {
        for severity in Severity::ALL {
            check(severity.as_str(), Some(severity));
            check(&severity.as_str().to_uppercase(), Some(severity));
        }
        check(" Warning\n", Some(Severity::Medium));
        check("warn", Some(Severity::Medium));
        check("error", Some(Severity::High));
        check("FATAL", Some(Severity::Critical));
        check("emergency", Some(Severity::Critical));
        check("informational", Some(Severity::Info));
        check("", None);
        check("urgent", None);
        check("highest", None);
    }

    #[test]
    fn what_is_written_is_read_back() {
        for severity in Severity::ALL {
            let json = serde_json::to_string(&severity).unwrap();
            assert_eq!(json, format!("\"{severity}\""));
            assert_eq!(serde_json::from_str::<Severity>(&json).unwrap(), severity);
        }
    }

    #[test]
    fn the_most_urgent_is_the_greatest() {
        assert!(Severity::ALL.is_sorted_by(|left, right| left > right));
    }

    #[test]
    fn the_error_names_the_word_and_what_to_use() {
        let error = "urgent".parse::<Severity>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown severity \"urgent\": use critical, high, medium, low or info"
        );
        let long = "x".repeat(10_000).parse::<Severity>().unwrap_err();
        assert!(long.to_string().len() < 200);
    }
}
