//! Alerts against a real local HTTP server that speaks PutEvents and fails on demand.
//!
//! The scenarios are those of the project's list of what goes wrong; tests name their numbers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod child;
mod context;
mod delivery;
mod environment;
mod overload;
mod retry;
mod server;
mod shutdown;

use std::time::Duration;

use obs_alerts::{Alert, AlertPublisher, AlertPublisherBuilder, Retry, Severity};

use server::EventBus;

/// Long enough for anything that works, on a machine that is busy.
const LONG: Duration = Duration::from_secs(20);

/// A publisher of alerts to `bus` that tries again quickly.
fn builder(bus: &EventBus) -> AlertPublisherBuilder {
    AlertPublisher::builder()
        .source("myapp.alerts")
        .bus("observability")
        .service("orders")
        .environment("test")
        .config(&bus.config())
        .retry(Retry::default().base(Duration::from_millis(5)).cap(Duration::from_millis(20)))
}

fn publisher(bus: &EventBus) -> AlertPublisher {
    builder(bus).build().unwrap()
}

/// A high alert that says `message`.
fn alert(message: impl Into<String>) -> Alert {
    Alert::new(Severity::High, message)
}

/// `n` alerts that say their number, from 0.
fn publish_numbered(alerts: &AlertPublisher, n: usize) {
    for number in 0..n {
        alerts.publish(alert(number.to_string()));
    }
}
