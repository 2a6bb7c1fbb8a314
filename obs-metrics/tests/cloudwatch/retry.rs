//! What is sent again, what is split, and what is given up.

use std::time::{Duration, Instant};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use obs_core::lane::Reason;
use obs_metrics::{CloudWatch, FlushReport, Sink, Unit};

use crate::server::{Answer, Request, Service, config};
use crate::{LONG, SHORT, builder, cloudwatch, collector, numbered, put_numbered};

fn reasons(report: &FlushReport) -> Vec<(Reason, u64)> {
    report.lanes().iter().flat_map(|lane| lane.reasons.clone()).collect()
}

/// However the first two attempts fail, the series arrive, once.
#[track_caller]
fn check_survives(failure: &Answer) {
    let first = failure.clone();
    let service = Service::start(
        move |request| {
            if request.number <= 2 { first.clone() } else { Answer::Accept }
        },
    );
    let sink = cloudwatch(&service).request_timeout(SHORT);
    let last_failure = sink.last_failure();
    let metrics = builder(sink).build().unwrap();
    put_numbered(&metrics, 3);
    let report = metrics.flush(LONG);
    assert!(report.is_complete(), "{failure:?}: {report}, {last_failure}");
    assert_eq!(report.delivered(), 3, "{failure:?}");
    assert_eq!(service.names(), numbered(3), "{failure:?}");
    assert_eq!(service.requests().len(), 3, "{failure:?}");
    assert!(last_failure.get().is_some(), "{failure:?}");
}

#[test]
fn throttling_is_survived() {
    check_survives(&Answer::Refuse(400, "Throttling"));
    check_survives(&Answer::Refuse(400, "ThrottlingException"));
    check_survives(&Answer::Refuse(429, "TooManyRequestsException"));
}

#[test]
fn an_error_of_the_service_is_survived() {
    check_survives(&Answer::Refuse(500, "InternalServiceError"));
    check_survives(&Answer::Refuse(503, "ServiceUnavailable"));
}

#[test]
fn a_time_out_is_survived() {
    check_survives(&Answer::Hang);
}

#[test]
fn a_broken_connection_is_survived() {
    check_survives(&Answer::Reset);
}

#[test]
fn an_answer_that_makes_no_sense_is_survived() {
    check_survives(&Answer::Garbage);
    check_survives(&Answer::Refuse(302, "Moved"));
}

#[test]
fn what_is_sent_again_is_the_same() {
    let service = Service::start(|request| {
        if request.number < 3 { Answer::Refuse(503, "ServiceUnavailable") } else { Answer::Accept }
    });
    let metrics = collector(&service);
    put_numbered(&metrics, 20);
    assert!(metrics.flush(LONG).is_complete());
    let sent: Vec<String> =
        service.requests().iter().map(|request| format!("{:?}", request.data)).collect();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|data| *data == sent[0]));
}

#[test]
fn scenario_27_a_request_whose_answer_is_lost_arrives_twice() {
    let service =
        Service::start(
            |request| {
                if request.number == 1 { Answer::AcceptAndReset } else { Answer::Accept }
            },
        );
    let metrics = collector(&service);
    put_numbered(&metrics, 1);
    let report = metrics.flush(LONG);
    assert!(report.is_complete() && report.delivered() == 1, "{report}");
    assert_eq!(service.names(), ["N0", "N0"]);
}

/// Refuses each request with one of `bad` in it.
fn refusing(bad: &'static [&str], status: u16, code: &'static str) -> Service {
    Service::start(move |request| {
        if request.data.iter().any(|datum| bad.contains(&datum.name.as_str())) {
            Answer::Refuse(status, code)
        } else {
            Answer::Accept
        }
    })
}

