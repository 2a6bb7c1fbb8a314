//! OTLP over UDP to the daemon: each datagram is decoded and checked.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use obs_core::lane::Reason;
use obs_tracing::{XRayTracer, trace_function, traced};
use tracing_subscriber::prelude::*;

use crate::support::otlp::{Request, attributes, of_datagram, text};
use crate::support::{Daemon, LIMIT, block_on, builder};

fn tracer(daemon: &Daemon) -> XRayTracer {
    builder().otlp_udp_at(daemon.address()).build().unwrap()
}

fn below(tracer: &XRayTracer, work: impl FnOnce()) {
    tracing::subscriber::with_default(tracing_subscriber::registry().with(tracer.layer()), work);
}

fn spans(tracer: &XRayTracer, n: usize) {
    below(tracer, || (0..n).for_each(|_| trace_function!("work", ())));
}

/// What has arrived, when this many spans have.
fn requests(daemon: &Daemon, spans: usize) -> Vec<Request> {
    let deadline = std::time::Instant::now() + LIMIT;
    loop {
        let requests: Vec<_> = daemon.datagrams().iter().map(|it| of_datagram(it)).collect();
        let found: usize = requests.iter().map(|request| request.spans.len()).sum();
        if found >= spans {
            assert_eq!(found, spans, "more spans than expected");
            return requests;
        }
        assert!(std::time::Instant::now() < deadline, "{found} of {spans} spans arrived");
        thread::sleep(Duration::from_millis(2));
    }
}

#[derive(Debug)]
struct Declined;
impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("declined")
    }
}
impl std::error::Error for Declined {}

#[traced(annotate(order_id = id), metadata(items = 2), err)]
fn charge(id: u64) -> Result<(), Declined> {
    Err(Declined)
}

#[test]
fn a_trace_arrives_as_it_was_recorded() {
    let daemon = Daemon::start();
    let tracer = builder()
        .resource_attribute("team", "shop")
        .version("7")
        .otlp_udp_at(daemon.address())
        .build()
        .unwrap();
    below(&tracer, || assert!(trace_function!("outer", charge(4711).is_err())));
    let report = tracer.flush(LIMIT);
    assert_eq!(report.delivered(), 2, "{report}");
    let [request] = &requests(&daemon, 2)[..] else { panic!("more than one datagram") };
    for (key, value) in [
        ("service.name", "orders"),
        ("service.version", "7"),
        ("deployment.environment", "test"),
        ("deployment.environment.name", "test"),
        ("telemetry.sdk.language", "rust"),
        ("team", "shop"),
    ] {
        assert_eq!(request.resource[key], text(value), "{key}");
    }
    let [inner, outer] = &request.spans[..] else { panic!("{request:?}") };
    assert_eq!((inner.name.as_str(), outer.name.as_str()), ("charge", "outer"));
    assert_eq!((inner.kind, outer.kind), (1, 2), "internal and server");
    assert_eq!(inner.trace_id, outer.trace_id);
    assert_eq!(inner.parent_span_id, outer.span_id);
    assert!(outer.parent_span_id.is_empty());
    let status = inner.status.as_ref().unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "declined"));
    let exception = attributes(&inner.events[0].attributes);
    assert_eq!(exception["exception.type"], text("Declined"));
    let inner = attributes(&inner.attributes);
    assert_eq!(inner["status"], text("error"));
    assert_eq!(inner["error_type"], text("Declined"));
    assert_eq!(format!("{:?}", inner["order_id"]), "IntValue(4711)");
    assert_eq!(format!("{:?}", inner["items"]), "IntValue(2)");
    let indexed = format!("{:?}", inner["aws.xray.annotations"]);
    assert!(indexed.contains("order_id") && !indexed.contains("items"), "{indexed}");
}

#[test]
fn many_spans_share_a_datagram_and_are_packed_by_bytes() {
    let daemon = Daemon::start();
    let tracer = tracer(&daemon);
    below(&tracer, || {
        for n in 0..300_usize {
            // From 0 to 30,000 bytes.
            trace_function!("work", {
                obs_tracing::annotate("n", n);
                obs_tracing::metadata("debug", "payload", &"x".repeat(n * 7 % 30 * 1_000));
            });
            if n % 50 == 0 {
                assert!(tracer.flush(LIMIT).is_complete());
            }
        }
    });
    assert!(tracer.flush(LIMIT).is_complete());
    let requests = requests(&daemon, 300);
    assert!((90..150).contains(&requests.len()), "{} datagrams", requests.len());
    let order: Vec<_> = requests
        .iter()
        .flat_map(|request| &request.spans)
        .map(|span| format!("{:?}", attributes(&span.attributes)["n"]))
        .collect();
    let expected: Vec<_> = (0..300).map(|n| format!("IntValue({n})")).collect();
    assert_eq!(order, expected);
}

