use serde_json::Value;

use super::*;

fn envelope() -> Envelope {
    Envelope {
        source: "myapp.alerts".into(),
        bus: "observability".into(),
        detail_type: "Alert".into(),
        identity: Identity::new("orders", "dev"),
        redactor: Redactor::default(),
    }
}

fn moment() -> Moment {
    Moment { time: SystemTime::now(), context: None, span: None }
}

fn entry(alert: Alert) -> PutEventsRequestEntry {
    Entry::new(alert, &moment(), &envelope()).to_request_entry()
}

#[test]
fn an_entry_has_the_publishers_names_unless_the_alert_has_its_own() {
    let plain = entry(Alert::new(Severity::High, "m"));
    assert_eq!(plain.source(), Some("myapp.alerts"));
    assert_eq!(plain.detail_type(), Some("Alert"));
    assert_eq!(plain.event_bus_name(), Some("observability"));
    assert!(plain.time().is_some());
    assert_eq!(plain.trace_header(), None);
    let own = entry(
        Alert::new(Severity::High, "m").source("other.alerts").detail_type("Business\nAlert"),
    );
    assert_eq!(own.source(), Some("other.alerts"));
    assert_eq!(own.detail_type(), Some("Business Alert"));
}

#[test]
fn a_source_that_the_bus_would_refuse_is_replaced_and_counted() {
    let before = health::counted(Event::NameRefused);
    for source in ["aws.ec2", "", "two words"] {
        let entry = entry(Alert::new(Severity::High, "m").source(source));
        assert_eq!(entry.source(), Some("myapp.alerts"));
    }
    assert!(health::counted(Event::NameRefused) >= before + 3);
}

#[test]
fn a_size_is_counted_as_the_service_counts_it() {
    let entry = Entry::new(Alert::new(Severity::High, "ü"), &moment(), &envelope());
    let sent = entry.to_request_entry();
    let expected = 14
        + sent.source().unwrap().len()
        + sent.detail_type().unwrap().len()
        + sent.detail().unwrap().len();
    assert_eq!(entry.size(), expected);
}

#[test]
fn scenario_18_an_alert_over_the_limit_is_cut_and_arrives() {
    let before = health::counted(Event::Trimmed);
    let alert = Alert::new(Severity::High, "m").attribute("payload", "ü\"\n".repeat(1 << 20));
    let entry = Entry::new(alert, &moment(), &envelope());
    assert!(entry.size() <= MAX_REQUEST_BYTES, "{}", entry.size());
    assert!(entry.size() > MAX_REQUEST_BYTES - 100, "{}", entry.size());
    let detail: Value = serde_json::from_str(&entry.detail).unwrap();
    assert_eq!(detail["message"], "m");
    assert_eq!(detail["truncated"][0], "attributes.payload");
    assert!(health::counted(Event::Trimmed) > before);
}
