//! Log lines, beside the JSON layer of tracing-subscriber and json-subscriber.
//!
//! All write on the calling thread to a writer that counts bytes and lines: a line that is skipped
//! fails the run. Before anything is measured, the lines of all are read back. Queued lines are
//! counted too: one that is dropped fails the run.

use std::cell::Cell;
use std::error::Error;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use obs_benches::{Captured, Operation, Suite, Tally};
use obs_logging::{Format, Redactor, StructuredLogger, StructuredLoggerBuilder};
use serde_json::{Value, json};
use tracing::span::EnteredSpan;
use tracing::subscriber::set_default;
use tracing::{Dispatch, Subscriber, debug, dispatcher, info, info_span};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;

static OURS: Tally = Tally::new();
static THEIRS: Tally = Tally::new();

const OUR_NAME: &str = "obs-logging";
const TRACING_JSON: &str = "tracing-subscriber json";
const JSON_SUBSCRIBER: &str = "json-subscriber";

fn main() -> Result<(), Box<dyn Error>> {
    check_lines()?;
    let mut suite = Suite::from_args("logging");
    line(&mut suite, "event, no span", Vec::new)?;
    line(&mut suite, "event in a span", || vec![request()])?;
    line(&mut suite, "event in two spans", || vec![request(), step()])?;
    beside_nested(&mut suite)?;
    let new_span: fn() = || drop(request());
    operation(&mut suite, "new span", new_span, 1)?;
    let with_event: fn() = || {
        let _span = request();
        event();
    };
    operation(&mut suite, "new span with an event", with_event, 1)?;
    redaction(&mut suite)?;
    queued(&mut suite)?;
    disabled(&mut suite)?;
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
    let case = {
        let _subscriber = set_default(tracing_json(|| &THEIRS));
        let _spans = InnermostFirst(spans());
        case.peer(TRACING_JSON, Operation::new(event).writes_to(&THEIRS))
    };
    let _subscriber = set_default(json_subscriber(|| &THEIRS));
    let _spans = InnermostFirst(spans());
    case.peer(JSON_SUBSCRIBER, Operation::new(event).writes_to(&THEIRS)).done();
    Ok(())
}

/// Beside another line: json-subscriber's faster form has a list of spans, each an object of its own
/// that was written when the span was made. A key may occur in several of them.
fn beside_nested(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let case = suite.case("event in two spans, flat beside nested");
    let spans = || InnermostFirst(vec![request(), step()]);
    let case = {
        let _subscriber = set_default(ours(|| &OURS)?);
        let _spans = spans();
        case.ours(OUR_NAME, Operation::new(event).writes_to(&OURS).allocates_at_most(0))
    };
    let nested = json_subscriber::layer().flatten_event(true).with_current_span(false);
    let _subscriber = set_default(registry().with(nested.with_writer(|| &THEIRS)));
    let _spans = spans();
    case.peer("json-subscriber, nested", Operation::new(event).writes_to(&THEIRS)).done();
    Ok(())
}

fn operation(
    suite: &mut Suite,
    name: &str,
    run: fn(),
    most_allocations: u32,
) -> Result<(), Box<dyn Error>> {
    let case = suite.case(name);
    let case = {
        let _subscriber = set_default(ours(|| &OURS)?);
        case.ours(OUR_NAME, Operation::new(run).allocates_at_most(most_allocations))
    };
    let case = {
        // As `init` installs it. The peers have no filter either.
        let logger = builder(|| &OURS).synchronous().build()?;
        let _subscriber = set_default(logger.subscriber());
        let alone = format!("{OUR_NAME}, the only layer");
        case.ours(&alone, Operation::new(run).allocates_at_most(most_allocations))
    };
    let case = {
        let _subscriber = set_default(tracing_json(|| &THEIRS));
        case.peer(TRACING_JSON, Operation::new(run))
    };
    let _subscriber = set_default(json_subscriber(|| &THEIRS));
    case.peer(JSON_SUBSCRIBER, Operation::new(run)).done();
    Ok(())
}

/// Texts are searched for secrets, and have none. What is searched in a span is searched when it is
/// made.
fn redaction(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let mut case = suite.case("event in a span, texts searched");
    for (name, redactor) in [("off", Redactor::default()), ("on", Redactor::standard())] {
        let logger = builder(|| &OURS).synchronous().redact(redactor).build()?;
        let _subscriber = set_default(registry().with(logger.layer()));
        let _span = request();
        case = case.ours(name, Operation::new(event).writes_to(&OURS).allocates_at_most(0));
    }
    case.done();
    Ok(())
}

