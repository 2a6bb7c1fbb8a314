//! Reports of `anyhow` and `eyre`, the real ones.

use std::backtrace::Backtrace;
use std::error::Error;
use std::fmt;

use anyhow::Context;
use eyre::WrapErr;
use obs_logging::test::{Line, TestLogger};
use obs_logging::{Redactor, err, err_with_backtrace, report};
use proptest::prelude::*;
use serde_json::json;
use tracing::{error, info, info_span};

use crate::capture::captured;
use crate::process::{in_child_with, is_child};

#[derive(Debug)]
struct Declined {
    code: u16,
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "declined\nwith {}", self.code)
    }
}

impl Error for Declined {}

fn of_anyhow() -> anyhow::Error {
    Context::context(Context::context(Err::<(), _>(Declined { code: 51 }), "paying"), "order 7")
        .unwrap_err()
}

fn of_eyre() -> eyre::Report {
    let paying = WrapErr::wrap_err(Err::<(), _>(Declined { code: 51 }), "paying");
    WrapErr::wrap_err(paying, "order 7").unwrap_err()
}

const CHAIN: [&str; 2] = ["paying", "declined\nwith 51"];

fn check(line: &Line, error_type: &str) {
    assert_eq!(line["error_type"], error_type);
    assert_eq!(line["error_message"], "order 7");
    assert_eq!(line["error_chain"], json!(CHAIN));
    assert!(!line.has("error"), "{line}");
    assert_eq!(line["n"], 1);
}

#[test]
fn a_report_comes_out_with_the_type_inside_and_all_its_causes() {
    let lines = captured(|| {
        error!(error = report(&of_anyhow()), n = 1, "failed");
        error!(error = report(&of_eyre()), n = 1, "failed");
        error!(err = report(&of_anyhow()), n = 1, "failed");
    })
    .lines();
    for line in &lines {
        check(line, "Declined");
    }
    assert!(!lines[0].has("error_location"));
    // Only eyre knows where.
    assert!(lines[1].str("error_location").starts_with("obs-logging/tests/logging/reports.rs:"));
    let keys = ["error_type", "error_message", "error_chain", "error_location"];
    assert_eq!(lines[1].keys()[8..12], keys);
}

#[test]
fn a_report_of_a_text_has_no_type() {
    let lines = captured(|| {
        error!(error = report(&anyhow::anyhow!("only {} text", 1)), "failed");
        error!(error = report(&eyre::eyre!("only {} text", 1)), "failed");
        let boxed: Box<dyn Error + Send + Sync> = "only 1 text".into();
        error!(error = report(&boxed), "failed");
    })
    .lines();
    for line in &lines {
        assert_eq!(line["error_type"], "unknown");
        assert_eq!(line["error_message"], "only 1 text");
        assert_eq!(line["error_chain"], json!([]));
    }
}

