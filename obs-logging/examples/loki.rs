//! Writes a few lines to stdout and to Loki.
//!
//! ```sh
//! docker run --rm -p 3100:3100 grafana/loki:3.3.2
//! cargo run -p obs-logging --features loki --example loki -- http://127.0.0.1:3100
//! ```

#![expect(clippy::print_stderr, reason = "a program prints")]

use std::process::ExitCode;
use std::time::Duration;

use obs_logging::StructuredLogger;
use obs_logging::loki::Loki;
use tracing_subscriber::prelude::*;

/// However Loki behaves, the program has ended by then.
const LIMIT: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:3100".to_owned());
    let mut loki = Loki::new(address).label("example", "loki").metadata("order_id");
    if let Ok(tenant) = std::env::var("LOKI_TENANT") {
        loki = loki.tenant(tenant);
    }
    if let (Ok(user), Ok(password)) = (std::env::var("LOKI_USER"), std::env::var("LOKI_PASSWORD")) {
        loki = loki.basic_auth(user, password);
    }
    let failure = loki.last_failure();
    let logger = match StructuredLogger::builder().service("loki-example").loki(loki).build() {
        Ok(logger) => logger,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    tracing_subscriber::registry().with(logger.layer()).init();

    for order_id in 4711..4714 {
        tracing::info!(order_id, amount = 12.5, "order accepted");
    }
    tracing::warn!(order_id = 4714, "order refused");

    let report = logger.shutdown(LIMIT);
    if report.is_complete() {
        return ExitCode::SUCCESS;
    }
    eprintln!("not everything arrived: {report}\nlast failure: {failure}");
    ExitCode::FAILURE
}
