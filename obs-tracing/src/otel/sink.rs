//! Runs an exporter: from the lane's batches to exports, each accounted for.

use std::time::Duration;

use obs_core::Identity;
use obs_core::lane::{
    AsyncSink, Attempt, Delivery, LastFailure, Patience, Reason, Records, error_chain,
};
use obs_core::redact::Redactor;
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::trace::SpanData;
use tracing_core::dispatcher::{Dispatch, set_default};

use super::span_data::{resource, span_data};
use super::{EXPORT_TIMEOUT, ErasedExporter};
use crate::record::SpanRecord;
use crate::resource::Known;
use crate::road::Start;

/// Spans of one export: OpenTelemetry's default.
const MAX_BATCH: usize = 512;
/// How long an exporter may take to shut down, on the tracer's thread.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// Gives spans to an exporter.
pub(super) struct ExporterSink {
    exporter: Box<dyn ErasedExporter>,
    known: Known,
    service: Identity,
    redactor: Redactor,
    scope: InstrumentationScope,
    failure: LastFailure,
}

impl ExporterSink {
    pub(super) fn new(exporter: Box<dyn ErasedExporter>, start: Start) -> Self {
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Self {
            exporter,
            known: start.known,
            service: start.service,
            redactor: start.redactor,
            scope,
            failure: start.failure,
        }
    }

    async fn export(&self, batch: Vec<SpanData>, patience: &mut Patience, delivery: &Delivery<'_>) {
        let count = batch.len();
        let exporting = self.exporter.export(batch);
        let result = match patience.attempt(exporting, EXPORT_TIMEOUT, delivery).await {
            // Somebody waits: what the exporter keeps back must leave as well.
            Attempt::Ended(Ok(())) if delivery.deadline().is_some() => self.exporter.force_flush(),
            Attempt::Ended(result) => result,
            Attempt::OutOfTime(after) => {
                self.failure.set(format!("not exported within {after:?}"));
                return delivery.failed(count, Reason::SinkFailed);
            }
            Attempt::GivenUp => return delivery.failed(count, Reason::SinkFailed),
        };
        match result {
            Ok(()) => delivery.delivered(count),
            Err(error) => {
                self.failure.set(error_chain(&error));
                delivery.failed(count, Reason::SinkFailed);
            }
        }
    }
}

impl AsyncSink<Records<SpanRecord>> for ExporterSink {
    /// Every export is tried, whatever became of the one before it.
    async fn deliver(&mut self, batch: &mut Records<SpanRecord>, delivery: &Delivery<'_>) {
        // What the exporter logs and traces is caused by us.
        let _quiet = set_default(&Dispatch::none());
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        if let Some(known) = self.known.news(delivery) {
            self.exporter.set_resource(&resource(known));
        }
        let mut patience = Patience::default();
        let mut spans = Vec::new();
        for record in batch.drain() {
            spans.push(span_data(&record, &self.service, &self.redactor, &self.scope));
            if spans.len() == MAX_BATCH {
                self.export(std::mem::take(&mut spans), &mut patience, delivery).await;
            }
        }
        if !spans.is_empty() {
            self.export(spans, &mut patience, delivery).await;
        }
    }
}

impl Drop for ExporterSink {
    /// The lane has ended: everything was exported.
    fn drop(&mut self) {
        let _quiet = set_default(&Dispatch::none());
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        if let Err(error) = self.exporter.shutdown(SHUTDOWN) {
            self.failure.set(error_chain(&error));
        }
    }
}
