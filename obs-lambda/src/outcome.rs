//! How a handler ended, as a log line tells it.

use std::any::{Any, type_name};
use std::borrow::Cow;
use std::fmt::Debug;

use lambda_runtime::Diagnostic;
use obs_core::error_type;

/// Logs a handler's error, within the invocation's context, and turns it into what Lambda reports.
pub(crate) fn failed<E: Debug + Into<Diagnostic>>(error: E) -> Diagnostic {
    let error_type = name_of(&error);
    let mut diagnostic: Diagnostic = error.into();
    // A `Diagnostic` of the user's own names itself; lambda_runtime's conversions give the type with
    // its path, behind a reference.
    if diagnostic.error_type.trim_start_matches('&') == type_name::<E>().trim_start_matches('&') {
        diagnostic.error_type = error_type.into_owned();
    }
    tracing::error!(
        error_type = diagnostic.error_type,
        error_message = diagnostic.error_message,
        "Invocation failed"
    );
    diagnostic
}

/// Logs a handler's panic that the panic hook has not logged, within the invocation's context.
pub(crate) fn panicked(payload: &(dyn Any + Send)) {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the panic carries no message");
    tracing::error!(error_type = "panic", error_message = message, "Invocation panicked");
}

fn name_of<E: Debug>(error: &E) -> Cow<'static, str> {
    match error_type::of::<E>() {
        name if name == error_type::UNKNOWN => error_type::of_debug(error),
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<E: Debug + Into<Diagnostic>>(error: E, error_type: &str, error_message: &str) {
        let diagnostic = failed(error);
        assert_eq!(diagnostic.error_type, error_type);
        assert_eq!(diagnostic.error_message, error_message);
    }

    #[test]
    fn errors_are_reported_by_their_type_without_the_path() {
        check(std::io::Error::other("disk"), "io::Error", "disk");
        check("only a text", "str", "only a text");
        let erased: lambda_runtime::Error = Box::new("x".parse::<i32>().unwrap_err());
        check(erased, "ParseIntError", "invalid digit found in string");
        let own = Diagnostic { error_type: "OutOfStock".into(), error_message: "none left".into() };
        check(own, "OutOfStock", "none left");
    }
}
