//! For this crate's own tests: a [`TestSink`] with a collector whose time stands still.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use obs_core::clock::ManualClock;

use crate::emf::{self, Document, Rule};
use crate::test::{Line, TestSink};
use crate::{MetricsCollector, MetricsCollectorBuilder, Sink};

/// The time of [`Capture::builder`]'s collectors.
pub(crate) const NOW: u64 = 1_700_000_000_000;

pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(NOW)
}

#[derive(Clone, Debug)]
pub(crate) struct Capture(TestSink);

impl Default for Capture {
    fn default() -> Self {
        Self(TestSink::at(now()))
    }
}

impl Capture {
    /// A builder of a collector that writes here, synchronously, at [`NOW`].
    pub(crate) fn builder(&self) -> MetricsCollectorBuilder {
        MetricsCollector::builder()
            .namespace("App")
            .service("orders")
            .clock(ManualClock::at_millis(NOW))
            .sink(self.sink())
            .without_flush_interval()
            .enabled(true)
    }

    pub(crate) fn collector(&self) -> MetricsCollector {
        self.builder().build().unwrap()
    }

    pub(crate) fn sink(&self) -> Sink {
        self.0.sink()
    }

    pub(crate) fn text(&self) -> String {
        self.0.text()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lines().iter().map(Line::to_string).collect()
    }

    /// Every line that is meant as a document; each is valid.
    pub(crate) fn documents(&self) -> Vec<Document> {
        self.0.documents().unwrap_or_else(|invalid| panic!("{invalid}"))
    }

    /// Every other line; each is a JSON object whose members occur once.
    pub(crate) fn log_lines(&self) -> Vec<String> {
        let lines: Vec<_> = self.lines().into_iter().filter(|line| !emf::is_emf(line)).collect();
        for line in &lines {
            let violations = emf::validate_at(line, now()).unwrap_err();
            assert!(violations.iter().all(|v| v.rule() == Rule::Metadata), "{violations}\n{line}");
        }
        lines
    }

    /// `Name=values` of every metric in every document, with values in order.
    pub(crate) fn values(&self) -> Vec<(String, Vec<(f64, f64)>)> {
        let documents = self.documents();
        let metrics = documents.iter().flat_map(Document::metrics);
        metrics.map(|metric| (metric.name().to_owned(), metric.values().to_vec())).collect()
    }
}
