//! The decision is made once, at the root, and holds for everything below it.

use std::collections::HashMap;

use obs_core::ids::{TraceParent, current_ids};
use obs_core::{RequestContext, ids};
use obs_tracing::{Sampler, current_trace_id, propagation, trace_function, traced};

use crate::support::{builder, record, record_with};

#[traced]
fn outer() -> Vec<ids::SpanIds> {
    let mut seen = vec![current_ids().unwrap()];
    seen.extend(inner());
    seen
}

#[traced(annotate(n = 1))]
fn inner() -> Option<ids::SpanIds> {
    obs_tracing::annotate("n", 2);
    obs_tracing::metadata("debug", "n", &NeverSerialized);
    current_ids()
}

/// In a trace that is not sampled, nothing is formatted.
struct NeverSerialized;
impl serde::Serialize for NeverSerialized {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(current_ids().unwrap().sampled, "serialized although not sampled");
        serializer.serialize_unit()
    }
}

fn check_unsampled(seen: &[ids::SpanIds]) {
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|ids| !ids.sampled));
    assert_eq!(seen[0].trace_id, seen[1].trace_id);
    assert_ne!(seen[0].span_id, seen[1].span_id);
}

#[test]
fn a_trace_that_is_not_sampled_has_ids_and_no_documents() {
    let mut seen = Vec::new();
    let documents = record_with(builder().sampler(Sampler::never()), || seen = outer());
    assert!(documents.0.is_empty());
    check_unsampled(&seen);
}

#[test]
fn a_sampled_trace_is_complete() {
    let documents = record_with(builder().sampler(Sampler::ratio(1.0)), || {
        assert!(outer().iter().all(|ids| ids.sampled));
    });
    assert_eq!(documents.names(), ["inner", "outer"]);
}

#[test]
fn a_ratio_takes_whole_traces() {
    let mut sampled = 0;
    let documents = record_with(builder().sampler(Sampler::parent_or_ratio(0.5)), || {
        for _ in 0..100 {
            let seen = outer();
            assert_eq!(seen[0].sampled, seen[1].sampled);
            sampled += usize::from(seen[0].sampled);
        }
    });
    assert!((20..75).contains(&sampled), "{sampled}");
    assert_eq!(documents.0.len(), 2 * sampled);
}

#[test]
fn the_callers_decision_is_inherited() {
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=";
    for (sampled, sampler, expected) in [
        ("0", Sampler::default(), 0),
        ("1", Sampler::parent_or(Sampler::never()), 2),
        ("?", Sampler::parent_or(Sampler::never()), 0),
        ("?", Sampler::default(), 2),
        ("0", Sampler::always(), 2),
    ] {
        let headers = HashMap::from([("X-Amzn-Trace-Id".to_owned(), format!("{header}{sampled}"))]);
        let context = propagation::extract(&headers).request_context();
        let documents = record_with(builder().sampler(sampler), || {
            let _entered = context.enter();
            let seen = outer();
            let trace_id = "5759e988bd862e3fe1be46a994272793";
            assert!(seen.iter().all(|ids| ids.trace_id.to_string() == trace_id));
        });
        assert_eq!(documents.0.len(), expected, "{sampled}");
        if let Some(root) = documents.0.iter().find(|document| document.name() == "outer") {
            assert_eq!(root.parent_id(), Some("53995c3f42cd8ad8"));
            assert!(!root.is_subsegment());
        }
    }
}

#[test]
fn what_goes_out_names_the_current_segment_and_the_decision() {
    for (sampler, flag) in [(Sampler::always(), "1"), (Sampler::never(), "0")] {
        record_with(builder().sampler(sampler), || {
            trace_function!("call", {
                let ids = current_ids().unwrap();
                assert_eq!(current_trace_id(), Some(ids.trace_id));
                let mut headers = HashMap::new();
                propagation::inject(&mut headers);
                let expected =
                    format!("Root={};Parent={};Sampled={flag}", ids.trace_id.xray(), ids.span_id);
                assert_eq!(headers["x-amzn-trace-id"], expected);
            });
        });
    }
}

#[test]
fn the_current_trace_is_the_spans_or_the_requests() {
    assert_eq!(current_trace_id(), None);
    let trace_id = ids::TraceId::generate();
    let parent = TraceParent { trace_id, parent_id: None, sampled: None };
    let _entered = RequestContext::builder().trace(parent).build().enter();
    assert_eq!(current_trace_id(), Some(trace_id));
    let documents = record(|| {
        trace_function!("work", assert_eq!(current_trace_id(), Some(trace_id)));
    });
    // A header without a parent: the trace goes on, and this is its first segment.
    let document = documents.named("work");
    assert_eq!(document.trace_id(), trace_id.xray().to_string());
    assert_eq!((document.is_subsegment(), document.parent_id()), (false, None));
}
