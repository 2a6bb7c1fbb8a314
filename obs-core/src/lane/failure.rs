//! Why a sink that sends could not, in words for people.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::lock;

/// Characters of a failure that are kept: a service may answer with a page.
const SHOWN: usize = 500;

/// Why the last attempt that failed did so, in words for people: nothing is logged by a sink, whose
/// own log lines could be what fails. Displays `no failure` where there was none.
#[derive(Clone, Default)]
pub struct LastFailure(Arc<Mutex<Option<String>>>);

impl LastFailure {
    /// The failure, cut to 500 characters; `None` where there was none.
    pub fn get(&self) -> Option<String> {
        lock(&self.0).clone()
    }

    /// Notes a failure, in the place of the one before. It must hold no secret.
    pub fn set(&self, failure: String) {
        let failure = match failure.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &failure[..end]),
            None => failure,
        };
        *lock(&self.0) = Some(failure);
    }
}

impl fmt::Display for LastFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.get().as_deref().unwrap_or("no failure"))
    }
}

impl fmt::Debug for LastFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LastFailure").field(&self.get()).finish()
    }
}

/// An error with its causes, each said once.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_kept_short_and_the_last_one_wins() {
        let failure = LastFailure::default();
        assert_eq!((failure.get(), failure.to_string()), (None, "no failure".to_owned()));
        failure.set("first".to_owned());
        failure.clone().set("ä".repeat(600));
        assert_eq!(failure.get().unwrap().chars().count(), SHOWN + 1);
    }

    #[test]
    fn causes_are_said_once() {
        let inner = std::io::Error::other("no route");
        let outer = std::io::Error::new(std::io::ErrorKind::TimedOut, inner);
        assert_eq!(error_chain(&outer), "no route");
    }
}
