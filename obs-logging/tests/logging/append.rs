//! Fields that the application appends to the rest of its request.

use std::fmt;

use obs_core::context::{InContextExt, RequestContext};
use obs_core::health::{self, Event};
use obs_logging::test::TestLogger;
use obs_logging::{Redactor, append, remove};
use serde_json::json;
use tracing::field::{debug, display};
use tracing::{info, info_span};

#[test]
fn values_keep_their_types() {
    let test = TestLogger::new();
    test.run(|| {
        let _request = RequestContext::builder().build().enter();
        append("int", -7);
        append("uint", u64::MAX);
        append("float", 0.5);
        append("whole", 2.0);
        append("nan", f64::NAN);
        append("yes", true);
        append("text", "a\tb");
        append("owned", String::from("acme"));
        let kept = String::from("acme");
        append("borrowed", &kept);
        append("shown", display(format_args!("{:03}", 7)));
        append("debugged", debug(Some(1)));
        append("some", Some(3));
        append("none", None::<u64>);
        append("small", 5_u128);
        append("large", u128::MAX);
        append("low", i128::MIN);
        append("error", &std::fmt::Error as &(dyn std::error::Error + 'static));
        append("dynamic", &4711 as &dyn tracing::Value);
        info!("x");
    });
    let line = test.line();
    let appended: serde_json::Map<_, _> =
        line.iter().skip(8).map(|(key, value)| (key.to_owned(), value.clone())).collect();
    assert_eq!(
        serde_json::Value::from(appended),
        json!({
            "int": -7,
            "uint": u64::MAX,
            "float": 0.5,
            "whole": 2,
            "nan": null,
            "yes": true,
            "text": "a\tb",
            "owned": "acme",
            "borrowed": "acme",
            "shown": "007",
            "debugged": "Some(1)",
            "some": 3,
            "small": 5,
            "large": u128::MAX.to_string(),
            "low": i128::MIN.to_string(),
            "error": std::fmt::Error.to_string(),
            "dynamic": 4711,
        })
    );
}

#[test]
fn scenario_29_the_last_value_of_a_name_counts_until_it_is_removed() {
    let test = TestLogger::new();
    test.run(|| {
        let _request = RequestContext::builder().build().enter();
        append("order_id", 1);
        append("order_id", 2);
        append("order_id", None::<u64>);
        append("level", "forged");
        info!("a");
        {
            let _span = info_span!("work", order_id = 3).entered();
            info!("b");
            info!(order_id = 4, "c");
        }
        assert!(remove("order_id"));
        assert!(!remove("order_id"));
        info!("d");
    });
    let ids: Vec<_> = test.lines().iter().map(|line| line["order_id"].clone()).collect();
    assert_eq!(ids, [json!(2), json!(3), json!(4), json!(null)]);
    assert_eq!(test.lines()[0].level(), "INFO");
    assert_eq!(test.lines()[0].str("fields.level"), "forged");
}

#[test]
fn scenario_31_the_next_request_begins_without_them() {
    let test = TestLogger::new();
    test.run(|| {
        for n in 0..2 {
            let _request = RequestContext::builder().request_id(format!("r-{n}")).build().enter();
            if n == 0 {
                append("order_id", n);
            }
            info!("in a request");
        }
        info!("in none");
    });
    let has: Vec<_> = test.lines().iter().map(|line| line.has("order_id")).collect();
    assert_eq!(has, [true, false, false]);
}

#[test]
fn scenario_32_sixty_four_requests_at_once_each_have_their_own() {
    const REQUESTS: u64 = 64;
    let test = TestLogger::new();
    let _entered = test.enter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..REQUESTS)
            .map(|n| {
                let work = async move {
                    append("order_id", n);
                    for step in 0..4 {
                        append("step", step);
                        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                        info!(n, expected = step, "working");
                    }
                };
                tokio::spawn(work.in_context(RequestContext::builder().build()))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let lines = test.lines();
    assert_eq!(lines.len(), 4 * 64);
    for line in lines {
        assert_eq!(line.u64("order_id"), line.u64("n"));
        assert_eq!(line.u64("step"), line.u64("expected"));
    }
}

#[test]
fn without_a_request_nothing_happens_but_a_count() {
    let test = TestLogger::new();
    let before = health::counted(Event::NoRequest);
    test.run(|| {
        append("order_id", 1);
        assert!(!remove("order_id"));
        info!("x");
    });
    assert!(!test.line().has("order_id"));
    assert!(health::counted(Event::NoRequest) > before);
}

#[test]
fn scenario_41_appended_fields_are_redacted_by_their_names() {
    let test =
        TestLogger::with(|builder| builder.redact(Redactor::default().field("iban"))).unwrap();
    test.run(|| {
        let _request = RequestContext::builder().build().enter();
        append("session_token", "hunter2");
        append("iban", 4711);
        info!("x");
    });
    assert_eq!(test.line()["session_token"], "[REDACTED]");
    assert_eq!(test.line()["iban"], "[REDACTED]");
}

#[test]
fn scenario_19_20_a_value_that_panics_or_appends_harms_nobody() {
    struct Panics;
    impl fmt::Display for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("in a value")
        }
    }
    struct Appends;
    impl fmt::Debug for Appends {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            append("inner", 1);
            f.write_str("outer")
        }
    }
    let test = TestLogger::new();
    test.run(|| {
        let _request = RequestContext::builder().build().enter();
        append("bad", display(Panics));
        append("good", debug(Appends));
        info!("x");
    });
    let line = test.line();
    assert_eq!(line["bad"], "[panicked while formatting]");
    assert_eq!((line.str("good"), line.u64("inner")), ("outer", 1));
}

#[test]
fn they_are_in_the_requests_metrics_too() {
    let sink = obs_metrics::test::TestSink::new();
    let metrics =
        obs_metrics::MetricsCollector::builder().sink(sink.sink()).enabled(true).build().unwrap();
    let _request = RequestContext::builder().build().enter();
    append("order_id", 4711);
    metrics.event().put("Latency", 12.5, obs_metrics::Unit::Milliseconds);
    assert!(metrics.flush(std::time::Duration::from_secs(10)).is_complete());
    sink.assert_property("order_id", 4711);
    assert_eq!(sink.documents().unwrap().len(), 1);
}

#[test]
fn what_a_request_cannot_hold_is_refused_and_counted() {
    let test = TestLogger::with(|builder| builder.redact(Redactor::standard())).unwrap();
    let before = health::counted(Event::LimitExceeded);
    test.run(|| {
        let _request = RequestContext::builder().build().enter();
        append("kept", "first");
        // One that is too large does not come in pieces, and its secret does not come at all.
        append("kept", format!("{} jane@example.com", "x".repeat(256 * 1024)));
        for n in 0..200 {
            append(&format!("n{n}"), n);
        }
        append("kept", "replaced");
        info!("x");
    });
    let line = test.line();
    assert_eq!(line.str("kept"), "replaced");
    let appended = line.iter().filter(|(key, _)| key.starts_with('n')).count();
    assert_eq!(appended, 127);
    assert_eq!(line.u64("n126"), 126);
    assert!(health::counted(Event::LimitExceeded) >= before + 1 + 73);
}
