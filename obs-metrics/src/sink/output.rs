//! Where a collector's sinks have begun: lanes of lines and lanes of series.

use std::time::Duration;

use obs_core::lane::{Batch, Flush, FlushReport, Lane, LaneStats, Lines, Records};

use crate::datum::Datum;

/// The lanes of a collector. Nearly always there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outputs {
    /// Take EMF documents and log lines.
    pub(crate) lines: Vec<Lane<Lines>>,
    /// Take aggregated series.
    pub(crate) series: Vec<Lane<Records<Datum>>>,
}

/// Flushes of all lanes, which run at the same time.
pub(crate) struct Flushes {
    lines: Vec<Flush<Lines>>,
    series: Vec<Flush<Records<Datum>>>,
}

impl Outputs {
    pub(crate) fn add(&mut self, other: Self) {
        self.lines.extend(other.lines);
        self.series.extend(other.series);
    }

    /// Hands over one line, without its line feed.
    pub(crate) fn push_line(&self, line: &[u8]) {
        for lane in &self.lines {
            lane.push(line.len() + 1, |lines| lines.push(line));
        }
    }

    /// Hands over what was recorded of one series.
    pub(crate) fn push_datum(&self, datum: &Datum) {
        for lane in &self.series {
            lane.push(datum.weight(), |records| records.push(datum.clone()));
        }
    }

    /// The state of each lane.
    pub(crate) fn stats(&self) -> Vec<LaneStats> {
        self.lines.iter().map(Lane::stats).chain(self.series.iter().map(Lane::stats)).collect()
    }

    pub(crate) fn begin_flush(&self, limit: Duration) -> Flushes {
        Flushes { lines: flush_all(&self.lines, limit), series: flush_all(&self.series, limit) }
    }

    pub(crate) fn begin_shutdown(&self, limit: Duration) -> Flushes {
        Flushes {
            lines: self.lines.iter().map(|lane| lane.shutdown_async(limit)).collect(),
            series: self.series.iter().map(|lane| lane.shutdown_async(limit)).collect(),
        }
    }
}

fn flush_all<B: Batch>(lanes: &[Lane<B>], limit: Duration) -> Vec<Flush<B>> {
    lanes.iter().map(|lane| lane.flush_async(limit)).collect()
}

impl Flushes {
    /// Blocks this thread until all are done or their time is over.
    pub(crate) fn wait(self) -> FlushReport {
        let lines = self.lines.into_iter().map(Flush::wait);
        let series = self.series.into_iter().map(Flush::wait);
        lines.chain(series).fold(FlushReport::empty(), FlushReport::merge)
    }

    /// As [`wait`](Self::wait), without blocking.
    pub(crate) async fn report(self) -> FlushReport {
        let mut report = FlushReport::empty();
        for flush in self.lines {
            report = report.merge(flush.await);
        }
        for flush in self.series {
            report = report.merge(flush.await);
        }
        report
    }
}