#[test]
fn a_dyn_error_out_of_a_report_has_the_type_inside_too() {
    let lines = captured(|| {
        let (one, other) = (of_anyhow(), of_eyre());
        error!(error = &*one as &(dyn Error + 'static), n = 1, "failed");
        let other: &(dyn Error + 'static) = other.as_ref();
        error!(error = other, n = 1, "failed");
    })
    .lines();
    for line in &lines {
        check(line, "Declined");
    }
}

#[test]
fn the_debug_form_of_a_report_is_split() {
    let lines = captured(|| {
        error!(error = ?of_anyhow(), n = 1, "failed");
        error!(err = ?of_eyre(), n = 1, "failed");
    })
    .lines();
    for line in &lines {
        // The text says nothing of types.
        check(line, "unknown");
    }
    assert!(lines[1].str("error_location").contains("tests/logging/reports.rs:"));
}

#[test]
fn other_debug_forms_and_other_names_stay_texts() {
    let lines = captured(|| {
        error!(error = ?Declined { code: 51 }, "failed");
        info!(note = ?of_anyhow(), "not called error");
        error!(error = "a\n\nCaused by:\n    b", "a string");
    })
    .lines();
    assert_eq!(lines[0]["error"], "Declined { code: 51 }");
    assert!(lines[1].str("note").starts_with("order 7\n\nCaused by:\n"));
    assert_eq!(lines[2]["error"], "a\n\nCaused by:\n    b");
    assert!(lines.iter().all(|line| !line.has("error_type")));
}

#[test]
fn scenario_29_a_reports_keys_occur_once() {
    let line = captured(|| {
        error!(error = ?of_anyhow(), error_message = "mine", "failed");
    })
    .line();
    assert_eq!(line["error_message"], "mine");
    assert_eq!(line["error_chain"], json!(CHAIN));
}

/// An error that keeps its backtrace, as those of `thiserror` do.
#[derive(Debug)]
struct Kept(Backtrace);

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("kept")
    }
}

impl Error for Kept {}

#[test]
fn a_backtrace_that_was_captured_is_the_traceback() {
    for variable in ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE"] {
        in_child_with("reports::child_with_backtraces", &[(variable, "1")], |child| {
            let lines = child.lines();
            assert_eq!(lines.len(), 6);
            for line in &lines {
                let traceback = line.str("traceback");
                assert!(traceback.trim_start().starts_with("0: "), "{traceback}");
                assert!(
                    traceback.contains("logging::reports::child_with_backtraces"),
                    "{traceback}"
                );
                assert!(!traceback.ends_with('\n') && !traceback.contains("Stack backtrace"));
                assert!(!line.has("error"), "{line}");
            }
            for line in &lines[..4] {
                assert_eq!(line["error_message"], "order 7");
                assert_eq!(line["error_chain"], json!(CHAIN));
            }
            assert_eq!(lines[4]["error_message"], "kept");
            assert_eq!(lines[5]["error_message"], "only a text");
        });
    }
    in_child_with("reports::child_with_backtraces", &[], |child| {
        let lines = child.lines();
        assert_eq!(lines.len(), 6);
        assert!(lines.iter().all(|line| !line.has("traceback")));
        assert!(lines[..5].iter().all(|line| line.has("error_chain")));
        // Without a backtrace its Debug form is a text like any other.
        assert_eq!(lines[5]["error"], "only a text");
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_backtraces() {
    if !is_child() {
        return;
    }
    let written = captured(|| {
        error!(error = report(&of_anyhow()), "report");
        error!(error = report(&of_eyre()), "report");
        error!(error = ?of_anyhow(), "debug");
        error!(error = ?of_eyre(), "debug");
        let kept = Kept(Backtrace::capture());
        error!(error = err_with_backtrace(&kept, &kept.0), "kept");
        error!(error = ?anyhow::anyhow!("only a text"), "text");
    });
    print!("{}", written.text());
}

#[test]
fn a_field_of_another_name_has_a_traceback_of_its_own() {
    let kept = Kept(Backtrace::force_capture());
    let line = captured(|| {
        error!(
            error = err(&Declined { code: 1 }),
            rollback = err_with_backtrace(&kept, &kept.0),
            "both"
        );
    })
    .line();
    assert_eq!(line["rollback_type"], "Kept");
    assert!(line.str("rollback_traceback").contains("a_field_of_another_name"));
    assert!(!line.has("traceback"));
}

#[test]
fn a_spans_error_gives_its_lines_no_traceback() {
    let kept = Kept(Backtrace::force_capture());
    let lines = captured(|| {
        let _retry = info_span!("retry", error = err_with_backtrace(&kept, &kept.0)).entered();
        info!("again");
        error!(error = err(&Declined { code: 1 }), "another one");
        error!(error = err_with_backtrace(&kept, &kept.0), "and again");
    })
    .lines();
    assert_eq!(lines[0]["error_type"], "Kept");
    assert_eq!(lines[1]["error_type"], "Declined");
    let has: Vec<_> = lines.iter().map(|line| line.has("traceback")).collect();
    assert_eq!(has, [false, false, true]);
}

#[test]
fn scenario_18_a_traceback_is_what_is_cut_first() {
    const LIMIT: usize = 8 * 1024;
    struct Long;
    impl fmt::Debug for Long {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("order 7\n\nCaused by:\n    declined\n\nStack backtrace:\n")?;
            (0..2_000).try_for_each(|n| writeln!(f, "{n: >4}: app::größe"))
        }
    }
    let test = TestLogger::with(|builder| builder.max_line_bytes(LIMIT)).unwrap();
    let note = "n".repeat(900);
    test.run(|| error!(error = ?Long, note, "failed"));
    let line = test.line();
    assert!(line.as_str().len() <= LIMIT);
    assert_eq!(line["error_message"], "order 7");
    assert_eq!(line["error_chain"], json!(["declined"]));
    assert_eq!(line["note"], note);
    let traceback = line.str("traceback");
    assert!(traceback.starts_with("   0: app::größe\n   1: "), "{traceback}");
    assert!(traceback.contains("…[truncated "), "{traceback}");
    assert!(traceback.len() > 5_000, "{}", traceback.len());
}

#[test]
fn scenario_41_a_redacted_report_shows_nothing() {
    let redactor = Redactor::default().field("error").field("cause");
    let test = TestLogger::with(|builder| builder.redact(redactor)).unwrap();
    test.run(|| {
        error!(error = ?of_anyhow(), "failed");
        error!(error = report(&of_anyhow()), cause = report(&of_eyre()), "failed");
    });
    for line in test.lines() {
        assert_eq!(line["error"], "[REDACTED]");
        assert!(!line.as_str().contains("order 7") && !line.as_str().contains("declined"));
    }
}

#[test]
fn scenario_41_what_a_report_says_is_searched_for_secrets() {
    struct Told;
    impl fmt::Debug for Told {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(
                "not sent to ada@example.com\n\nCaused by:\n    0: no account eve@example.com\n    \
                 1: password=hunter2 was refused\n\nStack backtrace:\n   0: app::charge::verify\n             \
                 at ./src/charge.rs:7:39\n   1: app::send<bob@example.com>",
            )
        }
    }
    let redactor = Redactor::standard();
    let test = TestLogger::with(|builder| builder.redact(redactor.clone())).unwrap();
    test.run(|| {
        error!(error = ?Told, "failed");
        let inner = anyhow::anyhow!("no account eve@example.com");
        error!(error = report(&inner.context("not sent to ada@example.com")), "failed");
        let _request = obs_core::RequestContext::builder().build().enter();
        obs_logging::append("note", "of ada@example.com");
        info!("appended");
    });
    for line in test.lines() {
        for secret in ["example.com", "hunter2"] {
            assert!(!line.as_str().contains(secret), "{line}");
        }
    }
    let lines = test.lines();
    assert_eq!(lines[0]["error_message"], "not sent to [REDACTED]");
    assert_eq!(
        lines[0]["error_chain"],
        json!(["no account [REDACTED]", "password=[REDACTED] was refused"])
    );
    // What is no secret is not taken for one.
    assert_eq!(
        lines[0]["traceback"],
        "   0: app::charge::verify\n             at ./src/charge.rs:7:39\n   1: app::send<[REDACTED]>"
    );
    assert_eq!(lines[1]["error_chain"], json!(["no account [REDACTED]"]));
    assert_eq!(lines[2]["note"], "of [REDACTED]");
}

#[test]
fn scenario_19_a_report_that_panics_leaves_a_marker() {
    struct Bad(Box<dyn Error + Send + Sync>);
    impl fmt::Debug for Bad {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no text")
        }
    }
    impl std::ops::Deref for Bad {
        type Target = dyn Error + Send + Sync;
        fn deref(&self) -> &Self::Target {
            &*self.0
        }
    }
    let line = captured(|| {
        error!(error = report(&Bad(Box::new(Declined { code: 1 }))), n = 1, "failed");
    })
    .line();
    assert_eq!(line["error_type"], "Declined");
    assert_eq!(line["error_message"], "declined\nwith 1");
    assert_eq!(line["n"], 1);
}

