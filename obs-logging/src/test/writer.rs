//! The writer that keeps lines.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use super::{InvalidLine, Line};

/// Keeps what a logger writes, for tests. All clones are one; each test has its own.
///
/// For [`StructuredLoggerBuilder::writer`](crate::StructuredLoggerBuilder::writer), where
/// [`TestLogger`](super::TestLogger) is not enough. A queued logger writes on a thread of its own: flush
/// it before you ask.
///
/// ```
/// use obs_logging::StructuredLogger;
/// use obs_logging::test::TestWriter;
/// use tracing_subscriber::prelude::*;
///
/// let written = TestWriter::new();
/// let logger = StructuredLogger::builder()
///     .level("info")
///     .format(obs_logging::Format::Json)
///     .synchronous()
///     .writer(written.clone())
///     .build()?;
/// let subscriber = tracing_subscriber::registry().with(logger.layer());
/// tracing::subscriber::with_default(subscriber, || tracing::info!(n = 1, "counted"));
/// assert_eq!(written.line().u64("n"), 1);
/// # Ok::<(), obs_logging::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TestWriter(Arc<Mutex<Vec<u8>>>);

impl TestWriter {
    /// A writer that has nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything that was written; what is not UTF-8 becomes U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept()).into_owned()
    }

    /// All lines, in order.
    ///
    /// # Errors
    ///
    /// The first that is not an object of JSON, or has a key twice.
    pub fn read_lines(&self) -> Result<Vec<Line>, InvalidLine> {
        self.text().lines().map(str::parse).collect()
    }

    /// All lines, in order.
    ///
    /// # Panics
    ///
    /// If one is not an object of JSON, or has a key twice, with that line.
    #[track_caller]
    #[expect(clippy::panic, reason = "an expectation of a test")]
    pub fn lines(&self) -> Vec<Line> {
        self.read_lines().unwrap_or_else(|invalid| panic!("{invalid}"))
    }

    /// The only line.
    ///
    /// # Panics
    ///
    /// If there is none or more than one, with what there is; and as [`lines`](Self::lines).
    #[track_caller]
    #[expect(clippy::panic, reason = "an expectation of a test")]
    pub fn line(&self) -> Line {
        let lines = self.lines();
        match <[Line; 1]>::try_from(lines) {
            Ok([line]) => line,
            Err(lines) => panic!("there are {} lines, not one{}", lines.len(), self.shown()),
        }
    }

    /// The lines of that level, in order: `ERROR`, in any case of letters.
    ///
    /// # Panics
    ///
    /// As [`lines`](Self::lines).
    #[track_caller]
    pub fn at_level(&self, level: &str) -> Vec<Line> {
        let mut lines = self.lines();
        lines.retain(|line| line["level"].as_str().is_some_and(|l| l.eq_ignore_ascii_case(level)));
        lines
    }

    /// The only line with this message.
    ///
    /// # Panics
    ///
    /// If there is none or more than one, with what there is; and as [`lines`](Self::lines).
    #[track_caller]
    #[expect(clippy::panic, reason = "an expectation of a test")]
    pub fn with_message(&self, message: &str) -> Line {
        let mut lines = self.lines();
        lines.retain(|line| line["message"] == message);
        match <[Line; 1]>::try_from(lines) {
            Ok([line]) => line,
            Err(lines) => {
                panic!("{} lines say {message:?}, not one{}", lines.len(), self.shown())
            }
        }
    }

    /// Each line's message, in order.
    ///
    /// # Panics
    ///
    /// As [`lines`](Self::lines).
    #[track_caller]
    pub fn messages(&self) -> Vec<String> {
        self.lines().iter().map(|line| line.message().to_owned()).collect()
    }

    /// Forgets everything that was written so far.
    pub fn clear(&self) {
        self.kept().clear();
    }

    fn shown(&self) -> String {
        let text = self.text();
        if text.is_empty() { String::from("; nothing was written") } else { format!(":\n{text}") }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for TestWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.kept().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for TestWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
