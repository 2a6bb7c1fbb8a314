//! Metrics on standard output: `cargo run -p obs-metrics --example stdout`.
//!
//! What Lambda and the log drivers of containers send to CloudWatch Logs as it stands.

use std::process::ExitCode;
use std::time::Duration;

use obs_metrics::{Error, MetricsCollector, Sink, Unit};

fn main() -> Result<ExitCode, Error> {
    let metrics = MetricsCollector::builder()
        .namespace("Application/DataPipeline")
        .service("orders")
        .sink(Sink::stdout())
        .build()?;
    // A unit of work: one document, at once.
    let mut work = metrics.event();
    work.dimension("Pipeline", "sales");
    work.put("ProcessingDuration", 1.275, Unit::Seconds);
    work.property("OrderId", "4711");
    work.emit();
    // Counts here and there: aggregated into one document until the flush.
    for _ in 0..250 {
        metrics.put_metric("ProcessedRecords", 1.0, Unit::Count, &[("Pipeline", "sales")]);
    }
    // The end of `main` waits for nothing.
    let report = metrics.flush(Duration::from_secs(1));
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
