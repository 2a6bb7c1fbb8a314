//! What takes too long with the limits of every day.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;

use obs_core::lane::Lane;

use super::*;

const LONG: Duration = Duration::from_secs(20);

fn sink(address: SocketAddr, change: impl FnOnce(&mut Limits)) -> TcpSink {
    let endpoint = Endpoint::parse(&format!("tcp://{address}")).unwrap();
    let mut sink = TcpSink::new(endpoint, Notice::default());
    change(&mut sink.limits);
    sink
}

fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The next connection; a sink that makes none fails the test instead of hanging it.
fn accept(listener: &TcpListener) -> TcpStream {
    let start = Instant::now();
    listener.set_nonblocking(true).unwrap();
    loop {
        match listener.accept() {
            Ok((connection, _)) => {
                connection.set_nonblocking(false).unwrap();
                return connection;
            }
            Err(error) if start.elapsed() > LONG => panic!("{error}"),
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn push(lane: &Lane<Lines>, line: &[u8]) -> bool {
    lane.push(line.len() + 1, |lines| lines.push(line))
}

#[test]
fn what_nobody_takes_has_failed_when_the_patience_is_over() {
    let patience = Duration::from_millis(300);
    let sink = sink(closed_port(), |limits| limits.patience = patience);
    let lane = Lane::builder("patience").start(sink);
    let start = Instant::now();
    for _ in 0..3 {
        push(&lane, b"{}");
    }
    let report = lane.flush(LONG);
    assert_eq!((report.failed(), report.pending()), (3, 0), "{report}");
    assert!(start.elapsed() >= patience, "{:?}", start.elapsed());
}

#[test]
fn a_shutdown_ends_the_tries_at_its_deadline() {
    let lane = Lane::builder("end").start(sink(closed_port(), |_| {}));
    push(&lane, b"{}");
    let start = Instant::now();
    drop(lane.shutdown(Duration::from_millis(200)));
    while lane.stats().pending > 0 {
        assert!(start.elapsed() < LONG, "{}", lane.stats());
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(lane.stats().failed, 1);
}

#[test]
fn on_a_callers_thread_one_try_is_made_and_then_none_for_a_while() {
    let lane = Lane::builder("caller").synchronous().start(sink(closed_port(), |_| {}));
    let start = Instant::now();
    for _ in 0..100 {
        push(&lane, b"{}");
    }
    let report = lane.flush(LONG);
    assert_eq!(report.failed(), 100, "{report}");
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
}

#[test]
fn scenario_4_a_connection_that_takes_nothing_is_given_up_for_a_fresh_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sink = sink(listener.local_addr().unwrap(), |limits| {
        limits.stall = Duration::from_millis(200);
    });
    let lane = Lane::builder("stall").capacity_bytes(256 << 20).start(sink);
    let (sender, received) = mpsc::channel();
    let agent = thread::spawn(move || {
        // The first is never read; the second is, from the line on that the first took in part.
        let blocked = accept(&listener);
        let second = accept(&listener);
        for line in BufReader::new(second).lines() {
            sender.send(line.unwrap()).unwrap();
        }
        drop(blocked);
    });
    // More than the system's buffers take of one connection.
    let line = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        assert!(push(&lane, &line));
    }
    let report = lane.flush(LONG);
    assert!(report.is_complete() && report.delivered() == 64, "{report}");
    drop(lane);
    let second: Vec<String> = received.iter().collect();
    assert!(!second.is_empty() && second.len() < 64, "{}", second.len());
    assert!(second.iter().all(|read| read.len() == line.len()));
    agent.join().unwrap();
}

#[test]
fn scenario_15_a_connection_that_lay_unused_for_long_is_not_trusted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sink = sink(listener.local_addr().unwrap(), |limits| limits.idle = Duration::ZERO);
    let lane = Lane::builder("idle").start(sink);
    for line in ["first", "second"] {
        push(&lane, line.as_bytes());
        assert!(lane.flush(LONG).is_complete());
        let mut read = String::new();
        let connection = accept(&listener);
        BufReader::new(connection).read_line(&mut read).unwrap();
        assert_eq!(read.trim_end(), line);
    }
}
