//! The beginning of each line: `{"timestamp":"2026-11-21T12:30:00.125Z"`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use obs_core::clock::{self, millis_since_epoch};

const START: &[u8; 14] = br#"{"timestamp":""#;
const LENGTH: usize = START.len() + "2026-11-21T12:30:00.125Z".len() + 1;
/// Where the milliseconds are.
const MILLIS: usize = LENGTH - r#"125Z""#.len();

/// The last beginning that was written: within one millisecond nothing of it changes, within one
/// second only those three digits.
#[derive(Debug)]
pub(crate) struct Second {
    /// The millisecond for which the text holds. Two comparisons are cheaper than to count from the
    /// epoch, and lines come in bursts.
    from: SystemTime,
    until: SystemTime,
    millis: u64,
    text: [u8; LENGTH],
}

impl Default for Second {
    fn default() -> Self {
        Self { from: UNIX_EPOCH, until: UNIX_EPOCH, millis: 0, text: rendered(0) }
    }
}

impl Second {
    /// Writes the beginning of a line.
    #[inline]
    pub(crate) fn write(&mut self, line: &mut Vec<u8>, now: SystemTime) {
        if now < self.from || now >= self.until {
            self.advance(now);
        }
        line.extend_from_slice(&self.text);
    }

    fn advance(&mut self, now: SystemTime) {
        let millis = millis_since_epoch(now);
        if millis / 1000 == self.millis / 1000 {
            let digit = |unit: u64| b'0' + (millis / unit % 10) as u8;
            let digits = [digit(100), digit(10), digit(1)];
            self.text[MILLIS..MILLIS + 3].copy_from_slice(&digits);
        } else {
            self.text = rendered(millis);
        }
        self.millis = millis;
        let bounds = UNIX_EPOCH
            .checked_add(Duration::from_millis(millis))
            .and_then(|from| Some((from, from.checked_add(Duration::from_millis(1))?)));
        // For a time that has none, nothing is kept: the text is made anew each time.
        (self.from, self.until) = bounds.unwrap_or((UNIX_EPOCH, UNIX_EPOCH));
    }
}

/// What orders the lines of several threads. No finer: a line that another thread logs because of this
/// one comes later than that, and lines of one microsecond are read in one go.
#[inline]
pub(crate) fn micros_since_epoch(now: SystemTime) -> u64 {
    let elapsed = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    elapsed.as_secs().saturating_mul(1_000_000).saturating_add(elapsed.subsec_micros().into())
}

fn rendered(millis: u64) -> [u8; LENGTH] {
    let mut text = [b'"'; LENGTH];
    text[..START.len()].copy_from_slice(START);
    text[START.len()..LENGTH - 1].copy_from_slice(&clock::rfc3339_bytes(millis));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_written_within_and_across_milliseconds_and_seconds() {
        let mut second = Second::default();
        let micros = |millis: u64| [0, 1, 999].map(|micros| millis * 1_000 + micros);
        // 26: also back
        let all = [0, 7, 999, 1_000, 1_700_000_000_123, 1_700_000_000_045, 1_699_999_999_999];
        for micros in all.into_iter().flat_map(micros) {
            let mut line = Vec::new();
            second.write(&mut line, UNIX_EPOCH + Duration::from_micros(micros));
            let expected = format!(r#"{{"timestamp":"{}""#, clock::rfc3339(micros / 1_000));
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }

    #[test]
    fn scenario_26_a_time_before_the_epoch_or_after_9999_is_written_as_the_nearest() {
        let mut second = Second::default();
        let day = Duration::from_secs(86_400);
        for (now, expected) in [
            (UNIX_EPOCH - day, "1970-01-01T00:00:00.000Z"),
            (UNIX_EPOCH + day, "1970-01-02T00:00:00.000Z"),
            (UNIX_EPOCH - day, "1970-01-01T00:00:00.000Z"),
            (UNIX_EPOCH + day * 365 * 9_000, "9999-12-31T23:59:59.999Z"),
            (UNIX_EPOCH + day, "1970-01-02T00:00:00.000Z"),
        ] {
            let mut line = Vec::new();
            second.write(&mut line, now);
            assert_eq!(String::from_utf8(line).unwrap(), format!(r#"{{"timestamp":"{expected}""#));
        }
    }
}
