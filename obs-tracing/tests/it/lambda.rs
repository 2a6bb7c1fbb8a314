//! In Lambda the service makes the function's own segment, and ours are its subsegments.

use obs_core::RequestContext;
use obs_core::context::InContextExt;
use obs_tracing::{propagation, trace_function, traced};

use crate::support::{block_on, builder, record, record_with};

const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a87bd80c:0";

fn invocation(header: Option<&str>) -> RequestContext {
    let builder = RequestContext::builder().request_id("8f5c");
    match header.and_then(propagation::parse) {
        Some(parent) => builder.trace(parent).build(),
        None => builder.build(),
    }
}

#[traced]
async fn handler() {
    tokio::task::yield_now().await;
    store().await;
}

#[traced]
async fn store() {
    tokio::task::yield_now().await;
}

#[test]
fn the_invocation_is_a_subsegment_of_the_headers_parent() {
    let documents = record_with(builder().in_lambda(true), || {
        block_on(handler().in_context(invocation(Some(HEADER))));
    });
    let (handler, store) = (documents.named("handler"), documents.named("store"));
    assert!(handler.is_subsegment());
    assert_eq!(handler.trace_id(), "1-5759e988-bd862e3fe1be46a994272793");
    assert_eq!(handler.parent_id(), Some("53995c3f42cd8ad8"));
    assert_eq!(handler.annotation("service"), "orders");
    assert!(store.is_subsegment());
    assert_eq!(store.parent_id(), Some(handler.id()));
}

#[test]
fn without_a_header_the_invocation_is_a_segment() {
    let documents = record_with(builder().in_lambda(true), || {
        block_on(handler().in_context(invocation(None)));
    });
    let handler = documents.named("handler");
    assert!(!handler.is_subsegment());
    assert_eq!(handler.parent_id(), None);
    assert!(documents.named("store").is_subsegment());
}

#[test]
fn a_header_that_is_not_sampled_leaves_no_document() {
    let header = HEADER.replace("Sampled=1", "Sampled=0");
    let documents = record_with(builder().in_lambda(true), || {
        block_on(handler().in_context(invocation(Some(&header))));
    });
    assert!(documents.0.is_empty());
}

#[test]
fn scenario_36_a_span_without_a_parent_is_a_segment() {
    let documents = record_with(builder().in_lambda(true), || {
        // Outside of any request.
        trace_function!("job", ());
        // Within one, but of its own accord.
        let _entered = invocation(Some(HEADER)).enter();
        tracing::info_span!(parent: None, "detached").in_scope(|| ());
    });
    let ours = "1-5759e988-bd862e3fe1be46a994272793";
    for document in &documents.0 {
        assert!(!document.is_subsegment() && document.parent_id().is_none());
        assert_ne!(document.trace_id(), ours);
    }
    assert_eq!(documents.names(), ["job", "detached"]);
}

#[test]
fn spans_of_another_thread_belong_to_the_only_active_invocation() {
    // No other test activates a request in this process.
    let active = invocation(Some(HEADER)).activate();
    let documents = record_with(builder().in_lambda(true), || {
        trace_function!("helper", ());
    });
    drop(active);
    assert_eq!(documents.named("helper").parent_id(), Some("53995c3f42cd8ad8"));
}

#[test]
fn outside_of_lambda_the_callers_span_is_a_segments_parent() {
    let documents = record(|| {
        let _entered = invocation(Some(HEADER)).enter();
        trace_function!("request", ());
    });
    let request = documents.named("request");
    assert!(!request.is_subsegment());
    assert_eq!(request.parent_id(), Some("53995c3f42cd8ad8"));
}
