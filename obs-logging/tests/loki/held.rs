//! Lines that were held until an error.

use obs_core::RequestContext;
use obs_logging::Format;
use obs_logging::test::TestWriter;

use crate::logger::{LONG, builder, loki, with};
use crate::push::all;
use crate::server::Server;

#[test]
fn they_come_as_json_beside_a_writer_that_gets_text() {
    let server = Server::accepting();
    let writer = TestWriter::new();
    let made = writer.clone();
    let logger = builder()
        .level("info")
        .format(Format::Text)
        .writer(move || made.clone())
        .loki(loki(server.url()))
        .buffer_until_error(4096)
        .build()
        .unwrap();
    with(&logger, || {
        let _request = RequestContext::builder().request_id("r-1").build().enter();
        tracing::debug!(n = 1, "held");
        tracing::debug!(n = 2, "held");
        tracing::error!(n = 3, "failed");
    });
    assert!(logger.flush(LONG).is_complete());
    let lines = all(&server);
    let numbers: Vec<_> = lines.iter().map(|line| line.json["n"].as_u64().unwrap()).collect();
    // A stream for each level: the error's, and that of the two before it.
    assert_eq!(numbers, [3, 1, 2]);
    assert!(lines.iter().all(|line| line.json["function_request_id"] == "r-1"));
    let text = writer.text();
    let levels: Vec<_> = text.lines().map(|line| line.contains("DEBUG")).collect();
    assert_eq!(levels, [true, true, false], "{text}");
}
