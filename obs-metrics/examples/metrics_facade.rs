//! Metrics that crates record through the `metrics` facade, as EMF documents on standard output.
//!
//! `cargo run -p obs-metrics --example metrics_facade --features metrics-rs`

#![expect(clippy::print_stderr, reason = "a program tells its user what it could not deliver")]

use std::time::Duration;

use metrics::{Unit, counter, describe_histogram, gauge, histogram};
use obs_metrics::metrics_rs::Recorder;
use obs_metrics::{MetricsCollector, Sink};

/// As in a library that knows the facade alone.
fn handle_request(method: &'static str, took: Duration) {
    counter!("http.requests", "method" => method).increment(1);
    histogram!("http.duration", "method" => method).record(took);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let collector = MetricsCollector::builder()
        .namespace("Shop")
        .service("storefront")
        .sink(Sink::stdout())
        .build()?;
    // The address of a client would make a metric of each client.
    Recorder::new(collector.clone()).without_label("client").install()?;

    describe_histogram!("http.duration", Unit::Seconds, "Time from request to response.");
    for n in 1..=100 {
        handle_request("GET", Duration::from_millis(n % 10));
    }
    handle_request("PUT", Duration::from_millis(125));
    gauge!("queue.depth").set(17.0);

    // The recorder lives as long as the process: nothing flushes it but this.
    let report = collector.shutdown(Duration::from_secs(2));
    if !report.is_complete() {
        eprintln!("Not everything was delivered: {report}");
    }
    Ok(())
}
