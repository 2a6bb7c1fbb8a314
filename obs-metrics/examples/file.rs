//! Metrics in a file that is rotated: `cargo run -p obs-metrics --features file --example file -- [path]`.
//!
//! Without a path it writes into a folder of its own and removes it again. The files are small here,
//! so that one sees them rotate.

#![expect(clippy::print_stdout, reason = "a program whose purpose is to print")]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use obs_metrics::{MetricsCollector, Rotation, Sink, Unit};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let given = std::env::args_os().nth(1).map(PathBuf::from);
    let path = given.unwrap_or_else(|| folder.path().join("metrics.log"));
    let metrics = MetricsCollector::builder()
        .namespace("Application/DataPipeline")
        .service("orders")
        .sink(Sink::rotating_file(&path, Rotation::at_bytes(1_000).daily().keep(2)))
        .build()?;
    for n in 0..10 {
        metrics.event().put("ProcessedRecords", f64::from(n), Unit::Count);
    }
    println!("{}", metrics.flush(Duration::from_secs(1)));
    for old in ["", ".1", ".2"] {
        let mut name = path.clone().into_os_string();
        name.push(old);
        if let Ok(text) = fs::read_to_string(&name) {
            println!("{}: {} documents", PathBuf::from(name).display(), text.lines().count());
        }
    }
    Ok(())
}
