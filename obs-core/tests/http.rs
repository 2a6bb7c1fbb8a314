//! The HTTP client and its sender against raw sockets. How they behave when a server misbehaves is
//! tested where they are used: the OTLP sink of obs-metrics and the Loki sink of obs-logging.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use obs_core::http::{Body, Client, Endpoint, Headers, Outcome, Request, Round, Sender, Verdict};
use obs_core::lane::{AsyncSink, Delivery, Lane, Reason, Records};

/// Answers one request after the other, over one connection, with these bytes; gives back the requests.
fn answering(answers: Vec<Vec<u8>>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        answers
            .iter()
            .map(|answer| {
                let request = read(&mut stream);
                stream.get_mut().write_all(answer).unwrap();
                request
            })
            .collect()
    });
    (address, thread)
}

/// Head and body as they came.
fn read(stream: &mut impl BufRead) -> String {
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        assert_ne!(stream.read_line(&mut head).unwrap(), 0, "{head}");
        if let Some(value) = head[start..].to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn requests_have_method_path_headers_and_body() {
    let (address, server) = answering(vec![answer(200, "", "one"), answer(204, "", "")]);
    let endpoint = Endpoint::below(&address, "/a/b").unwrap();
    let mut headers = Headers::new();
    headers.insert("X-Key", "k").unwrap();
    block_on(async {
        let client = Client::to(&endpoint).unwrap();
        let first = client.send(Request::get(&endpoint, &headers)).await.unwrap();
        assert_eq!((first.status(), first.body()), (200, &b"one"[..]));
        let body = Body::from(b"{}".to_vec());
        let second = client.send(Request::post(&endpoint, &headers, &body)).await.unwrap();
        assert_eq!((second.status(), second.body()), (204, &b""[..]));
    });
    let [get, post] = &server.join().unwrap()[..] else { unreachable!() };
    assert!(get.starts_with("GET /a/b HTTP/1.1\r\n") && get.contains("x-key: k\r\n"), "{get}");
    assert!(post.starts_with("POST /a/b HTTP/1.1\r\n") && post.ends_with("\r\n\r\n{}"), "{post}");
}

#[test]
fn of_an_answer_no_more_is_read_than_is_asked_for() {
    let (long, broken) =
        ("x".repeat(100), b"HTTP/1.1 400 X\r\nContent-Length: 9\r\n\r\nab".to_vec());
    for (given, most, expected) in [
        (answer(400, "Retry-After: 7\r\n", &long), 100, long.as_str()),
        (answer(400, "Retry-After: 7\r\n", &long), 99, ""),
        (broken, 100, ""),
    ] {
        let (address, server) = answering(vec![given]);
        let endpoint = Endpoint::new(&address).unwrap();
        let answer = block_on(async {
            let client = Client::to(&endpoint).unwrap().max_answer_bytes(most);
            client.send(Request::get(&endpoint, &Headers::new())).await.unwrap()
        });
        // The status counts, whatever is behind it.
        assert_eq!((answer.status(), answer.body()), (400, expected.as_bytes()));
        server.join().unwrap();
    }
}

/// Posts each record, and is satisfied with `ok`.
struct Posts(Sender);

impl AsyncSink<Records<String>> for Posts {
    async fn deliver(&mut self, batch: &mut Records<String>, delivery: &Delivery<'_>) {
        let mut round = Round::default();
        for record in batch.drain() {
            let judge = |answer: &obs_core::http::Answer, _: SystemTime| {
                let verdict = match answer.body() {
                    b"ok" => Verdict::Delivered { rejected: 0 },
                    b"who?" => Verdict::Unauthorized,
                    _ => Verdict::Refused,
                };
                (verdict, answer.said())
            };
            let body = Body::from(record.into_bytes());
            match self.0.post(&body, &mut round, delivery, judge).await {
                Outcome::Delivered { .. } => delivery.delivered(1),
                Outcome::Failed(reason) => delivery.failed(1, reason),
            }
        }
    }
}

#[test]
fn the_judge_decides_and_without_a_signature_unauthorized_is_final() {
    let answers = ["ok", "no", "who?", "ok"].map(|body| answer(200, "", body)).to_vec();
    let (address, server) = answering(answers);
    let sender = Sender::new(Endpoint::new(&address).unwrap(), Headers::new());
    let failure = sender.last_failure();
    let lane = Lane::builder("posts").start_async(Posts(sender)).unwrap();
    for n in 0..4 {
        lane.push(1, |records: &mut Records<String>| records.push(n.to_string()));
    }
    let report = lane.shutdown(Duration::from_secs(20));
    assert_eq!((report.delivered(), report.failed()), (2, 2), "{report}");
    assert_eq!(report.lanes()[0].reasons, [(Reason::Rejected, 2)]);
    assert_eq!(failure.get().as_deref(), Some("ok"));
    let bodies: String = server.join().unwrap().iter().filter_map(|it| it.chars().last()).collect();
    assert_eq!(bodies, "0123");
}
