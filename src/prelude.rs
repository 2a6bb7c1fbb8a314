//! What most programs use: `use obs::prelude::*;`.

#[cfg(feature = "alerts")]
pub use obs_alerts::{Alert, AlertPublisher, Severity};
pub use obs_core::context::{InContextExt, RequestContext};
pub use obs_core::redact::Sensitive;
#[cfg(feature = "lambda")]
pub use obs_lambda::{Error, LambdaEvent};
#[cfg(feature = "logging")]
pub use obs_logging::{StructuredLogger, append};
#[cfg(feature = "metrics")]
pub use obs_metrics::{BusinessMetricsTracker, MetricEvent, MetricsCollector, Unit};
#[cfg(feature = "tracing")]
pub use obs_tracing::{TracedExt, TracingHelper, trace_function, traced};
pub use tracing::{debug, error, info, trace, warn};
