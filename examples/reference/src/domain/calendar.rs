//! Calendar dates and RFC 3339 instants, as data files and events write them.

use std::fmt;

/// A day of the proleptic Gregorian calendar; ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The date, or nothing where the calendar has no such day; years are 1 to 9999.
    #[must_use]
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        if year == 0 || year > 9999 || month == 0 || month > 12 {
            return None;
        }
        if day == 0 || day > days_in_month(year, month) {
            return None;
        }
        Some(Self { year, month, day })
    }

    /// Reads a date as data files write it.
    ///
    /// Accepted are `2012-01-31` and `2012/01/31` (a time of day may follow after `T` or a space),
    /// `1/31/2012`, `Jan 31 2012`, `January 31, 2012` and `31 Jan 2012`. A year has four digits:
    /// guessing a century is how films of 1933 come to be released in 2033.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > 64 {
            return None;
        }
        let first = *text.as_bytes().first()?;
        if first.is_ascii_digit() {
            iso(text).or_else(|| month_first(text)).or_else(|| named_month(text))
        } else if first.is_ascii_alphabetic() {
            named_month(text)
        } else {
            None
        }
    }

    /// Days since 1970-01-01; negative before.
    const fn days_since_epoch(self) -> i64 {
        // The calendar is shifted to start in March, so that the leap day is a year's last.
        let month = self.month as i64;
        let year = self.year as i64 - if month <= 2 { 1 } else { 0 };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * shifted + 2) / 5 + self.day as i64 - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Milliseconds since the epoch of an RFC 3339 instant such as `2026-01-31T12:00:00.5Z`.
///
/// Digits behind the millisecond are cut off; a leap second counts as the second before it.
#[must_use]
pub fn parse_rfc3339_millis(text: &str) -> Option<i64> {
    let (date, rest) = text.trim().split_at_checked(10)?;
    let date = iso(date)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 2, 2)?;
    let minute = digits(parts.next()?, 2, 2)?;
    let second = digits(parts.next()?, 2, 2)?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (millis, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            let (fraction, zone) = rest.split_at(end);
            let padded: String = fraction.chars().chain("00".chars()).take(3).collect();
            (digits(&padded, 3, 3)?, zone)
        }
    };
    let seconds = date.days_since_epoch() * 86_400
        + i64::from(hour) * 3_600
        + i64::from(minute) * 60
        + i64::from(second.min(59))
        - offset_seconds(zone)?;
    Some(seconds * 1_000 + i64::from(millis))
}

fn offset_seconds(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2, 2)?, digits(minutes, 2, 2)?);
    (hours <= 23 && minutes <= 59)
        .then(|| sign * (i64::from(hours) * 3_600 + i64::from(minutes) * 60))
}

/// `2012-01-31` or `2012/01/31`, with or without a time of day behind it.
fn iso(text: &str) -> Option<Date> {
    let (year, rest) = text.split_at_checked(4)?;
    let separator = rest.chars().next().filter(|c| matches!(c, '-' | '/'))?;
    let (month, rest) = rest.get(1..)?.split_once(separator)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (day, time) = rest.split_at(end);
    if !(time.is_empty() || time.starts_with(['T', 't', ' '])) {
        return None;
    }
    ymd(digits(year, 4, 4)?, digits(month, 1, 2)?, digits(day, 1, 2)?)
}

/// `1/31/2012`, as American files write it.
fn month_first(text: &str) -> Option<Date> {
    let mut parts = text.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    ymd(digits(year, 4, 4)?, digits(month, 1, 2)?, digits(day, 1, 2)?)
}

/// `Jan 31 2012`, `January 31, 2012` or `31 Jan 2012`.
fn named_month(text: &str) -> Option<Date> {
    let mut parts = text.split([' ', ',']).filter(|part| !part.is_empty());
    let (first, second, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (month, day) = match month_named(first) {
        Some(month) => (month, second),
        None => (month_named(second)?, first),
    };
    ymd(digits(year, 4, 4)?, month, digits(day, 1, 2)?)
}

fn month_named(name: &str) -> Option<u16> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let position = MONTHS.iter().position(|month| {
        name.eq_ignore_ascii_case(month) || name.eq_ignore_ascii_case(&month[..3])
    })?;
    u16::try_from(position + 1).ok()
}

/// The number that `text` spells in `least` to `most` digits, and nothing but digits.
fn digits(text: &str, least: usize, most: usize) -> Option<u16> {
    let fits = (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}

fn ymd(year: u16, month: u16, day: u16) -> Option<Date> {
    Date::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
}

const fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_forms_that_files_use() {
        for (text, expected) in [
            ("Jun 12 1998", Some("1998-06-12")),
            ("jun 2 1998", Some("1998-06-02")),
            ("January 31, 2012", Some("2012-01-31")),
            ("31 Jan 2012", Some("2012-01-31")),
            ("2012-01-31", Some("2012-01-31")),
            ("2012/1/31", Some("2012-01-31")),
            ("2012-01-31T08:00:00Z", Some("2012-01-31")),
            ("2012-01-31 08:00", Some("2012-01-31")),
            ("1/31/2012", Some("2012-01-31")),
            (" 2000-02-29 ", Some("2000-02-29")),
            ("1900-02-29", None),
            ("2012-13-01", None),
            ("31/1/2012", None),
            ("Jun 31 1998", None),
            ("Jun 12 98", None),
            ("2012", None),
            ("2012-01", None),
            ("2012-01/31", None),
            ("2012-01-31x", None),
            ("0000-01-01", None),
            ("Alien³ 1 1992", None),
            ("Juñ 12 1998", None),
            ("", None),
            ("not a date", None),
        ] {
            let read = Date::parse(text).map(|date| date.to_string());
            assert_eq!(read.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn instants_are_read_to_the_millisecond() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1969-12-31T23:59:59.999Z", Some(-1)),
            ("2000-03-01T00:00:00Z", Some(951_868_800_000)),
            ("2026-01-31T12:00:00.5Z", Some(1_769_860_800_500)),
            ("2026-01-31T12:00:00.123456789Z", Some(1_769_860_800_123)),
            ("2026-01-31T13:00:00+01:00", Some(1_769_860_800_000)),
            ("2026-01-31T06:30:00-05:30", Some(1_769_860_800_000)),
            ("2026-01-31T12:00:60Z", Some(1_769_860_859_000)),
            ("2026-01-31T24:00:00Z", None),
            ("2026-01-31T12:00:00", None),
            ("2026-01-31T12:00:00.Z", None),
            ("2026-01-31T12:00:00.5", None),
            ("2026-01-31", None),
            ("2026-01-31T12:00:0é", None),
            ("now", None),
        ] {
            assert_eq!(parse_rfc3339_millis(text), expected, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = Date::parse(&text);
            let _ = parse_rfc3339_millis(&text);
        }

        #[test]
        fn what_a_date_prints_it_reads(year in 1_u16..=9999, month in 1_u8..=12, day in 1_u8..=31) {
            if let Some(date) = Date::new(year, month, day) {
                proptest::prop_assert_eq!(Date::parse(&date.to_string()), Some(date));
            }
        }
    }
}
