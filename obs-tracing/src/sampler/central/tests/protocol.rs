//! The two calls over a real socket, over simulated time.

use obs_core::clock::Clock;

use super::*;

fn target(rule: &str, quota: u32, until: u64, interval: Option<u32>) -> Value {
    json!({
        "RuleName": rule,
        "FixedRate": 0.0,
        "ReservoirQuota": quota,
        "ReservoirQuotaTTL": until as f64 / 1_000.0,
        "Interval": interval,
    })
}

fn report(rule: &str, requests: u64, sampled: u64, borrowed: u64) -> Report {
    Report { rule: rule.to_owned(), requests, sampled, borrowed }
}

#[test]
fn rules_come_in_pages() {
    let mut simulation = Simulation::start([]);
    let records: Vec<Value> = (0..7)
        .map(|n| json!({"SamplingRule": rule(&format!("r{n}"), json!({"Priority": n}))}))
        .collect();
    simulation.api.set_records(records, 3);
    simulation.tick();
    assert_eq!(simulation.api.take_calls(), ["/GetSamplingRules"; 3]);
    let status = simulation.status();
    assert_eq!((status.rules, status.calls, status.failed), (7, 3, 0));
    assert!(!status.is_fallback);
}

#[test]
fn rules_are_asked_for_every_five_minutes_and_reports_sent_every_ten_seconds() {
    let mut simulation = Simulation::start([rule("Default", json!({}))]);
    simulation.tick();
    assert_eq!(simulation.api.take_calls(), ["/GetSamplingRules"]);
    // Nothing to tell: nothing is sent.
    simulation.pass(200_000);
    assert!(simulation.api.take_calls().is_empty());
    simulation.pass(110_000);
    assert_eq!(simulation.api.take_calls(), ["/GetSamplingRules"]);
    // Requests all the time: each ten seconds a report, up to 2 % later.
    for _ in 0..250 {
        simulation.sampled(1);
        simulation.pass(1_000);
    }
    let calls = simulation.api.take_calls();
    assert!(calls.iter().all(|path| path == "/SamplingTargets"), "{calls:?}");
    assert!((23..=25).contains(&calls.len()), "{}", calls.len());
    let told: u64 = simulation.reports().iter().map(|report| report.requests).sum();
    assert!((238..=250).contains(&told), "{told}");
}

#[test]
fn one_a_second_is_borrowed_until_a_quota_arrives_and_after_it_ended() {
    let mut simulation = Simulation::start([rule("Default", json!({"ReservoirSize": 50}))]);
    assert!(simulation.status().is_fallback);
    simulation.tick();
    for _ in 0..9 {
        assert_eq!(simulation.sampled(20), 1);
        simulation.pass(1_000);
    }
    // The quota arrives with the first report, and holds for 25 seconds.
    simulation.api.set_targets([target("Default", 7, START + 35_000, None)]);
    simulation.pass(1_300);
    assert_eq!(simulation.reports(), [report("Default", 180, 9, 9)]);
    simulation.api.set_targets([]);
    for second in 0..24 {
        assert_eq!(simulation.sampled(20), 7, "second {second}");
        simulation.pass(1_000);
    }
    // 34.3 s: the last second of the quota has begun. Then it is over.
    assert_eq!(simulation.sampled(20), 7);
    simulation.pass(1_000);
    assert_eq!(simulation.sampled(20), 1);
    let told = simulation.reports();
    assert!(told.iter().all(|report| report.borrowed == 0 && report.sampled > 0), "{told:?}");
}

#[test]
fn x_ray_says_when_to_report_again() {
    let mut simulation = Simulation::start([
        rule("often", json!({"Priority": 1, "HTTPMethod": "GET"})),
        rule("seldom", json!({"Priority": 2})),
    ]);
    simulation.tick();
    let rules = |simulation: &Simulation| simulation.shared.rules();
    let both = |simulation: &Simulation| {
        for request in [path("/"), Request::default()] {
            let now = simulation.shared.now();
            rules(simulation).decide(&request, &orders(), unlucky(), now).unwrap();
        }
    };
    both(&simulation);
    simulation.api.set_targets([
        target("often", 1, START + 900_000, Some(2)),
        target("seldom", 1, START + 900_000, Some(60)),
    ]);
    simulation.pass(10_500);
    assert_eq!(simulation.reports().len(), 2);
    simulation.api.set_targets([]);
    for _ in 0..50 {
        both(&simulation);
        simulation.pass(1_000);
    }
    let told = simulation.reports();
    assert!(told.iter().all(|report| report.rule == "often"), "{told:?}");
    assert!((23..=25).contains(&told.len()), "{}", told.len());
    simulation.pass(15_000);
    let told = simulation.reports();
    assert!(told.contains(&report("seldom", 50, 50, 0)), "{told:?}");
}

