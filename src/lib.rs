// The README shows the whole family: it compiles with all of it.
#![cfg_attr(all(feature = "lambda", feature = "alerts"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "lambda", feature = "alerts")),
    doc = "Metrics, logs, traces and alerts for applications on AWS: the facade of the Obs crates."
)]

pub mod prelude;

#[cfg(feature = "alerts")]
pub use obs_alerts as alerts;
pub use obs_core as core;
#[cfg(feature = "lambda")]
pub use obs_lambda as lambda;
#[cfg(feature = "logging")]
pub use obs_logging as logging;
#[cfg(feature = "metrics")]
pub use obs_metrics as metrics;
#[cfg(feature = "tracing")]
pub use obs_tracing as tracing;
#[cfg(feature = "tracing")]
pub use obs_tracing::{trace_function, traced};

/// The metrics of the current request where it has its own, else the process's: those that
/// `obs::lambda::run` or [`core::handle::set_default`] installed, else ones made
/// from the environment at first use.
///
/// A setting of the environment that is wrong switches metrics off, and a log line says why.
///
/// ```
/// use obs::metrics::Unit;
///
/// obs::metrics().put_metric("ProcessedRecords", 250.0, Unit::Count, &[("Pipeline", "sales")]);
/// ```
#[cfg(feature = "metrics")]
pub fn metrics() -> obs_metrics::MetricsCollector {
    let collector = core::handle::current_or_insert_with(|| {
        obs_metrics::MetricsCollector::from_env().unwrap_or_else(|error| {
            ::tracing::warn!(%error, "Metrics are off");
            obs_metrics::MetricsCollector::disabled()
        })
    });
    (*collector).clone()
}

/// The alerts of the current request where it has its own, else the process's; made from the
/// environment at first use if nobody installed any.
///
/// Without `OBS_ALERTS_BUS`, or with a wrong setting, alerts are off; a log line says so.
#[cfg(feature = "alerts")]
pub fn alerts() -> obs_alerts::AlertPublisher {
    let publisher = core::handle::current_or_insert_with(|| {
        obs_alerts::AlertPublisher::from_env().unwrap_or_else(|error| {
            ::tracing::warn!(%error, "Alerts are off");
            obs_alerts::AlertPublisher::disabled()
        })
    });
    (*publisher).clone()
}

/// What the macros expand to; not for users.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "metrics")]
    pub use obs_metrics;
    #[cfg(feature = "tracing")]
    pub use obs_tracing;
}
