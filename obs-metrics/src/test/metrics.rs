//! Questions about the metrics that were written.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::InvalidDocuments;
use crate::emf::{Document, Metric};
use crate::unit::{Resolution, Unit};

/// The metrics that a [`TestSink`](super::TestSink) had when it was asked, or some of them.
///
/// Values are of all documents together: three runs that wrote one document each are one metric with
/// the values of all three. With the dimension sets of
/// [`dimension_set`](crate::MetricsCollectorBuilder::dimension_set), a value is there once for each
/// set: [`exactly`](Self::exactly) chooses one.
///
/// Every assertion fails, too, where an invalid document was written.
#[derive(Clone, Debug)]
#[must_use = "it does nothing until it is asked or asserted on"]
pub struct Metrics {
    written: Arc<Written>,
    wanted: Wanted,
}

#[derive(Debug)]
struct Written {
    documents: Vec<Document>,
    invalid: Option<InvalidDocuments>,
}

/// Which metrics are meant.
#[derive(Clone, Debug, Default)]
struct Wanted {
    name: Option<String>,
    namespace: Option<String>,
    unit: Option<Unit>,
    dimensions: Vec<(String, String)>,
    /// Whether there may be no other dimensions.
    exactly: bool,
}

impl Metrics {
    pub(super) fn new(documents: Vec<Document>, invalid: Option<InvalidDocuments>) -> Self {
        Self { written: Arc::new(Written { documents, invalid }), wanted: Wanted::default() }
    }

    /// Those of that name.
    pub fn named(mut self, name: &str) -> Self {
        self.wanted.name = Some(name.to_owned());
        self
    }

    /// Those that have this dimension, among others.
    pub fn dimension(mut self, name: &str, value: &str) -> Self {
        self.wanted.dimensions.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Those that have these dimensions and no others, in any order. The collector's own, `Service`
    /// for one, are to be named too.
    pub fn exactly(mut self, dimensions: &[(&str, &str)]) -> Self {
        self.wanted.exactly = true;
        dimensions.iter().fold(self, |metrics, (name, value)| metrics.dimension(name, value))
    }

    /// Those of that unit.
    pub fn in_unit(mut self, unit: Unit) -> Self {
        self.wanted.unit = Some(unit);
        self
    }

    /// Those of that namespace.
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.wanted.namespace = Some(namespace.to_owned());
        self
    }

    /// Each of them, document by document.
    pub fn iter(&self) -> impl Iterator<Item = Metric<'_>> {
        self.all().filter(|metric| self.wanted.matches(metric))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The sum of all values; 0 where there are none.
    pub fn sum(&self) -> f64 {
        self.iter().map(|metric| metric.sum()).sum()
    }

    /// How many values were recorded. A counter or a gauge has one in each flush.
    pub fn count(&self) -> f64 {
        self.iter().map(|metric| metric.count()).sum()
    }

    /// The least value.
    pub fn min(&self) -> Option<f64> {
        self.iter().map(|metric| metric.min()).reduce(f64::min)
    }

    /// The greatest value.
    pub fn max(&self) -> Option<f64> {
        self.iter().map(|metric| metric.max()).reduce(f64::max)
    }

    /// Each distinct value with how often it was recorded, in ascending order.
    pub fn values(&self) -> Vec<(f64, f64)> {
        counted(self.iter().flat_map(|metric| metric.values()).copied().collect())
    }

    /// The unit; `None` where there are no metrics, or of several units.
    pub fn unit(&self) -> Option<Unit> {
        let mut units = self.iter().map(|metric| metric.unit());
        let first = units.next()?;
        units.all(|unit| unit == first).then_some(first)
    }

    /// Whether all are kept by the second; false where there are none.
    pub fn is_high_resolution(&self) -> bool {
        let mut high = self.iter().map(|metric| metric.resolution() == Resolution::High);
        high.next().is_some_and(|first| first && high.all(|next| next))
    }

    /// Asserts that something was recorded.
    ///
    /// # Panics
    ///
    /// If nothing was.
    #[track_caller]
    pub fn assert_recorded(&self) -> &Self {
        self.check(!self.is_empty(), || "nothing was recorded".to_owned())
    }

    /// Asserts that nothing was recorded.
    ///
    /// # Panics
    ///
    /// If something was.
    #[track_caller]
    pub fn assert_absent(&self) -> &Self {
        self.check(self.is_empty(), || format!("it was recorded {} times", self.count()))
    }

    /// Asserts what the values add up to, within a billionth: sums of fractions depend on their order.
    ///
    /// # Panics
    ///
    /// If it is something else, or nothing was recorded.
    #[track_caller]
    pub fn assert_sum(&self, expected: f64) -> &Self {
        let sum = self.sum();
        let near = sum == expected || (sum - expected).abs() <= 1e-9 * expected.abs();
        self.check_value(near, || format!("the sum is {sum}, not {expected}"))
    }

