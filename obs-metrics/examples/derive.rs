//! Units of work as types: `cargo run -p obs-metrics --example derive`.
//!
//! Each order becomes one line on standard output: from it, CloudWatch makes the metrics, and it is
//! the log line of that order.

use std::time::{Duration, Instant};

use obs_metrics::{MetricEvent, MetricsCollector, Sink};

#[derive(MetricEvent)]
#[metric(message = "order processed")]
struct OrderProcessed<'a> {
    /// Each pipeline has metrics of its own.
    #[metric(dimension)]
    pipeline: &'a str,
    #[metric(unit = Seconds)]
    processing_duration: Duration,
    #[metric(unit = Count)]
    processed_records: u64,
    /// Left out of the line where nothing was refused.
    #[metric(unit = Count)]
    refused_records: Option<u64>,
    #[metric(unit = Bytes)]
    record_sizes: Vec<f64>,
    /// To find the line in the log; no metric is made of it.
    #[metric(property)]
    order_id: &'a str,
    #[metric(skip)]
    records: &'a [&'a str],
}

fn main() -> Result<(), obs_metrics::Error> {
    let metrics = MetricsCollector::builder()
        .namespace("Application/DataPipeline")
        .service("orders")
        .dimension("Environment", "dev")
        .sink(Sink::stdout())
        .build()?;
    let orders: [(&str, &[&str]); 2] =
        [("4711", &["apples,3", "pears,4"]), ("4712", &["plums,1", "?", "quinces,20"])];
    for (order_id, records) in orders {
        metrics.emit(&process(order_id, records));
    }
    let report = metrics.flush(Duration::from_secs(1));
    if !report.is_complete() {
        std::process::exit(1);
    }
    Ok(())
}

fn process<'a>(order_id: &'a str, records: &'a [&'a str]) -> OrderProcessed<'a> {
    let began = Instant::now();
    let refused = records.iter().filter(|record| !record.contains(',')).count();
    let mut work = OrderProcessed {
        pipeline: "sales",
        processing_duration: Duration::ZERO,
        processed_records: 0,
        refused_records: u64::try_from(refused).ok().filter(|refused| *refused > 0),
        record_sizes: Vec::new(),
        order_id,
        records,
    };
    for record in work.records.iter().filter(|record| record.contains(',')) {
        work.processed_records += 1;
        work.record_sizes.push(f64::from(u32::try_from(record.len()).unwrap_or(u32::MAX)));
    }
    work.processing_duration = began.elapsed();
    work
}
