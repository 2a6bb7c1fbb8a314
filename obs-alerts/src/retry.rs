//! When a failed entry is sent again: pure decisions, apart from the sending.

use std::time::Duration;

use obs_core::lane::Reason;

/// How often and how fast alerts are sent again that the bus did not take.
///
/// The only retry policy there is: the SDK's own is switched off. The wait doubles from `base` to
/// `cap`, half of it random. The defaults go on for about half a minute.
///
/// ```
/// use obs_alerts::Retry;
/// use std::time::Duration;
///
/// let patient = Retry::default().attempts(20).cap(Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a policy is given to the publisher's builder"]
pub struct Retry {
    attempts: u32,
    base: Duration,
    cap: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 10, base: Duration::from_millis(100), cap: Duration::from_secs(10) }
    }
}

impl Retry {
    /// How often an alert is sent at most, the first time included. Default 10; at least 1.
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// The first wait. Default 100 ms; at least 1 ms, so that a policy never spins.
    pub const fn base(mut self, base: Duration) -> Self {
        self.base = if base.as_nanos() < 1_000_000 { Duration::from_millis(1) } else { base };
        self
    }

    /// The longest wait. Default 10 s.
    pub const fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// What to do with an entry after its `attempt`th attempt (the first is 1) ended so. `jitter`
    /// is a random number from 0 to 1.
    pub(crate) fn step(&self, attempt: u32, verdict: Verdict, jitter: f64) -> Step {
        match verdict {
            Verdict::Delivered => Step::Delivered,
            Verdict::Refused => Step::Failed(Reason::Rejected),
            Verdict::TooLarge => Step::Failed(Reason::TooLarge),
            _ if attempt >= self.attempts => Step::Failed(Reason::SinkFailed),
            // A kept connection that died in a freeze: a fresh one is tried at once, one time.
            Verdict::ConnectionLost if attempt == 1 => Step::Again(Duration::ZERO),
            // The request as a whole was refused: each entry alone says which one it was.
            Verdict::Suspect => Step::Alone,
            Verdict::ConnectionLost | Verdict::Failed => Step::Again(self.wait(attempt, jitter)),
        }
    }

    /// The wait after the `attempt`th attempt.
    fn wait(&self, attempt: u32, jitter: f64) -> Duration {
        let doubled = self.base.saturating_mul(1 << (attempt - 1).min(20));
        let half = doubled.min(self.cap.max(self.base)) / 2;
        half + half.mul_f64(jitter.clamp(0.0, 1.0))
    }
}

/// How an attempt ended for one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is on the bus.
    Delivered,
    /// It is not, and may be the next time: throttled, an error of the service, out of time.
    Failed,
    /// As `Failed`, because the connection broke, or none could be made.
    ConnectionLost,
    /// The request was refused for what is in it, which may be any of its entries.
    Suspect,
    /// It is refused, and will be each time.
    Refused,
    /// It is larger than the bus takes.
    TooLarge,
}

/// What is done with an entry next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is counted as delivered.
    Delivered,
    /// It is counted as failed, for this reason.
    Failed(Reason),
    /// It is sent again after this time.
    Again(Duration),
    /// It is sent again at once, in a request of its own.
    Alone,
}

/// The verdict on one entry of a request that the service answered: `id` is given to what is on the
/// bus, `code` to what is not.
///
/// What is not known to be final is tried again: the number of attempts is limited anyway.
pub(crate) fn of_entry(id: Option<&str>, code: Option<&str>) -> Verdict {
    /// EventBridge, `PutEventsResultEntry`: "non-retryable errors include".
    const FINAL: [&str; 9] = [
        "AccessDeniedException",
        "InvalidAccountIdException",
        "InvalidArgument",
        "MalformedDetail",
        "RedactionFailure",
        "NotAuthorizedForSource",
        "NotAuthorizedForSourceException",
        "NotAuthorizedForDetailType",
        "NotAuthorizedForDetailTypeException",
    ];
    match (id, code) {
        (_, Some(code)) if FINAL.contains(&code) => Verdict::Refused,
        (_, Some(_)) | (None, None) => Verdict::Failed,
        (Some(_), None) => Verdict::Delivered,
    }
}

