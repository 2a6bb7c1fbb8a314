//! What is sent again, when, and what is not.

use std::collections::HashSet;
use std::time::Duration;

use obs_alerts::{AlertPublisher, Retry};

use crate::server::{Answer, EventBus, Request};
use crate::{LONG, alert, builder, child, publish_numbered, publisher};

fn ids(request: &Request) -> Vec<&str> {
    request.entries.iter().map(|entry| entry.id()).collect()
}

#[test]
fn scenario_27_only_the_failed_entries_are_sent_again_with_the_same_ids() {
    let bus = EventBus::start(|request| match request.number {
        1 => Answer::FailEntries(vec![2, 5, 7], "InternalFailure"),
        2 => Answer::FailEntries(vec![1], "ThrottlingException"),
        _ => Answer::Accept,
    });
    let alerts = builder(&bus).linger(LONG).build().unwrap();
    publish_numbered(&alerts, 10);
    let report = alerts.flush(LONG);
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.delivered(), 10);
    let requests = bus.requests();
    // Each failed entry waits for itself, so that the second round may be several requests; what is
    // sent is decided by the entries, not by the requests.
    let first = ids(&requests[0]);
    let mut again: Vec<&str> = requests[1..].iter().flat_map(ids).collect();
    let sent_twice_more: HashSet<&str> = HashSet::from([first[2], first[5], first[7]]);
    assert_eq!(again.iter().copied().collect::<HashSet<_>>(), sent_twice_more);
    again.sort_unstable();
    again.dedup();
    assert_eq!(again.len(), 3);
    let arrived = bus.arrived();
    let unique: HashSet<&str> = arrived.iter().map(|entry| entry.id()).collect();
    assert_eq!((arrived.len(), unique.len()), (10, 10), "each alert is on the bus once");
}

#[test]
fn an_entry_that_is_sent_again_is_the_same_to_the_last_byte() {
    let bus = EventBus::start(|request| {
        if request.number < 4 { Answer::Refuse(503, "ServiceUnavailable") } else { Answer::Accept }
    });
    let alerts = publisher(&bus);
    alerts.publish(alert("m").attribute("n", 1));
    assert!(alerts.flush(LONG).is_complete());
    let requests = bus.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|request| request.entries[0].raw == requests[0].entries[0].raw));
}

/// However the first two attempts fail, the alerts arrive.
#[track_caller]
fn check_survives(failure: &Answer) {
    let first = failure.clone();
    let bus = EventBus::start(
        move |request| {
            if request.number <= 2 { first.clone() } else { Answer::Accept }
        },
    );
    let alerts =
        builder(&bus).linger(LONG).attempt_timeout(Duration::from_millis(300)).build().unwrap();
    publish_numbered(&alerts, 3);
    let report = alerts.flush(LONG);
    assert!(report.is_complete(), "{failure:?}: {report}, {:?}", alerts.last_failure());
    assert_eq!(report.delivered(), 3, "{failure:?}");
    let messages: HashSet<String> = bus.messages().into_iter().collect();
    assert_eq!(messages.len(), 3, "{failure:?}");
    assert!(alerts.last_failure().is_some(), "{failure:?}");
}

#[test]
fn an_error_of_the_service_is_survived() {
    check_survives(&Answer::Refuse(500, "InternalFailure"));
    check_survives(&Answer::Refuse(503, "ServiceUnavailable"));
    check_survives(&Answer::Refuse(400, "InternalException"));
}

