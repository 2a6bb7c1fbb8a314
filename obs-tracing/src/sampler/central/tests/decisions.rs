//! Which rule matches, and what it decides: tables.

use super::*;
use crate::sampler::central::rules::{Fallback, RuleSet, STALE_AFTER, Target};

fn set(rules: impl IntoIterator<Item = Value>, service: &Service) -> RuleSet {
    let rules = rules.into_iter().map(|rule| read(&rule)).collect();
    RuleSet::arrived(rules, service, &RuleSet::default(), START)
}

/// Whether a rule that is changed so matches the request.
fn check(changes: &Value, service: &Service, request: &Request<'_>, expected: bool) {
    let keep = json!({"FixedRate": 1.0, "ReservoirSize": 0});
    let mut rule = rule("r", keep);
    rule.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let found = set([rule], service).decide(request, service, unlucky(), START);
    assert_eq!(found.is_some(), expected, "{changes} {service:?} {request:?}");
}

#[test]
fn a_rule_matches_what_it_names() {
    let service = orders();
    let request = Request {
        method: "POST",
        path: "/api/orders/4711",
        host: "shop.example.com",
        resource_arn: "arn:aws:ecs:eu-west-1:123456789012:task/orders/1",
        ..Request::default()
    };
    for (changes, expected) in [
        (json!({}), true),
        (json!({"ServiceName": "orders"}), true),
        (json!({"ServiceName": "ORD*"}), true),
        (json!({"ServiceName": "payments"}), false),
        (json!({"ServiceType": "AWS::ECS::Container"}), true),
        (json!({"ServiceType": "AWS::ECS::*"}), true),
        (json!({"ServiceType": "AWS::EC2::Instance"}), false),
        (json!({"HTTPMethod": "post"}), true),
        (json!({"HTTPMethod": "P?ST"}), true),
        (json!({"HTTPMethod": "GET"}), false),
        (json!({"URLPath": "/api/orders/*"}), true),
        (json!({"URLPath": "/api/orders/????"}), true),
        (json!({"URLPath": "/api/orders"}), false),
        (json!({"Host": "*.example.com"}), true),
        (json!({"Host": "example.com"}), false),
        (json!({"ResourceARN": "arn:aws:ecs:*:task/orders/*"}), true),
        (json!({"ResourceARN": "arn:aws:ec2:*"}), false),
        (json!({"URLPath": "/api/*", "HTTPMethod": "POST", "Host": "shop.*"}), true),
        (json!({"URLPath": "/api/*", "HTTPMethod": "POST", "Host": "other.*"}), false),
        // An attribute that the span does not have.
        (json!({"Attributes": {"tenant": "*"}}), false),
    ] {
        check(&changes, &service, &request, expected);
    }
}

#[test]
fn what_is_not_known_only_stars_match() {
    let service = Service { name: "orders".to_owned(), ..Service::default() };
    let job = Request::default();
    for key in ["ServiceType", "Host", "HTTPMethod", "URLPath", "ResourceARN"] {
        check(&json!({ key: "*" }), &service, &job, true);
        check(&json!({ key: "**" }), &service, &job, true);
        check(&json!({ key: "*a*" }), &service, &job, false);
        check(&json!({ key: "?" }), &service, &job, false);
    }
}

#[test]
fn the_arn_is_the_spans_or_the_services() {
    let service = Service { resource_arn: "arn:of:process".to_owned(), ..orders() };
    let pattern = || json!({"ResourceARN": "arn:of:process"});
    check(&pattern(), &service, &Request::default(), true);
    check(&pattern(), &service, &Request { resource_arn: "arn:x", ..Request::default() }, false);
}

