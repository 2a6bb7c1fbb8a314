//! What goes to the topic: a subject for people, and a message that people and programs can read.

use std::fmt::Write as _;

use obs::alerts::Severity;
use serde_json::{Map, Value};

use super::console;
use super::incoming::IncomingAlert;
use super::runbook::{Runbook, is_link};

/// SNS: a subject has fewer than 100 characters (Publish).
pub const MAX_SUBJECT: usize = 99;

/// SNS: a message has at most 256 KiB, its attributes included (Publish). A kibibyte is left for
/// the two attributes.
pub const MAX_MESSAGE: usize = 256 * 1_024 - 1_024;

/// How many attributes the text for people lists, and how much of each.
const LISTED_ATTRIBUTES: usize = 20;
const LISTED_CHARS: usize = 200;

/// A notification, ready to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Names the topic, and goes along as a message attribute to filter by.
    pub severity: Severity,
    /// Goes along as a message attribute by which consumers know a duplicate.
    pub event_id: String,
    /// At most [`MAX_SUBJECT`] printable ASCII characters on one line.
    pub subject: String,
    /// JSON of at most [`MAX_MESSAGE`] bytes.
    pub message: String,
}

/// Where the alert processor itself runs: what an alert that does not say is taken to mean.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The environment: dev, staging or prod.
    pub environment: &'a str,
    /// The AWS region.
    pub region: &'a str,
}

/// Builds the notification of an alert.
#[must_use]
pub fn notify(alert: &IncomingAlert, runbook: &Runbook, here: Surroundings<'_>) -> Notification {
    let environment = alert.environment.as_deref().unwrap_or(here.environment);
    let region = alert.region.as_deref().unwrap_or(here.region);
    let mut notes = alert.notes.clone();
    notes.extend(runbook.notes.iter().cloned());
    if alert.dashboard.as_deref().is_some_and(|dashboard| !is_link(dashboard)) {
        notes.push("the dashboard is not a link and was left out".to_owned());
    }
    let mut document = Document {
        alert,
        environment,
        runbook,
        trace_link: alert.trace_id.as_deref().and_then(|id| console::trace(region, id)),
        log_link: alert.log_group.as_deref().and_then(|name| console::log_group(region, name)),
        dashboard_link: alert.dashboard.as_deref().filter(|dashboard| is_link(dashboard)),
        attributes: alert.attributes.clone(),
        notes,
    };
    Notification {
        severity: alert.severity,
        event_id: alert.event_id.clone(),
        subject: subject(alert, environment),
        message: document.within(MAX_MESSAGE),
    }
}

fn subject(alert: &IncomingAlert, environment: &str) -> String {
    let severity = alert.severity.as_str().to_ascii_uppercase();
    let from = match &alert.service {
        Some(service) => format!("{environment} {service}"),
        None => environment.to_owned(),
    };
    let wanted = format!("[{severity}] {from}: {}", alert.message);
    let words: Vec<&str> = wanted.split_whitespace().collect();
    let printable: String = words
        .join(" ")
        .chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .collect();
    if printable.len() <= MAX_SUBJECT {
        return printable;
    }
    let cut = printable.get(..MAX_SUBJECT - 3).unwrap_or_default();
    format!("{}...", cut.trim_end())
}

/// What the message is made of.
struct Document<'a> {
    alert: &'a IncomingAlert,
    environment: &'a str,
    runbook: &'a Runbook,
    trace_link: Option<String>,
    log_link: Option<String>,
    dashboard_link: Option<&'a str>,
    attributes: Map<String, Value>,
    notes: Vec<String>,
}

impl Document<'_> {
    /// The message; the largest attributes are left out until it fits. Everything else is bounded
    /// far below the limit.
    fn within(&mut self, limit: usize) -> String {
        loop {
            let json = self.to_json().to_string();
            if json.len() <= limit || self.attributes.is_empty() {
                return json;
            }
            self.drop_largest(json.len() - limit);
        }
    }

    /// Leaves out attributes of at least `excess` bytes in all, the largest first.
    fn drop_largest(&mut self, excess: usize) {
        let mut sizes: Vec<(usize, String)> = self
            .attributes
            .iter()
            .map(|(name, value)| (name.len() + value.to_string().len(), name.clone()))
            .collect();
        sizes.sort_unstable_by(|left, right| right.cmp(left));
        let mut dropped = 0;
        for (size, name) in sizes {
            if dropped >= excess {
                return;
            }
            dropped += size;
            self.attributes.remove(&name);
            if self.notes.len() < LISTED_ATTRIBUTES {
                let shown: String = name.chars().take(40).collect();
                self.notes.push(format!("the attribute {shown:?} of {size} bytes was left out"));
            }
        }
    }

    fn to_json(&self) -> Value {
        let alert = self.alert;
        let mut members = Map::new();
        let mut put = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                members.insert(name.to_owned(), value.into());
            }
        };
        put("event_id", Some(&alert.event_id));
        put("severity", Some(alert.severity.as_str()));
        put("message", Some(&alert.message));
        put("text", Some(&self.text()));
        put("environment", Some(self.environment));
        put("service", alert.service.as_deref());
        put("source", alert.source.as_deref());
        put("detail_type", alert.detail_type.as_deref());
        put("time", alert.time.as_deref());
        put("fingerprint", alert.fingerprint.as_deref());
        put("request_id", alert.request_id.as_deref());
        put("correlation_id", alert.correlation_id.as_deref());
        put("owner", alert.owner.as_deref());
        put("trace_id", alert.trace_id.as_deref());
        put("trace_link", self.trace_link.as_deref());
        put("log_group", alert.log_group.as_deref());
        put("log_link", self.log_link.as_deref());
        put("runbook", self.runbook.slug.as_deref());
        put("runbook_link", self.runbook.link.as_deref());
        put("dashboard_link", self.dashboard_link);
        if let Some(metric) = &alert.metric {
            members.insert("metric".to_owned(), metric.clone());
        }
        members.insert("attributes".to_owned(), self.attributes.clone().into());
        members.insert("notes".to_owned(), self.notes.clone().into());
        Value::Object(members)
    }

    /// The alert for people, as an e-mail shows it.
    fn text(&self) -> String {
        let alert = self.alert;
        let mut text =
            format!("{}: {}\n", alert.severity.as_str().to_ascii_uppercase(), alert.message);
        let mut line = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                // Writing to a string does not fail.
                let _ = write!(text, "\n{name}: {value}");
            }
        };
        line("Environment", Some(self.environment));
        line("Service", alert.service.as_deref());
        line("Time", alert.time.as_deref());
        line("Runbook", self.runbook.link.as_deref());
        line("Dashboard", self.dashboard_link);
        line("Logs", self.log_link.as_deref());
        line("Trace", self.trace_link.as_deref().or(alert.trace_id.as_deref()));
        line("Owner", alert.owner.as_deref());
        for (name, value) in self.attributes.iter().take(LISTED_ATTRIBUTES) {
            let shown = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let name: String = name.chars().take(LISTED_CHARS).collect();
            let shown: String = shown.chars().take(LISTED_CHARS).collect();
            line(&name, Some(&shown));
        }
        for note in &self.notes {
            line("Note", Some(note));
        }
        text
    }
}

#[cfg(test)]
mod tests;
