//! Metrics of pipelines and of the business they serve, with one name, unit and dimension each.

use std::time::Duration;

use crate::collector::MetricsCollector;
use crate::unit::Unit;

impl MetricsCollector {
    /// Records `ProcessingDuration` in seconds, with the dimension `Pipeline`.
    pub fn record_processing_time(&self, pipeline: &str, elapsed: Duration) {
        let dimensions = [("Pipeline", pipeline)];
        self.put_metric("ProcessingDuration", elapsed.as_secs_f64(), Unit::Seconds, &dimensions);
    }

    /// Records `DataQualityScore` in percent (98.6 is 98.6 %), with the dimension `Pipeline`.
    pub fn record_data_quality_score(&self, pipeline: &str, score: f64) {
        self.put_metric("DataQualityScore", score, Unit::Percent, &[("Pipeline", pipeline)]);
    }

    /// Records a metric of the business as a count, with the dimension `BusinessUnit`.
    ///
    /// ```
    /// # let metrics = obs_metrics::MetricsCollector::disabled();
    /// metrics.record_business_metric("RevenuePerHour", 1250.0, "retail");
    /// ```
    pub fn record_business_metric(&self, name: &str, value: f64, business_unit: &str) {
        self.put_metric(name, value, Unit::Count, &[("BusinessUnit", business_unit)]);
    }
}

/// What a pipeline brings in and what it costs.
///
/// ```
/// # let metrics = obs_metrics::MetricsCollector::disabled();
/// use obs_metrics::BusinessMetricsTracker;
///
/// let business = BusinessMetricsTracker::new(metrics.clone());
/// business.track_revenue_impact("sales-pipeline", 1250.0);
/// business.track_cost_efficiency("sales-pipeline", 1_000, 12.5);
/// ```
#[derive(Clone, Debug)]
pub struct BusinessMetricsTracker {
    metrics: MetricsCollector,
}

impl BusinessMetricsTracker {
    /// A tracker that records with `metrics`.
    pub fn new(metrics: MetricsCollector) -> Self {
        Self { metrics }
    }

    /// Records `RevenueImpact`, without a unit: CloudWatch has none for money. Dimension `Pipeline`.
    pub fn track_revenue_impact(&self, pipeline: &str, impact: f64) {
        self.metrics.put_metric("RevenueImpact", impact, Unit::None, &[("Pipeline", pipeline)]);
    }

    /// Records `CostPerRecord` and `ProcessingCost`, without a unit. Dimension `Pipeline`. The cost
    /// per record of no records is 0.
    pub fn track_cost_efficiency(&self, pipeline: &str, records: u64, cost: f64) {
        let dimensions = [("Pipeline", pipeline)];
        self.metrics.put_metric(
            "CostPerRecord",
            per_record(cost, records),
            Unit::None,
            &dimensions,
        );
        self.metrics.put_metric("ProcessingCost", cost, Unit::None, &dimensions);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a count beyond 2^53 is as exact as a metric can be"
)]
fn per_record(cost: f64, records: u64) -> f64 {
    if records == 0 { 0.0 } else { cost / records as f64 }
}
