//! Bodies of `POST /loki/api/v1/push`: `{"streams":[{"stream":{…},"values":[["ns","line",{…}],…]},…]}`.

use std::ops::Range;

use obs_core::json::{self, Object};

use super::entry::{Entry, LEVELS};

/// What one request holds at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    /// Of the body, before it is compressed.
    pub(super) bytes: usize,
    pub(super) lines: usize,
}

/// The streams that lines go to: one for each level.
#[derive(Debug)]
pub(super) struct Streams {
    /// `{"stream":{…},"values":[`
    heads: [Vec<u8>; LEVELS.len()],
}

const BEGIN: &[u8] = br#"{"streams":["#;
const END: &[u8] = b"]}";

impl Streams {
    /// Streams with these labels and the level.
    pub(super) fn new(labels: &[(String, String)]) -> Self {
        let head = |level: &str| {
            let mut head = Vec::new();
            let mut stream = Object::begin(&mut head);
            let mut all = stream.object("stream");
            for (name, value) in labels {
                all.str(name, value);
            }
            all.str("level", &level.to_ascii_lowercase());
            all.end();
            stream.key("values").push(b'[');
            head
        };
        Self { heads: LEVELS.map(head) }
    }

    /// Which of `entries` go into one request each: neighbours, as many as fit.
    pub(super) fn requests(&self, entries: &[Entry<'_>], most: Most) -> Vec<Range<usize>> {
        // Every stream may be there; each ends with `]},`.
        let frame: usize = self.heads.iter().map(|head| head.len() + 3).sum();
        let frame = frame + BEGIN.len() + END.len();
        let (mut requests, mut start, mut bytes) = (Vec::new(), 0, frame);
        for (at, entry) in entries.iter().enumerate() {
            let more = value_bytes(entry);
            if at > start && (bytes + more > most.bytes || at - start >= most.lines) {
                requests.push(start..at);
                (start, bytes) = (at, frame);
            }
            bytes += more;
        }
        if start < entries.len() {
            requests.push(start..entries.len());
        }
        requests
    }

    /// The body for these entries: those of one level are one stream, in their order.
    pub(super) fn body(&self, entries: &[Entry<'_>]) -> Vec<u8> {
        let bytes: usize = entries.iter().map(value_bytes).sum();
        let mut body = Vec::with_capacity(bytes + 1024);
        body.extend_from_slice(BEGIN);
        let empty = body.len();
        for (level, head) in self.heads.iter().enumerate() {
            let mut is_first = true;
            for entry in entries.iter().filter(|entry| entry.level == level) {
                if std::mem::take(&mut is_first) {
                    if body.len() > empty {
                        body.push(b',');
                    }
                    body.extend_from_slice(head);
                } else {
                    body.push(b',');
                }
                value(&mut body, entry);
            }
            if !is_first {
                body.extend_from_slice(b"]}");
            }
        }
        body.extend_from_slice(END);
        body
    }
}

/// Writes `["ns","line",{…}]`.
fn value(body: &mut Vec<u8>, entry: &Entry<'_>) {
    body.extend_from_slice(b"[\"");
    json::uint(body, entry.nanos);
    body.extend_from_slice(b"\",");
    json::string(body, &entry.line);
    if !entry.metadata.is_empty() {
        body.push(b',');
        body.extend_from_slice(&entry.metadata);
    }
    body.push(b']');
}

/// What it takes in the body, with the comma: of a line, which is JSON, only quotes and backslashes are
/// escaped again.
fn value_bytes(entry: &Entry<'_>) -> usize {
    const AROUND: usize = r#"["18446744073709551615","",],"#.len();
    let escapes = entry.line.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    AROUND + entry.line.len() + escapes + entry.metadata.len()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn entry(nanos: u64, level: &str, line: &str, metadata: &str) -> Entry<'static> {
        let level = LEVELS.iter().position(|it| *it == level).unwrap();
        Entry { nanos, level, line: line.to_owned().into(), metadata: metadata.into() }
    }

    fn streams() -> Streams {
        Streams::new(&[("service".to_owned(), "o\"rders".to_owned())])
    }

    #[test]
    fn a_body_has_a_stream_for_each_level_and_lines_verbatim() {
        let line = r#"{"level":"INFO","message":"say \"hi\" \\ \n é"}"#;
        let entries = [
            entry(7, "INFO", line, ""),
            entry(8, "ERROR", "{}", r#"{"trace_id":"abc"}"#),
            entry(9, "INFO", "{}", ""),
        ];
        let body: Value = serde_json::from_slice(&streams().body(&entries)).unwrap();
        assert_eq!(
            body,
            json!({"streams": [
                {"stream": {"service": "o\"rders", "level": "error"}, "values": [["8", "{}", {"trace_id": "abc"}]]},
                {"stream": {"service": "o\"rders", "level": "info"}, "values": [["7", line], ["9", "{}"]]},
            ]})
        );
    }

    #[test]
    fn scenario_24_requests_hold_no_more_than_they_may() {
        let streams = streams();
        let entries: Vec<_> = (0..100)
            .zip(LEVELS.iter().cycle())
            .map(|(n, level)| {
                entry(n, level, &r#"\""#.repeat(usize::try_from(n).unwrap()), r#"{"a":"b"}"#)
            })
            .collect();
        for most in [
            Most { bytes: 1_500, lines: 1_000 },
            Most { bytes: 1 << 20, lines: 7 },
            Most { bytes: 0, lines: 1_000 },
            Most { bytes: 1 << 20, lines: 1_000 },
        ] {
            let requests = streams.requests(&entries, most);
            let mut next = 0;
            for range in &requests {
                assert_eq!(range.start, next);
                next = range.end;
                assert!((1..=most.lines).contains(&range.len()));
                let body = streams.body(&entries[range.clone()]);
                assert!(body.len() <= most.bytes || range.len() == 1, "{} {most:?}", body.len());
            }
            assert_eq!(next, entries.len());
        }
        assert_eq!(streams.requests(&entries, Most { bytes: 1 << 20, lines: 1_000 }).len(), 1);
        assert!(streams.requests(&[], Most { bytes: 1, lines: 1 }).is_empty());
    }
}
