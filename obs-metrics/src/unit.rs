//! The units of CloudWatch.

use std::fmt;
use std::str::FromStr;

use crate::Error;

macro_rules! units {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// A unit of CloudWatch: the 27 of its `StandardUnit`.
        ///
        /// There is nothing below microseconds and there are no minutes: record durations in
        /// seconds with a fraction, [`Unit::Seconds`], one unit per metric name everywhere.
        ///
        /// ```
        /// use obs_metrics::Unit;
        ///
        /// assert_eq!(Unit::BytesPerSecond.to_string(), "Bytes/Second");
        /// assert_eq!("Bytes/Second".parse::<Unit>()?, Unit::BytesPerSecond);
        /// # Ok::<(), obs_metrics::Error>(())
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Unit {
            $($(#[$doc])* $name,)*
        }

        impl Unit {
            /// Every unit.
            pub const ALL: &'static [Unit] = &[$(Unit::$name,)*];

            /// The unit as CloudWatch writes it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Unit::$name => $text,)* }
            }
        }
    };
}

units! {
    /// Seconds.
    Seconds => "Seconds",
    /// Microseconds.
    Microseconds => "Microseconds",
    /// Milliseconds.
    Milliseconds => "Milliseconds",
    /// Bytes.
    Bytes => "Bytes",
    /// Kilobytes.
    Kilobytes => "Kilobytes",
    /// Megabytes.
    Megabytes => "Megabytes",
    /// Gigabytes.
    Gigabytes => "Gigabytes",
    /// Terabytes.
    Terabytes => "Terabytes",
    /// Bits.
    Bits => "Bits",
    /// Kilobits.
    Kilobits => "Kilobits",
    /// Megabits.
    Megabits => "Megabits",
    /// Gigabits.
    Gigabits => "Gigabits",
    /// Terabits.
    Terabits => "Terabits",
    /// Percent: 98.6 is 98.6 %.
    Percent => "Percent",
    /// Count.
    Count => "Count",
    /// Bytes per second.
    BytesPerSecond => "Bytes/Second",
    /// Kilobytes per second.
    KilobytesPerSecond => "Kilobytes/Second",
    /// Megabytes per second.
    MegabytesPerSecond => "Megabytes/Second",
    /// Gigabytes per second.
    GigabytesPerSecond => "Gigabytes/Second",
    /// Terabytes per second.
    TerabytesPerSecond => "Terabytes/Second",
    /// Bits per second.
    BitsPerSecond => "Bits/Second",
    /// Kilobits per second.
    KilobitsPerSecond => "Kilobits/Second",
    /// Megabits per second.
    MegabitsPerSecond => "Megabits/Second",
    /// Gigabits per second.
    GigabitsPerSecond => "Gigabits/Second",
    /// Terabits per second.
    TerabitsPerSecond => "Terabits/Second",
    /// Count per second.
    CountPerSecond => "Count/Second",
    /// No unit, which is what a metric definition without one means.
    #[default]
    None => "None",
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Unit {
    type Err = Error;

    /// Reads a unit as CloudWatch writes it; case matters, as it does there.
    ///
    /// # Errors
    ///
    /// [`Error::is_unknown_unit`] for anything else.
    fn from_str(text: &str) -> Result<Self, Error> {
        Unit::ALL
            .iter()
            .find(|unit| unit.as_str() == text)
            .copied()
            .ok_or_else(|| Error::unknown_unit(text))
    }
}

/// How finely CloudWatch keeps a metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Resolution {
    /// One-second periods: `StorageResolution` 1. Costs more alarms and requests, not more storage.
    High,
    /// One-minute periods: `StorageResolution` 60, the default.
    #[default]
    Standard,
}

impl Resolution {
    /// The value of `StorageResolution`, in seconds.
    pub const fn seconds(self) -> u8 {
        match self {
            Resolution::High => 1,
            Resolution::Standard => 60,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_reads_back_what_it_displays() {
        assert_eq!(Unit::ALL.len(), 27);
        for unit in Unit::ALL {
            assert_eq!(unit.to_string().parse::<Unit>().unwrap(), *unit);
        }
        assert_eq!(format!("{:>8}", Unit::Count), "   Count");
        assert_eq!(Unit::default(), Unit::None);
    }

    #[test]
    fn other_words_are_no_units() {
        for text in ["", "seconds", "Second", "Nanoseconds", "Bytes / Second", "Minutes"] {
            let error = text.parse::<Unit>().unwrap_err();
            assert!(error.is_unknown_unit());
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
}
