use super::*;
use serde_json::json;

fn event(detail: &Value) -> Value {
    json!({
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "Business Alert",
        "source": "myapp.alerts",
        "account": "123456789012",
        "time": "2026-01-31T12:00:00Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": detail,
    })
}

fn read(detail: &Value) -> IncomingAlert {
    IncomingAlert::read(&event(detail)).unwrap()
}

#[test]
fn the_minimal_shape_is_an_alert() {
    let alert = read(&json!({ "severity": "high", "message": "Payment processing failed" }));
    assert_eq!(alert.severity, Severity::High);
    assert_eq!(alert.message, "Payment processing failed");
    assert_eq!(alert.event_id, "6a7e8feb-b491-4cf7-a9f1-bf3703467718");
    assert_eq!(alert.source.as_deref(), Some("myapp.alerts"));
    assert_eq!(alert.time.as_deref(), Some("2026-01-31T12:00:00Z"));
    assert!(alert.notes.is_empty() && alert.attributes.is_empty(), "{alert:?}");
}

#[test]
fn what_the_sdk_publishes_is_read_in_full() {
    let alert = read(&json!({
        "version": 1,
        "id": "f81d4fae-7dec-41d0-a765-00a0c91e6bf6",
        "severity": "critical",
        "message": "Data quality below the threshold",
        "service": "data-pipeline",
        "environment": "dev",
        "timestamp": "2026-01-31T12:00:00.250Z",
        "fingerprint": "movies/data-quality",
        "request_id": "r-1",
        "correlation_id": "c-1",
        "trace_id": "5e1b41515ac6c58dc39a6b6b1a4c8c5e",
        "span_id": "53995c3f42cd8ad8",
        "xray_trace_id": "1-5e1b4151-5ac6c58dc39a6b6b1a4c8c5e",
        "metric": { "name": "DataQualityScore", "value": 81.95 },
        "runbook": "data-quality",
        "dashboard": "https://dash.example.com",
        "owner": "data",
        "attributes": { "pipeline": "movies", "log_group": "/aws/lambda/p" },
        "truncated": ["message"],
        "extra_member": 1,
    }));
    let expected = IncomingAlert {
        event_id: "f81d4fae-7dec-41d0-a765-00a0c91e6bf6".into(),
        severity: Severity::Critical,
        message: "Data quality below the threshold".into(),
        source: Some("myapp.alerts".into()),
        detail_type: Some("Business Alert".into()),
        region: Some("eu-west-1".into()),
        service: Some("data-pipeline".into()),
        environment: Some("dev".into()),
        time: Some("2026-01-31T12:00:00.250Z".into()),
        fingerprint: Some("movies/data-quality".into()),
        request_id: Some("r-1".into()),
        correlation_id: Some("c-1".into()),
        trace_id: Some("1-5e1b4151-5ac6c58dc39a6b6b1a4c8c5e".into()),
        log_group: Some("/aws/lambda/p".into()),
        runbook: Some("data-quality".into()),
        dashboard: Some("https://dash.example.com".into()),
        owner: Some("data".into()),
        metric: Some(json!({ "name": "DataQualityScore", "value": 81.95 })),
        attributes:
            json!({ "pipeline": "movies", "log_group": "/aws/lambda/p", "extra_member": 1 })
                .as_object()
                .unwrap()
                .clone(),
        notes: vec!["cut by the sender: [\"message\"]".into()],
    };
    assert_eq!(alert, expected);
}

#[test]
fn an_unknown_severity_is_high_and_noted() {
    for (severity, note) in [
        (json!("urgent"), "the severity \"urgent\" is not known and counts as high"),
        (json!(1), "the severity \"1\" is not known and counts as high"),
        (json!(" "), "the alert has no severity and counts as high"),
        (json!(null), "the alert has no severity and counts as high"),
    ] {
        let alert = read(&json!({ "severity": severity, "message": "m" }));
        assert_eq!((alert.severity, alert.notes), (Severity::High, vec![note.to_owned()]));
    }
    let alert = read(&json!({ "message": "m" }));
    assert_eq!(alert.severity, Severity::High);
}

// There are four topics, and messages name the one that they are on.
#[test]
fn what_is_for_the_record_counts_as_low() {
    for word in ["info", "Informational", "low"] {
        let alert = read(&json!({ "severity": word, "message": "m" }));
        assert_eq!((alert.severity, alert.notes), (Severity::Low, Vec::new()), "{word}");
    }
}

#[test]
fn a_metric_keeps_its_number_as_it_was_written() {
    for (metric, expected) in [
        (json!({ "name": "Rows", "value": 12 }), json!({ "name": "Rows", "value": 12 })),
        (json!({ "name": "Rows", "value": 12.5 }), json!({ "name": "Rows", "value": 12.5 })),
        (json!({ "name": "Rows" }), json!({ "name": "Rows", "value": null })),
    ] {
        let alert = read(&json!({ "message": "m", "metric": metric }));
        assert_eq!(alert.metric, Some(expected));
        assert!(alert.attributes.is_empty(), "{alert:?}");
    }
    // A metric of another form is not ours, and is kept whole.
    let metric = json!({ "name": "Rows", "value": 12, "unit": "Count" });
    let alert = read(&json!({ "message": "m", "metric": metric }));
    assert_eq!((alert.metric, &alert.attributes["metric"]), (None, &metric));
}

