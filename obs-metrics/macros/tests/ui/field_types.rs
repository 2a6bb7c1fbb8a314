use std::collections::HashMap;

use obs_metrics::{MetricEvent, MetricsCollector};

#[derive(MetricEvent)]
struct Types<T> {
    #[metric(dimension)]
    share: f64,
    #[metric(unit = Bytes)]
    by_name: HashMap<String, u64>,
    #[metric(timestamp)]
    millis: u64,
    #[metric(message)]
    code: u32,
    #[metric]
    generic: T,
}

fn emit(metrics: &MetricsCollector, types: &Types<&'static str>) {
    metrics.emit(types);
}

fn main() {}
