//! OTLP over HTTP against a real server: what arrives, what is sent again, what is given up.

pub(crate) mod server;
mod signature;

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use obs_core::lane::Reason;
use obs_tracing::{FlushReport, Otlp, XRayTracer, trace_function};
use tracing::span::Attributes;
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;

use crate::process::{in_child, is_child};
use crate::support::otlp::{attributes, text};
use crate::support::{LIMIT, block_on, builder};
use server::{Answer, Collector};

fn start(otlp: impl Into<Otlp>) -> XRayTracer {
    builder().otlp(otlp).build().unwrap()
}

fn below(tracer: &XRayTracer, work: impl FnOnce()) {
    tracing::subscriber::with_default(tracing_subscriber::registry().with(tracer.layer()), work);
}

fn spans(tracer: &XRayTracer, n: usize) {
    below(tracer, || (0..n).for_each(|_| trace_function!("work", ())));
}

/// Delivered and failed, by reason; everything is accounted for.
#[track_caller]
fn check(report: &FlushReport, delivered: u64, failed: &[(Reason, u64)]) {
    let [lane] = report.lanes() else { panic!("{report:?}") };
    assert_eq!((lane.delivered, lane.reasons.as_slice()), (delivered, failed), "{report:?}");
    assert_eq!(report.pending(), 0, "{report:?}");
}

#[test]
fn a_trace_arrives_as_it_was_recorded() {
    let collector = Collector::accepting();
    let tracer = start(Otlp::new(collector.url()).header("api-key", "4711"));
    below(&tracer, || {
        trace_function!("parse::<Vec<T>>", obs_tracing::annotate("tenant", "acme"));
    });
    check(&tracer.flush(LIMIT), 1, &[]);
    let request = collector.request();
    assert_eq!(request.line, "POST /v1/traces HTTP/1.1");
    assert_eq!(request.headers["api-key"], "4711");
    assert_eq!(request.headers["content-encoding"], "gzip");
    assert!(request.headers["user-agent"].starts_with("obs-tracing/"));
    let request = request.decode();
    assert_eq!(request.resource["service.name"], text("orders"));
    // X-Ray's rules for names are none of a collector's.
    assert_eq!(request.spans[0].name, "parse::<Vec<T>>");
    assert_eq!(attributes(&request.spans[0].attributes)["tenant"], text("acme"));
}

#[test]
fn requests_have_at_most_ten_thousand_spans_and_five_megabytes() {
    let collector = Collector::accepting();
    let tracer = builder().capacity_bytes(64 << 20).otlp(collector.url()).build().unwrap();
    spans(&tracer, 10_500);
    check(&tracer.flush(LIMIT), 10_500, &[]);
    let before = collector.requests().len();
    below(&tracer, || {
        for n in 0..60 {
            trace_function!("large", {
                // 250 KB in each of them, in parts of 30 KB.
                (0..8).for_each(|part| {
                    let text = format!("{n}{}", "x".repeat(30_000));
                    obs_tracing::metadata(&format!("n{part}"), "payload", &text);
                });
            });
        }
    });
    check(&tracer.flush(LIMIT), 60, &[]);
    let requests = collector.requests();
    assert!(requests.len() - before >= 3, "{} requests", requests.len() - before);
    // Decoded within X-Ray's limits, each.
    let all: Vec<_> = requests.iter().map(|it| it.decode()).collect();
    assert_eq!(all.iter().map(|it| it.spans.len()).sum::<usize>(), 10_560);
    let large = all.iter().flat_map(|it| &it.spans).filter(|span| span.name == "large");
    assert!(large.clone().count() == 60 && large.clone().all(|it| it.dropped_attributes_count > 0));
}

#[test]
fn spans_that_the_server_refused_are_counted_and_not_sent_again() {
    let collector = Collector::start(|_| Answer::Partial(2));
    let tracer = start(collector.url());
    spans(&tracer, 5);
    check(&tracer.flush(LIMIT), 3, &[(Reason::Rejected, 2)]);
    assert_eq!(collector.request().spans(), 5);
    assert_eq!(tracer.last_failure().get().unwrap(), "2 of 5 spans refused: injected");
}

#[test]
fn a_busy_server_is_tried_again() {
    for status in [429, 502, 503, 504] {
        let collector = Collector::first(Answer::Refuse(status, None));
        let tracer = start(collector.url());
        spans(&tracer, 1);
        check(&tracer.flush(LIMIT), 1, &[]);
        let requests = collector.requests();
        assert_eq!(requests.len(), 2, "{status}");
        assert_eq!(requests[0].body, requests[1].body);
    }
}

