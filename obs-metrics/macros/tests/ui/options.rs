use std::time::SystemTime;

use obs_metrics::{MetricEvent, MetricsCollector};

#[derive(MetricEvent)]
#[metric(
    rename_all = "Title Case",
    message = 17,
    crate = 5,
    dimension,
    colour = "red",
    dimension_sets = "Pipeline",
)]
struct Options {
    unmarked: u64,
    #[metric(unti = Seconds)]
    unknown: f64,
    #[metric(unit = Secnods)]
    misspelt: f64,
    #[metric(unit = "bytes/second")]
    as_text: f64,
    #[metric(unit = Furlongs)]
    no_unit: f64,
    #[metric(unit(Seconds))]
    list: f64,
    #[metric(unit = )]
    lacking: f64,
    #[metric(unit = 1 + 1)]
    sum: f64,
    #[metric(dimension, unit = Count, high_resolution)]
    dimension: &'static str,
    #[metric(property, high_resolution)]
    property: &'static str,
    #[metric(dimension, property)]
    both: &'static str,
    #[metric(dimension = "Tier")]
    valued: &'static str,
    #[metric(dimension dimension)]
    no_comma: &'static str,
    #[metric(property, "Tier")]
    no_key: &'static str,
    #[metric(property, name = concat!("a", "b"))]
    computed: &'static str,
    #[metric = "Tier"]
    assigned: &'static str,
    #[metric(name = "a", name = "b")]
    twice: u8,
    #[metric(timestamp, name = "At")]
    at: SystemTime,
    #[metric(timestamp)]
    at_again: SystemTime,
    #[metric(message)]
    text: String,
    #[metric(message, unit = Count)]
    text_again: String,
    #[metric(skip, name = "Skipped")]
    skipped: (),
    #[metric(rename_all = "none", rename = "x")]
    misplaced: u8,
}

fn emit(metrics: &MetricsCollector, options: &Options) {
    // The implementation is there, whatever is wrong with the attributes: no error here.
    metrics.emit(options);
}

fn main() {}
