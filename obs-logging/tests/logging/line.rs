//! What a line holds, and in which order.

use obs_core::context::RequestContext;
use obs_core::ids::{SpanId, SpanIds, TraceId, TraceParent};
use obs_logging::{Format, Redactor, Sensitive};
use serde_json::{Value, json};
use tracing::field::Empty;
use tracing::{Level, error, event, info, info_span, span, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

use crate::capture::{self, captured, captured_by};

const TRACE: &str = "1-5759e988-bd862e3fe1be46a994272793";

fn ids() -> SpanIds {
    SpanIds {
        trace_id: TraceId::from_xray(TRACE).unwrap(),
        span_id: SpanId::from_hex("53995c3f42cd8ad8").unwrap(),
        sampled: true,
    }
}

/// Gives ids to spans called `traced`, as the tracer's layer does.
struct Ids;

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ids {
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &tracing::Id,
        context: tracing_subscriber::layer::Context<'_, S>,
    ) {
        if attributes.metadata().name() == "traced" {
            context.span(id).unwrap().extensions_mut().insert(ids());
        }
    }
}

#[test]
fn a_full_line_has_its_keys_in_order() {
    let capture = capture::Capture::default();
    let logger = capture::builder(&capture).build().unwrap();
    let request =
        RequestContext::builder().correlation_id("c-1").request_id("8f5c").cold_start(true).build();
    request.append("tenant", "acme");
    let logged_at = std::cell::Cell::new(0);
    let log = || {
        let _request = request.enter();
        let _traced = info_span!("traced", order_id = 4711_u64).entered();
        let _charge = info_span!("charge", attempt = 2).entered();
        logged_at.set(line!() + 1);
        warn!(target: "app::orders", amount = 12.5, currency = "EUR", "card {} was declined", "x");
    };
    // Both orders of the layers give the same.
    let before = tracing_subscriber::registry().with(Ids).with(logger.layer());
    tracing::subscriber::with_default(before, log);
    let after = tracing_subscriber::registry().with(logger.layer()).with(Ids);
    tracing::subscriber::with_default(after, log);
    let text = capture.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], lines[1]);
    let line = lines[0].replace(&format!("\"line\":{}", logged_at.get()), "\"line\":0");
    insta::assert_snapshot!(line, @r#"{"timestamp":"2026-11-21T12:30:00.125Z","level":"WARN","message":"card x was declined","logger":"app::orders","module":"logging::line","function":"charge","line":0,"service":"orders","environment":"test","correlation_id":"c-1","function_request_id":"8f5c","cold_start":true,"trace_id":"5759e988bd862e3fe1be46a994272793","span_id":"53995c3f42cd8ad8","xray_trace_id":"1-5759e988-bd862e3fe1be46a994272793","tenant":"acme","order_id":4711,"attempt":2,"amount":12.5,"currency":"EUR"}"#);
}

#[test]
fn without_a_span_or_a_request_the_line_has_none_of_their_keys() {
    let line = captured(|| info!("started")).line();
    assert_eq!(
        line.keys(),
        ["timestamp", "level", "message", "logger", "module", "line", "service", "environment"]
    );
    assert_eq!(line["message"], "started");
}

#[test]
fn a_line_without_a_message_has_an_empty_one() {
    let line = captured(|| info!(n = 1)).line();
    assert_eq!(line["message"], "");
    assert_eq!(line["n"], 1);
}

#[test]
fn values_keep_their_types() {
    let line = captured(|| {
        info!(
            int = -7,
            uint = u64::MAX,
            float = 0.1,
            whole = 2.0,
            yes = true,
            text = "a\tb",
            debug = ?Some(1),
            display = %format_args!("{:03}", 7),
            none = None::<u64>,
            some = Some(3),
            small = 5_u128,
            large = u128::MAX,
            low = i128::MIN,
            nan = f64::NAN,
            infinite = f64::NEG_INFINITY,
            bytes = b"\x00\xff".as_slice(),
            r#type = "raw",
            "values"
        );
    })
    .line();
    let fields: serde_json::Map<_, _> =
        line.iter().skip(8).map(|(key, value)| (key.to_owned(), value.clone())).collect();
    let fields = Value::from(fields);
    assert_eq!(
        fields,
        json!({
            "int": -7,
            "uint": u64::MAX,
            "float": 0.1,
            "whole": 2,
            "yes": true,
            "text": "a\tb",
            "debug": "Some(1)",
            "display": "007",
            "some": 3,
            "small": 5,
            // JSON's readers have 64 bits: as text, no digit is lost.
            "large": u128::MAX.to_string(),
            "low": i128::MIN.to_string(),
            // JSON has no such numbers.
            "nan": null,
            "infinite": null,
            "bytes": "[00 ff]",
            "type": "raw",
        })
    );
}

