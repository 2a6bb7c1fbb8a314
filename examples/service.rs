//! A program outside Lambda: logs, metrics and traces, set up by hand and flushed at the end.
//!
//! `cargo run --example service` prints log lines and EMF documents; traces go to the X-Ray daemon
//! at `AWS_XRAY_DAEMON_ADDRESS`, default 127.0.0.1:2000. Where none listens, the report says so.

#![expect(clippy::print_stderr, reason = "a program tells its user what it could not deliver")]

use std::time::Duration;

use obs::metrics::Sink;
use obs::prelude::*;
use obs::tracing::{Sampler, XRay};
use tracing_subscriber::prelude::*;

#[traced(annotate(pipeline = pipeline))]
fn process(pipeline: &str, records: &[u32]) -> u32 {
    info!(records = records.len(), "Starting batch processing");
    trace_function!("sum", { records.iter().sum() })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let metrics = MetricsCollector::builder()
        .namespace("Application/DataPipeline")
        .service("orders")
        .dimension("Environment", "dev")
        .sink(Sink::stdout())
        .build()?;
    let logger = StructuredLogger::builder().service("orders").level("info").build()?;
    let tracer = XRay::builder().service("orders").sampler(Sampler::always()).daemon().build()?;
    tracing_subscriber::registry().with(logger.layer()).with(tracer.layer()).init();

    let sum = process("sales", &[1, 2, 3]);
    metrics.put_metric("ProcessedRecords", 3.0, Unit::Count, &[("Pipeline", "sales")]);
    metrics.record_data_quality_score("sales", 98.6);
    info!(sum, "Batch processing completed");

    let limit = Duration::from_secs(2);
    let report =
        metrics.shutdown(limit).merge(tracer.shutdown(limit)).merge(logger.shutdown(limit));
    if !report.is_complete() {
        eprintln!("Not everything was delivered: {report}");
    }
    Ok(())
}
