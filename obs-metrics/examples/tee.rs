//! Metrics to several places: `cargo run -p obs-metrics --example tee`.
//!
//! Standard output gets every document at once; the second place stands still, and delays nothing:
//! the report says what became of each.

#![expect(clippy::print_stderr, reason = "a program whose purpose is to print")]

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use obs_metrics::{Error, MetricsCollector, Sink, Unit};

/// A destination that takes nothing before it is told to.
struct Blocked(Receiver<()>);

impl Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Ends when the sender is dropped.
        let _ = self.0.recv();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    let (go_on, wait) = mpsc::channel();
    let metrics = MetricsCollector::builder()
        .namespace("Application/DataPipeline")
        .service("orders")
        // Each part has a queue and a thread of its own, with its own settings.
        .sink(Sink::tee([Sink::stdout(), Sink::writer(Blocked(wait)).capacity_bytes(64 * 1024)]))
        .build()?;
    for n in 0..3 {
        metrics.event().put("ProcessedRecords", f64::from(n), Unit::Count);
    }
    eprintln!("while one stands still: {}", metrics.flush(Duration::from_millis(200)));
    drop(go_on);
    eprintln!("when it goes on:        {}", metrics.flush(Duration::from_secs(5)));
    Ok(())
}
