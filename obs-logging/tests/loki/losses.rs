//! What is lost is counted by reason, and stands in the stream when it moves again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use obs_core::lane::Reason;

use crate::logger::{LONG, check, count, logger, loki};
use crate::push::{Line, read};
use crate::server::{Answer, Server};

/// A server that is down until it is not; and what it took.
struct Recovering {
    server: Server,
    up: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<Line>>>,
}

impl Recovering {
    fn down() -> Self {
        let (up, taken) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Vec<Line>>>::default());
        let (is_up, take) = (Arc::clone(&up), Arc::clone(&taken));
        let server = Server::start(move |request| {
            if !is_up.load(Ordering::SeqCst) {
                return Answer::Refuse(503, None);
            }
            take.lock().unwrap().extend(read(request));
            Answer::Accept
        });
        Self { server, up, taken }
    }

    fn recover(&self) {
        self.up.store(true, Ordering::SeqCst);
    }

    fn taken(&self) -> Vec<Line> {
        self.taken.lock().unwrap().clone()
    }
}

fn is_notice(line: &Line) -> bool {
    line.json["message"] == "log lines were lost"
}

#[test]
fn scenario_12_dead_at_ten_times_the_load_it_stays_within_its_bytes_and_says_what_was_lost() {
    const BUFFER: usize = 64 * 1024;
    let loki_server = Recovering::down();
    let logger = logger(loki(loki_server.server.url()).buffer_bytes(BUFFER));
    // Some 200 bytes each: ten times the buffer.
    count(&logger, 0..4_000);
    let first = logger.flush(Duration::from_millis(300));
    assert_eq!(first.dropped() + first.pending(), 4_000, "{first}");
    assert!(first.dropped() > 3_000 && first.pending() > 100, "{first}");

    loki_server.recover();
    count(&logger, 4_000..4_010);
    let second = logger.flush(LONG);
    count(&logger, 4_010..4_011);
    let third = logger.flush(LONG);
    assert_eq!(second.pending() + third.pending(), 0, "{second} {third}");

    let lines = loki_server.taken();
    let (notices, own): (Vec<_>, Vec<_>) = lines.into_iter().partition(is_notice);
    let dropped = first.dropped() + second.dropped() + third.dropped();
    let said: u64 = notices.iter().map(|line| line.json["lost"].as_u64().unwrap()).sum();
    assert_eq!(said, dropped);
    assert_eq!(second.delivered() + third.delivered() + dropped, 4_011);
    let mut numbers: Vec<_> = own.iter().map(|line| line.json["n"].as_u64().unwrap()).collect();
    let arrived_bytes: usize = own
        .iter()
        .filter(|line| line.json["n"].as_u64().unwrap() < 4_000)
        .map(|line| line.text.len() + 1)
        .sum();
    assert!(arrived_bytes <= BUFFER, "{arrived_bytes}");
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len() as u64 + dropped, 4_011);
    let notice = &notices[0];
    assert_eq!(notice.labels["level"], "warn");
    assert_eq!(notice.labels["service"], "orders");
    assert_eq!(notice.json["reasons"][Reason::QueueFull.as_str()], notice.json["lost"]);
}

#[test]
fn scenario_12_what_was_given_up_is_said_when_it_recovers() {
    let loki_server = Recovering::down();
    let loki = loki(loki_server.server.url()).give_up_after(Duration::ZERO).batch_lines(2);
    let failure = loki.last_failure();
    let logger = logger(loki);
    count(&logger, 0..6);
    check(&logger.flush(LONG), 0, &[(Reason::SinkFailed, 6)]);
    assert_eq!(failure.get().unwrap(), "503 injected");
    loki_server.recover();
    count(&logger, 6..7);
    check(&logger.flush(LONG), 1, &[]);
    let lines = loki_server.taken();
    let notices: Vec<_> = lines.iter().filter(|line| is_notice(line)).collect();
    assert_eq!((lines.len(), notices.len()), (2, 1));
    assert_eq!(notices[0].json["reasons"][Reason::SinkFailed.as_str()], 6);
}

#[test]
fn what_is_behind_a_request_that_was_given_up_does_not_wait_as_long_again() {
    let server = Server::start(|_| Answer::Refuse(503, None));
    let logger =
        logger(loki(server.url()).give_up_after(Duration::from_millis(150)).batch_lines(1));
    count(&logger, 0..4);
    check(&logger.flush(LONG), 0, &[(Reason::SinkFailed, 4)]);
    // Two or more for the first, one for each of the others.
    let attempts = server.requests().len();
    assert!((5..=8).contains(&attempts), "{attempts}");
}

#[test]
fn scenario_42_no_secret_is_shown_where_a_request_fails() {
    let server = Server::start(|_| Answer::Refuse(401, None));
    let address = format!("{}/hunter2/loki/api/v1/push?key=hunter2", server.url());
    let nobody = "http://127.0.0.1:9/hunter2";
    for url in [address.as_str(), nobody] {
        let loki = loki(url)
            .basic_auth("user", "hunter2")
            .header("x-key", "hunter2")
            .give_up_after(Duration::ZERO);
        let failure = loki.last_failure();
        let shown = format!("{loki:?}");
        let logger = logger(loki);
        count(&logger, 0..1);
        let report = logger.flush(LONG);
        assert_eq!(report.failed(), 1);
        let shown = format!("{shown} {logger:?} {report:?} {report} {failure:?}");
        assert!(!shown.contains("hunter2") && failure.get().is_some(), "{shown}");
    }
    assert_eq!(server.requests()[0].headers["x-key"], "hunter2");
}
