//! What arrives, and how it is addressed.

use std::io;
use std::sync::{Arc, Mutex};

use obs_core::context::RequestContext;
use obs_logging::Format;
use obs_logging::loki::{MAX_LINE_BYTES, MAX_METADATA_VALUE_BYTES};
use tracing::{debug, error, info, warn};

use crate::logger::{LONG, NOW, builder, check, logger, loki, with};
use crate::push::{all, bytes, read};
use crate::server::Server;

fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<(&'a str, &'a str)> {
    pairs.into_iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[test]
fn a_line_arrives_verbatim_with_few_labels_and_ids_as_metadata() {
    let server = Server::accepting();
    let logger = logger(loki(server.url()).label("region", "eu-central-1").metadata("order_id"));
    let request = RequestContext::builder().request_id("8f5c").correlation_id("c-1").build();
    with(&logger, || {
        let _request = request.enter();
        error!(order_id = 4711, amount = 12.5, "card refused");
    });
    check(&logger.flush(LONG), 1, &[]);

    let request = server.request();
    assert_eq!(request.headers["content-encoding"], "gzip");
    assert!(request.headers["user-agent"].starts_with("obs-logging/"));
    assert!(!request.headers.contains_key("authorization"));
    assert!(!request.headers.contains_key("x-scope-orgid"));
    let [line] = &read(&request)[..] else { panic!() };
    assert_eq!(
        pairs(&line.labels),
        [
            ("environment", "test"),
            ("level", "error"),
            ("region", "eu-central-1"),
            ("service", "orders")
        ]
    );
    assert_eq!(
        pairs(&line.metadata),
        [("correlation_id", "c-1"), ("function_request_id", "8f5c"), ("order_id", "4711")]
    );
    assert_eq!(line.nanos, NOW * 1_000_000);
    assert!(line.text.starts_with(r#"{"timestamp":"2026-11-21T12:30:00.125Z","level":"ERROR""#));
    assert_eq!(line.json["message"], "card refused");
    assert_eq!(line.json["amount"], 12.5);
}

#[test]
fn each_level_is_a_stream_and_equal_lines_of_one_millisecond_are_told_apart() {
    let server = Server::accepting();
    let logger = logger(loki(server.url()));
    with(&logger, || {
        for _ in 0..3 {
            for _ in 0..2 {
                info!("again");
            }
            warn!("careful");
            debug!("detail");
        }
    });
    check(&logger.flush(LONG), 12, &[]);
    let lines = read(&server.request());
    for (level, n) in [("info", 6), ("warn", 3), ("debug", 3)] {
        assert_eq!(lines.iter().filter(|line| line.labels["level"] == level).count(), n);
    }
    let mut times: Vec<_> = lines.iter().map(|line| line.nanos).collect();
    times.sort_unstable();
    times.dedup();
    assert_eq!(times.len(), 12);
    assert!(times.iter().all(|nanos| nanos / 1_000_000 == NOW));
}

#[test]
fn tenant_and_credentials_are_sent() {
    let server = Server::accepting();
    let base = || loki(format!("{}/loki/api/v1/push", server.url())).gzip(false);
    for loki in [
        base().tenant("team-a").basic_auth("Aladdin", "open sesame").header("X-Key", "k"),
        base().basic_auth("a", "b").bearer("token"),
    ] {
        let logger = logger(loki);
        with(&logger, || info!("who am I?"));
        check(&logger.flush(LONG), 1, &[]);
    }
    let [first, second] = &server.requests()[..] else { panic!() };
    assert_eq!(first.headers["x-scope-orgid"], "team-a");
    assert_eq!(first.headers["authorization"], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(first.headers["x-key"], "k");
    assert_eq!(second.headers["authorization"], "Bearer token");
    assert!(!first.headers.contains_key("content-encoding"));
    assert_eq!((read(first).len(), read(second).len()), (1, 1));
}

#[test]
fn metadata_can_be_left_out_and_long_values_stay_in_the_line() {
    let server = Server::accepting();
    let (none, some) =
        (logger(loki(server.url()).without_metadata()), logger(loki(server.url()).metadata("id")));
    let request = RequestContext::builder().request_id("8f5c").build();
    for logger in [none, some] {
        with(&logger, || {
            let _request = request.enter();
            info!(id = "x".repeat(MAX_METADATA_VALUE_BYTES), "line");
        });
        check(&logger.flush(LONG), 1, &[]);
    }
    let lines = all(&server);
    assert!(lines[0].metadata.is_empty());
    assert_eq!(pairs(&lines[1].metadata), [("function_request_id", "8f5c")]);
    assert_eq!(lines[0].json["function_request_id"], "8f5c");
    assert_eq!(lines[1].json["id"].as_str().unwrap().len(), MAX_METADATA_VALUE_BYTES);
}

#[test]
fn scenario_28_control_characters_arrive_escaped_in_the_line_and_as_they_are_in_metadata() {
    let server = Server::accepting();
    let logger = logger(loki(server.url()).metadata("id"));
    let nasty = "a\r\nb\u{1b}[31m\u{85}\u{2028}\"\\\0";
    with(&logger, || info!(id = nasty, "{nasty}"));
    check(&logger.flush(LONG), 1, &[]);
    let lines = all(&server);
    assert_eq!(lines[0].json["message"], nasty);
    assert_eq!(lines[0].metadata["id"], nasty);
}

#[test]
fn scenario_18_a_line_longer_than_loki_takes_is_cut_for_loki_alone() {
    let server = Server::accepting();
    let out = Written::default();
    let logger = builder()
        .max_line_bytes(1 << 20)
        .synchronous()
        .format(Format::Json)
        .writer(out.clone().maker())
        .loki(loki(server.url()))
        .build()
        .unwrap();
    let payload = "\"é".repeat(100_000);
    with(&logger, || info!(payload, "a large line"));
    assert!(logger.flush(LONG).is_complete());
    let line = &all(&server)[0];
    assert!(line.text.len() <= MAX_LINE_BYTES);
    assert!(line.json["payload"].as_str().unwrap().ends_with(" bytes]"));
    assert_eq!(line.json["message"], "a large line");
    let whole: serde_json::Value = serde_json::from_str(&out.text()).unwrap();
    assert_eq!(whole["payload"], payload);
}

#[test]
fn requests_hold_no_more_than_they_may_in_bytes_and_lines() {
    let server = Server::accepting();
    let logger = logger(loki(server.url()).batch_bytes(16 * 1024).batch_lines(50));
    with(&logger, || {
        for n in 0..100 {
            info!(n, text = "\"".repeat(n), "short");
        }
        for n in 100..120 {
            info!(n, text = "x".repeat(4_000), "long");
        }
        info!(n = 120, text = "x".repeat(40_000), "alone");
    });
    check(&logger.flush(LONG), 121, &[]);
    let requests = server.requests();
    for request in &requests {
        let lines = read(request).len();
        assert!(lines <= 50 && (lines == 1 || bytes(request) <= 16 * 1024));
    }
    assert!(requests.len() > 7, "{}", requests.len());
    let order: Vec<_> = all(&server).iter().map(|line| line.json["n"].as_u64().unwrap()).collect();
    assert_eq!(order, (0..=120).collect::<Vec<_>>());
}

#[test]
fn beside_a_writer_each_gets_every_line_in_its_own_format() {
    let server = Server::accepting();
    let out = Written::default();
    let logger = builder()
        .format(Format::Text)
        .writer(out.clone().maker())
        .loki(loki(server.url()))
        .build()
        .unwrap();
    with(&logger, || info!(n = 1, "to both"));
    let report = logger.flush(LONG);
    assert!(report.is_complete());
    let lanes: Vec<_> = report.lanes().iter().map(|lane| (lane.name, lane.delivered)).collect();
    assert_eq!(lanes, [("logs", 1), ("loki", 1)]);
    assert!(out.text().contains(" INFO  loki::contents: to both n=1"), "{}", out.text());
    assert_eq!(all(&server)[0].json["message"], "to both");
}

#[test]
fn lines_of_the_loggers_own_go_to_both_too() {
    let server = Server::accepting();
    let out = Written::default();
    let logger = builder()
        .format(Format::Text)
        .rate_limit(1, LONG)
        .writer(out.clone().maker())
        .loki(loki(server.url()))
        .build()
        .unwrap();
    with(&logger, || (0..3).for_each(|n| info!(n, "often")));
    assert!(logger.flush(LONG).is_complete());
    let lines = all(&server);
    assert_eq!((lines.len(), &lines[0].labels["level"]), (2, &"warn".to_owned()));
    assert_eq!(lines[0].json["message"], "log lines were suppressed");
    assert_eq!(lines[0].json["suppressed"], 2);
    assert!(out.text().contains("log lines were suppressed suppressed=2"), "{}", out.text());
}

/// Keeps what is written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn maker(self) -> impl Fn() -> Self + Send {
        move || self.clone()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
