//! What goes wrong on the way, over a real socket.

use std::time::Instant;

use super::*;

const ALL: [(Fault, &str); 9] = [
    (Fault::Status(500), "status 500 {\"message\":\"so it is\"}"),
    (Fault::Status(403), "status 403"),
    (Fault::Garbage, "no JSON"),
    (Fault::OtherJson, "no Sampling"),
    (Fault::NotHttp, "not HTTP/1"),
    (Fault::Closed, ""),
    (Fault::Cut, ""),
    (Fault::Silent, "no answer in time"),
    (Fault::Dribble, "no answer in time"),
];

#[test]
fn rules_that_cannot_be_had_leave_the_fallback_and_are_asked_for_again() {
    let mut simulation = Simulation::start([rule("Default", json!({"FixedRate": 1.0}))]);
    for (n, (fault, expected)) in ALL.into_iter().enumerate() {
        simulation.api.fail([fault]);
        let started = Instant::now();
        simulation.tick();
        assert!(started.elapsed() < Duration::from_secs(5), "{fault:?} {:?}", started.elapsed());
        let status = simulation.status();
        assert_eq!(status.failed, n as u64 + 1, "{fault:?}");
        let why = status.last_failure.unwrap();
        assert!(why.contains(expected), "{fault:?}: {why}");
        assert!(status.is_fallback);
        assert_eq!(simulation.sampled(20), 1, "{fault:?}");
        // A second at first, a minute at most, and by chance half as much again.
        let calls = simulation.api.take_calls().len();
        assert_eq!(calls, 1, "{fault:?}");
        let wait = 1_000 << n.min(6);
        simulation.pass(wait.min(60_000) - 100);
        assert!(simulation.api.take_calls().is_empty(), "{fault:?}");
        simulation.clock.advance(Duration::from_secs(40));
    }
    simulation.tick();
    assert_eq!(simulation.sampled(20), 20);
    assert!(!simulation.status().is_fallback);
}

#[test]
fn reports_that_failed_are_part_of_the_next_ones() {
    let mut simulation = Simulation::start([rule("Default", json!({}))]);
    simulation.tick();
    simulation.api.fail(ALL.map(|(fault, _)| fault));
    for _ in ALL {
        simulation.sampled(10);
        simulation.pass(1_000);
    }
    simulation.pass(100_000);
    assert_eq!(simulation.status().failed, ALL.len() as u64);
    let reports = simulation.reports();
    let told = (reports[0].requests, reports[0].sampled, reports[0].borrowed);
    assert_eq!((reports.len(), told), (1, (90, 9, 9)));
}

#[test]
fn stale_rules_give_way_to_the_fallback_and_come_back() {
    let mut simulation = Simulation::start([rule("Default", json!({"FixedRate": 1.0}))]);
    simulation.tick();
    assert_eq!(simulation.sampled(20), 20);
    simulation.api.fail([Fault::Status(503); 10_000]);
    simulation.pass(3_590_000);
    assert_eq!(simulation.sampled(20), 20);
    simulation.pass(20_000);
    assert_eq!(simulation.sampled(20), 1);
    assert!(simulation.status().is_fallback);
    simulation.api.heal();
    simulation.pass(100_000);
    assert_eq!(simulation.sampled(20), 20);
}

#[test]
fn nobody_listens() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let clock = Arc::new(ManualClock::at_millis(START));
    let shared = Arc::new(Shared::new(orders(), clock as _));
    let proxy = Proxy::new(DaemonAddress::parse_tcp(&free.to_string()).unwrap());
    let mut poller = Poller::new(Arc::clone(&shared), proxy);
    poller.tick();
    let status = shared.status();
    assert_eq!((status.calls, status.failed, status.is_fallback), (0, 1, true));
}

#[test]
fn a_page_that_is_followed_by_itself_ends_the_call() {
    /// Answers the same to everything.
    struct Same(&'static [u8]);
    impl crate::sampler::central::proxy::Road for Same {
        fn call(&mut self, _: &'static str, _: &[u8]) -> Result<Vec<u8>, String> {
            Ok(self.0.to_vec())
        }
    }
    let clock = Arc::new(ManualClock::at_millis(START));
    let shared = Arc::new(Shared::new(orders(), clock as _));
    let body = br#"{"SamplingRuleRecords": [], "NextToken": "again"}"#;
    Poller::new(Arc::clone(&shared), Same(body)).tick();
    assert!(shared.status().last_failure.unwrap().contains("followed by itself"));
}
