//! One entry of a PutEvents request: an alert in the form in which it leaves.

use std::sync::Arc;
use std::time::SystemTime;

use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use obs_core::health::{self, Event};
use obs_core::{Identity, Redactor};

use crate::event::Moment;
use crate::{Alert, AlertEvent, Severity, address};

/// The most that a request may hold: 256 KiB over all its entries (EventBridge, `PutEvents`). Some
/// regions take 1 MiB by now; what fits here fits everywhere.
pub(crate) const MAX_REQUEST_BYTES: usize = 256 * 1024 - 1;

/// What is the same for all alerts of a publisher.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) source: Arc<str>,
    pub(crate) bus: Arc<str>,
    pub(crate) detail_type: Arc<str>,
    pub(crate) identity: Identity,
    pub(crate) redactor: Redactor,
}

/// An alert, encoded once: whatever is sent again is the same to the last byte.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) severity: Severity,
    source: Arc<str>,
    bus: Arc<str>,
    detail_type: Arc<str>,
    detail: String,
    time: SystemTime,
    trace_header: Option<String>,
}

impl Entry {
    /// Encodes `alert`, cut to what a request may hold.
    pub(crate) fn new(mut alert: Alert, moment: &Moment, envelope: &Envelope) -> Self {
        let source = match alert.source.take() {
            Some(source) if address::check_source(&source).is_ok() => source.into(),
            Some(_) => {
                health::count(Event::NameRefused);
                Arc::clone(&envelope.source)
            }
            None => Arc::clone(&envelope.source),
        };
        let detail_type = match alert.detail_type.take() {
            Some(text) => printable(&text).into(),
            None => Arc::clone(&envelope.detail_type),
        };
        let severity = alert.severity;
        let mut entry = Self {
            severity,
            source,
            bus: Arc::clone(&envelope.bus),
            detail_type,
            detail: String::new(),
            time: moment.time,
            trace_header: moment.trace_header(),
        };
        let room = MAX_REQUEST_BYTES.saturating_sub(entry.size());
        let mut event = AlertEvent::of(alert, moment, &envelope.identity, &envelope.redactor);
        entry.detail = event.json_within(room);
        if !event.truncated.is_empty() {
            health::count(Event::Trimmed);
        }
        entry
    }

    /// The bytes that it counts for against [`MAX_REQUEST_BYTES`]: 14 for the time, and the UTF-8
    /// length of source, detail type and detail (EventBridge user guide, "Calculating PutEvents
    /// event entry size"). The trace header is not in that list; counting it errs on the safe side.
    pub(crate) fn size(&self) -> usize {
        const TIME: usize = 14;
        TIME + self.source.len()
            + self.detail_type.len()
            + self.detail.len()
            + self.trace_header.as_ref().map_or(0, String::len)
    }

    pub(crate) fn to_request_entry(&self) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .source(&*self.source)
            .detail_type(&*self.detail_type)
            .detail(self.detail.as_str())
            .event_bus_name(&*self.bus)
            .time(DateTime::from(self.time))
            .set_trace_header(self.trace_header.clone())
            .build()
    }
}

/// A detail type is matched by rules and shown in consoles: control characters become blanks.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
