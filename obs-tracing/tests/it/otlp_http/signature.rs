//! X-Ray's own endpoint: signatures, credentials, its window of time.

use std::sync::atomic::AtomicUsize;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_types::SdkConfig;
use aws_types::region::Region;
use obs_core::clock::Clock;

use super::server::Request;
use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const DAY: i64 = 24 * 60 * 60;

/// Gives `AKID1`, `AKID2` and so on.
#[derive(Clone, Debug, Default)]
struct Provider(Arc<AtomicUsize>);

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let call = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        let token = Some("a token".to_owned());
        let credentials = Credentials::new(format!("AKID{call}"), SECRET, token, None, "test");
        future::ProvideCredentials::ready(Ok(credentials))
    }
}

/// The system's, moved by this many seconds.
#[derive(Clone, Copy, Debug)]
struct Moved(i64);

impl Clock for Moved {
    fn now(&self) -> SystemTime {
        let by = Duration::from_secs(self.0.unsigned_abs());
        if self.0 < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
    }
}

fn xray(collector: &Collector, provider: &Provider) -> Otlp {
    let config = SdkConfig::builder()
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(provider.clone()))
        .endpoint_url(collector.url())
        .build();
    Otlp::xray_with(&config)
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
    let date = &request.headers["x-amz-date"];
    let credential = part("Credential=");
    let (key, scope) = credential.split_once('/').unwrap();
    assert_eq!(scope, format!("{}/eu-west-1/xray/aws4_request", &date[..8]));
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
        .name("xray")
        .time(time_of(date))
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

/// `20231114T221320Z`.
fn time_of(date: &str) -> SystemTime {
    let number = |range: std::ops::Range<usize>| date[range].parse::<i64>().unwrap();
    let (year, month, day) = (number(0..4), number(4..6), number(6..8));
    // Days from the civil calendar, the year beginning in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let seconds = days * DAY + number(9..11) * 3_600 + number(11..13) * 60 + number(13..15);
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap())
}

#[test]
fn requests_to_xray_are_signed_for_xray() {
    let collector = Collector::accepting();
    let provider = Provider::default();
    let tracer = start(xray(&collector, &provider).header("x-extra", "1"));
    for _ in 0..2 {
        below(&tracer, || trace_function!("parse::<Vec<T>>", ()));
        check(&tracer.flush(LIMIT), 1, &[]);
    }
    for request in collector.requests() {
        assert_eq!(request.line, "POST /v1/traces HTTP/1.1");
        assert_eq!(check_signed(&request, &collector.url()), "AKID1");
        // Scenario 30: X-Ray would leave the characters out.
        assert_eq!(request.decode().spans[0].name, "parse::_Vec_T__");
    }
    assert_eq!(provider.0.load(Ordering::SeqCst), 1);
}

#[test]
fn credentials_that_are_not_accepted_are_looked_up_again_once() {
    for (refused, delivered, failed) in [(1, 1, &[][..]), (2, 0, &[(Reason::Rejected, 1)][..])] {
        let collector = Collector::start(move |request| {
            if request.number <= refused { Answer::Refuse(403, None) } else { Answer::Accept }
        });
        let tracer = start(xray(&collector, &Provider::default()));
        spans(&tracer, 1);
        check(&tracer.flush(LIMIT), delivered, failed);
        let keys: Vec<_> =
            collector.requests().iter().map(|it| check_signed(it, &collector.url())).collect();
        assert_eq!(keys, ["AKID1", "AKID2"]);
    }
}

#[test]
fn scenario_25_spans_too_old_or_too_far_ahead_are_rejected_and_counted() {
    for (moved, is_taken) in
        [(15 * DAY, false), (13 * DAY, true), (-3 * 3_600, false), (-3_600, true)]
    {
        let collector = Collector::accepting();
        let tracer = start(xray(&collector, &Provider::default()).clock(Moved(moved)));
        spans(&tracer, 2);
        let report = tracer.flush(LIMIT);
        if is_taken {
            check(&report, 2, &[]);
        } else {
            check(&report, 0, &[(Reason::Rejected, 2)]);
            assert!(collector.requests().is_empty());
        }
    }
    // A collector takes spans of any time.
    let collector = Collector::accepting();
    let tracer = start(Otlp::new(collector.url()).clock(Moved(15 * DAY)));
    spans(&tracer, 1);
    check(&tracer.flush(LIMIT), 1, &[]);
}
