//! Numbers as people read them.

use std::time::Duration;

/// `3,201`, `12.5`, `0.000123`: thousands apart, at most four digits after the point where the number is
/// not tiny.
pub(crate) fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && magnitude < 0.001 {
        return format!("{value:.3e}");
    }
    let text = format!("{value:.4}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{grouped}{point}{fraction}")
}

/// `412 ms`, `1.53 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    if milliseconds < 10.0 {
        format!("{milliseconds:.2} ms")
    } else if milliseconds < 1000.0 {
        format!("{milliseconds:.0} ms")
    } else {
        format!("{:.2} s", milliseconds / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{duration, number};

    #[test]
    fn numbers_are_grouped_and_short() {
        let check = |value: f64, expected: &str| assert_eq!(number(value), expected);
        check(0.0, "0");
        check(7.0, "7");
        check(999.0, "999");
        check(3_201.0, "3,201");
        check(-1_234_567.5, "-1,234,567.5");
        check(97.123_456, "97.1235");
        check(0.000_012_3, "1.230e-5");
        check(205_301_234_567.0, "205,301,234,567");
    }

    #[test]
    fn durations_are_short() {
        let check = |micros, expected: &str| {
            assert_eq!(duration(Duration::from_micros(micros)), expected);
        };
        check(420, "0.42 ms");
        check(12_400, "12 ms");
        check(1_534_000, "1.53 s");
    }
}
