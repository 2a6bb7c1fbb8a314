//! What CloudWatch takes as a name or a value of a dimension, and how anything else is made so.
//!
//! A text that is taken as it stands is never changed and costs one pass. Otherwise:
//!
//! - every character that is not taken is percent-encoded (`Zürich` → `Z%C3%BCrich`): two
//!   different texts stay two;
//! - a text that is too long is cut, its end replaced by `~` and a checksum of the whole;
//! - a blank value becomes `unknown`; a blank name cannot be made valid;
//! - a name that the line has for itself ([`LINE_KEYS`]) gets an underscore at its end.

use std::borrow::Cow;
use std::fmt;

use crate::Error;
use crate::limits::{
    DIMENSION_NAME_CHARS, DIMENSION_VALUE_CHARS, LOG_NAME_CHARS, METRIC_NAME_CHARS, NAMESPACE_CHARS,
};

/// The keys that a document has for itself as an EMF document and as a log line; a metric, a
/// dimension or a property of such a name gets an underscore at its end.
pub const LINE_KEYS: &[&str] = &[
    "_aws",
    "timestamp",
    "level",
    "message",
    "correlation_id",
    "function_request_id",
    "cold_start",
    "trace_id",
    "span_id",
    "xray_trace_id",
    "metrics_refused",
];

/// What stands for a dimension's value that is blank.
pub(crate) const BLANK_VALUE: &str = "unknown";

/// Why CloudWatch does not take a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Blank,
    TooLong { chars: usize, limit: usize },
    NotAscii,
    Control,
    LeadingColon,
    NamespaceCharacter(char),
    ReservedNamespace,
    LogCharacter(char),
    ReservedLogGroup,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Blank => write!(f, "has no character that is not a space"),
            Fault::TooLong { chars, limit } => {
                write!(f, "has {chars} characters; the limit is {limit}")
            }
            Fault::NotAscii => write!(f, "has characters that are not ASCII"),
            Fault::Control => write!(f, "has control characters or line separators"),
            Fault::LeadingColon => write!(f, "begins with a colon"),
            Fault::NamespaceCharacter(c) => write!(f, "has {c:?}, which no namespace may have"),
            Fault::ReservedNamespace => write!(f, "begins with AWS/, which is reserved"),
            Fault::LogCharacter(c) => write!(f, "has {c:?}, which CloudWatch Logs does not take"),
            Fault::ReservedLogGroup => write!(f, "begins with aws/, which is reserved"),
        }
    }
}

/// Checks a namespace as the metrics API takes it.
pub(crate) fn namespace_fault(text: &str) -> Option<Fault> {
    let strange = |c: &char| {
        !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | '#' | ':' | ' '))
    };
    blank(text)
        .or_else(|| too_long(text, NAMESPACE_CHARS))
        .or_else(|| text.chars().find(strange).map(Fault::NamespaceCharacter))
        .or_else(|| text.starts_with(':').then_some(Fault::LeadingColon))
}

/// Checks the dimensions that a builder was given.
pub(crate) fn check_dimensions(pairs: &[(String, String)]) -> Result<(), Error> {
    for (n, (name, value)) in pairs.iter().enumerate() {
        if let Some(fault) = dimension_name_fault(name) {
            return Err(Error::dimension(name, format!("its name {fault}")));
        }
        if is_line_key(name) {
            return Err(Error::dimension(name, "log lines have a key of that name"));
        }
        if let Some(fault) = dimension_value_fault(value) {
            return Err(Error::dimension(name, format!("its value {value:?} {fault}")));
        }
        if pairs.iter().take(n).any(|(other, _)| other == name) {
            return Err(Error::dimension(name, "it is given twice"));
        }
    }
    Ok(())
}

/// Whether a namespace is one that AWS keeps for its services.
pub(crate) fn is_reserved_namespace(text: &str) -> bool {
    text.starts_with("AWS/")
}

