//! `kind`: what a span is to the rest of the trace, and what X-Ray makes of it.

use obs_tracing::traced;
use tracing::instrument;

use crate::support::{Document, builder, record, record_async, record_with};

#[traced(kind = "internal")]
fn internal() {}

#[traced(kind = "server")]
fn server() {
    internal();
}

#[traced(kind = "client")]
async fn client() {
    tokio::task::yield_now().await;
}

#[traced(kind = "CLIENT", metadata("rpc.system" = "aws-api"))]
fn client_of_aws() {}

#[traced(kind = "producer")]
fn producer() -> impl Future<Output = ()> {
    std::future::ready(())
}

#[traced(kind = "consumer")]
fn consumer() {}

#[traced]
async fn everything() {
    internal();
    server();
    client().await;
    client_of_aws();
    producer().await;
    consumer();
}

/// Whether it is a subsegment, and its namespace.
fn told(document: &Document) -> (bool, Option<&str>) {
    (document.is_subsegment(), document.0["namespace"].as_str())
}

#[test]
fn a_kind_says_what_becomes_of_a_span() {
    let documents = record_async(everything());
    for (name, expected) in [
        ("client", (true, Some("remote"))),
        ("client_of_aws", (true, Some("aws"))),
        ("producer", (true, Some("remote"))),
        ("consumer", (true, None)),
        ("server", (false, None)),
        ("everything", (false, None)),
    ] {
        let document = documents.named(name);
        assert_eq!(told(document), expected, "{name}");
        assert_eq!(document.status(), "success");
    }
    let everything = documents.named("everything");
    let server = documents.named("server");
    // It stays in its trace, and what it calls hangs on it.
    assert_eq!(server.parent_id(), Some(everything.id()));
    assert_eq!(server.trace_id(), everything.trace_id());
    let below: Vec<_> = documents.0.iter().filter(|d| d.name() == "internal").map(told).collect();
    assert_eq!(below, [(true, None), (true, None)]);
    assert_eq!(documents.0[1].parent_id(), Some(server.id()));
}

#[test]
fn the_root_of_a_trace_is_a_segment_of_whatever_kind() {
    let documents = record(|| {
        client_of_aws();
        consumer();
        server();
    });
    let roots: Vec<_> = documents.0.iter().filter(|d| d.parent_id().is_none()).collect();
    assert_eq!(roots.len(), 3);
    assert!(roots.iter().all(|root| told(root) == (false, None)));
}

#[test]
fn in_lambda_the_service_has_its_segment() {
    let documents = record_with(builder().in_lambda(true), || {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let headers = vec![("x-amzn-trace-id", header)];
        let caller = obs_tracing::propagation::extract(&headers);
        let _entered = caller.request_context().enter();
        outer();
    });
    #[traced(kind = "server")]
    fn outer() {
        server();
    }
    assert!(documents.0.iter().all(Document::is_subsegment));
    assert_eq!(documents.named("outer").parent_id(), Some("53995c3f42cd8ad8"));
}

#[test]
fn spans_of_other_crates_tell_their_kind_by_a_field() {
    #[instrument(fields(otel.kind = "client", other = 1))]
    fn instrumented_client() {}
    #[instrument(fields(otel.kind = ?Kind::Server))]
    fn instrumented_server() {}
    #[instrument(fields(otel.kind = tracing::field::Empty, rpc.system = "aws-api"))]
    fn recorded_later() {
        tracing::Span::current().record("otel.kind", "Client");
    }
    #[instrument(fields(otel.kind = "something else"))]
    fn unknown() {}
    #[derive(Debug)]
    enum Kind {
        Server,
    }
    #[traced]
    fn outer() {
        instrumented_client();
        instrumented_server();
        recorded_later();
        unknown();
    }
    let documents = record(outer);
    assert_eq!(told(documents.named("instrumented_client")), (true, Some("remote")));
    assert_eq!(
        documents.named("instrumented_client").0["metadata"]["default"],
        serde_json::json!({"other": 1})
    );
    assert_eq!(told(documents.named("instrumented_server")), (false, None));
    assert_eq!(told(documents.named("recorded_later")), (true, Some("aws")));
    assert_eq!(told(documents.named("unknown")), (true, None));
    assert_eq!(documents.named("unknown").metadata("otel.kind"), "something else");
}
