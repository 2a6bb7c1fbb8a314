use std::panic::{self, AssertUnwindSafe};

use obs_core::guard;

use super::{Line, TestLogger, TestWriter};

/// What an expectation that fails says.
fn fault<R>(expectation: impl FnOnce() -> R) -> String {
    // The hook that a logger installs is silent in here.
    let mut said = None;
    let _ = guard::caught(|| {
        let result = panic::catch_unwind(AssertUnwindSafe(expectation)).map(drop);
        said = result.err().and_then(|payload| payload.downcast::<String>().ok());
    });
    *said.expect("it holds")
}

fn written(text: &str) -> TestWriter {
    let mut writer = TestWriter::new();
    std::io::Write::write_all(&mut writer, text.as_bytes()).unwrap();
    writer
}

#[test]
fn a_line_is_read_by_type() {
    let line: Line =
        r#"{"level":"INFO","message":"m","u":7,"i":-7,"f":0.5,"b":true,"n":null}"#.parse().unwrap();
    assert_eq!((line.level(), line.message()), ("INFO", "m"));
    assert_eq!((line.u64("u"), line.i64("i")), (7, -7));
    assert_eq!((line.f64("f"), line.f64("u")), (0.5, 7.0));
    assert!(line.bool("b"));
    assert!(line.has("n") && line["n"].is_null());
    assert!(!line.has("absent") && line["absent"].is_null());
    assert_eq!(line.get("absent"), None);
    assert_eq!(line.keys(), ["level", "message", "u", "i", "f", "b", "n"]);
}

#[test]
fn an_expectation_that_fails_shows_the_line() {
    let line: Line = r#"{"message":"m","u":7}"#.parse().unwrap();
    let shown = r#"in the line: {"message":"m","u":7}"#;
    assert_eq!(fault(|| line.u64("x")), format!("there is no \"x\" {shown}"));
    assert_eq!(fault(|| line.str("u")), format!("\"u\" is 7, not a string, {shown}"));
    assert_eq!(fault(|| line.bool("u")), format!("\"u\" is 7, not true or false, {shown}"));
    assert_eq!(
        fault(|| line.u64("message")),
        format!("\"message\" is \"m\", not a whole number that is not negative, {shown}")
    );
}

#[test]
fn scenario_29_lines_that_are_not_strictly_valid_are_refused() {
    for (text, expected) in [
        (r#"{"a":1,"a":2}"#, "\"a\" occurs twice"),
        (r#"{"a":1} {"b":2}"#, "trailing characters"),
        (r#"{"a":1"#, "EOF"),
        ("[1]", "expected an object"),
        ("readable", "expected"),
        ("", "EOF"),
    ] {
        let invalid = text.parse::<Line>().unwrap_err();
        assert!(invalid.to_string().contains(expected), "{invalid}");
        assert_eq!(invalid.as_str(), text);
    }
    let mixed = written("{\"message\":\"m\"}\nnot json\n");
    assert!(mixed.read_lines().is_err());
    assert!(fault(|| mixed.lines()).ends_with("in the line: not json"));
}

#[test]
fn lines_are_found_by_level_and_message() {
    let some = written(
        "{\"level\":\"INFO\",\"message\":\"a\"}\n{\"level\":\"ERROR\",\"message\":\"b\"}\n\
         {\"level\":\"INFO\",\"message\":\"b\"}\n",
    );
    assert_eq!(some.messages(), ["a", "b", "b"]);
    assert_eq!(some.at_level("error").len(), 1);
    assert_eq!(some.at_level("DEBUG").len(), 0);
    assert_eq!(some.with_message("a").level(), "INFO");
    assert!(fault(|| some.line()).starts_with("there are 3 lines, not one:\n{\"level\""));
    assert!(fault(|| some.with_message("b")).starts_with("2 lines say \"b\", not one:\n"));
    some.clear();
    assert_eq!(fault(|| some.line()), "there are 0 lines, not one; nothing was written");
}

#[test]
fn loggers_of_tests_that_run_at_once_do_not_hear_each_other() {
    let threads: Vec<_> = (0..8)
        .map(|n| {
            std::thread::spawn(move || {
                let test = TestLogger::new();
                for _ in 0..50 {
                    assert_eq!(test.run(|| n), n);
                    test.run(|| tracing::trace!(n, "mine"));
                }
                let entered = test.enter();
                tracing::info!(n, "mine");
                drop(entered);
                tracing::info!("nobody's");
                assert_eq!(test.lines().len(), 51);
                assert!(test.lines().iter().all(|line| line.u64("n") == n));
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_wrong_setting_is_an_error() {
    assert!(TestLogger::with(|builder| builder.level("loud")).unwrap_err().is_level());
}