#[test]
fn the_server_says_when() {
    let collector = Collector::first(Answer::Refuse(503, Some("1")));
    let tracer = start(collector.url());
    spans(&tracer, 1);
    check(&tracer.flush(LIMIT), 1, &[]);
    let requests = collector.requests();
    let waited = requests[1].arrived - requests[0].arrived;
    assert!(waited >= Duration::from_millis(950), "{waited:?}");
}

#[test]
fn a_refusal_is_final() {
    for (status, reason) in [
        (400, Reason::Rejected),
        (401, Reason::Rejected),
        (404, Reason::Rejected),
        (500, Reason::Rejected),
        (413, Reason::TooLarge),
    ] {
        let collector = Collector::start(move |_| Answer::Refuse(status, None));
        let tracer = start(collector.url());
        spans(&tracer, 2);
        check(&tracer.flush(LIMIT), 0, &[(reason, 2)]);
        assert_eq!(collector.requests().len(), 1, "{status}");
        assert_eq!(tracer.last_failure().get().unwrap(), format!("{status} injected"));
    }
}

#[test]
fn scenario_01_what_ended_before_a_flush_is_sent_by_it() {
    let collector = Collector::accepting();
    let tracer = start(collector.url());
    let stop = Arc::new(AtomicBool::new(false));
    let background = {
        let (tracer, stop) = (tracer.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                spans(&tracer, 1);
                thread::sleep(Duration::from_micros(200));
            }
        })
    };
    // Scenario 10 as well: continuous load starves no flush.
    for _ in 0..10 {
        let before = tracer.stats().delivered;
        spans(&tracer, 10);
        assert!(tracer.flush(LIMIT).is_complete());
        assert!(tracer.stats().delivered >= before + 10);
    }
    stop.store(true, Ordering::Relaxed);
    background.join().unwrap();
    assert!(tracer.flush(LIMIT).is_complete());
    let arrived: usize = collector.requests().iter().map(|request| request.spans()).sum();
    assert_eq!(arrived as u64, tracer.stats().recorded);
}

#[test]
fn scenario_02_a_flush_works_inside_a_runtime_with_one_thread() {
    let collector = Collector::accepting();
    let tracer = start(collector.url());
    block_on(async {
        spans(&tracer, 1);
        check(&tracer.flush(LIMIT), 1, &[]);
        spans(&tracer, 1);
        check(&tracer.flush_async(LIMIT).await, 1, &[]);
    });
    // The connection is the tracer's own: it outlives the application's runtime.
    spans(&tracer, 1);
    check(&tracer.flush(LIMIT), 1, &[]);
    assert_eq!(collector.connections(), [1, 1, 1]);
}

#[test]
fn scenario_03_the_first_of_three_requests_fails_and_the_report_says_how_much() {
    let collector = Collector::first(Answer::Refuse(400, None));
    let tracer = builder().capacity_bytes(64 << 20).otlp(collector.url()).build().unwrap();
    // Three requests if they come in one batch, more if the lane takes them in parts.
    spans(&tracer, 20_500);
    let report = tracer.flush(LIMIT);
    let requests = collector.requests();
    assert!(requests.len() >= 3, "{} requests", requests.len());
    let lost = requests[0].spans() as u64;
    check(&report, 20_500 - lost, &[(Reason::Rejected, lost)]);
    assert!(!report.is_complete());
}

#[test]
fn scenario_04_a_flush_keeps_its_deadline_where_nobody_listens_or_answers() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = Collector::start(|_| Answer::Hang);
    for url in [format!("http://{nobody}"), silent.url()] {
        let tracer = start(url);
        spans(&tracer, 2);
        let (began, limit) = (Instant::now(), Duration::from_millis(600));
        let report = tracer.flush(limit);
        let took = began.elapsed();
        assert!(took < limit + Duration::from_millis(900), "{took:?}");
        assert_eq!((report.delivered(), report.pending()), (0, 2), "{report:?}");
        assert!(tracer.last_failure().get().is_some());
        let report = tracer.shutdown(limit);
        assert_eq!(report.failed() + report.pending(), 2, "{report:?}");
    }
}

#[test]
fn scenario_09_the_last_handle_is_dropped_and_the_worker_drains() {
    let collector = Collector::accepting();
    let tracer = start(collector.url());
    spans(&tracer, 3);
    drop(tracer);
    collector.wait_for(1);
    assert_eq!(collector.request().spans(), 3);
}