/// Checks the name of a log group as `CreateLogGroup` takes it.
pub(crate) fn log_group_fault(text: &str) -> Option<Fault> {
    let strange =
        |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | '#'));
    blank(text)
        .or_else(|| too_long(text, LOG_NAME_CHARS))
        .or_else(|| text.chars().find(strange).map(Fault::LogCharacter))
        .or_else(|| {
            let reserved = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws/"));
            reserved.then_some(Fault::ReservedLogGroup)
        })
}

/// Checks the name of a log stream as `CreateLogStream` takes it.
pub(crate) fn log_stream_fault(text: &str) -> Option<Fault> {
    let strange = |c: &char| matches!(c, ':' | '*') || breaks_line(*c);
    blank(text)
        .or_else(|| too_long(text, LOG_NAME_CHARS))
        .or_else(|| text.chars().find(strange).map(Fault::LogCharacter))
}

/// Checks the name of a metric.
pub(crate) fn metric_name_fault(text: &str) -> Option<Fault> {
    blank(text)
        .or_else(|| too_long(text, METRIC_NAME_CHARS))
        .or_else(|| text.contains(breaks_line).then_some(Fault::Control))
}

/// Checks the name of a dimension.
pub(crate) fn dimension_name_fault(text: &str) -> Option<Fault> {
    blank(text)
        .or_else(|| too_long(text, DIMENSION_NAME_CHARS))
        .or_else(|| ascii(text))
        .or_else(|| text.starts_with(':').then_some(Fault::LeadingColon))
}

/// Checks the value of a dimension.
pub(crate) fn dimension_value_fault(text: &str) -> Option<Fault> {
    blank(text).or_else(|| too_long(text, DIMENSION_VALUE_CHARS)).or_else(|| ascii(text))
}

/// Whether a dimension's value is written as it stands, for sure: the quick look at an ordinary one.
pub(crate) fn is_plain_dimension_value(text: &str) -> bool {
    text.len() <= DIMENSION_VALUE_CHARS
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && text.bytes().next().is_some_and(|first| first != b' ')
}

/// The name of a metric as it is written; borrowed when it is taken as it stands, `None` when blank.
pub(crate) fn metric_name(text: &str) -> Option<Cow<'_, str>> {
    repaired(text, METRIC_NAME_CHARS, metric_name_fault, |c| !breaks_line(c))
}

/// The name of a dimension as it is written; `None` when blank.
pub(crate) fn dimension_name(text: &str) -> Option<Cow<'_, str>> {
    let name = repaired(text, DIMENSION_NAME_CHARS, dimension_name_fault, is_printable_ascii)?;
    Some(match name.strip_prefix(':') {
        Some(rest) => Cow::Owned(shortened(format!("%3A{rest}"), DIMENSION_NAME_CHARS)),
        None => name,
    })
}

/// The value of a dimension as it is written.
pub(crate) fn dimension_value(text: &str) -> Cow<'_, str> {
    match dimension_value_fault(text) {
        None => Cow::Borrowed(text),
        Some(Fault::Blank) => Cow::Borrowed(BLANK_VALUE),
        Some(_) => {
            let text = encoded(text, is_printable_ascii);
            Cow::Owned(shortened(text, DIMENSION_VALUE_CHARS))
        }
    }
}

/// The name of a property as it is written: any text but the line's own keys.
pub(crate) fn property_name(text: &str) -> Option<Cow<'_, str>> {
    repaired(text, METRIC_NAME_CHARS, metric_name_fault, |c| !breaks_line(c))
}

/// `name` with so many underscores at its end that `is_taken` says no.
pub(crate) fn free_name(name: &str, mut is_taken: impl FnMut(&str) -> bool) -> String {
    let mut free = name.to_owned();
    while is_taken(&free) {
        if utf16_len(&free) >= METRIC_NAME_CHARS {
            // No room for another underscore: the checksum of a changed text gives a new name.
            free.push('_');
            free = shortened(free, METRIC_NAME_CHARS);
        } else {
            free.push('_');
        }
    }
    free
}

