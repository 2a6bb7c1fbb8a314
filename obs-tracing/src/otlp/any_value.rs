//! Values of attributes, as OTLP's `AnyValue`.

use serde_json::Value as Json;

use super::translate::AttributeValue;
use super::wire;
use crate::resource::ResourceValue;

/// The fields of `AnyValue`.
const STRING: u64 = 1;
const BOOL: u64 = 2;
const INT: u64 = 3;
const DOUBLE: u64 = 4;
const ARRAY: u64 = 5;
const PAIRS: u64 = 6;
/// The fields of `KeyValue`.
const KEY: u64 = 1;
const VALUE: u64 = 2;

/// Writes the members of a `KeyValue`.
pub(super) fn attribute(out: &mut Vec<u8>, key: &str, value: &AttributeValue<'_>) {
    pair(out, key, |out| match value {
        AttributeValue::Text(text) => wire::string(out, STRING, text),
        AttributeValue::Bool(value) => wire::uint(out, BOOL, u64::from(*value)),
        AttributeValue::Int(number) => wire::uint(out, INT, number.cast_unsigned()),
        AttributeValue::Double(number) => wire::fixed64(out, DOUBLE, number.to_bits()),
        AttributeValue::Texts(list) => texts(out, list.iter().map(AsRef::as_ref)),
        AttributeValue::Json(bytes) => match serde_json::from_slice(bytes) {
            Ok(value) => json(out, &value),
            // Nested deeper than anybody reads.
            Err(_) => wire::string(out, STRING, &String::from_utf8_lossy(bytes)),
        },
    });
}

/// As [`attribute`], of the resource.
pub(super) fn resource_attribute(out: &mut Vec<u8>, key: &str, value: &ResourceValue) {
    pair(out, key, |out| match value {
        ResourceValue::Text(text) => wire::string(out, STRING, text),
        ResourceValue::Int(number) => wire::uint(out, INT, number.cast_unsigned()),
        ResourceValue::Texts(list) => texts(out, list.iter().map(String::as_str)),
    });
}

fn pair(out: &mut Vec<u8>, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
    wire::string(out, KEY, key);
    wire::message(out, VALUE, value);
}

fn texts<'t>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'t str>) {
    wire::message(out, ARRAY, |out| {
        for text in texts {
            wire::message(out, 1, |out| wire::string(out, STRING, text));
        }
    });
}

/// Writes the one field that an `AnyValue` has; none for null.
fn json(out: &mut Vec<u8>, value: &Json) {
    match value {
        Json::Null => {}
        Json::Bool(value) => wire::uint(out, BOOL, u64::from(*value)),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => wire::uint(out, INT, number.cast_unsigned()),
            (None, Some(float)) if number.is_f64() => wire::fixed64(out, DOUBLE, float.to_bits()),
            // Larger than an int64: with all of its digits.
            _ => wire::string(out, STRING, &number.to_string()),
        },
        Json::String(text) => wire::string(out, STRING, text),
        Json::Array(values) => wire::message(out, ARRAY, |out| {
            for value in values {
                wire::message(out, 1, |out| json(out, value));
            }
        }),
        Json::Object(members) => wire::message(out, PAIRS, |out| {
            for (key, value) in members {
                wire::message(out, 1, |out| pair(out, key, |out| json(out, value)));
            }
        }),
    }
}
