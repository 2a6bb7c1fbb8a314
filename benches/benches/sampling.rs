//! What a sampling decision adds to the first span of a trace: X-Ray's rules, beside a sampler that
//! does not ask.
//!
//! The rules come over a real socket, once. None of them keeps anything, so that both sides do the
//! same but for the decision.

use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use obs_benches::{Operation, Suite};
use obs_tracing::{CentralSampling, Sampler, XRay};
use serde_json::json;
use tracing::info_span;
use tracing::subscriber::set_default;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt as _;

const RULES: u32 = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let proxy = proxy()?;
    let mut suite = Suite::from_args("sampling");
    for (name, operation) in
        [("root with three fields", request as fn()), ("root without fields", job as fn())]
    {
        let central = CentralSampling::new().proxy(proxy.clone());
        let tracer = XRay::builder().discard().sampler(Sampler::central(central)).build()?;
        while tracer.sampling().is_none_or(|status| status.is_fallback) {
            thread::sleep(Duration::from_millis(1));
        }
        let case = {
            let _subscriber = set_default(Registry::default().with(tracer.layer()));
            let operation = Operation::new(operation).allocates_at_most(1);
            suite.case(name).ours("xray_central(), 10 rules", operation)
        };
        let tracer = XRay::builder().discard().sampler(Sampler::never()).build()?;
        let _subscriber = set_default(Registry::default().with(tracer.layer()));
        case.peer("never()", Operation::new(operation)).done();
    }
    suite.finish()?;
    Ok(())
}

fn request() {
    let span = info_span!(
        "request",
        http.request.method = "GET",
        url.path = "/api/orders/4711/items",
        server.address = "shop.example.com",
    );
    black_box(span);
}

fn job() {
    black_box(info_span!("job"));
}

/// Answers with rules for as long as the process runs. The last one matches.
fn proxy() -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let records: Vec<_> = (1..=RULES)
        .map(|n| {
            let path = if n == RULES { "*".to_owned() } else { format!("/api/*/{n}/items") };
            json!({"SamplingRule": {
                "RuleName": format!("rule-{n}"), "Priority": n, "FixedRate": 0.0, "ReservoirSize": 0,
                "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*",
                "URLPath": path, "ResourceARN": "*", "Version": 1,
            }})
        })
        .collect();
    let body = json!({"SamplingRuleRecords": records, "SamplingTargetDocuments": []}).to_string();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A connection that breaks is tried again.
            let _ = serve(stream, &answer);
        }
    });
    Ok(address)
}

fn serve(mut stream: std::net::TcpStream, answer: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    while line.trim() != "" || line.is_empty() {
        line.clear();
        reader.read_line(&mut line)?;
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    stream.write_all(answer.as_bytes())
}
