//! Central sampling as an application sees it: a daemon that takes segments over UDP, and whose proxy
//! answers with rules over TCP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use obs_core::RequestContext;
use obs_core::ids::{TraceId, TraceParent};
use obs_tracing::{CentralSampling, Sampler, XRay, traced};
use serde_json::{Value, json};
use tracing_subscriber::prelude::*;

use crate::support::{Daemon, LIMIT, builder, flushed, record_with};

/// Answers with these rules, as long as the process runs.
fn proxy(rules: &[Value]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let records: Vec<Value> = rules.iter().map(|rule| json!({"SamplingRule": rule})).collect();
    let body = json!({"SamplingRuleRecords": records}).to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).unwrap();
        }
    });
    address
}

fn rule(name: &str, priority: u32, rate: f64, changes: &Value) -> Value {
    let mut rule = json!({
        "RuleName": name, "Priority": priority, "FixedRate": rate, "ReservoirSize": 0, "Version": 1,
        "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*",
        "ResourceARN": "*",
    });
    rule.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    rule
}

fn rules() -> Vec<Value> {
    vec![
        rule("health", 1, 0.0, &json!({"URLPath": "/health*"})),
        rule("acme", 2, 1.0, &json!({"Attributes": {"tenant": "acme"}})),
        rule(
            "api",
            3,
            1.0,
            &json!({"URLPath": "/api/*", "HTTPMethod": "GET", "ServiceName": "ord*"}),
        ),
        rule("Default", 10_000, 0.0, &json!({})),
    ]
}

#[traced]
fn step() {}

fn request(method: &str, path: &str) {
    let span = tracing::info_span!("request", http.request.method = method, url.path = %path);
    span.in_scope(step);
}

#[test]
fn the_rules_of_x_ray_decide_and_the_decision_is_inherited() {
    let daemon = Daemon::start();
    let address = format!("tcp:{} udp:{}", proxy(&rules()), daemon.address());
    let sampler = Sampler::parent_or(Sampler::xray_central());
    let tracer = builder().sampler(sampler).daemon_at(address).build().unwrap();
    let started = Instant::now();
    while tracer.sampling().unwrap().is_fallback {
        assert!(started.elapsed() < LIMIT, "{}", tracer.sampling().unwrap());
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(tracer.sampling().unwrap().rules, 4);
    let subscriber = tracing_subscriber::registry().with(tracer.layer());
    tracing::subscriber::with_default(subscriber, || {
        request("GET", "/health/live");
        request("GET", "/api/orders/1?x=y");
        request("POST", "/api/orders/2");
        tracing::info_span!("job", tenant = "acme").in_scope(step);
        tracing::info_span!("job", tenant = "other").in_scope(step);
        step();
        // What the caller decided counts, whatever the rules say.
        let trace_id = TraceId::generate();
        for (sampled, path) in [(true, "/health"), (false, "/api/orders/3")] {
            let parent = TraceParent { trace_id, parent_id: None, sampled: Some(sampled) };
            let _entered = RequestContext::builder().trace(parent).build().enter();
            request("GET", path);
        }
    });
    let documents = flushed(&daemon, &tracer);
    let of_request = documents.0.iter().filter(|document| document.name() == "request");
    let paths: Vec<_> =
        of_request.map(|document| document.metadata("url.path").as_str().unwrap()).collect();
    assert_eq!(paths, ["/api/orders/1?x=y", "/health"]);
    assert_eq!(documents.names(), ["step", "request", "step", "job", "step", "request"]);
}

#[test]
fn without_rules_one_trace_a_second_is_kept_and_5_percent() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let settings = CentralSampling::new().proxy(closed);
    let started = Instant::now();
    let documents = record_with(builder().sampler(Sampler::central(settings)), || {
        for _ in 0..2_000 {
            step();
        }
    });
    // One a second, and 100 of the rest by chance.
    let most = 160 + usize::try_from(started.elapsed().as_secs()).unwrap() + 1;
    assert!((50..most).contains(&documents.0.len()), "{}", documents.0.len());
}

#[test]
fn settings_are_checked_when_the_tracer_is_built() {
    let settings = CentralSampling::new().proxy("udp:127.0.0.1:2000");
    let error = XRay::builder().sampler(Sampler::central(settings.clone())).build().unwrap_err();
    assert!(error.is_invalid_address(), "{error}");
    let sampler = Sampler::parent_or(Sampler::central(settings));
    assert!(XRay::builder().discard().sampler(sampler).build().unwrap_err().is_invalid_address());
    let udp_only = XRay::builder().daemon_at("udp:127.0.0.1:2000").sampler(Sampler::xray_central());
    assert!(udp_only.build().unwrap_err().is_invalid_address());
    let tracer = XRay::builder().discard().sampler(Sampler::never()).build().unwrap();
    assert_eq!(tracer.sampling(), None);
}
