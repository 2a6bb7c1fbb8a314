//! What a server's answer means.

use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;

use super::client::Answer;
use super::retry::{self, Verdict};

/// How an attempt ended that was answered, and what to tell people of it, if anything.
pub(crate) fn judge(
    answer: &Answer,
    points: usize,
    is_signed: bool,
    now: SystemTime,
) -> (Verdict, Option<String>) {
    if (200..300).contains(&answer.status) {
        return accepted(&answer.body, points);
    }
    let retry_after = answer.retry_after.as_deref().and_then(|text| wait_of(text, now));
    let verdict = retry::of_status(answer.status, retry_after, is_signed);
    let said = said(&answer.body);
    (verdict, Some(format!("{} {said}", answer.status).trim_end().to_owned()))
}

/// All of it, or all but some points, which must not be sent again. What cannot be read says nothing.
fn accepted(body: &[u8], points: usize) -> (Verdict, Option<String>) {
    let partial = ExportMetricsServiceResponse::decode(body).ok().and_then(|it| it.partial_success);
    let Some(partial) = partial else { return (Verdict::Delivered { rejected: 0 }, None) };
    let rejected = usize::try_from(partial.rejected_data_points).unwrap_or(0).min(points);
    // A message without rejected points is a warning.
    let failure = (rejected > 0)
        .then(|| format!("{rejected} of {points} points refused: {}", partial.error_message));
    (Verdict::Delivered { rejected }, failure)
}

/// `Retry-After`: seconds, or a date.
fn wait_of(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::from_str(text, Format::HttpDate).ok()?;
    let at = SystemTime::try_from(at).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

/// `google.rpc.Status`, in which a server of OTLP says why it refuses.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// What the body of a refusal says to people.
fn said(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) if !text.chars().any(|c| c.is_control() && !c.is_whitespace()) => {
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        }
        _ => Status::decode(body).map(|status| status.message).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use hyper::body::Bytes;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsPartialSuccess;

    use super::*;

    fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
        Answer { status, retry_after: None, body: body.into() }
    }

    fn partial(rejected: i64) -> Vec<u8> {
        let error_message = "too old".to_owned();
        let partial = ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message };
        ExportMetricsServiceResponse { partial_success: Some(partial) }.encode_to_vec()
    }

    #[test]
    fn points_that_a_server_refused_are_counted_once() {
        for (body, rejected) in [
            (Vec::new(), 0),
            (partial(0), 0),
            (partial(2), 2),
            (partial(99), 5),
            (partial(-1), 0),
            (b"not protobuf".to_vec(), 0),
        ] {
            let (verdict, failure) = judge(&answer(200, body), 5, false, SystemTime::now());
            assert_eq!(verdict, Verdict::Delivered { rejected });
            assert_eq!(failure.is_some(), rejected > 0, "{failure:?}");
        }
    }

    #[test]
    fn a_refusal_is_told_with_its_reason() {
        let status = Status { code: 3, message: "bad point".into() }.encode_to_vec();
        for (body, expected) in [
            (status, "400 bad point"),
            (b"{\"message\":\n \"no\"}".to_vec(), "400 {\"message\": \"no\"}"),
            (Vec::new(), "400"),
            (vec![0xff; 8], "400"),
        ] {
            let (verdict, failure) = judge(&answer(400, body), 5, false, SystemTime::now());
            assert_eq!(verdict, Verdict::Refused);
            assert_eq!(failure.as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_server_says_when_in_seconds_or_by_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_480);
        for (text, expected) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(wait_of(text, now), expected.map(Duration::from_secs), "{text}");
        }
    }
}
