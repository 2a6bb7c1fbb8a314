//! How a collector is doing: its counts, its queues, and how long its flushes take.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obs_core::lane::LaneStats;

use crate::collector::MetricsCollector;
use crate::stats::Stats;

impl MetricsCollector {
    /// How the collector is doing: what it counted, what waits in its sinks' queues, and how long
    /// flushes take. As metrics too with
    /// [`self_metrics`](crate::MetricsCollectorBuilder::self_metrics).
    ///
    /// ```
    /// use obs_metrics::{MetricsCollector, Sink, Unit};
    /// use std::time::Duration;
    ///
    /// let metrics = MetricsCollector::builder().sink(Sink::null()).build()?;
    /// metrics.put_metric("Orders", 1.0, Unit::Count, &[]);
    /// metrics.flush(Duration::from_millis(200));
    /// let health = metrics.health();
    /// assert_eq!((health.stats.values, health.queued(), health.series), (1, 0, 1));
    /// println!("{health}");
    /// # Ok::<(), obs_metrics::Error>(())
    /// ```
    pub fn health(&self) -> CollectorHealth {
        match &self.inner {
            Some(inner) => CollectorHealth {
                stats: inner.counters.read(),
                lanes: inner.outputs.stats(),
                series: inner.census.len(),
                flushes: inner.flushes.count.load(Ordering::Relaxed),
                last_flush: inner.flushes.last(),
                longest_flush: inner.flushes.longest(),
            },
            None => CollectorHealth::default(),
        }
    }
}

/// The state of one collector at one moment. The sums of the process are in [`obs_core::health`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CollectorHealth {
    /// What was recorded, repaired and dropped, by reason, since the collector was built.
    pub stats: Stats,
    /// The queue of each sink: what was delivered, lost by reason, and what waits.
    pub lanes: Vec<LaneStats>,
    /// Series so far, those of overflow included: what [`MetricsCollector::preview`] lists.
    pub series: usize,
    /// Flushes that were asked for and have ended. What is written for other reasons (a full table,
    /// the end of an invocation) is none.
    pub flushes: u64,
    /// How long the last flush took, from the call to the report.
    pub last_flush: Option<Duration>,
    /// How long the longest flush took.
    pub longest_flush: Option<Duration>,
}

impl CollectorHealth {
    /// Lines or series that wait in queues, or are with a sink, now.
    pub fn queued(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.pending).sum()
    }

    /// Their bytes in memory.
    pub fn queued_bytes(&self) -> usize {
        self.lanes.iter().map(|lane| lane.pending_bytes).sum()
    }

    /// Lines or series that a queue had no room for, or that a sink could not deliver.
    pub fn lost(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.dropped + lane.failed).sum()
    }
}

impl fmt::Display for CollectorHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {} series", self.stats, self.series)?;
        for lane in &self.lanes {
            writeln!(f, "{lane}")?;
        }
        write!(f, "{} flushes", self.flushes)?;
        if let (Some(last), Some(longest)) = (self.last_flush, self.longest_flush) {
            write!(f, ", the last one took {last:?}, the longest {longest:?}")?;
        }
        Ok(())
    }
}

/// How long the flushes of a collector took.
#[derive(Debug, Default)]
pub(crate) struct FlushTimes {
    count: AtomicU64,
    last_micros: AtomicU64,
    longest_micros: AtomicU64,
}

impl FlushTimes {
    pub(crate) fn took(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.last_micros.store(micros, Ordering::Relaxed);
        self.longest_micros.fetch_max(micros, Ordering::Relaxed);
        // Last, so that who sees a flush sees a time.
        self.count.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn last(&self) -> Option<Duration> {
        self.read(&self.last_micros)
    }

    fn longest(&self) -> Option<Duration> {
        self.read(&self.longest_micros)
    }

    fn read(&self, micros: &AtomicU64) -> Option<Duration> {
        (self.count.load(Ordering::Acquire) > 0)
            .then(|| Duration::from_micros(micros.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_and_the_longest_flush_are_known() {
        let times = FlushTimes::default();
        assert_eq!((times.last(), times.longest()), (None, None));
        for millis in [3, 9, 5] {
            times.took(Duration::from_millis(millis));
        }
        let [last, longest] = [times.last(), times.longest()].map(Option::unwrap);
        assert_eq!((last.as_millis(), longest.as_millis()), (5, 9));
        assert_eq!(times.count.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_disabled_collector_is_well() {
        let health = MetricsCollector::disabled().health();
        assert_eq!((health.series, health.queued(), health.lost()), (0, 0, 0));
        assert_eq!(health.to_string(), "0 values in 0 lines, 0 series\n0 flushes");
    }
}
