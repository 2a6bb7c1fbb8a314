//! The alert processor: an alert from the bus goes, enriched, to the topic of its severity.
//!
//! An alert is never held back for what could not be added to it. When it cannot be published the
//! invocation fails, so that Lambda tries again and at last puts the event into the dead-letter
//! queue.

mod runbooks;
mod settings;

use std::error::Error;
use std::fmt;

use obs::lambda::Diagnostic;
use obs::prelude::*;
use serde::Serialize;
use serde_json::Value;

pub use settings::AlertProcessorSettings;

use super::ports::{Clock, ParameterStore, Topics, Unavailable};
use crate::domain::alert::incoming::MalformedAlert;
use crate::domain::alert::notification::Surroundings;
use crate::domain::alert::{IncomingAlert, Notification, Runbook, RunbookRef, notify};
use runbooks::Runbooks;

/// The alert processor function.
#[derive(Debug)]
pub struct AlertProcessor<P, T, C> {
    runbooks: Runbooks<P>,
    topics: T,
    clock: C,
    settings: AlertProcessorSettings,
}

/// What became of an alert, as the invocation's response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Published {
    /// The alert's id.
    pub event_id: String,
    /// The severity by which the topic was chosen.
    pub severity: &'static str,
    /// The topic.
    pub topic: String,
}

impl<P: ParameterStore, T: Topics, C: Clock> AlertProcessor<P, T, C> {
    /// The function, on what it needs from outside.
    pub fn new(parameters: P, topics: T, clock: C, settings: AlertProcessorSettings) -> Self {
        let runbooks = Runbooks::new(parameters, settings.runbook_prefix.clone());
        Self { runbooks, topics, clock, settings }
    }

    /// Handles one event.
    ///
    /// # Errors
    ///
    /// When the event is no alert, or the topic does not take it.
    pub async fn handle(&self, event: &Value) -> Result<Published, AlertError> {
        let outcome = self.process(event).await;
        self.measure(&obs::metrics(), outcome.is_ok());
        if let Err(error) = &outcome {
            error!(error = error as &(dyn Error + 'static), "Alert processing failed");
        }
        outcome
    }

    async fn process(&self, event: &Value) -> Result<Published, AlertError> {
        let alert = IncomingAlert::read(event)?;
        // Measured on arrival: the way over the bus, not what is done here.
        let delay_ms = alert.delay_millis(self.clock.unix_millis());
        if let Some(delay) = delay_ms {
            obs::metrics().put_metric("AlertDelay", delay as f64, Unit::Milliseconds, &[]);
        }
        let runbook = self.find_runbook(&alert).await;
        let here =
            Surroundings { environment: &self.settings.environment, region: &self.settings.region };
        let notification = notify(&alert, &runbook, here);
        let topic = self.settings.topics.of(notification.severity);
        self.publish(topic, &notification).await?;
        info!(
            event_id = alert.event_id,
            severity = alert.severity.as_str(),
            source_service = alert.service,
            alert_trace_id = alert.trace_id,
            delay_ms,
            notes = notification_notes(&alert, &runbook),
            "Alert published"
        );
        Ok(Published {
            event_id: notification.event_id,
            severity: notification.severity.as_str(),
            topic: topic.to_owned(),
        })
    }

    #[traced]
    async fn find_runbook(&self, alert: &IncomingAlert) -> Runbook {
        let reference = RunbookRef::parse(alert.runbook.as_deref());
        self.runbooks.find(reference, self.clock.monotonic()).await
    }

    #[traced(err, annotate(
        event_id = notification.event_id.as_str(),
        severity = notification.severity.as_str(),
    ))]
    async fn publish(&self, topic: &str, notification: &Notification) -> Result<(), Unavailable> {
        self.topics.publish(topic, notification).await
    }

    /// Both counts every time, for the reason that the pipeline has: an alarm sees zeros.
    fn measure(&self, metrics: &MetricsCollector, is_published: bool) {
        let (processed, failed) = if is_published { (1.0, 0.0) } else { (0.0, 1.0) };
        metrics.put_metric("AlertsProcessed", processed, Unit::Count, &[]);
        metrics.put_metric("AlertsFailed", failed, Unit::Count, &[]);
    }
}

/// What was amiss with the alert or its runbook, in one text; nothing for a sound alert.
fn notification_notes(alert: &IncomingAlert, runbook: &Runbook) -> Option<String> {
    let notes: Vec<&str> = alert.notes.iter().chain(&runbook.notes).map(String::as_str).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// Why an alert was not published.
#[derive(Debug)]
pub struct AlertError(Cause);

#[derive(Debug)]
enum Cause {
    /// The event is no alert; trying again will not help.
    Malformed(MalformedAlert),
    /// The topic did not take it; trying again may help.
    Unavailable(Unavailable),
}

impl fmt::Display for AlertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Malformed(error) => error.fmt(f),
            Cause::Unavailable(error) => error.fmt(f),
        }
    }
}

impl Error for AlertError {}

impl From<MalformedAlert> for AlertError {
    fn from(error: MalformedAlert) -> Self {
        Self(Cause::Malformed(error))
    }
}

impl From<Unavailable> for AlertError {
    fn from(error: Unavailable) -> Self {
        Self(Cause::Unavailable(error))
    }
}

impl From<AlertError> for Diagnostic {
    fn from(error: AlertError) -> Self {
        Self { error_type: "AlertError".to_owned(), error_message: error.to_string() }
    }
}

#[cfg(test)]
mod tests;
