//! What the sink does itself is in no trace and in no log.

use std::sync::{Arc, Mutex, OnceLock};
use std::thread::ThreadId;

use obs_core::http::{Body, Client, Endpoint, Headers, Request};
use obs_core::lane::on_lane_thread;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::server::Collector;
use super::*;

/// The threads on which something was traced.
static SEEN: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());

/// A clock that knows the thread that asked it last, and whether that is a lane's own.
#[derive(Clone, Debug, Default)]
struct LaneThread(Arc<Mutex<Option<(ThreadId, bool)>>>);

impl Clock for LaneThread {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap() = Some((std::thread::current().id(), on_lane_thread()));
        SystemTime::now()
    }
}

struct Watching;

impl Watching {
    fn note() {
        SEEN.lock().unwrap().push(std::thread::current().id());
    }
}

impl Subscriber for Watching {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("hyper")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Self::note();
        Id::from_u64(1)
    }

    fn event(&self, _: &Event<'_>) {
        Self::note();
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn scenario_39_the_sinks_own_calls_are_not_traced() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| tracing::subscriber::set_global_default(Watching).unwrap());
    let collector = Collector::accepting();

    // An application's own use of the same client is traced.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let endpoint = Endpoint::below(&collector.url(), "/v1/metrics").unwrap();
        let client = Client::to(&endpoint).unwrap();
        let request = Request::post(&endpoint, &Headers::new(), &Body::from(b"{}".to_vec()));
        assert_eq!(client.send(request).await.unwrap().status(), 200);
    });
    let is_seen = |thread| SEEN.lock().unwrap().contains(&thread);
    assert!(is_seen(std::thread::current().id()));

    let lane = LaneThread::default();
    let identity = Identity::new("orders", "test");
    let sink: Sink = Otlp::new(collector.url()).clock(lane.clone()).into();
    let outputs = sink
        .start(&Start {
            namespace: "App",
            dimensions: &DimensionSet::default(),
            identity: &identity,
            aws: &[],
        })
        .unwrap();
    push(&outputs, &[count(1.0)]);
    check(&flush(&outputs, LONG), 1, &[]);
    let (thread, is_left_out) = lane.0.lock().unwrap().unwrap();
    assert_ne!(thread, std::thread::current().id());
    assert!(!is_seen(thread));
    // Obs's own layers would leave it out besides.
    assert!(is_left_out);
}
