use super::*;
use serde_json::json;

const HERE: Surroundings<'_> = Surroundings { environment: "dev", region: "eu-west-1" };

fn alert(detail: &Value) -> IncomingAlert {
    IncomingAlert::read(&json!({
        "id": "e-1",
        "source": "myapp.alerts",
        "detail-type": "Business Alert",
        "time": "2026-01-31T12:00:00Z",
        "detail": detail,
    }))
    .unwrap()
}

fn message(detail: &Value, runbook: &Runbook) -> Value {
    serde_json::from_str(&notify(&alert(detail), runbook, HERE).message).unwrap()
}

#[test]
fn the_message_of_a_full_alert() {
    let runbook = Runbook {
        slug: Some("data-quality".into()),
        link: Some("https://wiki.example.com/data-quality".into()),
        notes: Vec::new(),
    };
    let seen = message(
        &json!({
            "severity": "warning",
            "message": "Data quality below the threshold",
            "service": "data-pipeline",
            "environment": "prod",
            "xray_trace_id": "1-5e1b4151-5ac6c58dc39a6b6b1a4c8c5e",
            "dashboard": "https://dash.example.com",
            "metric": { "name": "DataQualityScore", "value": 81.5 },
            "attributes": { "log_group": "/aws/lambda/p", "pipeline": "movies" },
        }),
        &runbook,
    );
    let console = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1";
    let logs = format!("{console}#logsV2:log-groups/log-group/$252Faws$252Flambda$252Fp");
    let trace = format!("{console}#xray:traces/1-5e1b4151-5ac6c58dc39a6b6b1a4c8c5e");
    let text = format!(
        "MEDIUM: Data quality below the threshold\n\nEnvironment: prod\nService: data-pipeline\n\
         Time: 2026-01-31T12:00:00Z\nRunbook: https://wiki.example.com/data-quality\n\
         Dashboard: https://dash.example.com\nLogs: {logs}\nTrace: {trace}\n\
         log_group: /aws/lambda/p\npipeline: movies"
    );
    assert_eq!(
        seen,
        json!({
            "event_id": "e-1",
            "severity": "medium",
            "message": "Data quality below the threshold",
            "text": text,
            "environment": "prod",
            "service": "data-pipeline",
            "source": "myapp.alerts",
            "detail_type": "Business Alert",
            "time": "2026-01-31T12:00:00Z",
            "trace_id": "1-5e1b4151-5ac6c58dc39a6b6b1a4c8c5e",
            "trace_link": trace,
            "log_group": "/aws/lambda/p",
            "log_link": logs,
            "runbook": "data-quality",
            "runbook_link": "https://wiki.example.com/data-quality",
            "dashboard_link": "https://dash.example.com",
            "metric": { "name": "DataQualityScore", "value": 81.5 },
            "attributes": { "log_group": "/aws/lambda/p", "pipeline": "movies" },
            "notes": [],
        })
    );
}

#[test]
fn what_an_alert_does_not_say_is_not_made_up() {
    let runbook =
        Runbook { notes: vec!["the runbook could not be looked up".into()], ..Runbook::default() };
    let seen = message(
        &json!({ "severity": "high", "message": "m", "dashboard": "javascript:alert(1)" }),
        &runbook,
    );
    for absent in
        ["service", "trace_id", "trace_link", "log_link", "dashboard_link", "runbook_link"]
    {
        assert_eq!(seen.get(absent), None, "{absent}");
    }
    assert_eq!(seen["environment"], "dev");
    assert_eq!(
        seen["notes"],
        json!([
            "the runbook could not be looked up",
            "the dashboard is not a link and was left out"
        ])
    );
    let text = seen["text"].as_str().unwrap();
    assert!(text.contains("\nNote: the runbook could not be looked up"), "{text}");
}

#[test]
fn subjects_are_short_printable_ascii_on_one_line() {
    let subject = |detail: &Value| notify(&alert(detail), &Runbook::default(), HERE).subject;
    assert_eq!(
        subject(&json!({ "severity": "high", "message": "Payment failed", "service": "orders" })),
        "[HIGH] dev orders: Payment failed"
    );
    assert_eq!(
        subject(&json!({ "severity": "info", "message": "a\r\nb\tc\u{2028}d\u{1b}é" })),
        "[LOW] dev: a b c d??"
    );
    let long = subject(&json!({ "severity": "critical", "message": "x".repeat(500) }));
    assert_eq!(long.len(), MAX_SUBJECT);
    assert!(long.starts_with("[CRITICAL] dev: xxx") && long.ends_with("x..."), "{long}");
}

#[test]
fn the_message_fits_whatever_comes() {
    let mut attributes = Map::new();
    for n in 0..300 {
        attributes.insert(format!("small{n}"), json!("é".repeat(300)));
    }
    attributes.insert("huge".into(), json!("\u{1}".repeat(200_000)));
    let notification = notify(
        &alert(&json!({
            "severity": "high",
            "message": "\u{1}".repeat(100_000),
            "service": "\u{1}x".repeat(100_000),
            "attributes": attributes,
        })),
        &Runbook::default(),
        HERE,
    );
    assert!(notification.message.len() <= MAX_MESSAGE, "{}", notification.message.len());
    let seen: Value = serde_json::from_str(&notification.message).unwrap();
    assert_eq!(seen["attributes"].get("huge"), None);
    assert!(seen["attributes"].as_object().unwrap().len() > 100);
    let notes = seen["notes"].to_string();
    assert!(notes.contains("the attribute \\\"huge\\\" of 1200006 bytes was left out"), "{notes}");
}

proptest::proptest! {
    #[test]
    fn every_notification_keeps_the_limits_of_sns(
        severity in "\\PC{0,12}",
        message in proptest::string::string_regex("(?s).{0,300}").unwrap(),
        service in proptest::option::of("(?s).{0,120}"),
        dashboard in proptest::option::of("(?s).{0,60}"),
    ) {
        let detail = json!({
            "severity": severity, "message": message, "service": service, "dashboard": dashboard,
        });
        let notification = notify(&alert(&detail), &Runbook::default(), HERE);
        let subject = &notification.subject;
        proptest::prop_assert!(subject.len() < 100 && subject.starts_with('['));
        proptest::prop_assert!(subject.bytes().all(|b| (b' '..=b'~').contains(&b)), "{:?}", subject);
        proptest::prop_assert!(notification.message.len() <= MAX_MESSAGE);
        proptest::prop_assert!(serde_json::from_str::<Value>(&notification.message).is_ok());
        proptest::prop_assert!(!notification.event_id.is_empty());
    }
}
