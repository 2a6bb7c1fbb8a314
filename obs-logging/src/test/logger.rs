//! A logger of a test's own.

use std::ops::Deref;

use tracing_core::Dispatch;
use tracing_core::dispatcher::{self, DefaultGuard};
use tracing_core::subscriber::Subscriber;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use super::TestWriter;
use crate::builder::StructuredLoggerBuilder;
use crate::error::Error;
use crate::format::Format;
use crate::logger::StructuredLogger;

/// A logger that keeps its lines and says what they are: those of every level, in JSON, whatever the
/// environment says.
///
/// It hears only what runs in [`run`](Self::run) or while the guard of [`enter`](Self::enter) lives, on
/// that thread, so tests that run at once do not see each other's lines. Lines are there as soon as the
/// logging call returns. It has the methods of its [`TestWriter`].
///
/// In a test of a future that stays on its thread (`#[tokio::test]`), hold the guard:
///
/// ```
/// use obs_logging::test::TestLogger;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let test = TestLogger::new();
/// let _entered = test.enter();
/// tokio::task::yield_now().await;
/// tracing::info!("resumed");
/// assert_eq!(test.messages(), ["resumed"]);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TestLogger {
    written: TestWriter,
    logger: StructuredLogger,
    dispatch: Dispatch,
}

impl TestLogger {
    /// A logger of the service `test` in the environment `test`, that writes every level.
    ///
    /// # Panics
    ///
    /// Never: its settings are right.
    #[expect(clippy::expect_used, reason = "its settings are right; tested")]
    pub fn new() -> Self {
        Self::with(|builder| builder).expect("the settings of a test's logger are right")
    }

    /// As [`new`](Self::new), with what `change` sets besides: the redactor and the level of the
    /// application, for one.
    ///
    /// ```
    /// use obs_logging::{Redactor, test::TestLogger};
    ///
    /// let test = TestLogger::with(|builder| builder.redact(Redactor::default().field("iban")))?;
    /// test.run(|| tracing::info!(iban = "DE00", "paid"));
    /// assert_eq!(test.line().str("iban"), "[REDACTED]");
    /// # Ok::<(), obs_logging::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`StructuredLoggerBuilder::build`].
    pub fn with(
        change: impl FnOnce(StructuredLoggerBuilder) -> StructuredLoggerBuilder,
    ) -> Result<Self, Error> {
        let written = TestWriter::new();
        let builder = StructuredLogger::builder()
            .service("test")
            .environment("test")
            .level("trace")
            .format(Format::Json)
            .synchronous()
            .writer(written.clone());
        let logger = change(builder).build()?;
        let dispatch = Dispatch::new(Registry::default().with(logger.layer()));
        Ok(Self { written, logger, dispatch })
    }

    /// Runs `application`, whose lines on this thread come here, and returns what it returns.
    pub fn run<R>(&self, application: impl FnOnce() -> R) -> R {
        dispatcher::with_default(&self.dispatch, application)
    }

    /// Hears what this thread logs until the guard is dropped.
    #[must_use = "it ends when the guard is dropped"]
    pub fn enter(&self) -> DefaultGuard {
        dispatcher::set_default(&self.dispatch)
    }

    /// The logger, for a subscriber with more layers, or to [`flush`](StructuredLogger::flush) one that
    /// is queued.
    pub fn logger(&self) -> &StructuredLogger {
        &self.logger
    }

    /// A subscriber of a registry and this logger, for threads of the test's own.
    pub fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        Registry::default().with(self.logger.layer())
    }
}

impl Default for TestLogger {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for TestLogger {
    type Target = TestWriter;

    fn deref(&self) -> &TestWriter {
        &self.written
    }
}
