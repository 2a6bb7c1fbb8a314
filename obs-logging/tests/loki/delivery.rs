//! What is sent again, what is given up, and when.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use obs_core::lane::Reason;

use crate::logger::{LONG, check, count, logger, loki};
use crate::push::{all, read};
use crate::server::{Answer, Server};

#[test]
fn a_busy_or_broken_server_is_tried_again_with_the_same_bytes() {
    for status in [408, 429, 500, 502, 503, 504] {
        let server = Server::first(Answer::Refuse(status, None));
        let logger = logger(loki(server.url()));
        count(&logger, 0..3);
        check(&logger.flush(LONG), 3, &[]);
        let requests = server.requests();
        assert_eq!(requests.len(), 2, "{status}");
        // Loki takes the second for the first, should both have arrived.
        assert_eq!(requests[0].body, requests[1].body);
    }
}

#[test]
fn the_server_says_when() {
    let server = Server::first(Answer::Refuse(429, Some("1")));
    let logger = logger(loki(server.url()));
    count(&logger, 0..1);
    check(&logger.flush(LONG), 1, &[]);
    let requests = server.requests();
    let waited = requests[1].arrived - requests[0].arrived;
    assert!(waited >= Duration::from_millis(950), "{waited:?}");
}

#[test]
fn a_refusal_is_final() {
    for status in [400, 401, 403, 404, 301] {
        let server = Server::start(move |_| Answer::Refuse(status, None));
        let loki = loki(server.url());
        let failure = loki.last_failure();
        let logger = logger(loki);
        count(&logger, 0..2);
        check(&logger.flush(LONG), 0, &[(Reason::Rejected, 2)]);
        assert_eq!(read(&server.requests()[0]).len(), 2);
        assert_eq!(failure.get().unwrap(), format!("{status} injected"));
    }
}

#[test]
fn scenario_03_the_first_of_three_requests_fails_and_the_report_says_how_much() {
    let server = Server::first(Answer::Refuse(400, None));
    let logger = logger(loki(server.url()).batch_lines(2));
    count(&logger, 0..6);
    let report = logger.flush(LONG);
    check(&report, 4, &[(Reason::Rejected, 2)]);
    assert!(!report.is_complete());
}

#[test]
fn a_request_that_is_too_large_for_who_takes_it_is_sent_in_halves() {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let take = Arc::clone(&taken);
    let server = Server::start(move |request| {
        let numbers: Vec<_> =
            read(request).iter().map(|line| line.json["n"].as_u64().unwrap()).collect();
        if numbers.len() > 3 || numbers.contains(&5) {
            return Answer::Refuse(413, None);
        }
        take.lock().unwrap().extend(numbers);
        Answer::Accept
    });
    let logger = logger(loki(server.url()));
    count(&logger, 0..12);
    check(&logger.flush(LONG), 11, &[(Reason::TooLarge, 1)]);
    assert_eq!(*taken.lock().unwrap(), [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]);
}

#[test]
fn scenario_15_a_kept_connection_that_died_is_replaced() {
    for death in [Answer::Reset, Answer::Garbage] {
        // What comes second over a connection that was kept.
        let server = Server::start(move |request| match request.number {
            2 => death.clone(),
            _ => Answer::Accept,
        });
        let logger = logger(loki(server.url()).give_up_after(Duration::ZERO));
        for n in 0..2 {
            count(&logger, n..n + 1);
            check(&logger.flush(LONG), 1, &[]);
        }
        assert_eq!(server.connections(), [1, 1, 2]);
    }
}

#[test]
fn scenario_15_a_connection_that_was_closed_meanwhile_is_replaced() {
    let server = Server::first(Answer::AcceptAndClose);
    let logger = logger(loki(server.url()).give_up_after(Duration::ZERO));
    for n in 0..2 {
        count(&logger, n..n + 1);
        check(&logger.flush(LONG), 1, &[]);
    }
    assert_eq!(server.connections(), [1, 2]);
}

