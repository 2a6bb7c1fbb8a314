//! What was lost, told by an alert of its own as soon as one gets through.

use std::collections::BTreeMap;

use obs_core::lane::Reason;

use crate::{Alert, Severity};

/// The detail type of the alert that says that others were lost.
pub(crate) const DETAIL_TYPE: &str = "Alerts Lost";

/// Alerts that were dropped or given up, by reason, and not reported yet.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    lost: BTreeMap<&'static str, u64>,
    /// What the report that is on its way says.
    reported: BTreeMap<&'static str, u64>,
    last_failure: Option<String>,
}

impl Losses {
    pub(crate) fn add(&mut self, reason: Reason, n: u64) {
        *self.lost.entry(reason.as_str()).or_default() += n;
    }

    /// The last failure, which may be the reason.
    pub(crate) fn because(&mut self, failure: &str) {
        self.last_failure = Some(failure.to_owned());
    }

    /// The alert that says what was lost since the last one; none where nothing was.
    pub(crate) fn report(&mut self) -> Option<Alert> {
        if self.lost.is_empty() {
            return None;
        }
        self.reported = std::mem::take(&mut self.lost);
        let mut alert = Alert::new(Severity::High, "Alerts were lost")
            .detail_type(DETAIL_TYPE)
            .fingerprint("obs-alerts-lost")
            .attribute("lost", self.reported.values().sum::<u64>());
        for (reason, n) in &self.reported {
            alert = alert.attribute(*reason, *n);
        }
        if let Some(failure) = self.last_failure.take() {
            alert = alert.attribute("last_failure", failure);
        }
        Some(alert)
    }

    /// The report did not arrive either: the next one says the same and what is lost until then.
    pub(crate) fn report_failed(&mut self) {
        for (reason, n) in std::mem::take(&mut self.reported) {
            *self.lost.entry(reason).or_default() += n;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn attributes(losses: &mut Losses) -> Value {
        Value::Object(losses.report().unwrap().attributes)
    }

    #[test]
    fn scenario_12_what_was_lost_is_reported_once_and_again_if_the_report_is_lost() {
        let mut losses = Losses::default();
        assert_eq!(losses.report(), None);
        losses.add(Reason::QueueFull, 3);
        losses.add(Reason::QueueFull, 4);
        losses.add(Reason::SinkFailed, 1);
        losses.because("503 ServiceUnavailable");
        assert_eq!(
            attributes(&mut losses),
            json!({"lost": 8, "queue_full": 7, "sink_failed": 1, "last_failure": "503 ServiceUnavailable"})
        );
        assert_eq!(losses.report(), None);
        losses.report_failed();
        losses.add(Reason::QueueFull, 1);
        assert_eq!(attributes(&mut losses), json!({"lost": 9, "queue_full": 8, "sink_failed": 1}));
        assert_eq!(losses.report(), None);
    }
}