#[test]
fn attributes_match_all_of_them_by_name() {
    let service = orders();
    let rules = [
        rule("a", json!({"Priority": 1, "FixedRate": 1.0, "Attributes": {"tenant": "acme*"}})),
        rule(
            "b",
            json!({"Priority": 2, "FixedRate": 1.0,
                "Attributes": {"tenant": "*", "http.user_agent": "*bot*"}}),
        ),
    ];
    let set = set(rules, &service);
    assert_eq!(
        set.attributes.iter().map(|key| &**key).collect::<Vec<_>>(),
        ["tenant", "http.user_agent"]
    );
    for (tenant, agent, expected) in [
        (Some("ACME Inc"), None, Some("a")),
        (Some("acme"), Some("bot"), Some("a")),
        (Some("other"), Some("a Bot 1"), Some("b")),
        (Some("other"), None, None),
        (None, Some("bot"), None),
        (Some(""), Some("bot"), Some("b")),
    ] {
        let values = [tenant, agent];
        let request = Request { attributes: Attributes::Given(&values), ..Request::default() };
        let before = requests(&set);
        let decided = set.decide(&request, &service, unlucky(), START);
        assert_eq!(decided, expected.map(|_| true), "{values:?}");
        let after = requests(&set);
        let who = set.entries.iter().zip(before.iter().zip(&after)).find(|(_, (a, b))| a != b);
        assert_eq!(who.map(|(entry, _)| &*entry.rule.name), expected, "{values:?}");
    }
}

fn requests(set: &RuleSet) -> Vec<u64> {
    set.entries.iter().map(|entry| entry.live.statistics.unreported().requests).collect()
}

#[test]
fn rules_are_asked_by_priority_and_then_by_name() {
    let service = orders();
    let names = |rules: Vec<Value>| {
        let set = set(rules, &service);
        set.entries.iter().map(|entry| entry.rule.name.to_string()).collect::<Vec<_>>()
    };
    let with = |name: &str, priority: i64| rule(name, json!({ "Priority": priority }));
    let rules =
        vec![with("Default", 10_000), with("b", 7), with("a", 7), with("Z", 7), with("z", 1)];
    assert_eq!(names(rules), ["z", "Z", "a", "b", "Default"]);
    // Not for this service; and a name that comes twice.
    let other = rule("other", json!({"Priority": 1, "ServiceName": "payments"}));
    assert_eq!(names(vec![other, with("a", 2), with("a", 1)]), ["a"]);
}

#[test]
fn the_first_rule_that_matches_decides() {
    let service = orders();
    let rules = [
        rule("health", json!({"Priority": 1, "URLPath": "/health", "ReservoirSize": 0})),
        rule("api", json!({"Priority": 2, "URLPath": "/api/*", "FixedRate": 1.0})),
    ];
    let set = set(rules, &service);
    let decide = |path_: &str| set.decide(&path(path_), &service, unlucky(), START);
    assert_eq!(decide("/health"), Some(false));
    assert_eq!(decide("/api/orders"), Some(true));
    assert_eq!(decide("/"), None);
}

/// A rule's state and so many requests within one second: how many are sampled, and borrowed.
#[test]
fn the_reservoir_comes_first_and_then_the_fixed_rate() {
    let now = START + 5_000;
    let quota = |quota, until| Target { fixed_rate: None, quota: Some((quota, until)) };
    for (size, rate, target, expected) in [
        // No quota yet: one a second is borrowed, if there is a reservoir.
        (5, 0.0, Target::default(), (1, 1)),
        (0, 0.0, Target::default(), (0, 0)),
        (5, 1.0, Target::default(), (10, 1)),
        // A quota, which may be nothing.
        (5, 0.0, quota(3, now), (3, 0)),
        (5, 0.0, quota(0, now), (0, 0)),
        (5, 0.0, quota(99, now), (10, 0)),
        (0, 0.0, quota(2, now), (2, 0)),
        // It ended: one is borrowed again.
        (5, 0.0, quota(3, now - 1), (1, 1)),
        (0, 0.0, quota(3, now - 1), (0, 0)),
        // The target's rate counts, not the rule's.
        (0, 0.0, Target { fixed_rate: Some(1.0), quota: None }, (10, 0)),
        (0, 1.0, Target { fixed_rate: Some(0.0), quota: None }, (0, 0)),
        (5, 1.0, Target { fixed_rate: Some(0.0), quota: Some((3, now)) }, (3, 0)),
    ] {
        let service = orders();
        let rule = rule("r", json!({"ReservoirSize": size, "FixedRate": rate}));
        let mut set = set([rule], &service);
        set.entries[0].target = target;
        for _ in 0..10 {
            set.decide(&Request::default(), &service, unlucky(), now).unwrap();
        }
        let counts = set.entries[0].live.statistics.unreported();
        assert_eq!(counts.requests, 10);
        assert_eq!((counts.sampled, counts.borrowed), expected, "{size} {rate} {target:?}");
    }
}

