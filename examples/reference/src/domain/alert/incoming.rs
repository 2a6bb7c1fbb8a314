//! An alert as it comes from the bus.

use std::fmt;

use serde_json::{Map, Value};

use super::severity::Severity;
use crate::domain::calendar::parse_rfc3339_millis;
use crate::domain::hash;
use crate::domain::object_event::json_type;

/// The most bytes of a message that are kept.
pub const MAX_MESSAGE_BYTES: usize = 8 * 1_024;

/// The most bytes of any other text that are kept.
const MAX_TEXT_BYTES: usize = 512;

/// An alert, read from an event; everything in it is bounded but the attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct IncomingAlert {
    /// Names the alert, the same each time that it is delivered.
    pub event_id: String,
    /// How urgent it is.
    pub severity: Severity,
    /// What it says.
    pub message: String,
    /// The event's source.
    pub source: Option<String>,
    /// The event's detail type.
    pub detail_type: Option<String>,
    /// The region that the event comes from.
    pub region: Option<String>,
    /// The service that raised the alert.
    pub service: Option<String>,
    /// The environment that the service runs in.
    pub environment: Option<String>,
    /// When it was raised, in RFC 3339.
    pub time: Option<String>,
    /// What it is about, the same each time that it happens.
    pub fingerprint: Option<String>,
    /// The request in which it was raised.
    pub request_id: Option<String>,
    /// What links that request to others.
    pub correlation_id: Option<String>,
    /// The trace in which it was raised, in X-Ray's form where it can be written so.
    pub trace_id: Option<String>,
    /// The log group of the service that raised it.
    pub log_group: Option<String>,
    /// Its runbook: a link or a slug.
    pub runbook: Option<String>,
    /// Its dashboard: a link.
    pub dashboard: Option<String>,
    /// Whose alert it is.
    pub owner: Option<String>,
    /// The metric that is out of bounds.
    pub metric: Option<Value>,
    /// What else is known.
    pub attributes: Map<String, Value>,
    /// What was amiss with the event.
    pub notes: Vec<String>,
}

/// An event that is no alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedAlert(String);

impl fmt::Display for MalformedAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed alert event: {}", self.0)
    }
}

impl std::error::Error for MalformedAlert {}

impl IncomingAlert {
    /// Reads an EventBridge event: what the SDK publishes, or any detail with a message.
    ///
    /// Nothing but an event without a detail is refused. A severity that is missing or unknown
    /// counts as medium, members of the detail that are not known go to the attributes, and a
    /// detail that is not an object is the message; each leaves a note.
    ///
    /// # Errors
    ///
    /// When the event is not an object, or has no `detail`.
    pub fn read(event: &Value) -> Result<Self, MalformedAlert> {
        let Value::Object(envelope) = event else {
            return Err(MalformedAlert(format!("it is {}, not an object", json_type(event))));
        };
        let detail = match envelope.get("detail") {
            Some(Value::Null) | None => return Err(MalformedAlert("it has no `detail`".into())),
            Some(detail) => detail,
        };
        let mut notes = Vec::new();
        let mut members = match detail {
            Value::Object(members) => members.clone(),
            other => {
                notes.push(format!("the event's detail is {}, not an object", json_type(other)));
                Map::from_iter([("message".to_owned(), other.clone())])
            }
        };
        let of_event = |name: &str| {
            envelope
                .get(name)
                .and_then(Value::as_str)
                .and_then(|text| bounded(text, MAX_TEXT_BYTES))
        };
        let mut take = |name: &str| take_text(&mut members, name);
        let event_id = take("id")
            .or_else(|| of_event("id"))
            // Without a name a duplicate can only be told by what it says.
            .unwrap_or_else(|| hash::hex(detail.to_string().as_bytes()));
        let (trace_id, xray_trace_id) = (take("trace_id"), take("xray_trace_id"));
        let mut alert = Self {
            event_id,
            severity: Severity::FALLBACK,
            message: String::new(),
            source: of_event("source"),
            detail_type: of_event("detail-type"),
            region: of_event("region"),
            service: take("service"),
            environment: take("environment"),
            time: take("timestamp")
                .filter(|time| parse_rfc3339_millis(time).is_some())
                .or_else(|| of_event("time")),
            fingerprint: take("fingerprint"),
            request_id: take("request_id"),
            correlation_id: take("correlation_id"),
            trace_id: xray_trace_id.or_else(|| trace_id.map(|id| xray_form(&id).unwrap_or(id))),
            log_group: take("log_group"),
            runbook: take_link(&mut members, "runbook"),
            dashboard: take_link(&mut members, "dashboard"),
            owner: take_text(&mut members, "owner"),
            metric: None,
            attributes: Map::new(),
            notes,
        };
        alert.read_severity(members.remove("severity"));
        alert.read_message(members.remove("message"));
        alert.read_metric(&mut members);
        alert.read_attributes(members);
        Ok(alert)
    }

