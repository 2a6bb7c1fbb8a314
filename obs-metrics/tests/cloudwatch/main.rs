//! `Sink::cloudwatch` against a real local HTTP server that speaks PutMetricData and fails on demand.
//!
//! The scenarios are those of the project's list of what goes wrong; tests name their numbers. The
//! server refuses, and a test fails, where a request breaks one of the service's limits.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cbor;
mod connection;
mod delivery;
mod environment;
mod limits;
mod losses;
mod retry;
mod server;

use std::time::Duration;

use obs_metrics::{CloudWatch, MetricsCollector, MetricsCollectorBuilder, Sink, Unit};

use server::Service;

/// Long enough for anything that works, on a machine that is busy.
const LONG: Duration = Duration::from_secs(30);
/// A deadline that is meant to be missed.
const SHORT: Duration = Duration::from_millis(300);

fn builder(sink: impl Into<Sink>) -> MetricsCollectorBuilder {
    MetricsCollector::builder()
        .namespace("App")
        .service("orders")
        .environment("test")
        .sink(sink.into())
        .enabled(true)
}

/// A collector whose series go to `service`.
fn collector(service: &Service) -> MetricsCollector {
    builder(Sink::cloudwatch(&service.config())).build().unwrap()
}

fn cloudwatch(service: &Service) -> CloudWatch {
    CloudWatch::new(&service.config())
}

/// Records `n` series that are named for their numbers, from 0.
fn put_numbered(metrics: &MetricsCollector, n: usize) {
    for number in 0..n {
        metrics.put_metric(&format!("N{number}"), 1.0, Unit::Count, &[]);
    }
}

/// The names that [`put_numbered`] gives, in order.
fn numbered(n: usize) -> Vec<String> {
    let mut names: Vec<String> = (0..n).map(|number| format!("N{number}")).collect();
    names.sort();
    names
}
