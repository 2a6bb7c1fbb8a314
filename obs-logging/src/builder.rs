//! How a logger is made.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obs_core::clock::{Clock, SystemClock};
use obs_core::lane::{Lane, Overflow};
use obs_core::{Identity, Redactor, env, guard};
use tracing_subscriber::fmt::MakeWriter;

use crate::admission::Policy;
use crate::buffer::Buffer;
use crate::callsite::{Callsites, member};
use crate::error::Error;
use crate::format::Format;
use crate::layer::Core;
use crate::level::Directives;
use crate::logger::StructuredLogger;
#[cfg(feature = "loki")]
use crate::loki::Loki;
use crate::notice::Notices;
use crate::rate::RateLimit;
use crate::sample::DebugShare;
use crate::sink::{LineSink, Output};

/// The size that a line has at most, if nothing else is said: 256 KiB, at which many log agents cut
/// and Loki refuses. CloudWatch Logs itself takes 1 MiB.
pub const DEFAULT_MAX_LINE_BYTES: usize = 256 * 1024;

/// The smallest limit for a line: the keys of its own have to fit.
const LEAST_MAX_LINE_BYTES: usize = 4 * 1024;

/// So many bytes of lines are written without waiting for more: they are still in the processor's cache, and to wake the
/// writer costs a nanosecond for each.
const LINGER_BYTES: usize = 512 * 1024;

/// Collects a logger's settings; see [`StructuredLogger::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` or `init`"]
pub struct StructuredLoggerBuilder {
    service: Option<String>,
    environment: Option<String>,
    level: Option<String>,
    #[cfg(all(unix, feature = "signal"))]
    level_on_signal: Option<String>,
    format: Option<Format>,
    colors: Option<bool>,
    rate_limit: Option<(u32, Duration)>,
    redactor: Redactor,
    output: Output,
    #[cfg(feature = "loki")]
    loki: Option<(Loki, Beside)>,
    synchronous: Option<bool>,
    queue_bytes: Option<usize>,
    block_when_full: Option<Duration>,
    max_line_bytes: usize,
    sample_debug: f64,
    buffer_bytes: usize,
    buffer_level: Option<String>,
    panic_hook: Option<bool>,
    panic_backtrace: bool,
    panic_hook_before: bool,
    clock: Arc<dyn Clock>,
}

impl StructuredLoggerBuilder {
    pub(crate) fn new() -> Self {
        Self {
            service: None,
            environment: None,
            level: None,
            #[cfg(all(unix, feature = "signal"))]
            level_on_signal: None,
            format: None,
            colors: None,
            rate_limit: None,
            redactor: Redactor::default(),
            output: Output::Stdout,
            #[cfg(feature = "loki")]
            loki: None,
            synchronous: None,
            queue_bytes: None,
            block_when_full: None,
            max_line_bytes: DEFAULT_MAX_LINE_BYTES,
            sample_debug: 1.0,
            buffer_bytes: 0,
            buffer_level: None,
            panic_hook: None,
            panic_backtrace: true,
            panic_hook_before: true,
            clock: Arc::new(SystemClock),
        }
    }

