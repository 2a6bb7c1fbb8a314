//! Documents to any writer: here a buffer, which is printed at the end.
//!
//! ```sh
//! cargo run -p obs-metrics --example writer
//! ```

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use obs_metrics::{MetricsCollector, Sink, Unit};

/// One line a `write`, `flush` after each batch: a socket, a pipe or a compressor would do as well.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let buffer = Buffer::default();
    let metrics = MetricsCollector::builder()
        .namespace("Application/DataPipeline")
        .service("orders")
        .sink(Sink::writer(buffer.clone()))
        .build()?;
    metrics.event().dimension("Pipeline", "sales").put("ProcessedRecords", 250.0, Unit::Count);
    let report = metrics.flush(Duration::from_secs(1));
    let lines = buffer.0.lock().unwrap_or_else(PoisonError::into_inner);
    io::stdout().write_all(&lines)?;
    writeln!(io::stderr(), "{report}")?;
    Ok(())
}
