//! Headers and baggage over a real subscriber: the sampler's decision, the tracer's redactor.

use std::collections::HashMap;

use obs_core::context::InContextExt;
use obs_core::ids::current_ids;
use obs_core::{Redactor, RequestContext};
use obs_tracing::propagation::{Format, Propagator};
use obs_tracing::{Sampler, baggage, propagation, trace_function, traced};
use tracing::instrument::WithSubscriber;
use tracing_subscriber::prelude::*;

use crate::support::{builder, record, record_with};

const ROOT: &str = "Root=1-5759e988-bd862e3fe1be46a994272793";
const PARENT: &str = "Parent=53995c3f42cd8ad8";
const TRACEPARENT: &str = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";

fn injected() -> HashMap<String, String> {
    let mut headers = HashMap::new();
    propagation::inject(&mut headers);
    headers
}

fn response() -> Option<String> {
    let mut headers = HashMap::new();
    propagation::inject_response(&mut headers);
    headers.remove("x-amzn-trace-id")
}

#[test]
fn a_question_is_answered_with_the_roots_decision() {
    for (sampled, sampler, answer, documents) in [
        (";Sampled=?", Sampler::always(), ";Sampled=1", 1),
        (";Sampled=?", Sampler::never(), ";Sampled=0", 0),
        (";Sampled=?", Sampler::parent_or(Sampler::never()), ";Sampled=0", 0),
        (";Sampled=1", Sampler::default(), "", 1),
        ("", Sampler::default(), "", 1),
    ] {
        let header = format!("{ROOT};{PARENT}{sampled}");
        let context = propagation::extract(&[("x-amzn-trace-id", &header)]).request_context();
        let seen = record_with(builder().sampler(sampler), || {
            let _entered = context.enter();
            assert_eq!(response().as_deref(), Some(ROOT), "nothing is decided yet");
            assert_eq!(injected()["x-amzn-trace-id"], header, "so the question goes on");
            trace_function!("request", {
                assert_eq!(response(), Some(format!("{ROOT}{answer}")));
            });
            // The response is often written when the root has ended.
            assert_eq!(response(), Some(format!("{ROOT}{answer}")));
        });
        assert_eq!(seen.0.len(), documents, "{header}");
    }
}

#[test]
fn an_open_decision_is_made_once_for_a_request() {
    for sampled in ["", ";Sampled=?"] {
        let header = format!("{ROOT};{PARENT}{sampled}");
        let context = propagation::extract(&[("x-amzn-trace-id", &header)]).request_context();
        let decide = |sampler| {
            let mut ids = None;
            let _ = record_with(builder().sampler(sampler), || {
                let _entered = context.enter();
                trace_function!("root", ids = current_ids());
                // After it, what goes out tells what was decided.
                let decision = u8::from(ids.unwrap().sampled);
                let header = format!("{ROOT};{PARENT};Sampled={decision}");
                assert_eq!(injected()["x-amzn-trace-id"], header);
                assert!(injected()["traceparent"].ends_with(&format!("-0{decision}")));
            });
            ids.unwrap().sampled
        };
        assert!(!decide(Sampler::never()));
        assert!(!decide(Sampler::always()), "a second root does not decide anew");
    }
}

#[test]
fn without_a_caller_the_response_names_the_trace() {
    let _ = record(|| {
        let _entered = RequestContext::builder().build().enter();
        assert_eq!(response(), None);
        trace_function!("job", {
            let ids = current_ids().unwrap();
            assert_eq!(response(), Some(format!("Root={}", ids.trace_id.xray())));
        });
    });
}

