//! `buffer_until_error`: what is written, what is held, and what is not.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use obs_core::context::{InContextExt, RequestContext};
use obs_logging::{Format, StructuredLogger, StructuredLoggerBuilder};
use tracing::{Instrument, debug, debug_span, error, info, info_span, trace, warn};
use tracing_subscriber::layer::SubscriberExt;

use crate::capture::{Capture, Line, builder, captured_by, subscriber};

fn buffering(builder: StructuredLoggerBuilder) -> StructuredLoggerBuilder {
    builder.level("info").buffer_until_error(64 * 1024)
}

pub(crate) fn request(id: &str) -> RequestContext {
    RequestContext::builder().request_id(id).build()
}

pub(crate) fn messages(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line["message"].as_str().unwrap()).collect()
}

/// Counts how often it was formatted.
#[derive(Default)]
struct Formatted(std::cell::Cell<u32>);

impl Formatted {
    fn count(&self) -> u32 {
        self.0.get()
    }
}

impl std::fmt::Debug for Formatted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.set(self.count() + 1);
        f.write_str("formatted")
    }
}

#[test]
fn debug_lines_come_in_order_before_the_error_that_calls_for_them() {
    let lines = captured_by(buffering, || {
        let _request = request("r-1").enter();
        debug!(n = 1, "asked the cache");
        info!("seen at once");
        let value = String::from("gone when the error comes");
        debug!(%value, "asked the database");
        drop(value);
        trace!("below what is held");
        warn!("no error yet");
        error!("failed");
        debug!("after it");
        info!("still serving");
    })
    .lines();
    assert_eq!(
        messages(&lines),
        [
            "seen at once",
            "no error yet",
            "asked the cache",
            "asked the database",
            "failed",
            "still serving"
        ]
    );
    assert_eq!(lines[2]["level"], "DEBUG");
    assert_eq!(lines[2]["n"], 1);
    assert_eq!(lines[3]["value"], "gone when the error comes");
    assert!(lines.iter().all(|line| line["function_request_id"] == "r-1"));
}

#[test]
fn a_later_error_gets_what_came_since() {
    let lines = captured_by(buffering, || {
        let _request = request("r-1").enter();
        debug!("one");
        error!("first");
        debug!("two");
        error!("second");
        error!("third");
    })
    .lines();
    assert_eq!(messages(&lines), ["one", "first", "two", "second", "third"]);
}

#[test]
fn scenario_31_a_warm_invocation_starts_empty() {
    let lines = captured_by(buffering, || {
        for n in 0..3 {
            let _request = request(&format!("r-{n}")).enter();
            debug!(n, "held");
            if n == 2 {
                error!("failed");
            }
        }
    })
    .lines();
    assert_eq!(messages(&lines), ["held", "failed"]);
    assert_eq!(lines[0]["n"], 2);
}

#[test]
fn outside_any_request_nothing_is_held_and_the_callsite_is_off() {
    let formatted = Formatted::default();
    let lines = captured_by(buffering, || {
        debug!(?formatted, "lost");
        assert_eq!(formatted.count(), 0, "its values are not looked at");
        error!("failed");
        let _request = request("r-1").enter();
        trace!(?formatted, "lost");
        assert_eq!(formatted.count(), 0);
        debug!(?formatted, "held");
        assert_eq!(formatted.count(), 1);
        error!("failed in a request");
    })
    .lines();
    assert_eq!(messages(&lines), ["failed", "held", "failed in a request"]);
}

#[test]
fn without_a_buffer_nothing_is_held() {
    let lines = captured_by(
        |builder| builder.level("info"),
        || {
            let _request = request("r-1").enter();
            let formatted = Formatted::default();
            debug!(?formatted, "lost");
            assert_eq!(formatted.count(), 0);
            error!("failed");
        },
    )
    .lines();
    assert_eq!(messages(&lines), ["failed"]);
}

#[test]
fn debug_spans_give_their_context_to_held_lines() {
    let lines = captured_by(buffering, || {
        let _request = request("r-1").enter();
        let _outer = info_span!("outer", order_id = 7).entered();
        let inner = debug_span!("inner", step = tracing::field::Empty).entered();
        inner.record("step", 2);
        debug!("held");
        drop(inner);
        error!("failed");
    })
    .lines();
    assert_eq!(messages(&lines), ["held", "failed"]);
    assert_eq!(lines[0]["function"], "inner");
    assert_eq!((&lines[0]["order_id"], &lines[0]["step"]), (&7.into(), &2.into()));
    assert_eq!(lines[1]["function"], "outer");
    assert!(!lines[1].has("step"));
}