/// Lines that a thread of the logger's writes: from one thread and from four at once, until all are
/// written. The queue has room for them all: while four threads want two cores, the one that writes
/// may have to wait for its turn.
fn queued(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    const LINES: u32 = 100_000;
    let logger = builder(|| &OURS).queued().queue_bytes(64 << 20).build()?;
    let dispatch = Dispatch::new(registry().with(logger.layer()));
    let lost = Cell::new(0);
    let mut case = suite.case("event, queued, until it is written").long();
    for (name, threads) in [("one thread", 1), ("four threads", 4)] {
        let (begin, end) = (Barrier::new(threads as usize + 1), Barrier::new(threads as usize + 1));
        let is_over = AtomicBool::new(false);
        let log = || {
            let (_, lines_before) = OURS.read();
            begin.wait();
            end.wait();
            let report = logger.flush(Duration::from_secs(10));
            let (_, lines) = OURS.read();
            assert_eq!(lines - lines_before, u64::from(LINES), "{report:?}");
            lost.set(lost.get() + report.dropped() + report.failed() + report.pending());
        };
        // They live through all runs: a system may leave new threads on one core for longer than one
        // run takes.
        case = thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    dispatcher::with_default(&dispatch, || {
                        loop {
                            begin.wait();
                            // Asked after the barrier alone: the end waits there for each of them.
                            if is_over.load(Ordering::Relaxed) {
                                break;
                            }
                            (0..LINES / threads).for_each(|_| event());
                            end.wait();
                        }
                    });
                });
            }
            // Too long to be run a thousand times.
            let case = case.ours(name, Operation::new(log).of(LINES).prepare(|| ()));
            is_over.store(true, Ordering::Relaxed);
            begin.wait();
            case
        });
    }
    case.done();
    if lost.get() > 0 {
        return Err(format!("{} lines were lost", lost.get()).into());
    }
    Ok(())
}

/// A callsite that is not written: below the level, and where another target has a level that would
/// let it through. Beside `tracing` with nothing but a filter.
fn disabled(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let run: fn() = || debug!(batch = black_box(17_u64), "not written");
    let case = suite.case("disabled callsite");
    let case = {
        let _subscriber = set_default(ours(|| &OURS)?);
        case.ours(OUR_NAME, Operation::new(run).allocates_at_most(0))
    };
    {
        let _subscriber = set_default(registry().with(LevelFilter::INFO));
        case.peer("tracing, LevelFilter", Operation::new(run)).done();
    }
    let case = suite.case("disabled callsite, another target enabled");
    let case = {
        let logger = builder(|| &OURS).level("info,orders=debug").synchronous().build()?;
        let _subscriber = set_default(registry().with(logger.layer()));
        case.ours(OUR_NAME, Operation::new(run).allocates_at_most(0))
    };
    let _subscriber = set_default(registry().with("info,orders=debug".parse::<Targets>()?));
    case.peer("tracing, Targets", Operation::new(run)).done();
    Ok(())
}

fn builder<M>(writer: M) -> StructuredLoggerBuilder
where
    M: for<'w> MakeWriter<'w> + Send + 'static,
{
    StructuredLogger::builder()
        .service("orders")
        .environment("bench")
        .level("info")
        .format(Format::Json)
        .writer(writer)
}

fn ours<M>(writer: M) -> Result<impl Subscriber + Send + Sync, obs_logging::Error>
where
    M: for<'w> MakeWriter<'w> + Send + 'static,
{
    let logger = builder(writer).synchronous().build()?;
    Ok(registry().with(logger.layer()))
}

/// Without a filter of its own, which would cost it, and with each span once.
fn tracing_json<M>(writer: M) -> impl Subscriber + Send + Sync
where
    M: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let json = fmt::layer().json().flatten_event(true).with_current_span(false);
    registry().with(json.with_writer(writer))
}

/// As ours: flat, with the fields of all spans, each key once.
fn json_subscriber<M>(writer: M) -> impl Subscriber + Send + Sync
where
    M: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let json = json_subscriber::layer()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .flatten_span_list_on_top_level(true);
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

/// All write one line, in JSON, with the event's fields and the spans'.
fn check_lines() -> Result<(), Box<dyn Error>> {
    let line = |subscriber: Dispatch, captured: &Captured| -> Result<Value, Box<dyn Error>> {
        dispatcher::with_default(&subscriber, || {
            let _spans = InnermostFirst(vec![request(), step()]);
            event();
        });
        Ok(serde_json::from_str(&captured.text())?)
    };
    let captured: [Captured; 3] = std::array::from_fn(|_| Captured::default());
    let writers = captured.clone().map(|captured| move || captured.clone());
    let [to_ours, to_tracing_json, to_json_subscriber] = writers;
    let lines = [
        line(ours(to_ours)?.into(), &captured[0])?,
        line(tracing_json(to_tracing_json).into(), &captured[1])?,
        line(json_subscriber(to_json_subscriber).into(), &captured[2])?,
    ];
    let expected = [
        ("message", json!("Batch processing completed")),
        ("level", json!("INFO")),
        ("batch", json!(17)),
        ("pipeline", json!("sales")),
        ("seconds", json!(1.275)),
        ("order", json!(4711)),
        ("customer", json!("acme")),
        ("region", json!("eu-west-1")),
        ("attempt", json!(1)),
    ];
    for line in &lines {
        let spans = line.get("spans").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (key, value) in &expected {
            let found = std::iter::once(line).chain(spans).find_map(|object| object.get(key));
            if found != Some(value) {
                return Err(format!("{key} is not {value} in {line}").into());
            }
        }
    }
    Ok(())
}
