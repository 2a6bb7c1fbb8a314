//! How urgent it is that the quality of a file is too low.

use obs::alerts::Severity;

/// How bad it is that a quality score of `score` percent misses `threshold`: nothing when it does
/// not, medium up to 5 points below, high up to 25, critical beyond.
#[must_use]
pub fn of_quality(score: f64, threshold: f64) -> Option<Severity> {
    let gap = threshold - score;
    if gap <= 0.0 {
        None
    } else if gap <= 5.0 {
        Some(Severity::Medium)
    } else if gap <= 25.0 {
        Some(Severity::High)
    } else {
        Some(Severity::Critical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(of_quality(score, threshold), expected, "{score} of {threshold}");
        }
    }
}
