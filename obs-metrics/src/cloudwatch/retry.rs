//! When a failed request is sent again, and as what: pure decisions, apart from the sending.

use std::time::Duration;

use obs_core::lane::Reason;

/// The first wait is at most this; each further one doubles, up to the cap.
const BASE: Duration = Duration::from_millis(100);
const CAP: Duration = Duration::from_secs(10);
/// How often a request is tried that could not even be signed: credentials providers try again
/// themselves, and a process without credentials should say so soon.
const UNSENT_ATTEMPTS: u32 = 3;
/// Refusals in one delivery after which nothing is split any more: enough to find some twenty
/// offenders among a thousand metrics, and a bound where all are refused.
pub(super) const MAX_REFUSALS: u32 = 256;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// CloudWatch took it.
    Delivered,
    /// It did not, and may the next time: throttled, an error of the service, out of time.
    Failed,
    /// As `Failed`, because the connection broke, or none could be made.
    ConnectionLost,
    /// As `Failed`, before anything was sent: there are no credentials, or no endpoint.
    Unsent,
    /// The request was refused for what is in it, which may be any of its metrics.
    Suspect,
    /// As `Suspect`, because it is too large.
    TooLarge,
    /// It is refused, and will be each time.
    Refused,
}

/// What is done with a request next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All of it is counted as delivered.
    Delivered,
    /// All of it is counted as failed, for this reason.
    Failed(Reason),
    /// It is sent again after this time.
    Again(Duration),
    /// Its halves are sent at once.
    Split,
}

/// What is known of a request whose attempt has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried {
    /// How many metrics it has.
    pub(super) metrics: usize,
    /// How often it failed before.
    pub(super) failures: u32,
    /// How often it is tried at most.
    pub(super) attempts: u32,
    /// How many requests of this delivery were refused before.
    pub(super) refusals: u32,
}

/// What to do after `verdict`. `jitter` is a random number from 0 to 1.
pub(super) fn step(verdict: Verdict, tried: Tried, jitter: f64) -> Step {
    let failed = tried.failures.saturating_add(1);
    let splits = tried.metrics > 1 && tried.refusals < MAX_REFUSALS;
    match verdict {
        Verdict::Delivered => Step::Delivered,
        // The request as a whole was refused: its halves say which metric it was.
        Verdict::Suspect | Verdict::TooLarge if splits => Step::Split,
        Verdict::TooLarge => Step::Failed(Reason::TooLarge),
        Verdict::Suspect | Verdict::Refused => Step::Failed(Reason::Rejected),
        // A kept connection that died in a freeze: a fresh one is tried at once, one time, whatever
        // the number of attempts is.
        Verdict::ConnectionLost if failed == 1 => Step::Again(Duration::ZERO),
        Verdict::Unsent if failed >= UNSENT_ATTEMPTS => Step::Failed(Reason::SinkFailed),
        _ if failed >= tried.attempts => Step::Failed(Reason::SinkFailed),
        Verdict::ConnectionLost | Verdict::Failed | Verdict::Unsent => {
            Step::Again(wait(failed, jitter))
        }
    }
}

/// The wait after the `failed`th failure: all of it random, so that processes that failed together do
/// not come back together.
fn wait(failed: u32, jitter: f64) -> Duration {
    /// So that nothing spins.
    const LEAST: Duration = Duration::from_millis(1);
    let most = BASE.saturating_mul(1 << failed.saturating_sub(1).min(20)).min(CAP);
    most.mul_f64(jitter.clamp(0.0, 1.0)).max(LEAST)
}

