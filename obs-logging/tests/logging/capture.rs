//! Loggers that write to memory; what they wrote is read by `obs_logging::test`.

use std::sync::Arc;

use obs_core::clock::ManualClock;
pub(crate) use obs_logging::test::{Line, TestWriter as Capture};
use obs_logging::{Format, StructuredLogger, StructuredLoggerBuilder};
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;

/// 2026-11-21T12:30:00.125Z
pub(crate) const NOW: u64 = 1_795_264_200_125;

/// A logger that writes JSON of every level into `capture`, at once, at [`NOW`].
pub(crate) fn builder(capture: &Capture) -> StructuredLoggerBuilder {
    StructuredLogger::builder()
        .service("orders")
        .environment("test")
        .level("trace")
        .format(Format::Json)
        .synchronous()
        .clock(Arc::new(ManualClock::at_millis(NOW)))
        .writer(capture.clone())
}

/// Runs `log` with a logger on a registry, and returns what it wrote.
pub(crate) fn captured(log: impl FnOnce()) -> Capture {
    captured_by(|builder| builder, log)
}

pub(crate) fn captured_by(
    change: impl FnOnce(StructuredLoggerBuilder) -> StructuredLoggerBuilder,
    log: impl FnOnce(),
) -> Capture {
    let capture = Capture::default();
    let logger = change(builder(&capture)).build().unwrap();
    tracing::subscriber::with_default(subscriber(&logger), log);
    capture
}

pub(crate) fn subscriber(logger: &StructuredLogger) -> impl Subscriber + Send + Sync + use<> {
    tracing_subscriber::registry().with(logger.layer())
}
