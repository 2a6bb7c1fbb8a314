//! Metrics to the CloudWatch agent: `cargo run -p obs-metrics --example agent -- [address]`.
//!
//! The address is that of an agent, for example `tcp://127.0.0.1:25888` or `udp://127.0.0.1:25888`.
//! Without one, it listens itself and prints what the agent would get.

#![expect(clippy::print_stdout, reason = "a program whose purpose is to print")]

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use obs_metrics::{MetricsCollector, Sink, Unit};

fn main() -> Result<(), Box<dyn Error>> {
    let mut stand_in = None;
    let address = match std::env::args().nth(1) {
        Some(address) => address,
        None => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = format!("tcp://{}", listener.local_addr()?);
            stand_in = Some(thread::spawn(move || print_lines(&listener)));
            address
        }
    };
    let metrics = MetricsCollector::builder()
        .namespace("Application/DataPipeline")
        .service("orders")
        // `Sink::agent_from_env()` reads both from the environment.
        .sink(Sink::agent(address).log_group("/application/orders"))
        .build()?;
    let mut work = metrics.event();
    work.dimension("Pipeline", "sales");
    work.put("ProcessingDuration", 1.275, Unit::Seconds);
    work.property("OrderId", "4711");
    work.emit();
    metrics.put_metric("ProcessedRecords", 250.0, Unit::Count, &[("Pipeline", "sales")]);
    // Without an agent it says what is still pending when its time is over.
    println!("{}", metrics.shutdown(Duration::from_secs(2)));
    // The connection ends with the sink.
    drop(metrics);
    if let Some(stand_in) = stand_in {
        let _ = stand_in.join();
    }
    Ok(())
}

/// Prints what comes on the first connection.
fn print_lines(listener: &TcpListener) {
    let Ok((connection, _)) = listener.accept() else { return };
    for line in BufReader::new(connection).lines().map_while(Result::ok) {
        println!("the agent gets {line}");
    }
}
