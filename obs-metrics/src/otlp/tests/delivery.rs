//! What is sent again, what is given up, and when.

use std::io::Read;
use std::net::TcpListener;
use std::time::Instant;

use super::server::{Answer, Collector};
use super::*;

/// The first request is answered so, every other one is taken.
fn first(answer: Answer) -> Collector {
    Collector::start(move |request| match request.number {
        1 => answer.clone(),
        _ => Answer::Accept,
    })
}

#[test]
fn points_that_the_server_refused_are_counted_and_not_sent_again() {
    let collector = Collector::start(|_| Answer::Partial(2));
    let otlp = Otlp::new(collector.url());
    let failure = otlp.last_failure();
    let outputs = start(otlp);
    push(&outputs, &vec![count(1.0); 5]);
    check(&flush(&outputs, LONG), 3, &[(Reason::Rejected, 2)]);
    assert_eq!(collector.request().points(), 5);
    assert_eq!(failure.get().unwrap(), "2 of 5 points refused: injected");
}

#[test]
fn a_busy_server_is_tried_again() {
    for status in [429, 502, 503, 504] {
        let collector = first(Answer::Refuse(status, None));
        let outputs = start(Otlp::new(collector.url()));
        push(&outputs, &[count(1.0)]);
        check(&flush(&outputs, LONG), 1, &[]);
        let requests = collector.requests();
        assert_eq!(requests.len(), 2, "{status}");
        assert_eq!(requests[0].body, requests[1].body);
    }
}

#[test]
fn the_server_says_when() {
    let collector = first(Answer::Refuse(503, Some("1")));
    let outputs = start(Otlp::new(collector.url()));
    push(&outputs, &[count(1.0)]);
    check(&flush(&outputs, LONG), 1, &[]);
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
        (301, Reason::Rejected),
        (413, Reason::TooLarge),
    ] {
        let collector = Collector::start(move |_| Answer::Refuse(status, None));
        let otlp = Otlp::new(collector.url());
        let failure = otlp.last_failure();
        let outputs = start(otlp);
        push(&outputs, &[count(1.0), count(2.0)]);
        check(&flush(&outputs, LONG), 0, &[(reason, 2)]);
        assert_eq!(collector.requests().len(), 1, "{status}");
        assert_eq!(failure.get().unwrap(), format!("{status} injected"));
    }
}

#[test]
fn scenario_03_the_first_of_three_requests_fails_and_the_report_says_how_much() {
    let collector = first(Answer::Refuse(400, None));
    let outputs = start(Otlp::new(collector.url()));
    push(&outputs, &vec![count(1.0); 2_500]);
    let report = flush(&outputs, LONG);
    let lost = collector.requests()[0].points() as u64;
    check(&report, 2_500 - lost, &[(Reason::Rejected, lost)]);
    assert!(!report.is_complete());
}

#[test]
fn scenario_15_a_kept_connection_that_died_is_replaced() {
    for death in [Answer::Reset, Answer::Garbage] {
        // What comes second over a connection that was kept.
        let collector = Collector::start(move |request| match request.number {
            2 => death.clone(),
            _ => Answer::Accept,
        });
        let outputs = start(Otlp::new(collector.url()).attempts(1));
        for _ in 0..2 {
            push(&outputs, &[count(1.0)]);
            check(&flush(&outputs, LONG), 1, &[]);
        }
        let connections: Vec<_> = collector.requests().iter().map(|it| it.connection).collect();
        assert_eq!(connections, [1, 1, 2]);
    }
}

#[test]
fn scenario_15_a_connection_that_was_closed_meanwhile_is_replaced() {
    let collector = first(Answer::AcceptAndClose);
    let outputs = start(Otlp::new(collector.url()).attempts(1));
    for _ in 0..2 {
        push(&outputs, &[count(1.0)]);
        check(&flush(&outputs, LONG), 1, &[]);
    }
    let connections: Vec<_> = collector.requests().iter().map(|it| it.connection).collect();
    assert_eq!(connections, [1, 2]);
}

#[test]
fn scenario_15_a_connection_that_says_nothing_any_more_is_replaced_within_the_flush() {
    let collector = Collector::start(|request| match request.number {
        2 => Answer::Hang,
        _ => Answer::Accept,
    });
    let outputs = start(Otlp::new(collector.url()));
    push(&outputs, &[count(1.0)]);
    check(&flush(&outputs, LONG), 1, &[]);
    push(&outputs, &[count(1.0)]);
    let began = Instant::now();
    check(&flush(&outputs, Duration::from_secs(4)), 1, &[]);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let connections: Vec<_> = collector.requests().iter().map(|it| it.connection).collect();
    assert_eq!(connections, [1, 1, 2]);
}

