//! A unit of work: one document that is also the log line of that work.

mod emit;
mod overflow;
mod parts;
mod resolved;
mod shape;
mod state;

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use obs_core::RequestContext;
use obs_core::clock::millis_since_epoch;
use obs_core::ids;
#[cfg(test)]
use obs_core::ids::SpanIds;

use crate::collector::Inner;
use crate::property::PropertyValue;
use crate::unit::{Resolution, Unit};
pub(crate) use emit::must_look_closer;
pub(crate) use parts::Metric as Recorded;
pub(crate) use shape::{Call, Shape, What};
use state::State;

/// A unit of work being recorded; see [`MetricsCollector::event`](crate::MetricsCollector::event).
///
/// ```
/// use obs_metrics::{MetricsCollector, Sink, Unit};
///
/// # let metrics = MetricsCollector::builder().sink(Sink::null()).build()?;
/// let mut work = metrics.event();
/// work.dimension("Pipeline", "sales");
/// work.put("ProcessingDuration", 1.275, Unit::Seconds);
/// work.property("OrderId", "4711");
/// work.emit();
///
/// // In one statement, emitted at its end:
/// metrics.event().put("ProcessedRecords", 250.0, Unit::Count);
/// # Ok::<(), obs_metrics::Error>(())
/// ```
///
/// All its metrics have the same dimensions: the collector's and its own. Beyond the limits of one
/// document (100 metrics, 100 values of one name, one unit for a name) it becomes several, of which
/// the first has the properties.
///
/// An event that has no metric in the end is written as a plain log line. One that has nothing at
/// all is not written.
#[must_use = "an event says nothing until something is put into it; it is emitted when it is dropped"]
pub struct Event {
    /// `None` where metrics are switched off.
    live: Option<Live>,
}

struct Live {
    collector: Arc<Inner>,
    /// From a pool of the thread: reused, so that the steady state allocates nothing.
    state: Box<State>,
}

impl Event {
    pub(crate) fn begin(collector: Option<Arc<Inner>>) -> Self {
        let live = collector.map(|collector| {
            let pooled = POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten();
            let mut state = pooled.unwrap_or_default();
            state.begin(collector.id);
            state.context = RequestContext::current();
            if let Some(span) = ids::current_ids() {
                state.span = Some(span);
            }
            Live { collector, state }
        });
        Self { live }
    }

    /// Of the collector's dimensions it has none.
    pub(crate) fn set_single(&mut self) {
        if let Some(live) = &mut self.live {
            live.state.leave();
            live.state.is_single = true;
        }
    }

    /// Adds a dimension to all metrics of this event. The last value of a name wins, over the
    /// collector's own too.
    ///
    /// Names of up to 250 and values of up to 1,024 printable ASCII characters; anything else is
    /// made valid and counted. Beyond 30 dimensions, the collector's included, it is written to the
    /// document, but is no dimension of its metrics; counted. Each distinct combination of values is
    /// a metric that CloudWatch bills: what identifies one request or order is a
    /// [`property`](Self::property). Metrics that exceed
    /// [`series_per_metric`](crate::MetricsCollectorBuilder::series_per_metric) get the value
    /// [`OVERFLOW`](crate::OVERFLOW) instead, and the line keeps `value` as the property
    /// `<name>_given`.
    pub fn dimension(&mut self, name: &str, value: &str) -> &mut Self {
        if let Some(live) = &mut self.live {
            live.state.dimension(name, value, &live.collector.counters);
        }
        self
    }

    /// Adds a value. Further values of one name and unit are collected: each counts.
    ///
    /// Names have up to 255 characters; anything else is made valid and counted. A value that is not
    /// finite or beyond ±2^360 is dropped and counted.
    pub fn put(&mut self, name: &str, value: f64, unit: Unit) -> &mut Self {
        self.put_at(name, value, unit, Resolution::Standard)
    }

