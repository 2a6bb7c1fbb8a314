//! What a server's answer means.

use std::time::{Duration, SystemTime};

use obs_core::http::{Answer, Verdict};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;

/// How an attempt ended that was answered, and what to tell people of it, if anything.
pub(crate) fn judge(
    answer: &Answer,
    points: usize,
    is_signed: bool,
    now: SystemTime,
) -> (Verdict, Option<String>) {
    if (200..300).contains(&answer.status()) {
        return accepted(answer.body(), points);
    }
    let verdict = of_status(answer.status(), answer.retry_after(now), is_signed);
    // A server of OTLP says why in protobuf, proxies and AWS in text.
    let said = answer.said().unwrap_or_else(|| {
        Status::decode(answer.body()).map(|status| status.message).unwrap_or_default()
    });
    (verdict, Some(format!("{} {said}", answer.status()).trim_end().to_owned()))
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

/// The verdict on a status that is not 2xx. OTLP names those after which a request may be sent
/// again; every other one is final.
fn of_status(status: u16, retry_after: Option<Duration>, is_signed: bool) -> Verdict {
    match status {
        429 | 502..=504 => Verdict::Failed { retry_after },
        413 => Verdict::TooLarge,
        // Credentials that have just been replaced.
        401 | 403 if is_signed => Verdict::Unauthorized,
        _ => Verdict::Refused,
    }
}

/// `google.rpc.Status`, in which a server of OTLP says why it refuses.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsPartialSuccess;

    use super::*;

    fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer::new(status, None, body)
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
    fn statuses_are_those_of_the_specification() {
        let failed = Verdict::Failed { retry_after: None };
        for (status, is_signed, expected) in [
            (429, false, failed),
            (502, false, failed),
            (503, false, failed),
            (504, false, failed),
            (500, false, Verdict::Refused),
            (400, false, Verdict::Refused),
            (301, false, Verdict::Refused),
            (403, false, Verdict::Refused),
            (403, true, Verdict::Unauthorized),
            (413, false, Verdict::TooLarge),
        ] {
            assert_eq!(of_status(status, None, is_signed), expected, "{status}");
        }
    }
}
