//! Errors as fields: `error_type`, `error_message`, `error_chain`, and what a report adds to them.

mod report_text;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::borrow::Cow;
use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Debug, Display, Write as _};
use std::ops::Deref;

use obs_core::error_type;
use obs_core::guard::{self, PANICKED};
use tracing_core::field::DebugValue;

/// How many sources are followed: a chain that loops must end somewhere.
const MAX_SOURCES: usize = 32;

/// An error as a field: see [`err`], [`err_with_backtrace`] and [`report`].
pub struct ErrorValue<'a>(Kind<'a>);

enum Kind<'a> {
    Typed { error: &'a dyn Error, type_name: Cow<'static, str>, backtrace: Option<&'a Backtrace> },
    Report { error: &'a (dyn Error + 'static), report: &'a dyn Debug },
}

/// An error as a field value, with the name of its static type.
///
/// `error = &e as &(dyn Error + 'static)` works as well, but a `dyn Error` does not tell its type:
/// then `error_type` is a guess from its `Debug` form. Layers other than ours see the error's
/// `Display` form.
///
/// ```
/// # let error = "x".parse::<u8>().unwrap_err();
/// // {…,"error_type":"ParseIntError","error_message":"invalid digit found in string","error_chain":[]}
/// tracing::error!(error = obs_logging::err(&error), "the order's quantity is not a number");
/// ```
pub fn err<E: Error>(error: &E) -> DebugValue<ErrorValue<'_>> {
    typed(error, None)
}

/// As [`err`], with the backtrace that the error keeps, as `traceback`.
///
/// No trait of stable Rust asks an error for its backtrace, so a type that has one in a field, as
/// `thiserror` allows, has to be asked by its own means. One that was not captured (`RUST_BACKTRACE`
/// and `RUST_LIB_BACKTRACE` decide that) adds nothing. Resolving its symbols takes milliseconds, the
/// first time tens of them.
///
/// ```
/// use std::backtrace::Backtrace;
///
/// #[derive(Debug)]
/// struct Declined { backtrace: Backtrace }
/// # impl std::fmt::Display for Declined {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("declined") }
/// # }
/// # impl std::error::Error for Declined {}
///
/// let error = Declined { backtrace: Backtrace::capture() };
/// tracing::error!(error = obs_logging::err_with_backtrace(&error, &error.backtrace), "not paid");
/// ```
pub fn err_with_backtrace<'a, E: Error>(
    error: &'a E,
    backtrace: &'a Backtrace,
) -> DebugValue<ErrorValue<'a>> {
    typed(error, Some(backtrace))
}

fn typed<'a, E: Error>(
    error: &'a E,
    backtrace: Option<&'a Backtrace>,
) -> DebugValue<ErrorValue<'a>> {
    let type_name = error_type::of::<E>();
    tracing_core::field::debug(ErrorValue(Kind::Typed { error, type_name, backtrace }))
}

/// A report of `anyhow` or `eyre` as a field value: its error with all sources, and the backtrace that
/// it captured, as `traceback`.
///
/// `error_type` is the type of the error that the report was made from, without the contexts around
/// it, as far as a `dyn Error` tells (see [`obs_core::error_type::of_dyn`]); for a report that was
/// made from a text, `unknown`. The place at which an `eyre` report was made is `error_location`.
/// Works with `anyhow` 1, `eyre` 0.6 and `color-eyre` 0.6, whose backtraces are taken from the
/// report's `Debug` form, colours left out; and with a `Box<dyn Error + Send + Sync>`, which has none.
/// Layers other than ours see the report's message.
///
/// ```
/// use anyhow::Context;
///
/// let result = "x".parse::<u8>().context("the order's quantity is not a number");
/// if let Err(report) = result {
///     // {…,"error_type":"ParseIntError","error_message":"the order's quantity is not a number",
///     //  "error_chain":["invalid digit found in string"],"traceback":"   0: …"}
///     tracing::error!(error = obs_logging::report(&report), "order refused");
/// }
/// ```
pub fn report<R>(report: &R) -> DebugValue<ErrorValue<'_>>
where
    R: Debug + Deref<Target = dyn Error + Send + Sync>,
{
    let error: &(dyn Error + 'static) = &**report;
    tracing_core::field::debug(ErrorValue(Kind::Report { error, report }))
}

impl ErrorValue<'_> {
    fn error(&self) -> &dyn Error {
        match &self.0 {
            Kind::Typed { error, .. } => *error,
            Kind::Report { error, .. } => *error,
        }
    }

    fn failure(&self) -> Failure {
        match &self.0 {
            Kind::Typed { error, type_name, backtrace } => Failure {
                traceback: backtrace.and_then(captured),
                ..Failure::of(*error, type_name.clone())
            },
            Kind::Report { error, report } => {
                let mut failure = Failure::of_unknown(*error);
                let text = formatted(|text| write!(text, "{report:?}")).unwrap_or_default();
                (failure.location, failure.traceback) =
                    report_text::of_report(&text, &failure.message);
                failure
            }
        }
    }
}

impl Debug for ErrorValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if ASKING.get() == Asking::Nobody {
            return Display::fmt(self.error(), f);
        }
        // One of our layers asks. It gets the parts on the side, and recognizes by the text below
        // that the value is the error itself and not something that contains it.
        let failure = self.failure();
        f.write_str(&failure.message)?;
        let _ending = ASIDE.try_with(|aside| aside.set(Some(Box::new(failure))));
        ASKING.set(Asking::Answered);
        Ok(())
    }
}

