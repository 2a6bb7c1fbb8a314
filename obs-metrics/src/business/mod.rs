//! Metrics of pipelines and of the business they serve, with one name, unit and dimension each.

mod kpi;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use kpi::Kpi;
use kpi::{BUSINESS_UNIT, PIPELINE};

use crate::collector::MetricsCollector;
use crate::unit::Unit;

impl MetricsCollector {
    /// Records `ProcessingDuration` in seconds, with the dimension `Pipeline`.
    pub fn record_processing_time(&self, pipeline: &str, elapsed: Duration) {
        let dimensions = [(PIPELINE, pipeline)];
        self.put_metric("ProcessingDuration", elapsed.as_secs_f64(), Unit::Seconds, &dimensions);
    }

    /// Records `DataQualityScore` in percent (98.6 is 98.6 %), with the dimension `Pipeline`.
    pub fn record_data_quality_score(&self, pipeline: &str, score: f64) {
        self.put_metric("DataQualityScore", score, Unit::Percent, &[(PIPELINE, pipeline)]);
    }

    /// Records a metric of the business as a count, with the dimension `BusinessUnit`.
    ///
    /// The name of a [`Kpi`] has that figure's unit and range instead, so that a name has one unit
    /// whichever way it is recorded.
    ///
    /// ```
    /// # let metrics = obs_metrics::MetricsCollector::disabled();
    /// metrics.record_business_metric("RevenuePerHour", 1250.0, "retail");
    /// ```
    pub fn record_business_metric(&self, name: &str, value: f64, business_unit: &str) {
        let dimension = (BUSINESS_UNIT, business_unit);
        match Kpi::from_name(name) {
            Some(kpi) => self.put_kpi(kpi, value, dimension),
            None => self.put_metric(name, value, Unit::Count, &[dimension]),
        }
    }

    fn put_kpi(&self, kpi: Kpi, value: f64, dimension: (&str, &str)) {
        if kpi.takes(value) {
            self.put_metric(kpi.name(), value, kpi.unit(), &[dimension]);
        } else if let Some(inner) = self.inner() {
            inner.counters.value();
            inner.counters.value_out_of_range();
        }
    }
}

/// What pipelines and business units bring in and what they cost: the methods of the platform's
/// Python tracker, and one for each [`Kpi`].
///
/// Recording never fails. A value outside of its figure's [`range`](Kpi::range), such as a percentage
/// over 100, is dropped and counted in
/// [`Stats::values_out_of_range`](crate::Stats::values_out_of_range).
///
/// ```
/// use std::time::Duration;
/// use obs_metrics::{BusinessMetricsTracker, Kpi};
/// # let metrics = obs_metrics::MetricsCollector::disabled();
///
/// let business = BusinessMetricsTracker::new(metrics.clone());
/// business.track_revenue_impact("sales-pipeline", 1250.0);
/// business.track_cost_efficiency("sales-pipeline", 1_000, 12.5);
/// business.track_data_freshness("sales-pipeline", Duration::from_secs(90));
/// business.track_revenue("retail", 37_500.0, Duration::from_secs(24 * 3600));
/// // As above, for names that are decided at run time.
/// business.track(Kpi::DataFreshness, "sales-pipeline", 90.0);
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
        self.metrics.put_metric("RevenueImpact", impact, Unit::None, &[(PIPELINE, pipeline)]);
    }

    /// Records [`Kpi::CostPerRecord`] and `ProcessingCost`, without a unit, for one run. Dimension
    /// `Pipeline`. The cost per record of no records is 0.
    pub fn track_cost_efficiency(&self, pipeline: &str, records: u64, cost: f64) {
        self.track(Kpi::CostPerRecord, pipeline, ratio(cost, count(records)));
        self.metrics.put_metric("ProcessingCost", cost, Unit::None, &[(PIPELINE, pipeline)]);
    }

    /// Records [`Kpi::RevenuePerHour`]: `amount`, in currency units, earned by `business_unit` within
    /// `period`. Nothing can be said of a period of no length: it is dropped and counted.
    pub fn track_revenue(&self, business_unit: &str, amount: f64, period: Duration) {
        self.track(Kpi::RevenuePerHour, business_unit, per_hour(amount, period));
    }

    /// Records [`Kpi::CustomerAcquisitionRate`]: customers that `business_unit` won within `period`,
    /// scaled to an hour. A period of no length is dropped and counted.
    pub fn track_customer_acquisition(&self, business_unit: &str, new: u64, period: Duration) {
        let rate = per_hour(count(new), period);
        self.track(Kpi::CustomerAcquisitionRate, business_unit, rate);
    }

    /// Records [`Kpi::DataProcessingCost`]: what `pipeline` cost in the period that is reported.
    pub fn track_processing_cost(&self, pipeline: &str, cost: f64) {
        self.track(Kpi::DataProcessingCost, pipeline, cost);
    }

    /// Records [`Kpi::TimeToInsight`]: from the arrival of data until its results could be used.
    pub fn track_time_to_insight(&self, pipeline: &str, elapsed: Duration) {
        self.track(Kpi::TimeToInsight, pipeline, elapsed.as_secs_f64());
    }

    /// Records [`Kpi::DataFreshness`]: how old the newest usable data is.
    ///
    /// ```
    /// # let business = obs_metrics::BusinessMetricsTracker::new(obs_metrics::MetricsCollector::disabled());
    /// # let newest = std::time::SystemTime::now();
    /// // A newest record of the future, by another machine's clock, is as fresh as can be.
    /// business.track_data_freshness("sales-pipeline", newest.elapsed().unwrap_or_default());
    /// ```
    pub fn track_data_freshness(&self, pipeline: &str, age: Duration) {
        self.track(Kpi::DataFreshness, pipeline, age.as_secs_f64());
    }

    /// Records [`Kpi::PipelineEfficiency`]: the records that came out `usable` of the `total` that
    /// went in, in percent. Of no records at all it is 0. More usable records than went in are
    /// dropped and counted.
    pub fn track_pipeline_efficiency(&self, pipeline: &str, usable: u64, total: u64) {
        // A value that no percentage has, where rounding could make 100 of it.
        let percent =
            if usable > total { f64::INFINITY } else { 100.0 * ratio(count(usable), count(total)) };
        self.track(Kpi::PipelineEfficiency, pipeline, percent);
    }

    /// Records [`Kpi::BusinessValueGenerated`]: what the use of data brought `business_unit`, in
    /// currency units.
    pub fn track_business_value(&self, business_unit: &str, value: f64) {
        self.track(Kpi::BusinessValueGenerated, business_unit, value);
    }

    /// Records any figure of the pipeline or business unit `subject`, whichever
    /// [`Kpi::dimension`] says. A value outside of [`Kpi::range`] is dropped and counted.
    pub fn track(&self, kpi: Kpi, subject: &str, value: f64) {
        self.metrics.put_kpi(kpi, value, (kpi.dimension(), subject));
    }
}

/// `amount` scaled from `period` to an hour; not finite, and so not taken, for a period of no length.
fn per_hour(amount: f64, period: Duration) -> f64 {
    amount / (period.as_secs_f64() / 3600.0)
}

/// 0 where `of` is.
fn ratio(part: f64, of: f64) -> f64 {
    if of == 0.0 { 0.0 } else { part / of }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a count beyond 2^53 is as exact as a metric can be"
)]
fn count(n: u64) -> f64 {
    n as f64
}
