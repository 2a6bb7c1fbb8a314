//! What a server's answer means.

use std::time::{Duration, SystemTime};

use super::protobuf::{Field, fields};
use crate::http::{Answer, Verdict};

/// How an attempt ended that was answered, and what to tell people of it, if anything. `sent` is how
/// many `items` (`spans`, `points`) the request had; AWS's own endpoints, where `is_signed`, may
/// accept other credentials.
pub fn judge(
    answer: &Answer,
    sent: usize,
    items: &str,
    is_signed: bool,
    now: SystemTime,
) -> (Verdict, Option<String>) {
    if (200..300).contains(&answer.status()) {
        return accepted(answer.body(), sent, items);
    }
    let verdict = of_status(answer.status(), answer.retry_after(now), is_signed);
    // A server of OTLP says why in protobuf, proxies and AWS in text.
    let said = answer.said().unwrap_or_else(|| {
        // `google.rpc.Status`: its message.
        text_of(answer.body(), 2)
    });
    (verdict, Some(format!("{} {said}", answer.status()).trim_end().to_owned()))
}

/// All of it, or all but some, which must not be sent again. What cannot be read says nothing.
fn accepted(body: &[u8], sent: usize, items: &str) -> (Verdict, Option<String>) {
    // `Export…ServiceResponse`: field 1 is the partial success, of which field 1 is the number of what
    // was refused and field 2 says why. So it is for all signals.
    let partial = fields(body).find_map(|(number, field)| match field {
        Field::Bytes(partial) if number == 1 => Some(partial),
        _ => None,
    });
    let Some(partial) = partial else { return (Verdict::Delivered { rejected: 0 }, None) };
    let rejected = fields(partial).find_map(|(number, field)| match field {
        // An int64: a negative number is none that anybody means.
        Field::Number(rejected) if number == 1 => usize::try_from(rejected.cast_signed()).ok(),
        _ => None,
    });
    let rejected = rejected.unwrap_or(0).min(sent);
    // A message without anything refused is a warning.
    let failure = (rejected > 0)
        .then(|| format!("{rejected} of {sent} {items} refused: {}", text_of(partial, 2)));
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

fn text_of(message: &[u8], wanted: u64) -> String {
    let text = fields(message).find_map(|(number, field)| match field {
        Field::Bytes(text) if number == wanted => Some(text),
        _ => None,
    });
    let text = std::str::from_utf8(text.unwrap_or_default()).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer::new(status, None, body)
    }

    /// A response whose partial success refuses this varint, with a message.
    fn partial(rejected: &[u8]) -> Vec<u8> {
        let partial = [&[0x08], rejected, &[0x12, 0x07], b"too old"].concat();
        [&[0x0a, u8::try_from(partial.len()).unwrap()][..], &partial].concat()
    }

    #[test]
    fn what_a_server_refused_is_counted_once() {
        const MINUS_ONE: [u8; 10] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        for (body, rejected) in [
            (Vec::new(), 0),
            (partial(&[0]), 0),
            (partial(&[2]), 2),
            (partial(&[99]), 5),
            (partial(&MINUS_ONE), 0),
            (b"not protobuf".to_vec(), 0),
        ] {
            let (verdict, failure) =
                judge(&answer(200, body), 5, "spans", false, SystemTime::now());
            assert_eq!(verdict, Verdict::Delivered { rejected });
            let expected =
                (rejected > 0).then(|| format!("{rejected} of 5 spans refused: too old"));
            assert_eq!(failure, expected);
        }
    }

    #[test]
    fn a_refusal_is_told_with_its_reason() {
        let status = [&[0x08, 0x03, 0x12, 0x09][..], b"bad point"].concat();
        for (body, expected) in [
            (status, "400 bad point"),
            (b"{\"message\":\n \"no\"}".to_vec(), "400 {\"message\": \"no\"}"),
            (Vec::new(), "400"),
            (vec![0xff; 8], "400"),
        ] {
            let (verdict, failure) =
                judge(&answer(400, body), 5, "spans", false, SystemTime::now());
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