#[test]
fn throttling_is_survived() {
    check_survives(&Answer::Refuse(400, "ThrottlingException"));
    check_survives(&Answer::Refuse(429, "TooManyRequestsException"));
    check_survives(&Answer::FailEntries(vec![0, 1, 2], "ThrottlingException"));
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
fn answers_that_make_no_sense_are_survived() {
    check_survives(&Answer::Garbage);
    check_survives(&Answer::Body("not JSON"));
    check_survives(&Answer::Body("{}"));
    check_survives(&Answer::Body(r#"{"FailedEntryCount":0,"Entries":[{}]}"#));
    check_survives(&Answer::Refuse(302, "Moved"));
}

#[test]
fn scenario_27_an_alert_whose_answer_is_lost_arrives_twice_with_one_id() {
    let bus =
        EventBus::start(
            |request| {
                if request.number == 1 { Answer::AcceptAndReset } else { Answer::Accept }
            },
        );
    let alerts = publisher(&bus);
    alerts.publish(alert("m"));
    assert_eq!(alerts.flush(LONG).delivered(), 1);
    let arrived = bus.arrived();
    assert_eq!(arrived.len(), 2);
    assert_eq!(arrived[0].id(), arrived[1].id());
}

#[test]
fn an_entry_that_is_refused_for_good_is_not_sent_again() {
    for code in ["MalformedDetail", "InvalidArgument", "NotAuthorizedForSourceException"] {
        let bus = EventBus::start(move |_| Answer::FailEntries(vec![1], code));
        let alerts = builder(&bus).linger(LONG).build().unwrap();
        publish_numbered(&alerts, 3);
        let report = alerts.flush(LONG);
        assert_eq!((report.delivered(), report.failed()), (2, 1), "{code}: {report}");
        assert!(report.to_string().contains("rejected 1"), "{report}");
        assert_eq!(bus.requests().len(), 1);
        let failure = alerts.last_failure().unwrap();
        assert_eq!(failure, format!("{code}: injected"));
    }
}

#[test]
fn a_request_that_is_refused_for_good_is_not_sent_again() {
    for (status, code) in [
        (400, "AccessDeniedException"),
        (403, "UnrecognizedClientException"),
        (400, "ResourceNotFoundException"),
    ] {
        let bus = EventBus::start(move |_| Answer::Refuse(status, code));
        let alerts = builder(&bus).linger(LONG).build().unwrap();
        publish_numbered(&alerts, 3);
        let report = alerts.flush(LONG);
        assert_eq!((report.delivered(), report.failed()), (0, 3), "{code}: {report}");
        assert!(report.to_string().contains("rejected 3"), "{report}");
        assert_eq!(bus.requests().len(), 1, "{code}");
        assert!(alerts.last_failure().unwrap().contains(code));
    }
}

#[test]
fn one_entry_that_spoils_a_request_does_not_take_the_others_with_it() {
    let bus = EventBus::start(|request| {
        let spoilt = request.entries.iter().any(|entry| entry.message() == "3");
        if spoilt { Answer::Refuse(400, "ValidationException") } else { Answer::Accept }
    });
    let alerts = builder(&bus).linger(LONG).build().unwrap();
    publish_numbered(&alerts, 8);
    let report = alerts.flush(LONG);
    assert_eq!((report.delivered(), report.failed()), (7, 1), "{report}");
    assert_eq!(bus.messages(), ["0", "1", "2", "4", "5", "6", "7"]);
    assert_eq!(bus.requests().len(), 9, "all together once, then each alone");
}

#[test]
fn the_number_of_attempts_is_limited() {
    let bus = EventBus::start(|_| Answer::Refuse(503, "ServiceUnavailable"));
    let retry = Retry::default().attempts(4).base(Duration::from_millis(40));
    let alerts = builder(&bus).retry(retry).build().unwrap();
    alerts.publish(alert("m"));
    let report = alerts.flush(LONG);
    assert_eq!((report.delivered(), report.failed()), (0, 1), "{report}");
    assert!(report.to_string().contains("sink_failed 1"), "{report}");
    let requests = bus.requests();
    assert_eq!(requests.len(), 4);
    // The waits double; at least half of each is kept.
    for (index, least) in [20, 40, 80].into_iter().enumerate() {
        let waited = requests[index + 1].arrived - requests[index].arrived;
        assert!(waited >= Duration::from_millis(least), "{index}: {waited:?}");
    }
}

#[test]
fn scenario_3_the_first_of_three_batches_fails_and_the_report_says_so() {
    let bus = EventBus::start(|request| {
        if request.number == 1 {
            Answer::Refuse(400, "AccessDeniedException")
        } else {
            Answer::Accept
        }
    });
    let alerts = builder(&bus).linger(LONG).build().unwrap();
    publish_numbered(&alerts, 30);
    let report = alerts.flush(LONG);
    assert!(!report.is_complete());
    assert_eq!((report.delivered(), report.failed(), report.pending()), (20, 10, 0), "{report}");
    // The next alert that gets through is told what was lost, and the report after it is good.
    alerts.publish(alert("next"));
    let report = alerts.shutdown(LONG);
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.delivered(), 1, "{report}");
    let arrived = bus.arrived();
    let lost = arrived.iter().find(|entry| entry.raw["DetailType"] == "Alerts Lost").unwrap();
    assert_eq!(lost.detail["attributes"]["lost"], 10);
    assert_eq!(lost.detail["attributes"]["rejected"], 10);
    assert_eq!(lost.detail["attributes"]["last_failure"], "400 AccessDeniedException: injected");
    assert_eq!(arrived.len(), 22);
}

#[test]
fn scenario_15_a_connection_that_was_closed_behind_our_back_costs_nothing() {
    let bus = EventBus::start(|_| Answer::AcceptAndClose);
    let alerts = publisher(&bus);
    for n in 0..3 {
        alerts.publish(alert(n.to_string()));
        let report = alerts.flush(LONG);
        assert!(report.is_complete(), "{report}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(bus.messages(), ["0", "1", "2"]);
    assert_eq!(bus.connections(), 3);
}

#[test]
fn scenario_15_a_kept_connection_that_dies_on_use_is_replaced_at_once() {
    // The second request is the first over a connection that has been lying idle.
    let bus =
        EventBus::start(|request| if request.number == 2 { Answer::Reset } else { Answer::Accept });
    // With this policy any ordinary retry comes after the test.
    let retry = Retry::default().base(Duration::from_secs(600)).cap(Duration::from_secs(600));
    let alerts = builder(&bus).retry(retry).build().unwrap();
    alerts.publish(alert("before the freeze"));
    assert!(alerts.flush(LONG).is_complete());
    alerts.publish(alert("after it"));
    bus.wait_until("the alert after the freeze", |bus| bus.arrived().len() == 2);
    let connections: Vec<usize> = bus.requests().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [1, 1, 2]);
}

#[test]
fn scenario_15_a_kept_connection_that_is_silent_does_not_cost_the_whole_flush() {
    let bus =
        EventBus::start(|request| if request.number == 2 { Answer::Hang } else { Answer::Accept });
    let alerts = builder(&bus).attempt_timeout(Duration::from_secs(600)).build().unwrap();
    alerts.publish(alert("before the freeze"));
    assert!(alerts.flush(LONG).is_complete());
    alerts.publish(alert("after it"));
    let report = alerts.flush(Duration::from_secs(3));
    assert!(report.is_complete(), "{report}");
    assert_eq!(bus.messages(), ["before the freeze", "after it"]);
}

#[test]
fn scenario_39_nothing_that_happens_while_sending_reaches_the_applications_log() {
    child::alone(
        "retry::scenario_39_nothing_that_happens_while_sending_reaches_the_applications_log",
        || {
            use std::sync::Arc;
            use std::sync::atomic::{AtomicUsize, Ordering};
            use tracing_subscriber::prelude::*;

            struct Count(Arc<AtomicUsize>);
            impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Count {
                fn on_event(
                    &self,
                    event: &tracing::Event<'_>,
                    _: tracing_subscriber::layer::Context<'_, S>,
                ) {
                    println!("{:?}: {}", std::thread::current().name(), event.metadata().target());
                    self.0.fetch_add(1, Ordering::Relaxed);
                }
            }
            let events = Arc::new(AtomicUsize::new(0));
            tracing_subscriber::registry().with(Count(Arc::clone(&events))).init();
            let bus = EventBus::start(|request| match request.number {
                1 => Answer::Refuse(500, "InternalFailure"),
                2 => Answer::Reset,
                3 => Answer::FailEntries(vec![0], "InternalFailure"),
                4 => Answer::Garbage,
                _ => Answer::Accept,
            });
            let alerts: AlertPublisher = publisher(&bus);
            alerts.publish(alert("m"));
            assert!(alerts.flush(LONG).is_complete());
            assert_eq!(events.load(Ordering::Relaxed), 0);
            tracing::info!("the subscriber does count");
            assert_eq!(events.load(Ordering::Relaxed), 1);
        },
    );
}
