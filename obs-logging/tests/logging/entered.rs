//! A thread reads once what its lines take from the span that it is in: what must not go stale.

use serde_json::{Value, json};
use tracing::field::Empty;
use tracing::subscriber::with_default;
use tracing::{Instrument, Span, info, info_span};

use crate::capture::{Capture, builder, captured, captured_by, subscriber};

/// Of each line its function and what of the spans' fields it has.
fn seen(capture: &Capture, key: &str) -> Vec<(Value, Value)> {
    let value = |line: &crate::capture::Line, key: &str| line.get(key).cloned().unwrap_or_default();
    capture.lines().iter().map(|line| (value(line, "function"), value(line, key))).collect()
}

#[test]
fn lines_follow_the_thread_from_span_to_span() {
    let capture = captured(|| {
        let (a, b) = (info_span!("a", of = "a"), info_span!("b", of = "b"));
        for _ in 0..2 {
            info!("outside");
            let in_a = a.enter();
            info!("a");
            let in_b = b.enter();
            info!("b");
            // Again, and left again: the innermost is still b.
            a.in_scope(|| info!("b"));
            info!("b");
            // In another order than they were entered.
            drop(in_a);
            info!("b");
            drop(in_b);
        }
    });
    let one = [json!(null), json!("a"), json!("b"), json!("b"), json!("b"), json!("b")];
    let expected: Vec<_> = one.iter().chain(&one).map(|of| (of.clone(), of.clone())).collect();
    assert_eq!(seen(&capture, "of"), expected);
}

#[test]
fn what_another_thread_records_is_in_the_next_line() {
    let capture = Capture::default();
    let logger = builder(&capture).build().unwrap();
    let dispatch = tracing::Dispatch::new(subscriber(&logger));
    tracing::dispatcher::with_default(&dispatch, || {
        let outer = info_span!("outer", n = 0);
        let _outer = outer.enter();
        let _inner = info_span!("inner").entered();
        for n in 1..100 {
            info!("before");
            let (outer, dispatch) = (outer.clone(), dispatch.clone());
            std::thread::spawn(move || {
                tracing::dispatcher::with_default(&dispatch, || outer.record("n", n));
            })
            .join()
            .unwrap();
        }
    });
    let expected: Vec<_> = (0..99).map(|n| (json!("inner"), json!(n))).collect();
    assert_eq!(seen(&capture, "n"), expected);
}

#[test]
fn a_span_that_takes_the_place_of_another_has_its_own_fields() {
    // The registry uses the place of a closed span, and in time its id, again.
    let capture = captured(|| {
        for n in 0..20_000 {
            let _span = info_span!("work", n).entered();
            if n % 4_096 < 2 {
                info!("x");
            }
        }
    });
    for line in capture.lines() {
        assert_eq!(line["n"].as_u64().unwrap() % 4_096 / 2, 0, "{line:?}");
    }
    let expected: Vec<_> = (0..20_000).filter(|n| n % 4_096 < 2).map(|n| json!(n)).collect();
    assert_eq!(seen(&capture, "n").into_iter().map(|(_, n)| n).collect::<Vec<_>>(), expected);
}

#[test]
fn a_span_that_the_level_leaves_out_is_passed_over() {
    let capture = captured_by(
        |builder| builder.level("info"),
        || {
            let _outer = info_span!("outer", n = 1).entered();
            let _hidden = tracing::debug_span!("hidden", n = 2).entered();
            info!("x");
            let _inner = info_span!("inner").entered();
            info!("y");
        },
    );
    assert_eq!(seen(&capture, "n"), [(json!("outer"), json!(1)), (json!("inner"), json!(1))]);
}

#[test]
fn subscribers_of_one_logger_have_spans_of_their_own() {
    let capture = Capture::default();
    let logger = builder(&capture).build().unwrap();
    let (first, second) = (subscriber(&logger), subscriber(&logger));
    with_default(first, || {
        let _span = info_span!("first", n = 1).entered();
        info!("x");
        let inner: Span = with_default(second, || {
            // Perhaps of the same id, in another registry.
            info!("in none");
            let span = info_span!("second", n = 2);
            span.in_scope(|| info!("x"));
            span
        });
        info!("x");
        // Entered where another subscriber is the current one: not in its spans.
        inner.in_scope(|| info!("x"));
    });
    let of = |name: &str, n: u64| (json!(name), json!(n));
    let expected = [
        of("first", 1),
        (Value::Null, Value::Null),
        of("second", 2),
        of("first", 1),
        of("first", 1),
    ];
    assert_eq!(seen(&capture, "n"), expected);
}

#[test]
fn a_value_that_enters_spans_while_it_is_formatted_disturbs_nothing() {
    // 20
    struct Busy;
    impl std::fmt::Debug for Busy {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            let _inner = info_span!("while formatting", n = 2).entered();
            info!("inside");
            f.write_str("busy")
        }
    }
    let capture = captured(|| {
        let span = info_span!("work", n = 1, late = Empty);
        let _span = span.enter();
        info!(busy = ?Busy, "outside");
        span.record("late", tracing::field::debug(Busy));
        info!("outside");
    });
    let (outside, inside) = ((json!("work"), json!(1)), (json!("while formatting"), json!(2)));
    // While an event is dispatched, `tracing` itself leaves out what it causes; not so a `record`.
    assert_eq!(seen(&capture, "n"), [outside.clone(), inside, outside]);
    assert_eq!(capture.lines()[2]["late"], "busy");
}

#[test]
fn a_task_takes_its_span_from_thread_to_thread() {
    let capture = Capture::default();
    let logger = builder(&capture).build().unwrap();
    let dispatch = tracing::Dispatch::new(subscriber(&logger));
    let on_thread = dispatch.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(3)
        .enable_time()
        .on_thread_start(move || {
            // For the life of the thread, which ends with the runtime.
            std::mem::forget(tracing::dispatcher::set_default(&on_thread));
        })
        .build()
        .unwrap();
    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let span =
                tracing::dispatcher::with_default(&dispatch, || info_span!("task", n, step = 0));
            let work = async move {
                for step in 1..8 {
                    info!(expected = n, now = step - 1, "x");
                    Span::current().record("step", step);
                    tokio::task::yield_now().await;
                }
            };
            runtime.spawn(work.instrument(span))
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    drop(runtime);
    let lines = capture.lines();
    assert_eq!(lines.len(), 32 * 7);
    for line in lines {
        assert_eq!((&line["n"], &line["step"]), (&line["expected"], &line["now"]), "{line:?}");
    }
}
