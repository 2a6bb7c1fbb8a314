//! The format for people: `timestamp LEVEL target: message key=value …`.

use crate::members::members;

/// Left out: they are the same in every line of a program, or say what `trace_id` says.
const HIDDEN: [&[u8]; 5] = [b"module", b"line", b"service", b"environment", b"xray_trace_id"];

/// Writes the JSON `line` as text. It stays one line: what JSON escapes, stays escaped, ESC for one:
/// the only colours are the format's own.
pub(crate) fn render(line: &[u8], out: &mut Vec<u8>, colors: bool) {
    out.clear();
    let (mut head, mut rest) = ([None; 4], Vec::new());
    for member in members(line) {
        let (key, value) = (&line[member.key], &line[member.value]);
        match key {
            b"timestamp" => head[0] = Some(value),
            b"level" => head[1] = Some(value),
            b"logger" => head[2] = Some(value),
            b"message" => head[3] = Some(value),
            key if HIDDEN.contains(&key) => {}
            key => rest.push((key, value)),
        }
    }
    let [timestamp, level, logger, message] = head.map(|value| inside(value.unwrap_or_default()));
    colored(out, colors.then_some(DIM), timestamp);
    out.push(b' ');
    colored(out, color_of(level).filter(|_| colors), level);
    // The levels line up: the longest has five letters.
    out.extend(std::iter::repeat_n(b' ', 6_usize.saturating_sub(level.len()).max(1)));
    out.extend_from_slice(logger);
    out.extend_from_slice(b": ");
    unquoted(message, out);
    for (key, value) in rest {
        out.push(b' ');
        out.extend_from_slice(key);
        out.push(b'=');
        let text = inside(value);
        out.extend_from_slice(if is_plain(text) { text } else { value });
    }
}

const DIM: &[u8] = b"\x1b[2m";
const RESET: &[u8] = b"\x1b[0m";

/// Red, yellow, green, blue, magenta: those that tracing-subscriber's format has.
fn color_of(level: &[u8]) -> Option<&'static [u8]> {
    match level {
        b"ERROR" => Some(b"\x1b[31m"),
        b"WARN" => Some(b"\x1b[33m"),
        b"INFO" => Some(b"\x1b[32m"),
        b"DEBUG" => Some(b"\x1b[34m"),
        b"TRACE" => Some(b"\x1b[35m"),
        _ => None,
    }
}

fn colored(out: &mut Vec<u8>, color: Option<&[u8]>, text: &[u8]) {
    match color {
        Some(color) => [color, text, RESET].iter().for_each(|part| out.extend_from_slice(part)),
        None => out.extend_from_slice(text),
    }
}

/// A string without its quotes; any other value as it is.
fn inside(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inside @ .., b'"'] => inside,
        value => value,
    }
}

/// Whether a string can stand without quotes.
fn is_plain(text: &[u8]) -> bool {
    !text.is_empty() && !text.iter().any(|byte| matches!(byte, b' ' | b'=' | b'"' | b'\\'))
}

/// Quotes need no escape outside of quotes.
fn unquoted(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        match (first, after.first()) {
            (b'\\', Some(b'"')) => {}
            // Both bytes of an escape at once, so that `\\"` is not taken for one.
            (b'\\', Some(second)) => {
                out.extend_from_slice(&[b'\\', *second]);
                rest = &after[1..];
                continue;
            }
            _ => out.push(*first),
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let mut out = Vec::new();
        render(line.as_bytes(), &mut out, false);
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
    }

    #[test]
    fn colours_are_of_the_timestamp_and_the_level_and_of_nothing_else() {
        for (level, color) in
            [("ERROR", 31), ("WARN", 33), ("INFO", 32), ("DEBUG", 34), ("TRACE", 35)]
        {
            let line = format!(
                r#"{{"timestamp":"t","level":"{level}","message":"\u001b[31mx","logger":"l","k":1}}"#
            );
            let mut out = Vec::new();
            render(line.as_bytes(), &mut out, true);
            let pad = " ".repeat(6 - level.len());
            assert_eq!(
                String::from_utf8(out).unwrap(),
                format!("\x1b[2mt\x1b[0m \x1b[{color}m{level}\x1b[0m{pad}l: \\u001b[31mx k=1")
            );
        }
    }

    #[test]
    fn a_line_for_people() {
        check(
            concat!(
                r#"{"timestamp":"2026-11-21T12:30:00.125Z","level":"WARN","message":"said \"no\"","#,
                r#""logger":"app::orders","module":"app::orders","function":"charge","line":7,"#,
                r#""service":"orders","environment":"dev","order_id":"o-1","note":"two words","#,
                r#""n":3,"ok":true,"none":null,"empty":"","error_chain":["a b"]}"#
            ),
            concat!(
                r#"2026-11-21T12:30:00.125Z WARN  app::orders: said "no" function=charge "#,
                r#"order_id=o-1 note="two words" n=3 ok=true none=null empty="" error_chain=["a b"]"#
            ),
        );
    }

    #[test]
    fn what_could_break_the_line_stays_escaped() {
        // 28
        check(
            r#"{"timestamp":"t","level":"ERROR","message":"a\nb\\\"c\u001b","logger":"l","k":"x\ny"}"#,
            r#"t ERROR l: a\nb\\"c\u001b k="x\ny""#,
        );
    }
}
