#![doc = include_str!("../README.md")]

mod aggregate;
mod business;
#[cfg(test)]
mod capture;
mod census;
#[cfg(feature = "cloudwatch")]
pub mod cloudwatch;
mod collector;
mod datum;
#[cfg(test)]
mod derive_rules;
mod dimensions;
mod distribution;
pub mod emf;
mod encode;
mod error;
mod event;
mod handle;
mod hash;
mod health;
mod invocation;
pub mod limits;
mod line;
#[cfg(feature = "metrics-rs")]
pub mod metrics_rs;
mod names;
#[cfg(feature = "otlp")]
pub mod otlp;
mod plan;
mod preview;
mod pricing;
mod property;
mod self_metrics;
mod series;
mod sink;
mod stats;
pub mod test;
mod typed;
mod unit;

pub use business::{BusinessMetricsTracker, Kpi};
pub use census::{DEFAULT_SERIES_PER_METRIC, OVERFLOW};
#[cfg(feature = "cloudwatch")]
pub use cloudwatch::CloudWatch;
pub use collector::{DEFAULT_NAMESPACE, MetricsCollector, MetricsCollectorBuilder};
pub use error::Error;
pub use event::Event;
pub use handle::{Counter, Gauge, Histogram, MetricBuilder, Timer, TimerGuard};
pub use health::CollectorHealth;
pub use names::LINE_KEYS;
pub use obs_core::lane::FlushReport;
pub use obs_core::redact::Redactor;
pub use obs_metrics_macros::MetricEvent;
#[cfg(feature = "otlp")]
pub use otlp::Otlp;
pub use preview::{BillableSeries, MetricSummary, Preview};
pub use pricing::Prices;
pub use property::PropertyValue;
#[cfg(feature = "file")]
pub use sink::Rotation;
pub use sink::Sink;
pub use stats::Stats;
pub use typed::{DimensionValue, MetricEvent, MetricValue, PropertySource, Values};
pub use unit::{Resolution, Unit};

/// What `#[derive(MetricEvent)]` expands to. Nothing here is stable.
#[doc(hidden)]
pub mod __private {
    pub use crate::typed::{Field, Fields, Shape};
}