/// The verdict on a request of `entries` entries that the service refused as a whole.
pub(crate) fn of_response(status: u16, code: Option<&str>, entries: usize) -> Verdict {
    /// Refused with a 4xx status now, and perhaps not the next time.
    const PASSING: [&str; 14] = [
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "RequestTimeout",
        "RequestTimeoutException",
        "InternalException",
        "InternalFailure",
        "ServiceUnavailable",
        // The clock was wrong, or the credentials have just been replaced.
        "RequestExpired",
        "ExpiredTokenException",
        "InvalidSignatureException",
    ];
    /// Refused for what the request holds.
    const CONTENT: [&str; 4] = [
        "ValidationException",
        "ValidationError",
        "SerializationException",
        "RequestEntityTooLargeException",
    ];
    match (status, code) {
        (500.. | 408 | 425 | 429, _) => Verdict::Failed,
        (_, Some(code)) if PASSING.contains(&code) => Verdict::Failed,
        (413, _) if entries == 1 => Verdict::TooLarge,
        (413, _) => Verdict::Suspect,
        (400, Some(code)) if CONTENT.contains(&code) && entries > 1 => Verdict::Suspect,
        (400..500, _) => Verdict::Refused,
        // Neither an error nor an answer that could be read.
        _ => Verdict::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_judged_by_their_own_code() {
        let check =
            |id, code, expected| assert_eq!(of_entry(id, code), expected, "{id:?} {code:?}");
        check(Some("e1"), None, Verdict::Delivered);
        check(None, None, Verdict::Failed);
        check(None, Some("InternalFailure"), Verdict::Failed);
        check(None, Some("ThrottlingException"), Verdict::Failed);
        check(None, Some("SomethingNew"), Verdict::Failed);
        check(Some("e1"), Some("ThrottlingException"), Verdict::Failed);
        check(None, Some("MalformedDetail"), Verdict::Refused);
        check(None, Some("AccessDeniedException"), Verdict::Refused);
        check(None, Some("NotAuthorizedForSourceException"), Verdict::Refused);
    }

    #[test]
    fn requests_are_judged_by_status_and_code() {
        let check = |status, code, entries, expected| {
            assert_eq!(of_response(status, code, entries), expected, "{status} {code:?} {entries}");
        };
        check(500, None, 10, Verdict::Failed);
        check(503, Some("ServiceUnavailable"), 10, Verdict::Failed);
        check(429, None, 10, Verdict::Failed);
        check(400, Some("ThrottlingException"), 10, Verdict::Failed);
        check(400, Some("ExpiredTokenException"), 10, Verdict::Failed);
        check(400, Some("AccessDeniedException"), 10, Verdict::Refused);
        check(403, None, 10, Verdict::Refused);
        check(400, Some("UnrecognizedClientException"), 1, Verdict::Refused);
        check(400, Some("ValidationException"), 10, Verdict::Suspect);
        check(400, Some("ValidationException"), 1, Verdict::Refused);
        check(413, None, 10, Verdict::Suspect);
        check(413, None, 1, Verdict::TooLarge);
        check(200, None, 10, Verdict::Failed);
        check(302, None, 10, Verdict::Failed);
    }

    #[test]
    fn a_verdict_and_the_number_of_attempts_say_what_is_next() {
        let retry = Retry::default().attempts(3);
        let check = |attempt, verdict, expected| {
            assert_eq!(retry.step(attempt, verdict, 1.0), expected, "{attempt} {verdict:?}");
        };
        let millis = |n| Step::Again(Duration::from_millis(n));
        check(1, Verdict::Delivered, Step::Delivered);
        check(3, Verdict::Delivered, Step::Delivered);
        check(1, Verdict::Refused, Step::Failed(Reason::Rejected));
        check(1, Verdict::TooLarge, Step::Failed(Reason::TooLarge));
        check(1, Verdict::Suspect, Step::Alone);
        check(3, Verdict::Suspect, Step::Failed(Reason::SinkFailed));
        check(1, Verdict::Failed, millis(100));
        check(2, Verdict::Failed, millis(200));
        check(3, Verdict::Failed, Step::Failed(Reason::SinkFailed));
        check(1, Verdict::ConnectionLost, millis(0));
        check(2, Verdict::ConnectionLost, millis(200));
        check(3, Verdict::ConnectionLost, Step::Failed(Reason::SinkFailed));
    }

    #[test]
    fn waits_double_up_to_the_cap_and_half_of_them_is_random() {
        let retry = Retry::default();
        let check = |attempt, jitter, millis| {
            assert_eq!(retry.wait(attempt, jitter), Duration::from_millis(millis), "{attempt}");
        };
        check(1, 0.0, 50);
        check(1, 1.0, 100);
        check(2, 0.5, 150);
        check(7, 1.0, 6_400);
        check(8, 1.0, 10_000);
        check(8, 0.0, 5_000);
        check(u32::MAX, 1.0, 10_000);
        check(1, 7.0, 100);
        // A cap below the base is the base.
        let odd = Retry::default().cap(Duration::ZERO);
        assert_eq!(odd.wait(5, 1.0), Duration::from_millis(100));
    }

    #[test]
    fn a_policy_neither_gives_up_before_it_began_nor_spins() {
        let least = Retry::default().attempts(0).base(Duration::ZERO).cap(Duration::ZERO);
        assert_eq!(
            least,
            Retry::default().attempts(1).base(Duration::from_millis(1)).cap(Duration::ZERO)
        );
        assert!(least.wait(1, 0.0) > Duration::ZERO);
    }

    #[test]
    fn the_defaults_go_on_for_about_half_a_minute() {
        let retry = Retry::default();
        let total: Duration = (1..retry.attempts).map(|attempt| retry.wait(attempt, 0.5)).sum();
        assert!((20..40).contains(&total.as_secs()), "{total:?}");
    }
}
