//! The time, injected, so that tests decide what it is.

use std::fmt::Debug;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::lock;

/// Tells the time of day.
pub trait Clock: Send + Sync + Debug {
    /// The time now. It may step back: durations are never computed from it without saturating.
    fn now(&self) -> SystemTime;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that stands still until it is told otherwise.
///
/// ```
/// use obs_core::clock::{Clock, ManualClock, millis_since_epoch};
/// use std::time::Duration;
///
/// let clock = ManualClock::at_millis(1_700_000_000_000);
/// clock.advance(Duration::from_millis(5));
/// assert_eq!(millis_since_epoch(clock.now()), 1_700_000_000_005);
/// ```
#[derive(Debug)]
pub struct ManualClock(Mutex<SystemTime>);

impl ManualClock {
    /// A clock that shows `millis` milliseconds since the epoch.
    pub fn at_millis(millis: u64) -> Self {
        Self(Mutex::new(UNIX_EPOCH + Duration::from_millis(millis)))
    }

    /// Sets the time, forwards or back.
    pub fn set(&self, now: SystemTime) {
        *lock(&self.0) = now;
    }

    /// Moves the time on by `step`.
    pub fn advance(&self, step: Duration) {
        *lock(&self.0) += step;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *lock(&self.0)
    }
}

/// Milliseconds since the epoch; 0 for a time before it.
#[inline]
pub fn millis_since_epoch(time: SystemTime) -> u64 {
    let elapsed = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    // Not `as_millis`, which counts in 128 bits.
    elapsed.as_secs().saturating_mul(1000).saturating_add(elapsed.subsec_millis().into())
}

/// The thirteen digits of `millis` since the epoch, to be put over those of an earlier time; `None`
/// where there are more or fewer: before September 2001 and after November 2286.
///
/// ```
/// # use obs_core::clock::millis_digits;
/// let mut line = *b"{\"Timestamp\":0000000000000}";
/// line[13..26].copy_from_slice(&millis_digits(1_700_000_000_005).unwrap());
/// assert_eq!(&line, b"{\"Timestamp\":1700000000005}");
/// ```
#[inline]
pub fn millis_digits(millis: u64) -> Option<[u8; 13]> {
    if !(1_000_000_000_000..10_000_000_000_000).contains(&millis) {
        return None;
    }
    let mut digits = [0; 13];
    let (first, last) = (eight_digits(millis / 100_000), eight_digits(millis % 100_000_000));
    // Three digits are in both.
    digits[..8].copy_from_slice(&first);
    digits[5..].copy_from_slice(&last);
    Some(digits)
}

/// The digits of a number below 10^8, without a division: twice four, then four times two, then
/// eight in one word, each split by a multiplication and a shift.
#[inline]
pub(crate) const fn eight_digits(value: u64) -> [u8; 8] {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let upper = value / 10_000;
    let fours = upper | (value - upper * 10_000) << 32;
    // n/100 for n below 10^4, and n/10 for n below 100.
    let hundreds = ((fours * 5243) >> 19) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | (twos - tens * 10) << 8;
    (ones | ZEROS).to_le_bytes()
}

/// Writes `millis` since the epoch as RFC 3339 with milliseconds, in UTC: `2026-11-21T12:30:00.125Z`.
///
/// Always 24 bytes for the years 1970 to 9999; later times are written as the end of 9999.
pub fn write_rfc3339(out: &mut Vec<u8>, millis: u64) {
    out.extend_from_slice(&rfc3339_bytes(millis));
}

/// What [`write_rfc3339`] writes.
pub fn rfc3339_bytes(millis: u64) -> [u8; 24] {
    const END_OF_9999: u64 = 253_402_300_799_999;
    let millis = millis.min(END_OF_9999);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_from_days(days);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    digits(&mut text[0..4], year);
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], second_of_day / 3600);
    digits(&mut text[14..16], second_of_day / 60 % 60);
    digits(&mut text[17..19], second_of_day % 60);
    digits(&mut text[20..23], millis);
    text
}

/// `millis` since the epoch as RFC 3339: [`write_rfc3339`] as a string.
pub fn rfc3339(millis: u64) -> String {
    let mut out = Vec::with_capacity(24);
    write_rfc3339(&mut out, millis);
    String::from_utf8(out).unwrap_or_default()
}

fn digits(out: &mut [u8], mut value: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar: counted in years that
/// begin in March, so that the leap day is a year's last.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days + 719_468; // since 0000-03-01
    let era = days / DAYS_OF_400_YEARS;
    let day_of_era = days % DAYS_OF_400_YEARS;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153; // 0 is March
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(millis: u64, expected: &str) {
        assert_eq!(rfc3339(millis), expected);
    }

    #[test]
    fn times_are_written_in_the_gregorian_calendar() {
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(1_709_164_800_000, "2024-02-29T00:00:00.000Z");
        check(1_735_689_599_999, "2024-12-31T23:59:59.999Z");
        check(1_795_264_200_125, "2026-11-21T12:30:00.125Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
        check(u64::MAX, "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn the_digits_of_a_time_are_thirteen_or_none() {
        let some = (1_000_000_000_000..10_000_000_000_000).step_by(999_999_937);
        for millis in some.chain([1_099_999_999_999, 1_700_000_000_000, 9_999_999_999_999]) {
            assert_eq!(millis_digits(millis).unwrap(), millis.to_string().as_bytes());
        }
        for millis in [0, 999_999_999_999, 10_000_000_000_000, u64::MAX] {
            assert_eq!(millis_digits(millis), None);
        }
    }

    #[test]
    fn eight_digits_are_right_for_each_pair_of_fours() {
        for four in 0..10_000 {
            let value = four * 10_000 + (9_999 - four);
            assert_eq!(eight_digits(value), *format!("{value:08}").as_bytes());
        }
    }

    #[test]
    fn scenario_26_a_time_before_the_epoch_is_zero() {
        assert_eq!(millis_since_epoch(UNIX_EPOCH - Duration::from_secs(1)), 0);
    }
}