    /// The key `service`. Default: see [`Identity`].
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.service = Some(name.into());
        self
    }

    /// The key `environment`. Default: see [`Identity`].
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = Some(name.into());
        self
    }

    /// Which lines are written, in the grammar of
    /// [`EnvFilter`](tracing_subscriber::EnvFilter#directives): `info,orders=debug`. Default: the
    /// variables in [`env::LEVEL`], else `info`.
    ///
    /// A word alone has to be a level: write `orders=trace` for all lines of a target.
    pub fn level(mut self, directives: impl Into<String>) -> Self {
        self.level = Some(directives.into());
        self
    }

    /// Of the DEBUG and TRACE lines that the level lets through, those of this share of traces are
    /// written, from 0 to 1. Default 1: all of them.
    ///
    /// The trace's id alone decides, by its last 64 bits: a trace's debug lines are all there or none,
    /// in every service that uses the same share, and the tracer's `Sampler::ratio` compares the same
    /// bits. Where there is no trace, a hash of the request's correlation id, else of its request id,
    /// decides in its stead; outside any request, each line for itself. Costs a look-up of the ids for
    /// each debug line that the level lets through, and nothing for others.
    ///
    /// [`StructuredLoggerBuilder::build`] refuses a rate that is not from 0 to 1.
    pub fn sample_debug(mut self, rate: f64) -> Self {
        self.sample_debug = rate;
        self
    }

    /// Keeps the lines that the level, or [`StructuredLoggerBuilder::sample_debug`], leaves out in
    /// memory with their request ([`RequestContext`](obs_core::RequestContext)), and writes them,
    /// oldest first, when one of level ERROR is logged in it, or
    /// [`StructuredLogger::release_held`] is called. Default 0: nothing is held.
    ///
    /// Each request holds up to `bytes` of its newest lines; where others were pushed out, a line says
    /// how many. They cost what a line costs, except for its writing, as values are encoded when they
    /// are logged; so do the debug spans around them. Outside any request nothing is held, but each
    /// debug line costs some tens of nanoseconds, and each debug span a span of the registry.
    pub fn buffer_until_error(mut self, bytes: usize) -> Self {
        self.buffer_bytes = bytes;
        self
    }

    /// Which lines are held, as directives that name no span. Default `debug`, but not those of the
    /// HTTP client, the AWS SDK and the Lambda runtime (`hyper`, `h2`, `rustls`, `tower`,
    /// `aws_smithy_*` and the like), unless they are named here: `debug,hyper=debug`.
    ///
    /// What the logger's level switches off altogether is not held either.
    pub fn buffer_level(mut self, directives: impl Into<String>) -> Self {
        self.buffer_level = Some(directives.into());
        self
    }

    /// Whether panics become lines, as [`StructuredLogger::install_panic_hook`] says. Default: yes for
    /// [`StructuredLoggerBuilder::init`], no for [`StructuredLoggerBuilder::build`].
    pub fn panic_hook(mut self, on: bool) -> Self {
        self.panic_hook = Some(on);
        self
    }

    /// Whether the line of a panic has a `traceback`. Default: yes, whatever `RUST_BACKTRACE` says. It
    /// takes milliseconds to find the names in it, more in a debug build.
    pub fn panic_backtrace(mut self, on: bool) -> Self {
        self.panic_backtrace = on;
        self
    }

    /// Whether the panic hook that was there before this crate's is called after the line. Default: yes.
    ///
    /// The standard library's prints the panic's text to stderr as it is: where stderr goes to the same
    /// place as the lines, as in Lambda, the secrets that the line does not show stand beside it. One
    /// cannot be told from a hook that the program has set, so this leaves out either. With several
    /// loggers, one that says no is enough. A panic that no line of such a logger tells of (its level
    /// is `off`, it is gone, a logger's writer panicked) still reaches the hook before.
    ///
    /// The price: with `panic = "abort"`, a panic whose line is not out within half a second leaves
    /// nothing behind.
    pub fn panic_hook_before(mut self, called: bool) -> Self {
        self.panic_hook_before = called;
        self
    }

    /// At most `lines` lines of one callsite in each window of `per`; the others are counted, and the
    /// callsite's next line has their number under the key `suppressed`. Default: no limit.
    ///
    /// Where no line follows, a flush, a shutdown and the end of the logger write one line (WARN, of
    /// the logger `obs_logging`) per callsite, which says where it is and how many there were. Errors
    /// are no exception: a storm of errors is what this is for. Records of the `log` crate count by
    /// their level, target and line.
    ///
    /// Windows begin at multiples of `per` on the clock, so a burst across two of them may have twice
    /// as many lines. Both are raised to the least that means anything, one line and a millisecond.
    /// An event costs a look at the clock and two atomic instructions more; without a limit, a branch.
    pub fn rate_limit(mut self, lines: u32, per: Duration) -> Self {
        self.rate_limit = Some((lines, per));
        self
    }

    /// On SIGUSR1 the level becomes `directives` (`"debug"`, say), and on the next one what it was
    /// before; a line of the log says so each time. Default: the signal is left alone, and ends the
    /// process if nobody else handles it.
    ///
    /// Unix only, feature `signal`. It costs a thread, which waits. With several loggers that ask for
    /// it, the signal reaches all of them; handlers that other code has installed run too.
    #[cfg(all(unix, feature = "signal"))]
    pub fn level_on_signal(mut self, directives: impl Into<String>) -> Self {
        self.level_on_signal = Some(directives.into());
        self
    }

    /// JSON or text. Default: the variables in [`env::LOG_FORMAT`]; else text where stdout is a
    /// terminal and the lines go there outside Lambda, and JSON everywhere else.
    pub fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Whether the text format colours the level and dims the timestamp; JSON never has colours.
    /// Default: where the lines go to stdout, stdout is a terminal, and the variables [`NO_COLOR`] and
    /// [`CLICOLOR_FORCE`] do not say otherwise.
    ///
    /// [`NO_COLOR`]: https://no-color.org
    /// [`CLICOLOR_FORCE`]: https://bixense.com/clicolors/
    pub fn colors(mut self, colors: bool) -> Self {
        self.colors = Some(colors);
        self
    }

    /// Which fields' values are replaced by `[REDACTED]`, decided by name once per callsite, and which
    /// secrets in texts. Default: [`Redactor::default`], the standard names. [`Redactor::standard`]
    /// searches texts too, for some ten nanoseconds a value.
    pub fn redact(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// Where lines go. Default: the stdout that all of Obs shares, one write per line.
    ///
    /// One writer is made per line, and flushed at the end of each batch. `make_writer_for` is not
    /// used: a queued line is written where its event's metadata is not known any more.
    pub fn writer<M>(mut self, make: M) -> Self
    where
        M: for<'w> MakeWriter<'w> + Send + 'static,
    {
        self.output = Output::writer(make);
        self
    }

    /// Lines go to Loki too, beside the writer, always as JSON and from a thread of their own: a
    /// Loki that is slow or gone neither delays nor drops what is written. Costs one more copy of each
    /// line. Default: no Loki.
    #[cfg(feature = "loki")]
    pub fn loki(mut self, loki: Loki) -> Self {
        self.loki = Some((loki, Beside::Writer));
        self
    }

    /// Lines go to Loki and nowhere else: the writer and its queue are not there.
    #[cfg(feature = "loki")]
    pub fn loki_only(mut self, loki: Loki) -> Self {
        self.loki = Some((loki, Beside::Nothing));
        self
    }

    /// Lines are queued and written by a thread of their own: the default outside Lambda. Logging
    /// then never waits; lines that find the queue full are dropped, and a line says how many.
    pub fn queued(mut self) -> Self {
        self.synchronous = Some(false);
        self
    }

    /// Each line is written before the logging call returns: the default in Lambda, which freezes
    /// the process when it likes.
    pub fn synchronous(mut self) -> Self {
        self.synchronous = Some(true);
        self
    }

    /// The most bytes of lines that wait to be written. Default 4 MiB.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = Some(bytes);
        self
    }

    /// Where the queue is full, logging waits for room, `limit` at most; then the line is dropped and
    /// counted. Default: it is dropped at once. A writer that stands still then costs each logging call
    /// `limit`, also one within an async task, which blocks its thread. A line that the writer itself
    /// logs never waits. Of no effect on [`synchronous`](Self::synchronous) lines.
    pub fn block_when_full(mut self, limit: Duration) -> Self {
        self.block_when_full = Some(limit);
        self
    }

    /// The most bytes that a line has, its line feed included. Default 256 KiB, least 4 KiB. Of a longer
    /// one the largest fields are cut, with `…[truncated N bytes]` in the place of the rest.
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.max_line_bytes = bytes.max(LEAST_MAX_LINE_BYTES);
        self
    }

    /// What tells the time. Default: the system's clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The logger.
    ///
    /// The first logger of a process wraps the panic hook, so that a `Debug` or `Display` that
    /// panics while it is logged stays silent; every other panic reaches the hook as before.
    ///
    /// # Errors
    ///
    /// The level or the format, given here or in a variable, is not one; a share is not from 0 to 1; a
    /// signal that was asked for cannot be watched; or what is set of Loki is not valid.
    pub fn build(self) -> Result<StructuredLogger, Error> {
        self.build_in(&Surroundings::of_process())
    }

    /// Builds the logger and installs it as the global subscriber, records of the `log` crate
    /// included.
    ///
    /// # Errors
    ///
    /// As [`StructuredLoggerBuilder::build`]; or the process has a global subscriber or a logger of
    /// the `log` crate already ([`Error::is_already_set`]).
    pub fn init(mut self) -> Result<StructuredLogger, Error> {
        let hooks_panics = self.panic_hook.take().unwrap_or(true);
        let logger = self.build()?;
        logger.install()?;
        if hooks_panics {
            logger.install_panic_hook();
        }
        Ok(logger)
    }

    fn build_in(self, surroundings: &Surroundings<'_>) -> Result<StructuredLogger, Error> {
        let level = surroundings.level(self.level.as_deref())?;
        let to_stdout = matches!(self.output, Output::Stdout);
        let format = surroundings.format(self.format, to_stdout)?;
        let colors = surroundings.colors(self.colors, to_stdout);
        #[cfg(all(unix, feature = "signal"))]
        let raised = match &self.level_on_signal {
            Some(directives) => Some(Directives::parse(directives, "given to level_on_signal")?),
            None => None,
        };
        let synchronous = self.synchronous.unwrap_or(surroundings.is_lambda);
        let sample = DebugShare::new(self.sample_debug)?;
        let buffer = Buffer::new(self.buffer_bytes, self.buffer_level.as_deref())?;
        let buffer = Some(buffer).filter(|buffer| buffer.bytes > 0);

        let found = Identity::from_vars(surroundings.variable);
        let identity = Identity::new(
            self.service.unwrap_or(found.service),
            self.environment.unwrap_or(found.environment),
        );
        let mut tail = Vec::new();
        member(&mut tail, "service", &identity.service);
        member(&mut tail, "environment", &identity.environment);

        let notices = |format| {
            Arc::new(Notices {
                clock: Arc::clone(&self.clock),
                format,
                colors: colors && format == Format::Text,
                tail: tail.as_slice().into(),
            })
        };
        #[cfg(feature = "loki")]
        let (loki, only_loki) = match self.loki {
            Some((loki, beside)) => {
                let clock = Arc::clone(&self.clock);
                let lane = loki.start(&identity, clock, notices(Format::Json))?;
                (Some(lane), beside == Beside::Nothing)
            }
            None => (None, false),
        };
        #[cfg(not(feature = "loki"))]
        let (loki, only_loki) = (None::<Lane<_>>, false);
        let mut lane = Lane::builder("logs").for_many_threads().linger_bytes(LINGER_BYTES);
        if let Some(bytes) = self.queue_bytes {
            lane = lane.capacity_bytes(bytes);
        }
        if let Some(limit) = self.block_when_full.filter(|_| !synchronous) {
            lane = lane.overflow(Overflow::Block(limit));
        }
        if synchronous {
            lane = lane.synchronous();
        }
        let format = if only_loki { Format::Json } else { format };
        let notices = notices(format);
        let (lane, beside) = match loki {
            Some(loki) if only_loki => (loki, None),
            beside => (lane.start(LineSink::new(self.output, Arc::clone(&notices))), beside),
        };
        guard::silence_hook();
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let core = Core {
            id,
            callsites: Callsites::new(id, self.redactor, tail),
            clock: self.clock,
            format,
            colors,
            max_line_bytes: self.max_line_bytes,
            policy: Policy::new(sample, buffer),
            panic_backtrace: self.panic_backtrace,
            panic_hook_before: self.panic_hook_before,
            rate_limit: self.rate_limit.map(|(lines, per)| RateLimit::new(id, lines, per)),
            notices,
            lane,
            beside,
        };
        let logger = StructuredLogger::new(core, level);
        if self.panic_hook == Some(true) {
            logger.install_panic_hook();
        }
        #[cfg(all(unix, feature = "signal"))]
        if let Some(raised) = raised {
            logger.watch_signal(raised)?;
        }
        Ok(logger)
    }
}

