//! What an error is called and what it says: its concrete type's name, its message, its causes.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use obs_core::error_type::{self, UNKNOWN};
use obs_core::guard;

use crate::classify::{ErrorClass, of_standard};
use crate::value::bounded;

/// How far a chain of causes is followed. One that is longer, or goes in a circle, is cut.
const MAX_CHAIN: usize = 8;

/// An error as a segment records it.
#[derive(Clone, Debug)]
pub struct Failure {
    pub(crate) error_type: Cow<'static, str>,
    /// The error and its causes, outermost first; empty unless the message was asked for.
    pub(crate) exceptions: Vec<Exception>,
    /// Whose doing it is, where the error says so.
    pub(crate) class: Option<ErrorClass>,
}

/// One error of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exception {
    pub(crate) error_type: Cow<'static, str>,
    pub(crate) message: String,
    /// Whether the next one in the list caused this one.
    pub(crate) has_cause: bool,
}

impl Exception {
    /// Whether both tell the same error; one of the types may be unknown.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.message == other.message
            && (self.error_type == other.error_type
                || self.error_type == UNKNOWN
                || other.error_type == UNKNOWN)
    }

    /// Whether neither its type nor its cause is known.
    pub(crate) fn is_only_text(&self) -> bool {
        self.error_type == UNKNOWN && !self.has_cause
    }

    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.error_type.len() + self.message.len()
    }
}

impl Failure {
    /// An error of which only the type is known.
    pub(crate) fn of_type<E: ?Sized>() -> Self {
        Self { error_type: error_type::of::<E>(), exceptions: Vec::new(), class: None }
    }

    /// The same, of this class.
    #[must_use]
    pub fn of_class(self, class: Option<ErrorClass>) -> Self {
        Self { class: class.or(self.class), ..self }
    }

    /// An error that displays something, with that as its message if it is asked for.
    pub(crate) fn of_text<E: ?Sized>(message: Option<&dyn fmt::Display>) -> Self {
        let mut failure = Self::of_type::<E>();
        failure.exceptions.extend(message.map(|message| Exception {
            error_type: failure.error_type.clone(),
            message: bounded(message),
            has_cause: false,
        }));
        failure
    }

    /// An error whose type is known, with its message and causes if they are asked for.
    pub(crate) fn of_error<E: Error>(error: &E, with_message: bool) -> Self {
        let error_type = error_type::of::<E>();
        let exceptions = if with_message {
            chain(error_type.clone(), error, source_of(error))
        } else {
            Vec::new()
        };
        Self { error_type, exceptions, class: None }
    }

    /// An error whose type was erased.
    pub(crate) fn of_dyn(error: &(dyn Error + 'static), with_message: bool) -> Self {
        let error_type = type_of(error);
        let exceptions = if with_message {
            chain(error_type.clone(), &error, source_of(error))
        } else {
            Vec::new()
        };
        Self { error_type, exceptions, class: of_standard(error) }
    }

    /// An error that is only a text: one that was logged as `error = %e`.
    pub(crate) fn of_message(message: String) -> Self {
        let exception = Exception { error_type: Cow::Borrowed(UNKNOWN), message, has_cause: false };
        Self { error_type: Cow::Borrowed(UNKNOWN), exceptions: vec![exception], class: None }
    }
}

fn chain(
    error_type: Cow<'static, str>,
    message: &dyn fmt::Display,
    mut source: Option<&(dyn Error + 'static)>,
) -> Vec<Exception> {
    let mut chain = vec![Exception { error_type, message: bounded(message), has_cause: false }];
    while let Some(cause) = source.filter(|_| chain.len() < MAX_CHAIN) {
        if let Some(last) = chain.last_mut() {
            last.has_cause = true;
        }
        chain.push(Exception {
            error_type: type_of(cause),
            message: bounded(&cause),
            has_cause: false,
        });
        source = source_of(cause);
    }
    chain
}

/// The name of an error's type, as far as it tells; its `Debug` may be asked, which is the user's.
fn type_of(error: &(dyn Error + 'static)) -> Cow<'static, str> {
    guard::caught(|| error_type::of_dyn(error)).unwrap_or(Cow::Borrowed(UNKNOWN))
}

fn source_of(error: &dyn Error) -> Option<&(dyn Error + 'static)> {
    guard::caught(|| error.source()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    enum PaymentError {
        Declined(std::num::ParseIntError),
    }
    impl fmt::Display for PaymentError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("declined")
        }
    }
    impl Error for PaymentError {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            let Self::Declined(cause) = self;
            Some(cause)
        }
    }

    #[test]
    fn a_chain_is_followed_to_its_end() {
        let error = PaymentError::Declined("x".parse::<u8>().unwrap_err());
        let failure = Failure::of_error(&error, true);
        assert_eq!(failure.error_type, "PaymentError");
        let told: Vec<_> = failure
            .exceptions
            .iter()
            .map(|e| (&*e.error_type, e.message.as_str(), e.has_cause))
            .collect();
        assert_eq!(
            told,
            [
                ("PaymentError", "declined", true),
                ("ParseIntError", "invalid digit found in string", false)
            ]
        );
        assert!(Failure::of_error(&error, false).exceptions.is_empty());
    }

    #[test]
    fn a_chain_that_is_a_circle_is_cut() {
        #[derive(Debug)]
        struct Circle;
        impl fmt::Display for Circle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("again")
            }
        }
        impl Error for Circle {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&Circle)
            }
        }
        let failure = Failure::of_error(&Circle, true);
        assert_eq!(failure.exceptions.len(), MAX_CHAIN);
        assert!(failure.exceptions.last().is_some_and(|last| !last.has_cause));
    }
}
