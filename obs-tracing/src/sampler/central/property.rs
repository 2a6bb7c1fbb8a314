//! What must hold for any answer of X-Ray and any request; it fails by panicking.
//!
//! The fuzz target calls it, and `tests/fuzz.rs` with a seeded mutator.

use std::time::{Duration, Instant};

use obs_core::ids::TraceId;

use super::document::{read_rules, read_targets};
use super::proxy::read_answer;
use super::request::{Attributes, Request};
use super::rule::Service;
use super::rules::{RuleSet, STALE_AFTER};

const NOW: u64 = 1_700_000_000_000;
/// More than a slow machine takes without optimization for any input of a fuzzer.
const MOST: Duration = Duration::from_secs(20);

/// Checks one input: the first line is what a request says, the rest an answer of X-Ray.
pub(crate) fn sampling_rules(input: &[u8]) {
    let started = Instant::now();
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (request, body) = input.split_at(end);
    let request = String::from_utf8_lossy(request);
    let body = body.get(1..).unwrap_or_default();

    // It may be HTTP, or an answer to a report; it is read to its end, or refused.
    let _ = read_answer(&mut &*body);
    if let Ok(targets) = read_targets(body) {
        for target in &targets.targets {
            assert!(target.fixed_rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)));
            assert!(target.interval.is_none_or(|interval| (1_000..=3_600_000).contains(&interval)));
        }
    }
    if let Ok(page) = read_rules(body) {
        assert!(page.ignored.reasons.len() as u64 <= page.ignored.count);
        for rule in &page.rules {
            assert!((0.0..=1.0).contains(&rule.fixed_rate) && !rule.name.is_empty());
        }
        decide(&page.rules, &request);
    }
    assert!(started.elapsed() < MOST, "{:?} for {} bytes", started.elapsed(), input.len());
}

fn decide(rules: &[super::rule::Rule], text: &str) {
    let mut values = text.splitn(7, ' ');
    let mut next = || values.next().unwrap_or_default();
    let service = Service {
        name: next().to_owned(),
        origin: next().to_owned(),
        resource_arn: next().to_owned(),
    };
    let (method, path, host, attribute) = (next(), next(), next(), next());
    let set = RuleSet::arrived(rules.to_vec(), &service, &RuleSet::default(), NOW);
    let attributes = vec![Some(attribute); set.attributes.len()];
    let attributes = Attributes::Given(&attributes);
    let request = Request { method, path, host, resource_arn: "", attributes };

    assert!(set.entries.windows(2).all(|two| two[0].rule.order() < two[1].rule.order()));
    // Rules in another order are the same rules.
    let mut reversed = rules.to_vec();
    reversed.reverse();
    let again = RuleSet::arrived(reversed, &service, &RuleSet::default(), NOW);
    if names_are_unique(rules) {
        let names = |set: &RuleSet| set.entries.iter().map(|e| e.rule.clone()).collect::<Vec<_>>();
        assert_eq!(names(&set), names(&again));
    }

    let Some(trace_id) = TraceId::from_u128(1 << 96 | u128::from(u64::MAX)) else { return };
    let decided: Vec<_> = (0..3).map(|_| set.decide(&request, &service, trace_id, NOW)).collect();
    let counts: Vec<_> = set.entries.iter().map(|e| e.live.statistics.unreported()).collect();
    let requests: u64 = counts.iter().map(|counts| counts.requests).sum();
    match decided[0] {
        Some(_) => assert_eq!(requests, 3, "one rule decides, and always the same"),
        None => assert_eq!(requests, 0),
    }
    assert!(counts.iter().all(|c| c.borrowed <= c.sampled && c.sampled <= c.requests));
    assert!(counts.iter().all(|c| c.borrowed <= 1), "one a second without a quota");
    assert_eq!(set.decide(&request, &service, trace_id, NOW + STALE_AFTER + 1), None);
}

fn names_are_unique(rules: &[super::rule::Rule]) -> bool {
    let mut names: Vec<&str> = rules.iter().map(|rule| &*rule.name).collect();
    names.sort_unstable();
    names.windows(2).all(|two| two[0] != two[1])
}