#[test]
fn rules_older_than_an_hour_decide_nothing() {
    let service = orders();
    let set = set([rule("r", json!({"FixedRate": 1.0}))], &service);
    let decide = |now| set.decide(&Request::default(), &service, unlucky(), now);
    assert_eq!(decide(START), Some(true));
    assert_eq!(decide(START + STALE_AFTER), Some(true));
    assert_eq!(decide(START + STALE_AFTER + 1), None);
    // Scenario 26: an age never wraps.
    assert_eq!(decide(START - 60_000), Some(true));
    assert_eq!(decide(0), Some(true));
    assert_eq!(RuleSet::default().decide(&Request::default(), &service, unlucky(), START), None);
}

#[test]
fn the_fallback_keeps_one_a_second_and_one_in_twenty() {
    let fallback = Fallback::default();
    let unlucky = |now| (0..50).filter(|_| fallback.decide(unlucky(), now)).count();
    assert_eq!((unlucky(START), unlucky(START + 999), unlucky(START + 1_000)), (1, 0, 1));
    let random = (0..20_000).filter(|_| fallback.decide(TraceId::generate(), START + 1_000));
    assert!((800..1_200).contains(&random.count()));
}

#[test]
fn rules_that_arrive_keep_what_is_known_of_them() {
    let service = orders();
    let mut before = set([rule("a", json!({})), rule("b", json!({}))], &service);
    let target = Target { fixed_rate: Some(0.5), quota: Some((7, START)) };
    for entry in &mut before.entries {
        entry.target = target;
        entry.live.statistics.count(crate::sampler::central::statistics::Outcome::Quota);
    }
    let rules = [rule("a", json!({})), rule("b", json!({"FixedRate": 0.1})), rule("c", json!({}))];
    let rules = rules.iter().map(read).collect();
    let after = RuleSet::arrived(rules, &service, &before, START + 1);
    let found: Vec<_> = after
        .entries
        .iter()
        .map(|e| (&*e.rule.name, e.target, e.live.statistics.unreported().requests))
        .collect();
    // The changed rule forgets its target, and no rule what it counted.
    let none = Target::default();
    assert_eq!(found, [("a", target, 1), ("b", none, 1), ("c", none, 0)]);
    assert_eq!(after.asked_at, Some(START + 1));
}

#[test]
fn rules_that_cannot_be_used_are_refused_with_a_reason() {
    for (changes, expected) in [
        (json!({"RuleName": ""}), "name"),
        (json!({"RuleName": 5}), "expected a string"),
        (json!({"Version": 2}), "version is 2"),
        (json!({"Version": null}), "i64"),
        (json!({"FixedRate": 1.1}), "fixed rate is 1.1"),
        (json!({"FixedRate": -0.1}), "fixed rate is -0.1"),
        (json!({"FixedRate": "0.5"}), "expected f64"),
        (json!({"ReservoirSize": -1}), "u64"),
        (json!({"ReservoirSize": 1.5}), "u64"),
        (json!({"Priority": "high"}), "i64"),
        (json!({"URLPath": null}), "expected a string"),
        (json!({"URLPath": "a".repeat(2_001)}), "longer than 2000"),
        (json!({"Attributes": {"a": 1}}), "expected a string"),
        (json!({"Attributes": {"a": "b".repeat(2_001)}}), "longer than 2000"),
        (json!({"Attributes": []}), "map"),
    ] {
        let error = Rule::read(&rule("r", changes.clone())).unwrap_err();
        assert!(error.contains(expected), "{changes}: {error}");
    }
    for missing in ["RuleName", "Version", "Priority", "FixedRate", "ReservoirSize", "Host"] {
        let mut document = rule("r", json!({}));
        document.as_object_mut().unwrap().remove(missing);
        assert!(Rule::read(&document).unwrap_err().contains(missing));
    }
    let many: serde_json::Map<String, Value> =
        (0..51).map(|n| (n.to_string(), "*".into())).collect();
    assert!(Rule::read(&rule("r", json!({ "Attributes": many }))).unwrap_err().contains("51"));
    // What is not known is passed over; null is as good as none.
    let unknown = json!({"Attributes": null, "SamplingRateBoost": {"MaxRate": 1}, "New": []});
    assert!(Rule::read(&rule("r", unknown)).is_ok());
}
