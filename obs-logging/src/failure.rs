//! Errors as fields: `error_type`, `error_message` and `error_chain`.

use std::borrow::Cow;
use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Debug, Display, Write as _};

use obs_core::error_type;
use obs_core::guard::{self, PANICKED};
use tracing_core::field::DebugValue;

/// How many sources are followed: a chain that loops must end somewhere.
const MAX_SOURCES: usize = 32;

/// An error as a field that knows its type: see [`err`].
pub struct ErrorValue<'a> {
    error: &'a dyn Error,
    type_name: Cow<'static, str>,
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
    tracing_core::field::debug(ErrorValue { error, type_name: error_type::of::<E>() })
}

impl Debug for ErrorValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !ASKING.get() {
            return Display::fmt(self.error, f);
        }
        // One of our layers asks. It gets the parts on the side, and recognizes by the text below
        // that the value is the error itself and not something that contains it.
        let failure = Failure::of(self.error, self.type_name.clone());
        f.write_str(&failure.message)?;
        let _ending = ASIDE.try_with(|aside| aside.set(Some(Box::new(failure))));
        Ok(())
    }
}

impl Display for ErrorValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self.error, f)
    }
}

thread_local! {
    /// Whether this thread is inside [`asking`].
    static ASKING: Cell<bool> = const { Cell::new(false) };
    /// From [`ErrorValue`]'s `Debug`, which may only write text, to the visitor that called it.
    static ASIDE: Cell<Option<Box<Failure>>> = const { Cell::new(None) };
}

/// Runs `format`, which does not panic, and returns what an [`ErrorValue`] in it left aside. Any
/// other formatting, such as the tracer's, gets the text alone.
pub(crate) fn asking(format: impl FnOnce()) -> Option<Box<Failure>> {
    let outer = ASKING.replace(true);
    format();
    ASKING.set(outer);
    ASIDE.try_with(Cell::take).ok().flatten()
}

/// An error's parts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) type_name: Cow<'static, str>,
    pub(crate) message: String,
    /// The messages of its sources, the direct cause first.
    pub(crate) chain: Vec<String>,
}

impl Failure {
    /// The parts of an error whose type is not known.
    pub(crate) fn of_unknown(error: &(dyn Error + 'static)) -> Self {
        let type_name = guard::caught(|| error_type::of_dyn(error));
        Self::of(error, type_name.unwrap_or(Cow::Borrowed(error_type::UNKNOWN)))
    }

    fn of(error: &dyn Error, type_name: Cow<'static, str>) -> Self {
        let mut chain = Vec::new();
        let mut source = guard::caught(|| error.source()).flatten();
        while let Some(cause) = source.filter(|_| chain.len() < MAX_SOURCES) {
            chain.push(text_of(cause));
            source = guard::caught(|| cause.source()).flatten();
        }
        Self { type_name, message: text_of(error), chain }
    }
}

fn text_of(error: &dyn Error) -> String {
    guard::caught(|| {
        let mut text = String::new();
        // A Display that fails leaves what it had written.
        let _ = write!(text, "{error}");
        text
    })
    .unwrap_or_else(|| PANICKED.to_owned())
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
        let value = ErrorValue { error: &error, type_name: error_type::of::<Declined>() };
        let text = guard::caught(|| format!("{value:?}"));
        assert_eq!(text.as_deref(), Some("card declined"));
        assert!(asking(|| ()).is_none());
        let aside = asking(|| drop(format!("{value:?}")));
        assert_eq!(aside.unwrap().type_name, "Declined");
    }
}