#[test]
fn scenario_37_a_span_that_is_too_large_alone_is_trimmed_and_counted() {
    let daemon = Daemon::start();
    let tracer = tracer(&daemon);
    below(&tracer, || {
        trace_function!("large", {
            obs_tracing::annotate("tenant", "acme");
            for n in 0..4 {
                obs_tracing::metadata(&format!("n{n}"), "payload", &"x".repeat(20_000 + n));
            }
        });
        trace_function!("small", ());
    });
    assert_eq!(tracer.flush(LIMIT).delivered(), 2);
    let requests = requests(&daemon, 2);
    let large = requests.iter().flat_map(|it| &it.spans).find(|it| it.name == "large").unwrap();
    assert_eq!(large.dropped_attributes_count, 2);
    let kept = attributes(&large.attributes);
    assert_eq!(kept["tenant"], text("acme"));
    let metadata: Vec<_> = kept.keys().filter(|key| key.contains("metadata")).collect();
    assert_eq!(metadata, ["aws.xray.metadata.n0", "aws.xray.metadata.n1"]);
}

#[test]
fn scenario_01_what_ended_before_a_flush_is_sent_by_it() {
    let daemon = Daemon::start();
    let tracer = tracer(&daemon);
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
    for _ in 0..10 {
        let before = tracer.stats().delivered;
        spans(&tracer, 10);
        let report = tracer.flush(LIMIT);
        assert!(report.is_complete(), "{report}");
        assert!(tracer.stats().delivered >= before + 10);
    }
    stop.store(true, Ordering::Relaxed);
    background.join().unwrap();
    assert!(tracer.flush(LIMIT).is_complete());
    requests(&daemon, usize::try_from(tracer.stats().recorded).unwrap());
}

#[test]
fn scenario_02_a_flush_works_inside_a_runtime_and_outside() {
    let daemon = Daemon::start();
    let tracer = tracer(&daemon);
    spans(&tracer, 1);
    assert_eq!(tracer.flush(LIMIT).delivered(), 1);
    block_on(async {
        spans(&tracer, 1);
        assert_eq!(tracer.flush(LIMIT).delivered(), 1);
        spans(&tracer, 1);
        assert_eq!(tracer.flush_async(LIMIT).await.delivered(), 1);
    });
    requests(&daemon, 3);
}

#[test]
#[cfg(target_os = "linux")]
fn scenario_03_spans_that_nobody_takes_are_all_reported() {
    // Three datagrams of which the first is the one that nobody took.
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let tracer = builder().otlp_udp_at(&address).build().unwrap();
    spans(&tracer, 10);
    let report = tracer.flush(LIMIT);
    assert_eq!((report.delivered(), report.failed(), report.pending()), (0, 10, 0), "{report}");
    let [lane] = report.lanes() else { panic!("{report:?}") };
    assert_eq!(lane.reasons, [(Reason::SinkFailed, 10)]);
    let failure = tracer.last_failure().get().unwrap();
    assert!(failure.contains(&address), "{failure}");
}

#[test]
#[cfg(target_os = "linux")]
fn scenario_38_datagrams_after_one_that_failed_still_go() {
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let tracer = builder().otlp_udp_at(&address).build().unwrap();
    spans(&tracer, 5);
    assert_eq!(tracer.flush(LIMIT).failed(), 5);
    let daemon = UdpSocket::bind(&address).unwrap();
    daemon.set_read_timeout(Some(LIMIT)).unwrap();
    spans(&tracer, 5);
    let report = tracer.flush(LIMIT);
    assert_eq!((report.delivered(), report.failed()), (5, 0), "{report}");
    let mut buffer = vec![0; 70_000];
    let mut found = 0;
    while found < 5 {
        let length = daemon.recv(&mut buffer).unwrap();
        found += of_datagram(&buffer[..length]).spans.len();
    }
    assert_eq!(found, 5);
}

#[test]
fn scenario_09_the_last_handle_ends_the_worker_after_the_rest_is_sent() {
    let daemon = Daemon::start();
    let tracer = tracer(&daemon);
    spans(&tracer, 500);
    drop(tracer);
    requests(&daemon, 500);
}

#[test]
fn scenario_11_after_shutdown_nothing_panics_and_everything_is_counted() {
    let daemon = Daemon::start();
    let tracer = tracer(&daemon);
    spans(&tracer, 3);
    assert_eq!(tracer.shutdown(LIMIT).delivered(), 3);
    spans(&tracer, 4);
    let report = tracer.flush(LIMIT);
    assert_eq!((report.delivered(), report.dropped()), (0, 4), "{report}");
    requests(&daemon, 3);
}

#[test]
fn scenario_12_the_queue_is_bounded_and_the_excess_counted() {
    let daemon = Daemon::start();
    let tracer = builder().capacity_bytes(64 * 1024).otlp_udp_at(daemon.address()).build().unwrap();
    below(&tracer, || {
        for _ in 0..1_000 {
            trace_function!("large", {
                obs_tracing::metadata("debug", "payload", &"x".repeat(30_000));
            });
            assert!(tracer.stats().pending_bytes <= 64 * 1024);
        }
    });
    let report = tracer.flush(LIMIT);
    assert_eq!(report.delivered() + report.dropped(), 1_000, "{report}");
    assert!(report.dropped() > 0, "{report}");
}

#[test]
fn an_address_that_is_none_is_an_error_of_build() {
    let error = builder().otlp_udp_at("127.0.0.1").build().unwrap_err();
    assert!(error.is_invalid_address(), "{error}");
}
