//! Logs, metrics, traces and alerts of a Lambda function, set up from the environment.

use std::time::Duration;

#[cfg(feature = "alerts")]
use obs_alerts::AlertPublisher;
use obs_core::context::InContextExt;
use obs_core::{FlushReport, RequestContext, env, handle};
use obs_logging::StructuredLogger;
use obs_metrics::MetricsCollector;
use obs_tracing::{Sampler, XRay, XRayTracer};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

use lambda_runtime::Error;

/// Everything that a function records with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Telemetry {
    metrics: MetricsCollector,
    logger: StructuredLogger,
    tracer: Option<XRayTracer>,
    #[cfg(feature = "alerts")]
    alerts: AlertPublisher,
}

impl Telemetry {
    /// Sets everything up from the environment.
    ///
    /// In Lambda logs and EMF documents are written to stdout on the caller's thread, one write a
    /// line, because the environment may be frozen at any time after the response. Traces go to the
    /// X-Ray daemon over UDP, unless `OBS_TRACES` says otherwise; `OBS_TRACES=none` or `OTEL_SDK_DISABLED=true` switches them off.
    /// Alerts (feature `alerts`) go to the bus that `OBS_ALERTS_BUS` names; without it they are
    /// switched off.
    ///
    /// A panic is a line, redacted as any other, and nothing else: the panic hook that was set before
    /// [`Telemetry::install`] is not called for it, because the standard library's prints the panic's
    /// text, as it is, to stderr, which Lambda puts into the same log group. For a hook of your own
    /// there is [`Telemetry::with_logger`], with a logger that calls it.
    ///
    /// # Errors
    ///
    /// A variable holds what it must not; the message names the variable and the value.
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self {
            metrics: MetricsCollector::from_env()?,
            // The standard library's hook prints the text, unredacted, to stderr: the same log group.
            logger: StructuredLogger::builder().panic_hook_before(false).build()?,
            tracer: tracer()?,
            #[cfg(feature = "alerts")]
            alerts: alerts()?,
        })
    }

    /// Logs with `logger` instead: one that holds debug lines until their invocation fails, say. It
    /// should write at once ([`StructuredLoggerBuilder::synchronous`]), as by default it does in Lambda,
    /// and say what becomes of the panic hook before it ([`StructuredLoggerBuilder::panic_hook_before`],
    /// which is called if nothing is said).
    ///
    /// ```no_run
    /// use obs_lambda::Telemetry;
    /// use obs_logging::StructuredLogger;
    ///
    /// # fn main() -> Result<(), obs_lambda::Error> {
    /// let logger = StructuredLogger::builder()
    ///     .buffer_until_error(64 * 1024)
    ///     .panic_hook_before(false) // it would print the panic's text to stderr, unredacted
    ///     .build()?;
    /// let telemetry = Telemetry::from_env()?.with_logger(logger);
    /// telemetry.install();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`StructuredLoggerBuilder::synchronous`]: obs_logging::StructuredLoggerBuilder::synchronous
    /// [`StructuredLoggerBuilder::panic_hook_before`]: obs_logging::StructuredLoggerBuilder::panic_hook_before
    #[must_use = "telemetry is changed by value"]
    pub fn with_logger(mut self, logger: StructuredLogger) -> Self {
        self.logger = logger;
        self
    }

    /// The metrics of this process.
    pub fn metrics(&self) -> &MetricsCollector {
        &self.metrics
    }

    /// The logger of this process.
    pub fn logger(&self) -> &StructuredLogger {
        &self.logger
    }

    /// The tracer of this process, unless traces are switched off.
    pub fn tracer(&self) -> Option<&XRayTracer> {
        self.tracer.as_ref()
    }

    /// The alerts of this process; disabled where no bus is configured.
    #[cfg(feature = "alerts")]
    pub fn alerts(&self) -> &AlertPublisher {
        &self.alerts
    }

    /// Makes this the process's telemetry: the global `tracing` subscriber, the default metrics and
    /// alerts, and a panic hook that logs each panic with the ids of its invocation. If there is a
    /// global subscriber already, it stays, and a warning in its log says so; metrics and alerts work
    /// all the same.
    pub fn install(&self) {
        handle::set_default(self.metrics.clone());
        #[cfg(feature = "alerts")]
        handle::set_default(self.alerts.clone());
        // The runtime logs a handler's error again, after the invocation and so without its ids.
        let logs = self.logger.layer().with_filter(filter_fn(|metadata| {
            metadata.target() != "lambda_runtime::layers::panic"
        }));
        let traces = self.tracer.as_ref().map(XRayTracer::layer);
        // Not `try_init`, which with some features of tracing-subscriber sets a logger of its own.
        let subscriber = tracing_subscriber::registry().with(logs).with(traces);
        if tracing::subscriber::set_global_default(subscriber).is_err() {
            tracing::warn!(
                "A global tracing subscriber is set already: Obs adds neither its logs nor its traces"
            );
            return;
        }
        self.logger.install_panic_hook();
        if let Err(error) = self.logger.bridge_log() {
            tracing::warn!(%error, "Records of the log crate are not logged");
        }
    }

    /// Ends an invocation: its metrics are written, and everything is delivered, alerts first.
    pub(crate) async fn finish(&self, context: &RequestContext, limit: Duration) {
        self.metrics.finish_invocation(context);
        // In its context, so that what other invocations have aggregated stays with them.
        let report = self.flush(limit).in_context(context.clone()).await;
        if !report.is_complete() {
            let _entered = context.enter();
            tracing::warn!(report = %report, "Telemetry was not delivered in full");
        }
    }

    /// Delivers everything that was recorded before this call, alerts first, within `limit`.
    pub async fn flush(&self, limit: Duration) -> FlushReport {
        // All begin now, so that one that is slow does not take the others' time.
        #[cfg(feature = "alerts")]
        let alerts = self.alerts.flush_async(limit);
        let traces = self.tracer.as_ref().map(|tracer| tracer.flush_async(limit));
        let metrics = self.metrics.flush_async(limit);
        let logs = self.logger.flush_async(limit);

        let mut report = FlushReport::empty();
        #[cfg(feature = "alerts")]
        {
            report = report.merge(alerts.await);
        }
        if let Some(traces) = traces {
            report = report.merge(traces.await);
        }
        report.merge(metrics.await).merge(logs.await)
    }
}

fn tracer() -> Result<Option<XRayTracer>, Error> {
    if env::flag(env::TRACES_DISABLED) || env::first(env::TRACES).as_deref() == Some("none") {
        return Ok(None);
    }
    // Lambda has decided: its header says whether the trace is sampled. Without a header, everything
    // is. The road is the environment's: the daemon, unless `OBS_TRACES` says otherwise.
    let sampler = Sampler::parent_or(Sampler::always());
    Ok(Some(XRay::builder().sampler(sampler).build()?))
}

#[cfg(feature = "alerts")]
fn alerts() -> Result<AlertPublisher, Error> {
    if env::first(env::ALERTS_BUS).is_none() {
        return Ok(AlertPublisher::disabled());
    }
    Ok(AlertPublisher::from_env()?)
}
