//! An alert as it stands on the bus: the `detail` of an EventBridge event.

mod read;
mod write;

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use obs_core::clock::{millis_since_epoch, rfc3339};
use obs_core::context::RequestContext;
use obs_core::ids::{SpanIds, TraceParent};
use obs_core::redact::{REDACTED, Redactor};
use obs_core::{Identity, health};
use serde_json::{Map, Value};

use crate::{Alert, Severity, trim};

/// An alert as its consumers read it from the bus.
///
/// Reading is lenient, because an alert that is refused is an alert lost: only an object with a
/// `message` is asked for. `{"severity": "high", "message": "…"}` is an alert. Of the rest,
///
/// - a severity that is missing or not known counts as [`Severity::High`], and what stood there is
///   kept in [`unknown_severity`](Self::unknown_severity);
/// - a member that is unknown, or has another type than expected, is kept in
///   [`extra`](Self::extra).
///
/// ```
/// use obs_alerts::{AlertEvent, Severity};
///
/// let event: AlertEvent =
///     serde_json::from_str(r#"{"severity": "urgent", "message": "Payment processing failed"}"#)?;
/// assert_eq!(event.severity, Severity::High);
/// assert_eq!(event.unknown_severity.as_deref(), Some("urgent"));
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// Delivery is at least once: an event whose [`id`](Self::id) was seen before is the same alert
/// again.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AlertEvent {
    /// The version of this form: [`AlertEvent::VERSION`] as we write it, 0 where none is given.
    pub version: u64,
    /// Names this alert, the same each time it is delivered: a random UUID.
    pub id: Option<String>,
    /// How urgent it is.
    pub severity: Severity,
    /// What stood in the place of the severity, if it was no word that we know; empty if nothing.
    pub unknown_severity: Option<String>,
    /// What it says.
    pub message: String,
    /// The service that it comes from.
    pub service: Option<String>,
    /// The environment that the service runs in.
    pub environment: Option<String>,
    /// When it was published: RFC 3339 in UTC with milliseconds.
    pub timestamp: Option<String>,
    /// What it is about, the same each time it happens.
    pub fingerprint: Option<String>,
    /// The request within which it was published.
    pub request_id: Option<String>,
    /// The id that links that request to others.
    pub correlation_id: Option<String>,
    /// The trace within which it was published: 32 hex digits.
    pub trace_id: Option<String>,
    /// The span within which it was published: 16 hex digits.
    pub span_id: Option<String>,
    /// The trace's id in X-Ray's form.
    pub xray_trace_id: Option<String>,
    /// The metric that is out of bounds.
    pub metric: Option<AlertMetric>,
    /// Where it says what to do: a link, or a name that the consumer knows a link for.
    pub runbook: Option<String>,
    /// A link to a dashboard.
    pub dashboard: Option<String>,
    /// The team or person whose alert it is.
    pub owner: Option<String>,
    /// What else is known.
    pub attributes: Map<String, Value>,
    /// The names of the fields that were cut to fit the bus.
    pub truncated: Vec<String>,
    /// Members that are not of this form, as they were.
    pub extra: Map<String, Value>,
}

/// A metric that an alert is about.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AlertMetric {
    /// The metric's name.
    pub name: String,
    /// Its value, if it is a number.
    pub value: Option<f64>,
}

impl AlertEvent {
    /// The version of the form that we write.
    pub const VERSION: u64 = 1;