#[test]
fn scenario_29_each_key_occurs_once_and_the_innermost_wins() {
    let line = captured(|| {
        let _outer = info_span!("outer", a = 1, b = 1, c = 1).entered();
        let _inner = info_span!("inner", b = 2, c = 2, d = 2).entered();
        info!(c = 3, d = 3, e = 3, "once");
    })
    .line();
    assert_eq!(line.keys()[9..], ["a", "b", "c", "d", "e"]);
    let values: Vec<_> = ["a", "b", "c", "d", "e"].map(|key| line[key].clone()).into();
    assert_eq!(values, [1, 2, 3, 3, 3]);
}

#[test]
fn scenario_29_a_field_that_the_event_leaves_out_does_not_hide_the_spans() {
    let line = captured(|| {
        let _span = info_span!("work", id = 1, later = Empty).entered();
        info!(id = None::<u64>, "still 1");
    })
    .line();
    assert_eq!(line["id"], 1);
    assert!(!line.has("later"));
}

#[test]
fn scenario_29_one_name_twice_in_one_event_is_one_key() {
    let line = captured(|| info!(a = 1, a = 2, r#a = 3, message = "first", "last")).line();
    assert_eq!(line["a"], 3);
    assert_eq!(line["message"], "first", "the macro puts the text before the fields");
    let line = captured(|| {
        let _span = info_span!("work", a = 1, a = 2).entered();
        info!("twice");
    })
    .line();
    assert_eq!(line["a"], 2);
}

#[test]
fn scenario_29_the_keys_of_the_line_cannot_be_overwritten() {
    let request = RequestContext::builder().request_id("8f5c").build();
    request.append("service", "forged");
    let line = captured(|| {
        let _request = request.enter();
        let _span =
            info_span!("work", message = "span's", function_request_id = "forged").entered();
        info!(timestamp = 1, level = "DEBUG", service = "event's", trace_id = "x", "text");
    })
    .line();
    assert_eq!(line["timestamp"], "2026-11-21T12:30:00.125Z");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["message"], "text");
    assert_eq!(line["service"], "orders");
    assert_eq!(line["function_request_id"], "8f5c");
    assert!(!line.has("trace_id"));
    assert_eq!(line["fields.timestamp"], 1);
    assert_eq!(line["fields.level"], "DEBUG");
    assert_eq!(line["fields.message"], "span's");
    assert_eq!(line["fields.function_request_id"], "forged");
    assert_eq!(line["fields.trace_id"], "x");
    // Appended to the request and logged by the event: the event is the inner one.
    assert_eq!(line["fields.service"], "event's");
}

#[test]
fn scenario_29_every_built_in_key_is_one_that_a_field_cannot_take() {
    for key in obs_logging::BUILT_IN_KEYS {
        let request = RequestContext::builder().build();
        request.append(key, "forged");
        let line = captured(|| {
            let _request = request.enter();
            info!("x");
        })
        .line();
        assert_eq!(line[format!("fields.{key}").as_str()], "forged");
        assert_ne!(line[*key], "forged");
    }
}

#[test]
fn what_a_span_records_later_is_in_its_lines_and_its_childrens() {
    let capture = captured(|| {
        let outer = info_span!("outer", user = Empty, n = 1);
        let _outer = outer.enter();
        let inner = info_span!("inner", own = 0);
        let _inner = inner.enter();
        info!("before");
        outer.record("user", "ada");
        info!("after");
        outer.record("n", 2);
        outer.record("user", "bob");
        inner.record("own", 1);
        info!("changed");
        drop(_inner);
        info!("outer only");
    });
    let lines = capture.lines();
    let seen: Vec<_> = lines
        .iter()
        .map(|line| ["user", "n", "own"].map(|key| line.get(key).cloned().unwrap_or(Value::Null)))
        .collect();
    assert_eq!(
        seen,
        [
            [json!(null), json!(1), json!(0)],
            [json!("ada"), json!(1), json!(0)],
            [json!("bob"), json!(2), json!(1)],
            [json!("bob"), json!(2), json!(null)],
        ]
    );
}

#[test]
fn a_child_that_records_its_parents_name_hides_it_and_does_not_change_it() {
    let lines = captured(|| {
        let _outer = info_span!("outer", id = 1).entered();
        let inner = info_span!("inner", id = Empty);
        inner.in_scope(|| info!("parent's"));
        inner.record("id", 2);
        inner.in_scope(|| info!("own"));
        info!("outer");
    })
    .lines();
    assert_eq!(lines.iter().map(|line| line["id"].clone()).collect::<Vec<_>>(), [1, 2, 1]);
}

#[test]
fn what_is_recorded_is_seen_at_once_while_others_log_in_the_same_tree() {
    let capture = capture::Capture::default();
    let logger = capture::builder(&capture).build().unwrap();
    let dispatch = tracing::Dispatch::new(capture::subscriber(&logger));
    let in_default = |work: &dyn Fn()| tracing::dispatcher::with_default(&dispatch, work);
    let parent = tracing::dispatcher::with_default(&dispatch, || info_span!("parent", v = -1));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                in_default(&|| {
                    let child = info_span!(parent: &parent, "child", busy = true);
                    let grandchild = info_span!(parent: &child, "grandchild");
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        grandchild.in_scope(|| info!("busy"));
                    }
                });
            });
        }
        in_default(&|| {
            let child = info_span!(parent: &parent, "child", busy = false);
            let grandchild = info_span!(parent: &child, "grandchild");
            for n in 0..300 {
                parent.record("v", n);
                grandchild.in_scope(|| info!(n, "mine"));
            }
        });
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let lines = capture.lines();
    let mine: Vec<_> = lines.iter().filter(|line| line["message"] == "mine").collect();
    assert_eq!(mine.len(), 300);
    for line in mine {
        assert_eq!(line["v"], line["n"]);
        assert_eq!(line["busy"], false);
    }
    assert!(lines.iter().all(|line| line["v"].is_number() && line["busy"].is_boolean()));
}