/// Where lines go beside Loki.
#[cfg(feature = "loki")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Writer,
    Nothing,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// What decides where the code has not.
struct Surroundings<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    /// All of Obs is switched off.
    disabled: bool,
    is_lambda: bool,
    stdout_is_terminal: bool,
}

impl Surroundings<'static> {
    fn of_process() -> Self {
        Self {
            variable: &|name| std::env::var(name).ok(),
            disabled: env::flag(env::DISABLED),
            is_lambda: env::is_lambda(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
        }
    }
}

impl Surroundings<'_> {
    fn level(&self, code: Option<&str>) -> Result<Directives, Error> {
        let given = code.map(|code| Directives::parse(code, "given to the builder")).transpose()?;
        if let Some(given) = given {
            return Ok(given);
        }
        if self.disabled {
            return Ok(Directives::off());
        }
        match env::first_named(env::LEVEL, self.variable) {
            Some((name, value)) => Directives::parse(&value, name),
            None => Ok(Directives::info()),
        }
    }

    fn colors(&self, code: Option<bool>, to_stdout: bool) -> bool {
        let said = |name| (self.variable)(name).filter(|value| !value.is_empty());
        if let Some(code) = code {
            code
        } else if !to_stdout || said("NO_COLOR").is_some() {
            false
        } else if said("CLICOLOR_FORCE").is_some_and(|force| force != "0") {
            true
        } else {
            // Windows's old console shows the codes; what replaced it says so, or has a TERM.
            let shows_them =
                !cfg!(windows) || said("WT_SESSION").or_else(|| said("TERM")).is_some();
            self.stdout_is_terminal && shows_them && said("TERM").is_none_or(|term| term != "dumb")
        }
    }

    fn format(&self, code: Option<Format>, to_stdout: bool) -> Result<Format, Error> {
        if let Some(code) = code {
            return Ok(code);
        }
        match env::first_named(env::LOG_FORMAT, self.variable) {
            Some((name, value)) => Format::parse(&value, name),
            None if !self.is_lambda && to_stdout && self.stdout_is_terminal => Ok(Format::Text),
            None => Ok(Format::Json),
        }
    }
}

#[cfg(test)]
mod tests;
