//! The eight figures by which a data platform is judged: what each is called, measured in and means.

use std::fmt;
use std::ops::RangeInclusive;

use crate::limits::MAX_VALUE;
use crate::unit::Unit;

macro_rules! kpis {
    ($($(#[doc = $doc:literal])+ $name:ident: $unit:ident, $subject:ident, $range:expr, $text:literal;)*) => {
        /// A key figure of the business: its name in CloudWatch, its unit, its dimension and what it
        /// means.
        ///
        /// [`BusinessMetricsTracker`](super::BusinessMetricsTracker) has a method for each. CloudWatch
        /// has no unit for money: amounts are in the one currency that the namespace's owner has
        /// agreed on, and have the unit [`Unit::None`]; what a business unit reports has
        /// [`Unit::Count`], as
        /// [`record_business_metric`](crate::MetricsCollector::record_business_metric) has for all.
        ///
        /// ```
        /// use obs_metrics::{Kpi, Unit};
        ///
        /// assert_eq!(Kpi::DataFreshness.name(), "DataFreshness");
        /// assert_eq!(Kpi::DataFreshness.unit(), Unit::Seconds);
        /// assert_eq!(Kpi::DataFreshness.dimension(), "Pipeline");
        /// assert_eq!(Kpi::from_name("DataFreshness"), Some(Kpi::DataFreshness));
        /// assert!(!Kpi::PipelineEfficiency.takes(104.0));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Kpi {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Kpi {
            /// Every figure.
            pub const ALL: &'static [Kpi] = &[$(Kpi::$name,)*];

            /// The metric's name in CloudWatch.
            pub const fn name(self) -> &'static str {
                match self { $(Kpi::$name => stringify!($name),)* }
            }

            /// The metric's unit: the same wherever it is recorded.
            pub const fn unit(self) -> Unit {
                match self { $(Kpi::$name => Unit::$unit,)* }
            }

            /// Whose figure it is: the name of its dimension, `Pipeline` or `BusinessUnit`.
            pub const fn dimension(self) -> &'static str {
                match self { $(Kpi::$name => $subject,)* }
            }

            /// What it means, in one sentence, as a dashboard would explain it.
            pub const fn description(self) -> &'static str {
                match self { $(Kpi::$name => $text,)* }
            }

            /// The values that make sense. Any other is dropped and counted as out of range: a wrong
            /// figure on a dashboard is worse than a missing one.
            pub const fn range(self) -> RangeInclusive<f64> {
                match self { $(Kpi::$name => $range,)* }
            }
        }
    };
}

/// The name of the dimension of a pipeline's metrics.
pub(super) const PIPELINE: &str = "Pipeline";
/// The name of the dimension of a business unit's metrics.
pub(super) const BUSINESS_UNIT: &str = "BusinessUnit";

/// Amounts: a refund is less than nothing.
const ANY: RangeInclusive<f64> = -MAX_VALUE..=MAX_VALUE;
const NOT_NEGATIVE: RangeInclusive<f64> = 0.0..=MAX_VALUE;
const PERCENT: RangeInclusive<f64> = 0.0..=100.0;

kpis! {
    /// Revenue of a business unit, scaled to one hour. Currency units as Count, by `BusinessUnit`.
    RevenuePerHour: Count, BUSINESS_UNIT, ANY,
        "Revenue of the business unit, scaled to one hour, in currency units.";
    /// New customers of a business unit, scaled to one hour. Count, by `BusinessUnit`; not negative.
    CustomerAcquisitionRate: Count, BUSINESS_UNIT, NOT_NEGATIVE,
        "New customers of the business unit, scaled to one hour.";
    /// What processing a pipeline's data cost in a period, all in all: compute, storage, transfer. No
    /// unit, by `Pipeline`. `ProcessingCost` is the part of it that one run knows of.
    DataProcessingCost: None, PIPELINE, ANY,
        "Cost of the pipeline over the reported period: compute, storage and transfer.";
    /// From the arrival of data to the moment when somebody can use what was made of it. Seconds, by
    /// `Pipeline`; not negative.
    TimeToInsight: Seconds, PIPELINE, NOT_NEGATIVE,
        "Time from the arrival of data until its results can be used.";
    /// The age of the newest data that can be used: small is fresh. Seconds, by `Pipeline`; not
    /// negative.
    DataFreshness: Seconds, PIPELINE, NOT_NEGATIVE,
        "Age of the newest usable data: small is fresh.";
    /// Records that came out usable, of those that went in. Percent from 0 to 100, by `Pipeline`.
    PipelineEfficiency: Percent, PIPELINE, PERCENT,
        "Share of the records that came out usable, of those that went in.";
    /// The cost of a run divided by its records. No unit, by `Pipeline`.
    CostPerRecord: None, PIPELINE, ANY,
        "Cost of a run divided by the number of records it processed.";
    /// What the use of data brought a business unit: sales made or costs saved. Currency units as
    /// Count, by `BusinessUnit`.
    BusinessValueGenerated: Count, BUSINESS_UNIT, ANY,
        "Value that the use of data brought the business unit, in currency units.";
}

impl Kpi {
    /// The figure of that name in CloudWatch.
    pub fn from_name(name: &str) -> Option<Kpi> {
        Kpi::ALL.iter().find(|kpi| kpi.name() == name).copied()
    }

    /// Whether `value` is within [`range`](Self::range).
    pub fn takes(self, value: f64) -> bool {
        self.range().contains(&value)
    }
}

impl fmt::Display for Kpi {
    /// The name in CloudWatch.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