pub(crate) fn is_line_key(text: &str) -> bool {
    LINE_KEYS.contains(&text)
}

/// The length that the service counts: UTF-16 units, which for ASCII are characters.
pub(crate) fn utf16_len(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

fn repaired(
    text: &str,
    limit: usize,
    fault: fn(&str) -> Option<Fault>,
    keep: fn(char) -> bool,
) -> Option<Cow<'_, str>> {
    let reserved = is_line_key(text);
    match fault(text) {
        None if !reserved => return Some(Cow::Borrowed(text)),
        Some(Fault::Blank) => return None,
        _ => {}
    }
    let mut name = encoded(text, keep);
    if reserved {
        name.push('_');
    }
    Some(Cow::Owned(shortened(name, limit)))
}

fn encoded(text: &str, keep: impl Fn(char) -> bool) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if keep(c) {
            out.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// `text` cut to `limit` UTF-16 units, its end replaced by `~` and eight hex digits of a checksum.
fn shortened(text: String, limit: usize) -> String {
    const MARK: usize = 9;
    if utf16_len(&text) <= limit {
        return text;
    }
    let mut units = 0;
    let kept = text
        .char_indices()
        .find(|(_, c)| {
            units += c.len_utf16();
            units > limit - MARK
        })
        .map_or(text.len(), |(at, _)| at);
    format!("{}~{:08x}", &text[..kept], checksum(&text))
}

/// FNV-1a, folded to 32 bits: the same in every process and release, so that a series keeps its name.
fn checksum(text: &str) -> u32 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let [a, b, c, d, e, f, g, h] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d]) ^ u32::from_le_bytes([e, f, g, h])
}

fn blank(text: &str) -> Option<Fault> {
    text.trim().is_empty().then_some(Fault::Blank)
}

fn too_long(text: &str, limit: usize) -> Option<Fault> {
    // UTF-16 has never more units than UTF-8 has bytes.
    if text.len() <= limit {
        return None;
    }
    let chars = utf16_len(text);
    (chars > limit).then_some(Fault::TooLong { chars, limit })
}

fn ascii(text: &str) -> Option<Fault> {
    if !text.is_ascii() {
        Some(Fault::NotAscii)
    } else {
        text.contains(|c: char| c.is_ascii_control()).then_some(Fault::Control)
    }
}