#[test]
fn what_came_along_goes_out_from_within_a_span() {
    let caller = propagation::extract(&[
        (
            "x-amzn-trace-id",
            &*format!(
                "Self=1-67891234-12456789abcdef012345678;{ROOT};Sampled=1;Lineage=1:a87bd80c:0"
            ),
        ),
        ("traceparent", TRACEPARENT),
        ("tracestate", "rojo=1"),
        ("baggage", "tenant=acme"),
    ]);
    let context = caller.request_context();
    let _ = record(|| {
        let _entered = context.enter();
        trace_function!("call", {
            let (ids, out) = (current_ids().unwrap(), injected());
            assert_eq!(
                out["x-amzn-trace-id"],
                format!("{ROOT};Parent={};Sampled=1;Lineage=1:a87bd80c:0", ids.span_id)
            );
            assert_eq!(out["traceparent"], format!("00-{}-{}-01", ids.trace_id, ids.span_id));
            assert_eq!((&*out["tracestate"], &*out["baggage"]), ("rojo=1", "tenant=acme"));
        });
        // A trace of its own is not what `tracestate` is about.
        tracing::info_span!(parent: None, "detached").in_scope(|| {
            let out = injected();
            assert!(!out["traceparent"].contains("5759e988bd862e3fe1be46a994272793"));
            assert_eq!(out.get("tracestate"), None);
        });
    });
}

#[test]
fn a_w3c_caller_is_the_parent_in_x_ray() {
    let documents = record(|| {
        let _entered =
            propagation::extract(&[("Traceparent", TRACEPARENT)]).request_context().enter();
        trace_function!("request", ());
    });
    let request = documents.named("request");
    assert_eq!(request.trace_id(), "1-5759e988-bd862e3fe1be46a994272793");
    assert_eq!(request.parent_id(), Some("53995c3f42cd8ad8"));
}

#[traced]
fn handle() {
    baggage::annotate(&["tenant", "token", "mail", "missing"]);
}

#[test]
fn scenario_41_the_tracers_redactor_is_the_baggages() {
    let headers = [("baggage", "tenant=acme,token=1,mail=jane%40example.com")];
    for (redactor, token, mail) in [
        (Redactor::default(), "[REDACTED]", "jane@example.com"),
        (Redactor::standard(), "[REDACTED]", "[REDACTED]"),
        (Redactor::none(), "1", "jane@example.com"),
    ] {
        let documents = record_with(builder().redact(redactor), || {
            let _entered = propagation::extract(&headers).request_context().enter();
            handle();
            assert_eq!(injected()["baggage"], format!("tenant=acme,token={token},mail={mail}"));
            assert_eq!(baggage::get("token").as_deref(), Some("1"));
        });
        let handle = documents.named("handle");
        assert_eq!(handle.annotation("tenant"), "acme");
        assert_eq!(handle.annotation("token"), token);
        assert_eq!(handle.annotation("mail"), mail);
    }
}

#[test]
fn the_tracers_propagator_is_the_modules() {
    let propagator = Propagator::new().prefer(Format::W3c).without_baggage();
    let _ = record_with(builder().propagator(propagator), || {
        let caller = propagation::extract(&[
            ("x-amzn-trace-id", "Root=1-00000001-000000000000000000000001;Sampled=0"),
            ("traceparent", TRACEPARENT),
            ("baggage", "tenant=acme"),
        ]);
        assert_eq!(caller.trace().unwrap().sampled, Some(true));
        let _entered = caller.request_context().enter();
        assert!(baggage::set("tenant", "acme"), "the request has baggage all the same");
        assert_eq!(injected().get("baggage"), None);
    });
}

#[test]
fn scenario_32_sixty_four_requests_at_once_keep_their_own_baggage() {
    let tracer = builder().discard().build().unwrap();
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(tracer.layer()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    runtime.block_on(async {
        let requests = (0..64).map(|n| {
            let own = format!("request-{n}");
            let header = format!("id={own}");
            let context = propagation::extract(&[("baggage", &header)]).request_context();
            let work = async move {
                for round in 0..20 {
                    assert_eq!(baggage::get("id").as_deref(), Some(&*own));
                    assert!(baggage::set("round", &round.to_string()));
                    tokio::task::yield_now().await;
                    let expected = format!("id={own},round={round}");
                    assert_eq!(injected()["baggage"], expected);
                    trace_function!("call", assert_eq!(injected()["baggage"], expected));
                }
            };
            tokio::spawn(work.in_context(context).with_subscriber(dispatch.clone()))
        });
        for request in requests.collect::<Vec<_>>() {
            request.await.unwrap();
        }
    });
}
