//! A finished line as Loki takes it: its time, its level, its structured metadata.

use std::borrow::Cow;
use std::sync::Arc;

use obs_core::clock::{Clock, millis_since_epoch};
use obs_core::health::{self, Event};

use super::{MAX_LINE_BYTES, MAX_METADATA_VALUE_BYTES};
use crate::limit;
use crate::members::members;

/// Levels as they stand in lines.
pub(super) const LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// What a line without a level would be; there is none.
const DEFAULT_LEVEL: usize = 2;

/// One line, ready to be put into a request.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Since the epoch.
    pub(super) nanos: u64,
    /// Its index in [`LEVELS`].
    pub(super) level: usize,
    /// Without a line feed.
    pub(super) line: Cow<'a, str>,
    /// A JSON object of texts; empty where it would have no members.
    pub(super) metadata: Vec<u8>,
}

/// Makes entries of lines.
#[derive(Debug)]
pub(super) struct Entries {
    /// Each field that is structured metadata, and what it is called there.
    fields: Vec<(String, String)>,
    /// Tells the time of a line that does not.
    clock: Arc<dyn Clock>,
    order: Order,
}

impl Entries {
    pub(super) fn new(fields: Vec<(String, String)>, clock: Arc<dyn Clock>) -> Self {
        Self { fields, clock, order: Order::default() }
    }

    /// The entry of a line of the logger's, with or without its line feed.
    pub(super) fn entry<'a>(&mut self, line: &'a [u8]) -> Entry<'a> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let mut entry =
            Entry { nanos: 0, level: DEFAULT_LEVEL, line: fitted(line), metadata: Vec::new() };
        let mut millis = None;
        for member in members(line) {
            let (Some(key), Some(value)) = (line.get(member.key), line.get(member.value)) else {
                continue;
            };
            match key {
                b"timestamp" => millis = millis_of(value),
                b"level" => {
                    let level = inside(value).unwrap_or_default();
                    let known = LEVELS.iter().position(|it| it.as_bytes() == level);
                    entry.level = known.unwrap_or(DEFAULT_LEVEL);
                }
                _ => {
                    if let Some((_, name)) = self.fields.iter().find(|(it, _)| it.as_bytes() == key)
                    {
                        add(&mut entry.metadata, name, value);
                    }
                }
            }
        }
        if !entry.metadata.is_empty() {
            entry.metadata.push(b'}');
        }
        let millis = millis.unwrap_or_else(|| millis_since_epoch(self.clock.now()));
        entry.nanos = self.order.place(millis);
        entry
    }
}

/// Gives each line a time of its own.
#[derive(Debug, Default)]
struct Order {
    last: u64,
}

impl Order {
    /// A line's time is its millisecond's beginning, or, where one before it has that, a nanosecond
    /// more than that one: lines stay in their order, and equal ones are not taken for one that was sent
    /// twice. A clock that steps back by a second or more is believed.
    fn place(&mut self, millis: u64) -> u64 {
        const STEP_BACK: u64 = 1_000_000_000;
        let exact = millis.saturating_mul(1_000_000);
        let behind = self.last.checked_sub(exact);
        self.last = match behind {
            Some(behind) if behind < STEP_BACK => self.last.saturating_add(1),
            _ => exact,
        };
        self.last
    }
}

/// The line, within what Loki takes.
fn fitted(line: &[u8]) -> Cow<'_, str> {
    if line.len() <= MAX_LINE_BYTES {
        return String::from_utf8_lossy(line);
    }
    let mut cut = line.to_vec();
    if limit::fit(&mut cut, MAX_LINE_BYTES) {
        health::count(Event::Trimmed);
    }
    String::from_utf8_lossy(&cut).into_owned().into()
}

/// Adds a member to the object, whose closing brace is missing: a text as it is encoded already,
/// numbers and booleans as texts, nothing else.
fn add(object: &mut Vec<u8>, name: &str, value: &[u8]) {
    let (is_text, is_plain) = match value {
        [b'"', ..] => (true, false),
        b"true" | b"false" => (false, true),
        [b'-' | b'0'..=b'9', ..] => (false, true),
        _ => (false, false),
    };
    if value.len() > MAX_METADATA_VALUE_BYTES || !(is_text || is_plain) {
        return;
    }
    object.push(if object.is_empty() { b'{' } else { b',' });
    // The name is of letters, digits and underscores.
    for part in [b"\"", name.as_bytes(), b"\":"] {
        object.extend_from_slice(part);
    }
    let quote: &[u8] = if is_text { b"" } else { b"\"" };
    for part in [quote, value, quote] {
        object.extend_from_slice(part);
    }
}

