//! Whose doing an error is: the flags `fault`, `error` and `throttle` of a segment.

use std::error::Error;
use std::io;
use std::sync::Arc;

/// What X-Ray counts an error as. It colours the service map and the trace.
///
/// An error of which nothing is known is a [`ErrorClass::Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// The service failed (5xx): flag `fault`.
    Fault,
    /// The caller asked for what it cannot have (4xx): flag `error`.
    Error,
    /// The caller asked too often (429): flags `error` and `throttle`.
    Throttle,
}

impl ErrorClass {
    /// By the status of an HTTP answer, as X-Ray defines it: 429 is a throttle, any other 4xx an
    /// error, and all else, of what was an error after all, a fault.
    ///
    /// ```
    /// use obs_tracing::ErrorClass;
    ///
    /// assert_eq!(ErrorClass::of_status(404), ErrorClass::Error);
    /// assert_eq!(ErrorClass::of_status(429), ErrorClass::Throttle);
    /// assert_eq!(ErrorClass::of_status(503), ErrorClass::Fault);
    /// ```
    pub const fn of_status(status: u16) -> Self {
        match status {
            429 => Self::Throttle,
            400..=499 => Self::Error,
            _ => Self::Fault,
        }
    }

    /// By what an AWS service answered: its status and its error's code. Services throttle with 400 and
    /// 503 as well; then the code says so, from the list by which the AWS SDKs retry.
    ///
    /// ```
    /// use obs_tracing::ErrorClass;
    ///
    /// let class = ErrorClass::of_aws(400, "ProvisionedThroughputExceededException");
    /// assert_eq!(class, ErrorClass::Throttle);
    /// assert_eq!(ErrorClass::of_aws(400, "ValidationException"), ErrorClass::Error);
    /// ```
    pub fn of_aws(status: u16, code: &str) -> Self {
        if THROTTLES.contains(&code) { Self::Throttle } else { Self::of_status(status) }
    }

    /// The segment's flags.
    pub(crate) const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Fault => &["fault"],
            Self::Error => &["error"],
            Self::Throttle => &["error", "throttle"],
        }
    }
}

/// The codes of errors that say "too often", as in the AWS SDKs' standard retry mode.
const THROTTLES: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// An error that says whose doing it is. Where a function with [`#[traced]`](macro@crate::traced), or
/// the expression of [`trace_function!`](crate::trace_function), returns one in an `Err`, its segment
/// is flagged so.
///
/// For an error of another crate, say it at the function: `#[traced(classify = |error| …)]`.
///
/// ```
/// use obs_tracing::{Classify, ErrorClass, traced};
///
/// #[derive(Debug)]
/// enum PaymentError {
///     Declined,
///     TooManyAttempts,
///     Provider { status: u16 },
/// }
///
/// impl Classify for PaymentError {
///     fn classify(&self) -> ErrorClass {
///         match self {
///             Self::Declined => ErrorClass::Error,
///             Self::TooManyAttempts => ErrorClass::Throttle,
///             Self::Provider { status } => ErrorClass::of_status(*status),
///         }
///     }
/// }
///
/// #[traced]
/// fn charge(cents: u32) -> Result<(), PaymentError> {
///     if cents == 0 { Err(PaymentError::Declined) } else { Ok(()) }
/// }
/// # assert!(charge(0).is_err());
/// # let _ = (PaymentError::TooManyAttempts.classify(), PaymentError::Provider { status: 503 }.classify());
/// ```
pub trait Classify {
    /// Whose doing it is. Asked only where the call is sampled.
    fn classify(&self) -> ErrorClass;
}

impl<T: Classify + ?Sized> Classify for &T {
    fn classify(&self) -> ErrorClass {
        (**self).classify()
    }
}

impl<T: Classify + ?Sized> Classify for Box<T> {
    fn classify(&self) -> ErrorClass {
        (**self).classify()
    }
}

impl<T: Classify + ?Sized> Classify for Arc<T> {
    fn classify(&self) -> ErrorClass {
        (**self).classify()
    }
}