    /// As [`put`](Self::put), of a metric that CloudWatch keeps by the second
    /// ([`Resolution::High`]).
    pub fn put_high_resolution(&mut self, name: &str, value: f64, unit: Unit) -> &mut Self {
        self.put_at(name, value, unit, Resolution::High)
    }

    pub(crate) fn put_at(
        &mut self,
        name: &str,
        value: f64,
        unit: Unit,
        resolution: Resolution,
    ) -> &mut Self {
        if let Some(live) = &mut self.live {
            live.state.put(name, value, unit, resolution, &live.collector.counters);
        }
        self
    }

    /// Adds a further set of dimensions, by the names of some of this event's: its metrics appear
    /// under that set too. `[]` is the set without any.
    ///
    /// Each set is a metric of its own, which CloudWatch bills. A set that names what is neither a
    /// dimension of the event nor of the collector when the event is emitted is left out and counted in
    /// [`Stats::dimensions_left_out`](crate::Stats::dimensions_left_out): a misspelt name never makes a
    /// wider set. A set that has all dimensions, or is there already, is there once.
    pub fn dimension_set(&mut self, names: &[&str]) -> &mut Self {
        if let Some(live) = &mut self.live {
            live.state.dimension_set(names);
        }
        self
    }

    /// Adds what is worth knowing of this piece of work but is no dimension. The last value of a
    /// name wins.
    ///
    /// Properties are searchable in Logs Insights and cost no metric. A name that stands for a
    /// secret is redacted. The largest ones are cut where the document would exceed its size.
    pub fn property<'v>(&mut self, name: &str, value: impl Into<PropertyValue<'v>>) -> &mut Self {
        if let Some(live) = &mut self.live {
            let Live { collector, state } = live;
            state.property(name, value.into(), &collector.redactor, &collector.counters);
        }
        self
    }

    /// The line's `message`. Default: `metrics`.
    pub fn message(&mut self, message: &str) -> &mut Self {
        if let Some(live) = &mut self.live {
            let collector = &live.collector;
            live.state.message(message, &collector.redactor, &collector.counters);
        }
        self
    }

    /// When it happened. Default: when it is emitted.
    ///
    /// CloudWatch takes the last 14 days and the next 2 hours. Outside of them, the metrics are
    /// dropped and counted, and the event is written as a plain log line that says so.
    pub fn timestamp(&mut self, time: SystemTime) -> &mut Self {
        if let Some(live) = &mut self.live {
            live.state.timestamp_millis = Some(millis_since_epoch(time));
        }
        self
    }

    /// Writes what was recorded, and leaves the event empty, as it began. Dropping it does the same.
    pub fn emit(&mut self) {
        if let Some(live) = &mut self.live {
            live.emit();
            live.state.clear();
            live.state.begin(live.collector.id);
        }
    }
}

impl Live {
    fn emit(&mut self) {
        let Self { collector, state } = self;
        match state.take_came() {
            0 => {}
            came => collector.counters.values(came),
        }
        if !state.is_empty() {
            // Taken out, so that the rest of the state can be changed meanwhile.
            let context = state.context.take();
            emit::emit(collector, state, context.as_ref());
            state.context = context;
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let Some(mut live) = self.live.take() else { return };
        live.emit();
        if live.state.is_worth_keeping() {
            live.state.clear();
            live.state.context = None;
            live.state.span = None;
            let _gone = POOL.try_with(|pool| {
                let mut pool = pool.borrow_mut();
                if pool.len() < POOLED_STATES {
                    pool.push(live.state);
                }
            });
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("state", &self.live.as_ref().map(|live| &live.state))
            .finish_non_exhaustive()
    }
}

/// As many as a thread has events at one time, as a rule.
const POOLED_STATES: usize = 4;

thread_local! {
    #[expect(clippy::vec_box, reason = "an event is moved: it holds a pointer, not the state")]
    static POOL: RefCell<Vec<Box<State>>> = const { RefCell::new(Vec::new()) };
}

#[cfg(test)]
mod tests;