/// A report's text, as far as the application's words go: without what only looks like its headings.
fn words() -> impl Strategy<Value = String> {
    prop_oneof![".{0,20}", "[a0: \\n\\r\\\\\"é]{0,12}", "( *[0-9]: a\\n?){0,3}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_errors_say_both_ways_give_the_same(
        message in words(),
        causes in prop::collection::vec(words(), 1..12),
    ) {
        let mut one = anyhow::Error::msg(causes[causes.len() - 1].clone());
        let mut other = eyre::Report::msg(causes[causes.len() - 1].clone());
        for context in causes.iter().rev().skip(1).chain([&message]) {
            one = one.context(context.clone());
            other = other.wrap_err(context.clone());
        }
        let lines = captured(|| {
            error!(error = report(&one), "anyhow");
            error!(error = report(&other), "eyre");
            error!(error = ?one, "anyhow");
            error!(error = ?other, "eyre");
        })
        .lines();
        // A message with an empty first line has no number, or leaves no trace at all.
        let told = causes.iter().all(|cause| !cause.is_empty() && !cause.starts_with('\n'));
        for line in if told { &lines[..] } else { &lines[..2] } {
            prop_assert_eq!(line.str("error_message"), &message, "{}", line);
            prop_assert_eq!(&line["error_chain"], &json!(causes), "{}", line);
        }
        prop_assert!(lines[1].has("error_location"));
        prop_assert!(lines[3].has("error_location") || !told);
    }
}