#[test]
fn scenario_24_one_bad_metric_among_fifty_is_found_and_the_others_arrive() {
    for (status, code, reason) in [
        (400, "InvalidParameterValue", Reason::Rejected),
        (400, "ValidationError", Reason::Rejected),
        (413, "RequestEntityTooLarge", Reason::TooLarge),
    ] {
        let service = refusing(&["N17"], status, code);
        let sink = cloudwatch(&service);
        let last_failure = sink.last_failure();
        let metrics = builder(sink).build().unwrap();
        put_numbered(&metrics, 50);
        let report = metrics.flush(LONG);
        assert_eq!((report.delivered(), report.failed()), (49, 1), "{report}");
        assert_eq!(reasons(&report), [(reason, 1)]);
        let mut expected = numbered(50);
        expected.retain(|name| name != "N17");
        assert_eq!(service.names(), expected);
        // Both halves at each of six levels, at most.
        let requests = service.requests().len();
        assert!(requests <= 13, "{requests}");
        let told = last_failure.to_string();
        assert!(told.contains(code) && told.contains(&status.to_string()), "{told}");
    }
}

#[test]
fn several_bad_metrics_are_found() {
    let service = refusing(&["N3", "N4", "N700"], 400, "InvalidParameterValue");
    let metrics = collector(&service);
    put_numbered(&metrics, 900);
    let report = metrics.flush(LONG);
    assert_eq!((report.delivered(), report.failed()), (897, 3), "{report}");
    assert_eq!(service.names().len(), 897);
}

#[test]
fn a_part_that_is_refused_fails_its_series_once() {
    // The second of three parts.
    let service = Service::start(|request| {
        if request.data.iter().any(|datum| datum.values[0].0 == 150.0) {
            Answer::Refuse(400, "InvalidParameterValue")
        } else {
            Answer::Accept
        }
    });
    let metrics = collector(&service);
    (0..400).for_each(|n| metrics.put_metric("A", f64::from(n), Unit::Count, &[]));
    metrics.put_metric("B", 1.0, Unit::Count, &[]);
    let report = metrics.flush(LONG);
    assert_eq!((report.delivered(), report.failed()), (1, 1), "{report}");
    assert_eq!(service.names(), ["A", "A", "B"]);
}

#[test]
fn where_everything_is_refused_there_is_an_end() {
    let service = Service::start(|_| Answer::Refuse(400, "InvalidParameterValue"));
    let metrics = collector(&service);
    put_numbered(&metrics, 900);
    let report = metrics.flush(LONG);
    assert_eq!(reasons(&report), [(Reason::Rejected, 900)], "{report}");
    let requests = service.requests().len();
    assert!((256..=514).contains(&requests), "{requests}");
}

#[test]
fn scenario_3_the_first_of_three_requests_fails_and_is_reported() {
    let first = |request: &Request| request.data.iter().any(|datum| datum.name == "N0");
    let service = Service::start(move |request| {
        if first(request) { Answer::Refuse(403, "AccessDenied") } else { Answer::Accept }
    });
    let metrics = collector(&service);
    put_numbered(&metrics, 2_500);
    let report = metrics.flush(LONG);
    assert_eq!((report.delivered(), report.failed()), (1_500, 1_000), "{report}");
    assert_eq!(reasons(&report), [(Reason::Rejected, 1_000)]);
    assert_eq!(service.requests().iter().filter(|request| first(request)).count(), 1);
}

#[test]
fn an_outage_keeps_no_flush_beyond_its_deadline_and_ends() {
    let service = Service::start(|_| Answer::Refuse(503, "ServiceUnavailable"));
    let metrics = builder(cloudwatch(&service).attempts(5)).build().unwrap();
    put_numbered(&metrics, 3);
    let start = Instant::now();
    let report = metrics.flush(Duration::from_millis(20));
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
    assert_eq!((report.delivered(), report.pending()), (0, 3), "{report}");
    // What a flush leaves behind is tried again after it, and given up in the end.
    let report = metrics.flush(LONG);
    assert_eq!(reasons(&report), [(Reason::SinkFailed, 3)], "{report}");
    assert_eq!(service.requests().len(), 5);
}

#[test]
fn a_short_flush_does_not_use_up_the_attempts() {
    let service = Service::accepting();
    let metrics = collector(&service);
    // So that the client is made and its connection is there.
    put_numbered(&metrics, 1);
    assert!(metrics.flush(LONG).is_complete());
    service.then(|_| Answer::Refuse(400, "Throttling"));
    put_numbered(&metrics, 3);
    let report = metrics.flush(SHORT);
    assert_eq!((report.failed(), report.pending()), (0, 3), "{report}");
    service.then(|_| Answer::Accept);
    let report = metrics.flush(LONG);
    assert!(report.is_complete() && report.delivered() == 3, "{report}");
}

