//! What a file is, decided by its content; the extension only settles what content leaves open.

use std::borrow::Cow;

use serde::Serialize;

use super::records::{Collector, Dataset};
use super::unusable::Unusable;
use super::{delimited, json};

/// The format that a file was read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Nothing but white space.
    Empty,
    /// One JSON text: an array of records, an object with one array of records, or one record.
    Json,
    /// One JSON text a line.
    JsonLines,
    /// Fields separated by a comma, semicolon, tab or bar, below a line of column names.
    Delimited,
}

/// Reads a file of any supported format into records.
///
/// `key` is the file's name; its extension decides only between readings that the content allows.
///
/// # Errors
///
/// When the file as a whole makes no sense: it is binary, compressed, in another encoding, not
/// JSON although it starts like it, or too large in records or columns. A single bad record is not
/// an error; it comes back among the refused.
pub fn parse<'a>(bytes: &'a [u8], key: &str) -> Result<Dataset<'a>, Unusable> {
    reject_foreign(bytes)?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let content = bytes.trim_ascii();
    if content.is_empty() {
        return Ok(Collector::new().finish(Format::Empty));
    }
    let extension = Extension::of(key);
    if extension == Extension::Lines {
        return json::parse_lines(bytes);
    }
    match content[0] {
        b'[' => json::parse_document(bytes, extension),
        b'{' => match json::parse_document(bytes, extension) {
            Err(error) if error.is_syntax() && json::looks_like_lines(content) => {
                json::parse_lines(bytes)
            }
            document => document,
        },
        _ => match delimited::parse(bytes, extension) {
            Some(parsed) => parsed,
            None => Err(neither(content)),
        },
    }
}

/// What a file's name says about its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extension {
    /// `.jsonl` or `.ndjson`.
    Lines,
    /// `.csv`, `.tsv` or `.psv`.
    Delimited,
    /// Any other, or none.
    Other,
}

impl Extension {
    fn of(key: &str) -> Self {
        let name = key.rsplit('/').next().unwrap_or(key);
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let is = |list: &[&str]| list.iter().any(|known| extension.eq_ignore_ascii_case(known));
        if is(&["jsonl", "ndjson"]) {
            Self::Lines
        } else if is(&["csv", "tsv", "psv"]) {
            Self::Delimited
        } else {
            Self::Other
        }
    }
}

/// Turns away what is not UTF-8 text at all, by name where the first bytes tell it.
fn reject_foreign(bytes: &[u8]) -> Result<(), Unusable> {
    const KNOWN: [(&[u8], &str); 7] = [
        (b"\x1f\x8b", "gzip-compressed: decompress it before uploading"),
        (b"PK\x03\x04", "a zip archive: upload the files in it"),
        (b"\x28\xb5\x2f\xfd", "zstd-compressed: decompress it before uploading"),
        (b"PAR1", "Parquet, which is not supported"),
        (b"ARROW1", "Arrow, which is not supported"),
        (b"\xff\xfe", "UTF-16: save it as UTF-8"),
        (b"\xfe\xff", "UTF-16: save it as UTF-8"),
    ];
    if let Some((_, what)) = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(Unusable::new("not_text", format!("the file is {what}")));
    }
    match bytes.iter().position(|byte| *byte == 0) {
        Some(offset) => Err(Unusable::new(
            "not_text",
            format!("the file is binary: there is a NUL byte at offset {offset}"),
        )),
        None => Ok(()),
    }
}

fn neither(content: &[u8]) -> Unusable {
    let scalar = serde_json::from_slice::<serde::de::IgnoredAny>(content).is_ok();
    if scalar {
        return Unusable::new(
            "not_records",
            format!("the file is a single JSON value, not records: `{}`", start_of(content)),
        );
    }
    Unusable::new(
        "not_json",
        format!(
            "the file is neither JSON, JSON Lines nor CSV; it starts with `{}`",
            start_of(content)
        ),
    )
}

/// The first characters of a text for a message, on one line.
pub(super) fn start_of(content: &[u8]) -> Cow<'_, str> {
    let head = &content[..content.len().min(160)];
    let text = String::from_utf8_lossy(head);
    text.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().into()
}

#[cfg(test)]
mod tests;