#[test]
fn scenario_11_what_comes_after_the_end_is_counted_as_dropped() {
    let collector = Collector::accepting();
    let tracer = start(collector.url());
    spans(&tracer, 1);
    assert!(tracer.shutdown(LIMIT).is_complete());
    spans(&tracer, 1);
    check(&tracer.flush(LIMIT), 0, &[(Reason::Closed, 1)]);
}

#[test]
fn scenario_12_with_a_dead_destination_memory_stays_bounded_and_the_loss_is_counted() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let otlp = Otlp::new(format!("http://{nobody}")).attempts(1);
    let tracer = builder().capacity_bytes(64 * 1024).otlp(otlp).build().unwrap();
    for _ in 0..200 {
        spans(&tracer, 50);
        assert!(tracer.stats().pending_bytes <= 64 * 1024);
    }
    let report = tracer.shutdown(LIMIT);
    assert_eq!(report.failed() + report.dropped(), 10_000, "{report}");
    assert_eq!(report.delivered(), 0);
}

#[test]
fn scenario_15_a_kept_connection_that_died_is_replaced() {
    for death in [Answer::Close, Answer::Garbage] {
        // What comes second over a connection that was kept.
        let collector = Collector::start(move |request| match request.number {
            2 => death,
            _ => Answer::Accept,
        });
        let tracer = start(Otlp::new(collector.url()).attempts(1));
        for _ in 0..2 {
            spans(&tracer, 1);
            check(&tracer.flush(LIMIT), 1, &[]);
        }
        assert_eq!(collector.connections(), [1, 1, 2], "{death:?}");
    }
}

#[test]
fn scenario_15_a_connection_that_was_closed_meanwhile_is_replaced() {
    let collector = Collector::first(Answer::AcceptAndClose);
    let tracer = start(Otlp::new(collector.url()).attempts(1));
    for _ in 0..2 {
        spans(&tracer, 1);
        check(&tracer.flush(LIMIT), 1, &[]);
    }
    assert_eq!(collector.connections(), [1, 2]);
}

#[test]
fn scenario_15_a_connection_that_says_nothing_any_more_is_replaced_within_the_flush() {
    let collector = Collector::start(|request| match request.number {
        2 => Answer::Hang,
        _ => Answer::Accept,
    });
    let tracer = start(collector.url());
    spans(&tracer, 1);
    check(&tracer.flush(LIMIT), 1, &[]);
    spans(&tracer, 1);
    check(&tracer.flush(Duration::from_secs(4)), 1, &[]);
    assert_eq!(collector.connections(), [1, 1, 2]);
}

#[test]
fn scenario_38_a_request_that_failed_does_not_stop_the_next() {
    let collector = Collector::start(|request| match request.number {
        2 => Answer::Refuse(400, None),
        _ => Answer::Accept,
    });
    let tracer = start(collector.url());
    for expected in [(3, &[][..]), (0, &[(Reason::Rejected, 3)]), (3, &[])] {
        spans(&tracer, 3);
        check(&tracer.flush(LIMIT), expected.0, expected.1);
    }
}

#[test]
fn scenario_39_the_tracers_own_calls_are_not_traced() {
    in_child("otlp_http::child_that_is_traced_everywhere", &[]);
}

#[test]
#[ignore = "in a process of its own"]
fn child_that_is_traced_everywhere() {
    if !is_child() {
        return;
    }
    let collector = Collector::accepting();
    let tracer = start(collector.url());
    // On all threads, that of the lane included.
    let seen = Seen::default();
    let subscriber = tracing_subscriber::registry().with(tracer.layer()).with(seen.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    for _ in 0..2 {
        trace_function!("mine", ());
        check(&tracer.flush(LIMIT), 1, &[]);
    }
    assert_eq!(tracer.stats().recorded, 2);
    assert_eq!(collector.requests().len(), 2);
    // Not even another layer sees what hyper does there: nobody but the application's own thread.
    let threads = seen.0.lock().unwrap();
    assert!(!threads.is_empty());
    assert!(threads.iter().all(|thread| *thread == thread::current().id()), "{threads:?}");
}

/// The threads on which there were spans and events.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<ThreadId>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Seen {
    fn on_new_span(&self, _: &Attributes<'_>, _: &tracing::Id, _: Context<'_, S>) {
        self.0.lock().unwrap().push(thread::current().id());
    }

    fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
        self.0.lock().unwrap().push(thread::current().id());
    }
}
