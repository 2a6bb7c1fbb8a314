//! Spans, beside tracing-opentelemetry with the batch processor of opentelemetry_sdk and an exporter
//! that counts spans and forgets them.
//!
//! A trace has 11 spans: a root and ten below it, one after the other. Figures are for one span on
//! the thread that makes it; what is queued is delivered between samples, untimed, so that nothing
//! is dropped on either side, which is checked at the end.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obs_benches::{Operation, Suite};
use obs_tracing::{Sampler, XRay, traced};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, Sampler as OtelSampler, SdkTracer, SdkTracerProvider, SpanData,
    SpanExporter,
};
use tracing::info_span;
use tracing::subscriber::set_default;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt as _;

const CHILDREN: u32 = 10;
const SPANS: u32 = CHILDREN + 1;
const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let mut suite = Suite::from_args("tracing");
    // First: a process that has had a subscriber does not go back to having none.
    no_subscriber(&mut suite);
    spans(&mut suite, "sampled span", Sampler::always(), OtelSampler::AlwaysOn)?;
    spans(&mut suite, "unsampled span", Sampler::never(), OtelSampler::AlwaysOff)?;
    suite.finish()?;
    Ok(())
}

fn no_subscriber(suite: &mut Suite) {
    suite
        .case("no subscriber")
        .ours("#[traced]", Operation::new(traced_child).allocates_at_most(0))
        .peer("a span of tracing's", Operation::new(span_child))
        .done();
}

fn spans(
    suite: &mut Suite,
    name: &str,
    sampler: Sampler,
    otel_sampler: OtelSampler,
) -> Result<(), Box<dyn Error>> {
    let is_sampled = sampler == Sampler::always();
    let case = suite.case(name);

    let tracer = XRay::builder().service("orders").sampler(sampler).discard().build()?;
    let mut made = 0;
    let case = {
        // One after the other: a subscriber that lives has a say in which callsites are enabled.
        let _subscriber = set_default(Registry::default().with(tracer.layer()));
        let operation = Operation::new(|| {
            made += u64::from(SPANS);
            traced_root();
        });
        // Each value among a span's extensions is a box: the ids, and the record where it is kept.
        let allocations = if is_sampled { 2 } else { 1 };
        let operation = operation.of(SPANS).allocates_at_most(allocations);
        case.ours("#[traced]", operation.settle(|| drop(tracer.flush(LIMIT))))
    };
    let report = tracer.shutdown(LIMIT);
    let expected = if is_sampled { made } else { 0 };
    if !report.is_complete() || tracer.stats().delivered != expected {
        return Err(format!("{expected} spans were expected: {report}").into());
    }

    let (provider, exported) = otel_provider(otel_sampler);
    let tracer = provider.tracer("orders");
    let mut made = 0;
    let case = {
        let layer = OpenTelemetryLayer::new(tracer.clone());
        let _subscriber = set_default(Registry::default().with(layer));
        case.peer("tracing-opentelemetry", otel_operation(&mut made, &provider))
    };
    {
        let layer = lean_layer(tracer);
        let _subscriber = set_default(Registry::default().with(layer));
        case.peer("tracing-opentelemetry, lean", otel_operation(&mut made, &provider)).done();
    }
    provider.shutdown()?;
    let exported = exported.load(Ordering::Relaxed);
    let expected = if is_sampled { made } else { 0 };
    if exported != expected {
        return Err(format!("{expected} spans were expected from the peer, not {exported}").into());
    }
    Ok(())
}

fn otel_operation<'a>(
    made: &'a mut u64,
    provider: &'a SdkTracerProvider,
) -> Operation<'a, impl FnMut() + use<'a>> {
    let operation = Operation::new(|| {
        *made += u64::from(SPANS);
        span_root();
    });
    // A flush that fails shows in the count of spans.
    operation.of(SPANS).settle(|| drop(provider.force_flush()))
}

/// Without the attributes that ours does not record: a span's place in the source, its thread, its
/// level, target and busy time.
fn lean_layer(tracer: SdkTracer) -> OpenTelemetryLayer<Registry, SdkTracer> {
    OpenTelemetryLayer::new(tracer)
        .with_location(false)
        .with_threads(false)
        .with_level(false)
        .with_target(false)
        .with_tracked_inactivity(false)
}

fn otel_provider(sampler: OtelSampler) -> (SdkTracerProvider, Arc<AtomicU64>) {
    let exporter = NullExporter::default();
    let exported = Arc::clone(&exporter.exported);
    let processor = BatchSpanProcessor::builder(exporter).build();
    let provider =
        SdkTracerProvider::builder().with_sampler(sampler).with_span_processor(processor).build();
    (provider, exported)
}

#[derive(Debug, Default)]
struct NullExporter {
    exported: Arc<AtomicU64>,
}

impl SpanExporter for NullExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.exported.fetch_add(batch.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

#[traced(name = "root")]
fn traced_root() {
    for _ in 0..CHILDREN {
        traced_child();
    }
}

#[traced(name = "child")]
fn traced_child() {
    black_box(());
}

/// The peer's spans have no fields either, and no future or attribute macro around them.
fn span_root() {
    let _entered = info_span!("root").entered();
    for _ in 0..CHILDREN {
        span_child();
    }
}

fn span_child() {
    let _entered = info_span!("child").entered();
    black_box(());
}
