use obs_metrics::{MetricEvent, MetricsCollector};

#[derive(MetricEvent)]
struct Tuple<'a>(#[metric] u64, &'a str);

#[derive(MetricEvent)]
struct Unit;

#[derive(MetricEvent)]
enum Outcome<T> {
    Paid { #[metric] amount: T },
    Refused,
}

#[derive(MetricEvent)]
union Either {
    a: u32,
    b: f32,
}

#[derive(MetricEvent)]
struct WithoutMetric {
    #[metric(dimension)]
    pipeline: &'static str,
}

#[derive(MetricEvent)]
#[metric(dimension_sets = [["Pipline"], ["Pipeline", "Pipeline"], ["Records"], ["Tier", "Pipeline"], [], ["Pipeline", "Tier"], []])]
struct Sets {
    #[metric(dimension)]
    pipeline: &'static str,
    #[metric(dimension)]
    tier: &'static str,
    #[metric]
    records: u64,
}

#[derive(MetricEvent)]
#[metric(dimension_sets = [])]
struct NoSet {
    #[metric]
    records: u64,
}

#[derive(MetricEvent)]
#[metric(dimension_sets([Pipeline]))]
struct NoText {
    #[metric]
    records: u64,
}

#[derive(MetricEvent)]
#[metric(dimension_sets = [["Pipeline"]])]
struct NoDimension {
    #[metric]
    records: u64,
}

fn emit(metrics: &MetricsCollector, either: &Either) {
    metrics.emit(&Tuple(1, "a"));
    metrics.emit(&Unit);
    metrics.emit(&Outcome::Paid { amount: 1 });
    metrics.emit(&Outcome::<u64>::Refused);
    metrics.emit(either);
    metrics.emit(&WithoutMetric { pipeline: "sales" });
    metrics.emit(&Sets { pipeline: "sales", tier: "gold", records: 1 });
    metrics.emit(&NoSet { records: 1 });
    metrics.emit(&NoText { records: 1 });
    metrics.emit(&NoDimension { records: 1 });
}

fn main() {}
