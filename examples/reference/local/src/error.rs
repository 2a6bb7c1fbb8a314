//! The one error type of this crate.

use std::error::Error as StdError;
use std::fmt;

/// What a call of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the local deployment could not do what was asked; the message says what to look at.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Settings,
    Backend,
    Timeout,
    Service,
}

impl Error {
    /// A path or a value that was handed in cannot be used.
    pub(crate) fn settings(message: impl Into<String>) -> Self {
        Self { kind: Kind::Settings, message: message.into(), source: None }
    }

    /// A file of the caller's could not be read or written.
    #[must_use]
    pub fn input(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::settings(format!("cannot use {}", path.display())).because(source)
    }

    /// The backend's process did not do what it should.
    pub(crate) fn backend(message: impl Into<String>) -> Self {
        Self { kind: Kind::Backend, message: message.into(), source: None }
    }

    /// Something that was waited for did not come in time.
    pub(crate) fn timeout(message: impl Into<String>) -> Self {
        Self { kind: Kind::Timeout, message: message.into(), source: None }
    }

    /// A service call failed; `action` says what was being done.
    pub(crate) fn service(
        action: impl fmt::Display,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            kind: Kind::Service,
            message: format!("could not {action}"),
            source: Some(source.into()),
        }
    }

    #[must_use]
    pub(crate) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether something that was waited for did not come in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout
    }

    /// Whether a path or a value that was handed in cannot be used.
    #[must_use]
    pub fn is_settings(&self) -> bool {
        self.kind == Kind::Settings
    }

    /// Whether the backend refused or failed a service call.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.kind == Kind::Service
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        // The SDK's own Display stops at "service error"; the reason is further down the chain.
        let mut source: Option<&(dyn StdError + 'static)> =
            self.source.as_deref().map(|source| source as &(dyn StdError + 'static));
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