/// Calls a macro with the standard library's errors that say that the input was wrong.
macro_rules! with_input_errors {
    ($call:ident) => {
        $call! {
            std::array::TryFromSliceError,
            std::char::CharTryFromError,
            std::char::ParseCharError,
            std::net::AddrParseError,
            std::num::ParseFloatError,
            std::num::ParseIntError,
            std::num::TryFromIntError,
            std::str::ParseBoolError,
            std::str::Utf8Error,
            std::string::FromUtf16Error,
            std::string::FromUtf8Error,
        }
    };
}

macro_rules! classify_as_errors {
    ($($ty:ty,)+) => {$(
        /// What was to be read was wrong: [`ErrorClass::Error`].
        impl Classify for $ty {
            fn classify(&self) -> ErrorClass {
                ErrorClass::Error
            }
        }
    )+};
}

with_input_errors!(classify_as_errors);

/// [`ErrorClass::Error`] for `InvalidInput` and for what was made of an error that says so itself. Whose
/// doing it is that a file is missing or may not be read, nobody knows: [`ErrorClass::Fault`].
impl Classify for io::Error {
    fn classify(&self) -> ErrorClass {
        of_standard(self).unwrap_or(ErrorClass::Fault)
    }
}

/// What is known of an error whose type was erased.
pub(crate) fn of_standard(error: &(dyn Error + 'static)) -> Option<ErrorClass> {
    macro_rules! is_any {
        ($($ty:ty,)+) => { $(error.is::<$ty>())||+ };
    }
    if with_input_errors!(is_any) {
        return Some(ErrorClass::Error);
    }
    let error = error.downcast_ref::<io::Error>()?;
    match error.get_ref() {
        Some(inner) => of_standard(inner),
        None => (error.kind() == io::ErrorKind::InvalidInput).then_some(ErrorClass::Error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_a_class() {
        let cases = [
            (200, ErrorClass::Fault),
            (302, ErrorClass::Fault),
            (399, ErrorClass::Fault),
            (400, ErrorClass::Error),
            (404, ErrorClass::Error),
            (428, ErrorClass::Error),
            (429, ErrorClass::Throttle),
            (430, ErrorClass::Error),
            (499, ErrorClass::Error),
            (500, ErrorClass::Fault),
            (503, ErrorClass::Fault),
            (0, ErrorClass::Fault),
        ];
        for (status, expected) in cases {
            assert_eq!(ErrorClass::of_status(status), expected, "{status}");
        }
    }

    #[test]
    fn a_code_of_aws_tells_a_throttle() {
        let cases = [
            (503, "SlowDown", ErrorClass::Throttle),
            (400, "ThrottlingException", ErrorClass::Throttle),
            (429, "", ErrorClass::Throttle),
            (400, "ResourceNotFoundException", ErrorClass::Error),
            (500, "InternalServerError", ErrorClass::Fault),
        ];
        for (status, code, expected) in cases {
            assert_eq!(ErrorClass::of_aws(status, code), expected, "{status} {code}");
        }
    }

    #[test]
    fn the_standard_librarys_errors_of_input_are_the_callers() {
        let parse = || "x".parse::<u8>().unwrap_err();
        let cases: [(Box<dyn Error>, Option<ErrorClass>); 7] = [
            (Box::new(parse()), Some(ErrorClass::Error)),
            (Box::new("x".parse::<std::net::IpAddr>().unwrap_err()), Some(ErrorClass::Error)),
            (Box::new(io::Error::from(io::ErrorKind::InvalidInput)), Some(ErrorClass::Error)),
            (Box::new(io::Error::other(parse())), Some(ErrorClass::Error)),
            // Whose fault it is that a file is missing, nobody knows.
            (Box::new(io::Error::from(io::ErrorKind::NotFound)), None),
            (Box::new(io::Error::other("no")), None),
            (Box::new(std::fmt::Error), None),
        ];
        for (error, expected) in cases {
            assert_eq!(of_standard(&*error), expected, "{error:?}");
        }
    }
}