#[test]
fn explicit_parents_and_roots_are_respected() {
    let lines = captured(|| {
        let other = info_span!("other", from = "other");
        let _current = info_span!("current", from = "current").entered();
        info!(parent: &other, "other's");
        info!(parent: None, "nobody's");
        let child = info_span!(parent: &other, "child");
        info!(parent: &child, "the child's");
        let root = info_span!(parent: None, "root");
        root.in_scope(|| info!("the root's"));
    })
    .lines();
    let seen: Vec<_> =
        lines.iter().map(|line| (line["function"].clone(), line["from"].clone())).collect();
    assert_eq!(
        seen,
        [
            (json!("other"), json!("other")),
            (json!(null), json!(null)),
            (json!("child"), json!("other")),
            (json!("root"), json!(null)),
        ]
    );
}

#[test]
fn two_loggers_on_one_registry_keep_their_spans_apart() {
    let (open, closed) = (capture::Capture::default(), capture::Capture::default());
    let all = capture::builder(&open).redact(Redactor::none()).build().unwrap();
    let safe = capture::builder(&closed).build().unwrap();
    let both = tracing_subscriber::registry().with(all.layer()).with(safe.layer());
    tracing::subscriber::with_default(both, || {
        let span = info_span!("work", password = "hunter2", late = Empty);
        let _span = span.enter();
        let _inner = info_span!("inner", token = "t-1").entered();
        span.record("late", 1);
        info!("x");
    });
    assert_eq!(open.line()["password"], "hunter2");
    assert_eq!(closed.line()["password"], "[REDACTED]");
    assert_eq!(closed.line()["token"], "[REDACTED]");
    assert_eq!([&open.line()["late"], &closed.line()["late"]], [1, 1]);
}

