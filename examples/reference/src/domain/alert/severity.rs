//! The four severities that have a topic, and what other words mean on that scale.

use std::fmt;

/// How urgent an alert is. Ordered: critical is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// To be looked at when there is time, or merely for the record.
    Low,
    /// To be looked at within the working day.
    Medium,
    /// To be looked at now.
    High,
    /// Someone is woken up.
    Critical,
}

impl Severity {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];

    /// What an alert counts as whose severity is missing or unknown.
    pub const FALLBACK: Self = Self::Medium;

    /// The word for it: `critical`, `high`, `medium` or `low`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }

    /// Reads a word of any of the scales in use, in any case: that of the SDK, the three levels
    /// critical, warning and info, and those of loggers and pagers.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
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
            ("info", Severity::Low),
            ("informational", Severity::Low),
        ];
        let word = word.trim();
        WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, level)| *level)
    }

    /// How bad it is that a quality score of `score` percent misses `threshold`: nothing when it
    /// does not, medium up to 5 points below, high up to 25, critical beyond.
    #[must_use]
    pub fn of_quality(score: f64, threshold: f64) -> Option<Self> {
        let gap = threshold - score;
        if gap <= 0.0 {
            None
        } else if gap <= 5.0 {
            Some(Self::Medium)
        } else if gap <= 25.0 {
            Some(Self::High)
        } else {
            Some(Self::Critical)
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_all_scales_map_to_four_levels() {
        for (word, expected) in [
            ("critical", Some(Severity::Critical)),
            ("CRITICAL", Some(Severity::Critical)),
            ("fatal", Some(Severity::Critical)),
            ("high", Some(Severity::High)),
            ("error", Some(Severity::High)),
            (" medium\n", Some(Severity::Medium)),
            ("Warning", Some(Severity::Medium)),
            ("low", Some(Severity::Low)),
            ("info", Some(Severity::Low)),
            ("", None),
            ("urgent", None),
            ("highest", None),
        ] {
            assert_eq!(Severity::parse(word), expected, "{word:?}");
        }
        for severity in Severity::ALL {
            assert_eq!(Severity::parse(severity.as_str()), Some(severity));
        }
    }

    #[test]
    fn the_further_quality_falls_the_more_urgent_it_is() {
        for (score, threshold, expected) in [
            (95.0, 95.0, None),
            (100.0, 95.0, None),
            (94.999, 95.0, Some(Severity::Medium)),
            (90.0, 95.0, Some(Severity::Medium)),
            (81.95, 95.0, Some(Severity::High)),
            (70.0, 95.0, Some(Severity::High)),
            (69.9, 95.0, Some(Severity::Critical)),
            (0.0, 95.0, Some(Severity::Critical)),
            (0.0, 0.0, None),
        ] {
            assert_eq!(Severity::of_quality(score, threshold), expected, "{score} of {threshold}");
        }
    }
}
