//! The poller's own thread, in real time.

use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use tracing_core::span;
use tracing_core::{Event, Metadata, Subscriber};

use super::*;
use crate::sampler::central::{Central, CentralSampling, Place};

/// Far more than it takes.
const LIMIT: Duration = Duration::from_secs(20);

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < LIMIT, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn start(daemon: &str, in_lambda: bool, settings: CentralSampling) -> Central {
    let place = Place { service: orders(), daemon: Some(daemon), in_lambda };
    settings.start(place).unwrap()
}

#[test]
fn the_thread_asks_for_rules_at_once_and_ends_with_the_sampler() {
    let api = Api::start();
    api.set_rules([rule("Default", json!({"FixedRate": 1.0}))]);
    let address = format!("udp:127.0.0.1:1 tcp:{}", api.address());
    let central = start(&address, false, CentralSampling::new());
    wait_until("rules", || central.status().rules == 1);
    assert!(!central.status().is_fallback);
    assert_eq!((0..20).filter(|_| central.decide(unlucky(), |_| ())).count(), 20);
    let shared = Arc::downgrade(&central.0);
    drop(central);
    wait_until("the thread's end", || shared.strong_count() == 0);
}

#[test]
fn the_thread_ends_also_while_nobody_answers() {
    // Accepts by the system's queue, and never reads.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let central = start(&address, false, CentralSampling::new());
    let shared = Arc::downgrade(&central.0);
    let started = Instant::now();
    drop(central);
    // Who drops it does not wait for the thread.
    assert!(started.elapsed() < Duration::from_secs(2));
    wait_until("the thread's end", || shared.strong_count() == 0);
}

#[test]
fn in_lambda_nobody_is_asked_unless_a_proxy_is_named() {
    let api = Api::start();
    api.set_rules([rule("Default", json!({}))]);
    let central = start(api.address(), true, CentralSampling::new());
    let status = central.status();
    assert!(status.is_fallback && status.last_failure.unwrap().contains("Lambda"));
    assert_eq!(Arc::strong_count(&central.0), 1, "no thread");

    let settings = CentralSampling::new().proxy(api.address());
    let central = start("127.0.0.1:1", true, settings);
    wait_until("rules", || central.status().rules == 1);
}

#[test]
fn an_address_that_cannot_be_read_is_an_error() {
    let place = Place { service: orders(), daemon: Some("udp:127.0.0.1:2000"), in_lambda: false };
    let error = CentralSampling::new().start(place.clone()).unwrap_err();
    assert!(error.is_invalid_address() && error.to_string().contains("no tcp part"), "{error}");
    let settings = CentralSampling::new().proxy("nowhere");
    assert!(settings.check().unwrap_err().is_invalid_address());
    assert!(settings.start(place).unwrap_err().is_invalid_address());
}

/// Counts everything that is traced or logged.
#[derive(Clone, Default)]
struct Counting(Arc<Mutex<usize>>);

impl Subscriber for Counting {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        *self.0.lock().unwrap() += 1;
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {
        *self.0.lock().unwrap() += 1;
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn scenario_39_what_the_poller_does_is_neither_traced_nor_logged() {
    let mut simulation = Simulation::start([rule("Default", json!({}))]);
    let counting = Counting::default();
    tracing::subscriber::with_default(counting.clone(), || {
        simulation.api.fail([Fault::Status(500)]);
        simulation.tick();
        simulation.pass(2_000);
        simulation.sampled(1);
        simulation.pass(11_000);
        assert_eq!(simulation.api.take_calls().len(), 3);
        assert_eq!(*counting.0.lock().unwrap(), 0);
        // What would be is seen.
        tracing::info_span!("call").in_scope(|| tracing::error!("no"));
    });
    assert_eq!(*counting.0.lock().unwrap(), 2);
}
