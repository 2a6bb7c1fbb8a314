//! What went wrong while recording: counters of the process, and the state of every lane.
//!
//! Recording never fails, so what could not be kept is counted here, by reason.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::lane::{LaneStats, registered_lanes};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// Something that was left out, repaired or that failed; each has a counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Event {
            $($(#[$doc])* $name,)*
        }

        impl Event {
            /// Every event.
            pub const ALL: &'static [Event] = &[$(Event::$name,)*];

            /// The event's name in reports: lower case with underscores.
            pub const fn as_str(self) -> &'static str {
                match self { $(Event::$name => $text,)* }
            }
        }
    };
}

events! {
    /// A value that is NaN, infinite or beyond ±2^360: skipped, its siblings are kept.
    ValueOutOfRange => "value_out_of_range",
    /// A timestamp older than 14 days or more than 2 hours ahead: refused.
    TimestampOutOfWindow => "timestamp_out_of_window",
    /// A name or value that its target does not take: made valid.
    NameRepaired => "name_repaired",
    /// A name or value that could not be made valid: left out.
    NameRefused => "name_refused",
    /// A trace or baggage header, or a part of one, that cannot be read: passed over.
    HeaderRefused => "header_refused",
    /// More dimensions, keys or annotations than the target takes: the excess was left out.
    LimitExceeded => "limit_exceeded",
    /// A value of a metric that has too many series: recorded in the metric's overflow series.
    SeriesOverflow => "series_overflow",
    /// Something too large for its target: cut, and marked as cut.
    Trimmed => "trimmed",
    /// A field whose `Debug`, `Display` or `Serialize` panicked: a marker took its place.
    FieldPanicked => "field_panicked",
    /// Something recorded from within the recording of something else: left out.
    Reentrant => "reentrant",
    /// A field for the current request where there is none: left out.
    NoRequest => "no_request",
    /// A sink panicked while it delivered.
    SinkPanicked => "sink_panicked",
    /// A lane's worker thread could not be started: deliveries are synchronous.
    WorkerNotStarted => "worker_not_started",
    /// A write to stdout failed (closed, or it would block for too long).
    StdoutFailed => "stdout_failed",
}

static COUNTERS: [AtomicU64; Event::ALL.len()] = [const { AtomicU64::new(0) }; Event::ALL.len()];

/// Counts one `event`.
pub fn count(event: Event) {
    count_by(event, 1);
}

/// Counts `n` times `event`.
pub fn count_by(event: Event, n: u64) {
    COUNTERS[event as usize].fetch_add(n, Ordering::Relaxed);
}

/// How often `event` was counted since the process began.
pub fn counted(event: Event) -> u64 {
    COUNTERS[event as usize].load(Ordering::Relaxed)
}

/// The process's health at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// The counters that are not zero.
    pub events: Vec<(Event, u64)>,
    /// The state of each lane that is alive.
    pub lanes: Vec<LaneStats>,
}

impl Health {
    /// Whether nothing was lost, repaired or cut, and no delivery failed.
    pub fn is_good(&self) -> bool {
        self.events.is_empty()
            && self.lanes.iter().all(|lane| lane.dropped == 0 && lane.failed == 0)
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for lane in &self.lanes {
            writeln!(f, "{lane}")?;
        }
        for (event, n) in &self.events {
            writeln!(f, "{}: {n}", event.as_str())?;
        }
        Ok(())
    }
}

/// Reads all counters and the state of every lane.
///
/// ```
/// let health = obs_core::health::snapshot();
/// println!("{health}");
/// ```
pub fn snapshot() -> Health {
    Health {
        events: Event::ALL
            .iter()
            .map(|event| (*event, counted(*event)))
            .filter(|(_, n)| *n > 0)
            .collect(),
        lanes: registered_lanes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_in_the_snapshot() {
        let before = counted(Event::NameRefused);
        count_by(Event::NameRefused, 3);
        assert!(counted(Event::NameRefused) >= before + 3);
        let health = snapshot();
        assert!(!health.is_good());
        assert!(health.to_string().contains("name_refused: "));
    }
}
