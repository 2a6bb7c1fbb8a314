//! What makes a document a log line too: level, message, ids.

use std::sync::Arc;

use obs_core::RequestContext;
use obs_core::clock;
use obs_core::ids::SpanIds;
use obs_core::json::{Cursor, Object};

use crate::collector::MESSAGE;
use crate::stats::{Counters, Stats};

/// What the ids of a request may take of a document; they come from outside.
const IDS_BYTES: usize = 8 * 1024;

/// How lines have to look so that none is filtered away.
///
/// Lambda, with its JSON log format, drops the lines below the function's log level, and takes a
/// line without a level or a timestamp for INFO: a function at WARN would lose its metrics. There,
/// documents carry the function's own level, and the timestamp without which no level is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineStyle {
    least: Level,
    timestamp: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Info,
    Warn,
    Error,
    Fatal,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Fatal => "FATAL",
        }
    }

    fn of(text: &str) -> Self {
        let levels = [Level::Warn, Level::Error, Level::Fatal];
        let named = |level: &Level| level.as_str().eq_ignore_ascii_case(text.trim());
        levels.into_iter().find(named).unwrap_or(Level::Info)
    }
}

impl LineStyle {
    pub(crate) fn from_vars(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let json = lookup("AWS_LAMBDA_LOG_FORMAT")
            .is_some_and(|format| format.trim().eq_ignore_ascii_case("json"));
        let least = match lookup("AWS_LAMBDA_LOG_LEVEL") {
            Some(level) if json => Level::of(&level),
            _ => Level::Info,
        };
        Self { least, timestamp: json }
    }

    /// Whether lines say when they were written.
    pub(crate) fn has_timestamp(self) -> bool {
        self.timestamp
    }

    /// As [`write`](Self::write) at the level INFO, into an object without members.
    pub(crate) fn write_info(self, buf: &mut Vec<u8>, millis: u64, message: Option<&str>) {
        let mut object = Object::resume(buf, true);
        self.write(&mut object, Level::Info, millis, message.unwrap_or(MESSAGE));
    }

    /// As [`write_info`](Self::write_info), from pieces that are rendered.
    pub(crate) fn write_info_at(self, cursor: &mut Cursor<'_>, millis: u64, message: Option<&str>) {
        if self.timestamp {
            cursor.bytes(b"\"timestamp\":\"");
            cursor.bytes(&clock::rfc3339_bytes(millis));
            cursor.bytes(b"\",");
        }
        cursor.bytes(match self.least {
            Level::Info => b"\"level\":\"INFO\",\"message\":",
            Level::Warn => b"\"level\":\"WARN\",\"message\":",
            Level::Error => b"\"level\":\"ERROR\",\"message\":",
            Level::Fatal => b"\"level\":\"FATAL\",\"message\":",
        });
        cursor.string(message.unwrap_or(MESSAGE));
    }

    /// Writes `timestamp`, `level` and `message`.
    pub(crate) fn write(&self, object: &mut Object<'_>, level: Level, millis: u64, message: &str) {
        if self.timestamp {
            let buf = object.key("timestamp");
            buf.push(b'"');
            clock::write_rfc3339(buf, millis);
            buf.push(b'"');
        }
        object.str("level", level.max(self.least).as_str());
        object.str("message", message);
    }
}

fn write_ids(object: &mut Object<'_>, context: Option<&RequestContext>, span: Option<SpanIds>) {
    if let Some(context) = context {
        context.write_log_fields(object);
    }
    let trace_id = span
        .map(|span| span.trace_id)
        .or_else(|| context.and_then(RequestContext::trace).map(|parent| parent.trace_id));
    if let Some(trace_id) = trace_id {
        object.display("trace_id", trace_id);
    }
    if let Some(span) = span {
        object.display("span_id", span.span_id);
    }
    if let Some(id) = context.and_then(RequestContext::xray_trace_id) {
        object.str("xray_trace_id", id);
    }
}

/// Writes the ids as members after those in `buf`, which has no braces; none, counted, where they
/// are absurdly long.
pub(crate) fn append_ids(
    buf: &mut Vec<u8>,
    context: Option<&RequestContext>,
    span: Option<SpanIds>,
    counters: &Counters,
) {
    let before = buf.len();
    write_ids(&mut Object::resume(buf, before == 0), context, span);
    if buf.len() - before > IDS_BYTES {
        counters.trimmed();
        buf.truncate(before);
    }
}

