//! Durations, measured by a guard.

use std::time::{Duration, Instant};

use super::Histogram;
use crate::typed::{MetricValue, Values};
use crate::unit::Unit;

/// A histogram of durations.
///
/// Made by [`MetricsCollector::timer`](crate::MetricsCollector::timer). Cheap to clone; all clones are
/// one timer. Measures with the monotonic clock: no step of the system's clock makes a duration
/// negative.
///
/// ```
/// # use obs_metrics::{MetricsCollector, Sink, Unit};
/// # let metrics = MetricsCollector::builder().sink(Sink::null()).build()?;
/// let queries = metrics.timer("QueryDuration").unit(Unit::Milliseconds).register()?;
/// {
///     let _running = queries.start(); // recorded at the end of the block, also after `?` or a panic
/// }
/// let rows = queries.time(|| 42);
/// queries.record(std::time::Duration::from_millis(3));
/// # assert_eq!(rows, 42);
/// # Ok::<(), obs_metrics::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Timer {
    histogram: Histogram,
    unit: Unit,
}

impl Timer {
    pub(super) fn new(histogram: Histogram, unit: Unit) -> Self {
        Self { histogram, unit }
    }

    /// Begins to measure; the duration is recorded when the guard is dropped.
    pub fn start(&self) -> TimerGuard {
        TimerGuard { timer: Some(self.clone()), began: Instant::now() }
    }

    /// Calls `work` and records how long it took, also where it panics.
    pub fn time<R>(&self, work: impl FnOnce() -> R) -> R {
        let _running = self.start();
        work()
    }

    /// Records a duration in the timer's unit.
    pub fn record(&self, elapsed: Duration) {
        if let Values::One(value) = elapsed.values(self.unit) {
            self.histogram.record(value);
        }
    }
}

/// Records, when it is dropped, how long it lived.
#[derive(Debug)]
#[must_use = "a guard that is dropped at once measures nothing"]
pub struct TimerGuard {
    timer: Option<Timer>,
    began: Instant,
}

impl TimerGuard {
    /// Records now, and says how long it was.
    pub fn stop(mut self) -> Duration {
        let elapsed = self.began.elapsed();
        if let Some(timer) = self.timer.take() {
            timer.record(elapsed);
        }
        elapsed
    }

    /// Records nothing.
    pub fn discard(mut self) {
        self.timer = None;
    }
}

impl Drop for TimerGuard {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.record(self.began.elapsed());
        }
    }
}
