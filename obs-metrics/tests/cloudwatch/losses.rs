//! Scenario 12: what was lost is said by a metric.

use obs_metrics::cloudwatch::LOST_METRIC;
use obs_metrics::{Sink, Unit};

use crate::server::{Answer, Service};
use crate::{LONG, SHORT, builder, cloudwatch, put_numbered};

/// How many losses were told, in all.
fn told(service: &Service) -> f64 {
    service.arrived().iter().filter(|d| d.name == LOST_METRIC).map(|d| d.sum()).sum()
}

#[test]
fn scenario_12_what_found_no_room_is_told_when_the_service_is_back() {
    let service = Service::start(|_| Answer::Hang);
    let sink = Sink::from(cloudwatch(&service).request_timeout(SHORT)).capacity_bytes(16 * 1024);
    let metrics = builder(sink).build().unwrap();
    // Ten times what the queue takes, and more.
    put_numbered(&metrics, 3_000);
    let before = metrics.flush(SHORT);
    assert!(before.dropped() > 2_000 && before.delivered() == 0, "{before}");
    service.then(|_| Answer::Accept);
    let after = metrics.flush(LONG);
    assert_eq!((after.pending(), after.failed()), (0, 0), "{after}");
    // The notice may go with the next delivery only.
    put_numbered(&metrics, 1);
    assert_eq!(metrics.flush(LONG).delivered(), 1);
    #[expect(clippy::cast_precision_loss, reason = "it is small")]
    let dropped = (before.dropped() + after.dropped()) as f64;
    assert_eq!(told(&service), dropped);
    let notice = service.arrived().into_iter().find(|d| d.name == LOST_METRIC).unwrap();
    assert_eq!(notice.unit, "Count");
    let pairs: Vec<_> = notice.dimensions.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(pairs, [("Environment", "test"), ("Service", "orders")]);
    let arrived = service.arrived().iter().filter(|d| d.name != LOST_METRIC).count();
    assert_eq!(arrived as u64 + before.dropped() + after.dropped(), 3_001);
}

#[test]
fn scenario_12_what_failed_is_told_once_and_counts_in_no_report() {
    let service = Service::start(|_| Answer::Refuse(403, "AccessDenied"));
    let metrics = builder(cloudwatch(&service)).build().unwrap();
    put_numbered(&metrics, 7);
    assert_eq!(metrics.flush(LONG).failed(), 7);
    // Nor is the notice itself something that was lost.
    put_numbered(&metrics, 2);
    assert_eq!(metrics.flush(LONG).failed(), 2);
    service.then(|_| Answer::Accept);
    metrics.put_metric("A", 1.0, Unit::Count, &[]);
    let report = metrics.flush(LONG);
    assert_eq!((report.delivered(), report.failed()), (1, 0), "{report}");
    assert_eq!(told(&service), 9.0);
    metrics.put_metric("A", 1.0, Unit::Count, &[]);
    assert_eq!(metrics.flush(LONG).delivered(), 1);
    assert_eq!(told(&service), 9.0);
}

#[test]
fn scenario_12_a_loss_is_told_by_a_flush_without_anything_new() {
    let service = Service::start(|_| Answer::Refuse(403, "AccessDenied"));
    let metrics = builder(cloudwatch(&service)).build().unwrap();
    put_numbered(&metrics, 7);
    assert_eq!(metrics.flush(LONG).failed(), 7);
    service.then(|_| Answer::Accept);
    let report = metrics.flush(LONG);
    assert_eq!((report.delivered(), report.failed()), (0, 0), "{report}");
    assert_eq!(told(&service), 7.0);
    // And not again: it has arrived.
    assert!(metrics.flush(LONG).is_complete());
    put_numbered(&metrics, 1);
    assert!(metrics.flush(LONG).is_complete());
    assert_eq!(told(&service), 7.0);
}

#[test]
fn a_notice_that_is_not_taken_takes_no_count_away() {
    // The notice is refused, in whichever request it is; what it goes with is not.
    let service = Service::start(|request| {
        if request.number == 1 || request.data.iter().any(|d| d.name == LOST_METRIC) {
            Answer::Refuse(400, "InvalidParameterValue")
        } else {
            Answer::Accept
        }
    });
    let metrics = builder(cloudwatch(&service)).build().unwrap();
    put_numbered(&metrics, 1);
    assert_eq!(metrics.flush(LONG).failed(), 1);
    put_numbered(&metrics, 4);
    let report = metrics.flush(LONG);
    assert_eq!((report.delivered(), report.failed()), (4, 0), "{report}");
    assert_eq!(told(&service), 0.0);
}
