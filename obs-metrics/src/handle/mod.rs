//! Registered metrics: named, checked and found once, then recorded in place.

mod builder;
mod registry;
mod timer;

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "metrics-rs")]
pub(crate) use builder::Handle;
pub use builder::MetricBuilder;
pub(crate) use registry::Registry;
pub use timer::{Timer, TimerGuard};

use crate::aggregate::{CounterCell, GaugeCell, HistogramCell};
use crate::collector::Inner;
use crate::limits;
use registry::Series;

/// A count that only grows: how many records, bytes, failures.
///
/// Made by [`MetricsCollector::counter`](crate::MetricsCollector::counter). Cheap to clone; all clones
/// are one counter, and so are all that are registered with the same name, unit and dimensions.
///
/// Each flush sends one value: the sum of what was added since the flush before, if that is not 0.
/// Its `Sum` in CloudWatch is the count; its `SampleCount` is that of flushes.
///
/// ```
/// # use obs_metrics::{MetricsCollector, Sink};
/// # let metrics = MetricsCollector::builder().sink(Sink::null()).build()?;
/// let processed = metrics.counter("ProcessedRecords").dimension("Pipeline", "sales").register()?;
/// processed.add(250);
/// processed.increment();
/// # Ok::<(), obs_metrics::Error>(())
/// ```
#[derive(Clone)]
pub struct Counter(Option<Live<CounterCell>>);

/// A value that goes up and down: the depth of a queue, connections that are open.
///
/// Made by [`MetricsCollector::gauge`](crate::MetricsCollector::gauge). Cheap to clone; all clones are
/// one gauge.
///
/// Each flush sends the last value, if it was set since the flush before. One that is not set again
/// is not sent again: after a freeze or in an idle process an old value would be a lie.
///
/// ```
/// # use obs_metrics::{MetricsCollector, Sink};
/// # let metrics = MetricsCollector::builder().sink(Sink::null()).build()?;
/// let depth = metrics.gauge("QueueDepth").register()?;
/// depth.set(17.0);
/// depth.add(-2.0);
/// # Ok::<(), obs_metrics::Error>(())
/// ```
#[derive(Clone)]
pub struct Gauge(Option<Live<GaugeCell>>);

/// Single observations of which the distribution matters: latencies, sizes.
///
/// Made by [`MetricsCollector::histogram`](crate::MetricsCollector::histogram). Cheap to clone; all
/// clones are one histogram.
///
/// Each flush sends at most 100 values with counts (150 where all sinks take series: what a document
/// or `MetricDatum` takes), from which CloudWatch computes every statistic. While there were at most
/// 100 distinct values, they are exact. Beyond that, count, minimum and maximum are exact, the sum is
/// within 1e-9 relative to the sum of the magnitudes, and each value is within a relative error that
/// depends on their range: 6.5 % at worst if the largest is 100 times the smallest, 13.4 % at 10,000
/// times, 18.8 % at a million times. Its memory is bounded, however seldom it is flushed.
///
/// ```
/// # use obs_metrics::{MetricsCollector, Sink, Unit};
/// # let metrics = MetricsCollector::builder().sink(Sink::null()).build()?;
/// let latency = metrics.histogram("Latency").unit(Unit::Milliseconds).high_resolution().register()?;
/// latency.record(12.75);
/// # Ok::<(), obs_metrics::Error>(())
/// ```
#[derive(Clone)]
pub struct Histogram(Option<Live<HistogramCell>>);

/// A handle's series and its collector, which lives as long as somebody can record.
struct Live<C> {
    collector: Arc<Inner>,
    series: Arc<Series<C>>,
}

impl<C> Clone for Live<C> {
    fn clone(&self) -> Self {
        Self { collector: Arc::clone(&self.collector), series: Arc::clone(&self.series) }
    }
}

impl<C> Live<C> {
    /// Whether CloudWatch takes `value`; counts it as dropped if not.
    #[inline]
    fn takes(&self, value: f64) -> bool {
        let takes = limits::takes_value(value);
        if !takes {
            self.collector.counters.values(1);
            self.collector.counters.value_out_of_range();
        }
        takes
    }
}

impl Counter {
    /// Adds `n`.
    #[inline]
    pub fn add(&self, n: u64) {
        if let Some(live) = &self.0 {
            live.series.cell.add(n);
        }
    }

    /// Adds 1.
    #[inline]
    pub fn increment(&self) {
        self.add(1);
    }
}

impl Gauge {
    /// Sets the value. One that is not finite or beyond ±2^360 is dropped and counted.
    #[inline]
    pub fn set(&self, value: f64) {
        if let Some(live) = &self.0
            && live.takes(value)
        {
            live.series.cell.set(value);
        }
    }

    /// Adds to the value, which begins with 0; a negative number takes from it. A number that is not
    /// finite or beyond ±2^360 is dropped and counted.
    #[inline]
    pub fn add(&self, delta: f64) {
        if let Some(live) = &self.0
            && live.takes(delta)
        {
            live.series.cell.add(delta);
        }
    }
}

impl Histogram {
    /// Records one observation. One that is not finite or beyond ±2^360 is dropped and counted.
    #[inline]
    pub fn record(&self, value: f64) {
        if let Some(live) = &self.0
            && live.takes(value)
        {
            live.series.cell.record(value);
        }
    }

    /// Records `n` observations of one value.
    #[inline]
    pub fn record_n(&self, value: f64, n: u64) {
        if let Some(live) = &self.0
            && live.takes(value)
        {
            live.series.cell.record_n(value, n);
        }
    }
}

macro_rules! debug {
    ($($handle:ident)*) => {$(
        impl fmt::Debug for $handle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let key = self.0.as_ref().map(|live| &live.series.key);
                f.debug_tuple(stringify!($handle)).field(&key).finish()
            }
        }
    )*};
}

debug!(Counter Gauge Histogram);

#[cfg(test)]
mod tests;
