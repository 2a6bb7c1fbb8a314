//! For tests: a writer that keeps what it is given, and reads it back as documents and log lines.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use obs_core::clock::ManualClock;

use crate::emf::{self, Document, Rule};
use crate::{MetricsCollector, MetricsCollectorBuilder, Sink};

/// The time of [`Capture::builder`]'s collectors.
pub(crate) const NOW: u64 = 1_700_000_000_000;

pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(NOW)
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Capture(Arc<Mutex<Vec<u8>>>);

impl Capture {
    /// A builder of a collector that writes here, synchronously, at [`NOW`].
    pub(crate) fn builder(&self) -> MetricsCollectorBuilder {
        MetricsCollector::builder()
            .namespace("App")
            .service("orders")
            .clock(ManualClock::at_millis(NOW))
            .sink(Sink::writer(self.clone()).synchronous())
            .without_flush_interval()
            .enabled(true)
    }

    pub(crate) fn collector(&self) -> MetricsCollector {
        self.builder().build().unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }

    /// Every line that is meant as a document; each is valid.
    pub(crate) fn documents(&self) -> Vec<Document> {
        let lines = self.lines().into_iter().filter(|line| emf::is_emf(line));
        lines
            .map(|line| emf::validate_at(&line, now()).unwrap_or_else(|v| panic!("{v}\n{line}")))
            .collect()
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

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
