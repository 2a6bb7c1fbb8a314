//! A daemon of our own on a real socket, and the rules that every document must keep.

pub(crate) mod otlp;
pub(crate) mod rules;

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use obs_tracing::{XRay, XRayBuilder, XRayTracer};
use serde_json::Value;
use tracing_subscriber::prelude::*;

/// How long anything here may take; far more than it does.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Listens on 127.0.0.1 and keeps what arrives.
pub(crate) struct Daemon {
    address: String,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Daemon {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        // The thread ends with the test's process, or when nobody is left to ask.
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        thread::spawn(move || {
            let mut buffer = vec![0; 70_000];
            while Arc::strong_count(&kept) > 1 {
                if let Ok(length) = socket.recv(&mut buffer) {
                    kept.lock().unwrap().push(buffer[..length].to_vec());
                }
            }
        });
        Self { address, received }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Waits until `n` datagrams are there.
    pub(crate) fn wait_for(&self, n: usize) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let found = self.received.lock().unwrap().len();
            if found >= n {
                break;
            }
            assert!(Instant::now() < deadline, "{found} of {n} documents arrived");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What has arrived so far, as it is.
    pub(crate) fn datagrams(&self) -> Vec<Vec<u8>> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until `n` datagrams are there and gives them out, checked. A socket's buffer holds about
    /// 160 small ones: a test that sends no more at once does not depend on how fast this one reads.
    pub(crate) fn documents(&self, n: usize) -> Documents {
        self.wait_for(n);
        // What should not come has this long to come nevertheless.
        thread::sleep(Duration::from_millis(20));
        let received = self.received.lock().unwrap();
        assert_eq!(received.len(), n, "more documents than expected");
        Documents(
            received.iter().map(|datagram| Document(rules::check(datagram).unwrap())).collect(),
        )
    }
}

/// Documents in the order in which their spans ended.
#[derive(Debug)]
pub(crate) struct Documents(pub(crate) Vec<Document>);

impl Documents {
    /// The only document of this name.
    pub(crate) fn named(&self, name: &str) -> &Document {
        let mut found = self.0.iter().filter(|document| document.name() == name);
        let first = found.next().unwrap_or_else(|| panic!("no {name:?} in {:#?}", self.0));
        assert!(found.next().is_none(), "two documents are named {name:?}");
        first
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.iter().map(Document::name).collect()
    }
}

#[derive(Debug)]
pub(crate) struct Document(pub(crate) Value);

impl Document {
    pub(crate) fn name(&self) -> &str {
        self.text("name")
    }

    pub(crate) fn id(&self) -> &str {
        self.text("id")
    }

    pub(crate) fn trace_id(&self) -> &str {
        self.text("trace_id")
    }

    pub(crate) fn parent_id(&self) -> Option<&str> {
        self.0["parent_id"].as_str()
    }

    pub(crate) fn is_subsegment(&self) -> bool {
        self.0["type"] == "subsegment"
    }

    pub(crate) fn is_fault(&self) -> bool {
        self.0["fault"] == true
    }

    pub(crate) fn annotation(&self, key: &str) -> &Value {
        &self.0["annotations"][key]
    }

    pub(crate) fn status(&self) -> &str {
        self.annotation("status").as_str().unwrap_or("none")
    }

    pub(crate) fn metadata(&self, key: &str) -> &Value {
        &self.0["metadata"]["default"][key]
    }

    /// Type and message of each exception.
    pub(crate) fn exceptions(&self) -> Vec<(&str, &str)> {
        let list = self.0["cause"]["exceptions"].as_array().map_or(&[][..], Vec::as_slice);
        list.iter().map(|e| (e["type"].as_str().unwrap(), e["message"].as_str().unwrap())).collect()
    }

    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_else(|| panic!("no {key} in {}", self.0))
    }
}

/// A tracer for these tests: named, and independent of the environment's variables.
pub(crate) fn builder() -> XRayBuilder {
    XRay::builder().service("orders").environment("test").in_lambda(false)
}

/// Runs `work` below a tracer and returns the documents that came out.
pub(crate) fn record(work: impl FnOnce()) -> Documents {
    record_with(builder(), work)
}

pub(crate) fn record_with(builder: XRayBuilder, work: impl FnOnce()) -> Documents {
    let daemon = Daemon::start();
    let tracer = builder.daemon_at(daemon.address()).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(tracer.layer()), work);
    flushed(&daemon, &tracer)
}

/// Runs a future on a runtime of its own, below a tracer.
pub(crate) fn record_async(future: impl Future<Output = ()>) -> Documents {
    record(|| block_on(future))
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// Flushes and returns all documents.
pub(crate) fn flushed(daemon: &Daemon, tracer: &XRayTracer) -> Documents {
    let report = tracer.flush(LIMIT);
    assert!(report.is_complete(), "{report}");
    daemon.documents(usize::try_from(report.delivered()).unwrap())
}

/// The documents of each trace, by trace id.
pub(crate) fn by_trace(documents: &Documents) -> BTreeMap<&str, Vec<&Document>> {
    let mut traces: BTreeMap<&str, Vec<&Document>> = BTreeMap::new();
    for document in &documents.0 {
        traces.entry(document.trace_id()).or_default().push(document);
    }
    traces
}
