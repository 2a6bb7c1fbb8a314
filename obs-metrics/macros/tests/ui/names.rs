use obs_metrics::{MetricEvent, MetricsCollector};

#[derive(MetricEvent)]
#[metric(rename_all = "snake_case", message = "never seen")]
struct Names<'a, T> {
    #[metric(dimension)]
    level: &'a str,
    #[metric(dimension)]
    größe: &'a str,
    #[metric(dimension, name = ":status")]
    status: &'a str,
    #[metric(dimension, name = " ")]
    blank: &'a str,
    #[metric(name = "")]
    empty: T,
    #[metric(name = "two\nlines")]
    lines: u8,
    #[metric(name = "trace_id")]
    line_key: u8,
    #[metric(property)]
    message: &'a str,
    #[metric(name = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
    long_metric: u8,
    #[metric(dimension, name = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789x")]
    long_dimension: u8,
    #[metric(property, name = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789y")]
    long_enough: u8,
    #[metric]
    records: u8,
    #[metric(property, name = "records")]
    again: u8,
    #[metric(dimension, name = "records")]
    and_again: u8,
    #[metric(message)]
    text: String,
}

fn emit(metrics: &MetricsCollector, names: &Names<'_, u64>) {
    metrics.emit(names);
}

fn main() {}
