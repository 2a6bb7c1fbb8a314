//! What stands in a document: valid names, bounded annotations and metadata, no secret.

use obs_tracing::{Redactor, TracingHelper, Value, trace_function, traced};
use tracing::{error, info_span, instrument};

use crate::support::{Document, builder, record, record_with};

#[test]
fn scenario_30_names_are_made_valid_and_never_lost() {
    let documents = record(|| {
        trace_function!("parse::<Vec<T>>", ());
        trace_function!("GET /orders?id=1 (slow!)", ());
        TracingHelper::add_custom_segment("größe 日本", [("n", 1.into())]);
        TracingHelper::add_custom_segment("x".repeat(300), [("n", 1.into())]);
        TracingHelper::add_custom_segment("", [("n", 1.into())]);
        TracingHelper::trace_function("two\r\nlines\u{1b}", || ());
        info_span!("<T as Trait>::call").in_scope(|| ());
    });
    assert_eq!(
        documents.names(),
        [
            "parse::_Vec_T__",
            "GET /orders_id=1 _slow__",
            "größe 日本",
            &"x".repeat(200),
            "unnamed",
            "two  lines_",
            "_T as Trait_::call",
        ]
    );
}

#[test]
fn annotations_keep_their_limits() {
    let documents = record(|| {
        trace_function!("work", {
            obs_tracing::annotate("order.id", "a");
            obs_tracing::annotate("ключ", 1);
            obs_tracing::annotate("k".repeat(600), 2);
            obs_tracing::annotate("long", "日".repeat(1_500));
            obs_tracing::annotate("list", Value::json(&[1, 2]));
            obs_tracing::annotate("nan", f64::NAN);
            obs_tracing::annotate("infinite", f64::INFINITY);
            obs_tracing::annotate("twice", 1);
            obs_tracing::annotate("twice", 2);
            obs_tracing::annotate("status", "made up");
        });
    });
    let document = documents.named("work");
    assert_eq!(document.annotation("order_id"), "a");
    assert_eq!(document.annotation("____"), 1);
    assert_eq!(document.annotation(&"k".repeat(500)), 2);
    assert_eq!(document.annotation("long").as_str().unwrap().chars().count(), 1_000);
    assert_eq!(document.annotation("list"), "[1,2]");
    assert!(document.annotation("nan").is_null() && document.annotation("infinite").is_null());
    assert_eq!(document.annotation("twice"), 2);
    assert_eq!(document.status(), "success");
}

#[test]
fn what_is_not_indexed_goes_into_metadata() {
    let documents = record(|| {
        trace_function!("work", {
            for n in 0..60 {
                obs_tracing::annotate(format!("key_{n}"), n);
            }
        });
    });
    let document = documents.named("work");
    let indexed = document.0["annotations"].as_object().unwrap();
    let surplus = document.0["metadata"]["annotations"].as_object().unwrap();
    // service, environment and status are there as well.
    assert_eq!((indexed.len(), surplus.len()), (50, 13));
    assert_eq!(indexed["key_46"], 46);
    assert_eq!(surplus["key_47"], 47);
}

#[test]
fn metadata_is_namespaced() {
    let documents = record(|| {
        trace_function!("work", {
            obs_tracing::metadata("debug", "payload", &serde_json::json!({"items": [1, "two"]}));
            obs_tracing::metadata("debug", "payload", &serde_json::json!({"items": [3]}));
            obs_tracing::metadata("", "empty", &1);
            obs_tracing::metadata("obs", "left_out", "mine");
            obs_tracing::metadata("AWS.debug", "payload", &1);
            obs_tracing::metadata("debug", "AWS.payload", &1);
        });
        TracingHelper::add_custom_segment(
            "data_validation",
            [
                ("record_count", 250.into()),
                ("validation_rules", vec!["completeness", "format"].into()),
            ],
        );
        TracingHelper::add_custom_segment("reserved", [("AWS.x", 1.into())]);
    });
    let expected = serde_json::json!({
        "debug": {"payload": {"items": [3]}},
        "default": {"empty": 1, "left_out": "mine"},
    });
    assert_eq!(documents.named("work").0["metadata"], expected);
    let custom = documents.named("data_validation");
    assert_eq!(custom.metadata("record_count"), 250);
    assert_eq!(custom.metadata("validation_rules"), &serde_json::json!(["completeness", "format"]));
    assert_eq!(
        documents.named("reserved").0["metadata"],
        serde_json::json!({"obs": {"left_out": 1}})
    );
}

