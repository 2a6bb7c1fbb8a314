use std::time::Duration;

use obs_core::ids::{SpanId, TraceId, TraceParent};
use serde_json::json;

use super::*;

fn moment() -> Moment {
    Moment {
        time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_264_200_125),
        context: None,
        span: None,
    }
}

fn event_of(alert: Alert, moment: &Moment) -> AlertEvent {
    AlertEvent::of(alert, moment, &Identity::new("orders", "prod"), &Redactor::default())
}

fn json_of(event: &AlertEvent) -> Value {
    serde_json::from_str(&event.to_json()).unwrap()
}

fn trace_id() -> TraceId {
    TraceId::from_hex("5759e988bd862e3fe1be46a994272793").unwrap()
}

fn span_id() -> SpanId {
    SpanId::from_hex("53995c3f42cd8ad8").unwrap()
}

#[test]
fn an_event_has_everything_that_is_known() {
    let alert = Alert::new(Severity::Medium, "Quality is low")
        .attribute("order_id", 4711)
        .metric("DataQualityScore", 71.5)
        .runbook("data-quality")
        .dashboard("https://example.com/d/1")
        .owner("data")
        .fingerprint("quality/sales");
    let context = RequestContext::builder().request_id("r-1").correlation_id("c-1").build();
    let span = SpanIds { trace_id: trace_id(), span_id: span_id(), sampled: true };
    let moment = Moment { context: Some(context), span: Some(span), ..moment() };
    let event = event_of(alert, &moment);
    let mut json = json_of(&event);
    let id = json["id"].take();
    assert_eq!(
        json,
        json!({
            "version": 1,
            "id": null,
            "severity": "medium",
            "message": "Quality is low",
            "service": "orders",
            "environment": "prod",
            "timestamp": "2026-11-21T12:30:00.125Z",
            "fingerprint": "quality/sales",
            "request_id": "r-1",
            "correlation_id": "c-1",
            "trace_id": "5759e988bd862e3fe1be46a994272793",
            "span_id": "53995c3f42cd8ad8",
            "xray_trace_id": "1-5759e988-bd862e3fe1be46a994272793",
            "metric": {"name": "DataQualityScore", "value": 71.5},
            "runbook": "data-quality",
            "dashboard": "https://example.com/d/1",
            "owner": "data",
            "attributes": {"order_id": 4711},
        })
    );
    assert_eq!(id.as_str(), event.id.as_deref());
    assert_eq!(event.to_string(), "medium: Quality is low (orders, prod)");
}

#[test]
fn what_is_not_known_is_absent() {
    let mut json = json_of(&event_of(Alert::new(Severity::Low, "m"), &moment()));
    json.as_object_mut().unwrap().remove("id").unwrap();
    assert_eq!(
        json,
        json!({
            "version": 1, "severity": "low", "message": "m", "service": "orders",
            "environment": "prod", "timestamp": "2026-11-21T12:30:00.125Z",
        })
    );
}

#[test]
fn serde_writes_what_our_writer_writes() {
    let full = json!({
        "version": 7, "id": "i", "severity": "unheard", "message": "m\u{2028}", "metric": {"name": "n"},
        "attributes": {"a": [1, 2.5, null, true, {"b": "c"}]}, "truncated": ["message"],
        "service": 5, "mine": {"x": [[]]},
    });
    let event: AlertEvent = serde_json::from_value(full.clone()).unwrap();
    assert_eq!(serde_json::to_value(&event).unwrap(), full);
    assert_eq!(json_of(&event), full);
}

#[test]
fn a_member_of_another_type_is_written_once() {
    let mut event: AlertEvent =
        serde_json::from_value(json!({"severity": "low", "message": "m", "service": 5})).unwrap();
    event.service = Some("orders".to_owned());
    let json = event.to_json();
    assert_eq!(json.matches("\"service\"").count(), 1, "{json}");
    assert!(json.contains("\"orders\""));
}

