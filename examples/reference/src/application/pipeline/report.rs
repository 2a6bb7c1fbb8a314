//! What the outside is told about a file: log lines, metrics, alerts.

use std::error::Error;
use std::time::Duration;

use obs::prelude::*;

use super::failure::FileFailure;
use super::settings::PipelineSettings;
use crate::domain::alert::severity;
use crate::domain::dataset::Summary;
use crate::domain::object_event::ObjectRef;

/// What the rule on the bus matches.
const DETAIL_TYPE: &str = "Business Alert";

pub(super) struct Reporter<'s> {
    settings: &'s PipelineSettings,
}

/// A file that was processed.
pub(super) struct Finished<'f> {
    pub(super) object: &'f ObjectRef,
    pub(super) summary: &'f Summary,
    pub(super) elapsed: Duration,
}

impl<'s> Reporter<'s> {
    pub(super) const fn new(settings: &'s PipelineSettings) -> Self {
        Self { settings }
    }

    pub(super) fn started(&self, object: &ObjectRef) {
        let ObjectRef { bucket, key } = object;
        info!(pipeline = self.settings.pipeline, bucket, key, "Starting batch processing");
    }

    pub(super) fn finished(&self, file: &Finished<'_>) {
        let Finished { object: ObjectRef { bucket, key }, summary, elapsed } = file;
        let settings = self.settings;
        let records = summary.records;
        info!(
            pipeline = settings.pipeline,
            bucket,
            key,
            records = records.processed,
            rejected = records.rejected,
            quality_score = summary.quality.score,
            revenue = summary.revenue.as_ref().and_then(|revenue| revenue.sum),
            duration_ms = millis(*elapsed),
            "Batch processing completed"
        );
        if summary.quality.score.is_none() {
            warn!(pipeline = settings.pipeline, bucket, key, "The file holds no records");
        }
        self.measure(&obs::metrics(), file);
        if let Some(alert) = quality_alert(settings, file) {
            obs::alerts().publish(alert);
        }
    }

    pub(super) fn failed(&self, object: &ObjectRef, failure: &FileFailure, elapsed: Duration) {
        let ObjectRef { bucket, key } = object;
        error!(
            pipeline = self.settings.pipeline,
            bucket,
            key,
            reason = failure.code(),
            duration_ms = millis(elapsed),
            error = failure as &(dyn Error + 'static),
            "Batch processing failed"
        );
        let metrics = obs::metrics();
        // A file that failed is one error; what it cost is a cost all the same.
        self.count(&metrics, 0, 1);
        self.measure_time(&metrics, 0, elapsed);
        obs::alerts().publish(failure_alert(self.settings, Some(object), failure));
    }

    /// A record of the event, or the whole of it, that names no file.
    pub(super) fn malformed(&self, failure: &FileFailure) {
        error!(
            pipeline = self.settings.pipeline,
            reason = failure.code(),
            error = failure as &(dyn Error + 'static),
            "Batch processing failed"
        );
        self.count(&obs::metrics(), 0, 1);
        obs::alerts().publish(failure_alert(self.settings, None, failure));
    }

    /// The metrics of a processed file. Errors are recorded when there are none, too: an alarm sees
    /// zeros, and missing data means that nothing ran.
    fn measure(&self, metrics: &MetricsCollector, file: &Finished<'_>) {
        let pipeline = self.settings.pipeline.as_str();
        let records = file.summary.records;
        self.count(metrics, records.processed, records.rejected);
        self.measure_time(metrics, records.processed, file.elapsed);
        if let Some(score) = file.summary.quality.score {
            metrics.record_data_quality_score(pipeline, score);
        }
        if let Some(sum) = file.summary.revenue.as_ref().and_then(|revenue| revenue.sum) {
            BusinessMetricsTracker::new(metrics.clone()).track_revenue_impact(pipeline, sum);
        }
    }

    fn count(&self, metrics: &MetricsCollector, processed: u64, errors: u64) {
        let dimensions = [("Pipeline", self.settings.pipeline.as_str())];
        metrics.put_metric("ProcessedRecords", processed as f64, Unit::Count, &dimensions);
        metrics.put_metric("ProcessingErrors", errors as f64, Unit::Count, &dimensions);
    }

    fn measure_time(&self, metrics: &MetricsCollector, processed: u64, elapsed: Duration) {
        let pipeline = self.settings.pipeline.as_str();
        metrics.record_processing_time(pipeline, elapsed);
        if let Some(cost_per_second) = self.settings.cost_per_second {
            let cost = cost_per_second * elapsed.as_secs_f64();
            BusinessMetricsTracker::new(metrics.clone())
                .track_cost_efficiency(pipeline, processed, cost);
        }
    }
}

/// The alert about a file whose quality is too low, the more urgent the further it fell.
fn quality_alert(settings: &PipelineSettings, file: &Finished<'_>) -> Option<Alert> {
    let score = file.summary.quality.score?;
    let threshold = settings.quality_threshold;
    let severity = severity::of_quality(score, threshold)?;
    // Rounded down, so that what is below the threshold never reads as if it met it.
    let shown = (score * 100.0).floor() / 100.0;
    let message = format!("Data quality of pipeline {} is below its threshold", settings.pipeline);
    let alert = Alert::new(severity, message)
        .detail_type(DETAIL_TYPE)
        .metric("DataQualityScore", shown)
        .runbook("data-quality")
        .fingerprint(format!("data-quality/{}/{}", settings.pipeline, file.object.key))
        .attribute("quality_score", shown)
        .attribute("threshold", threshold)
        .attribute("records", file.summary.records.total)
        .attribute("rejected", file.summary.records.rejected);
    Some(about(alert, settings, Some(file.object)))
}

fn failure_alert(
    settings: &PipelineSettings,
    object: Option<&ObjectRef>,
    failure: &FileFailure,
) -> Alert {
    let what = match object {
        Some(_) => "could not process a file",
        None => "was sent an event that it cannot read",
    };
    let subject = object.map_or("event", |object| object.key.as_str());
    let alert = Alert::new(Severity::High, format!("Pipeline {} {what}", settings.pipeline))
        .detail_type(DETAIL_TYPE)
        .runbook("processing-errors")
        .fingerprint(format!("processing-errors/{}/{subject}", settings.pipeline))
        .attribute("reason", failure.code())
        .attribute("error", failure.to_string());
    about(alert, settings, object)
}

/// Adds what every alert of the pipeline says.
fn about(alert: Alert, settings: &PipelineSettings, object: Option<&ObjectRef>) -> Alert {
    let mut alert = alert.attribute("pipeline", settings.pipeline.as_str());
    if let Some(object) = object {
        alert =
            alert.attribute("bucket", object.bucket.as_str()).attribute("key", object.key.as_str());
    }
    if let Some(log_group) = &settings.log_group {
        alert = alert.attribute("log_group", log_group.as_str());
    }
    alert
}

fn millis(elapsed: Duration) -> f64 {
    elapsed.as_micros() as f64 / 1_000.0
}
