//! JSON documents and JSON Lines.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::cell::Cell;
use super::format::{Extension, Format, start_of};
use super::records::{
    Collector, Content, Dataset, MAX_RECORDS, too_many_columns, too_many_records,
};
use super::unusable::Unusable;

/// The most bytes of a line that is no JSON that go into the rejected records.
const MAX_BROKEN_LINE: usize = 4_096;

/// Reads one JSON text: an array of records, an object with one array, or a single record.
///
/// Only the outermost level is read in one go; each record is read for itself, so that what is
/// wrong with one (a number out of range, say) does not concern the others.
pub(super) fn parse_document(bytes: &[u8], extension: Extension) -> Result<Dataset<'_>, Unusable> {
    let text = utf8(bytes)?;
    let elements = if text.trim_start().starts_with('[') {
        elements(text)?
    } else {
        let members: Members<'_> = from_json(text)?;
        match (members.arrays.as_slice(), extension) {
            ([(_, array)], Extension::Other | Extension::Delimited) => elements(array.get())?,
            ([], _) | (_, Extension::Lines) => vec![from_json::<&RawValue>(text)?],
            (several, _) => return Err(ambiguous(several)),
        }
    };
    let mut collector = Collector::new();
    for element in elements {
        record(element.get(), &mut collector)?;
    }
    Ok(collector.finish(Format::Json))
}

/// Reads one record a line; blank lines are passed over.
///
/// # Errors
///
/// When not one line is JSON: then the file is something else under a wrong name.
pub(super) fn parse_lines(bytes: &[u8]) -> Result<Dataset<'_>, Unusable> {
    let mut collector = Collector::new();
    let mut any_json = false;
    for line in lines(bytes) {
        let Ok(text) = std::str::from_utf8(line) else {
            collector.refuse("the line is not valid UTF-8", broken_line(line))?;
            continue;
        };
        match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => {
                any_json = true;
                record(text, &mut collector)?;
            }
            Err(error) => {
                let reason = format!("the line is not JSON: {}", describe(text, &error));
                collector.refuse(reason, broken_line(line))?;
            }
        }
    }
    if any_json {
        Ok(collector.finish(Format::JsonLines))
    } else {
        Err(Unusable::new(
            "not_json",
            format!(
                "the file is not JSON Lines: none of its lines is JSON; it starts with `{}`",
                start_of(bytes.trim_ascii())
            ),
        ))
    }
}

/// Whether a text that is no JSON document is one record a line: at least half of its first
/// hundred lines are objects of their own.
pub(super) fn looks_like_lines(content: &[u8]) -> bool {
    let (mut objects, mut seen) = (0, 0);
    for line in lines(content).take(100) {
        seen += 1;
        let is_object = line.starts_with(b"{")
            && std::str::from_utf8(line)
                .is_ok_and(|text| serde_json::from_str::<&RawValue>(text).is_ok());
        objects += usize::from(is_object);
    }
    objects * 2 >= seen && objects > 0
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

fn broken_line(line: &[u8]) -> Content<'_> {
    if line.len() <= MAX_BROKEN_LINE {
        return Content::Text(String::from_utf8_lossy(line));
    }
    let head = String::from_utf8_lossy(&line[..MAX_BROKEN_LINE]);
    Content::Text(format!("{head}… ({} bytes)", line.len()).into())
}

