//! Any OpenTelemetry exporter, and OpenTelemetry's context.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use obs_core::ids;
use obs_core::lane::Reason;
use obs_tracing::{FlushReport, XRayTracer, trace_function, traced};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, TraceFlags};
use opentelemetry::{Context, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tracing_subscriber::prelude::*;

use crate::support::{LIMIT, block_on, builder};

/// What the exporter does, by the number of its call, counted from 1.
type Script = fn(usize) -> Behaviour;

enum Behaviour {
    Accept,
    Fail,
    /// Never comes back.
    Hang,
    /// Blocks its thread for so long.
    Block(Duration),
    /// Traces and begins a span of OpenTelemetry's while it exports.
    Trace,
}

/// Keeps what it gets.
#[derive(Clone)]
struct Keeping(Arc<Kept>);

struct Kept {
    script: Script,
    calls: AtomicUsize,
    spans: Mutex<Vec<SpanData>>,
    batches: Mutex<Vec<usize>>,
    resource: Mutex<Option<Resource>>,
    flushes: AtomicUsize,
    shutdowns: AtomicUsize,
    was_suppressed: AtomicUsize,
}

impl Keeping {
    fn new(script: Script) -> Self {
        Self(Arc::new(Kept {
            script,
            calls: AtomicUsize::new(0),
            spans: Mutex::default(),
            batches: Mutex::default(),
            resource: Mutex::default(),
            flushes: AtomicUsize::new(0),
            shutdowns: AtomicUsize::new(0),
            was_suppressed: AtomicUsize::new(0),
        }))
    }

    fn accepting() -> Self {
        Self::new(|_| Behaviour::Accept)
    }

    fn spans(&self) -> Vec<SpanData> {
        self.0.spans.lock().unwrap().clone()
    }

    fn batches(&self) -> Vec<usize> {
        self.0.batches.lock().unwrap().clone()
    }
}

impl std::fmt::Debug for Keeping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keeping")
    }
}

impl SpanExporter for Keeping {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let call = self.0.calls.fetch_add(1, Ordering::SeqCst) + 1;
        match (self.0.script)(call) {
            Behaviour::Accept => {}
            Behaviour::Fail => return Err(OTelSdkError::InternalFailure("injected".into())),
            Behaviour::Hang => std::future::pending::<()>().await,
            Behaviour::Block(time) => thread::sleep(time),
            Behaviour::Trace => {
                trace_function!("within the exporter", ());
                let suppressed = Context::is_current_telemetry_suppressed();
                self.0.was_suppressed.fetch_add(usize::from(suppressed), Ordering::SeqCst);
            }
        }
        self.0.batches.lock().unwrap().push(batch.len());
        self.0.spans.lock().unwrap().extend(batch);
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        self.0.shutdowns.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.flushes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        *self.0.resource.lock().unwrap() = Some(resource.clone());
    }
}

fn start(exporter: &Keeping) -> XRayTracer {
    builder().exporter(exporter.clone()).build().unwrap()
}

fn below(tracer: &XRayTracer, work: impl FnOnce()) {
    tracing::subscriber::with_default(tracing_subscriber::registry().with(tracer.layer()), work);
}

fn spans(tracer: &XRayTracer, n: usize) {
    below(tracer, || (0..n).for_each(|_| trace_function!("work", ())));
}

#[track_caller]
fn check(report: &FlushReport, delivered: u64, failed: &[(Reason, u64)]) {
    let [lane] = report.lanes() else { panic!("{report:?}") };
    assert_eq!((lane.delivered, lane.reasons.as_slice()), (delivered, failed), "{report:?}");
    assert_eq!(report.pending(), 0, "{report:?}");
}

fn attribute(span: &SpanData, key: &str) -> Value {
    let mut found = span.attributes.iter().filter(|it| it.key.as_str() == key);
    let first = found.next().unwrap_or_else(|| panic!("no {key} in {span:?}"));
    assert!(found.next().is_none(), "{key} stands twice");
    first.value.clone()
}

#[traced(annotate(order_id = 4711), err)]
fn charge() -> Result<(), std::num::ParseIntError> {
    obs_tracing::metadata("default", "items", &[1, 2]);
    "x".parse::<u8>().map(drop)
}