    /// Milliseconds from when the alert was raised to `now`, 0 where the clocks disagree; nothing
    /// where the event says no time.
    #[must_use]
    pub fn delay_millis(&self, now: i64) -> Option<u64> {
        let raised = parse_rfc3339_millis(self.time.as_deref()?)?;
        Some(u64::try_from(now.saturating_sub(raised)).unwrap_or(0))
    }

    fn read_severity(&mut self, severity: Option<Value>) {
        let word = match severity {
            None | Some(Value::Null) => {
                self.notes.push(format!(
                    "the alert has no severity and counts as {}",
                    Severity::FALLBACK
                ));
                return;
            }
            Some(Value::String(word)) => word,
            Some(other) => other.to_string(),
        };
        match Severity::parse(&word) {
            Some(severity) => self.severity = severity,
            None => {
                let shown: String = word.chars().take(40).collect();
                self.notes.push(format!(
                    "the severity {shown:?} is not known and counts as {}",
                    Severity::FALLBACK
                ));
            }
        }
    }

    fn read_message(&mut self, message: Option<Value>) {
        let message = match message {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(message)) => message,
            Some(other) => other.to_string(),
        };
        if message.len() > MAX_MESSAGE_BYTES {
            self.notes.push(format!("the message was cut, it has {} bytes", message.len()));
        }
        self.message = bounded(&message, MAX_MESSAGE_BYTES).unwrap_or_else(|| {
            self.notes.push("the alert has no message".to_owned());
            "(no message)".to_owned()
        });
    }

    fn read_metric(&mut self, members: &mut Map<String, Value>) {
        let metric = members.get("metric");
        let name = metric.and_then(|metric| metric.get("name")).and_then(Value::as_str);
        if let Some(name) = name.and_then(|name| bounded(name, MAX_TEXT_BYTES)) {
            let value = metric.and_then(|metric| metric.get("value")).filter(|v| v.is_number());
            self.metric = Some(serde_json::json!({ "name": name, "value": value }));
            members.remove("metric");
        }
    }

    fn read_attributes(&mut self, mut members: Map<String, Value>) {
        if let Some(Value::Object(attributes)) = members.get_mut("attributes") {
            self.attributes = std::mem::take(attributes);
            members.remove("attributes");
        }
        members.remove("version");
        members.remove("span_id");
        // The SDK's own mark for what it had to cut on the way.
        if let Some(truncated) = members.remove("truncated") {
            let fields = bounded(&truncated.to_string(), MAX_TEXT_BYTES).unwrap_or_default();
            self.notes.push(format!("cut by the sender: {fields}"));
        }
        for (name, value) in members {
            self.attributes.entry(name).or_insert(value);
        }
        // A sender that knows only messages and attributes may give these as attributes.
        let given = |name: &str| {
            self.attributes
                .get(name)
                .and_then(Value::as_str)
                .and_then(|t| bounded(t, MAX_TEXT_BYTES))
        };
        self.log_group = self.log_group.take().or_else(|| given("log_group"));
        self.runbook = self.runbook.take().or_else(|| given("runbook"));
    }
}

fn take_text(members: &mut Map<String, Value>, name: &str) -> Option<String> {
    take_up_to(members, name, MAX_TEXT_BYTES)
}

/// A link is no link any more when it is cut, so it has more room.
fn take_link(members: &mut Map<String, Value>, name: &str) -> Option<String> {
    take_up_to(members, name, 2_048)
}

/// Takes a text out of the members; a value of another type stays there and becomes an attribute.
fn take_up_to(members: &mut Map<String, Value>, name: &str, limit: usize) -> Option<String> {
    let text = bounded(members.get(name)?.as_str()?, limit);
    members.remove(name);
    text
}

/// The text without white space around it and of at most `limit` bytes; nothing when it is blank.
fn bounded(text: &str, limit: usize) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        None
    } else if text.len() <= limit {
        Some(text.to_owned())
    } else {
        let end = text.floor_char_boundary(limit - "…".len());
        Some(format!("{}…", &text[..end]))
    }
}

/// `1-` 8 hex `-` 24 hex, from 32 hex digits.
fn xray_form(trace_id: &str) -> Option<String> {
    let valid = trace_id.len() == 32 && trace_id.bytes().all(|b| b.is_ascii_hexdigit());
    valid.then(|| format!("1-{}-{}", &trace_id[..8], &trace_id[8..]))
}

#[cfg(test)]
mod tests;