#[test]
fn what_a_flush_leaves_behind_arrives_after_it() {
    let service = Service::start(|_| Answer::Refuse(503, "ServiceUnavailable"));
    let metrics = collector(&service);
    put_numbered(&metrics, 3);
    assert_eq!(metrics.flush(SHORT).pending(), 3);
    service.then(|_| Answer::Accept);
    let report = metrics.flush(LONG);
    assert!(report.is_complete() && report.delivered() == 3, "{report}");
    assert_eq!(service.names(), numbered(3));
}

#[test]
fn scenario_4_a_service_that_is_silent_keeps_neither_flush_nor_shutdown_nor_drop() {
    let service = Service::start(|_| Answer::Hang);
    for end in [false, true] {
        let metrics = collector(&service);
        let start = Instant::now();
        put_numbered(&metrics, 3);
        assert_eq!(metrics.flush(SHORT).pending(), 3);
        if end {
            let report = metrics.shutdown(SHORT);
            assert_eq!(report.delivered(), 0, "{report}");
            assert_eq!(report.pending() + report.failed(), 3, "{report}");
            // Scenario 11: nothing panics, everything is counted.
            put_numbered(&metrics, 2);
            service.wait_until("the sink gives up", |_| metrics.flush(SHORT).pending() == 0);
        }
        drop(metrics);
        assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    }
}

#[test]
fn scenario_11_after_a_shutdown_what_is_recorded_is_dropped_and_counted() {
    let service = Service::accepting();
    let metrics = collector(&service);
    put_numbered(&metrics, 2);
    assert_eq!(metrics.shutdown(LONG).delivered(), 2);
    put_numbered(&metrics, 3);
    let report = metrics.flush(LONG);
    assert_eq!(reasons(&report), [(Reason::Closed, 3)], "{report}");
    assert_eq!(service.names(), numbered(2));
}

#[test]
fn denied_access_is_not_tried_again() {
    for (status, code) in [(403, "AccessDenied"), (400, "UnrecognizedClientException")] {
        let service = Service::start(move |_| Answer::Refuse(status, code));
        let sink = cloudwatch(&service);
        let last_failure = sink.last_failure();
        let metrics = builder(sink).build().unwrap();
        put_numbered(&metrics, 5);
        let report = metrics.flush(LONG);
        assert_eq!(reasons(&report), [(Reason::Rejected, 5)], "{report}");
        assert_eq!(service.requests().len(), 1);
        assert_eq!(last_failure.to_string(), format!("{status} {code}: injected"));
    }
}

#[derive(Debug)]
struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("none on this machine")))
    }
}

#[test]
fn credentials_that_cannot_be_had_fail_soon_and_say_so() {
    let service = Service::accepting();
    let provider = SharedCredentialsProvider::new(NoCredentials);
    let sdk_config = service.config().into_builder().credentials_provider(provider).build();
    let sink = CloudWatch::new(&sdk_config);
    let last_failure = sink.last_failure();
    let metrics = builder(sink).build().unwrap();
    put_numbered(&metrics, 3);
    let start = Instant::now();
    let report = metrics.flush(LONG);
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
    assert_eq!(reasons(&report), [(Reason::SinkFailed, 3)], "{report}");
    let told = last_failure.to_string();
    assert!(told.contains("credential") && told.contains("none on this machine"), "{told}");
    assert!(service.requests().is_empty());
}

#[test]
fn nobody_there_is_a_failure_with_a_reason() {
    let gone = Service::accepting().url();
    let sink = CloudWatch::new(&config(&gone)).attempts(2);
    let last_failure = sink.last_failure();
    let metrics = builder(Sink::from(sink)).build().unwrap();
    put_numbered(&metrics, 3);
    let report = metrics.flush(LONG);
    assert_eq!(reasons(&report), [(Reason::SinkFailed, 3)], "{report}");
    assert!(last_failure.to_string().to_lowercase().contains("connect"), "{last_failure}");
}