#[test]
fn a_trace_arrives_as_it_was_recorded() {
    let exporter = Keeping::accepting();
    let tracer = start(&exporter);
    below(&tracer, || assert!(trace_function!("outer", charge().is_err())));
    check(&tracer.flush(LIMIT), 2, &[]);
    let [inner, outer] = &exporter.spans()[..] else { panic!("not two spans") };
    assert_eq!((inner.name.as_ref(), outer.name.as_ref()), ("charge", "outer"));
    assert_eq!((&inner.span_kind, &outer.span_kind), (&SpanKind::Internal, &SpanKind::Server));
    assert_eq!(inner.parent_span_id, outer.span_context.span_id());
    assert_eq!(inner.span_context.trace_id(), outer.span_context.trace_id());
    assert_eq!(inner.span_context.trace_flags(), TraceFlags::SAMPLED);
    assert!(inner.start_time >= outer.start_time && inner.end_time <= outer.end_time);
    assert_eq!(inner.status, Status::Error { description: "invalid digit found in string".into() });
    assert_eq!(outer.status, Status::Unset);
    assert_eq!(inner.events.events[0].name, "exception");
    assert_eq!(attribute(inner, "order_id"), Value::I64(4711));
    assert_eq!(attribute(inner, "items"), Value::from("[1,2]"));
    assert_eq!(attribute(inner, "error_type"), Value::from("ParseIntError"));
    assert!(attribute(inner, "aws.xray.annotations").to_string().contains("order_id"));
    assert_eq!(inner.instrumentation_scope.name(), "obs-tracing");
    let resource = exporter.0.resource.lock().unwrap().clone().unwrap();
    let name = resource.get(&opentelemetry::Key::from("service.name")).unwrap();
    assert_eq!(name, Value::from("orders"));
}

#[test]
fn scenario_03_the_second_of_three_exports_fails_and_the_report_says_how_much() {
    let exporter = Keeping::new(|call| if call == 2 { Behaviour::Fail } else { Behaviour::Accept });
    let tracer = start(&exporter);
    // Scenario 38 as well: the third goes nevertheless.
    for (delivered, failed) in [(3, &[][..]), (0, &[(Reason::SinkFailed, 3)]), (3, &[])] {
        spans(&tracer, 3);
        check(&tracer.flush(LIMIT), delivered, failed);
    }
    assert!(tracer.last_failure().get().unwrap().contains("injected"));
    assert_eq!(exporter.spans().len(), 6);
}

#[test]
fn batches_have_at_most_512_spans() {
    let exporter = Keeping::accepting();
    let tracer = start(&exporter);
    spans(&tracer, 3_000);
    check(&tracer.flush(LIMIT), 3_000, &[]);
    let batches = exporter.batches();
    assert!(batches.iter().all(|spans| *spans <= 512), "{batches:?}");
    assert_eq!(batches.iter().sum::<usize>(), 3_000);
}

#[test]
fn scenario_04_a_flush_keeps_its_deadline_whatever_the_exporter_does() {
    let scripts: [Script; 2] = [|_| Behaviour::Hang, |_| Behaviour::Block(Duration::from_secs(3))];
    for script in scripts {
        let exporter = Keeping::new(script);
        let tracer = start(&exporter);
        spans(&tracer, 2);
        let (began, limit) = (Instant::now(), Duration::from_millis(400));
        let report = tracer.flush(limit);
        let took = began.elapsed();
        assert!(took < limit + Duration::from_millis(900), "{took:?}");
        assert_eq!(report.delivered(), 0, "{report}");
        assert_eq!(report.failed() + report.pending(), 2, "{report}");
    }
}

#[test]
fn scenario_02_a_flush_works_inside_a_runtime_and_tells_the_exporter() {
    let exporter = Keeping::accepting();
    let tracer = start(&exporter);
    block_on(async {
        spans(&tracer, 1);
        check(&tracer.flush(LIMIT), 1, &[]);
        spans(&tracer, 1);
        check(&tracer.flush_async(LIMIT).await, 1, &[]);
    });
    assert!(exporter.0.flushes.load(Ordering::SeqCst) >= 1);
}