/// Reads one record out of a valid JSON text.
fn record<'a>(text: &'a str, collector: &mut Collector<'a>) -> Result<(), Unusable> {
    let text = text.trim();
    if !text.starts_with('{') {
        return collector.refuse(not_an_object(text), Content::Json(text));
    }
    match serde_json::from_str::<Fields<'a>>(text) {
        Ok(Fields(fields)) if fields.is_empty() => {
            collector.refuse("the record has no fields", Content::Json(text))
        }
        Ok(Fields(fields)) => {
            let mut cells: Vec<(u16, Cell<'a>)> = Vec::with_capacity(fields.len());
            let mut highest = None;
            for (name, cell) in fields {
                let column = collector.column(name).ok_or_else(too_many_columns)?;
                // Records mostly name their columns in one order, so the search is rarely made.
                let may_repeat = highest >= Some(column);
                match cells.iter_mut().find(|(seen, _)| may_repeat && *seen == column) {
                    Some(earlier) => earlier.1 = cell,
                    None => cells.push((column, cell)),
                }
                highest = highest.max(Some(column));
            }
            collector.accept(cells, Some(text))
        }
        Err(error) => {
            let reason = format!("the record cannot be read: {error}");
            collector.refuse(reason, Content::Json(text))
        }
    }
}

fn not_an_object(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'[') => "the record is an array, not an object",
        Some(b'"') => "the record is a string, not an object",
        Some(b't' | b'f') => "the record is a boolean, not an object",
        Some(b'n') => "the record is null, not an object",
        _ => "the record is a number, not an object",
    }
}

fn elements(array: &str) -> Result<Vec<&RawValue>, Unusable> {
    let Elements { values, overflow } = from_json(array)?;
    if overflow { Err(too_many_records()) } else { Ok(values) }
}

fn ambiguous(arrays: &[(Cow<'_, str>, &RawValue)]) -> Unusable {
    let names: Vec<&str> = arrays.iter().take(5).map(|(name, _)| name.as_ref()).collect();
    Unusable::new(
        "ambiguous",
        format!(
            "the file is an object with several arrays ({}): which one holds the records? \
             Upload that array by itself",
            names.join(", ")
        ),
    )
}

fn utf8(bytes: &[u8]) -> Result<&str, Unusable> {
    std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let line = bytes[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
        Unusable::new(
            "not_utf8",
            format!("the file is not valid UTF-8: line {line}, offset {offset}"),
        )
    })
}

fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Unusable> {
    serde_json::from_str(text).map_err(|error| {
        let what = if error.is_eof() { "the JSON text ends too early" } else { "not valid JSON" };
        Unusable::new("not_json", format!("{what}: {}", describe(text, &error)))
    })
}

/// The parser's message, with a word on what is most often behind it.
fn describe(text: &str, error: &serde_json::Error) -> String {
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let from = line.floor_char_boundary(error.column().saturating_sub(2));
    let at = line[from..].trim_start_matches(['-', ' ', ':', ',', '[']);
    let is_not_finite = ["NaN", "nan", "Infinity", "inf"].iter().any(|word| at.starts_with(word));
    if is_not_finite {
        format!("{error}; JSON has no NaN and no infinities, write null")
    } else {
        error.to_string()
    }
}

/// The elements of an array, up to one more than a file may have.
struct Elements<'a> {
    values: Vec<&'a RawValue>,
    overflow: bool,
}

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ElementsVisitor;

        impl<'de> Visitor<'de> for ElementsVisitor {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of records")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                let mut overflow = false;
                while let Some(value) = seq.next_element::<&'de RawValue>()? {
                    if values.len() < MAX_RECORDS {
                        values.push(value);
                    } else {
                        overflow = true;
                    }
                }
                Ok(Elements { values, overflow })
            }
        }

        deserializer.deserialize_seq(ElementsVisitor)
    }
}

/// The members of an object that are arrays.
struct Members<'a> {
    arrays: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut arrays = Vec::new();
                while let Some((Name(name), value)) = map.next_entry::<_, &'de RawValue>()? {
                    if value.get().starts_with('[') {
                        arrays.push((name, value));
                    }
                }
                Ok(Members { arrays })
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

/// The fields of one record, in the order of the file.
struct Fields<'a>(Vec<(Cow<'a, str>, Cell<'a>)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((Name(name), cell)) = map.next_entry()? {
                    fields.push((name, cell));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// A member's name, borrowed where it holds no escapes; serde's own `Cow` always copies.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}