#[test]
fn scenario_37_what_is_too_large_is_trimmed_the_largest_first() {
    let documents = record(|| {
        trace_function!("work", {
            obs_tracing::metadata("debug", "small", "kept");
            for n in 1..=6 {
                obs_tracing::metadata("debug", format!("large_{n}"), &"x".repeat(n * 5_000));
            }
            obs_tracing::metadata("debug", "enormous", &"x".repeat(10_000_000));
        });
    });
    let document = documents.named("work");
    let kept = document.0["metadata"]["debug"].as_object().unwrap();
    // 105,000 bytes: without the largest, of 30,000, and the next, of 25,000, it fits.
    let expected = ["enormous", "large_1", "large_2", "large_3", "large_4", "small"];
    assert_eq!(kept.keys().collect::<Vec<_>>(), expected);
    assert_eq!(kept["enormous"], "[more than 64 KB of JSON]");
    assert_eq!(document.0["metadata"]["obs"]["left_out"], 2);
}

#[test]
fn scenario_37_a_document_of_annotations_and_errors_fits_as_well() {
    let documents = record(|| {
        trace_function!("work", {
            for n in 0..60 {
                obs_tracing::annotate(format!("key_{n}"), "\u{1}".repeat(1_000));
            }
            for n in 0..20 {
                error!(error = "\"".repeat(30_000) + &n.to_string(), "failed");
            }
        });
    });
    let document = documents.named("work");
    assert_eq!(document.status(), "success");
    assert_eq!(document.annotation("key_0").as_str().unwrap().len(), 100);
    assert_eq!(document.exceptions().len(), 5);
    assert!(document.0["metadata"]["obs"]["left_out"].as_u64().unwrap() > 10);
}

#[test]
fn a_span_keeps_no_more_than_its_bound() {
    let documents = record(|| {
        trace_function!("work", {
            for n in 0..5_000 {
                obs_tracing::metadata("debug", format!("{n}"), &n);
            }
        });
    });
    let document = documents.named("work");
    assert_eq!(document.0["metadata"]["debug"].as_object().unwrap().len(), 1_000);
    assert_eq!(document.0["metadata"]["obs"]["left_out"], 4_000);
}

#[test]
fn fields_with_a_secrets_name_are_redacted() {
    #[instrument]
    fn login(user: &str, password: &str, iban: &str) {
        obs_tracing::annotate("api_key", "s3cret");
        obs_tracing::metadata("request", "authorization", "Bearer s3cret");
        obs_tracing::metadata(
            "request",
            "body",
            &serde_json::json!({"user": "eve", "card": {"cvv": "s3cret"}, "tokens": 3}),
        );
        obs_tracing::annotate("body", Value::json(&serde_json::json!({"secret": "s3cret"})));
    }
    #[traced(annotate(access_token = "s3cret"), metadata(iban = "s3cret"))]
    fn named() {}
    let documents = record_with(builder().redact(Redactor::default().field("iban")), || {
        login("eve", "s3cret", "s3cret");
        named();
    });
    assert!(!format!("{documents:?}").contains("s3cret"));
    let login = documents.named("login");
    assert_eq!(login.metadata("user"), "eve");
    assert_eq!(login.metadata("password"), "[REDACTED]");
    assert_eq!(login.annotation("api_key"), "[REDACTED]");
    assert_eq!(login.0["metadata"]["request"]["authorization"], "[REDACTED]");
    let body = serde_json::json!({"user": "eve", "card": {"cvv": "[REDACTED]"}, "tokens": 3});
    assert_eq!(login.0["metadata"]["request"]["body"], body);
    assert_eq!(documents.named("named").annotation("access_token"), "[REDACTED]");
}