/// As [`append_ids`] to an empty buffer, each member with a comma in front.
#[inline]
pub(crate) fn append_ids_after(
    buf: &mut Vec<u8>,
    context: Option<&RequestContext>,
    span: Option<&SpanIds>,
    counters: &Counters,
) {
    if context.is_some() || span.is_some() {
        append_some_ids(buf, context, span, counters);
    }
}

fn append_some_ids(
    buf: &mut Vec<u8>,
    context: Option<&RequestContext>,
    span: Option<&SpanIds>,
    counters: &Counters,
) {
    buf.push(b',');
    append_ids(buf, context, span.copied(), counters);
    if buf.len() == 1 {
        buf.clear();
    } else {
        // `append_ids` has seen members in front of its own.
        buf.remove(0);
    }
}

/// Writes the line that says what was dropped.
pub(crate) fn write_loss(buf: &mut Vec<u8>, style: LineStyle, millis: u64, stats: &Stats) {
    let mut line = Object::begin(buf);
    style.write(&mut line, Level::Warn, millis, "metric values were dropped");
    line.u64("values_dropped", stats.values_dropped());
    for (name, n) in [
        ("values_out_of_range", stats.values_out_of_range),
        ("values_without_name", stats.values_without_name),
        ("values_out_of_window", stats.values_out_of_window),
    ] {
        if n > 0 {
            line.u64(name, n);
        }
    }
    line.end();
}

/// Names in the line of [`write_overflow`].
const SHOWN_NAMES: usize = 10;

/// Writes the line that says which metrics have too many series.
pub(crate) fn write_overflow(
    buf: &mut Vec<u8>,
    style: LineStyle,
    millis: u64,
    values: u64,
    metrics: &[Arc<str>],
) {
    let mut line = Object::begin(buf);
    style.write(&mut line, Level::Warn, millis, "metrics have more series than their budget");
    line.u64("values_in_overflow", values);
    line.u64("metrics_in_overflow", metrics.len() as u64);
    let mut names = line.array("metrics");
    for name in metrics.iter().take(SHOWN_NAMES) {
        names.str(name);
    }
    names.end();
    line.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vars: &[(&str, &str)], expected: &str) {
        let style = LineStyle::from_vars(|name| {
            vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        let mut buf = Vec::new();
        let mut object = Object::begin(&mut buf);
        style.write(&mut object, Level::Info, 1_700_000_000_125, "done");
        object.end();
        assert_eq!(String::from_utf8(buf).unwrap(), expected);
        for message in [None, Some("done\n")] {
            let (mut bytes, mut buffer) = (Vec::new(), [0; 256]);
            style.write_info(&mut bytes, 1_700_000_000_125, message);
            let mut cursor = Cursor::new(&mut buffer);
            style.write_info_at(&mut cursor, 1_700_000_000_125, message);
            assert_eq!(cursor.written(), Some(&bytes[..]));
        }
    }

    #[test]
    fn lines_carry_a_level_that_lambda_does_not_filter() {
        let plain = r#"{"level":"INFO","message":"done"}"#;
        check(&[], plain);
        check(&[("AWS_LAMBDA_LOG_FORMAT", "Text"), ("AWS_LAMBDA_LOG_LEVEL", "WARN")], plain);
        let with = |level: &str| {
            format!(
                r#"{{"timestamp":"2023-11-14T22:13:20.125Z","level":"{level}","message":"done"}}"#
            )
        };
        for (level, expected) in [
            ("TRACE", "INFO"),
            ("debug", "INFO"),
            ("INFO", "INFO"),
            ("WARN", "WARN"),
            ("error", "ERROR"),
            ("FATAL", "FATAL"),
            ("nonsense", "INFO"),
        ] {
            check(
                &[("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("AWS_LAMBDA_LOG_LEVEL", level)],
                &with(expected),
            );
        }
        check(&[("AWS_LAMBDA_LOG_FORMAT", "JSON")], &with("INFO"));
    }

    #[test]
    fn absurdly_long_ids_are_left_out_and_counted() {
        let counters = Counters::default();
        let context = RequestContext::builder().correlation_id("x".repeat(IDS_BYTES)).build();
        let mut buf = br#""level":"INFO""#.to_vec();
        append_ids(&mut buf, Some(&context), None, &counters);
        assert_eq!(buf, br#""level":"INFO""#);
        assert_eq!(counters.read().trimmed, 1);
        let context = RequestContext::builder().correlation_id("c").request_id("r").build();
        append_ids(&mut buf, Some(&context), None, &counters);
        let expected = br#""level":"INFO","correlation_id":"c","function_request_id":"r""#;
        assert_eq!(buf, expected);
    }
}
