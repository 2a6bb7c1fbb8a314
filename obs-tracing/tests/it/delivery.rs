//! The road to the daemon: nothing is lost in silence.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use obs_tracing::{XRayTracer, trace_function};
use tracing_subscriber::prelude::*;

use crate::support::{Daemon, LIMIT, block_on, builder, flushed};

fn below(tracer: &XRayTracer, work: impl FnOnce()) {
    tracing::subscriber::with_default(tracing_subscriber::registry().with(tracer.layer()), work);
}

fn spans(tracer: &XRayTracer, n: usize) {
    below(tracer, || (0..n).for_each(|_| trace_function!("work", ())));
}

/// An address at which nobody listens.
fn nobody() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().to_string()
}

#[test]
fn scenario_01_what_ended_before_a_flush_is_sent_by_it() {
    let daemon = Daemon::start();
    let tracer = builder().daemon_at(daemon.address()).build().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let background = {
        let (tracer, stop) = (tracer.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                below(&tracer, || trace_function!("background", ()));
                thread::sleep(Duration::from_micros(200));
            }
        })
    };
    for _ in 0..20 {
        let before = tracer.stats();
        spans(&tracer, 10);
        let report = tracer.flush(LIMIT);
        assert!(report.is_complete(), "{report}");
        let delivered = tracer.stats().delivered;
        assert!(delivered >= before.delivered + 10);
        daemon.wait_for(usize::try_from(delivered).unwrap());
    }
    stop.store(true, Ordering::Relaxed);
    background.join().unwrap();
    assert!(tracer.flush(LIMIT).is_complete());
    let stats = tracer.stats();
    assert_eq!(stats.delivered, stats.recorded);
    daemon.documents(usize::try_from(stats.delivered).unwrap());
}

#[test]
fn scenario_02_a_flush_works_anywhere() {
    let daemon = Daemon::start();
    let tracer = builder().daemon_at(daemon.address()).build().unwrap();
    spans(&tracer, 1);
    assert_eq!(tracer.flush(LIMIT).delivered(), 1);
    block_on(async {
        spans(&tracer, 1);
        assert_eq!(tracer.flush_async(LIMIT).await.delivered(), 1);
        spans(&tracer, 1);
        assert_eq!(tracer.flush(LIMIT).delivered(), 1);
    });
    let one_worker = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    one_worker.block_on(async {
        let tracer = tracer.clone();
        let flushed = tokio::spawn(async move {
            spans(&tracer, 1);
            tracer.flush(LIMIT).delivered() + tracer.flush_async(LIMIT).await.delivered()
        });
        assert_eq!(flushed.await.unwrap(), 1);
    });
    daemon.documents(4);
}

#[test]
fn scenario_03_what_nobody_takes_is_reported() {
    let tracer = builder().daemon_at(nobody()).build().unwrap();
    spans(&tracer, 10);
    let report = tracer.flush(LIMIT);
    assert_eq!((report.delivered() + report.failed(), report.pending()), (10, 0), "{report}");
    // The answer that nobody listens comes back to this machine's own sender at once.
    if cfg!(target_os = "linux") {
        assert_eq!(report.failed(), 10, "{report}");
    }
    assert!(!report.is_complete() || report.failed() == 0);
    spans(&tracer, 5);
    let report = tracer.shutdown(LIMIT);
    assert_eq!(report.delivered() + report.failed(), 5, "{report}");
}

#[test]
fn scenario_09_the_last_handle_ends_the_worker_after_the_rest_is_sent() {
    let daemon = Daemon::start();
    let tracer = builder().daemon_at(daemon.address()).build().unwrap();
    spans(&tracer, 50);
    drop(tracer);
    daemon.documents(50);
}

#[test]
fn scenario_11_after_shutdown_nothing_panics_and_everything_is_counted() {
    let daemon = Daemon::start();
    let tracer = builder().daemon_at(daemon.address()).build().unwrap();
    spans(&tracer, 3);
    assert_eq!(tracer.shutdown(LIMIT).delivered(), 3);
    spans(&tracer, 4);
    let report = tracer.flush(LIMIT);
    assert_eq!((report.delivered(), report.dropped()), (0, 4), "{report}");
    assert_eq!(block_on(tracer.shutdown_async(LIMIT)).dropped(), 0);
    daemon.documents(3);
}