impl Display for ErrorValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self.error(), f)
    }
}

/// Whether this thread is inside [`asking`]. Told apart from the answer, of which nearly no value has
/// one: a thread-local without a destructor is the cheapest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asking {
    Nobody,
    Layer,
    Answered,
}

thread_local! {
    static ASKING: Cell<Asking> = const { Cell::new(Asking::Nobody) };
    /// From [`ErrorValue`]'s `Debug`, which may only write text, to the visitor that called it.
    static ASIDE: Cell<Option<Box<Failure>>> = const { Cell::new(None) };
}

/// Runs `format`, which does not panic, and returns what an [`ErrorValue`] in it left aside. Any
/// other formatting, such as the tracer's, gets the text alone.
pub(crate) fn asking(format: impl FnOnce()) -> Option<Box<Failure>> {
    let outer = ASKING.replace(Asking::Layer);
    format();
    if ASKING.replace(outer) != Asking::Answered {
        return None;
    }
    ASIDE.try_with(Cell::take).ok().flatten()
}

/// An error's parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) type_name: Cow<'static, str>,
    pub(crate) message: String,
    /// The messages of its sources, the direct cause first.
    pub(crate) chain: Vec<String>,
    /// Where it was made: `src/main.rs:7:39`.
    pub(crate) location: Option<String>,
    /// The backtrace, a frame or its place a line.
    pub(crate) traceback: Option<String>,
}

impl Failure {
    /// The parts of an error whose type is not known.
    pub(crate) fn of_unknown(error: &(dyn Error + 'static)) -> Self {
        let type_name = guard::caught(|| error_type::of_dyn(error));
        Self::of(error, type_name.unwrap_or(Cow::Borrowed(error_type::UNKNOWN)))
    }

    /// The parts of a report of which only the `Debug` form is there, as a field's value in JSON;
    /// `None` where that is not the form of a report.
    pub(crate) fn of_report_text(json: &[u8]) -> Option<Self> {
        if !report_text::may_be_report(json) {
            return None;
        }
        let text: String = serde_json::from_slice(json).ok()?;
        let report = report_text::split(&text)?;
        Some(Self { type_name: Cow::Borrowed(error_type::UNKNOWN), ..report })
    }

    fn of(error: &dyn Error, type_name: Cow<'static, str>) -> Self {
        let mut chain = Vec::new();
        let mut source = guard::caught(|| error.source()).flatten();
        while let Some(cause) = source.filter(|_| chain.len() < MAX_SOURCES) {
            chain.push(text_of(cause));
            source = guard::caught(|| cause.source()).flatten();
        }
        Self { type_name, message: text_of(error), chain, ..Self::default() }
    }
}

fn captured(backtrace: &Backtrace) -> Option<String> {
    let captured = backtrace.status() == BacktraceStatus::Captured;
    let text = captured.then(|| formatted(|text| write!(text, "{backtrace}"))).flatten()?;
    Some(text.trim_end().to_owned())
}

fn text_of(error: &dyn Error) -> String {
    formatted(|text| write!(text, "{error}")).unwrap_or_else(|| PANICKED.to_owned())
}

/// What `write` writes; `None` where it panics. A `Display` that fails leaves what it had written.
fn formatted(write: impl FnOnce(&mut String) -> fmt::Result) -> Option<String> {
    guard::caught(|| {
        let mut text = String::new();
        let _ = write(&mut text);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Declined {
        cause: Option<std::num::ParseIntError>,
    }

    impl Display for Declined {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("card declined")
        }
    }

    impl Error for Declined {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.cause.as_ref().map(|cause| cause as _)
        }
    }

    /// Its own source, for ever.
    #[derive(Debug)]
    struct Endless;

    impl Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("again")
        }
    }

    impl Error for Endless {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    fn check_type(error: &(dyn Error + 'static), expected: &str) {
        assert_eq!(Failure::of_unknown(error).type_name, expected, "{error:?}");
    }

    #[test]
    fn the_type_of_a_dyn_error_is_found_as_far_as_it_can_be() {
        check_type(&"x".parse::<u8>().unwrap_err(), "ParseIntError");
        check_type(&std::io::Error::other("gone"), "io::Error");
        check_type(&Declined { cause: None }, "Declined");
        check_type(&*Box::<dyn Error>::from("only a text"), "unknown");
    }

    #[test]
    fn the_chain_holds_every_source_and_ends() {
        let cause = "x".parse::<u8>().unwrap_err();
        let failure = Failure::of_unknown(&Declined { cause: Some(cause) });
        assert_eq!(failure.message, "card declined");
        assert_eq!(failure.chain, ["invalid digit found in string"]);
        assert_eq!(Failure::of_unknown(&Endless).chain.len(), MAX_SOURCES);
    }

    #[test]
    fn for_other_layers_an_error_value_is_its_display_form() {
        let error = Declined { cause: None };
        let value = err(&error);
        let text = guard::caught(|| format!("{value:?}"));
        assert_eq!(text.as_deref(), Some("card declined"));
        assert!(asking(|| ()).is_none());
        let aside = asking(|| drop(format!("{value:?}")));
        assert_eq!(aside.unwrap().type_name, "Declined");
    }
}
