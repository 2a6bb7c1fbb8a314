//! For the tests of applications: a sink that keeps what a collector writes and answers questions
//! about it.
//!
//! ```
//! use std::time::Duration;
//! use obs_metrics::test::TestSink;
//! use obs_metrics::{MetricsCollector, Unit};
//!
//! /// What is tested.
//! fn process(metrics: &MetricsCollector, records: u32) {
//!     metrics.put_metric("ProcessedRecords", records.into(), Unit::Count, &[("Pipeline", "sales")]);
//!     metrics.event().put("Latency", 12.5, Unit::Milliseconds).property("OrderId", "4711");
//! }
//!
//! let test = TestSink::new();
//! // Whatever the environment says, here something is recorded.
//! let metrics = MetricsCollector::builder().sink(test.sink()).enabled(true).build()?;
//! process(&metrics, 250);
//! process(&metrics, 7);
//! metrics.flush(Duration::from_secs(1));      // writes what is aggregated
//!
//! test.metric("ProcessedRecords").dimension("Pipeline", "sales").assert_unit(Unit::Count).assert_sum(257.0);
//! test.metric("Latency").assert_count(2.0).assert_max(12.5);
//! test.metric("ProcessingErrors").assert_absent();
//! test.assert_property("OrderId", 4711);
//! # Ok::<(), obs_metrics::Error>(())
//! ```
//!
//! A failed assertion says what was recorded instead:
//!
//! ```text
//! ProcessedRecords with Pipeline=sales: the sum is 7, not 257
//! what was recorded:
//!   ProcessedRecords [Count] Pipeline=sales, Service=orders: 7
//!   Latency [Milliseconds] Service=orders: 12.5 (2 times)
//! ```

mod line;
mod metrics;

#[cfg(test)]
mod tests;

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

pub use line::Line;
pub use metrics::Metrics;

use crate::collector::lock;
use crate::emf::{self, Document, Violations};
use crate::sink::Sink;

/// Keeps what a collector writes, for tests. All clones are one; each test has its own.
///
/// Lines are written on the thread that records, before the call returns: what an event says is there
/// at once, or inside of an invocation when that is finished. What is aggregated (`put_metric`, handles)
/// is written by a flush, as it is in production. Nothing but the `assert_…` methods panics.
#[derive(Clone, Debug, Default)]
pub struct TestSink(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    written: Vec<u8>,
    /// The time by which documents are checked, where it is not the system's.
    now: Option<SystemTime>,
}

impl TestSink {
    /// A sink that has nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A sink of a collector whose clock stands at `now`: documents that are more than 14 days older
    /// or 2 hours newer are invalid.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use obs_core::clock::ManualClock;
    /// # use obs_metrics::{MetricsCollector, Unit, test::TestSink};
    ///
    /// let test = TestSink::at(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    /// let clock = ManualClock::at_millis(1_700_000_000_000);
    /// let metrics = MetricsCollector::builder().clock(clock).sink(test.sink()).enabled(true).build()?;
    /// metrics.event().put("Errors", 1.0, Unit::Count);
    /// assert_eq!(test.documents()?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn at(now: SystemTime) -> Self {
        let test = Self::new();
        test.set_now(now);
        test
    }

    /// The time by which documents are checked from now on, for a clock that is moved.
    pub fn set_now(&self, now: SystemTime) {
        lock(&self.0).now = Some(now);
    }

    /// What a collector is built with. Several collectors may write to one test's sink.
    pub fn sink(&self) -> Sink {
        Sink::writer(Writer(self.clone())).synchronous()
    }

    /// The documents, each checked as CloudWatch would.
    ///
    /// # Errors
    ///
    /// Every violation of every document that is not valid. The collector writes none such: if you see
    /// this, it has a bug, or the collector's clock is not the test's ([`TestSink::at`]).
    pub fn documents(&self) -> Result<Vec<Document>, InvalidDocuments> {
        let (documents, invalid) = self.checked();
        match invalid {
            None => Ok(documents),
            Some(invalid) => Err(invalid),
        }
    }

    /// All metrics that CloudWatch would extract, which is none of an invalid document.
    pub fn metrics(&self) -> Metrics {
        let (documents, invalid) = self.checked();
        Metrics::new(documents, invalid)
    }

    /// The metrics of that name.
    pub fn metric(&self, name: &str) -> Metrics {
        self.metrics().named(name)
    }

    /// All lines, in order: documents, log lines of events without metrics, reports of losses.
    pub fn lines(&self) -> Vec<Line> {
        self.text().lines().map(Line::new).collect()
    }

    /// What each line has for the property `name`, in order; lines without it are passed over. See
    /// [`Line::property`].
    pub fn properties(&self, name: &str) -> Vec<String> {
        self.lines().iter().filter_map(|line| line.property(name)).collect()
    }

    /// Asserts that some line has the property `name` with this value, compared as text.
    ///
    /// # Panics
    ///
    /// If none has, with the values that there are, or the lines.
    #[track_caller]
    pub fn assert_property(&self, name: &str, value: impl Display) -> &Self {
        let value = value.to_string();
        let found = self.properties(name);
        assert!(
            found.contains(&value),
            "no line has {name} = {value}; {}",
            if found.is_empty() {
                let text = self.text();
                format!(
                    "none has {name} at all:\n{}",
                    if text.is_empty() { "(none)" } else { &text }
                )
            } else {
                format!("there is {}", found.join(", "))
            }
        );
        self
    }

    /// Forgets everything that was written so far.
    pub fn clear(&self) {
        lock(&self.0).written.clear();
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0).written).into_owned()
    }

    /// The valid documents, and those that are not.
    fn checked(&self) -> (Vec<Document>, Option<InvalidDocuments>) {
        let now = lock(&self.0).now.unwrap_or_else(SystemTime::now);
        let mut documents = Vec::new();
        let mut invalid = Vec::new();
        for line in self.text().lines().filter(|line| emf::is_emf(line)) {
            match emf::validate_at(line, now) {
                Ok(document) => documents.push(document),
                Err(violations) => invalid.push((line.to_owned(), violations)),
            }
        }
        (documents, (!invalid.is_empty()).then_some(InvalidDocuments(invalid)))
    }
}

/// Documents of which CloudWatch would extract nothing, with every violation; there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidDocuments(Vec<(String, Violations)>);

impl InvalidDocuments {
    /// Each line with what is wrong with it.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Violations)> {
        self.0.iter().map(|(line, violations)| (line.as_str(), violations))
    }
}

impl fmt::Display for InvalidDocuments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (line, violations)) in self.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "an invalid document: {line}\n{violations}")?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidDocuments {}

struct Writer(TestSink);

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0.0).written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