#[test]
fn many_rules_are_reported_25_at_a_time() {
    let rules =
        (0..60).map(|n| rule(&format!("r{n}"), json!({"Priority": n, "URLPath": format!("/{n}")})));
    let mut simulation = Simulation::start(rules);
    simulation.tick();
    for n in 0..60 {
        let path_ = format!("/{n}");
        let set = simulation.shared.rules();
        set.decide(&path(&path_), &orders(), unlucky(), simulation.shared.now()).unwrap();
    }
    simulation.pass(10_500);
    assert_eq!(simulation.api.take_batches(), [25, 25, 10]);
    assert_eq!(simulation.reports().len(), 60);
}

#[test]
fn rules_that_changed_are_fetched_at_once_and_once() {
    let mut simulation = Simulation::start([rule("Default", json!({}))]);
    simulation.tick();
    simulation.sampled(1);
    simulation.pass(11_000);
    assert_eq!(simulation.api.take_calls(), ["/GetSamplingRules", "/SamplingTargets"]);
    simulation.api.set_rules([rule("Default", json!({})), rule("new", json!({"Priority": 1}))]);
    simulation.sampled(1);
    simulation.pass(11_000);
    assert_eq!(simulation.api.take_calls(), ["/SamplingTargets", "/GetSamplingRules"]);
    assert_eq!(simulation.status().rules, 2);
    // A rule was removed: no rule tells of it, and still it is asked for only once.
    simulation.api.set_rules([rule("Default", json!({}))]);
    let records = vec![json!({"SamplingRule": rule("Default", json!({})), "ModifiedAt": 1.6e9})];
    simulation.api.set_records(records, 100);
    for _ in 0..30 {
        simulation.sampled(1);
        simulation.pass(1_000);
    }
    let calls = simulation.api.take_calls();
    assert_eq!(calls.iter().filter(|path| *path == "/GetSamplingRules").count(), 1, "{calls:?}");
    assert_eq!(simulation.status().rules, 1);
}

#[test]
fn a_report_that_was_not_taken_is_sent_again_or_not() {
    let mut simulation = Simulation::start([rule("Default", json!({}))]);
    simulation.tick();
    simulation.sampled(3);
    let refusal = |code: &str| json!({"RuleName": "Default", "ErrorCode": code, "Message": "no"});
    simulation.api.set_unprocessed([refusal("500")]);
    simulation.pass(10_500);
    assert_eq!(simulation.reports(), [report("Default", 3, 1, 1)]);
    let status = simulation.status();
    assert_eq!(status.failed, 1);
    assert!(status.last_failure.unwrap().contains("500 no"));
    // The next one has both.
    simulation.sampled(2);
    simulation.api.set_unprocessed([refusal("400")]);
    simulation.pass(3_000);
    let told = simulation.reports();
    assert_eq!(told[0].requests, 5, "{told:?}");
    // X-Ray does not know the rule: it is not told again, and the rules are asked for, not too often.
    simulation.api.set_unprocessed([]);
    simulation.api.take_calls();
    simulation.pass(70_000);
    assert_eq!(simulation.api.take_calls(), ["/GetSamplingRules"]);
    assert!(simulation.reports().is_empty());
}

