//! Cutting an alert to size: the largest field first, at a character boundary, with a mark.
//!
//! Sizes are those of the written JSON, so that what is cut once fits.

use std::fmt;

use serde_json::{Map, Value};

/// What stands at the end of a text that was cut, and in the place of a value that was left out.
pub(crate) const MARK: &str = "…[truncated]";

/// A field is not cut below this many bytes: its beginning still says something.
const FLOOR: usize = 256;

/// How many names of cut fields are listed in an event at most.
pub(crate) const MAX_NAMED: usize = 16;

/// What was cut from an alert, by the name that stands in the event's `truncated`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The message lost its end.
    Message,
    /// The attribute of this name lost its end.
    Attribute(String),
    /// So many attributes were left out.
    Attributes(usize),
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Message => f.write_str("message"),
            Cut::Attribute(name) => write!(f, "attributes.{name}"),
            Cut::Attributes(1) => f.write_str("attributes (1 left out)"),
            Cut::Attributes(n) => write!(f, "attributes ({n} left out)"),
        }
    }
}

/// Takes at least `excess` bytes of JSON away from the message and the attributes, as far as they
/// have so many: from the largest first; when all are short and it still does not fit, the last
/// attributes are left out.
pub(crate) fn cut(
    message: &mut String,
    attributes: &mut Map<String, Value>,
    excess: usize,
) -> Vec<Cut> {
    let mut excess = excess;
    let mut done = Vec::new();
    let mut fields: Vec<(usize, Option<String>)> = attributes
        .iter()
        .map(|(name, value)| (written(value), Some(name.clone())))
        .chain([(string_length(message), None)])
        .collect();
    fields.sort_unstable_by(|left, right| right.cmp(left));
    for (size, name) in fields {
        if excess == 0 || size <= FLOOR {
            break;
        }
        let target = size.saturating_sub(excess).max(FLOOR);
        let left = match name {
            None => {
                *message = cut_text(message, target);
                done.push(Cut::Message);
                string_length(message)
            }
            Some(name) => {
                let Some(value) = attributes.get_mut(&name) else {
                    continue;
                };
                let text = match &*value {
                    Value::String(text) => cut_text(text, target),
                    // A list or an object without its end is no JSON: its text is kept as text.
                    other => cut_text(&other.to_string(), target),
                };
                let left = string_length(&text);
                *value = Value::String(text);
                done.push(Cut::Attribute(name));
                left
            }
        };
        excess = excess.saturating_sub(size.saturating_sub(left));
    }
    let mut left_out = 0;
    while excess > 0 {
        let Some(name) = attributes.keys().next_back().cloned() else {
            break;
        };
        let Some(value) = attributes.remove(&name) else {
            break;
        };
        // `"name":value,`
        excess = excess.saturating_sub(string_length(&name) + 2 + written(&value));
        left_out += 1;
    }
    if left_out > 0 {
        done.retain(|cut| !matches!(cut, Cut::Attribute(name) if !attributes.contains_key(name)));
        done.push(Cut::Attributes(left_out));
    }
    done
}

/// Replaces what nests deeper than `depth` arrays and objects by [`MARK`]; says whether it did.
pub(crate) fn cut_depth(value: &mut Value, depth: usize) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        _ if depth == 0 => {
            *value = Value::String(MARK.to_owned());
            true
        }
        // Not `any`: all of them must be visited.
        Value::Array(items) => {
            items.iter_mut().fold(false, |cut, item| cut_depth(item, depth - 1) | cut)
        }
        Value::Object(members) => {
            members.values_mut().fold(false, |cut, value| cut_depth(value, depth - 1) | cut)
        }
    }
}

/// The beginning of `text`, and [`MARK`], whose JSON string has at most `limit` bytes; just the
/// mark where the limit is smaller than that.
pub(crate) fn cut_text(text: &str, limit: usize) -> String {
    if string_length(text) <= limit {
        return text.to_owned();
    }
    let room = limit.saturating_sub(MARK.len() + 2);
    let mut used = 0;
    let end = text
        .char_indices()
        .find(|(_, c)| {
            used += escaped_length(*c);
            used > room
        })
        .map_or(text.len(), |(at, _)| at);
    format!("{}{MARK}", &text[..end])
}

/// How many bytes `text` has as a JSON string, quotes included.
fn string_length(text: &str) -> usize {
    2 + text.chars().map(escaped_length).sum::<usize>()
}

/// How many bytes a value has as JSON.
fn written(value: &Value) -> usize {
    match value {
        Value::Null => 4,
        Value::Bool(yes) => 5 - usize::from(*yes),
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => string_length(text),
        // Brackets, and a comma or bracket behind each.
        Value::Array(items) => 2 + items.iter().map(|item| written(item) + 1).sum::<usize>(),
        Value::Object(members) => {
            2 + members
                .iter()
                .map(|(name, value)| string_length(name) + 2 + written(value))
                .sum::<usize>()
        }
    }
}

/// How many bytes the JSON writer makes of a character; it must agree with `obs_core::json`.
fn escaped_length(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => 6,
        _ => c.len_utf8(),
    }
}

#[cfg(test)]
#[path = "trim_tests.rs"]
mod tests;
