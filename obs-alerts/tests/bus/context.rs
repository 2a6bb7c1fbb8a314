//! The ids that alerts carry.

use obs_core::context::{InContextExt, RequestContext};
use obs_core::ids::{SpanId, SpanIds, TraceId, TraceParent};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use crate::server::{Entry, EventBus};
use crate::{LONG, alert, publisher};

/// Gives each new span ids, as a tracer's layer does.
struct Ids(SpanIds);

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ids {
    fn on_new_span(
        &self,
        _: &tracing::span::Attributes<'_>,
        id: &tracing::Id,
        context: Context<'_, S>,
    ) {
        context.span(id).unwrap().extensions_mut().insert(self.0);
    }
}

fn found<'a>(arrived: &'a [Entry], message: &str) -> &'a Entry {
    arrived.iter().find(|entry| entry.message() == message).unwrap()
}

#[test]
fn an_alert_has_the_ids_of_the_span_and_the_request_it_was_published_in() {
    let bus = EventBus::accepting();
    let alerts = publisher(&bus);
    let ids = SpanIds { trace_id: TraceId::generate(), span_id: SpanId::generate(), sampled: true };
    let request = RequestContext::builder().request_id("r-1").correlation_id("c-1").build();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(Ids(ids)), || {
        let _entered = request.enter();
        tracing::info_span!("work").in_scope(|| alerts.publish(alert("inside")));
    });
    alerts.publish(alert("outside"));
    assert!(alerts.flush(LONG).is_complete());
    let arrived = bus.arrived();
    let inside = found(&arrived, "inside");
    assert_eq!(inside.detail["request_id"], "r-1");
    assert_eq!(inside.detail["correlation_id"], "c-1");
    assert_eq!(inside.detail["trace_id"], ids.trace_id.to_string());
    assert_eq!(inside.detail["span_id"], ids.span_id.to_string());
    assert_eq!(inside.detail["xray_trace_id"], ids.trace_id.xray().to_string());
    assert_eq!(
        inside.raw["TraceHeader"],
        format!("Root={};Parent={};Sampled=1", ids.trace_id.xray(), ids.span_id)
    );
    let outside = found(&arrived, "outside");
    assert!(outside.raw.get("TraceHeader").is_none());
    for name in ["request_id", "correlation_id", "trace_id", "span_id", "xray_trace_id"] {
        assert!(outside.detail.get(name).is_none(), "{name}: {}", outside.detail);
    }
}

#[test]
fn scenarios_31_and_32_sixty_four_requests_at_once_keep_their_ids_apart() {
    let bus = EventBus::accepting();
    let alerts = publisher(&bus);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let traces: Vec<TraceId> = runtime.block_on(async {
        let tasks: Vec<_> = (0..64)
            .map(|n| {
                let alerts = alerts.clone();
                let trace_id = TraceId::generate();
                let parent = TraceParent {
                    trace_id,
                    parent_id: SpanId::from_u64(n + 1),
                    sampled: Some(n % 2 == 0),
                };
                let context =
                    RequestContext::builder().request_id(format!("r-{n}")).trace(parent).build();
                let task = async move {
                    for step in 0..5 {
                        tokio::task::yield_now().await;
                        alerts.publish(alert(format!("{n}/{step}")));
                    }
                    trace_id
                };
                tokio::spawn(task.in_context(context))
            })
            .collect();
        let mut traces = Vec::new();
        for task in tasks {
            traces.push(task.await.unwrap());
        }
        traces
    });
    // The tasks are done: nothing of theirs is left on the threads.
    runtime.block_on(async { alerts.publish(alert("after")) });
    assert_eq!(alerts.flush(LONG).delivered(), 64 * 5 + 1);
    let arrived = bus.arrived();
    for (n, trace_id) in traces.iter().enumerate() {
        for step in 0..5 {
            let entry = found(&arrived, &format!("{n}/{step}"));
            assert_eq!(entry.detail["request_id"], format!("r-{n}"));
            assert_eq!(entry.detail["trace_id"], trace_id.to_string());
            let header = format!(
                "Root={};Parent={:016x};Sampled={}",
                trace_id.xray(),
                n + 1,
                usize::from(n % 2 == 0)
            );
            assert_eq!(entry.raw["TraceHeader"], header);
        }
    }
    assert!(found(&arrived, "after").detail.get("request_id").is_none());
}