    /// Asserts how many values were recorded.
    ///
    /// # Panics
    ///
    /// If it is another number, or nothing was recorded.
    #[track_caller]
    pub fn assert_count(&self, expected: f64) -> &Self {
        let count = self.count();
        self.check_value(count == expected, || format!("there are {count} values, not {expected}"))
    }

    /// Asserts the least value.
    ///
    /// # Panics
    ///
    /// If it is another one, or nothing was recorded.
    #[track_caller]
    pub fn assert_min(&self, expected: f64) -> &Self {
        let min = self.min();
        self.check_value(min == Some(expected), || {
            format!("the least value is {}, not {expected}", min.unwrap_or_default())
        })
    }

    /// Asserts the greatest value.
    ///
    /// # Panics
    ///
    /// If it is another one, or nothing was recorded.
    #[track_caller]
    pub fn assert_max(&self, expected: f64) -> &Self {
        let max = self.max();
        self.check_value(max == Some(expected), || {
            format!("the greatest value is {}, not {expected}", max.unwrap_or_default())
        })
    }

    /// Asserts the unit of all.
    ///
    /// # Panics
    ///
    /// If one has another unit, or nothing was recorded.
    #[track_caller]
    pub fn assert_unit(&self, expected: Unit) -> &Self {
        self.check_value(self.unit() == Some(expected), || format!("the unit is not {expected}"))
    }

    /// Asserts that all are kept by the second.
    ///
    /// # Panics
    ///
    /// If one is kept by the minute, or nothing was recorded.
    #[track_caller]
    pub fn assert_high_resolution(&self) -> &Self {
        self.check_value(self.is_high_resolution(), || "it is kept by the minute".to_owned())
    }

    /// As `check`, for what cannot be said of nothing.
    #[track_caller]
    fn check_value(&self, holds: bool, fault: impl FnOnce() -> String) -> &Self {
        self.assert_recorded();
        self.check(holds, fault)
    }

    #[track_caller]
    fn check(&self, holds: bool, fault: impl FnOnce() -> String) -> &Self {
        if let Some(invalid) = &self.written.invalid {
            assert!(self.written.invalid.is_none(), "{invalid}");
        }
        assert!(holds, "{}: {}\n{}", self.wanted, fault(), self.written);
        self
    }

    fn all(&self) -> impl Iterator<Item = Metric<'_>> {
        self.written.documents.iter().flat_map(Document::metrics)
    }
}

impl Wanted {
    fn matches(&self, metric: &Metric<'_>) -> bool {
        let has = |(name, value): &(String, String)| metric.dimension(name) == Some(value);
        let named = |(name, _): (&str, &str)| self.dimensions.iter().any(|(own, _)| own == name);
        self.name.as_deref().is_none_or(|name| name == metric.name())
            && self.namespace.as_deref().is_none_or(|namespace| namespace == metric.namespace())
            && self.unit.is_none_or(|unit| unit == metric.unit())
            && self.dimensions.iter().all(has)
            && (!self.exactly || metric.dimensions().all(named))
    }
}

impl fmt::Display for Wanted {
    /// As in `ProcessedRecords with Pipeline=sales in Count`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or("any metric"))?;
        if self.exactly || !self.dimensions.is_empty() {
            let pairs = self.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            write!(f, " with {}{}", if self.exactly { "exactly " } else { "" }, list(pairs))?;
        }
        if let Some(unit) = self.unit {
            write!(f, " in {unit}")?;
        }
        if let Some(namespace) = &self.namespace {
            write!(f, " of {namespace}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut metrics = self.documents.iter().flat_map(Document::metrics).peekable();
        if metrics.peek().is_none() {
            return f.write_str("no metric was written; what is aggregated is written by a flush");
        }
        f.write_str("what was recorded:")?;
        for metric in metrics {
            let values = metric.values().iter().map(|(value, count)| {
                if *count == 1.0 { value.to_string() } else { format!("{value} ({count} times)") }
            });
            let values: Vec<String> = values.collect();
            let resolution = match metric.resolution() {
                Resolution::High => ", by the second",
                Resolution::Standard => "",
            };
            write!(
                f,
                "\n  {} [{}{resolution}] {}: {}",
                metric.name(),
                metric.unit(),
                list(metric.dimensions()),
                values.join(", ")
            )?;
        }
        Ok(())
    }
}

/// Equal values together, in ascending order.
fn counted(mut values: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    values.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    values.dedup_by(|(next, count), (value, sum)| {
        let same = next == value;
        if same {
            *sum += *count;
        }
        same
    });
    values
}

/// As in `Pipeline=sales, Service=orders`.
fn list<'a>(dimensions: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in dimensions {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{name}={value}");
    }
    if text.is_empty() { "no dimension".to_owned() } else { text }
}
