//! What crates record through the `metrics` facade, as CloudWatch metrics: a [`metrics::Recorder`] in
//! front of a [`MetricsCollector`]. Feature `metrics-rs`.
//!
//! ```
//! use std::time::Duration;
//! use obs_metrics::metrics_rs::Recorder;
//! # use obs_metrics::{Sink, MetricsCollector};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let collector = MetricsCollector::builder().namespace("Shop").sink(Sink::null()).build()?;
//! Recorder::new(collector.clone()).install()?;
//!
//! // In the application, or in any crate that is instrumented with the facade:
//! metrics::counter!("http.requests", "method" => "GET").increment(1);
//! metrics::histogram!("http.duration").record(0.125);
//! metrics::gauge!("queue.depth").set(17.0);
//!
//! collector.flush(Duration::from_secs(1));
//! # Ok(())
//! # }
//! ```
//!
//! | the facade's | becomes |
//! | --- | --- |
//! | name | the metric's name, made valid where it has to be: `http.requests` stays |
//! | label | a dimension, made valid likewise; beyond 30, with the collector's own, left out and counted |
//! | counter | a [`Counter`](crate::Counter): what was added. `absolute` adds what exceeds the greatest value before |
//! | gauge | a [`Gauge`](crate::Gauge): the last value, in each flush before which it was changed |
//! | histogram | a [`Histogram`](crate::Histogram) |
//! | unit of `describe_…` | the unit; without one [`Unit::Count`] for counters, [`Unit::None`] for the others |
//! | nanoseconds | [`Unit::Microseconds`], divided by 1,000: CloudWatch has none |
//! | kibibytes to tebibytes | [`Unit::Bytes`], multiplied: CloudWatch does not say how many bytes its kilobytes have |
//! | description, level, target | nothing: CloudWatch has no place for them |
//!
//! A name has one unit: the one it is described with, or recorded with, first. Describe before you
//! record.
//!
//! Each distinct combination of label values is a metric that CloudWatch bills, and counts for the
//! budget of series that the collector gives each name: what is beyond it is recorded with
//! [`OVERFLOW`](crate::OVERFLOW) as the value of each label. Labels that crates set and nobody needs, or
//! whose values are without number, are left out by [`without_label`](Recorder::without_label).

mod instruments;
mod registered;
mod registry;
mod units;

#[cfg(test)]
mod tests;

use std::fmt;

use ::metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, SetRecorderError, SharedString,
};

use crate::collector::MetricsCollector;
use crate::handle::{Handle, MetricBuilder};
use crate::unit::Unit;
use instruments::{CounterOf, GaugeOf, HistogramOf};
use registered::register;
use registry::Registry;
use units::{Measure, Units};

/// A [`metrics::Recorder`] that records into a [`MetricsCollector`].
///
/// A key that is known costs a hash that the facade has made already, and a comparison: no
/// allocation. The facade's handles stay valid and record in place, which is cheaper still.
///
/// It remembers 16,000 keys of each kind. Keys beyond that are recorded too, slower, and
/// [`absolute`](metrics::Counter::absolute) does nothing for them: what a counter has counted before
/// is not known.
#[must_use = "it records nothing until it is installed"]
pub struct Recorder {
    collector: MetricsCollector,
    ignored: Vec<String>,
    /// Apart, so that the error that gives a recorder back is small.
    units: Box<Units>,
    counters: Registry<CounterOf>,
    gauges: Registry<GaugeOf>,
    histograms: Registry<HistogramOf>,
}

impl Recorder {
    /// A recorder into `collector`, whose namespace, dimensions and sink it has.
    pub fn new(collector: MetricsCollector) -> Self {
        Self {
            collector,
            ignored: Vec::new(),
            units: Box::default(),
            counters: Registry::default(),
            gauges: Registry::default(),
            histograms: Registry::default(),
        }
    }

    /// Makes no dimension of the label `name`. May be said several times.
    ///
    /// Series that differ in it alone become one: counters add up, of gauges the last one set counts.
    ///
    /// ```
    /// # use obs_metrics::{MetricsCollector, Unit, metrics_rs::Recorder, test::TestSink};
    /// let test = TestSink::new();
    /// let collector = MetricsCollector::builder().sink(test.sink()).enabled(true).build()?;
    /// let recorder = Recorder::new(collector.clone()).without_label("user");
    /// metrics::with_local_recorder(&recorder, || {
    ///     metrics::counter!("logins", "user" => "4711", "via" => "web").increment(1);
    ///     metrics::counter!("logins", "user" => "4712", "via" => "web").increment(1);
    /// });
    /// collector.flush(std::time::Duration::from_secs(1));
    /// test.metric("logins").dimension("via", "web").assert_sum(2.0);
    /// # Ok::<(), obs_metrics::Error>(())
    /// ```
    pub fn without_label(mut self, name: impl Into<String>) -> Self {
        self.ignored.push(name.into());
        self
    }

    /// Makes this the recorder of the process, for as long as it runs.
    ///
    /// The collector then lives as long, and is not flushed by being dropped: beside its
    /// [interval](crate::MetricsCollectorBuilder::flush_interval), flush it at the end.
    ///
    /// # Errors
    ///
    /// The process has a recorder already, which stays; this one comes back with the error.
    pub fn install(self) -> Result<(), SetRecorderError<Self>> {
        ::metrics::set_global_recorder(self)
    }

    /// The handle of a new key, and how it is measured.
    fn make<H: Handle>(
        &self,
        key: &Key,
        default: Unit,
        begin: impl FnOnce(&MetricsCollector, String) -> MetricBuilder<H>,
    ) -> Option<(H, Measure)> {
        let measure = self.units.of(key.name(), default);
        let labels = key.labels().filter(|label| !self.ignored.iter().any(|n| n == label.key()));
        let handle = register(&self.collector, begin, key.name(), measure.unit, labels)?;
        Some((handle, measure))
    }
}

impl ::metrics::Recorder for Recorder {
    fn describe_counter(&self, key: KeyName, unit: Option<::metrics::Unit>, _: SharedString) {
        self.units.describe(key.as_str(), unit);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<::metrics::Unit>, _: SharedString) {
        self.units.describe(key.as_str(), unit);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<::metrics::Unit>, _: SharedString) {
        self.units.describe(key.as_str(), unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if !self.collector.is_enabled() {
            return Counter::noop();
        }
        let counter = self.counters.get(key, |is_kept| {
            let (handle, measure) = self.make(key, Unit::Count, |c, name| c.counter(name))?;
            Some(CounterOf::new(handle, measure, is_kept))
        });
        counter.map_or_else(Counter::noop, Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        if !self.collector.is_enabled() {
            return Gauge::noop();
        }
        let gauge = self.gauges.get(key, |_| {
            let (handle, measure) = self.make(key, Unit::None, |c, name| c.gauge(name))?;
            Some(GaugeOf::new(handle, measure))
        });
        gauge.map_or_else(Gauge::noop, Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        if !self.collector.is_enabled() {
            return Histogram::noop();
        }
        let histogram = self.histograms.get(key, |_| {
            let (handle, measure) = self.make(key, Unit::None, |c, name| c.histogram(name))?;
            Some(HistogramOf::new(handle, measure))
        });
        histogram.map_or_else(Histogram::noop, Histogram::from_arc)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("collector", &self.collector)
            .field("without_labels", &self.ignored)
            .finish_non_exhaustive()
    }
}
