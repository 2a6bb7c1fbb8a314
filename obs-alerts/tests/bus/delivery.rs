//! What arrives, in which form and in which order.

use std::time::{Duration, Instant};

use obs_alerts::{Alert, AlertEvent, Severity};
use serde_json::json;

use crate::server::{Answer, EventBus};
use crate::{LONG, alert, builder, publish_numbered, publisher};

#[test]
fn an_alert_arrives_as_it_was_published() {
    let bus = EventBus::accepting();
    let alerts = publisher(&bus);
    alerts.publish(
        Alert::new(Severity::High, "Payment processing failed")
            .detail_type("Business Alert")
            .attribute("order_id", 4711)
            .attribute("api_key", "hunter2"),
    );
    let report = alerts.flush(LONG);
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.delivered(), 1);
    let [entry] = &bus.arrived()[..] else { panic!("{:?}", bus.arrived()) };
    assert_eq!(entry.raw["Source"], "myapp.alerts");
    assert_eq!(entry.raw["DetailType"], "Business Alert");
    assert_eq!(entry.raw["EventBusName"], "observability");
    assert!(entry.raw["Time"].is_number());
    let event: AlertEvent = serde_json::from_value(entry.detail.clone()).unwrap();
    assert_eq!(event.version, AlertEvent::VERSION);
    assert_eq!(event.severity, Severity::High);
    assert_eq!(event.message, "Payment processing failed");
    assert_eq!(event.service.as_deref(), Some("orders"));
    assert_eq!(event.environment.as_deref(), Some("test"));
    assert_eq!(event.id.as_deref().map(str::len), Some(36));
    assert_eq!(entry.detail["attributes"], json!({"order_id": 4711, "api_key": "[REDACTED]"}));
}

#[test]
fn alerts_go_out_ten_at_a_time() {
    let bus = EventBus::accepting();
    let alerts = builder(&bus).linger(LONG).build().unwrap();
    publish_numbered(&alerts, 25);
    assert_eq!(alerts.flush(LONG).delivered(), 25);
    let sizes: Vec<usize> = bus.requests().iter().map(|request| request.entries.len()).collect();
    assert_eq!(sizes, [10, 10, 5]);
    let expected: Vec<String> = (0..25).map(|n| n.to_string()).collect();
    assert_eq!(bus.messages(), expected);
    assert_eq!(bus.connections(), 1, "the connection is kept");
}

#[test]
fn the_most_urgent_go_first() {
    let bus = EventBus::accepting();
    let alerts = builder(&bus).linger(LONG).build().unwrap();
    for severity in [Severity::Info, Severity::Low, Severity::High, Severity::Medium] {
        for n in 0..4 {
            alerts.publish(Alert::new(severity, format!("{severity}{n}")));
        }
    }
    assert!(alerts.flush(LONG).is_complete());
    let expected: Vec<String> = ["high", "medium", "low", "info"]
        .iter()
        .flat_map(|severity| (0..4).map(move |n| format!("{severity}{n}")))
        .collect();
    assert_eq!(bus.messages(), expected);
}

#[test]
fn a_critical_alert_is_sent_at_once() {
    let bus = EventBus::accepting();
    let alerts = builder(&bus).linger(Duration::from_secs(600)).build().unwrap();
    alerts.publish(Alert::new(Severity::Low, "has time"));
    alerts.publish(Alert::new(Severity::Critical, "now"));
    bus.wait_until("the critical alert", |bus| !bus.arrived().is_empty());
    assert_eq!(bus.messages(), ["now"]);
    assert!(alerts.flush(LONG).is_complete());
    assert_eq!(bus.messages(), ["now", "has time"]);
}

#[test]
fn a_critical_alert_overtakes_others_that_are_stuck() {
    let bus = EventBus::start(|request| {
        if request.entries[0].message() == "stuck" { Answer::Hang } else { Answer::Accept }
    });
    let alerts = publisher(&bus);
    alerts.publish(alert("stuck"));
    bus.wait_until("the stuck request", |bus| !bus.requests().is_empty());
    alerts.publish(Alert::new(Severity::Critical, "now"));
    bus.wait_until("the critical alert", |bus| !bus.arrived().is_empty());
    assert_eq!(bus.messages(), ["now"]);
}

#[test]
fn an_alert_is_sent_without_a_flush() {
    let bus = EventBus::accepting();
    let alerts = publisher(&bus);
    alerts.publish(alert("m"));
    bus.wait_until("the alert", |bus| !bus.arrived().is_empty());
}

#[test]
fn requests_stay_below_256_kib() {
    let bus = EventBus::accepting();
    let alerts = builder(&bus).linger(LONG).build().unwrap();
    for _ in 0..20 {
        alerts.publish(alert("large").attribute("payload", "ü".repeat(30 * 1024)));
    }
    assert_eq!(alerts.flush(LONG).delivered(), 20);
    for request in bus.requests() {
        let bytes: usize = request.entries.iter().map(|entry| entry.size()).sum();
        assert!(bytes < 256 * 1024, "{bytes}");
        assert!(request.entries.len() <= 4);
    }
}

#[test]
fn scenario_18_an_alert_of_ten_megabytes_is_cut_and_arrives() {
    let bus = EventBus::accepting();
    let alerts = publisher(&bus);
    alerts.publish(
        Alert::new(Severity::Critical, "large")
            .attribute("payload", "💥\n".repeat(2 << 20))
            .attribute("order_id", 4711),
    );
    let report = alerts.flush(LONG);
    assert!(report.is_complete(), "{report}");
    let entry = &bus.arrived()[0];
    assert!(entry.size() < 256 * 1024 && entry.size() > 255 * 1024, "{}", entry.size());
    assert_eq!(entry.detail["attributes"]["order_id"], 4711);
    assert_eq!(entry.detail["truncated"], json!(["attributes.payload"]));
}

#[test]
fn scenario_28_control_characters_arrive_escaped() {
    let bus = EventBus::accepting();
    let alerts = publisher(&bus);
    let nasty = "one\r\ntwo\u{1b}[31m\u{85}\u{2028}\0";
    alerts.publish(alert(nasty).attribute(nasty, nasty));
    assert!(alerts.flush(LONG).is_complete());
    let entry = &bus.arrived()[0];
    let detail = entry.raw["Detail"].as_str().unwrap();
    assert!(detail.chars().all(|c| !c.is_control() && c != '\u{2028}'), "{detail}");
    assert_eq!(entry.message(), nasty);
}

#[test]
fn publishing_does_not_wait_for_anything() {
    // Neither for a connection nor for an answer: the slowest of many calls is quick.
    let bus = EventBus::start(|_| Answer::Hang);
    let alerts = publisher(&bus);
    let slowest = (0..500)
        .map(|n| {
            let start = Instant::now();
            alerts.publish(alert(n.to_string()));
            start.elapsed()
        })
        .max()
        .unwrap();
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    drop(alerts);
}