#[test]
fn scenario_09_the_last_handle_is_dropped_the_worker_drains_and_the_exporter_is_shut_down() {
    let exporter = Keeping::accepting();
    let tracer = start(&exporter);
    spans(&tracer, 3);
    drop(tracer);
    let began = Instant::now();
    while exporter.0.shutdowns.load(Ordering::SeqCst) == 0 {
        assert!(began.elapsed() < LIMIT, "not shut down");
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(exporter.spans().len(), 3);
}

#[test]
fn scenario_11_what_comes_after_the_end_is_counted_as_dropped() {
    let exporter = Keeping::accepting();
    let tracer = start(&exporter);
    spans(&tracer, 1);
    check(&tracer.shutdown(LIMIT), 1, &[]);
    spans(&tracer, 2);
    check(&tracer.flush(LIMIT), 0, &[(Reason::Closed, 2)]);
}

#[test]
fn scenario_39_what_the_exporter_does_is_not_traced() {
    let exporter = Keeping::new(|_| Behaviour::Trace);
    let tracer = start(&exporter);
    spans(&tracer, 1);
    check(&tracer.flush(LIMIT), 1, &[]);
    assert_eq!(exporter.0.was_suppressed.load(Ordering::SeqCst), 1);
    assert_eq!(tracer.stats().recorded, 1);
}

#[test]
fn an_exporter_belongs_to_one_tracer() {
    let first = builder().exporter(Keeping::accepting());
    let second = first.clone();
    first.build().unwrap();
    let error = second.build().unwrap_err();
    assert!(error.is_road() && error.to_string().contains("another tracer"), "{error}");
}

/// The ids of OpenTelemetry's current span, in hex; none where it is not valid.
fn active() -> Option<(String, String, bool)> {
    let context = Context::current();
    let span = context.span().span_context().clone();
    let sampled = span.trace_flags().is_sampled();
    span.is_valid().then(|| (span.trace_id().to_string(), span.span_id().to_string(), sampled))
}

fn current() -> Option<(String, String, bool)> {
    let ids = ids::current_ids()?;
    Some((ids.trace_id.to_string(), ids.span_id.to_string(), ids.sampled))
}

#[test]
fn opentelemetrys_context_follows_the_entered_spans_where_it_was_asked_for() {
    let tracer = builder().exporter(Keeping::accepting()).activate_context().build().unwrap();
    below(&tracer, || {
        assert_eq!(active(), None);
        trace_function!("outer", {
            assert!(active().is_some());
            assert_eq!(active(), current());
            let outer = active();
            trace_function!("inner", assert_eq!(active(), current()));
            assert_eq!(active(), outer);
        });
        assert_eq!(active(), None);

        // Left in the order in which they were entered.
        let (a, b) = (tracing::info_span!("a"), tracing::info_span!("b"));
        let (in_a, in_b) = (a.enter(), b.enter());
        let of_b = active();
        drop(in_a);
        assert_eq!(active(), of_b);
        drop(in_b);
        assert_eq!(active(), None);
    });

    // Tasks that take turns on one thread.
    below(&tracer, || {
        block_on(async {
            let work = |n: u8| async move {
                trace_function!("task", async move {
                    for _ in 0..3 {
                        assert_eq!(active(), current(), "{n}");
                        assert!(active().is_some());
                        tokio::task::yield_now().await;
                    }
                })
                .await;
            };
            tokio::join!(work(1), work(2));
            assert_eq!(active(), None);
        });
    });

    let without = builder().exporter(Keeping::accepting()).build().unwrap();
    below(&without, || trace_function!("outer", assert_eq!(active(), None)));
}

#[test]
fn a_span_of_opentelemetrys_own_hangs_below_ours() {
    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    let native = Keeping::accepting();
    let provider = SdkTracerProvider::builder().with_simple_exporter(native.clone()).build();
    let exporter = Keeping::accepting();
    let tracer = builder().exporter(exporter.clone()).activate_context().build().unwrap();
    below(&tracer, || {
        trace_function!("ours", provider.tracer("theirs").in_span("native", |_| ()));
    });
    check(&tracer.flush(LIMIT), 1, &[]);
    let (ours, theirs) = (exporter.spans().remove(0), native.spans().remove(0));
    assert_eq!(theirs.span_context.trace_id(), ours.span_context.trace_id());
    assert_eq!(theirs.parent_span_id, ours.span_context.span_id());
}