#[test]
fn nothing_is_lost_while_threads_decide_and_rules_and_targets_are_replaced() {
    const EACH: usize = 30_000;
    let rules = || [rule("Default", json!({"ReservoirSize": 9, "FixedRate": 0.5}))];
    let mut simulation = Simulation::start(rules());
    simulation.tick();
    let shared = Arc::clone(&simulation.shared);
    let decide = || (0..EACH).filter(|_| shared.decide(TraceId::generate(), |_| ())).count() as u64;
    let sampled: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(decide)).collect();
        // Less than an hour: a thread that sleeps in the middle of a decision wakes to rules that hold.
        for round in 0_u32..300 {
            if threads.iter().all(|thread| thread.is_finished()) {
                break;
            }
            // One call in a while fails: not so many that the rules go stale.
            simulation.api.heal();
            match round % 4 {
                0 => simulation.api.fail([Fault::Status(500)]),
                1 => simulation.api.set_rules(rules()),
                2 => {
                    let until = simulation.shared.now() + 20_000;
                    simulation.api.set_targets([json!({"RuleName": "Default",
                        "FixedRate": 0.1, "ReservoirQuota": round, "ReservoirQuotaTTL": until as f64 / 1e3})]);
                }
                _ => {}
            }
            simulation.pass(10_500);
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    simulation.api.heal();
    simulation.pass(120_000);
    let told = simulation.reports();
    assert_eq!(told.iter().map(|report| report.requests).sum::<u64>(), 3 * EACH as u64);
    assert_eq!(told.iter().map(|report| report.sampled).sum::<u64>(), sampled);
}

#[test]
fn what_cannot_be_used_is_ignored_with_a_reason() {
    let mut simulation = Simulation::start([
        rule("bad", json!({"Version": 2})),
        rule("Default", json!({"FixedRate": 1.0})),
    ]);
    simulation.tick();
    let status = simulation.status();
    assert_eq!((status.rules, status.ignored, status.failed), (1, 1, 0));
    assert!(status.last_ignored.unwrap().contains("version is 2"));
    simulation.sampled(1);
    simulation.api.set_targets([
        json!({"RuleName": "Default", "FixedRate": 7}),
        json!({"RuleName": "Default", "ReservoirQuota": -1}),
        json!({"RuleName": "Default", "ReservoirQuota": 1, "ReservoirQuotaTTL": -5.0}),
        json!({"FixedRate": 0.5}),
        json!(null),
        target("unknown", 1, START, None),
    ]);
    simulation.pass(10_500);
    let status = simulation.status();
    assert_eq!((status.ignored, status.failed), (7, 0));
    assert!(status.last_ignored.clone().unwrap().contains("unknown"));
    assert!(status.to_string().starts_with("sampling: 1 rules, 10 s old; 2 calls, 0 failed; 7"));
    assert_eq!(simulation.sampled(5), 5);
    // A rule of which nothing is left but invalid ones does not take the place of a good one.
    simulation.api.set_rules([rule("bad", json!({"Version": 2}))]);
    simulation.pass(400_000);
    let status = simulation.status();
    assert_eq!(status.rules, 1);
    assert!(status.last_failure.unwrap().contains("none of 1 rules"));
}

#[test]
fn scenario_26_the_clock_steps_back_and_nothing_waits_for_it_to_catch_up() {
    let mut simulation = Simulation::start([rule("Default", json!({"ReservoirSize": 9}))]);
    simulation.tick();
    simulation.sampled(1);
    simulation.api.set_targets([target("Default", 5, START + 20_000, None)]);
    simulation.pass(10_500);
    assert_eq!(simulation.sampled(20), 5);
    simulation.api.take_calls();
    // Two hours back.
    simulation.clock.set(simulation.clock.now() - Duration::from_secs(7_200));
    simulation.wake = 0;
    assert_eq!(simulation.sampled(20), 5);
    simulation.api.set_targets([]);
    simulation.pass(1_000);
    assert!(simulation.status().age.unwrap() < Duration::from_secs(15));
    // The quota ends as soon as it would have, reports and rules come as before.
    simulation.pass(12_000);
    assert_eq!(simulation.sampled(20), 1);
    assert_eq!(simulation.reports().len(), 2);
    simulation.pass(310_000);
    let calls = simulation.api.take_calls();
    assert!(calls.contains(&"/GetSamplingRules".to_owned()), "{calls:?}");
}

#[test]
fn after_a_freeze_everything_is_asked_for_at_once() {
    let mut simulation = Simulation::start([rule("Default", json!({"FixedRate": 1.0}))]);
    simulation.tick();
    simulation.api.take_calls();
    simulation.clock.advance(Duration::from_secs(4_000));
    // Stale: the fallback decides until the rules are there again.
    assert_eq!(simulation.sampled(20), 1);
    assert!(simulation.status().is_fallback);
    simulation.tick();
    assert_eq!(simulation.api.take_calls(), ["/GetSamplingRules"]);
    assert_eq!(simulation.sampled(20), 20);
}