#[test]
fn scenario_12_the_queue_is_bounded_and_the_excess_counted() {
    let daemon = Daemon::start();
    let tracer = builder().capacity_bytes(64 * 1024).daemon_at(daemon.address()).build().unwrap();
    below(&tracer, || {
        for _ in 0..2_000 {
            trace_function!("large", {
                obs_tracing::metadata("debug", "payload", &"x".repeat(30_000));
            });
            assert!(tracer.stats().pending_bytes <= 64 * 1024);
        }
    });
    let report = tracer.flush(LIMIT);
    assert_eq!(report.delivered() + report.dropped(), 2_000, "{report}");
    assert!(report.dropped() > 0, "{report}");
}

#[test]
fn scenario_38_one_datagram_that_fails_does_not_stop_the_rest() {
    // The system answers for a daemon that is gone with an error of the next datagram. Half of them
    // find the daemon gone; those after it came back all arrive.
    let address = nobody();
    let tracer = builder().daemon_at(&address).build().unwrap();
    spans(&tracer, 5);
    let lost = tracer.flush(LIMIT);
    assert_eq!(lost.delivered() + lost.failed(), 5, "{lost}");
    let daemon = UdpSocket::bind(&address).unwrap();
    daemon.set_read_timeout(Some(LIMIT)).unwrap();
    spans(&tracer, 5);
    let report = tracer.flush(LIMIT);
    assert_eq!((report.delivered(), report.failed()), (5, 0), "{report}");
    let mut buffer = [0; 65_536];
    for _ in 0..5 {
        let length = daemon.recv(&mut buffer).unwrap();
        crate::support::rules::check(&buffer[..length]).unwrap();
    }
}

#[test]
fn a_host_that_is_not_found_costs_segments_and_nothing_else() {
    // Longer than any name: refused without asking a name server.
    let tracer = builder().daemon_at(format!("{}:2000", "x".repeat(300))).build().unwrap();
    let started = Instant::now();
    spans(&tracer, 100);
    assert!(started.elapsed() < Duration::from_secs(5));
    let report = tracer.flush(LIMIT);
    assert_eq!((report.failed(), report.pending()), (100, 0), "{report}");
}

#[test]
fn the_daemon_is_found_by_its_name_and_in_both_forms_of_its_address() {
    let daemon = Daemon::start();
    let (_, port) = daemon.address().rsplit_once(':').unwrap();
    for (n, address) in [
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("tcp:127.0.0.1:1 udp:127.0.0.1:{port}"),
    ]
    .into_iter()
    .enumerate()
    {
        let tracer = builder().daemon_at(address).build().unwrap();
        spans(&tracer, 1);
        assert!(tracer.flush(LIMIT).is_complete());
        daemon.documents(n + 1);
    }
}

#[test]
fn what_is_wrong_with_a_tracer_is_said_when_it_is_built() {
    let error = builder().daemon_at("127.0.0.1").build().unwrap_err();
    assert!(error.is_invalid_address(), "{error}");
    let error = builder().sampler(obs_tracing::Sampler::ratio(2.0)).build().unwrap_err();
    assert!(error.is_invalid_ratio(), "{error}");
    let error = builder().service(" ").build().unwrap_err();
    assert!(error.is_empty_service(), "{error}");
}

#[test]
fn many_spans_arrive_in_the_order_in_which_they_ended() {
    let daemon = Daemon::start();
    let tracer = builder().daemon_at(daemon.address()).build().unwrap();
    below(&tracer, || {
        for n in 0..120 {
            trace_function!("work", obs_tracing::annotate("n", n));
        }
    });
    let documents = flushed(&daemon, &tracer);
    let order: Vec<_> =
        documents.0.iter().map(|document| document.annotation("n").as_i64().unwrap()).collect();
    assert_eq!(order, (0..120).collect::<Vec<_>>());
}
