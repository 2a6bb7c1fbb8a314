//! The handle of a logger.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use obs_core::{FlushReport, RequestContext};
use tracing_core::{LevelFilter, Subscriber};
use tracing_log::AsLog;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

use crate::admission::AdmissionFilter;
use crate::alone::Alone;
use crate::buffer::Buffer;
use crate::builder::StructuredLoggerBuilder;
use crate::error::Error;
use crate::layer::{Core, LogLayer};
use crate::level::{Directives, Levels};
use crate::{held, panic_hook};

/// A logger: makes layers that write structured lines, and flushes them. Cheap to clone.
///
/// Outside Lambda lines are queued and written by a thread of their own. When the last handle and
/// the last layer are dropped, it writes what is queued and ends; a process that exits does not
/// wait for it, so call [`StructuredLogger::flush`] or [`StructuredLogger::shutdown`] before
/// `std::process::exit` and at the end of `main`.
#[derive(Clone)]
pub struct StructuredLogger {
    core: Arc<Core>,
    levels: Arc<Levels>,
}

impl StructuredLogger {
    /// Says how the logger is to be; what is not said comes from the environment.
    pub fn builder() -> StructuredLoggerBuilder {
        StructuredLoggerBuilder::new()
    }

    /// Builds a logger from the environment and installs it for the whole process, records of the
    /// `log` crate included. As [`StructuredLoggerBuilder::init`].
    ///
    /// # Errors
    ///
    /// A variable holds a level or a format that is not one, or the process has a global subscriber
    /// or a logger of the `log` crate already.
    pub fn init() -> Result<Self, Error> {
        Self::builder().init()
    }

    pub(crate) fn new(core: Core, level: Directives) -> Self {
        let held = core.buffer().map_or(LevelFilter::OFF, Buffer::most);
        Self { core: Arc::new(core), levels: Levels::new(level, held) }
    }

