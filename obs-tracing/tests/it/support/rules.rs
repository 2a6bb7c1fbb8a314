//! What a datagram to the X-Ray daemon must be, after the service's documentation of segment
//! documents. Stricter than the service where we promise more: no key is unknown, none stands twice.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

const HEADER: &[u8] = b"{\"format\":\"json\",\"version\":1}\n";
const KEYS: &[&str] = &[
    "name",
    "id",
    "trace_id",
    "parent_id",
    "type",
    "start_time",
    "end_time",
    "fault",
    "error",
    "throttle",
    "namespace",
    "cause",
    "annotations",
    "metadata",
    "service",
    "origin",
    "aws",
];

/// Checks one datagram and returns its document.
pub(crate) fn check(datagram: &[u8]) -> Result<Value, String> {
    if datagram.len() > 65_507 {
        return Err(format!("{} bytes are more than a datagram has", datagram.len()));
    }
    let json = datagram.strip_prefix(HEADER).ok_or("the header is missing")?;
    if json.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return Err("the document is more than one line".to_owned());
    }
    let Unique(document) = serde_json::from_slice(json)
        .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(json)))?;
    let object = document.as_object().ok_or("not an object")?;
    check_object(object).map_err(|problem| format!("{problem}: {document}"))?;
    Ok(document)
}

fn check_object(object: &Map<String, Value>) -> Result<(), String> {
    if let Some(unknown) = object.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("unknown key {unknown:?}"));
    }
    name(text(object, "name")?)?;
    hex(text(object, "id")?, 16)?;
    trace_id(text(object, "trace_id")?)?;
    let (start, end) = (number(object, "start_time")?, number(object, "end_time")?);
    if !(1.5e9..5e9).contains(&start) || end < start {
        return Err(format!("times {start} and {end}"));
    }
    match object.get("type") {
        None => {
            if let Some(parent) = object.get("parent_id") {
                hex(parent.as_str().ok_or("parent_id is not text")?, 16)?;
            }
        }
        Some(kind) if kind == "subsegment" => {
            hex(text(object, "parent_id")?, 16)?;
            for key in ["service", "origin", "aws"] {
                if object.contains_key(key) {
                    return Err(format!("a subsegment with {key:?}"));
                }
            }
        }
        Some(other) => return Err(format!("type {other}")),
    }
    for flag in ["fault", "error", "throttle"] {
        if let Some(value) = object.get(flag) {
            value.as_bool().ok_or_else(|| format!("{flag} is not a boolean"))?;
        }
    }
    if object.contains_key("throttle") && !object.contains_key("error") {
        return Err("a throttle that is no error".to_owned());
    }
    if let Some(namespace) = object.get("namespace") {
        if !object.contains_key("type") {
            return Err("a segment with a namespace".to_owned());
        }
        if namespace != "aws" && namespace != "remote" {
            return Err(format!("namespace {namespace}"));
        }
    }
    if let Some(value) = object.get("annotations") {
        annotations(value)?;
    }
    if let Some(value) = object.get("metadata") {
        metadata(value)?;
    }
    if let Some(value) = object.get("cause") {
        cause(value)?;
    }
    Ok(())
}

fn name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_alphanumeric() || " _.:/%&#=+\\-@".contains(c);
    let length = name.chars().count();
    if (1..=200).contains(&length) && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(format!("name {name:?}"))
    }
}

fn hex(id: &str, digits: usize) -> Result<(), String> {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if id.len() == digits && id.bytes().all(is_hex) && id.bytes().any(|b| b != b'0') {
        Ok(())
    } else {
        Err(format!("id {id:?}"))
    }
}

fn trace_id(id: &str) -> Result<(), String> {
    match id.split('-').collect::<Vec<_>>()[..] {
        ["1", time, rest] => hex(time, 8).and(hex(rest, 24)),
        _ => Err(format!("trace id {id:?}")),
    }
}

