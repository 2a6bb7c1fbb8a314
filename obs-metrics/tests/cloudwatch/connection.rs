//! Scenario 15: after a thaw the kept connection is dead.

use std::time::Instant;

use crate::server::{Answer, Service};
use crate::{LONG, builder, cloudwatch, collector, put_numbered};

#[test]
fn the_connection_is_kept() {
    let service = Service::accepting();
    let metrics = collector(&service);
    for _ in 0..3 {
        put_numbered(&metrics, 1);
        assert!(metrics.flush(LONG).is_complete());
    }
    assert_eq!(service.connections(), 1);
}

#[test]
fn scenario_15_a_connection_that_was_closed_between_two_flushes_is_replaced() {
    let service = Service::start(|_| Answer::AcceptAndClose);
    let metrics = builder(cloudwatch(&service).attempts(1)).build().unwrap();
    for round in 1..=3 {
        put_numbered(&metrics, 1);
        let report = metrics.flush(LONG);
        assert!(report.is_complete() && report.delivered() == 1, "{round}: {report}");
    }
    assert_eq!((service.connections(), service.arrived().len()), (3, 3));
}

#[test]
fn scenario_15_a_connection_that_breaks_at_its_next_use_is_replaced_at_once() {
    let service = Service::start(|request| match request.number {
        2 => Answer::Reset,
        _ => Answer::Accept,
    });
    // Although a request is to be sent only once.
    let metrics = builder(cloudwatch(&service).attempts(1)).build().unwrap();
    for _ in 0..2 {
        put_numbered(&metrics, 1);
        let report = metrics.flush(LONG);
        assert!(report.is_complete() && report.delivered() == 1, "{report}");
    }
    assert_eq!((service.connections(), service.arrived().len()), (2, 2));
}

#[test]
fn scenario_15_a_connection_that_has_gone_silent_leaves_time_for_a_fresh_one() {
    let service = Service::start(|request| {
        if request.connection == 1 && request.number > 1 { Answer::Hang } else { Answer::Accept }
    });
    let metrics = builder(cloudwatch(&service).request_timeout(LONG)).build().unwrap();
    put_numbered(&metrics, 1);
    assert!(metrics.flush(LONG).is_complete());
    put_numbered(&metrics, 1);
    let (start, limit) = (Instant::now(), LONG / 6);
    let report = metrics.flush(limit);
    assert!(report.is_complete() && report.delivered() == 1, "{report}");
    assert!(start.elapsed() < limit);
    assert_eq!((service.connections(), service.arrived().len()), (2, 2));
}