#[test]
fn scenario_15_a_connection_that_says_nothing_any_more_is_replaced_within_the_flush() {
    let server = Server::start(|request| match request.number {
        2 => Answer::Hang,
        _ => Answer::Accept,
    });
    let logger = logger(loki(server.url()));
    count(&logger, 0..1);
    check(&logger.flush(LONG), 1, &[]);
    count(&logger, 1..2);
    let began = Instant::now();
    check(&logger.flush(Duration::from_secs(4)), 1, &[]);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(server.connections(), [1, 1, 2]);
}

#[test]
fn an_attempt_without_an_answer_ends_and_is_repeated() {
    let server = Server::first(Answer::Hang);
    let loki = loki(server.url()).request_timeout(Duration::from_millis(100));
    let failure = loki.last_failure();
    let logger = logger(loki);
    count(&logger, 0..1);
    check(&logger.flush(LONG), 1, &[]);
    assert!(failure.get().unwrap().starts_with("no answer within "));
    assert_eq!(server.connections(), [1, 2]);
}

#[test]
fn scenario_04_who_logs_never_waits_and_a_flush_keeps_its_deadline() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = Server::start(|_| Answer::Hang);
    for url in [format!("http://{nobody}"), silent.url()] {
        let loki = loki(&url).buffer_bytes(32 * 1024);
        let failure = loki.last_failure();
        let logger = logger(loki);
        let (began, limit) = (Instant::now(), Duration::from_millis(600));
        count(&logger, 0..1_000);
        let report = logger.flush(limit);
        let took = began.elapsed();
        // A thousand lines to a sink that takes none; generous for a loaded machine.
        assert!(took < limit + Duration::from_secs(5), "{took:?}");
        assert_eq!((report.delivered(), report.failed()), (0, 0), "{report:?}");
        assert_eq!(report.dropped() + report.pending(), 1_000, "{report:?}");
        assert!(report.pending() > 50, "{report:?}");
        assert!(failure.get().is_some());

        // A shutdown gives them up at its own deadline, and says so.
        let began = Instant::now();
        let last = logger.shutdown(limit);
        let took = began.elapsed();
        assert!(took < limit + Duration::from_millis(500), "{took:?}");
        assert_eq!(last.failed() + last.pending(), report.pending(), "{last:?}");
    }
}

#[test]
fn scenario_09_the_last_handle_is_dropped_and_the_worker_drains() {
    let server = Server::accepting();
    let logger = logger(loki(server.url()));
    count(&logger, 0..1);
    drop(logger);
    server.wait_for(1);
    assert_eq!(read(&server.request()).len(), 1);
}

#[test]
fn scenario_11_what_comes_after_the_end_is_counted_as_dropped() {
    let server = Server::accepting();
    let logger = logger(loki(server.url()));
    count(&logger, 0..1);
    assert!(logger.shutdown(LONG).is_complete());
    count(&logger, 1..2);
    check(&logger.flush(LONG), 0, &[(Reason::Closed, 1)]);
}

#[test]
fn scenario_02_a_flush_works_inside_a_runtime_with_one_thread() {
    let server = Server::accepting();
    let logger = logger(loki(server.url()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        count(&logger, 0..1);
        check(&logger.flush(LONG), 1, &[]);
        count(&logger, 1..2);
        check(&logger.flush_async(LONG).await, 1, &[]);
    });
    drop(runtime);
    // The connection is the sink's own: it outlives the application's runtime.
    count(&logger, 2..3);
    check(&logger.flush(LONG), 1, &[]);
    assert_eq!(server.connections(), [1, 1, 1]);
}

#[test]
fn scenario_10_without_a_flush_a_batch_leaves_after_its_wait() {
    let server = Server::accepting();
    let logger = logger(loki(server.url()).batch_wait(Duration::from_millis(50)));
    count(&logger, 0..5);
    server.wait_for(1);
    assert!(!all(&server).is_empty());
    check(&logger.shutdown(LONG), 5, &[]);
}
