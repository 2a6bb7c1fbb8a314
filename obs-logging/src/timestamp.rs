//! The beginning of each line: `{"timestamp":"2026-11-21T12:30:00.125Z"`.

use obs_core::clock;

/// The last second that was written, formatted: within one second only the milliseconds change.
#[derive(Debug, Default)]
pub(crate) struct Second {
    seconds: u64,
    /// `{"timestamp":"2026-11-21T12:30:00.`; empty before the first.
    text: Vec<u8>,
}

impl Second {
    /// Writes the beginning of a line at `millis` since the epoch.
    pub(crate) fn write(&mut self, line: &mut Vec<u8>, millis: u64) {
        let seconds = millis / 1000;
        if seconds != self.seconds || self.text.is_empty() {
            self.seconds = seconds;
            self.text.clear();
            self.text.extend_from_slice(br#"{"timestamp":""#);
            clock::write_rfc3339(&mut self.text, seconds.saturating_mul(1000));
            self.text.truncate(self.text.len() - "000Z".len());
        }
        line.extend_from_slice(&self.text);
        let digit = |unit: u64| b"0123456789"[(millis / unit % 10) as usize];
        line.extend_from_slice(&[digit(100), digit(10), digit(1), b'Z', b'"']);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_written_within_and_across_seconds() {
        let mut second = Second::default();
        // 26: also back
        for millis in [0, 7, 999, 1_000, 1_700_000_000_123, 1_700_000_000_045, 1_699_999_999_999] {
            let mut line = Vec::new();
            second.write(&mut line, millis);
            let expected = format!(r#"{{"timestamp":"{}""#, clock::rfc3339(millis));
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }
}