#[test]
fn scenario_04_a_flush_keeps_its_deadline_where_nobody_listens_or_answers() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = Collector::start(|_| Answer::Hang);
    for url in [format!("http://{nobody}"), silent.url()] {
        let otlp = Otlp::new(&url);
        let failure = otlp.last_failure();
        let outputs = start(otlp);
        push(&outputs, &[count(1.0), count(2.0)]);
        let (began, limit) = (Instant::now(), Duration::from_millis(600));
        let report = flush(&outputs, limit);
        let took = began.elapsed();
        assert!(took < limit + Duration::from_millis(500), "{took:?}");
        assert_eq!((report.delivered(), report.pending()), (0, 2), "{report:?}");
        assert!(failure.get().is_some());

        // A shutdown gives them up at its own deadline, and says so.
        let began = Instant::now();
        let report = outputs.begin_shutdown(limit).wait();
        let took = began.elapsed();
        assert!(took < limit + Duration::from_millis(500), "{took:?}");
        assert_eq!(report.failed() + report.pending(), 2, "{report:?}");
    }
}

#[test]
fn what_is_given_up_is_counted_and_what_is_behind_it_does_not_wait_as_long() {
    let collector = Collector::start(|_| Answer::Refuse(503, None));
    let otlp = Otlp::new(collector.url()).attempts(3);
    let failure = otlp.last_failure();
    let outputs = start(otlp);
    push(&outputs, &vec![count(1.0); 1_500]);
    check(&flush(&outputs, LONG), 0, &[(Reason::SinkFailed, 1_500)]);
    // Three attempts for the first of two requests, one for the second.
    assert_eq!(collector.requests().len(), 4);
    assert_eq!(failure.get().unwrap(), "503 injected");
}

#[test]
fn scenario_09_the_last_handle_is_dropped_and_the_worker_drains() {
    let collector = Collector::accepting();
    let outputs = start(Otlp::new(collector.url()));
    push(&outputs, &[count(1.0)]);
    drop(outputs);
    collector.wait_for(1);
    assert_eq!(collector.request().points(), 1);
}

#[test]
fn scenario_11_what_comes_after_the_end_is_counted_as_dropped() {
    let collector = Collector::accepting();
    let outputs = start(Otlp::new(collector.url()));
    push(&outputs, &[count(1.0)]);
    assert!(outputs.begin_shutdown(LONG).wait().is_complete());
    push(&outputs, &[count(1.0)]);
    check(&flush(&outputs, LONG), 0, &[(Reason::Closed, 1)]);
}

#[test]
fn scenario_02_a_flush_works_inside_a_runtime_with_one_thread() {
    let collector = Collector::accepting();
    let outputs = start(Otlp::new(collector.url()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        push(&outputs, &[count(1.0)]);
        check(&flush(&outputs, LONG), 1, &[]);
        push(&outputs, &[count(1.0)]);
        check(&outputs.begin_flush(LONG).report().await, 1, &[]);
    });
    drop(runtime);
    // The connection is the sink's own: it outlives the application's runtime.
    push(&outputs, &[count(1.0)]);
    check(&flush(&outputs, LONG), 1, &[]);
    assert_eq!(collector.requests().last().unwrap().connection, 1);
}

#[test]
fn over_https_it_speaks_tls_and_offers_no_newer_http() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let hello = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 5];
        stream.read_exact(&mut head).unwrap();
        let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        stream.read_exact(&mut hello).unwrap();
        (head[0], hello)
    });
    let otlp = Otlp::new(format!("https://{address}")).attempts(1);
    let failure = otlp.last_failure();
    let outputs = start(otlp);
    push(&outputs, &[count(1.0)]);
    // The listener is gone, and with it whoever could have been tried next.
    check(&flush(&outputs, LONG), 0, &[(Reason::SinkFailed, 1)]);
    assert!(failure.get().is_some());
    let (kind, hello) = hello.join().unwrap();
    // A handshake, that begins with a ClientHello.
    assert_eq!((kind, hello[0]), (22, 1));
    assert!(!hello.windows(3).any(|at| at == b"\x02h2"), "{hello:?}");
}

#[test]
fn scenario_25_a_collector_takes_points_of_any_time() {
    let collector = Collector::accepting();
    let outputs = start(Otlp::new(collector.url()));
    let mut ahead = count(1.0);
    ahead.timestamp_millis = NOW + 3_600_000;
    push(&outputs, &[ahead]);
    check(&flush(&outputs, LONG), 1, &[]);
}