/// The verdict on a request that the service did not take.
pub(super) fn of_response(status: u16, code: Option<&str>) -> Verdict {
    /// Refused with a 4xx status now, and perhaps not the next time.
    const PASSING: [&str; 15] = [
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "RequestTimeout",
        "RequestTimeoutException",
        "InternalFailure",
        "InternalServiceError",
        "ServiceUnavailable",
        // The clock was wrong, or the credentials have just been replaced.
        "RequestExpired",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidSignatureException",
    ];
    /// Refused with status 400 for who sends it, whatever is in it.
    const DENIED: [&str; 12] = [
        "AccessDenied",
        "AccessDeniedException",
        "NotAuthorized",
        "UnauthorizedOperation",
        "OptInRequired",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "InvalidAction",
        "UnknownOperationException",
    ];
    match (status, code) {
        (500.. | 408 | 425 | 429, _) => Verdict::Failed,
        (400..500, Some(code)) if PASSING.contains(&code) => Verdict::Failed,
        (413, _) => Verdict::TooLarge,
        (400, Some(code)) if DENIED.contains(&code) => Verdict::Refused,
        (400, _) => Verdict::Suspect,
        (400..500, _) => Verdict::Refused,
        // Neither an error nor an answer that could be read.
        _ => Verdict::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIED: Tried = Tried { metrics: 8, failures: 0, attempts: 4, refusals: 0 };

    #[track_caller]
    fn check(verdict: Verdict, tried: Tried, expected: Step) {
        assert_eq!(step(verdict, tried, 1.0), expected);
    }

    fn millis(n: u64) -> Step {
        Step::Again(Duration::from_millis(n))
    }

    #[test]
    fn a_verdict_and_what_was_tried_say_what_is_next() {
        let failures = |failures| Tried { failures, ..TRIED };
        check(Verdict::Delivered, failures(9), Step::Delivered);
        check(Verdict::Refused, TRIED, Step::Failed(Reason::Rejected));
        check(Verdict::Failed, TRIED, millis(100));
        check(Verdict::Failed, failures(2), millis(400));
        check(Verdict::Failed, failures(3), Step::Failed(Reason::SinkFailed));
        check(Verdict::Unsent, failures(1), millis(200));
        check(Verdict::Unsent, failures(2), Step::Failed(Reason::SinkFailed));
    }

    #[test]
    fn what_is_refused_is_split_until_it_is_one_metric() {
        let alone = Tried { metrics: 1, ..TRIED };
        let too_many = Tried { refusals: MAX_REFUSALS, ..TRIED };
        for (verdict, reason) in
            [(Verdict::Suspect, Reason::Rejected), (Verdict::TooLarge, Reason::TooLarge)]
        {
            check(verdict, TRIED, Step::Split);
            check(verdict, Tried { failures: 9, ..TRIED }, Step::Split);
            check(verdict, alone, Step::Failed(reason));
            check(verdict, too_many, Step::Failed(reason));
        }
    }

    #[test]
    fn scenario_15_a_fresh_connection_is_tried_at_once_and_in_any_case() {
        check(Verdict::ConnectionLost, TRIED, millis(0));
        check(Verdict::ConnectionLost, Tried { attempts: 1, ..TRIED }, millis(0));
        check(Verdict::ConnectionLost, Tried { failures: 1, ..TRIED }, millis(200));
        let once = Tried { attempts: 1, failures: 1, ..TRIED };
        check(Verdict::ConnectionLost, once, Step::Failed(Reason::SinkFailed));
    }

    #[test]
    fn waits_double_up_to_the_cap_and_are_random_in_their_whole_length() {
        let check = |failed, jitter, millis| {
            assert_eq!(wait(failed, jitter), Duration::from_millis(millis), "{failed} {jitter}");
        };
        check(1, 1.0, 100);
        check(1, 0.5, 50);
        check(1, 0.0, 1);
        check(2, 1.0, 200);
        check(7, 1.0, 6_400);
        check(8, 1.0, 10_000);
        check(u32::MAX, 1.0, 10_000);
        check(u32::MAX, 7.0, 10_000);
        let total: Duration = (1..10).map(|failed| wait(failed, 0.5)).sum();
        assert!((15..40).contains(&total.as_secs()), "{total:?}");
    }

    #[test]
    fn requests_are_judged_by_status_and_code() {
        let check = |status, code, expected| {
            assert_eq!(of_response(status, code), expected, "{status} {code:?}");
        };
        check(500, None, Verdict::Failed);
        check(500, Some("InternalServiceError"), Verdict::Failed);
        check(503, Some("AccessDenied"), Verdict::Failed);
        check(429, None, Verdict::Failed);
        check(400, Some("Throttling"), Verdict::Failed);
        check(400, Some("ThrottlingException"), Verdict::Failed);
        check(403, Some("RequestExpired"), Verdict::Failed);
        check(400, Some("InvalidParameterValue"), Verdict::Suspect);
        check(400, Some("InvalidParameterCombination"), Verdict::Suspect);
        check(400, Some("MissingParameter"), Verdict::Suspect);
        check(400, Some("ValidationError"), Verdict::Suspect);
        check(400, None, Verdict::Suspect);
        check(413, None, Verdict::TooLarge);
        check(413, Some("RequestEntityTooLarge"), Verdict::TooLarge);
        check(400, Some("AccessDenied"), Verdict::Refused);
        check(403, Some("InvalidClientTokenId"), Verdict::Refused);
        check(404, None, Verdict::Refused);
        check(302, None, Verdict::Failed);
        check(200, None, Verdict::Failed);
    }
}
