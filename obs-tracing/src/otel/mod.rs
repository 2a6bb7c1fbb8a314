//! OpenTelemetry: spans for any of its exporters, and its context for libraries that know nothing
//! else. Feature `otel`.
//!
//! The only module in whose interface there are types of opentelemetry (0.33): they break with each of
//! its releases.
//!
//! ```
//! use obs_tracing::{XRay, trace_function};
//! use opentelemetry_sdk::error::OTelSdkResult;
//! use opentelemetry_sdk::trace::{SpanData, SpanExporter};
//! use std::time::Duration;
//! use tracing_subscriber::prelude::*;
//!
//! /// Any exporter: opentelemetry-aws's, opentelemetry-otlp's, opentelemetry-stdout's.
//! #[derive(Debug)]
//! struct Print;
//!
//! impl SpanExporter for Print {
//!     async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
//!         batch.iter().for_each(|span| println!("{} {:?}", span.name, span.status));
//!         Ok(())
//!     }
//! }
//!
//! let tracer = XRay::builder().exporter(Print).activate_context().build()?;
//! let subscriber = tracing_subscriber::registry().with(tracer.layer());
//! tracing::subscriber::with_default(subscriber, || {
//!     trace_function!("charge", {
//!         use opentelemetry::trace::TraceContextExt;
//!         // A span of OpenTelemetry's own that is begun here has this one as its parent.
//!         assert!(opentelemetry::Context::current().span().span_context().is_valid());
//!     });
//! });
//! assert!(tracer.flush(Duration::from_secs(5)).is_complete());
//! # Ok::<(), obs_tracing::Error>(())
//! ```
//!
//! # What becomes of what is recorded
//!
//! The same as over OTLP (see the README), but for what is structured: OpenTelemetry's attributes are
//! scalars and lists, so objects are JSON as text.
//!
//! # How an exporter is run
//!
//! On the tracer's own thread, on a Tokio runtime there, 512 spans at a time; what it logs and traces
//! itself is left out, and OpenTelemetry's suppression is on. A batch that fails is counted and does
//! not stop the next; so is one that takes longer than [`EXPORT_TIMEOUT`], or than who waits for it.
//! Retries are the exporter's own. While a flush waits it is told to flush as well, and at the tracer's
//! end to shut down.

mod activation;
mod sink;
mod span_data;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use obs_core::lane::{Lane, LaneBuilder, Records};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use crate::error::Error;
use crate::record::SpanRecord;
use crate::road::{Road, Start};
use crate::tracer::XRayBuilder;
use sink::ExporterSink;

pub(crate) use activation::{activate, deactivate};

/// How long one export may take: OpenTelemetry's default.
pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(30);

impl XRayBuilder {
    /// Gives finished spans to an OpenTelemetry exporter; see [`otel`](crate::otel). Feature `otel`.
    ///
    /// An exporter belongs to one tracer: of a builder that was cloned, the second `build` is an error.
    pub fn exporter(self, exporter: impl SpanExporter + 'static) -> Self {
        self.takes(Road::Exporter(Handover::new(exporter)))
    }

    /// Makes each span OpenTelemetry's current one while it is entered, so that spans which libraries
    /// begin by OpenTelemetry's own interface hang below it, and its propagators send its ids. Costs
    /// about 100 ns each time a span is entered. Feature `otel`.
    pub fn activate_context(self) -> Self {
        self.activating()
    }
}

/// An exporter on its way to the tracer that takes it.
#[derive(Clone)]
pub(crate) struct Handover(Arc<Mutex<Option<Box<dyn ErasedExporter>>>>);

impl Handover {
    fn new(exporter: impl SpanExporter + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(exporter)))))
    }

    pub(crate) fn start(
        self,
        lane: LaneBuilder<Records<SpanRecord>>,
        start: Start,
    ) -> Result<Lane<Records<SpanRecord>>, Error> {
        let exporter = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let exporter = exporter.ok_or_else(|| {
            Error::road("the exporter is another tracer's already; give each tracer its own")
        })?;
        lane.start_async(ExporterSink::new(exporter, start))
            .map_err(|error| Error::road(format!("the exporter's runtime: {error}")))
    }
}

impl fmt::Debug for Handover {
    /// Not the exporter itself, which may show secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handover")
    }
}

/// [`SpanExporter`] as an object.
trait ErasedExporter: Send + Sync {
    fn export<'a>(
        &'a self,
        batch: Vec<SpanData>,
    ) -> Pin<Box<dyn Future<Output = OTelSdkResult> + Send + 'a>>;
    fn force_flush(&self) -> OTelSdkResult;
    fn shutdown(&self, limit: Duration) -> OTelSdkResult;
    fn set_resource(&mut self, resource: &Resource);
}

impl<E: SpanExporter> ErasedExporter for E {
    fn export<'a>(
        &'a self,
        batch: Vec<SpanData>,
    ) -> Pin<Box<dyn Future<Output = OTelSdkResult> + Send + 'a>> {
        Box::pin(SpanExporter::export(self, batch))
    }

    fn force_flush(&self) -> OTelSdkResult {
        SpanExporter::force_flush(self)
    }

    fn shutdown(&self, limit: Duration) -> OTelSdkResult {
        self.shutdown_with_timeout(limit)
    }

    fn set_resource(&mut self, resource: &Resource) {
        SpanExporter::set_resource(self, resource);
    }
}