    /// An event with nothing but what every alert has.
    pub fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self {
            version: Self::VERSION,
            id: None,
            severity,
            unknown_severity: None,
            message: message.into(),
            service: None,
            environment: None,
            timestamp: None,
            fingerprint: None,
            request_id: None,
            correlation_id: None,
            trace_id: None,
            span_id: None,
            xray_trace_id: None,
            metric: None,
            runbook: None,
            dashboard: None,
            owner: None,
            attributes: Map::new(),
            truncated: Vec::new(),
            extra: Map::new(),
        }
    }

    /// The event of `alert`, published at `moment` by the process that `identity` names.
    pub(crate) fn of(
        alert: Alert,
        moment: &Moment,
        identity: &Identity,
        redactor: &Redactor,
    ) -> Self {
        let mut attributes = alert.attributes;
        redact(&mut attributes, redactor);
        let context = moment.context.as_ref();
        let trace_id = moment.trace_id();
        Self {
            id: Some(random_uuid()),
            service: Some(short(&identity.service)),
            environment: Some(short(&identity.environment)),
            timestamp: Some(rfc3339(millis_since_epoch(moment.time))),
            fingerprint: alert.fingerprint,
            request_id: context.and_then(RequestContext::request_id).map(short),
            correlation_id: context.and_then(RequestContext::correlation_id).map(short),
            trace_id: trace_id.map(|id| id.to_string()),
            span_id: moment.span.map(|ids| ids.span_id.to_string()),
            xray_trace_id: trace_id
                .map(|id| id.xray().to_string())
                .or_else(|| context.and_then(RequestContext::xray_trace_id).map(short)),
            metric: alert.metric.map(|(name, value)| {
                if !value.is_finite() {
                    health::count(health::Event::ValueOutOfRange);
                }
                AlertMetric { name, value: Some(value).filter(|value| value.is_finite()) }
            }),
            runbook: alert.runbook,
            dashboard: alert.dashboard,
            owner: alert.owner,
            attributes,
            truncated: alert.truncated,
            ..Self::new(alert.severity, redactor.redact(&alert.message))
        }
    }

    /// Writes the event as JSON of at most `limit` bytes: where it is larger, the largest of the
    /// message and the attributes are cut first, and named in `truncated`.
    ///
    /// The other fields are bounded by [`Alert`], far below any limit that makes sense.
    pub(crate) fn json_within(&mut self, limit: usize) -> String {
        let mut json = self.to_json();
        // A second round may be needed, because the names of what was cut take room themselves.
        for _ in 0..4 {
            let Some(excess) = json.len().checked_sub(limit).filter(|excess| *excess > 0) else {
                break;
            };
            for cut in trim::cut(&mut self.message, &mut self.attributes, excess) {
                let name = cut.to_string();
                if !self.truncated.contains(&name) && self.truncated.len() < trim::MAX_NAMED {
                    self.truncated.push(name);
                }
            }
            json = self.to_json();
        }
        json
    }
}

/// When and within what an alert was published: taken on the caller's thread, where it is known.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) time: SystemTime,
    pub(crate) context: Option<RequestContext>,
    pub(crate) span: Option<SpanIds>,
}

impl Moment {
    fn trace_id(&self) -> Option<obs_core::ids::TraceId> {
        let parent = self.context.as_ref().and_then(RequestContext::trace);
        self.span.map(|ids| ids.trace_id).or(parent.map(|parent| parent.trace_id))
    }

    /// The X-Ray trace header, by which the bus and its targets go on with the trace:
    /// `Root=1-…;Parent=…;Sampled=1`. Of the current span, else of the request that came in.
    pub(crate) fn trace_header(&self) -> Option<String> {
        let parent = self.context.as_ref().and_then(RequestContext::trace);
        Some(self.span.map(TraceParent::from).or(parent)?.xray_header().to_string())
    }
}

/// Replaces the values of members whose names say that they are secret, and the secrets in texts, at
/// any depth.
fn redact(members: &mut Map<String, Value>, redactor: &Redactor) {
    for (name, value) in members {
        if redactor.is_redacted(name) {
            *value = Value::String(REDACTED.to_owned());
        } else {
            redact_within(value, redactor);
        }
    }
}

fn redact_within(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::Object(members) => redact(members, redactor),
        Value::Array(items) => items.iter_mut().for_each(|item| redact_within(item, redactor)),
        Value::String(text) => {
            if let Cow::Owned(redacted) = redactor.redact(text) {
                *text = redacted;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text from outside (a header, a variable), of at most 512 characters.
fn short(text: &str) -> String {
    match text.char_indices().nth(512) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.to_owned(),
    }
}

/// A random UUID (version 4): `f81d4fae-7dec-41d0-a765-00a0c91e6bf6`.
fn random_uuid() -> String {
    uuid_of(&obs_core::ids::generate_id())
}

/// `hex`, 32 random hex digits, with a UUID's dashes, version and variant.
fn uuid_of(hex: &str) -> String {
    let mut uuid = String::with_capacity(36);
    for (at, digit) in hex.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            uuid.push('-');
        }
        uuid.push(match at {
            12 => '4',
            // The variant: the digit's two top bits are 10.
            16 => digit
                .to_digit(16)
                .and_then(|bits| char::from_digit(bits & 3 | 8, 16))
                .unwrap_or('8'),
            _ => digit,
        });
    }
    uuid
}

impl fmt::Display for AlertEvent {
    /// One line for people: `high: Payment processing failed (orders, prod)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.message)?;
        match (&self.service, &self.environment) {
            (Some(service), Some(environment)) => write!(f, " ({service}, {environment})"),
            (Some(one), None) | (None, Some(one)) => write!(f, " ({one})"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
