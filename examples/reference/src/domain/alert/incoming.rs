//! An alert as it comes from the bus.

use std::fmt;

use obs::alerts::{AlertEvent, Severity};
use obs::core::ids::TraceId;
use serde_json::{Map, Value};

use crate::domain::calendar::parse_rfc3339_millis;
use crate::domain::hash;
use crate::domain::object_event::json_type;

/// The most bytes of a message that are kept.
pub const MAX_MESSAGE_BYTES: usize = 8 * 1_024;

/// The most bytes of any other text that are kept.
const MAX_TEXT_BYTES: usize = 512;

/// The most bytes of a link that are kept. It is no link any more when it is cut, so it has room.
const MAX_LINK_BYTES: usize = 2 * 1_024;

/// An alert, read from an event; everything in it is bounded but the attributes.
///
/// The detail is read by [`AlertEvent`]. What is added here is what the event around it says, the
/// bounds, and a note for whatever was amiss.
#[derive(Clone, Debug, PartialEq)]
pub struct IncomingAlert {
    /// Names the alert, the same each time that it is delivered.
    pub event_id: String,
    /// How urgent it is; never [`Severity::Info`], which has no topic of its own and counts as low.
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
    /// counts as high, as for every reader of [`AlertEvent`]; members of the detail that are not
    /// known go to the attributes; and a detail that is not an object is the message. A severity
    /// or a message that is amiss, and a detail that is no object, leave a note.
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
        let alert = read_detail(detail, &mut notes)?;
        let of_event = |name: &str| envelope.get(name).and_then(Value::as_str).and_then(text);
        // A sender that knows only messages and attributes may give these as attributes.
        let given = |name: &str, limit| {
            let mut places = [&alert.extra, &alert.attributes].into_iter();
            places.find_map(|members| bounded(members.get(name)?.as_str()?, limit))
        };
        Ok(Self {
            event_id: own(&alert.id)
                .or_else(|| of_event("id"))
                // Without a name a duplicate can only be told by what it says.
                .unwrap_or_else(|| hash::hex(detail.to_string().as_bytes())),
            severity: severity(&alert, &mut notes),
            message: message(&alert.message, &mut notes),
            source: of_event("source"),
            detail_type: of_event("detail-type"),
            region: of_event("region"),
            service: own(&alert.service),
            environment: own(&alert.environment),
            time: own(&alert.timestamp)
                .filter(|time| parse_rfc3339_millis(time).is_some())
                .or_else(|| of_event("time")),
            fingerprint: own(&alert.fingerprint),
            request_id: own(&alert.request_id),
            correlation_id: own(&alert.correlation_id),
            trace_id: own(&alert.xray_trace_id).or_else(|| own(&alert.trace_id).map(xray_form)),
            log_group: given("log_group", MAX_TEXT_BYTES),
            runbook: link(&alert.runbook).or_else(|| given("runbook", MAX_LINK_BYTES)),
            dashboard: link(&alert.dashboard),
            owner: own(&alert.owner),
            metric: metric(&alert, detail),
            attributes: attributes(alert, &mut notes),
            notes,
        })
    }

    /// Milliseconds from when the alert was raised to `now`, 0 where the clocks disagree; nothing
    /// where the event says no time.
    #[must_use]
    pub fn delay_millis(&self, now: i64) -> Option<u64> {
        let raised = parse_rfc3339_millis(self.time.as_deref()?)?;
        Some(u64::try_from(now.saturating_sub(raised)).unwrap_or(0))
    }
}

/// The detail as an alert, whatever it is: what has no message is not refused but gets an empty one.
fn read_detail(detail: &Value, notes: &mut Vec<String>) -> Result<AlertEvent, MalformedAlert> {
    let mut members = match detail {
        Value::Object(members) => members.clone(),
        other => {
            notes.push(format!("the event's detail is {}, not an object", json_type(other)));
            Map::from_iter([("message".to_owned(), other.clone())])
        }
    };
    if members.get("message").is_none_or(Value::is_null) {
        members.insert("message".to_owned(), "".into());
    }
    serde_json::from_value(Value::Object(members)).map_err(|e| MalformedAlert(e.to_string()))
}

/// There are four topics: what is only for the record goes where there is time to look.
fn severity(alert: &AlertEvent, notes: &mut Vec<String>) -> Severity {
    let counts_as = alert.severity;
    match alert.unknown_severity.as_deref().map(str::trim) {
        None => {}
        Some("") => notes.push(format!("the alert has no severity and counts as {counts_as}")),
        Some(word) => {
            let shown: String = word.chars().take(40).collect();
            notes.push(format!("the severity {shown:?} is not known and counts as {counts_as}"));
        }
    }
    counts_as.max(Severity::Low)
}

fn message(message: &str, notes: &mut Vec<String>) -> String {
    if message.len() > MAX_MESSAGE_BYTES {
        notes.push(format!("the message was cut, it has {} bytes", message.len()));
    }
    bounded(message, MAX_MESSAGE_BYTES).unwrap_or_else(|| {
        notes.push("the alert has no message".to_owned());
        "(no message)".to_owned()
    })
}

/// The metric, with the number as the sender wrote it: 12 does not become 12.0.
fn metric(alert: &AlertEvent, detail: &Value) -> Option<Value> {
    let name = text(&alert.metric.as_ref()?.name).unwrap_or_default();
    Some(serde_json::json!({ "name": name, "value": detail.pointer("/metric/value") }))
}

/// The attributes, and whatever else the detail holds where no attribute has its name.
fn attributes(alert: AlertEvent, notes: &mut Vec<String>) -> Map<String, Value> {
    // The SDK's own mark for what it had to cut on the way.
    if !alert.truncated.is_empty() {
        let fields = Value::from(alert.truncated).to_string();
        notes.push(format!("cut by the sender: {}", text(&fields).unwrap_or_default()));
    }
    let mut attributes = alert.attributes;
    for (name, value) in alert.extra {
        attributes.entry(name).or_insert(value);
    }
    attributes
}

fn own(field: &Option<String>) -> Option<String> {
    field.as_deref().and_then(text)
}

fn link(field: &Option<String>) -> Option<String> {
    bounded(field.as_deref()?, MAX_LINK_BYTES)
}

fn text(text: &str) -> Option<String> {
    bounded(text, MAX_TEXT_BYTES)
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

/// The id in X-Ray's form; as it is where it is not one.
fn xray_form(trace_id: String) -> String {
    TraceId::from_hex(&trace_id).map_or(trace_id, |id| id.xray().to_string())
}

#[cfg(test)]
mod tests;
