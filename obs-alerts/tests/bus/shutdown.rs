//! Flushing, shutting down, and what is left behind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use obs_alerts::{AlertPublisher, FlushReport};

use crate::server::{Answer, EventBus};
use crate::{LONG, alert, builder, child, publish_numbered, publisher};

#[test]
fn scenario_1_a_flush_delivers_what_was_published_before_it_began() {
    let bus = EventBus::start(|_| Answer::After(Duration::from_millis(20)));
    let alerts = publisher(&bus);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Others go on publishing while the flush runs: it is not starved by them (scenario 10).
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                alerts.publish(alert("later"));
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        for round in 0..5 {
            for n in 0..3 {
                alerts.publish(alert(format!("{round}/{n}")));
            }
            let report = alerts.flush(LONG);
            let messages = bus.messages();
            let all_there = (0..3).all(|n| messages.contains(&format!("{round}/{n}")));
            if !report.is_complete() || !all_there {
                done.store(true, Ordering::Relaxed);
                panic!("{round}: {report}: {messages:?}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// Flushes in every kind of surroundings, each time with an alert to deliver, and checks the time.
fn check_everywhere(alerts: &AlertPublisher, limit: Duration, check: impl Fn(&str, FlushReport)) {
    let current = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let workers =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let timed = |place: &str, flush: &dyn Fn() -> FlushReport| {
        alerts.publish(alert(place));
        let start = Instant::now();
        let report = flush();
        assert!(start.elapsed() < limit + Duration::from_secs(2), "{place}: {:?}", start.elapsed());
        check(place, report);
    };
    let spawned = || {
        let alerts = alerts.clone();
        workers.block_on(workers.spawn(async move { alerts.flush(limit) })).unwrap()
    };
    timed("outside", &|| alerts.flush(limit));
    timed("current thread", &|| current.block_on(async { alerts.flush(limit) }));
    timed("block_on", &|| workers.block_on(async { alerts.flush(limit) }));
    timed("the only worker", &spawned);
    timed("async, current thread", &|| current.block_on(alerts.flush_async(limit)));
    timed("async, block_on", &|| workers.block_on(alerts.flush_async(limit)));
    timed("async, worker", &|| workers.block_on(workers.spawn(alerts.flush_async(limit))).unwrap());
}

#[test]
fn scenario_2_a_flush_works_on_any_thread_and_in_any_runtime() {
    let bus = EventBus::accepting();
    let alerts = publisher(&bus);
    check_everywhere(&alerts, LONG, |place, report| {
        assert!(report.is_complete(), "{place}: {report}");
        assert_eq!(report.delivered(), 1, "{place}: {report}");
    });
}

#[test]
fn scenario_2_a_flush_that_cannot_succeed_ends_by_its_deadline() {
    let bus = EventBus::start(|_| Answer::Hang);
    let alerts = publisher(&bus);
    check_everywhere(&alerts, Duration::from_millis(100), |place, report| {
        assert!(!report.is_complete(), "{place}: {report}");
        assert!(report.pending() >= 1, "{place}: {report}");
        assert!(report.to_string().contains("out of time"), "{place}: {report}");
    });
}

#[test]
fn the_runtime_that_loaded_the_configuration_may_be_gone() {
    let bus = EventBus::accepting();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = runtime.block_on(async {
        let given = bus.config();
        aws_config::defaults(aws_config::BehaviorVersion::latest())
            .region(given.region().unwrap().clone())
            .credentials_provider(given.credentials_provider().unwrap())
            .endpoint_url(given.endpoint_url().unwrap())
            .load()
            .await
    });
    let alerts = runtime.block_on(async {
        let alerts = builder(&bus).config(&config).build().unwrap();
        alerts.publish(alert("before"));
        assert!(alerts.flush_async(LONG).await.is_complete());
        alerts
    });
    drop(runtime);
    alerts.publish(alert("after"));
    assert!(alerts.flush(LONG).is_complete());
    assert_eq!(bus.messages(), ["before", "after"]);
    assert_eq!(bus.connections(), 1, "the connection never was on that runtime");
}

#[test]
fn an_http_client_that_lives_on_another_runtime_is_left_alone() {
    use aws_sdk_eventbridge::config::timeout::TimeoutConfig;
    let bus = EventBus::accepting();
    // The same time-outs as ours: the client keeps connections apart by them.
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(2)).build();
    let config = bus
        .config()
        .into_builder()
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .timeout_config(timeouts)
        .build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = aws_sdk_eventbridge::Client::new(&config);
    let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder()
        .source("app")
        .detail_type("d")
        .detail(r#"{"id":"1","message":"the application's own"}"#)
        .build();
    runtime.block_on(client.put_events().entries(entry).send()).unwrap();
    // Nobody runs that runtime now: whoever used its kept connection would wait for ever.
    let alerts = builder(&bus).config(&config).build().unwrap();
    alerts.publish(alert("m"));
    let report = alerts.flush(Duration::from_secs(4));
    assert!(report.is_complete(), "{report}");
    let connections: Vec<usize> = bus.requests().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [1, 2]);
    drop(runtime);
}

#[test]
fn what_a_flush_leaves_behind_is_sent_on() {
    let bus = EventBus::start(|_| Answer::Refuse(503, "ServiceUnavailable"));
    let alerts = builder(&bus).retry(obs_alerts::Retry::default().attempts(1_000)).build().unwrap();
    alerts.publish(alert("m"));
    let report = alerts.flush(Duration::from_millis(100));
    assert_eq!((report.pending(), report.failed()), (1, 0), "{report}");
    bus.then(|_| Answer::Accept);
    bus.wait_until("the alert", |bus| !bus.arrived().is_empty());
    let report = alerts.flush(LONG);
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.delivered(), 1, "{report}");
}

#[test]
fn a_flush_brings_the_next_attempt_forward() {
    let bus = EventBus::start(|request| {
        if request.number == 1 { Answer::Refuse(503, "ServiceUnavailable") } else { Answer::Accept }
    });
    let hour = Duration::from_secs(3600);
    let alerts =
        builder(&bus).retry(obs_alerts::Retry::default().base(hour).cap(hour)).build().unwrap();
    alerts.publish(alert("m"));
    bus.wait_until("the first attempt", |bus| bus.requests().len() == 1);
    let report = alerts.flush(Duration::from_secs(2));
    assert!(report.is_complete(), "{report}");
}

#[test]
fn scenario_4_a_full_queue_blocks_neither_publish_nor_flush_nor_drop() {
    let bus = EventBus::start(|_| Answer::Hang);
    let alerts = builder(&bus).capacity_bytes(0).build().unwrap();
    let start = Instant::now();
    publish_numbered(&alerts, 5_000);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let start = Instant::now();
    let report = alerts.flush(Duration::from_millis(100));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(report.dropped() > 1_000 && report.pending() > 100, "{report}");
    assert_eq!(report.dropped() + report.pending(), 5_000, "{report}");
    assert!(report.to_string().contains("queue_full"), "{report}");
    let start = Instant::now();
    drop(alerts);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn scenario_3_a_shutdown_gives_up_at_its_deadline_and_says_how_much_was_lost() {
    for answer in [Answer::Hang, Answer::Refuse(503, "ServiceUnavailable"), Answer::Reset] {
        let failing = answer.clone();
        let bus = EventBus::start(move |_| failing.clone());
        let retry = obs_alerts::Retry::default().attempts(1_000);
        let alerts = builder(&bus).retry(retry).build().unwrap();
        publish_numbered(&alerts, 15);
        let start = Instant::now();
        let report = alerts.shutdown(Duration::from_millis(300));
        assert!(start.elapsed() < Duration::from_secs(2), "{answer:?}: {:?}", start.elapsed());
        assert_eq!(report.delivered(), 0, "{answer:?}: {report}");
        // At the deadline the lane and the report race for the last word; nothing is forgotten.
        assert_eq!(report.failed() + report.pending(), 15, "{answer:?}: {report}");
        // It does stop: no requests come any more.
        std::thread::sleep(Duration::from_millis(200));
        let requests = bus.requests().len();
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(bus.requests().len(), requests, "{answer:?}");
        let later = alerts.flush(Duration::from_millis(100));
        assert_eq!(report.failed() + later.failed(), 15, "{answer:?}: {report}, then {later}");
    }
}

#[test]
fn scenario_9_the_last_handle_is_dropped_and_the_rest_is_delivered() {
    child::alone(
        "shutdown::scenario_9_the_last_handle_is_dropped_and_the_rest_is_delivered",
        || {
            let bus = EventBus::accepting();
            let alerts = builder(&bus).linger(Duration::from_secs(600)).build().unwrap();
            let clone = alerts.clone();
            publish_numbered(&alerts, 25);
            drop(alerts);
            std::thread::sleep(Duration::from_millis(50));
            assert_eq!(bus.arrived().len(), 0, "a clone is left");
            drop(clone);
            bus.wait_until("the alerts", |bus| bus.arrived().len() == 25);
            bus.wait_until("the end of the threads", |_| {
                obs_core::health::snapshot().lanes.is_empty()
            });
        },
    );
}

#[test]
fn scenario_11_whatever_is_called_after_a_shutdown_is_harmless() {
    let bus = EventBus::accepting();
    let alerts = publisher(&bus);
    publish_numbered(&alerts, 3);
    let clone = alerts.clone();
    assert_eq!(alerts.shutdown(LONG).delivered(), 3);
    clone.publish(alert("too late"));
    alerts.publish(obs_alerts::Alert::new(obs_alerts::Severity::Critical, "too late"));
    let report = clone.flush(Duration::from_millis(100));
    assert_eq!((report.delivered(), report.dropped()), (0, 2), "{report}");
    assert!(report.to_string().contains("closed"), "{report}");
    let report = alerts.shutdown(Duration::from_millis(100));
    assert!(report.is_complete(), "{report}");
    assert_eq!(bus.arrived().len(), 3);
}

#[test]
fn scenario_5_an_explicit_flush_is_enough_before_the_process_exits() {
    let name = "shutdown::scenario_5_an_explicit_flush_is_enough_before_the_process_exits";
    if child::is_child() {
        let alerts = AlertPublisher::builder()
            .source("myapp.alerts")
            .config(&crate::server::config(&std::env::var("BUS_URL").unwrap()))
            .build()
            .unwrap();
        publish_numbered(&alerts, 12);
        assert!(alerts.flush(LONG).is_complete());
        std::process::exit(17);
    }
    let bus = EventBus::accepting();
    let (code, text) = child::run(name, &[("BUS_URL", &bus.url())]);
    assert_eq!(code, Some(17), "{text}");
    assert_eq!(bus.arrived().len(), 12);
}
