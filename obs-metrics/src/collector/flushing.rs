//! A flush that is awaited, and what it waits for before the sinks.

use std::time::{Duration, Instant};

use obs_core::lane::{FlushReport, Settled};

use super::Inner;
use crate::sink::{Flushes, Outputs};

/// What is left of a limit.
pub(super) fn left(began: Instant, limit: Duration) -> Duration {
    limit.saturating_sub(began.elapsed())
}

pub(super) enum Flushing {
    /// Everything is with the sinks, or will not be waited for.
    Sinks(Flushes, FlushReport),
    /// Other threads have taken something that they have not handed over.
    Others(Settled, Outputs),
}

impl Flushing {
    /// After what the caller may see was emitted.
    pub(super) fn begin(inner: &Inner, began: Instant, limit: Duration) -> Self {
        let settled = inner.handovers.settled(left(began, limit));
        // Looked at before the sinks' flushes begin, which wait for what they have by then.
        let handed_over = settled.now();
        let flushes = inner.outputs.begin_flush(left(began, limit));
        match handed_over {
            Some(report) => Self::Sinks(flushes, report),
            // Those flushes have woken the sinks, no more.
            None => Self::Others(settled, inner.outputs.clone()),
        }
    }

    pub(super) async fn report(self, began: Instant, limit: Duration) -> FlushReport {
        match self {
            Self::Sinks(flushes, handed_over) => flushes.report().await.merge(handed_over),
            Self::Others(settled, outputs) => {
                let handed_over = settled.await;
                let flushes = outputs.begin_flush(left(began, limit));
                flushes.report().await.merge(handed_over)
            }
        }
    }
}