    /// The layer, for any subscriber that keeps spans in a registry.
    ///
    /// Its level filters this layer alone: it hides no span and no event from another. Spans of
    /// level info and above give their fields to lines at any level but `off`. Every call makes a
    /// layer of its own; a subscriber that has two of them writes every line twice.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + 'static + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Alone { filter, layer } = self.parts();
        layer.with_filter(filter)
    }

    /// A subscriber of a registry and this logger's layer, for a program that has no other layer:
    /// a span costs a fifth less than with [`StructuredLogger::layer`], as nothing needs to look up
    /// which layers it belongs to. [`StructuredLogger::init`] installs this.
    ///
    /// What the level leaves out is left out of the subscriber: a layer that is put onto it would not
    /// see it either.
    ///
    /// ```
    /// let logger = obs_logging::StructuredLogger::builder().level("info").build()?;
    /// tracing::subscriber::with_default(logger.subscriber(), || {
    ///     tracing::info!(batch = 17, "batch accepted");
    /// });
    /// # Ok::<(), obs_logging::Error>(())
    /// ```
    pub fn subscriber(
        &self,
    ) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync + 'static + use<> {
        tracing_subscriber::registry().with(self.parts())
    }

    fn parts(&self) -> Alone<AdmissionFilter> {
        let lines = Arc::new(self.levels.filter());
        let filter = AdmissionFilter::new(Arc::clone(&lines), Arc::clone(&self.core));
        let layer = LogLayer::new(Arc::clone(&self.core), Arc::clone(&self.levels), lines);
        Alone { filter, layer }
    }

    /// Sets which lines are written from now on, in the grammar of
    /// [`StructuredLoggerBuilder::level`], for every layer of this logger, and for records of the
    /// `log` crate where this logger brings them in.
    ///
    /// `tracing` asks all layers about every callsite again, on this thread; logging itself does not
    /// wait for it. What is being logged at this moment may still follow the old level. With
    /// directives that name a span, spans that are open already are unknown and count as not named.
    ///
    /// ```
    /// # let logger = obs_logging::StructuredLogger::builder().level("info").build()?;
    /// logger.set_level("info,orders=debug")?;
    /// assert_eq!(logger.level(), "info,orders=debug");
    /// assert!(logger.set_level("loud").is_err(), "and the level stays");
    /// assert_eq!(logger.level(), "info,orders=debug");
    /// # Ok::<(), obs_logging::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The directives are not valid: the level stays as it is.
    pub fn set_level(&self, directives: &str) -> Result<(), Error> {
        self.levels.set(Directives::parse(directives, "given to set_level")?);
        Ok(())
    }

    /// The directives that hold now.
    pub fn level(&self) -> String {
        self.levels.directives().as_str().to_owned()
    }

    /// Writes the lines that [`buffer_until_error`](StructuredLoggerBuilder::buffer_until_error) holds
    /// for `request`, oldest first: for whoever knows that it failed and logs no error. Afterwards
    /// nothing is held; what the request logs from then on is held anew.
    ///
    /// ```
    /// # let logger = obs_logging::StructuredLogger::builder().buffer_until_error(64 * 1024).build()?;
    /// let request = obs_core::RequestContext::builder().request_id("8f5c").build();
    /// // … the request is served, and fails …
    /// logger.release_held(&request);
    /// # Ok::<(), obs_logging::Error>(())
    /// ```
    pub fn release_held(&self, request: &RequestContext) {
        held::release(&self.core, request);
    }

    /// From now on each panic of the process is a line of this logger, written at once; the hook that
    /// there was is called after it, unless [`StructuredLoggerBuilder::panic_hook_before`] says
    /// otherwise. [`StructuredLoggerBuilder::init`] does this by itself; it is for
    /// programs that compose their subscriber.
    ///
    /// The line has level ERROR, the panic's text as `message`, `error_type` `panic`,
    /// `panic_location`, `thread`, `traceback`, and all that any line has there: the request's ids,
    /// the span's ids and fields. What is held for the request goes before it. The hook waits until
    /// they are written, for half a second at most, or not at all where a sink of Obs panicked. It is
    /// silent for values that panic while they are logged, and where this logger's level is `off`.
    ///
    /// Each logger that was asked writes its line; asked twice, it still writes one. A logger that is
    /// gone writes none. A hook that is set later replaces this one, unless it calls it. Does nothing
    /// on a thread that is panicking, where the hook cannot be set.
    pub fn install_panic_hook(&self) {
        panic_hook::install(&self.core, &self.levels);
    }

    /// Whether the panic hook wrote a line of this logger for a panic in `request`, so that who catches
    /// it need not write another.
    pub fn has_logged_panic(&self, request: &RequestContext) -> bool {
        panic_hook::has_logged(&self.core, request)
    }

    /// Writes out everything that was logged before this call, within `limit`, and reports.
    ///
    /// Works from any thread, inside any runtime and outside.
    pub fn flush(&self, limit: Duration) -> FlushReport {
        self.core.begin_flush(limit).wait()
    }

    /// As [`StructuredLogger::flush`], without blocking the thread. Begins with the call.
    pub fn flush_async(
        &self,
        limit: Duration,
    ) -> impl Future<Output = FlushReport> + Send + 'static + use<> {
        self.core.begin_flush(limit).report()
    }

    /// Flushes, and drops (and counts) what is logged afterwards.
    pub fn shutdown(&self, limit: Duration) -> FlushReport {
        self.core.begin_shutdown(limit).wait()
    }

    /// As [`StructuredLogger::shutdown`], without blocking the thread.
    pub fn shutdown_async(
        &self,
        limit: Duration,
    ) -> impl Future<Output = FlushReport> + Send + 'static + use<> {
        self.core.begin_shutdown(limit).report()
    }

    /// SIGUSR1 toggles between the level that holds and `raised` from now on.
    #[cfg(all(unix, feature = "signal"))]
    pub(crate) fn watch_signal(&self, raised: Directives) -> Result<(), Error> {
        let core = Arc::downgrade(&self.core);
        let say = move |before: &Directives, after: &Directives| {
            let Some(core) = core.upgrade() else { return };
            core.notify(tracing_core::Level::INFO, "log level changed by a signal", |members| {
                members.str("signal", "SIGUSR1");
                members.str("directives_before", before.as_str());
                members.str("directives", after.as_str());
            });
        };
        self.levels.watch_signal(raised, say).map_err(Error::signal)
    }

    /// Makes this the process's only subscriber, and brings it the records of the `log` crate.
    pub(crate) fn install(&self) -> Result<(), Error> {
        tracing_core::dispatcher::set_global_default(self.subscriber().into())
            .map_err(Error::subscriber_taken)?;
        self.bridge_log()
    }

    /// Brings records of the `log` crate to `tracing`, for a program that composes its subscriber
    /// itself: with `tracing_subscriber`'s own `tracing-log` feature, its `init` does the same.
    ///
    /// Records that this logger's level hides are stopped where they are made. That holds for the
    /// other layers too: they see no records below this logger's level.
    ///
    /// # Errors
    ///
    /// The `log` crate has a logger already.
    pub fn bridge_log(&self) -> Result<(), Error> {
        tracing_log::LogTracer::builder()
            .with_max_level(self.levels.most_records().as_log())
            .init()
            .map_err(Error::log_taken)?;
        self.levels.bridges_log();
        Ok(())
    }
}

impl fmt::Debug for StructuredLogger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StructuredLogger")
            .field("level", &self.levels.directives().as_str())
            .field("format", &self.core.format)
            .field("lane", &self.core.lane)
            .field("beside", &self.core.beside)
            .finish_non_exhaustive()
    }
}
