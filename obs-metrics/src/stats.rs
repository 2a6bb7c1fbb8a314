//! What a collector counts of itself.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use obs_core::health::{self, Event};

use crate::aggregate::CounterCell;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What one collector recorded, repaired and left out since it was built.
        ///
        /// What its sink did with the documents is in the [`FlushReport`](crate::FlushReport); the
        /// sums of all collectors of the process are in [`obs_core::health`].
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// In cells, because values and lines are counted with each recording.
        pub(crate) struct Counters {
            $($name: CounterCell,)*
            /// How many lost values the stream has been told of.
            reported: AtomicU64,
        }

        impl Counters {
            pub(crate) fn read(&self) -> Stats {
                Stats { $($name: self.$name.total(),)* }
            }
        }

        impl Default for Counters {
            fn default() -> Self {
                Self { $($name: CounterCell::new(),)* reported: AtomicU64::new(0) }
            }
        }
    };
}

counters! {
    /// Values that were recorded, those included that are dropped later.
    values,
    /// Lines that were handed to the sink: documents, and the log lines of events without metrics.
    lines,
    /// Bytes of these lines, line feeds included.
    bytes,
    /// Values that went into an overflow series because their metric has too many series; they are
    /// not dropped.
    values_in_overflow,
    /// Values dropped because they are NaN, infinite or beyond ±2^360, or outside of the range of
    /// their [`Kpi`](crate::Kpi).
    values_out_of_range,
    /// Values dropped because their metric's name is blank.
    values_without_name,
    /// Values dropped because their event's timestamp is older than 14 days or more than 2 hours
    /// ahead.
    values_out_of_window,
    /// Names and values of dimensions, metrics and properties that were made valid: once for each
    /// use in an event and for each new series.
    repaired,
    /// Dimensions left out: beyond 30, or without a name; and sets of them that an event was given
    /// with a name that is none of its dimensions.
    dimensions_left_out,
    /// Properties, messages and ids that were cut or left out because the document was too large,
    /// and properties without a name.
    trimmed,
}

impl Stats {
    /// Values that were dropped, for any reason.
    pub fn values_dropped(&self) -> u64 {
        self.values_out_of_range + self.values_without_name + self.values_out_of_window
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values in {} lines", self.values, self.lines)?;
        for (n, what) in [
            (self.values_out_of_range, "out of range"),
            (self.values_without_name, "without a name"),
            (self.values_out_of_window, "out of the time window"),
            (self.values_in_overflow, "in overflow"),
            (self.repaired, "repaired"),
            (self.dimensions_left_out, "dimensions left out"),
            (self.trimmed, "trimmed"),
        ] {
            if n > 0 {
                write!(f, ", {n} {what}")?;
            }
        }
        Ok(())
    }
}

impl Counters {
    pub(crate) fn value(&self) {
        self.values(1);
    }

    pub(crate) fn values(&self, n: u64) {
        self.values.add(n);
    }

    /// Counts a line of `bytes`, without its line feed.
    pub(crate) fn line(&self, bytes: usize) {
        self.lines.add(1);
        self.bytes.add(bytes as u64 + 1);
    }

    pub(crate) fn in_overflow(&self, values: u64) {
        add(&self.values_in_overflow, values, Event::SeriesOverflow);
    }

    pub(crate) fn value_out_of_range(&self) {
        add(&self.values_out_of_range, 1, Event::ValueOutOfRange);
    }

    pub(crate) fn value_without_name(&self) {
        add(&self.values_without_name, 1, Event::NameRefused);
    }

    pub(crate) fn out_of_window(&self, values: u64) {
        add(&self.values_out_of_window, values, Event::TimestampOutOfWindow);
    }

    pub(crate) fn repaired(&self) {
        add(&self.repaired, 1, Event::NameRepaired);
    }

    pub(crate) fn excess_dimension(&self) {
        add(&self.dimensions_left_out, 1, Event::LimitExceeded);
    }

    pub(crate) fn blank_dimension(&self) {
        add(&self.dimensions_left_out, 1, Event::NameRefused);
    }

    pub(crate) fn unknown_sets(&self, n: u64) {
        add(&self.dimensions_left_out, n, Event::NameRefused);
    }

    pub(crate) fn blank_property(&self) {
        add(&self.trimmed, 1, Event::NameRefused);
    }

    pub(crate) fn trimmed(&self) {
        add(&self.trimmed, 1, Event::Trimmed);
    }

    /// What the stream has to be told: the counts, where values were dropped since the last call
    /// that returned some.
    pub(crate) fn unreported(&self) -> Option<Stats> {
        let stats = self.read();
        let dropped = stats.values_dropped();
        let before = self.reported.fetch_max(dropped, Ordering::Relaxed);
        (dropped > before).then_some(stats)
    }
}

fn add(counter: &CounterCell, n: u64, event: Event) {
    counter.add(n);
    health::count_by(event, n);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_values_are_reported_once() {
        let counters = Counters::default();
        assert_eq!(counters.unreported(), None);
        counters.repaired();
        assert_eq!(counters.unreported(), None);
        counters.value_out_of_range();
        counters.out_of_window(3);
        let stats = counters.unreported().unwrap();
        assert_eq!(stats.values_dropped(), 4);
        assert_eq!(counters.unreported(), None);
        counters.value_without_name();
        assert_eq!(counters.unreported().unwrap().values_dropped(), 5);
    }

    #[test]
    fn stats_read_well() {
        let stats = Stats { values: 7, lines: 2, values_out_of_range: 1, ..Stats::default() };
        assert_eq!(stats.to_string(), "7 values in 2 lines, 1 out of range");
    }
}