#[test]
fn a_log_group_and_a_runbook_may_be_given_anywhere() {
    for detail in [
        json!({ "message": "m", "log_group": "/own", "runbook": "own" }),
        json!({ "message": "m", "attributes": { "log_group": "/own", "runbook": "own" } }),
        json!({
            "message": "m", "log_group": "/own", "runbook": "own",
            "attributes": { "log_group": "/other", "runbook": "other" },
        }),
    ] {
        let alert = read(&detail);
        assert_eq!(alert.log_group.as_deref(), Some("/own"), "{detail}");
        assert_eq!(alert.runbook.as_deref(), Some("own"), "{detail}");
    }
}

// Scenario 46.
#[test]
fn an_odd_alert_is_never_lost() {
    for (detail, message, note) in [
        (json!("just text"), "just text", "the event's detail is a string, not an object"),
        (json!([1, 2]), "[1,2]", "the event's detail is an array, not an object"),
        (json!({ "severity": "low" }), "(no message)", "the alert has no message"),
        (json!({ "severity": "low", "message": "  " }), "(no message)", "the alert has no message"),
        (json!({ "severity": "low", "message": { "a": 1 } }), "{\"a\":1}", ""),
    ] {
        let alert = read(&detail);
        assert_eq!(alert.message, message, "{detail}");
        assert!(alert.notes.iter().any(|n| n == note) || note.is_empty(), "{:?}", alert.notes);
    }
    let odd = json!({
        "severity": "low", "message": "m", "service": 7, "metric": "m", "attributes": [1], "id": null,
    });
    let alert = read(&odd);
    assert_eq!(alert.service, None);
    assert_eq!(
        Value::Object(alert.attributes),
        json!({ "service": 7, "metric": "m", "attributes": [1] })
    );
}

// Scenario 46.
#[test]
fn what_is_no_event_is_a_clear_error() {
    for (event, expected) in [
        (json!({}), "malformed alert event: it has no `detail`"),
        (json!({ "detail": null }), "malformed alert event: it has no `detail`"),
        (json!("x"), "malformed alert event: it is a string, not an object"),
    ] {
        assert_eq!(IncomingAlert::read(&event).unwrap_err().to_string(), expected);
    }
}

// Scenario 27: an alert that arrives twice has one name.
#[test]
fn an_alert_has_the_same_id_each_time() {
    let id = |event: &Value| IncomingAlert::read(event).unwrap().event_id;
    let published = json!({ "id": "own", "message": "m" });
    let (mut first, mut second) = (event(&published), event(&published));
    first["id"] = json!("delivery-1");
    second["id"] = json!("delivery-2");
    assert_eq!(id(&first), "own");
    assert_eq!(id(&second), "own");
    let nameless = json!({ "detail": { "message": "m" } });
    assert_eq!(id(&nameless), id(&nameless));
    assert_ne!(id(&nameless), id(&json!({ "detail": { "message": "n" } })));
}

#[test]
fn the_delay_is_counted_from_the_most_exact_time() {
    let noon = 1_769_860_800_000;
    let delay = |detail: &Value, now: i64| read(detail).delay_millis(now);
    let exact = json!({ "message": "m", "timestamp": "2026-01-31T12:00:00.250Z" });
    assert_eq!(delay(&exact, noon + 1_000), Some(750));
    assert_eq!(delay(&json!({ "message": "m" }), noon + 1_000), Some(1_000));
    assert_eq!(delay(&json!({ "message": "m", "timestamp": "soon" }), noon + 5), Some(5));
    // Scenario 26: a clock that is behind.
    assert_eq!(delay(&exact, noon), Some(0));
    let timeless = IncomingAlert::read(&json!({ "detail": { "message": "m" } })).unwrap();
    assert_eq!(timeless.delay_millis(noon), None);
}

#[test]
fn texts_are_bounded() {
    let alert = read(&json!({
        "severity": "x".repeat(1_000),
        "message": "é".repeat(10_000),
        "service": "é".repeat(1_000),
        "trace_id": "5e1b41515ac6c58dc39a6b6b1a4c8c5e",
    }));
    assert!(alert.message.len() <= MAX_MESSAGE_BYTES && alert.message.ends_with('…'));
    assert!(alert.service.is_some_and(|service| service.len() <= 512));
    assert_eq!(alert.trace_id.as_deref(), Some("1-5e1b4151-5ac6c58dc39a6b6b1a4c8c5e"));
    assert!(alert.notes.contains(&"the message was cut, it has 20000 bytes".to_owned()));
    assert!(alert.notes.iter().all(|note| note.len() < 200), "{:?}", alert.notes);
}