fn annotations(value: &Value) -> Result<(), String> {
    let object = value.as_object().ok_or("annotations are not an object")?;
    if object.is_empty() || object.len() > 50 {
        return Err(format!("{} annotations", object.len()));
    }
    for (key, value) in object {
        let valid_key = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if !(1..=500).contains(&key.len()) || !key.bytes().all(valid_key) {
            return Err(format!("annotation key {key:?}"));
        }
        match value {
            Value::String(text) if text.chars().count() <= 1_000 => {}
            Value::Number(_) | Value::Bool(_) => {}
            other => return Err(format!("annotation {key:?} is {other}")),
        }
    }
    Ok(())
}

fn metadata(value: &Value) -> Result<(), String> {
    let object = value.as_object().ok_or("metadata is not an object")?;
    if object.is_empty() {
        return Err("metadata is empty".to_owned());
    }
    for (namespace, value) in object {
        let entries = value.as_object().ok_or("a metadata namespace is not an object")?;
        if entries.is_empty() || namespace.is_empty() {
            return Err(format!("metadata namespace {namespace:?} is empty"));
        }
        if [namespace].into_iter().chain(entries.keys()).any(|key| key.starts_with("AWS.")) {
            return Err(format!("metadata namespace {namespace:?} has a reserved key"));
        }
    }
    Ok(())
}

fn cause(value: &Value) -> Result<(), String> {
    let exceptions = value["exceptions"].as_array().ok_or("a cause without exceptions")?;
    let mut ids = BTreeMap::new();
    for exception in exceptions {
        let object = exception.as_object().ok_or("an exception is not an object")?;
        let id = text(object, "id")?;
        hex(id, 16)?;
        text(object, "type")?;
        text(object, "message")?;
        if ids.insert(id.to_owned(), ()).is_some() {
            return Err(format!("two exceptions have the id {id}"));
        }
    }
    for exception in exceptions {
        if let Some(cause) = exception.get("cause") {
            let cause = cause.as_str().ok_or("an exception's cause is not text")?;
            if !ids.contains_key(cause) {
                return Err(format!("no exception has the id {cause}"));
            }
        }
    }
    Ok(())
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Result<&'a str, String> {
    object.get(key).and_then(Value::as_str).ok_or_else(|| format!("{key:?} is missing or not text"))
}

fn number(object: &Map<String, Value>, key: &str) -> Result<f64, String> {
    object
        .get(key)
        .and_then(Value::as_f64)
        .ok_or_else(|| format!("{key:?} is missing or no number"))
}

/// JSON in which no object has a key twice, which serde_json would not tell.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Unique)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = access.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Unique(value))) = access.next_entry::<String, Unique>()? {
            if object.insert(key.clone(), value).is_some() {
                return Err(de::Error::custom(format!("the key {key:?} stands twice")));
            }
        }
        Ok(object.into())
    }
}

#[test]
fn the_rules_find_what_is_wrong() {
    const DOCUMENT: &str = r#"{"name":"a","id":"53995c3f42cd8ad8","trace_id":"1-5759e988-bd862e3fe1be46a994272793","start_time":1700000000.5,"end_time":1700000001"#;
    let datagram = |rest: &str| [HEADER, DOCUMENT.as_bytes(), rest.as_bytes(), b"}"].concat();
    assert!(check(&datagram("")).is_ok());
    assert!(check(&datagram(r#","type":"subsegment","parent_id":"53995c3f42cd8ad9""#)).is_ok());
    for wrong in [
        r#","name":"b""#,
        r#","unknown":1"#,
        r#","type":"subsegment""#,
        r#","parent_id":"x""#,
        r#","fault":1"#,
        r#","throttle":true"#,
        r#","namespace":"remote""#,
        r#","type":"subsegment","parent_id":"53995c3f42cd8ad9","namespace":"other""#,
        r#","annotations":{}"#,
        r#","annotations":{"a b":1}"#,
        r#","annotations":{"a":[1]}"#,
        r#","annotations":{"a":null}"#,
        r#","metadata":{"default":1}"#,
        r#","metadata":{"AWS.x":{"a":1}}"#,
        r#","metadata":{"x":{"a":1,"a":2}}"#,
        r#","cause":{"exceptions":[{"id":"1"}]}"#,
        ",\"origin\":\"\n\"",
    ] {
        assert!(check(&datagram(wrong)).is_err(), "{wrong}");
    }
    assert!(check(DOCUMENT.as_bytes()).is_err());
}