/// Whether `c` ends a line for some reader, or controls a terminal.
pub(crate) fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn is_printable_ascii(c: char) -> bool {
    matches!(c, ' '..='~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(repair: impl Fn(&str) -> Option<Cow<'_, str>>, text: &str, expected: Option<&str>) {
        assert_eq!(repair(text).as_deref(), expected, "{text:?}");
    }

    #[test]
    fn scenario_30_what_is_not_taken_is_made_valid() {
        for (text, expected) in [
            ("ProcessedRecords", Some("ProcessedRecords")),
            ("HTTP 2xx/min", Some("HTTP 2xx/min")),
            ("Vec<T>", Some("Vec<T>")),
            ("größe", Some("größe")),
            ("two\nlines", Some("two%0Alines")),
            ("esc\u{1b}[31m", Some("esc%1B[31m")),
            ("nel\u{85}sep\u{2028}", Some("nel%C2%85sep%E2%80%A8")),
            ("level", Some("level_")),
            ("_aws", Some("_aws_")),
            (":status", Some(":status")),
            ("", None),
            (" \t\u{a0}", None),
        ] {
            check(metric_name, text, expected);
        }
        for (text, expected) in [
            ("Pipeline", Some("Pipeline")),
            ("größe", Some("gr%C3%B6%C3%9Fe")),
            (":status", Some("%3Astatus")),
            ("a\tb", Some("a%09b")),
            ("message", Some("message_")),
            ("  ", None),
        ] {
            check(dimension_name, text, expected);
        }
        for (text, expected) in [
            ("sales", "sales"),
            ("level", "level"),
            (":x", ":x"),
            ("Zürich\r\n", "Z%C3%BCrich%0D%0A"),
            ("", "unknown"),
            (" \t", "unknown"),
        ] {
            check(|text| Some(dimension_value(text)), text, Some(expected));
        }
    }

    #[test]
    fn scenario_30_long_names_are_cut_and_stay_different() {
        let long = "x".repeat(300);
        let longer = "x".repeat(301);
        type Repair = fn(&str) -> Option<Cow<'_, str>>;
        let repairs: [(Repair, usize); 2] =
            [(metric_name, METRIC_NAME_CHARS), (dimension_name, DIMENSION_NAME_CHARS)];
        for (repair, limit) in repairs {
            let (a, b) = (repair(&long).unwrap(), repair(&longer).unwrap());
            assert_eq!((a.len(), b.len()), (limit, limit));
            assert_ne!(a, b);
            assert!(a.starts_with("xxx") && a.as_bytes()[limit - 9] == b'~', "{a}");
        }
        let emoji = "\u{1f680}".repeat(200);
        let name = metric_name(&emoji).unwrap();
        assert_eq!(metric_name_fault(&name), None, "{name}");
        assert!(utf16_len(&name) > 250);
        assert_eq!(dimension_value(&emoji).len(), DIMENSION_VALUE_CHARS);
    }

    #[test]
    fn a_free_name_is_found_at_any_length() {
        let full = "x".repeat(METRIC_NAME_CHARS);
        let mut taken = vec!["A".to_owned(), "A_".to_owned(), full.clone()];
        assert_eq!(free_name("A", |name| taken.iter().any(|t| t == name)), "A__");
        for _ in 0..3 {
            let free = free_name(&full, |name| taken.iter().any(|t| t == name));
            assert_eq!(free.len(), METRIC_NAME_CHARS);
            assert!(!taken.contains(&free));
            taken.push(free);
        }
    }

    #[test]
    fn namespaces_are_checked() {
        for (text, expected) in [
            ("Application/DataPipeline", None),
            ("a.b-c_d#e:f g", None),
            ("", Some(Fault::Blank)),
            (" ", Some(Fault::Blank)),
            (":a", Some(Fault::LeadingColon)),
            ("a,b", Some(Fault::NamespaceCharacter(','))),
            ("größe", Some(Fault::NamespaceCharacter('ö'))),
        ] {
            assert_eq!(namespace_fault(text), expected, "{text:?}");
        }
        assert_eq!(
            namespace_fault(&"n".repeat(256)),
            Some(Fault::TooLong { chars: 256, limit: 255 })
        );
    }

    #[test]
    fn log_groups_and_streams_are_checked() {
        for (text, group, stream) in [
            ("/app/orders-1_a.b#c", None, None),
            ("/aws/lambda/orders", None, None),
            ("aws/orders", Some(Fault::ReservedLogGroup), None),
            ("AWS/orders", Some(Fault::ReservedLogGroup), None),
            ("", Some(Fault::Blank), Some(Fault::Blank)),
            ("a b", Some(Fault::LogCharacter(' ')), None),
            ("größe", Some(Fault::LogCharacter('ö')), None),
            ("a:b", Some(Fault::LogCharacter(':')), Some(Fault::LogCharacter(':'))),
            ("2026/[$LATEST]*", Some(Fault::LogCharacter('[')), Some(Fault::LogCharacter('*'))),
        ] {
            assert_eq!(log_group_fault(text), group, "{text:?}");
            assert_eq!(log_stream_fault(text), stream, "{text:?}");
        }
        let long = "g".repeat(513);
        let fault = Some(Fault::TooLong { chars: 513, limit: 512 });
        assert_eq!((log_group_fault(&long), log_stream_fault(&long)), (fault, fault));
    }
}