#[test]
fn scenario_41_redacted_fields_show_nothing_wherever_they_come_from() {
    let request = RequestContext::builder().build();
    request.append("session_token", "hunter2");
    let capture = captured_by(
        |builder| builder.redact(Redactor::default().field("iban")),
        || {
            let _request = request.enter();
            let span = info_span!("login", password = "hunter2", api_key = Empty);
            let _span = span.enter();
            span.record("api_key", "hunter2");
            let cause = std::io::Error::other("hunter2");
            error!(
                authorization = ?Some("hunter2"),
                secret = &cause as &(dyn std::error::Error + 'static),
                credentials = obs_logging::err(&cause),
                iban = "hunter2",
                user = "ada",
                "login"
            );
        },
    );
    assert!(!capture.text().contains("hunter2"), "{}", capture.text());
    let line = capture.line();
    for key in
        ["session_token", "password", "api_key", "authorization", "secret", "credentials", "iban"]
    {
        assert_eq!(line[key], "[REDACTED]", "{key}");
    }
    assert_eq!(line["user"], "ada");
}

#[test]
fn scenario_41_secrets_in_texts_show_nothing_wherever_they_come_from() {
    #[derive(Debug)]
    #[expect(dead_code, reason = "formatted")]
    struct Login {
        user: &'static str,
        mail: &'static str,
    }
    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("no mail to jane@example.com")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let request = RequestContext::builder().build();
    request.append("customer", "jane@example.com");
    request.append("orders", 4711);
    let capture = captured_by(
        |builder| builder.redact(Redactor::standard()),
        || {
            let _request = request.enter();
            let span = info_span!("login", from = "jane@example.com", to = Empty);
            let _span = span.enter();
            span.record("to", "joe@example.com");
            let failure = Outer(std::io::Error::other("jane@example.com is \"unknown\""));
            error!(
                text = "\u{2192} jane@example.com \u{2190}",
                debug = ?Login { user: "jane", mail: "jane@example.com" },
                display = %"Bearer 8f5c.x-1",
                hidden = ?Sensitive::new("4711"),
                shown = %Sensitive::new(4711),
                error = &failure as &(dyn std::error::Error + 'static),
                cause = obs_logging::err(&failure),
                "mail to {}",
                "jane@example.com"
            );
        },
    );
    let text = capture.text();
    assert!(!text.contains("example") && !text.contains("8f5c"), "{text}");
    let line = capture.line();
    assert_eq!(line["customer"], "[REDACTED]");
    assert_eq!(line["orders"], "4711");
    assert_eq!(line["from"], "[REDACTED]");
    assert_eq!(line["to"], "[REDACTED]");
    assert_eq!(line["text"], "\u{2192} [REDACTED] \u{2190}");
    assert_eq!(line["debug"], r#"Login { user: "jane", mail: "[REDACTED]" }"#);
    assert_eq!(line["display"], "Bearer [REDACTED]");
    assert_eq!(line["message"], "mail to [REDACTED]");
    assert_eq!([&line["hidden"], &line["shown"]], ["[REDACTED]"; 2]);
    for part in ["error", "cause"] {
        assert_eq!(line[&*format!("{part}_message")], "no mail to [REDACTED]");
        assert_eq!(
            line[&*format!("{part}_chain")],
            serde_json::json!([r#"[REDACTED] is "unknown""#])
        );
    }
}

#[test]
fn a_redacted_value_is_not_even_formatted() {
    struct Loud;
    impl std::fmt::Debug for Loud {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("formatted")
        }
    }
    let line = captured(|| info!(password = ?Loud, "x")).line();
    assert_eq!(line["password"], "[REDACTED]");
}

#[test]
fn the_ids_are_the_nearest_spans_else_the_requests() {
    let capture = capture::Capture::default();
    let logger = capture::builder(&capture).build().unwrap();
    let subscriber = tracing_subscriber::registry().with(logger.layer()).with(Ids);
    let trace_id = TraceId::generate();
    let parent =
        TraceParent { trace_id, parent_id: SpanId::from_hex("00000000000000a1"), sampled: None };
    tracing::subscriber::with_default(subscriber, || {
        let _request = RequestContext::builder().trace(parent).build().enter();
        info!("the request's");
        let _plain = info_span!("plain").entered();
        info!("the request's");
        let _traced = info_span!("traced").entered();
        info!("the span's");
        let _child = info_span!("child").entered();
        let _grandchild = info_span!("grandchild").entered();
        info!("the ancestor's");
    });
    let lines = capture.lines();
    for line in &lines[..2] {
        assert_eq!(line["trace_id"], trace_id.to_string());
        assert_eq!(line["span_id"], "00000000000000a1");
        assert_eq!(line["xray_trace_id"], trace_id.xray().to_string());
    }
    for line in &lines[2..] {
        assert_eq!(line["trace_id"], ids().trace_id.to_string());
        assert_eq!(line["span_id"], ids().span_id.to_string());
        assert_eq!(line["xray_trace_id"], TRACE);
    }
}

#[test]
fn levels_have_the_names_that_lambda_knows() {
    let lines = captured(|| {
        event!(Level::TRACE, "x");
        event!(Level::DEBUG, "x");
        event!(Level::INFO, "x");
        event!(Level::WARN, "x");
        event!(Level::ERROR, "x");
    })
    .lines();
    assert_eq!(
        lines.iter().map(|line| line["level"].clone()).collect::<Vec<_>>(),
        ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]
    );
}

#[test]
fn the_text_format_is_one_readable_line() {
    let capture = captured_by(
        |builder| builder.format(Format::Text),
        || {
            let _span = info_span!("charge", order_id = "o-1").entered();
            warn!(target: "app::orders", note = "two\nlines", "declined: {:?}", "no funds");
        },
    );
    assert_eq!(
        capture.text(),
        "2026-11-21T12:30:00.125Z WARN  app::orders: declined: \"no funds\" function=charge \
         order_id=o-1 note=\"two\\nlines\"\n"
    );
}