#[test]
fn the_newest_are_kept_and_a_line_says_how_many_are_not() {
    let lines = captured_by(
        |builder| builder.level("info").buffer_until_error(1024),
        || {
            let _request = request("r-1").enter();
            for n in 0..100 {
                debug!(n, "held");
            }
            debug!(text = "x".repeat(2000), "longer than the ring");
            error!("failed");
            debug!("held again");
            error!("failed again");
        },
    )
    .lines();
    let (notice, held) = (&lines[0], &lines[1..lines.len() - 3]);
    assert_eq!(notice["message"], "the oldest of the lines held for this request were left out");
    assert_eq!(notice["level"], "WARN");
    assert_eq!(notice["logger"], "obs_logging");
    assert_eq!(notice["function_request_id"], "r-1");
    assert!(held.len() >= 2, "{lines:?}");
    assert_eq!(notice["evicted"], 101 - held.len());
    assert_eq!(held.last().unwrap()["n"], 99);
    let numbers: Vec<_> = held.iter().map(|line| line["n"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
    // Said once.
    assert_eq!(messages(&lines[lines.len() - 3..]), ["failed", "held again", "failed again"]);
}

#[test]
fn the_level_still_decides_what_is_an_error_and_what_is_off() {
    let lines = captured_by(
        |builder| builder.level("info,quiet=off").buffer_until_error(64 * 1024),
        || {
            let _request = request("r-1").enter();
            debug!("held");
            debug!(target: "quiet", "switched off");
            error!(target: "quiet", "switched off, and calls for nothing");
            debug!(target: "hyper::proto", "noise");
            info!("nothing yet");
            error!("failed");
        },
    )
    .lines();
    assert_eq!(messages(&lines), ["nothing yet", "held", "failed"]);
    let off = captured_by(
        |builder| builder.level("off").buffer_until_error(64 * 1024),
        || {
            let _request = request("r-1").enter();
            debug!("hidden");
            error!("hidden");
        },
    );
    assert_eq!(off.text(), "");
}

#[test]
fn directives_say_what_is_held() {
    let lines = captured_by(
        |builder| buffering(builder).buffer_level("info,orders=trace,hyper=debug"),
        || {
            let _request = request("r-1").enter();
            debug!("not held");
            trace!(target: "orders::pay", "held");
            debug!(target: "hyper::proto", "asked for");
            error!("failed");
        },
    )
    .lines();
    assert_eq!(messages(&lines), ["held", "asked for", "failed"]);
    let error = StructuredLogger::builder().buffer_level("loud").build().unwrap_err();
    assert!(error.is_level() && error.to_string().contains("`buffer_level`"), "{error}");
}

#[test]
fn a_level_that_is_raised_or_lowered_changes_what_is_held() {
    let capture = Capture::default();
    let logger = buffering(builder(&capture)).build().unwrap();
    tracing::subscriber::with_default(subscriber(&logger), || {
        let _request = request("r-1").enter();
        for level in ["info", "debug", "warn"] {
            logger.set_level(level).unwrap();
            debug!(level, "debug");
            info!(level, "info");
        }
        error!("failed");
    });
    let lines = capture.lines();
    let seen: Vec<_> = lines
        .iter()
        .map(|line| (line["message"].as_str().unwrap(), line["fields.level"].as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("info", Some("info")),
            ("debug", Some("debug")),
            ("info", Some("debug")),
            // Held.
            ("debug", Some("info")),
            ("debug", Some("warn")),
            ("info", Some("warn")),
            ("failed", None),
        ]
    );
}

#[test]
fn a_rate_limit_counts_what_is_written_and_a_suppressed_error_brings_nothing() {
    let lines = captured_by(
        |builder| buffering(builder).rate_limit(1, Duration::from_secs(60)),
        || {
            let fails = |id: &str| {
                let _request = request(id).enter();
                for n in 0..3 {
                    debug!(n, "held");
                }
                error!("failed");
            };
            fails("r-1");
            fails("r-2");
            let _request = request("r-3").enter();
            debug!("of another callsite");
            error!("also of another");
        },
    )
    .lines();
    assert_eq!(
        messages(&lines),
        [
            "held",
            "held",
            "held",
            "failed",
            "of another callsite",
            "also of another",
            // When the logger ends.
            "log lines were suppressed"
        ]
    );
    assert_eq!(lines[6]["suppressed"], 1);
}

#[test]
fn who_knows_of_a_failure_releases_what_is_held() {
    let capture = Capture::default();
    let (one, two) = (Capture::default(), Capture::default());
    let logger = buffering(builder(&capture)).build().unwrap();
    tracing::subscriber::with_default(subscriber(&logger), || {
        let failed = request("failed");
        failed.wrap(|| debug!("of the one that failed"))();
        request("other").wrap(|| debug!("of another"))();
        logger.release_held(&failed);
        logger.release_held(&failed);
        logger.release_held(&request("without lines"));
        obs_logging::release_held();
    });
    assert_eq!(capture.line()["message"], "of the one that failed");

    // Of all loggers, each its own.
    let loud = buffering(builder(&one)).build().unwrap();
    let quiet = builder(&two).level("warn").buffer_until_error(4096).build().unwrap();
    let both = tracing_subscriber::registry().with(loud.layer()).with(quiet.layer());
    tracing::subscriber::with_default(both, || {
        let _request = request("r-1").enter();
        info!("info");
        debug!("debug");
        obs_logging::release_held();
    });
    assert_eq!(messages(&one.lines()), ["info", "debug"]);
    assert_eq!(messages(&two.lines()), ["info", "debug"]);
}

#[test]
fn held_lines_are_cut_and_formatted_as_others() {
    let capture = captured_by(
        |builder| buffering(builder).max_line_bytes(4096).format(Format::Text),
        || {
            let _request = request("r-1").enter();
            debug!(text = "x".repeat(100_000), "long");
            error!("failed");
        },
    );
    let text = capture.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].contains("DEBUG") && lines[0].contains("…[truncated "), "{}", lines[0]);
    assert!(lines[0].len() < 5000);
}

