//! Reads the `Debug` form of reports: what `anyhow`, `eyre` and `color-eyre` show of their errors.
//!
//! ```text
//! order refused
//!
//! Caused by:
//!     0: the quantity is
//!        not a number
//!     1: invalid digit found in string
//!
//! Location:
//!     src/main.rs:23:39
//!
//! Stack backtrace:
//!    0: anyhow::…
//!              at …
//! ```
//!
//! A single cause has no number, only `eyre` says where, and each part but the message may be absent.

use super::Failure;

const CAUSES: &str = "\n\nCaused by:\n";
const LOCATION: &str = "\n\nLocation:\n";
const BACKTRACE: &str = "\n\nStack backtrace:\n";

/// Location and traceback in the text of a report whose message is known.
pub(super) fn of_report(text: &str, message: &str) -> (Option<String>, Option<String>) {
    // What the message says of itself is left out, what the causes say is indented.
    if let Some(rest) = text.strip_prefix(message) {
        return (place(rest), rest.split_once(BACKTRACE).map(|(_, trace)| trimmed(trace)));
    }
    let plain = without_colours(text);
    (place(&plain), drawn_backtrace(&plain))
}

/// Whether a JSON string may be a report's text: one look for the headers, escaped as they are there.
pub(super) fn may_be_report(json: &[u8]) -> bool {
    const BLANK_LINE: &[u8] = br"\n\n";
    const HEADERS: [&[u8]; 3] = [br"Caused by:\n", br"Location:\n", br"Stack backtrace:\n"];
    json.windows(BLANK_LINE.len()).enumerate().any(|(at, window)| {
        window == BLANK_LINE
            && HEADERS.iter().any(|header| json[at + BLANK_LINE.len()..].starts_with(header))
    })
}

/// The parts of a text that has the form of a report with a cause, a location or a backtrace. All of it
/// must have that form: a text that only looks like it at first stays as it is.
pub(super) fn split(text: &str) -> Option<Failure> {
    let (text, traceback) = match text.split_once(BACKTRACE) {
        Some((before, trace)) if trace.trim_start().starts_with("0: ") => {
            (before, Some(trimmed(trace)))
        }
        Some(_) => return None,
        None => (text, None),
    };
    let (text, location) = match text.rsplit_once(LOCATION) {
        Some((before, place)) => (before, Some(place_in(place)?)),
        None => (text, None),
    };
    let (message, chain) = match text.split_once(CAUSES) {
        Some((message, causes)) => (message, causes_in(causes)?),
        None => (text, Vec::new()),
    };
    let is_report = !chain.is_empty() || location.is_some() || traceback.is_some();
    is_report.then(|| Failure {
        message: message.to_owned(),
        chain,
        location,
        traceback,
        ..Failure::default()
    })
}

fn trimmed(text: &str) -> String {
    text.trim_end().to_owned()
}

/// The location under its header; `None` where there is none.
fn place(text: &str) -> Option<String> {
    let (_, rest) = text.split_once(LOCATION)?;
    place_in(rest.split("\n\n").next()?)
}

/// `src/main.rs:7:39`, or without the column.
fn place_in(text: &str) -> Option<String> {
    let place = text.trim();
    let is_number = |digits: &str| digits.parse::<u32>().is_ok();
    let (_, last) = place.rsplit_once(':')?;
    (text.starts_with("   ") && !place.contains('\n') && is_number(last)).then(|| place.to_owned())
}

/// The causes: one without a number, or several that count from 0.
fn causes_in(text: &str) -> Option<Vec<String>> {
    // With numbers as large as 10, by as little as two.
    if !text.split('\n').all(|line| line.is_empty() || line.starts_with("  ")) {
        return None;
    }
    let numbered = numbered(text);
    if numbered.len() > 1 {
        return Some(numbered);
    }
    let lines: Vec<&str> =
        text.split('\n').map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
    Some(vec![lines.join("\n")])
}

/// What begins with `    0: `, `    1: ` and so on, each in the same column. A line that goes on is
/// indented as far as the text before it, so it never looks like the next number.
fn numbered(text: &str) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    let Some(column) = text.find(": ") else { return causes };
    for line in text.split('\n') {
        let (number, rest) = (line.get(..column), line.get(column + 2..));
        let begins = line.get(column..column + 2) == Some(": ")
            && number.is_some_and(|number| number.trim_start() == causes.len().to_string());
        match (rest, causes.last_mut()) {
            (Some(rest), _) if begins => causes.push(rest.to_owned()),
            (rest, Some(last)) => {
                last.push('\n');
                last.push_str(rest.unwrap_or_default());
            }
            (_, None) => return causes,
        }
    }
    causes
}

/// The frames under the headline that color-eyre draws: `━━━━ BACKTRACE ━━━━`.
fn drawn_backtrace(text: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| !is_headline(line));
    lines.next()?;
    let frames: Vec<&str> = lines.take_while(|line| !line.is_empty()).map(str::trim_end).collect();
    (!frames.is_empty()).then(|| frames.join("\n"))
}

fn is_headline(line: &str) -> bool {
    let name = line.trim().trim_matches('━').trim();
    name == "BACKTRACE" && line.contains('━')
}

/// The text without the sequences that colour it: ESC `[`, up to a letter.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split("\u{1b}[");
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(0, |at| at + 1);
        plain.push_str(&part[end..]);
    }
    plain
}

#[cfg(test)]
#[path = "report_text_tests.rs"]
mod tests;
