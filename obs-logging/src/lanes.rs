//! The lanes of a logger: the one to its writer, and the one beside it.

use std::time::Duration;

use obs_core::FlushReport;
use obs_core::lane::{Flush, Lane, Lines};

use crate::layer::Core;

impl Core {
    pub(crate) fn lanes(&self) -> impl Iterator<Item = &Lane<Lines>> {
        std::iter::once(&self.lane).chain(&self.beside)
    }

    /// Begins to flush all lanes at once, so that they share the limit.
    pub(crate) fn begin_flush(&self, limit: Duration) -> Flushes {
        self.tell_suppressed();
        Flushes {
            first: self.lane.flush_async(limit),
            beside: self.beside.as_ref().map(|lane| lane.flush_async(limit)),
        }
    }

    /// As [`Core::begin_flush`], and nothing comes after it.
    pub(crate) fn begin_shutdown(&self, limit: Duration) -> Flushes {
        self.tell_suppressed();
        Flushes {
            first: self.lane.shutdown_async(limit),
            beside: self.beside.as_ref().map(|lane| lane.shutdown_async(limit)),
        }
    }
}

/// Flushes that have begun.
pub(crate) struct Flushes {
    first: Flush<Lines>,
    beside: Option<Flush<Lines>>,
}

impl Flushes {
    /// Blocks this thread until all are done or their time is over.
    pub(crate) fn wait(self) -> FlushReport {
        let report = self.first.wait();
        match self.beside {
            Some(beside) => report.merge(beside.wait()),
            None => report,
        }
    }

    /// As [`Flushes::wait`], without blocking the thread.
    pub(crate) async fn report(self) -> FlushReport {
        let report = self.first.await;
        match self.beside {
            Some(beside) => report.merge(beside.await),
            None => report,
        }
    }
}
