//! CloudWatch's endpoint: signatures, credentials, its window of time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_types::SdkConfig;
use aws_types::region::Region;

use super::server::{Answer, Collector, Request};
use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Gives `AKID1`, `AKID2` and so on, good for ten minutes from [`NOW`]; the first time it fails, if
/// it is to.
#[derive(Clone, Debug, Default)]
struct Provider {
    calls: Arc<AtomicUsize>,
    fails_first: bool,
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        future::ProvideCredentials::ready(if self.fails_first && call == 1 {
            Err(provider::error::CredentialsError::not_loaded("injected"))
        } else {
            let end = UNIX_EPOCH + Duration::from_millis(NOW) + Duration::from_secs(600);
            let token = Some("a token".to_owned());
            Ok(Credentials::new(format!("AKID{call}"), SECRET, token, Some(end), "test"))
        })
    }
}

fn config(collector: &Collector, provider: &Provider) -> SdkConfig {
    SdkConfig::builder()
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(provider.clone()))
        .endpoint_url(collector.url())
        .build()
}

/// The access key of a request whose signature is right: computed again from what arrived.
#[track_caller]
fn check_signed(request: &Request, url: &str) -> String {
    let authorization = &request.headers["authorization"];
    let part = |name: &str| {
        let start = authorization.find(name).unwrap() + name.len();
        authorization[start..].split([',', ' ']).next().unwrap().to_owned()
    };
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 "), "{authorization}");
    // 1,700,000,000 s after the epoch.
    assert_eq!(request.headers["x-amz-date"], "20231114T221320Z");
    let credential = part("Credential=");
    let (key, scope) = credential.split_once('/').unwrap();
    assert_eq!(scope, "20231114/eu-west-1/monitoring/aws4_request");
    let signed = part("SignedHeaders=");
    let signed: Vec<&str> = signed.split(';').collect();
    for name in ["content-encoding", "content-type", "host", "x-amz-date", "x-amz-security-token"] {
        assert!(signed.contains(&name), "{signed:?}");
    }
    assert_eq!(request.headers["x-amz-security-token"], "a token");

    let token = Some("a token".to_owned());
    let identity = Credentials::new(key, SECRET, token, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name("monitoring")
        .time(UNIX_EPOCH + Duration::from_millis(NOW))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    // Signing adds these two itself.
    let headers = (request.headers.iter())
        .filter(|(name, _)| signed.contains(&name.as_str()))
        .filter(|(name, _)| !["x-amz-date", "x-amz-security-token"].contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let path = request.line.split(' ').nth(1).unwrap();
    let signable = |body| {
        let url = format!("{url}{path}");
        SignableRequest::new("POST", url, headers.clone(), SignableBody::Bytes(body)).unwrap()
    };
    let signature = sign(signable(&request.body), &params).unwrap().into_parts().1;
    assert_eq!(part("Signature="), signature);
    // Another body has another one: the check can fail.
    let other = sign(signable(b"another"), &params).unwrap().into_parts().1;
    assert_ne!(part("Signature="), other);
    key.to_owned()
}

#[test]
fn requests_to_cloudwatch_are_signed_for_monitoring() {
    let collector = Collector::accepting();
    let provider = Provider::default();
    let outputs = start(Otlp::cloudwatch(&config(&collector, &provider)).header("x-extra", "1"));
    for _ in 0..2 {
        push(&outputs, &[count(1.0)]);
        check(&flush(&outputs, LONG), 1, &[]);
    }
    for request in collector.requests() {
        assert_eq!(request.line, "POST /v1/metrics HTTP/1.1");
        assert_eq!(check_signed(&request, &collector.url()), "AKID1");
        assert_eq!(request.points(), 1);
    }
    // They are kept as long as they are good.
    assert_eq!(provider.calls.load(Ordering::SeqCst), 1);
}

#[test]
fn each_attempt_is_signed() {
    let collector = Collector::start(|request| match request.number {
        1 => Answer::Refuse(503, None),
        _ => Answer::Accept,
    });
    let outputs = start(Otlp::cloudwatch(&config(&collector, &Provider::default())));
    push(&outputs, &[count(1.0)]);
    check(&flush(&outputs, LONG), 1, &[]);
    for request in collector.requests() {
        check_signed(&request, &collector.url());
    }
    assert_eq!(collector.requests().len(), 2);
}

#[test]
fn credentials_that_are_not_accepted_are_looked_up_again_once() {
    for (refused, delivered, failed) in [(1, 1, &[][..]), (2, 0, &[(Reason::Rejected, 1)][..])] {
        let collector = Collector::start(move |request| {
            if request.number <= refused { Answer::Refuse(403, None) } else { Answer::Accept }
        });
        let otlp = Otlp::cloudwatch(&config(&collector, &Provider::default()));
        let failure = otlp.last_failure();
        let outputs = start(otlp);
        push(&outputs, &[count(1.0)]);
        check(&flush(&outputs, LONG), delivered, failed);
        let keys: Vec<_> =
            collector.requests().iter().map(|it| check_signed(it, &collector.url())).collect();
        assert_eq!(keys, ["AKID1", "AKID2"]);
        assert_eq!(failure.get().unwrap(), "403 injected");
    }
}

#[test]
fn credentials_are_looked_up_again_also_behind_another_failure() {
    let collector = Collector::start(|request| match request.number {
        1 => Answer::Refuse(503, None),
        2 => Answer::Refuse(403, None),
        _ => Answer::Accept,
    });
    let outputs = start(Otlp::cloudwatch(&config(&collector, &Provider::default())));
    push(&outputs, &[count(1.0)]);
    check(&flush(&outputs, LONG), 1, &[]);
    let keys: Vec<_> =
        collector.requests().iter().map(|it| check_signed(it, &collector.url())).collect();
    assert_eq!(keys, ["AKID1", "AKID1", "AKID2"]);
}

#[test]
fn credentials_that_end_are_replaced_before() {
    let collector = Collector::accepting();
    let provider = Provider::default();
    let clock = SharedClock::at_now();
    let outputs = start_with(Otlp::cloudwatch(&config(&collector, &provider)), &clock);
    for (minutes, calls) in [(0, 1), (7, 1), (2, 2)] {
        clock.0.advance(Duration::from_secs(minutes * 60));
        push(&outputs, &[count(1.0)]);
        check(&flush(&outputs, LONG), 1, &[]);
        assert_eq!(provider.calls.load(Ordering::SeqCst), calls, "{minutes}");
    }
}

#[test]
fn credentials_that_are_not_there_yet_are_looked_up_again() {
    let collector = Collector::accepting();
    let provider = Provider { fails_first: true, ..Provider::default() };
    let otlp = Otlp::cloudwatch(&config(&collector, &provider));
    let failure = otlp.last_failure();
    let outputs = start(otlp);
    push(&outputs, &[count(1.0)]);
    check(&flush(&outputs, LONG), 1, &[]);
    assert_eq!(check_signed(&collector.request(), &collector.url()), "AKID2");
    let failure = failure.get().unwrap();
    assert!(failure.starts_with("not signed: "), "{failure}");
}

#[test]
fn scenario_25_points_too_old_or_too_far_ahead_are_rejected_and_counted() {
    const MINUTE: u64 = 60_000;
    const DAY: u64 = 24 * 60 * MINUTE;
    let collector = Collector::accepting();
    let outputs = start(Otlp::cloudwatch(&config(&collector, &Provider::default())));
    let mut data = vec![count(1.0); 5];
    data[1].timestamp_millis = NOW + 11 * MINUTE;
    data[2].timestamp_millis = NOW + 9 * MINUTE;
    data[3].timestamp_millis = NOW - 15 * DAY;
    data[4].timestamp_millis = NOW - 13 * DAY;
    push(&outputs, &data);
    check(&flush(&outputs, LONG), 3, &[(Reason::Rejected, 2)]);
    assert_eq!(collector.request().points(), 3);
}

#[test]
fn scenario_24_points_with_more_than_40_kb_of_labels_are_not_sent_and_counted() {
    let names: Vec<String> = (0..30).map(|n| format!("{n:0250}")).collect();
    let value = "x".repeat(1_024);
    let pairs = |n: usize| names[..n].iter().map(|name| (name.clone(), value.clone())).collect();
    let data: Vec<Datum> = [25, 30]
        .into_iter()
        .map(|n| {
            let mut datum = count(1.0);
            let key = SeriesKey {
                name: "Processed".to_owned(),
                unit: Unit::Count,
                resolution: Resolution::Standard,
                kind: Kind::Counter,
                dimensions: Arc::new(DimensionSet::of(pairs(n))),
            };
            datum.key = Arc::new(key);
            datum
        })
        .collect();
    let collector = Collector::accepting();
    let otlp = Otlp::cloudwatch(&config(&collector, &Provider::default()));
    let outputs = start(otlp.resource_attribute("k", "x".repeat(4_000)));
    push(&outputs, &data);
    check(&flush(&outputs, LONG), 1, &[(Reason::TooLarge, 1)]);
    assert_eq!(collector.request().points(), 1);
}