/// What is between the quotes.
fn inside(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// Milliseconds since the epoch of a time as lines have it, `"2026-11-21T12:30:00.125Z"`.
fn millis_of(value: &[u8]) -> Option<u64> {
    let text = inside(value)?;
    if text.len() != 24 || text.last() != Some(&b'Z') {
        return None;
    }
    let number = |from: usize, to: usize| {
        text.get(from..to)?.iter().try_fold(0_u64, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some((days_before(year, month, day) * 86_400 + seconds) * 1000 + number(20, 23)?)
}

/// Days since the epoch: years that begin in March have their leap day last.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    // The 719,468 days are those from the first of March of the year 0 to the epoch.
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use obs_core::clock::{ManualClock, rfc3339};

    use super::*;

    fn entries(fields: &[&str]) -> Entries {
        let named = fields.iter().map(|it| ((*it).to_owned(), it.replace('.', "_"))).collect();
        Entries::new(named, Arc::new(ManualClock::at_millis(7)))
    }

    #[test]
    fn times_of_lines_read_back() {
        let check = |millis: u64| {
            assert_eq!(millis_of(format!("\"{}\"", rfc3339(millis)).as_bytes()), Some(millis));
        };
        for day in 0..60_000 {
            check(day * 86_400_000 + (day * 7_919_331) % 86_400_000);
        }
        check(253_402_300_799_999);
        for odd in
            ["\"2026\"", "\"2026-13-01T00:00:00.000Z\"", "\"2026-01-01T00:00:0x.000Z\"", "7", ""]
        {
            assert_eq!(millis_of(odd.as_bytes()), None, "{odd}");
        }
    }

    #[test]
    fn scenario_26_lines_keep_their_order_and_a_clock_that_steps_back_is_believed() {
        let mut order = Order::default();
        for (millis, expected) in [
            (5_000, 5_000_000_000),
            (5_000, 5_000_000_001),
            // A thread that was a little slower.
            (4_999, 5_000_000_002),
            (5_001, 5_001_000_000),
            (5_001, 5_001_000_001),
            (3_000, 3_000_000_000),
            (3_000, 3_000_000_001),
            (u64::MAX, u64::MAX),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(order.place(millis), expected);
        }
    }

    #[test]
    fn a_line_gives_its_level_and_its_metadata() {
        let mut entries = entries(&["trace_id", "http.status", "ok", "none", "list", "long"]);
        let line = format!(
            concat!(
                r#"{{"timestamp":"1970-01-01T00:00:05.000Z","level":"WARN","message":"m","#,
                r#""trace_id":"a\"b","http.status":503,"ok":true,"none":null,"list":["x"],"long":"{}"}}"#
            ),
            "x".repeat(MAX_METADATA_VALUE_BYTES)
        );
        let entry = entries.entry(format!("{line}\n").as_bytes()).metadata;
        assert_eq!(
            std::str::from_utf8(&entry).unwrap(),
            r#"{"trace_id":"a\"b","http_status":"503","ok":"true"}"#
        );
        let with_feed = format!("{line}\n");
        let entry = entries.entry(with_feed.as_bytes());
        assert_eq!((entry.nanos, LEVELS[entry.level]), (5_000_000_001, "WARN"));
        assert_eq!(entry.line, line);
        let entry = entries.entry(br#"{"level":"LOUD"}"#);
        assert_eq!((entry.nanos, LEVELS[entry.level]), (7_000_000, "INFO"));
        assert!(entry.metadata.is_empty());
    }

    #[test]
    fn scenario_18_a_line_larger_than_loki_takes_is_cut_and_stays_json() {
        let line = format!(r#"{{"level":"INFO","message":"{}"}}"#, "é".repeat(MAX_LINE_BYTES));
        let mut entries = entries(&[]);
        let entry = entries.entry(line.as_bytes());
        assert!(entry.line.len() <= MAX_LINE_BYTES);
        let read: serde_json::Value = serde_json::from_str(&entry.line).unwrap();
        assert!(read["message"].as_str().unwrap().ends_with(" bytes]"));
    }
}
