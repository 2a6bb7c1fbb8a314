//! Why a file, and with it the invocation, failed.

use std::error::Error;
use std::fmt;

use obs::lambda::Diagnostic;

use crate::application::ports::Unavailable;
use crate::domain::dataset::{Source, Unusable};
use crate::domain::object_event::MalformedEvent;

/// A file that was not processed, or a record of an event that names none.
#[derive(Debug)]
pub struct FileFailure(Box<Cause>);

#[derive(Debug)]
enum Cause {
    /// Trying again will not help, until the file is replaced.
    Unusable(Source, Unusable),
    /// Trying again may help.
    Unavailable(String, Unavailable),
    /// Trying again will not help.
    Malformed(MalformedEvent),
}

impl FileFailure {
    pub(super) fn unusable_file(source: Source, error: Unusable) -> Self {
        Self(Box::new(Cause::Unusable(source, error)))
    }

    pub(super) fn unavailable(key: &str, error: Unavailable) -> Self {
        Self(Box::new(Cause::Unavailable(key.to_owned(), error)))
    }

    pub(super) fn of_event(error: MalformedEvent) -> Self {
        Self(Box::new(Cause::Malformed(error)))
    }

    /// A stable identifier of the reason: that of the unusable file (`not_json`, …),
    /// `service_unavailable` or `malformed_event`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match &*self.0 {
            Cause::Unusable(_, error) => error.code(),
            Cause::Unavailable(..) => "service_unavailable",
            Cause::Malformed(_) => "malformed_event",
        }
    }

    /// The file and what is wrong with it, where the reason lies in the file.
    #[must_use]
    pub fn unusable(&self) -> Option<(&Source, &Unusable)> {
        match &*self.0 {
            Cause::Unusable(source, error) => Some((source, error)),
            Cause::Unavailable(..) | Cause::Malformed(_) => None,
        }
    }
}

impl fmt::Display for FileFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::Unusable(source, error) => write!(f, "{}: {error}", source.key),
            Cause::Unavailable(key, error) => write!(f, "{key}: {error}"),
            Cause::Malformed(error) => error.fmt(f),
        }
    }
}

impl Error for FileFailure {}

/// What an invocation ends with when any record of its event failed.
#[derive(Debug)]
pub struct PipelineError {
    total: usize,
    failures: Vec<FileFailure>,
}

impl PipelineError {
    pub(super) const fn new(total: usize, failures: Vec<FileFailure>) -> Self {
        Self { total, failures }
    }

    /// The failures, in the order of the event's records.
    #[must_use]
    pub fn failures(&self) -> &[FileFailure] {
        &self.failures
    }
}

impl fmt::Display for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.total > 1 {
            write!(f, "{} of {} records failed: ", self.failures.len(), self.total)?;
        }
        for (position, failure) in self.failures.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{failure}")?;
        }
        Ok(())
    }
}

impl Error for PipelineError {}

impl From<PipelineError> for Diagnostic {
    fn from(error: PipelineError) -> Self {
        Self { error_type: "PipelineError".to_owned(), error_message: error.to_string() }
    }
}
