//! Errors as fields.

use std::error::Error;
use std::fmt;

use serde_json::json;
use tracing::{error, info, info_span};

use crate::capture::{captured, captured_by};

#[derive(Debug)]
enum PaymentError {
    Declined { code: u16, cause: Network },
    Limit,
}

#[derive(Debug)]
struct Network(std::io::Error);

impl fmt::Display for PaymentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declined { code, .. } => write!(f, "declined\nwith {code}"),
            Self::Limit => f.write_str("limit reached"),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer")
    }
}

impl Error for PaymentError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Declined { cause, .. } => Some(cause),
            Self::Limit => None,
        }
    }
}

impl Error for Network {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn declined() -> PaymentError {
    PaymentError::Declined { code: 51, cause: Network(std::io::Error::other("reset by peer")) }
}

#[test]
fn a_dyn_error_gives_its_type_as_far_as_known_its_message_and_all_its_sources() {
    let line = captured(|| {
        let error = declined();
        error!(error = &error as &(dyn Error + 'static), batch_id = 7, "Batch processing failed");
    })
    .line();
    // The type of a `dyn Error` is not known; of its Debug form, the variant is.
    assert_eq!(line["error_type"], "Declined");
    assert_eq!(line["error_message"], "declined\nwith 51");
    assert_eq!(line["error_chain"], json!(["no answer", "reset by peer"]));
    assert_eq!(line.keys()[8..], ["error_type", "error_message", "error_chain", "batch_id"]);
}

#[test]
fn err_gives_the_static_type() {
    let line = captured(|| error!(error = obs_logging::err(&declined()), "failed")).line();
    assert_eq!(line["error_type"], "PaymentError");
    assert_eq!(line["error_message"], "declined\nwith 51");
    assert_eq!(line["error_chain"], json!(["no answer", "reset by peer"]));
    assert!(!line.has("error"));
}

#[test]
fn an_error_without_sources_has_an_empty_chain() {
    let line = captured(|| {
        let error: Box<dyn Error> = "only a text".into();
        error!(error = &*error, "failed");
    })
    .line();
    assert_eq!(line["error_type"], "unknown");
    assert_eq!(line["error_message"], "only a text");
    assert_eq!(line["error_chain"], json!([]));
}

#[test]
fn errors_of_the_standard_library_are_known() {
    let line = captured(|| {
        let error = "x".parse::<f64>().unwrap_err();
        error!(err = &error as &(dyn Error + 'static), "failed");
    })
    .line();
    assert_eq!(line["error_type"], "ParseFloatError");
}

#[test]
fn an_error_under_another_name_keeps_that_name() {
    let line = captured(|| {
        error!(
            error = obs_logging::err(&PaymentError::Limit),
            rollback = obs_logging::err(&std::fmt::Error),
            "both failed"
        );
    })
    .line();
    assert_eq!(line["error_type"], "PaymentError");
    assert_eq!(line["rollback_type"], "fmt::Error");
    assert_eq!(line["rollback_message"], std::fmt::Error.to_string());
}

#[test]
fn an_error_in_a_span_stands_in_its_lines_until_an_event_has_its_own() {
    let lines = captured(|| {
        let _span = info_span!("retry", error = obs_logging::err(&declined())).entered();
        info!("again");
        info!(error = obs_logging::err(&PaymentError::Limit), "and again");
    })
    .lines();
    assert_eq!(lines[0]["error_message"], "declined\nwith 51");
    assert_eq!(lines[1]["error_message"], "limit reached");
    assert_eq!(lines[1]["error_chain"], json!([]));
}

#[test]
fn scenario_29_error_keys_that_are_given_by_hand_occur_once_too() {
    let line = captured(|| {
        error!(error = obs_logging::err(&PaymentError::Limit), error_type = "Mine", "failed");
    })
    .line();
    assert_eq!(line["error_type"], "Mine");
    assert_eq!(line["error_message"], "limit reached");
}

#[test]
fn what_contains_an_error_is_a_value_like_any_other() {
    let line = captured(|| {
        let error = PaymentError::Limit;
        info!(pair = ?(1, obs_logging::err(&error)), text = %error, "x");
        // A value that is the error's text by chance is not the error either.
        info!(text = "limit reached", "y");
    })
    .lines();
    assert_eq!(line[0]["pair"], "(1, limit reached)");
    assert_eq!(line[0]["text"], "limit reached");
    assert_eq!(line[1]["text"], "limit reached");
}

#[test]
fn scenario_19_an_error_that_panics_while_it_is_displayed_leaves_a_marker() {
    #[derive(Debug)]
    struct Broken;
    impl fmt::Display for Broken {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no text")
        }
    }
    impl Error for Broken {}
    let lines = captured(|| {
        error!(error = &Broken as &(dyn Error + 'static), n = 1, "failed");
        error!(error = obs_logging::err(&Broken), n = 2, "failed");
    })
    .lines();
    for (line, n) in lines.iter().zip(1..) {
        assert_eq!(line["error_type"], "Broken");
        assert_eq!(line["error_message"], "[panicked while formatting]");
        assert_eq!(line["n"], n);
    }
}

#[test]
fn scenario_41_a_type_that_is_read_from_an_errors_own_text_is_searched_for_secrets() {
    struct Bare;
    impl std::fmt::Debug for Bare {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("AKIAIOSFODNN7EXAMPLE was refused")
        }
    }
    impl std::fmt::Display for Bare {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("refused")
        }
    }
    impl std::error::Error for Bare {}
    let line = captured_by(
        |builder| builder.redact(obs_logging::Redactor::standard()),
        || error!(error = &Bare as &(dyn std::error::Error + 'static), "x"),
    )
    .line();
    assert_eq!(line["error_type"], "[REDACTED]");
    assert_eq!(line["error_message"], "refused");
}
