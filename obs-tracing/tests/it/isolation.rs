//! Requests in one process do not see each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};

use obs_core::RequestContext;
use obs_core::context::InContextExt;
use obs_core::ids::{SpanId, TraceId, TraceParent};
use obs_tracing::{trace_function, traced};
use tracing::Instrument;
use tracing::instrument::WithSubscriber;
use tracing_subscriber::prelude::*;

use crate::support::{Daemon, Document, builder, by_trace, flushed, record};

const REQUESTS: u64 = 64;

#[traced(annotate(request = n))]
async fn handle(n: u64) {
    tokio::task::yield_now().await;
    work(n, 0).await;
    // A task of its own, in the request's segment.
    let spawned = tokio::spawn(work(n, 1).in_current_span().with_current_subscriber());
    spawned.await.unwrap();
}

#[traced(annotate(request = n, step = step))]
async fn work(n: u64, step: u32) {
    tokio::task::yield_now().await;
    obs_tracing::annotate("deep", n);
    tokio::time::sleep(std::time::Duration::from_micros(n % 7 * 100)).await;
}

#[test]
fn scenario_32_sixty_four_requests_at_once_keep_their_own_ids() {
    let daemon = Daemon::start();
    let tracer = builder().in_lambda(true).daemon_at(daemon.address()).build().unwrap();
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(tracer.layer()));
    let parents: BTreeMap<u64, TraceParent> = (0..REQUESTS)
        .map(|n| {
            let parent_id = Some(SpanId::generate());
            (n, TraceParent { trace_id: TraceId::generate(), parent_id, sampled: Some(n % 4 != 0) })
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = parents
            .iter()
            .map(|(n, parent)| {
                let context = RequestContext::builder().trace(*parent).build();
                let request = handle(*n).in_context(context).with_subscriber(dispatch.clone());
                tokio::spawn(request)
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let documents = flushed(&daemon, &tracer);
    let traces = by_trace(&documents);
    let sampled = parents.iter().filter(|(_, parent)| parent.sampled == Some(true));
    assert_eq!(traces.len(), sampled.clone().count());
    for (n, parent) in sampled {
        let trace = &traces[parent.trace_id.xray().to_string().as_str()];
        let (root, children): (Vec<&Document>, Vec<_>) =
            trace.iter().copied().partition(|document| document.name() == "handle");
        let [root] = root[..] else { panic!("{root:?}") };
        assert_eq!(root.parent_id(), parent.parent_id.map(|id| id.to_string()).as_deref());
        assert_eq!(children.len(), 2);
        for document in trace {
            assert_eq!(document.annotation("request"), *n);
            assert_eq!(document.status(), "success");
        }
        for child in children {
            assert_eq!(child.parent_id(), Some(root.id()));
            assert_eq!(child.annotation("deep"), *n);
        }
    }
}

#[test]
fn spans_of_several_threads_are_all_recorded_below_their_parent() {
    let documents = record(|| {
        trace_function!("root", {
            let span = tracing::Span::current();
            let dispatch = tracing::dispatcher::get_default(Clone::clone);
            let barrier = Arc::new(Barrier::new(4));
            let threads: Vec<_> = (0..4_u32)
                .map(|n| {
                    let (span, dispatch, barrier) =
                        (span.clone(), dispatch.clone(), Arc::clone(&barrier));
                    std::thread::spawn(move || {
                        barrier.wait();
                        tracing::dispatcher::with_default(&dispatch, || {
                            span.in_scope(|| {
                                (0..30).for_each(|_| trace_function!("child", assert!(n < 4)))
                            })
                        })
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
    });
    let root = documents.named("root");
    assert_eq!(documents.0.len(), 121);
    let children = documents.0.iter().filter(|document| document.name() == "child");
    assert!(children.clone().all(|child| child.parent_id() == Some(root.id())));
    let ids: std::collections::HashSet<_> = children.map(Document::id).collect();
    assert_eq!(ids.len(), 120);
}
