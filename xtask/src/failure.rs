//! Why a command of this program did not do what was asked.

use std::fmt;
use std::process::ExitCode;

/// What a step gives.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// One sentence for the person at the terminal, and what a tool said, if one did.
    Reason { sentence: String, output: Option<String> },
    /// The user, or whoever sent the signal, stopped it.
    Interrupted { signal: i32 },
}

impl Failure {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self::Reason { sentence: sentence.into(), output: None }
    }

    pub(crate) fn with_output(sentence: impl Into<String>, output: impl Into<String>) -> Self {
        Self::Reason { sentence: sentence.into(), output: Some(output.into()) }
    }

    /// A failed operation on a file.
    pub(crate) fn io(what: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new(format!("cannot {what}: {error}"))
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        matches!(self, Self::Interrupted { .. })
    }

    /// 128 and the signal's number after an interruption, as a shell has it.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Reason { .. } => ExitCode::FAILURE,
            Self::Interrupted { signal } => {
                u8::try_from(128 + signal).map_or(ExitCode::FAILURE, ExitCode::from)
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reason { sentence, output: None } => f.write_str(sentence),
            Self::Reason { sentence, output: Some(output) } => {
                for line in output.lines() {
                    writeln!(f, "    {line}")?;
                }
                f.write_str(sentence)
            }
            Self::Interrupted { .. } => f.write_str("stopped"),
        }
    }
}
