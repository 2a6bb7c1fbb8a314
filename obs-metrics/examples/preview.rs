//! What a service's metrics will cost, before they are on the bill: `cargo run -p obs-metrics
//! --example preview`.
//!
//! It records an hour of a shop in a moment, into a sink that throws it away. One dimension is a
//! mistake, and the table shows it.

use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use obs_metrics::{MetricsCollector, Prices, Sink, Unit};

fn main() -> Result<(), Box<dyn Error>> {
    let metrics = MetricsCollector::builder()
        .namespace("Shop")
        .service("checkout")
        .dimension("Environment", "prod")
        .sink(Sink::null())
        .series_per_metric(200)
        .build()?;
    for order in 0..5_000_u32 {
        let country = ["AT", "CH", "DE", "FR"][(order % 4) as usize];
        let mut work = metrics.event();
        work.dimension("Country", country);
        work.put("Orders", 1.0, Unit::Count);
        work.put("Duration", f64::from(order % 97) / 1e3, Unit::Seconds);
        work.property("OrderId", u64::from(order));
        work.emit();
        // An id is no dimension: each is a metric on the bill.
        let customer = format!("c-{}", order % 1_700);
        metrics.put_metric("Revenue", 12.5, Unit::None, &[("Customer", &customer)]);
    }
    let report = metrics.flush(Duration::from_secs(5));

    let preview = metrics.preview();
    let mut out = io::stdout().lock();
    writeln!(out, "{preview}\n")?;
    let unbounded = Prices::us_east_1().metrics(preview.len() as u64 - 201 + 1_700);
    writeln!(
        out,
        "Without a budget it would be ${unbounded:.2} a month, and more with each customer."
    )?;
    writeln!(out, "{report}\n{}", metrics.health())?;
    Ok(())
}
