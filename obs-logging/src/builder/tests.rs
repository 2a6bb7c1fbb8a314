//! What the surroundings say beside the settings.

use tracing_subscriber::layer::SubscriberExt;

use super::*;

struct Case {
    variables: &'static [(&'static str, &'static str)],
    disabled: bool,
    is_lambda: bool,
    stdout_is_terminal: bool,
}

const PLAIN: Case =
    Case { variables: &[], disabled: false, is_lambda: false, stdout_is_terminal: false };

fn with<R>(case: &Case, check: impl FnOnce(&Surroundings<'_>) -> R) -> R {
    let variable = |name: &str| {
        case.variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    };
    check(&Surroundings {
        variable: &variable,
        disabled: case.disabled,
        is_lambda: case.is_lambda,
        stdout_is_terminal: case.stdout_is_terminal,
    })
}

fn check_level(
    variables: &'static [(&'static str, &'static str)],
    code: Option<&str>,
    expected: &str,
) {
    let found = with(&Case { variables, ..PLAIN }, |around| {
        around.level(code).map_or_else(|e| e.to_string(), |level| level.as_str().to_owned())
    });
    assert!(found.contains(expected), "{found}");
}

#[test]
fn the_level_is_the_codes_or_the_first_variables() {
    check_level(&[], None, "info");
    check_level(&[("POWERTOOLS_LOG_LEVEL", "DEBUG")], None, "debug");
    check_level(
        &[("POWERTOOLS_LOG_LEVEL", "DEBUG"), ("AWS_LAMBDA_LOG_LEVEL", "WARN")],
        None,
        "warn",
    );
    check_level(&[("AWS_LAMBDA_LOG_LEVEL", "WARN"), ("RUST_LOG", "a=trace")], None, "a=trace");
    check_level(&[("RUST_LOG", "trace"), ("OBS_LOG_LEVEL", "error")], None, "error");
    check_level(&[("OBS_LOG_LEVEL", "error")], Some("debug"), "debug");
    with(&Case { disabled: true, ..PLAIN }, |around| {
        assert_eq!(around.level(None).unwrap().as_str(), "off");
        assert_eq!(around.level(Some("debug")).unwrap().as_str(), "debug");
    });
    check_level(&[("OBS_LOG_LEVEL", "loud")], None, r#""loud" (OBS_LOG_LEVEL)"#);
    check_level(&[], Some("loud"), r#""loud" (given to the builder)"#);
}

#[test]
fn the_format_is_the_codes_the_variables_or_fits_the_reader() {
    let check = |case: Case, code: Option<Format>, to_stdout: bool, expected: Format| {
        let found = with(&case, |around| around.format(code, to_stdout));
        assert_eq!(found.unwrap(), expected);
    };
    let terminal = || Case { stdout_is_terminal: true, ..PLAIN };
    check(PLAIN, None, true, Format::Json);
    check(terminal(), None, true, Format::Text);
    check(terminal(), None, false, Format::Json);
    check(Case { is_lambda: true, ..terminal() }, None, true, Format::Json);
    let text = Case { variables: &[("AWS_LAMBDA_LOG_FORMAT", "Text")], ..PLAIN };
    check(Case { is_lambda: true, ..text }, None, true, Format::Text);
    let both: &[_] = &[("AWS_LAMBDA_LOG_FORMAT", "Text"), ("OBS_LOG_FORMAT", "json")];
    check(Case { variables: both, ..terminal() }, None, true, Format::Json);
    check(Case { variables: both, ..PLAIN }, Some(Format::Text), true, Format::Text);
}

#[test]
fn colours_are_for_terminals_and_for_who_asks() {
    const NO_COLOR: (&str, &str) = ("NO_COLOR", "1");
    const FORCE: (&str, &str) = ("CLICOLOR_FORCE", "1");
    let check = |variables: &'static [_], stdout_is_terminal, code, to_stdout, expected| {
        let case = Case { variables, stdout_is_terminal, ..PLAIN };
        let found = with(&case, |around| around.colors(code, to_stdout));
        assert_eq!(found, expected, "{variables:?} {stdout_is_terminal} {code:?} {to_stdout}");
    };
    const TERM: (&str, &str) = ("TERM", "xterm");
    check(&[TERM], true, None, true, true);
    check(&[TERM], false, None, true, false);
    check(&[TERM], true, None, false, false);
    check(&[("TERM", "dumb")], true, None, true, false);
    check(&[TERM, NO_COLOR], true, None, true, false);
    check(&[TERM, ("NO_COLOR", "")], true, None, true, true);
    check(&[FORCE], false, None, true, true);
    check(&[FORCE], false, None, false, false);
    check(&[FORCE, NO_COLOR], true, None, true, false);
    check(&[TERM, ("CLICOLOR_FORCE", "0")], false, None, true, false);
    check(&[TERM, ("CLICOLOR_FORCE", "0")], true, None, true, true);
    check(&[], false, Some(true), false, true);
    check(&[TERM, FORCE], true, Some(false), true, false);
}

#[test]
fn lines_are_written_at_once_in_lambda_and_queued_elsewhere() {
    for (is_lambda, asked, expected) in [
        (true, None, true),
        (false, None, false),
        (true, Some(false), false),
        (false, Some(true), true),
    ] {
        let (sender, writers) = std::sync::mpsc::channel();
        let mut builder = StructuredLogger::builder().writer(move || {
            let _ = sender.send(std::thread::current().id());
            std::io::sink()
        });
        builder.synchronous = asked;
        let logger = with(&Case { is_lambda, ..PLAIN }, |around| builder.build_in(around)).unwrap();
        let subscriber = tracing_subscriber::registry().with(logger.layer());
        tracing::subscriber::with_default(subscriber, || tracing::info!("who writes this?"));
        assert!(logger.flush(std::time::Duration::from_secs(10)).is_complete());
        assert_eq!(writers.recv().unwrap() == std::thread::current().id(), expected);
    }
}
