//! What an error is called: its type's name without the path, the same in logs, traces and metrics.

use std::any::type_name;
use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Debug, Write as _};

/// The name of an error of which nothing is known.
pub const UNKNOWN: &str = "unknown";

/// The longest name that is given, in bytes: a bound for what is derived from an error's own text.
const MAX_LEN: usize = 128;

/// How many contexts are looked through.
const MAX_CONTEXTS: usize = 32;

/// The name of a type that is known when compiling, without the paths of its parts and without the
/// pointers around it: `Box<a::Wrapped<b::Inner>>` is `Wrapped<Inner>`.
///
/// The standard library's `io::Error` and `fmt::Error` keep their module. An erased error
/// (`Box<dyn Error>`) has no name here: [`UNKNOWN`]; see [`of_dyn`].
///
/// ```
/// use obs_core::error_type;
///
/// assert_eq!(error_type::of::<std::num::ParseIntError>(), "ParseIntError");
/// assert_eq!(error_type::of::<Box<dyn std::error::Error + Send>>(), "unknown");
/// ```
pub fn of<E: ?Sized>() -> Cow<'static, str> {
    short(type_name::<E>())
}

/// The name of an error whose type was erased: exact for common types of the standard library, else
/// the leading identifier of its `Debug` form, which is the struct's or the variant's name, else
/// [`UNKNOWN`].
///
/// What `anyhow` and `eyre` wrap around an error as its context has no name of its own: it is called
/// as the error inside.
pub fn of_dyn(error: &(dyn Error + 'static)) -> Cow<'static, str> {
    let mut error = error;
    // A chain that loops must end somewhere.
    for _ in 0..MAX_CONTEXTS {
        let inner = error.source().filter(|_| standard(error).is_none() && is_context(error));
        let Some(inner) = inner else { break };
        error = inner;
    }
    match standard(error) {
        Some(name) => Cow::Borrowed(name),
        None => of_debug(error),
    }
}

/// The leading identifier of a value's `Debug` form, else [`UNKNOWN`].
pub fn of_debug(value: &(impl Debug + ?Sized)) -> Cow<'static, str> {
    let mut leading = Leading(String::new());
    // An error only ends the text: what follows the identifier may be large.
    let _ = write!(leading, "{value:?}");
    if leading.0.is_empty() { Cow::Borrowed(UNKNOWN) } else { Cow::Owned(leading.0) }
}

macro_rules! standard_types {
    ($($type:ty => $name:literal,)*) => {
        fn standard(error: &(dyn Error + 'static)) -> Option<&'static str> {
            $(if error.is::<$type>() { return Some($name); })*
            None
        }

        /// The same names for types that are known when compiling, so that both ways agree.
        fn standard_name(full: &str) -> Option<&'static str> {
            $(if full == type_name::<$type>() { return Some($name); })*
            None
        }
    };
}

standard_types! {
    // The two that are called only `Error` keep their module.
    std::io::Error => "io::Error",
    fmt::Error => "fmt::Error",
    std::num::ParseIntError => "ParseIntError",
    std::num::ParseFloatError => "ParseFloatError",
    std::num::TryFromIntError => "TryFromIntError",
    std::str::ParseBoolError => "ParseBoolError",
    std::str::Utf8Error => "Utf8Error",
    std::string::FromUtf8Error => "FromUtf8Error",
    std::string::FromUtf16Error => "FromUtf16Error",
    std::char::ParseCharError => "ParseCharError",
    std::char::CharTryFromError => "CharTryFromError",
    std::array::TryFromSliceError => "TryFromSliceError",
    std::net::AddrParseError => "AddrParseError",
    std::env::VarError => "VarError",
    std::env::JoinPathsError => "JoinPathsError",
    std::path::StripPrefixError => "StripPrefixError",
    std::time::SystemTimeError => "SystemTimeError",
    std::sync::mpsc::RecvError => "RecvError",
    std::sync::mpsc::RecvTimeoutError => "RecvTimeoutError",
    std::sync::mpsc::TryRecvError => "TryRecvError",
    std::cell::BorrowError => "BorrowError",
    std::cell::BorrowMutError => "BorrowMutError",
    std::thread::AccessError => "AccessError",
    std::collections::TryReserveError => "TryReserveError",
    std::ffi::NulError => "NulError",
    std::ffi::IntoStringError => "IntoStringError",
    std::ffi::FromBytesWithNulError => "FromBytesWithNulError",
}

fn short(full: &'static str) -> Cow<'static, str> {
    let inner = without_pointers(full);
    if let Some(name) = standard_name(inner) {
        return Cow::Borrowed(name);
    }
    if let Some(object) = inner.strip_prefix("dyn ") {
        // A trait object is called as its trait; `dyn Error` says nothing.
        let path = object.split([' ', '<']).next().unwrap_or(object);
        let is_error = path == "core::error::Error";
        return Cow::Borrowed(if is_error {
            UNKNOWN
        } else {
            path.rsplit("::").next().unwrap_or(path)
        });
    }
    if !inner.contains(|c| !is_path(c)) {
        return Cow::Borrowed(inner.rsplit("::").next().unwrap_or(inner));
    }
    let mut short = String::with_capacity(inner.len());
    let mut rest = inner;
    while !rest.is_empty() {
        let (path, after) = rest.split_at(rest.find(|c| !is_path(c)).unwrap_or(rest.len()));
        short.push_str(path.rsplit("::").next().unwrap_or(path));
        let (symbols, next) = after.split_at(after.find(is_path).unwrap_or(after.len()));
        short.push_str(symbols);
        rest = next;
    }
    short.truncate(short.floor_char_boundary(MAX_LEN));
    Cow::Owned(short)
}

fn is_path(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':'
}

/// What references and `Box`, `Arc` and `Rc` hold, however deep.
fn without_pointers(full: &str) -> &str {
    let mut name = full;
    loop {
        name = name.trim_start_matches(['&', ' ']);
        name = name.strip_prefix("mut ").unwrap_or(name);
        let Some((path, rest)) = name.split_once('<') else { return name };
        let holds = rest.strip_suffix('>');
        match (path.rsplit("::").next(), holds) {
            (Some("Box" | "Arc" | "Rc"), Some(held)) => name = held,
            _ => return name,
        }
    }
}

/// Whether this is what `context` and `wrap_err` of `anyhow` 1 and `eyre` 0.6 make: a private type
/// that shows itself as a struct `Error`, in these words.
fn is_context(error: &(dyn Error + 'static)) -> bool {
    const FORMS: [&str; 2] = ["Error { context: \"", "Error { msg: \""];
    FORMS.iter().any(|form| {
        let mut begin = Begin { expected: form, differs: false };
        // An error only ends the text: what follows may be a whole backtrace.
        let _ = write!(begin, "{error:?}");
        begin.expected.is_empty() && !begin.differs
    })
}

/// Compares the beginning of what is written.
struct Begin<'a> {
    /// What is still to come.
    expected: &'a str,
    differs: bool,
}

impl fmt::Write for Begin<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let length = self.expected.len().min(text.len());
        self.differs |= text.as_bytes()[..length] != self.expected.as_bytes()[..length];
        if self.differs || length == self.expected.len() {
            self.expected = if self.differs { self.expected } else { "" };
            return Err(fmt::Error);
        }
        self.expected = &self.expected[length..];
        Ok(())
    }
}

struct Leading(String);

impl fmt::Write for Leading {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            let fits = c == '_' || c.is_alphabetic() || (c.is_numeric() && !self.0.is_empty());
            if !fits || self.0.len() + c.len_utf8() > MAX_LEN {
                return Err(fmt::Error);
            }
            self.0.push(c);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Debug)]
    struct Declined<T>(T);

    #[derive(Debug)]
    #[expect(dead_code, reason = "only its Debug form is used")]
    enum Payment {
        LimitExceeded { limit: u32 },
    }

    impl fmt::Display for Payment {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("over the limit")
        }
    }

    impl Error for Payment {}

    #[test]
    fn types_are_named_without_paths_and_pointers() {
        for (name, expected) in [
            (of::<Payment>(), "Payment"),
            (of::<Declined<Payment>>(), "Declined<Payment>"),
            (of::<Box<Arc<Declined<u8>>>>(), "Declined<u8>"),
            (of::<&'static str>(), "str"),
            (of::<std::io::Error>(), "io::Error"),
            (of::<Box<fmt::Error>>(), "fmt::Error"),
            (of::<Box<dyn Error + Send + Sync>>(), UNKNOWN),
            (of::<(Payment, u8)>(), "(Payment, u8)"),
            (of::<()>(), "()"),
            (of::<Box<dyn fmt::Debug + Send>>(), "Debug"),
        ] {
            assert_eq!(name, expected);
        }
    }

    /// As anyhow and eyre have it, which obs-logging tests with the real ones.
    struct Context(&'static str, Option<Box<dyn Error + Send + Sync>>);

    impl fmt::Debug for Context {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Error").field(self.0, &"while \"charging\"").finish_non_exhaustive()
        }
    }

    impl fmt::Display for Context {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("while \"charging\"")
        }
    }

    impl Error for Context {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|inner| inner as _)
        }
    }

    #[test]
    fn a_context_is_called_as_the_error_inside() {
        let limit = || Some(Box::new(Payment::LimitExceeded { limit: 3 }) as _);
        assert_eq!(of_dyn(&Context("context", limit())), "LimitExceeded");
        assert_eq!(of_dyn(&Context("msg", limit())), "LimitExceeded");
        let twice = Context("msg", Some(Box::new(Context("context", limit()))));
        assert_eq!(of_dyn(&twice), "LimitExceeded");
        let io: Box<dyn Error + Send + Sync> =
            Box::new(std::io::Error::other(Context("msg", limit())));
        assert_eq!(of_dyn(&Context("msg", Some(io))), "io::Error");
        // Somebody's own type of that name, and nothing inside.
        assert_eq!(of_dyn(&Context("message", limit())), "Error");
        assert_eq!(of_dyn(&Context("msg", None)), "Error");
    }

    #[test]
    fn erased_errors_are_named_by_what_is_known_of_them() {
        let parse: Box<dyn Error> = Box::new("x".parse::<i32>().unwrap_err());
        assert_eq!(of_dyn(&*parse), "ParseIntError");
        assert_eq!(of_dyn(&Payment::LimitExceeded { limit: 3 }), "LimitExceeded");
        let text: Box<dyn Error> = "only a text".into();
        assert_eq!(of_dyn(&*text), UNKNOWN);
        assert_eq!(of_debug(&"x".repeat(10_000)), UNKNOWN, "a string's form begins with a quote");
        assert_eq!(of_debug(&format_args!("{}", "é".repeat(1000))).len(), 128);
    }
}