#[test]
fn scenario_20_a_value_that_logs_is_held_before_the_line_that_it_is_in() {
    // With the subscriber of the thread alone, what a subscriber's callback logs goes nowhere.
    crate::process::in_child("held::child_with_a_value_that_logs", |child| {
        let lines = child.lines();
        assert_eq!(messages(&lines), ["inner", "outer", "inner", "failed"]);
    });
}

#[test]
fn scenario_20_a_writer_that_logs_errors_loses_nothing_that_is_held() {
    crate::process::in_child("held::child_with_a_writer_that_logs", |child| {
        let mut lines = child.lines();
        // What the writer logs is lost, and told of as such.
        lines.retain(|line| line["message"] != "log lines were lost");
        assert_eq!(messages(&lines), ["info", "held", "failed"]);
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_a_writer_that_logs() {
    struct LogsErrors;
    impl std::io::Write for LogsErrors {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            error!("from the writer");
            std::io::stdout().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            std::io::stdout().flush()
        }
    }
    if !crate::process::is_child() {
        return;
    }
    let _logger = StructuredLogger::builder()
        .level("info")
        .format(Format::Json)
        .buffer_until_error(64 * 1024)
        .writer(|| LogsErrors)
        .synchronous()
        .init()
        .unwrap();
    let _request = request("r-1").enter();
    debug!("held");
    info!("info");
    error!("failed");
    std::process::exit(0);
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_a_value_that_logs() {
    struct Logs;
    impl std::fmt::Debug for Logs {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            debug!("inner");
            f.write_str("text")
        }
    }
    if !crate::process::is_child() {
        return;
    }
    let logger = StructuredLogger::builder()
        .level("info")
        .format(Format::Json)
        .buffer_until_error(64 * 1024)
        .init()
        .unwrap();
    let _request = request("r-1").enter();
    debug!(value = ?Logs, "outer");
    error!(value = ?Logs, "failed");
    assert!(logger.flush(Duration::from_secs(10)).is_complete());
}

#[test]
fn records_of_the_log_crate_are_held_by_their_own_target() {
    crate::process::in_child("held::child_with_log_records", |child| {
        let lines = child.lines();
        assert_eq!(messages(&lines), ["held", "failed"]);
        assert_eq!(lines[0]["logger"], "old::client");
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_log_records() {
    if !crate::process::is_child() {
        return;
    }
    let logger = StructuredLogger::builder()
        .level("info")
        .format(Format::Json)
        .buffer_until_error(64 * 1024)
        .init()
        .unwrap();
    log::debug!("outside any request");
    let _request = request("r-1").enter();
    log::debug!(target: "old::client", "held");
    log::debug!(target: "hyper", "noise");
    log::error!("failed");
    assert!(logger.flush(Duration::from_secs(10)).is_complete());
}

/// Runs `work` on a runtime of four threads, with `logger` as the subscriber of all of them.
fn on_threads<F: Future<Output = ()>>(logger: &StructuredLogger, work: F) {
    let dispatch = tracing::Dispatch::new(subscriber(logger));
    let on_thread = dispatch.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .on_thread_start(move || {
            // For the life of the thread, which ends with the runtime.
            std::mem::forget(tracing::dispatcher::set_default(&on_thread));
        })
        .build()
        .unwrap();
    let _here = tracing::dispatcher::set_default(&dispatch);
    runtime.block_on(work);
}

#[test]
fn scenario_32_sixty_four_requests_at_once_never_see_each_others_lines() {
    const REQUESTS: usize = 64;
    let capture = Capture::default();
    let logger = buffering(builder(&capture)).queued().build().unwrap();
    on_threads(&logger, async {
        let tasks: Vec<_> = (0..REQUESTS)
            .map(|n| {
                let request = request(&format!("r-{n}"));
                let work = async move {
                    for step in 0..10 {
                        debug!(n, step, "working");
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    // In another task of the request.
                    let request = RequestContext::current().unwrap();
                    let last = async move {
                        if n % 2 == 0 {
                            error!(n, "failed");
                        }
                    };
                    tokio::spawn(last.in_context(request)).await.unwrap();
                };
                tokio::spawn(work.instrument(info_span!("request", n)).in_context(request))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert!(logger.flush(Duration::from_secs(10)).is_complete());
    let lines = capture.lines();
    // Every second request fails, and brings its ten lines.
    assert_eq!(lines.len(), REQUESTS / 2 * 11);
    for n in (0..REQUESTS).step_by(2) {
        let own: Vec<_> = lines.iter().filter(|line| line["n"] == n).collect();
        assert_eq!(own.len(), 11, "{n}");
        assert!(own.iter().all(|line| line["function_request_id"] == format!("r-{n}")));
        let steps: Vec<_> = own[..10].iter().map(|line| line["step"].as_u64().unwrap()).collect();
        assert_eq!(steps, (0..10).collect::<Vec<_>>());
        assert_eq!(own[10]["message"], "failed");
    }
}

#[test]
fn an_error_on_any_thread_of_the_request_brings_them_in_order() {
    for synchronous in [true, false] {
        let capture = Capture::default();
        let builder = buffering(builder(&capture));
        let builder = if synchronous { builder.synchronous() } else { builder.queued() };
        let logger = builder.build().unwrap();
        let dispatch = tracing::Dispatch::new(subscriber(&logger));
        let request = request("r-1");
        const THREADS: usize = 4;
        const LINES: usize = 200;
        let barrier = Arc::new(Barrier::new(THREADS));
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (dispatch, barrier) = (dispatch.clone(), Arc::clone(&barrier));
                std::thread::spawn(request.wrap(move || {
                    tracing::dispatcher::with_default(&dispatch, || {
                        barrier.wait();
                        for n in 0..LINES {
                            debug!(thread, n, "held");
                            if n % 10 == 9 {
                                error!(thread, n, "failed");
                            }
                        }
                    });
                }))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(logger.flush(Duration::from_secs(10)).is_complete());
        let lines = capture.lines();
        assert_eq!(lines.len(), THREADS * (LINES + LINES / 10), "none is lost, none comes twice");
        if synchronous {
            // Who finds the lane busy leaves its line to the other; their order is the lane's.
            continue;
        }
        for thread in 0..THREADS {
            let own: Vec<_> = lines.iter().filter(|line| line["thread"] == thread).collect();
            let mut held = 0;
            for line in own {
                let n = line["n"].as_u64().unwrap();
                if line["level"] == "DEBUG" {
                    assert_eq!(n, held, "in order");
                    held += 1;
                } else {
                    assert!(held > n, "an error of line {n} after {held} lines");
                }
            }
        }
    }
}

/// JSON has the keys besides: text of the same line is shorter.
#[test]
fn a_held_line_is_charged_with_the_length_that_it_is_written_with() {
    let released = |format: Format, queue: usize| {
        let capture = Capture::default();
        let builder = buffering(builder(&capture)).format(format).queue_bytes(queue).queued();
        let logger = builder.build().unwrap();
        let request = request("r-1");
        tracing::subscriber::with_default(subscriber(&logger), || {
            let _entered = request.enter();
            debug!(n = 1, "held");
        });
        logger.release_held(&request);
        let report = logger.flush(Duration::from_secs(10));
        (capture.text().len(), report.delivered(), report.dropped())
    };
    let (json, ..) = released(Format::Json, 4096);
    let (text, ..) = released(Format::Text, 4096);
    assert!(0 < text && text < json, "{text} and {json}");
    assert_eq!(released(Format::Text, text), (text, 1, 0), "it has just room");
    assert_eq!(released(Format::Json, json), (json, 1, 0));
    let (_, delivered, dropped) = released(Format::Text, text - 1);
    assert_eq!((delivered, dropped), (0, 1));
}