#[test]
fn scenario_41_secrets_in_texts_are_replaced() {
    #[derive(Debug)]
    struct Refused(std::io::Error);
    impl std::fmt::Display for Refused {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("refused jane@example.com")
        }
    }
    impl std::error::Error for Refused {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    #[instrument]
    fn login(mail: &str) {
        obs_tracing::annotate("customer", "jane@example.com");
        obs_tracing::annotate("body", Value::json(&["jane@example.com"]));
        obs_tracing::metadata("request", "url", "/orders?token=s3cret&page=2");
        obs_tracing::metadata(
            "request",
            "body",
            &serde_json::json!({"to": ["jane@example.com"], "n": 3, "note": "\"jane@example.com\""}),
        );
    }
    #[traced(err, ret)]
    fn charge() -> Result<String, Refused> {
        Err(Refused(std::io::Error::other("password=s3cret")))
    }
    #[traced(ret)]
    fn find() -> &'static str {
        "jane@example.com"
    }
    let documents = record_with(builder().redact(Redactor::standard()), || {
        login("jane@example.com");
        let _refused = charge();
        find();
    });
    let text = format!("{documents:?}");
    assert!(!text.contains("s3cret") && !text.contains("example"), "{text}");
    let login = documents.named("login");
    assert_eq!(login.metadata("mail"), "[REDACTED]");
    assert_eq!(login.annotation("customer"), "[REDACTED]");
    assert_eq!(login.annotation("body"), r#"["[REDACTED]"]"#);
    let url = "/orders?token=[REDACTED]&page=2";
    let body = serde_json::json!({"to": ["[REDACTED]"], "n": 3, "note": "\"[REDACTED]\""});
    assert_eq!(login.0["metadata"]["request"], serde_json::json!({"url": url, "body": body}));
    let exceptions = &documents.named("charge").0["cause"]["exceptions"];
    assert_eq!(exceptions[0]["message"], "refused [REDACTED]");
    assert_eq!(exceptions[1]["message"], "password=[REDACTED]");
}

#[test]
fn an_error_that_is_logged_is_the_cause() {
    #[instrument(err)]
    fn instrumented() -> Result<(), std::num::ParseIntError> {
        "x".parse::<u32>().map(drop)
    }
    #[traced(err)]
    fn logs_and_returns() -> Result<(), std::num::ParseIntError> {
        let result = "x".parse::<u32>();
        if let Err(error) = &result {
            error!(error = error as &(dyn std::error::Error + 'static), "parsing failed");
            error!(error = %error, "it really failed");
        }
        result.map(drop)
    }
    #[traced]
    fn recovers() {
        error!(error = %"a detail", "recovered");
        error!("an event without the field");
        tracing::warn!(error = "a warning", "not an error");
    }
    let documents = record(|| {
        assert!(instrumented().is_err());
        assert!(logs_and_returns().is_err());
        recovers();
        error!(error = "outside of any span", "nowhere to go");
    });
    let told = |name: &str| {
        let document: &Document = documents.named(name);
        (document.status(), document.is_fault(), document.exceptions())
    };
    const MESSAGE: &str = "invalid digit found in string";
    assert_eq!(told("instrumented"), ("error", true, vec![("unknown", MESSAGE)]));
    // What was to be parsed was wrong: an `error` of the caller's, as X-Ray counts it.
    assert_eq!(told("logs_and_returns"), ("error", false, vec![("ParseIntError", MESSAGE)]));
    assert_eq!(documents.named("logs_and_returns").0["error"], true);
    assert_eq!(told("recovers"), ("success", false, vec![("unknown", "a detail")]));
}

#[test]
fn scenario_20_a_debug_that_logs_and_traces_does_no_harm() {
    struct Chatty;
    impl std::fmt::Debug for Chatty {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            obs_tracing::annotate("seen", true);
            error!(error = "from within", "formatting");
            trace_function!("inside", ());
            f.write_str("Chatty")
        }
    }
    #[instrument(fields(later = tracing::field::Empty))]
    fn work(chatty: &Chatty) {
        tracing::Span::current().record("later", tracing::field::debug(Chatty));
        error!(error = ?chatty, "failed");
    }
    let documents = record(|| work(&Chatty));
    let document = documents.named("work");
    assert_eq!(document.metadata("chatty"), "Chatty");
    assert_eq!(document.metadata("later"), "Chatty");
    assert_eq!(document.annotation("seen"), true);
    // Whether tracing lets the event from within through depends on who else is subscribed.
    assert!(document.exceptions().contains(&("unknown", "Chatty")));
}

#[test]
fn segments_carry_who_made_them_and_subsegments_do_not() {
    let documents = record_with(builder().version("1.2.3"), || {
        trace_function!("outer", { trace_function!("inner", ()) });
    });
    let (outer, inner) = (documents.named("outer"), documents.named("inner"));
    assert_eq!(outer.0["service"]["version"], "1.2.3");
    assert_eq!(outer.annotation("service"), "orders");
    assert_eq!(outer.annotation("environment"), "test");
    assert_eq!(outer.0["aws"]["xray"]["sdk"], "Obs for Rust");
    assert!(!outer.is_subsegment());
    assert!(inner.is_subsegment());
    assert!(inner.annotation("service").is_null());
    assert_eq!(inner.trace_id(), outer.trace_id());
    assert_eq!(inner.parent_id(), Some(outer.id()));
}
