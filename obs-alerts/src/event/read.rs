//! Reading an [`AlertEvent`], from whomever it comes.

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::{Map, Value};

use super::{AlertEvent, AlertMetric};
use crate::Severity;

impl<'de> Deserialize<'de> for AlertEvent {
    /// # Errors
    ///
    /// What is not a JSON object, or has no `message`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut members = Map::deserialize(deserializer)?;
        let message = match members.remove("message") {
            Some(Value::String(message)) => message,
            None | Some(Value::Null) => {
                return Err(D::Error::custom("an alert needs a `message`, and this one has none"));
            }
            // Better as its JSON than not at all.
            Some(other) => other.to_string(),
        };
        let (severity, unknown_severity) = severity(members.remove("severity"));
        let version = match members.remove("version") {
            Some(Value::Number(number)) if number.is_u64() => number.as_u64().unwrap_or(0),
            other => put_back(&mut members, "version", other).unwrap_or(0),
        };
        let mut text = |name| match members.remove(name) {
            Some(Value::String(text)) => Some(text),
            other => put_back(&mut members, name, other),
        };
        let mut event = Self {
            version,
            unknown_severity,
            id: text("id"),
            service: text("service"),
            environment: text("environment"),
            timestamp: text("timestamp"),
            fingerprint: text("fingerprint"),
            request_id: text("request_id"),
            correlation_id: text("correlation_id"),
            trace_id: text("trace_id"),
            span_id: text("span_id"),
            xray_trace_id: text("xray_trace_id"),
            runbook: text("runbook"),
            dashboard: text("dashboard"),
            owner: text("owner"),
            ..Self::new(severity, message)
        };
        event.metric = match members.remove("metric") {
            Some(value) => metric(&value).or_else(|| put_back(&mut members, "metric", Some(value))),
            None => None,
        };
        event.attributes = match members.remove("attributes") {
            Some(Value::Object(attributes)) => attributes,
            other => put_back(&mut members, "attributes", other).unwrap_or_default(),
        };
        event.truncated = match members.remove("truncated") {
            Some(value) => texts(&value)
                .or_else(|| put_back(&mut members, "truncated", Some(value)))
                .unwrap_or_default(),
            None => Vec::new(),
        };
        event.extra = members;
        Ok(event)
    }
}

/// A member of another type than ours stays among the members; `null` is as good as none.
fn put_back<T>(members: &mut Map<String, Value>, name: &str, value: Option<Value>) -> Option<T> {
    if let Some(value) = value.filter(|value| !value.is_null()) {
        members.insert(name.to_owned(), value);
    }
    None
}

fn severity(value: Option<Value>) -> (Severity, Option<String>) {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    match text.parse() {
        Ok(severity) => (severity, None),
        Err(_) => (Severity::High, Some(text)),
    }
}

fn metric(value: &Value) -> Option<AlertMetric> {
    let members = value.as_object()?;
    let name = members.get("name")?.as_str()?.to_owned();
    let value = members.get("value").unwrap_or(&Value::Null);
    if !(value.is_number() || value.is_null())
        || members.keys().any(|key| !matches!(key.as_str(), "name" | "value"))
    {
        return None;
    }
    Some(AlertMetric { name, value: value.as_f64() })
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}