#[test]
fn the_shape_of_the_seed_is_an_alert() {
    let event: AlertEvent =
        serde_json::from_str(r#"{"severity":"high","message":"Payment processing failed"}"#)
            .unwrap();
    let expected =
        AlertEvent { version: 0, ..AlertEvent::new(Severity::High, "Payment processing failed") };
    assert_eq!(event, expected);
}

#[test]
fn an_unknown_severity_does_not_lose_the_alert() {
    let check = |severity: Value, expected: Severity, unknown: Option<&str>| {
        let event: AlertEvent =
            serde_json::from_value(json!({"severity": severity, "message": "m"})).unwrap();
        assert_eq!(event.severity, expected, "{severity}");
        assert_eq!(event.unknown_severity.as_deref(), unknown, "{severity}");
    };
    check(json!("critical"), Severity::Critical, None);
    check(json!("WARNING"), Severity::Medium, None);
    check(json!("sev1"), Severity::High, Some("sev1"));
    check(json!(""), Severity::High, Some(""));
    check(json!(5), Severity::High, Some("5"));
    check(json!(null), Severity::High, Some(""));
    let event: AlertEvent = serde_json::from_str(r#"{"message":"m"}"#).unwrap();
    assert_eq!((event.severity, event.unknown_severity.as_deref()), (Severity::High, Some("")));
}

#[test]
fn scenario_46_what_is_no_alert_is_an_error_that_says_so() {
    for (text, problem) in [
        (r#"{"severity":"high"}"#, "an alert needs a `message`"),
        (r#"{"severity":"high","message":null}"#, "an alert needs a `message`"),
        ("[1,2]", "expected a map"),
        (r#""text""#, "expected a map"),
        (r#"{"severity":"high","mess"#, "EOF"),
    ] {
        let error = serde_json::from_str::<AlertEvent>(text).unwrap_err().to_string();
        assert!(error.contains(problem), "{text}: {error}");
    }
    let deep = format!(r#"{{"message":"m","a":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert!(serde_json::from_str::<AlertEvent>(&deep).is_err());
}

#[test]
fn members_of_other_types_are_kept_aside() {
    let odd = json!({
        "message": {"text": "m"}, "severity": "low", "version": "2", "id": 4, "attributes": [1],
        "metric": "Latency", "truncated": "yes", "order_id": 4711,
    });
    let event: AlertEvent = serde_json::from_value(odd).unwrap();
    assert_eq!(event.message, r#"{"text":"m"}"#);
    assert_eq!((event.version, event.id, event.metric), (0, None, None));
    assert_eq!(
        Value::Object(event.extra),
        json!({"version": "2", "id": 4, "attributes": [1], "metric": "Latency",
            "truncated": "yes", "order_id": 4711})
    );
}

#[test]
fn scenario_41_attributes_named_like_secrets_lose_their_values_at_any_depth() {
    let alert = Alert::new(Severity::Low, "m")
        .attribute("password", "hunter2")
        .attribute("request", json!({"headers": [{"Authorization": "Bearer x"}, {"Accept": "y"}]}))
        .attribute("tokens_used", 17);
    let json = json_of(&event_of(alert, &moment()));
    assert_eq!(
        json["attributes"],
        json!({
            "password": "[REDACTED]",
            "request": {"headers": [{"Authorization": "[REDACTED]"}, {"Accept": "y"}]},
            "tokens_used": 17,
        })
    );
}

#[test]
fn scenario_41_secrets_in_texts_are_replaced_at_any_depth() {
    let alert =
        Alert::new(Severity::Low, "jane@example.com could not pay with 4111 1111 1111 1111")
            .attribute("customer", "jane@example.com")
            .attribute(
                "request",
                json!({"urls": ["/x?token=8f5c&n=1"], "body": "{\"cvv\":\"123\"}"}),
            )
            .attribute("order_id", 4711);
    let identity = Identity::new("orders", "prod");
    let event = AlertEvent::of(alert, &moment(), &identity, &Redactor::standard());
    let json = json_of(&event);
    assert_eq!(json["message"], "[REDACTED] could not pay with [REDACTED]");
    assert_eq!(
        json["attributes"],
        json!({
            "customer": "[REDACTED]",
            "request": {"urls": ["/x?token=[REDACTED]&n=1"], "body": "{\"cvv\":\"[REDACTED]\"}"},
            "order_id": 4711,
        })
    );
}

#[test]
fn scenario_28_an_event_is_one_line_whatever_is_in_it() {
    let nasty = "a\r\nb\u{1b}[31mc\u{85}d\u{2028}e\u{7f}";
    let alert = Alert::new(Severity::Low, nasty)
        .attribute(nasty, json!([nasty, {nasty: nasty}]))
        .metric(nasty, 1.0)
        .owner(nasty);
    let event = event_of(alert, &moment());
    let json = event.to_json();
    assert!(json.chars().all(|c| !c.is_control() && c != '\u{2028}'), "{json}");
    let read: AlertEvent = serde_json::from_str(&json).unwrap();
    assert_eq!(read, event);
    assert_eq!(read.message, nasty);
}

#[test]
fn scenario_23_a_metric_without_a_finite_value_is_named_without_it() {
    for value in [f64::NAN, f64::INFINITY] {
        let alert = Alert::new(Severity::Low, "m").metric("Latency", value).attribute("x", value);
        let json = json_of(&event_of(alert, &moment()));
        assert_eq!(json["metric"], json!({"name": "Latency"}));
        assert_eq!(json["attributes"], json!({"x": null}));
    }
}

#[test]
fn scenario_18_an_event_is_cut_to_the_limit_and_says_where() {
    let limit = 10_000;
    let alert = Alert::new(Severity::Low, "message")
        .attribute("small", 1)
        .attribute("payload", "💥\n".repeat(100_000));
    let mut event = event_of(alert, &moment());
    let json = event.json_within(limit);
    assert!(json.len() <= limit && json.len() > limit - 100, "{}", json.len());
    let read: AlertEvent = serde_json::from_str(&json).unwrap();
    assert_eq!(read.truncated, ["attributes.payload"]);
    assert_eq!((read.message.as_str(), &read.attributes["small"]), ("message", &json!(1)));
    assert!(read.attributes["payload"].as_str().unwrap().ends_with("…[truncated]"));

    // A secret is redacted before it can be cut.
    let alert = Alert::new(Severity::Low, "m").attribute("token", "x".repeat(100_000));
    let mut event = event_of(alert, &moment());
    assert!(event.json_within(limit).contains(r#""token":"[REDACTED]""#));
    assert!(event.truncated.is_empty());
}

#[test]
fn scenario_18_everything_at_its_largest_fits() {
    let long = "\u{1}".repeat(1_000_000);
    let mut alert = Alert::new(Severity::Low, long.clone())
        .detail_type(long.clone())
        .runbook(long.clone())
        .dashboard(long.clone())
        .owner(long.clone())
        .fingerprint(long.clone())
        .metric(long.clone(), 1.0);
    for n in 0..500 {
        alert = alert.attribute(format!("{n}{}", &long[..300]), vec![n; 1_000]);
    }
    let context = RequestContext::builder()
        .request_id(long.clone())
        .correlation_id(long.clone())
        .xray_trace_id(long.clone())
        .build();
    let moment = Moment { context: Some(context), ..moment() };
    let mut event =
        AlertEvent::of(alert, &moment, &Identity::new(long.clone(), long), &Redactor::none());
    let limit = crate::entry::MAX_REQUEST_BYTES - 1_000;
    let json = event.json_within(limit);
    assert!(json.len() <= limit, "{}", json.len());
    let read: AlertEvent = serde_json::from_str(&json).unwrap();
    for field in ["message", "runbook", "dashboard", "owner", "fingerprint", "metric"] {
        assert!(read.truncated.iter().any(|name| name == field), "{field}: {:?}", read.truncated);
    }
}

#[test]
fn ids_are_random_uuids() {
    let id = uuid_of("ffffffffffffffffffffffffffffffff");
    assert_eq!(id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(uuid_of(&"0".repeat(32)), "00000000-0000-4000-8000-000000000000");
    assert_ne!(random_uuid(), random_uuid());
}

#[test]
fn the_trace_header_names_the_span_else_the_request() {
    let parent = |parent_id, sampled| {
        let parent = TraceParent { trace_id: trace_id(), parent_id, sampled };
        Some(RequestContext::builder().trace(parent).build())
    };
    let check = |context, span, expected: Option<&str>| {
        let moment = Moment { context, span, ..moment() };
        assert_eq!(moment.trace_header().as_deref(), expected);
    };
    let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
    let other =
        SpanIds { trace_id: trace_id(), span_id: SpanId::from_u64(1).unwrap(), sampled: false };
    check(None, None, None);
    check(Some(RequestContext::builder().request_id("r").build()), None, None);
    check(parent(None, None), None, Some(root));
    check(
        parent(Some(span_id()), Some(true)),
        None,
        Some(&format!("{root};Parent=53995c3f42cd8ad8;Sampled=1")),
    );
    let expected = format!("{root};Parent=0000000000000001;Sampled=0");
    check(parent(Some(span_id()), Some(true)), Some(other), Some(&expected));
    check(None, Some(other), Some(&expected));
}
