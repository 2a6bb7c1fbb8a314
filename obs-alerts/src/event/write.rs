//! Writing an [`AlertEvent`]: its members are listed once, for our own writer and for serde.

use obs_core::json;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::{AlertEvent, AlertMetric};

impl AlertEvent {
    /// The event as JSON on one line: control characters and line separators are escaped.
    pub fn to_json(&self) -> String {
        let mut buf = Vec::with_capacity(512);
        let mut object = json::Object::begin(&mut buf);
        for (name, member) in self.members() {
            member.write(object.key(name));
        }
        object.end();
        // Whole characters went in, so whole characters come out.
        String::from_utf8(buf).unwrap_or_default()
    }

    /// The members that there are, in the order in which they are written.
    fn members(&self) -> impl Iterator<Item = (&str, Member<'_>)> {
        let severity = match self.unknown_severity.as_deref() {
            Some(unknown) => Some(unknown).filter(|unknown| !unknown.is_empty()),
            None => Some(self.severity.as_str()),
        };
        let version = Member::Number(self.version);
        let known = [
            ("version", Some(version).filter(|_| self.version > 0)),
            ("id", text(&self.id)),
            ("severity", severity.map(Member::Text)),
            ("message", Some(Member::Text(&self.message))),
            ("service", text(&self.service)),
            ("environment", text(&self.environment)),
            ("timestamp", text(&self.timestamp)),
            ("fingerprint", text(&self.fingerprint)),
            ("request_id", text(&self.request_id)),
            ("correlation_id", text(&self.correlation_id)),
            ("trace_id", text(&self.trace_id)),
            ("span_id", text(&self.span_id)),
            ("xray_trace_id", text(&self.xray_trace_id)),
            ("metric", self.metric.as_ref().map(Member::Metric)),
            ("runbook", text(&self.runbook)),
            ("dashboard", text(&self.dashboard)),
            ("owner", text(&self.owner)),
            (
                "attributes",
                Some(Member::Object(&self.attributes)).filter(|_| !self.attributes.is_empty()),
            ),
            (
                "truncated",
                Some(Member::Texts(&self.truncated)).filter(|_| !self.truncated.is_empty()),
            ),
        ];
        // A member that was read with another type stands in `extra`: each name once.
        let taken = known;
        let extra = self
            .extra
            .iter()
            .filter(move |(name, _)| {
                !taken.iter().any(|(known, member)| known == name && member.is_some())
            })
            .map(|(name, value)| (name.as_str(), Member::Value(value)));
        known.into_iter().filter_map(|(name, member)| Some((name, member?))).chain(extra)
    }
}

impl Serialize for AlertEvent {
    /// The same members as [`AlertEvent::to_json`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, member) in self.members() {
            map.serialize_entry(name, &member)?;
        }
        map.end()
    }
}

#[derive(Clone, Copy)]
enum Member<'a> {
    Number(u64),
    Text(&'a str),
    Texts(&'a [String]),
    Metric(&'a AlertMetric),
    Object(&'a Map<String, Value>),
    Value(&'a Value),
}

impl Member<'_> {
    fn write(self, buf: &mut Vec<u8>) {
        match self {
            Member::Number(number) => json::uint(buf, number),
            Member::Text(text) => json::string(buf, text),
            Member::Texts(texts) => {
                let mut array = json::Array::begin(buf);
                for text in texts {
                    array.str(text);
                }
                array.end();
            }
            Member::Metric(metric) => {
                let mut object = json::Object::begin(buf);
                object.str("name", &metric.name);
                if let Some(value) = metric.value {
                    object.f64("value", value);
                }
                object.end();
            }
            Member::Object(members) => write_object(buf, members),
            Member::Value(value) => write_value(buf, value),
        }
    }
}

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Member::Number(number) => number.serialize(serializer),
            Member::Text(text) => text.serialize(serializer),
            Member::Texts(texts) => texts.serialize(serializer),
            Member::Metric(metric) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("name", &metric.name)?;
                if let Some(value) = metric.value {
                    map.serialize_entry("value", &value)?;
                }
                map.end()
            }
            Member::Object(members) => members.serialize(serializer),
            Member::Value(value) => value.serialize(serializer),
        }
    }
}

fn text(field: &Option<String>) -> Option<Member<'_>> {
    field.as_deref().map(Member::Text)
}

fn write_value(buf: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => buf.extend_from_slice(b"null"),
        Value::Bool(yes) => json::boolean(buf, *yes),
        Value::Number(number) => buf.extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => json::string(buf, text),
        Value::Array(items) => {
            let mut array = json::Array::begin(buf);
            for item in items {
                write_value(array.value(), item);
            }
            array.end();
        }
        Value::Object(members) => write_object(buf, members),
    }
}

fn write_object(buf: &mut Vec<u8>, members: &Map<String, Value>) {
    let mut object = json::Object::begin(buf);
    for (name, value) in members {
        write_value(object.key(name), value);
    }
    object.end();
}
