//! The panic hook, in processes of their own: it is global, and some of them end with an abort.

use std::fmt::{self, Debug, Display};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use obs_core::context::{InContextExt, RequestContext};
use obs_core::health;
use obs_core::lane::{Delivery, Lane, Lines, Sink};
use obs_logging::{Format, Redactor, StructuredLogger, StructuredLoggerBuilder};
use serde_json::Value;
use tracing::{debug, info, info_span};
use tracing_subscriber::layer::SubscriberExt;

use crate::capture::Line;
use crate::process::{Written, in_child, in_dying_child, is_child};

const LIMIT: Duration = Duration::from_secs(10);

fn builder() -> StructuredLoggerBuilder {
    StructuredLogger::builder().service("orders").environment("test").format(Format::Json)
}

fn init() -> StructuredLogger {
    builder().level("info").buffer_until_error(64 * 1024).init().unwrap()
}

fn request(id: &str) -> RequestContext {
    RequestContext::builder().request_id(id).build()
}

fn messages(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line["message"].as_str().unwrap()).collect()
}

/// What the lanes of this process have delivered.
fn delivered() -> u64 {
    health::snapshot().lanes.iter().map(|lane| lane.delivered).sum()
}

/// The only line of a panic.
fn panic_line(child: &Written) -> Line {
    let mut lines = child.lines();
    lines.retain(|line| line["error_type"] == "panic");
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

#[test]
fn scenario_41_a_panic_is_one_line_with_all_that_any_line_has() {
    in_child("panics::child_that_panics", |child| {
        let lines = child.lines();
        assert_eq!(messages(&lines), ["held\n for the request", "it was\nsaid \"so\"", "goes on"]);
        let line = &lines[1];
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["logger"], "panic");
        assert_eq!(line["service"], "orders");
        assert_eq!(line["function_request_id"], "r-1");
        assert_eq!(line["appended"], "to the request");
        assert_eq!(line["order_id"], 7);
        assert_eq!(line["password"], "[REDACTED]", "a span's field, redacted as anywhere");
        assert_eq!(line["function"], "charge");
        assert_eq!(line["error_message"], line["message"]);
        assert_eq!(line["thread"], "panics::child_that_panics");
        let location = line["panic_location"].as_str().unwrap();
        assert!(location.contains("panics.rs:"), "{location}");
        let traceback = line["traceback"].as_str().unwrap();
        assert!(traceback.contains("child_that_panics"), "{traceback}");
        assert!(lines[2]["has_logged"] == true && lines[2]["other"] == false);
        // The hook before it is called, once.
        assert_eq!(child.stderr().matches("hook: it was").count(), 1, "{}", child.stderr());
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_panics() {
    if !is_child() {
        return;
    }
    std::panic::set_hook(Box::new(|info| {
        eprintln!("hook: {}", info.payload_as_str().unwrap_or_default());
    }));
    let logger = init();
    // Asked twice, it still writes one.
    logger.install_panic_hook();
    let request = request("r-1");
    request.append("appended", "to the request");
    let _entered = request.enter();
    let _charge = info_span!("charge", order_id = 7, password = "hunter2").entered();
    debug!("held\n for the request");
    assert!(catch_unwind(|| panic!("it was\nsaid {:?}", "so")).is_err());
    let other = RequestContext::builder().build();
    info!(
        has_logged = logger.has_logged_panic(&request),
        other = logger.has_logged_panic(&other),
        "goes on"
    );
    assert!(logger.flush(LIMIT).is_complete());
}

#[test]
fn scenario_41_the_text_of_a_panic_is_searched_for_secrets() {
    in_child("panics::child_with_a_secret", |child| {
        let line = panic_line(child);
        assert_eq!(line["message"], "no user [REDACTED], token=[REDACTED]");
        assert_eq!(line["error_message"], line["message"]);
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_a_secret() {
    if !is_child() {
        return;
    }
    let _logger = builder().redact(Redactor::standard()).init().unwrap();
    assert!(catch_unwind(|| panic!("no user jane@example.com, token=8f5c")).is_err());
}

#[test]
fn scenario_41_the_hook_before_shows_nothing_if_it_is_left_out() {
    in_child("panics::child_without_the_hook_before", |child| {
        let lines = child.lines();
        assert_eq!(messages(&lines), ["no user [REDACTED]", "no user [REDACTED]"]);
        let stderr = child.stderr();
        assert!(!stderr.contains("jane@example.com"), "{stderr}");
        // The loggers are gone, or say that it is called: then it is.
        assert_eq!(stderr.matches("john@example.com").count(), 2, "{stderr}");
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_without_the_hook_before() {
    if !is_child() {
        return;
    }
    let of = || builder().redact(Redactor::standard()).panic_backtrace(false).panic_hook(true);
    let alone = of().panic_hook_before(false).build().unwrap();
    assert!(catch_unwind(|| panic!("no user jane@example.com")).is_err());
    drop(alone);
    assert!(catch_unwind(|| panic!("no line, john@example.com")).is_err());
    let _other = of().build().unwrap();
    assert!(catch_unwind(|| panic!("no user john@example.com")).is_err());
}

#[test]
fn panics_of_threads_and_tasks_carry_the_ids_of_their_request() {
    in_child("panics::child_with_panics_everywhere", |child| {
        let lines = child.lines();
        let seen: Vec<_> = lines
            .iter()
            .map(|line| {
                assert_eq!(line["error_type"], "panic");
                let text = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
                (text("message"), text("function_request_id"), text("thread"))
            })
            .collect();
        let expected = [
            ("in a thread", "-", "worker-7"),
            ("in a thread of the request", "r-1", "-"),
            ("in a task", "r-2", "tokio-rt-worker"),
            ("the panic carries no message", "-", "panics::child_with_panics_everywhere"),
        ];
        let expected =
            expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())).to_vec();
        assert_eq!(seen, expected);
        assert!(lines.iter().all(|line| !line.has("traceback")), "it was switched off");
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_panics_everywhere() {
    if !is_child() {
        return;
    }
    let logger = builder().panic_backtrace(false).init().unwrap();
    let named = std::thread::Builder::new().name("worker-7".to_owned());
    assert!(named.spawn(|| panic!("in a thread")).unwrap().join().is_err());
    let of_request = request("r-1").wrap(|| panic!("in a thread of the request"));
    assert!(std::thread::spawn(of_request).join().is_err());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let task = async { panic!("in a task") };
    let task = runtime.spawn(task.in_context(request("r-2")));
    assert!(runtime.block_on(task).unwrap_err().is_panic());
    assert!(catch_unwind(|| std::panic::panic_any(7)).is_err());
    assert_eq!(delivered(), 4, "the hook has flushed each");
    assert_eq!(logger.flush(LIMIT).delivered(), 4, "and left the report to us");
}

#[test]
fn an_abort_finds_the_line_written() {
    for how in ["hook", "drop", "extern"] {
        for lines in ["queued", "synchronous"] {
            in_dying_child(
                "panics::child_that_aborts",
                &[("HOW", how), ("LINES", lines)],
                |child| {
                    let lines = child.lines();
                    assert_eq!(
                        messages(&lines)[..3],
                        ["before", "held", "first"],
                        "{how}: {lines:?} {}",
                        child.stderr()
                    );
                    if how == "drop" {
                        assert_eq!(lines[3]["message"], "second, in a drop");
                    }
                    assert!(lines[2..].iter().all(|line| line["function_request_id"] == "r-1"));
                },
            );
        }
    }
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_aborts() {
    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("second, in a drop");
        }
    }
    extern "C" fn cannot_unwind() {
        panic!("first");
    }
    if !is_child() {
        return;
    }
    let how = std::env::var("HOW").unwrap();
    if how == "hook" {
        // As with `panic = "abort"`: nothing runs after the hooks.
        std::panic::set_hook(Box::new(|_| std::process::abort()));
    }
    let builder = builder().level("info").buffer_until_error(4096);
    let builder = match std::env::var("LINES").unwrap().as_str() {
        "queued" => builder.queued(),
        _ => builder.synchronous(),
    };
    let _logger = builder.init().unwrap();
    let _request = request("r-1").enter();
    info!("before");
    debug!("held");
    match how.as_str() {
        "extern" => cannot_unwind(),
        _ => {
            let _drops = PanicsInDrop;
            panic!("first");
        }
    }
}

#[test]
fn scenario_19_values_that_panic_are_no_panics_of_the_application() {
    in_child("panics::child_with_values_that_panic", |child| {
        let lines = child.lines();
        assert_eq!(messages(&lines), ["a value", "", "in a value"]);
        assert_eq!(lines[0]["value"], "[panicked while formatting]");
        assert_eq!(lines[2]["error_type"], "panic", "outside any line it is one");
        assert_eq!(child.stderr().matches("in a value").count(), 1, "{}", child.stderr());
    });
}

struct Panics;

impl Debug for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in a value")
    }
}

impl Display for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(self, f)
    }
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_values_that_panic() {
    if !is_child() {
        return;
    }
    let logger = init();
    info!(value = ?Panics, "a value");
    let span = info_span!("work", value = tracing::field::Empty);
    let _entered = span.enter();
    span.record("value", tracing::field::debug(Panics));
    info!(value = %Panics);
    drop(_entered);
    assert!(catch_unwind(|| format!("{Panics:?}")).is_err());
    assert!(logger.flush(LIMIT).is_complete());
}

/// The locks that a panicking thread may hold, and that a line needs.
#[test]
fn a_panic_never_waits_for_what_its_own_thread_holds() {
    for what in ["writer", "span", "stdout", "appended"] {
        crate::process::in_child_with(
            "panics::child_that_holds_a_lock",
            &[("WHAT", what)],
            |child| {
                assert_eq!(panic_line(child)["message"], "with a lock", "{what}");
                assert!(child.stderr().contains("hook before"), "{what}");
            },
        );
    }
}

/// A writer behind a lock, as tests have one.
#[derive(Clone, Default)]
struct Locked(Arc<Mutex<()>>);

impl Write for Locked {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _lock = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        std::io::stdout().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().flush()
    }
}

/// A layer that formats values under the lock of the span's extensions, as `fmt` does.
struct FormatsUnderLock;

impl<S> tracing_subscriber::Layer<S> for FormatsUnderLock
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    fn on_record(
        &self,
        id: &tracing::Id,
        values: &tracing::span::Record<'_>,
        context: tracing_subscriber::layer::Context<'_, S>,
    ) {
        let span = context.span(id).unwrap();
        let _extensions = span.extensions_mut();
        values.record(&mut |_: &tracing::field::Field, value: &dyn Debug| {
            let _text = format!("{value:?}");
        });
    }
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_holds_a_lock() {
    struct Value;
    impl Debug for Value {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("with a lock")
        }
    }
    if !is_child() {
        return;
    }
    std::panic::set_hook(Box::new(|_| eprintln!("hook before")));
    let writer = Locked::default();
    let made = writer.clone();
    let what = std::env::var("WHAT").unwrap();
    let builder = builder().synchronous();
    let logger = if what == "stdout" { builder } else { builder.writer(move || made.clone()) };
    let logger = logger.panic_hook(true).build().unwrap();
    let subscriber = tracing_subscriber::registry().with(logger.layer()).with(FormatsUnderLock);
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let request = request("r-1");
    let _entered = request.enter();
    request.append("key", 1);
    let started = Instant::now();
    let panicked = catch_unwind(AssertUnwindSafe(|| match what.as_str() {
        "writer" => {
            let _lock = writer.0.lock();
            panic!("with a lock");
        }
        "stdout" => {
            let _lock = std::io::stdout().lock();
            panic!("with a lock");
        }
        "appended" => request.appended(|_, _| panic!("with a lock")),
        _ => {
            let span = info_span!("work", value = tracing::field::Empty).entered();
            span.record("value", tracing::field::debug(Value));
        }
    }));
    assert!(panicked.is_err());
    assert!(started.elapsed() < LIMIT);
    // The line is written once the lock is free.
    while delivered() == 0 && started.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(delivered(), 1);
}

#[test]
fn scenario_14_a_lanes_thread_that_panics_is_told_of_by_other_lanes_only() {
    in_child("panics::child_with_sinks_that_panic", |child| {
        assert_eq!(panic_line(child)["message"], "in another sink");
        let stderr = child.stderr();
        assert!(stderr.contains("in another sink") && stderr.contains("in the writer"), "{stderr}");
        assert!(stderr.matches("in the writer").count() < 10, "no end: {stderr}");
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_sinks_that_panic() {
    struct PanicsOnce;
    impl Sink<Lines> for PanicsOnce {
        fn deliver(&mut self, _: &mut Lines, _: &Delivery<'_>) {
            panic!("in another sink");
        }
    }
    struct PanickingWriter;
    impl Write for PanickingWriter {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            panic!("in the writer")
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    if !is_child() {
        return;
    }
    let good = builder().panic_hook(true).build().unwrap();
    let lane = Lane::<Lines>::builder("other").start(PanicsOnce);
    lane.push(2, |lines| lines.push(b"x"));
    let _ = lane.flush(LIMIT);
    assert!(good.flush(LIMIT).is_complete());

    for synchronous in [true, false] {
        let bad = builder().writer(|| PanickingWriter).panic_hook(true);
        let bad = if synchronous { bad.synchronous() } else { bad.queued() };
        let bad = bad.build().unwrap();
        let subscriber = tracing_subscriber::registry().with(bad.layer());
        tracing::subscriber::with_default(subscriber, || info!("to a writer that panics"));
        let report = bad.flush(LIMIT);
        assert_eq!((report.delivered(), report.failed()), (0, 1), "{report}");
        // Once it is gone, the others cannot know that the writer was a logger's.
        std::mem::forget(bad);
    }
    assert_eq!(good.flush(LIMIT).delivered(), 0, "nothing of what a logger's writer does");
}

#[test]
fn each_logger_that_was_asked_writes_its_own_line_while_it_is_there() {
    in_child("panics::child_with_several_loggers", |child| {
        let services: Vec<_> = child
            .lines()
            .iter()
            .map(|line| (line["service"].clone(), line["message"].clone()))
            .collect();
        let line = |service: &str, message: &str| (Value::from(service), Value::from(message));
        assert_eq!(
            services,
            [line("first", "both"), line("second", "both"), line("second", "one is gone")]
        );
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_several_loggers() {
    if !is_child() {
        return;
    }
    let of = |service: &str| builder().service(service).synchronous();
    let first = of("first").panic_hook(true).build().unwrap();
    let second = of("second").build().unwrap();
    second.install_panic_hook();
    let _silent = of("off").level("off").panic_hook(true).build().unwrap();
    let _not_asked = of("not asked").build().unwrap();
    assert!(catch_unwind(|| panic!("both")).is_err());
    drop(first);
    assert!(catch_unwind(|| panic!("one is gone")).is_err());
    drop(second);
    assert!(catch_unwind(|| panic!("none is there")).is_err());
}

#[test]
fn a_panicking_thread_can_do_anything_with_loggers() {
    in_child("panics::child_that_builds_while_it_panics", |child| {
        assert_eq!(messages(&child.lines()), ["outer", "logged in a drop"]);
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_builds_while_it_panics() {
    struct Builds;
    impl Drop for Builds {
        fn drop(&mut self) {
            // Cannot be hooked now, and does not harm.
            builder().panic_hook(true).build().unwrap().install_panic_hook();
            info!("logged in a drop");
        }
    }
    if !is_child() {
        return;
    }
    let logger = init();
    let panicked = catch_unwind(|| {
        let _builds = Builds;
        panic!("outer");
    });
    assert!(panicked.is_err());
    assert!(logger.flush(LIMIT).is_complete());
}

#[test]
fn a_panic_while_the_thread_ends_is_a_line_too() {
    in_child("panics::child_with_a_thread_that_ends", |child| {
        assert_eq!(messages(&child.lines()), ["while the thread ends"; 3]);
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_a_thread_that_ends() {
    struct PanicsAtTheEnd;
    impl Drop for PanicsAtTheEnd {
        fn drop(&mut self) {
            assert!(catch_unwind(|| panic!("while the thread ends")).is_err());
        }
    }
    thread_local! {
        static LATE: PanicsAtTheEnd = const { PanicsAtTheEnd };
    }
    if !is_child() {
        return;
    }
    let logger = init();
    // The thread's other locals are made before, after, or not at all.
    for when in 0..3 {
        let thread = std::thread::spawn(move || {
            let log = || {
                let _request = request("r-1").enter();
                let _span = tracing::debug_span!("work").entered();
                debug!("held");
            };
            if when == 0 {
                log();
            }
            LATE.with(|_| ());
            if when == 1 {
                log();
            }
        });
        thread.join().unwrap();
    }
    assert!(logger.flush(LIMIT).is_complete());
}
