//! Loggers that write to a server of the test's.

use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::ManualClock;
use obs_core::lane::{FlushReport, Reason};
use obs_logging::loki::Loki;
use obs_logging::{StructuredLogger, StructuredLoggerBuilder};
use tracing_subscriber::layer::SubscriberExt;

/// 2026-11-21T12:30:00.125Z
pub(crate) const NOW: u64 = 1_795_264_200_125;

/// More than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A sink in which lines wait for a flush.
pub(crate) fn loki(url: impl Into<String>) -> Loki {
    Loki::new(url).batch_wait(LONG)
}

/// A logger of every level, at [`NOW`].
pub(crate) fn builder() -> StructuredLoggerBuilder {
    StructuredLogger::builder()
        .service("orders")
        .environment("test")
        .level("trace")
        .clock(Arc::new(ManualClock::at_millis(NOW)))
}

pub(crate) fn logger(loki: Loki) -> StructuredLogger {
    builder().loki_only(loki).build().unwrap()
}

/// Runs `log` with a subscriber that has this logger alone.
pub(crate) fn with<R>(logger: &StructuredLogger, log: impl FnOnce() -> R) -> R {
    tracing::subscriber::with_default(tracing_subscriber::registry().with(logger.layer()), log)
}

/// Logs the numbers of this range, a line each.
pub(crate) fn count(logger: &StructuredLogger, numbers: std::ops::Range<u64>) {
    with(logger, || numbers.for_each(|n| tracing::info!(n, "line")));
}

/// Delivered and failed, by reason; everything is accounted for.
#[track_caller]
pub(crate) fn check(report: &FlushReport, delivered: u64, lost: &[(Reason, u64)]) {
    let [lane] = report.lanes() else { panic!("{report:?}") };
    assert_eq!(lane.name, "loki");
    assert_eq!((lane.delivered, lane.reasons.as_slice()), (delivered, lost), "{report:?}");
    assert_eq!(report.pending(), 0, "{report:?}");
}
