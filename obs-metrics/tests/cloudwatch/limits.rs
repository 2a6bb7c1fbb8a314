//! The limits of the service, which the server of these tests enforces.

use std::time::{Duration, SystemTime};

use obs_core::clock::Clock;
use obs_core::lane::Reason;
use obs_metrics::{Sink, Unit};

use crate::server::Service;
use crate::{LONG, builder, collector, numbered, put_numbered};

#[test]
fn scenario_24_2500_series_are_at_least_three_requests() {
    let service = Service::accepting();
    let metrics = collector(&service);
    put_numbered(&metrics, 2_500);
    let report = metrics.flush(LONG);
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.delivered(), 2_500);
    assert_eq!(service.names(), numbered(2_500));
    assert!(service.requests().len() >= 3);
}

#[test]
fn a_request_is_as_large_as_it_may_be_and_no_larger() {
    let service = Service::accepting();
    let metrics = collector(&service);
    let values: Vec<String> = (0..20).map(|n| format!("{n:0300}")).collect();
    let names: Vec<String> = (0..20).map(|n| format!("{n:0200}")).collect();
    let dimensions: Vec<_> =
        names.iter().zip(&values).map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let name = "n".repeat(200);
    for n in 0..350 {
        metrics.put_metric(&format!("{name}{n}"), 1.0, Unit::Count, &dimensions);
    }
    let report = metrics.flush(LONG);
    assert!(report.is_complete(), "{report}");
    assert_eq!(service.arrived().len(), 350);
    let requests = service.requests();
    assert!(requests.len() >= 4, "{}", requests.len());
    let each = requests[0].bytes / requests[0].data.len();
    for request in &requests[..requests.len() - 1] {
        // Another one would not have fit: the size is counted closely.
        assert!(request.bytes + each > 995_000, "{}", request.bytes);
    }
}

#[test]
fn scenario_24_400_values_are_three_metrics_of_one_series() {
    let service = Service::accepting();
    let metrics = collector(&service);
    for n in 0..400 {
        let n = (n * 7) % 400;
        (0..=n % 2).for_each(|_| metrics.put_metric("A", f64::from(n), Unit::Bytes, &[]));
    }
    let report = metrics.flush(LONG);
    assert!(report.is_complete() && report.delivered() == 1, "{report}");
    let arrived = service.arrived();
    let sizes: Vec<_> = arrived.iter().map(|datum| datum.values.len()).collect();
    assert_eq!(sizes, [150, 150, 100]);
    let all: Vec<(f64, f64)> = arrived.iter().flat_map(|datum| datum.values.clone()).collect();
    let expected: Vec<_> = (0..400).map(|n| (f64::from(n), f64::from(1 + n % 2))).collect();
    assert_eq!(all, expected);
    assert!(arrived.iter().all(|datum| datum.name == "A" && datum.millis == arrived[0].millis));
}

#[test]
fn scenario_24_the_31st_dimension_is_left_out_and_counted() {
    let service = Service::accepting();
    let metrics = collector(&service);
    let names: Vec<String> = (0..31).map(|n| format!("D{n:02}")).collect();
    let dimensions: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
    metrics.put_metric("A", 1.0, Unit::Count, &dimensions);
    assert!(metrics.flush(LONG).is_complete());
    assert_eq!(service.arrived()[0].dimensions.len(), 30);
    assert_eq!(metrics.stats().dimensions_left_out, 3);
}

#[test]
fn scenario_23_what_cloudwatch_does_not_take_is_left_out_and_its_siblings_arrive() {
    let service = Service::accepting();
    let metrics = collector(&service);
    let max = 2f64.powi(360);
    for value in [f64::NAN, f64::INFINITY, -f64::INFINITY, max * 1.5, max, -max, 1.0] {
        metrics.put_metric("A", value, Unit::Count, &[]);
    }
    assert!(metrics.flush(LONG).is_complete());
    assert_eq!(service.arrived()[0].values, [(-max, 1.0), (1.0, 1.0), (max, 1.0)]);
    assert_eq!(metrics.stats().values_out_of_range, 4);
}

/// The system's time and so many hours.
#[derive(Debug)]
struct Shifted(i64);

impl Clock for Shifted {
    fn now(&self) -> SystemTime {
        let shift = Duration::from_secs(self.0.unsigned_abs() * 3600);
        if self.0 < 0 { SystemTime::now() - shift } else { SystemTime::now() + shift }
    }
}

#[test]
fn scenario_25_what_is_out_of_the_time_window_is_rejected_and_not_sent() {
    let service = Service::accepting();
    for (hours, taken) in [(-15 * 24, false), (3, false), (-13 * 24, true), (1, true)] {
        let before = service.requests().len();
        let sink = Sink::cloudwatch(&service.config());
        let metrics = builder(sink).clock(Shifted(hours)).build().unwrap();
        put_numbered(&metrics, 2);
        let report = metrics.flush(LONG);
        assert_eq!(report.pending(), 0, "{report}");
        assert_eq!(service.requests().len() > before, taken, "{hours} hours");
        let reasons = &report.lanes()[0].reasons;
        assert_eq!(reasons.contains(&(Reason::Rejected, 2)), !taken, "{report}");
    }
}

#[test]
fn scenario_25_an_event_out_of_the_window_is_counted_and_one_within_keeps_its_time() {
    let service = Service::accepting();
    let metrics = builder(Sink::cloudwatch(&service.config())).build().unwrap();
    let now = SystemTime::now();
    for hours in [15 * 24, 24] {
        let time = now - Duration::from_secs(hours * 3600);
        metrics.event().timestamp(time).put("A", 1.0, Unit::Count).put("B", 2.0, Unit::Count);
    }
    metrics.event().dimension("Pipeline", "sales").put("C", 3.0, Unit::Count);
    metrics.event().dimension("Pipeline", "sales").put("C", 3.0, Unit::Count);
    let report = metrics.flush(LONG);
    // Two with a time of their own, and one for both events of now.
    assert_eq!((report.delivered(), report.failed()), (3, 0), "{report}");
    assert_eq!(metrics.stats().values_out_of_window, 2);
}
