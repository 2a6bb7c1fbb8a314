//! Log lines, beside the JSON layer of tracing-subscriber.
//!
//! Both write on the calling thread to a writer that counts bytes and lines: a line that is skipped
//! fails the run. Before anything is measured, the lines of both sides are read back.

use std::error::Error;
use std::hint::black_box;

use obs_benches::{Captured, Operation, Suite, Tally};
use obs_logging::{Format, StructuredLogger};
use serde_json::{Value, json};
use tracing::span::EnteredSpan;
use tracing::subscriber::set_default;
use tracing::{Subscriber, info, info_span};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;

static OURS: Tally = Tally::new();
static THEIRS: Tally = Tally::new();

const OUR_NAME: &str = "obs-logging";
const PEER: &str = "tracing-subscriber json";

fn main() -> Result<(), Box<dyn Error>> {
    check_lines()?;
    let mut suite = Suite::from_args("logging");
    line(&mut suite, "event, no span", Vec::new)?;
    line(&mut suite, "event in a span", || vec![request()])?;
    line(&mut suite, "event in two spans", || vec![request(), step()])?;
    new_span(&mut suite)?;
    suite.finish()?;
    Ok(())
}

/// One event of three fields, within `spans`.
fn line(
    suite: &mut Suite,
    name: &str,
    spans: fn() -> Vec<EnteredSpan>,
) -> Result<(), Box<dyn Error>> {
    let case = suite.case(name);
    // One after the other: a subscriber that lives has a say in which callsites are enabled.
    let case = {
        let _subscriber = set_default(ours(|| &OURS)?);
        let _spans = InnermostFirst(spans());
        case.ours(OUR_NAME, Operation::new(event).writes_to(&OURS).allocates_at_most(0))
    };
    let _subscriber = set_default(theirs(|| &THEIRS));
    let _spans = InnermostFirst(spans());
    case.peer(PEER, Operation::new(event).writes_to(&THEIRS)).done();
    Ok(())
}

/// A span of three fields: made, entered and closed. It writes nothing.
fn new_span(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let case = suite.case("new span");
    let case = {
        let _subscriber = set_default(ours(|| &OURS)?);
        case.ours(OUR_NAME, Operation::new(|| drop(request())).allocates_at_most(1))
    };
    let _subscriber = set_default(theirs(|| &THEIRS));
    case.peer(PEER, Operation::new(|| drop(request()))).done();
    Ok(())
}

fn ours<M>(writer: M) -> Result<impl Subscriber + Send + Sync, obs_logging::Error>
where
    M: for<'w> MakeWriter<'w> + Send + 'static,
{
    let logger = StructuredLogger::builder()
        .service("orders")
        .environment("bench")
        .level("info")
        .format(Format::Json)
        .writer(writer)
        .synchronous()
        .build()?;
    Ok(registry().with(logger.layer()))
}

/// Without a filter of its own, which would cost it.
fn theirs<M>(writer: M) -> impl Subscriber + Send + Sync
where
    M: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let json =
        fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
    registry().with(json.with_writer(writer))
}

fn event() {
    info!(
        batch = black_box(17_u64),
        pipeline = black_box("sales"),
        seconds = black_box(1.275),
        "Batch processing completed"
    );
}

fn request() -> EnteredSpan {
    info_span!(
        "request",
        order = black_box(4711_u64),
        customer = black_box("acme"),
        region = black_box("eu-west-1")
    )
    .entered()
}

fn step() -> EnteredSpan {
    info_span!("step", attempt = black_box(1_u64)).entered()
}

/// Spans are left in the opposite order of that in which they were entered.
struct InnermostFirst(Vec<EnteredSpan>);

impl Drop for InnermostFirst {
    fn drop(&mut self) {
        while self.0.pop().is_some() {}
    }
}

/// Both sides write one line, in JSON, with the event's fields and the span's.
fn check_lines() -> Result<(), Box<dyn Error>> {
    let captured = Captured::default();
    let writer = captured.clone();
    let line = |writer: &Captured| -> Result<Value, Box<dyn Error>> {
        let _span = request();
        event();
        Ok(serde_json::from_str(&writer.text())?)
    };
    let ours = {
        let _subscriber = set_default(ours(move || writer.clone())?);
        line(&captured)?
    };
    let captured = Captured::default();
    let writer = captured.clone();
    let theirs = {
        let _subscriber = set_default(theirs(move || writer.clone()));
        line(&captured)?
    };
    let expected = [
        ("message", json!("Batch processing completed")),
        ("level", json!("INFO")),
        ("batch", json!(17)),
        ("pipeline", json!("sales")),
        ("seconds", json!(1.275)),
        ("order", json!(4711)),
        ("customer", json!("acme")),
        ("region", json!("eu-west-1")),
    ];
    for (key, value) in expected {
        let of_span = theirs.get("span").and_then(|span| span.get(key));
        if ours.get(key) != Some(&value) || theirs.get(key).or(of_span) != Some(&value) {
            return Err(format!("{key} is not {value} in both of: {ours} {theirs}").into());
        }
    }
    Ok(())
}
