//! `parent`: what a segment hangs on instead of the current span.

use obs_core::RequestContext;
use obs_core::ids::TraceParent;
use obs_tracing::propagation::{self, Extracted};
use obs_tracing::traced;
use tracing::{Id, Span, info_span};

use crate::support::{Document, Documents, record, record_async};

const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const TRACE: &str = "1-5759e988-bd862e3fe1be46a994272793";
const CALLER: &str = "53995c3f42cd8ad8";

fn extracted(header: &str) -> Extracted {
    propagation::extract(&vec![("x-amzn-trace-id", header)])
}

#[traced]
fn contextual() {
    child();
}

#[traced]
fn child() {}

#[traced(parent = parent)]
fn of_span(parent: &Span) {
    child();
}

#[traced(parent = parent)]
fn of_owned_span(parent: Span) -> Span {
    parent
}

#[traced(parent = parent)]
fn of_generic<P: Into<Option<Id>> + Clone>(parent: P) {
    drop(parent);
}

struct Job {
    parent: Span,
}

impl Job {
    #[traced(parent = self.parent)]
    async fn run(&self) {
        tokio::task::yield_now().await;
        child();
    }
}

#[traced(parent = parent)]
fn made(parent: &Span) -> impl Future<Output = u32> + use<> {
    let _ = parent;
    std::future::ready(17)
}

#[traced(parent = None)]
fn detached() {
    child();
}

#[traced(parent = *caller)]
fn of_caller(caller: &Extracted) {
    let _ = caller;
    child();
}

#[traced(parent = caller, kind = "server")]
async fn of_trace(caller: Option<TraceParent>) {
    let _ = caller;
    tokio::task::yield_now().await;
    child();
}

#[traced(parent = request)]
fn of_request(request: &RequestContext) {
    let _ = request;
}

/// The parents of the documents of this name.
fn parents<'a>(documents: &'a Documents, name: &str) -> Vec<Option<&'a str>> {
    documents.0.iter().filter(|d| d.name() == name).map(Document::parent_id).collect()
}

#[test]
fn without_it_the_current_span_is_the_parent() {
    let documents = record(|| {
        contextual();
        info_span!("outer").in_scope(contextual);
    });
    let outer = documents.named("outer").id();
    assert_eq!(parents(&documents, "contextual"), [None, Some(outer)]);
}

#[test]
fn a_span_is_the_parent_whatever_is_current() {
    let documents = record_async(async {
        let explicit = info_span!("explicit");
        let current = info_span!("current").entered();
        of_span(&explicit);
        drop(of_owned_span(explicit.clone()));
        of_generic(&explicit);
        of_generic(explicit.id());
        let job = Job { parent: explicit.clone() };
        let running = job.run();
        let made = made(&explicit);
        drop(current);
        running.await;
        assert_eq!(made.await, 17);
    });
    let explicit = documents.named("explicit");
    for name in ["of_span", "of_owned_span", "run", "made"] {
        let document = documents.named(name);
        assert_eq!(document.parent_id(), Some(explicit.id()), "{name}");
        assert_eq!(document.trace_id(), explicit.trace_id(), "{name}");
    }
    assert_eq!(parents(&documents, "of_generic"), [Some(explicit.id()); 2]);
    assert_eq!(
        parents(&documents, "child"),
        [Some(documents.named("of_span").id()), Some(documents.named("run").id())]
    );
}

#[test]
fn no_parent_is_a_trace_of_its_own() {
    let documents = record(|| {
        let _request = extracted(HEADER).request_context().enter();
        info_span!("outer").in_scope(|| {
            detached();
            of_span(&Span::none());
        });
    });
    let outer = documents.named("outer");
    assert_eq!((outer.trace_id(), outer.parent_id()), (TRACE, Some(CALLER)));
    for name in ["detached", "of_span"] {
        let document = documents.named(name);
        assert_eq!(document.parent_id(), None);
        assert_ne!(document.trace_id(), TRACE);
    }
}

#[test]
fn a_callers_trace_is_continued() {
    let documents = record_async(async {
        let _current = info_span!("current").entered();
        let caller = extracted(HEADER);
        of_caller(&caller);
        of_trace(caller.trace()).await;
        of_request(&caller.clone().request_context());
    });
    for name in ["of_caller", "of_trace", "of_request"] {
        let document = documents.named(name);
        assert_eq!((document.trace_id(), document.parent_id()), (TRACE, Some(CALLER)), "{name}");
        assert!(!document.is_subsegment(), "{name}");
    }
    assert_ne!(documents.named("current").trace_id(), TRACE);
    assert_eq!(
        parents(&documents, "child"),
        [Some(documents.named("of_caller").id()), Some(documents.named("of_trace").id())]
    );
}

#[test]
fn a_callers_decision_counts_and_no_caller_is_a_new_trace() {
    let documents = record_async(async {
        of_caller(&extracted(&HEADER.replace("Sampled=1", "Sampled=0")));
        of_caller(&extracted("garbage"));
        of_trace(None).await;
    });
    assert_eq!(documents.names(), ["child", "of_caller", "child", "of_trace"]);
    assert!(documents.0.iter().all(|document| document.trace_id() != TRACE));
    assert_eq!(parents(&documents, "of_caller"), [None]);
}

#[test]
fn a_callers_trace_reaches_only_the_call_that_names_it() {
    #[traced(level = "trace", parent = *caller)]
    fn not_followed(caller: &Extracted) {
        let _ = caller;
        detached();
    }
    let documents = record(|| {
        not_followed(&extracted(HEADER));
        detached();
    });
    assert!(documents.0.iter().all(|document| document.trace_id() != TRACE), "{documents:?}");
}

#[test]
fn a_parent_that_has_ended_is_no_panic_and_no_loss() {
    let documents = record_async(async {
        let ended = info_span!("ended");
        let id = ended.id();
        let later = made(&ended);
        drop(ended);
        of_generic(id);
        assert_eq!(later.await, 17);
    });
    let ended = documents.named("ended");
    // Its id says nothing any more.
    assert_eq!(documents.named("of_generic").parent_id(), None);
    // What was known when the function was called is enough.
    let made = documents.named("made");
    assert_eq!((made.trace_id(), made.parent_id()), (ended.trace_id(), Some(ended.id())));
}

#[test]
fn without_a_subscriber_a_parent_is_nothing() {
    of_caller(&extracted(HEADER));
    of_span(&Span::current());
    assert_eq!(obs_tracing::current_trace_id(), None);
}
