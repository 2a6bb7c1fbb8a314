//! A destination that is dead while alerts keep coming.

use std::collections::HashMap;
use std::time::Duration;

use obs_alerts::{Alert, Retry, Severity};
use obs_core::health;

use crate::server::{Answer, Entry, EventBus};
use crate::{LONG, alert, builder, child};

const CAPACITY: usize = 512 * 1024;

/// The most bytes that any lane holds now.
fn pending_bytes() -> usize {
    health::snapshot().lanes.iter().map(|lane| lane.pending_bytes).max().unwrap_or(0)
}

/// Publishes ten times what the queue holds while the bus answers `dead`, then lets it recover.
fn check(dead: &Answer) {
    let failing = dead.clone();
    let bus = EventBus::start(move |_| failing.clone());
    let retry = Retry::default().attempts(3).base(Duration::from_millis(5));
    let alerts = builder(&bus)
        .capacity_bytes(CAPACITY)
        .attempt_timeout(Duration::from_secs(1))
        .retry(retry)
        .build()
        .unwrap();
    let mut published = 0;
    let mut most = 0;
    while published * 1024 < 10 * CAPACITY {
        alerts.publish(alert("flood").attribute("payload", "x".repeat(1024)));
        published += 1;
        if published % 100 == 0 {
            most = most.max(pending_bytes());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(most <= CAPACITY, "{dead:?}: {most}");
    assert!(most > CAPACITY / 2, "{dead:?}: the queue was full once: {most}");
    bus.then(|_| Answer::Accept);
    let report = alerts.flush(LONG);
    assert_eq!(
        report.delivered() + report.failed() + report.dropped(),
        published as u64,
        "{dead:?}: every alert has one fate: {report}"
    );
    assert!(report.dropped() > published as u64 / 2, "{dead:?}: {report}");
    // The stream says what was lost, with the next alert that gets through.
    alerts.publish(alert("recovered"));
    let last = alerts.flush(LONG);
    assert!(last.is_complete(), "{dead:?}: {last}");
    assert_eq!(pending_bytes(), 0);
    // Where an answer came too late, an alert is there twice, with one id.
    let arrived: HashMap<String, Entry> =
        bus.arrived().into_iter().map(|entry| (entry.id().to_owned(), entry)).collect();
    let lost: u64 = arrived
        .values()
        .filter(|entry| entry.raw["DetailType"] == "Alerts Lost")
        .map(|entry| {
            assert_eq!(entry.detail["severity"], "high");
            entry.detail["attributes"]["lost"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(lost, report.failed() + report.dropped(), "{dead:?}: {report}");
    let flood = arrived.values().filter(|entry| entry.message() == "flood").count() as u64;
    let possible = report.delivered()..=report.delivered() + report.failed();
    assert!(possible.contains(&flood), "{dead:?}: {flood}: {report}");
}

#[test]
fn scenario_12_a_bus_that_refuses_stays_within_the_byte_bound_and_losses_are_told() {
    child::alone(
        "overload::scenario_12_a_bus_that_refuses_stays_within_the_byte_bound_and_losses_are_told",
        || check(&Answer::Refuse(503, "ServiceUnavailable")),
    );
}

#[test]
fn scenario_12_a_bus_that_hangs_stays_within_the_byte_bound_and_losses_are_told() {
    child::alone(
        "overload::scenario_12_a_bus_that_hangs_stays_within_the_byte_bound_and_losses_are_told",
        || check(&Answer::Hang),
    );
}

#[test]
fn scenario_12_a_flood_of_others_evicts_no_critical_alert() {
    let bus = EventBus::start(|request| {
        if request.entries[0].detail["severity"] == "critical" {
            Answer::Accept
        } else {
            Answer::Hang
        }
    });
    let alerts = builder(&bus).capacity_bytes(CAPACITY).build().unwrap();
    for n in 0..2_000 {
        alerts.publish(alert("flood"));
        if n % 20 == 0 {
            alerts.publish(Alert::new(Severity::Critical, n.to_string()));
        }
    }
    bus.wait_until("the critical alerts", |bus| bus.arrived().len() == 100);
    let report = alerts.flush(Duration::from_millis(50));
    assert!(report.dropped() > 0, "the others did overflow: {report}");
}

#[test]
fn a_port_where_nobody_listens_fails_within_the_attempts() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let alerts = obs_alerts::AlertPublisher::builder()
        .source("myapp.alerts")
        .config(&crate::server::config(&url))
        .retry(Retry::default().attempts(3).base(Duration::from_millis(5)))
        .build()
        .unwrap();
    alerts.publish(alert("m"));
    let report = alerts.flush(LONG);
    assert_eq!(report.failed(), 1, "{report}");
    let failure = alerts.last_failure().unwrap();
    assert!(failure.contains("refused") || failure.contains("connect"), "{failure}");
}
