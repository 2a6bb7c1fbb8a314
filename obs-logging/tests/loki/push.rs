//! Reads a push as strictly as Loki's documentation describes it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::Read as _;

use flate2::read::GzDecoder;
use obs_logging::loki::{MAX_LABELS, MAX_LINE_BYTES, MAX_METADATA_FIELDS};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::server::{Request, Server};

/// One line as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) nanos: u64,
    /// Verbatim.
    pub(crate) text: String,
    /// Its members.
    pub(crate) json: Value,
    pub(crate) metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Push {
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stream {
    stream: Texts,
    values: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Plain(String, String),
    WithMetadata(String, String, Texts),
}

/// An object of texts, each name once.
struct Texts(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    if texts.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a name occurs twice"));
                    }
                }
                Ok(Texts(texts))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// The lines of a request, in the order in which they stand there.
#[track_caller]
pub(crate) fn read(request: &Request) -> Vec<Line> {
    assert_eq!(request.line, "POST /loki/api/v1/push HTTP/1.1");
    assert_eq!(request.headers["content-type"], "application/json");
    let push: Push = serde_json::from_slice(&plain(request)).unwrap();
    assert!(!push.streams.is_empty());
    let mut seen = HashSet::new();
    let mut lines = Vec::new();
    for Stream { stream: Texts(labels), values } in push.streams {
        assert!((1..=MAX_LABELS).contains(&labels.len()), "{labels:?}");
        for (name, value) in &labels {
            assert!(is_name(name) && !value.is_empty(), "{labels:?}");
        }
        assert!(seen.insert(labels.clone()), "{labels:?} twice");
        assert!(!values.is_empty());
        let mut last = 0;
        for entry in values {
            let line = line(&labels, entry);
            assert!(line.nanos > last, "{} after {last}", line.nanos);
            last = line.nanos;
            lines.push(line);
        }
    }
    lines
}

fn line(labels: &BTreeMap<String, String>, entry: Entry) -> Line {
    let (nanos, text, metadata) = match entry {
        Entry::Plain(nanos, text) => (nanos, text, BTreeMap::new()),
        Entry::WithMetadata(nanos, text, Texts(metadata)) => {
            assert!((1..=MAX_METADATA_FIELDS).contains(&metadata.len()), "{metadata:?}");
            assert!(metadata.keys().all(|name| is_name(name)), "{metadata:?}");
            (nanos, text, metadata)
        }
    };
    assert!(nanos.len() == 19 && nanos.bytes().all(|it| it.is_ascii_digit()), "{nanos}");
    assert!(text.len() <= MAX_LINE_BYTES, "{} bytes", text.len());
    assert!(!text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{1b}']), "{text}");
    let json = serde_json::from_str(&text).unwrap();
    Line { labels: labels.clone(), nanos: nanos.parse().unwrap(), text, json, metadata }
}

fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

fn plain(request: &Request) -> Vec<u8> {
    match request.headers.get("content-encoding").map(String::as_str) {
        Some("gzip") => {
            let mut plain = Vec::new();
            GzDecoder::new(request.body.as_slice()).read_to_end(&mut plain).unwrap();
            plain
        }
        None => request.body.clone(),
        Some(other) => panic!("compressed with {other}"),
    }
}

/// How many bytes it has, uncompressed.
pub(crate) fn bytes(request: &Request) -> usize {
    plain(request).len()
}

/// The lines of all requests.
#[track_caller]
pub(crate) fn all(server: &Server) -> Vec<Line> {
    server.requests().iter().flat_map(read).collect()
}
