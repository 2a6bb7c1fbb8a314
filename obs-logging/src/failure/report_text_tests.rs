use super::*;

/// Message, causes, location, traceback.
type Parts<'a> = (&'a str, &'a [&'a str], Option<&'a str>, Option<&'a str>);

fn check(text: &str, expected: Option<Parts<'_>>) {
    let mut json = Vec::new();
    obs_core::json::string(&mut json, text);
    let found = may_be_report(&json).then(|| split(text)).flatten();
    let expected = expected.map(|(message, chain, location, traceback)| Failure {
        message: message.to_owned(),
        chain: chain.iter().map(|cause| (*cause).to_owned()).collect(),
        location: location.map(str::to_owned),
        traceback: traceback.map(str::to_owned),
        ..Failure::default()
    });
    assert_eq!(found, expected, "{text:?}");
    assert_eq!(Failure::of_report_text(&json).is_some(), expected.is_some());
}

#[test]
fn reports_are_split_into_their_parts() {
    check(
        "order 7\n\nCaused by:\n    0: reading\n       quantity\n    1: no digit",
        Some(("order 7", &["reading\nquantity", "no digit"], None, None)),
    );
    check("a\n\nCaused by:\n    b: c\n    d", Some(("a", &["b: c\nd"], None, None)));
    // It counts, but it is one.
    check("a\n\nCaused by:\n    0: b", Some(("a", &["0: b"], None, None)));
    check(
        "two\nlines\n\nCaused by:\n   0: b\n\n      b2\n   1: \n   2: c\n\nLocation:\n    src/a b.rs:7:39\n\n\
         Stack backtrace:\n   0: main\n             at ./src/main.rs:1\n",
        Some((
            "two\nlines",
            &["b\n\nb2", "", "c"],
            Some("src/a b.rs:7:39"),
            Some("   0: main\n             at ./src/main.rs:1"),
        )),
    );
    check("a\n\nStack backtrace:\n   0: main\n", Some(("a", &[], None, Some("   0: main"))));
    check("a\n\nLocation:\n    src/a.rs:7:39", Some(("a", &[], Some("src/a.rs:7:39"), None)));
    let many: Vec<String> = (0..12).map(|n| format!("cause {n}")).collect();
    let lines: Vec<String> =
        many.iter().enumerate().map(|(n, cause)| format!("{n: >5}: {cause}")).collect();
    let causes: Vec<&str> = many.iter().map(String::as_str).collect();
    check(&format!("a\n\nCaused by:\n{}", lines.join("\n")), Some(("a", &causes, None, None)));
}

#[test]
fn other_texts_stay_as_they_are() {
    for text in [
        "",
        "only a text",
        "Declined { code: 51 }",
        "a\n\nb",
        "a\nCaused by:\n    b",
        "a\n\nCaused by:\nb",
        "a\n\nCaused by: b",
        "a\n\nCaused by:\n    b\n\nand more",
        "a\n\nLocation:\n    the basement",
        "a\n\nLocation:\n    src/a.rs:7\nand more",
        "a\n\nStack backtrace:\ndisabled",
        r#"Text("a\n\nCaused by:\n    b")"#,
        r"a\n\nCaused by:\n    b",
    ] {
        check(text, None);
    }
}

#[test]
fn a_drawn_backtrace_is_found_and_its_colours_are_not() {
    // As color-eyre 0.6.5 writes it.
    let text = "\n   0: \u{1b}[91morder 7\u{1b}[0m\n   1: \u{1b}[91mno digit\u{1b}[0m\n\n\
                Location:\n   \u{1b}[35msrc/main.rs\u{1b}[0m:\u{1b}[35m23\u{1b}[0m\n\n  \
                ━━━━━━━━ BACKTRACE ━━━━━━━━\n  \u{1b}[96m ⋮ 4 frames hidden ⋮ \u{1b}[0m\n   \
                7: \u{1b}[91mapp::main\u{1b}[0m\u{1b}[90m::h0e1f\u{1b}[0m\n      at \
                \u{1b}[35m/app/src/main.rs\u{1b}[0m:\u{1b}[35m23\u{1b}[0m\n\n\
                Run with RUST_BACKTRACE=full to include source snippets.";
    let (location, traceback) = of_report(text, "order 7");
    assert_eq!(location.as_deref(), Some("src/main.rs:23"));
    assert_eq!(
        traceback.as_deref(),
        Some("   ⋮ 4 frames hidden ⋮\n   7: app::main::h0e1f\n      at /app/src/main.rs:23")
    );
    let without = "\n   0: \u{1b}[91morder 7\u{1b}[0m\n\nBacktrace omitted.";
    assert_eq!(of_report(without, "order 7"), (None, None));
}

#[test]
fn what_a_message_says_of_a_backtrace_is_not_the_reports() {
    let message = "a\n\nStack backtrace:\n   0: forged";
    assert_eq!(of_report(message, message), (None, None));
    let text = format!("{message}\n\nStack backtrace:\n   0: true");
    assert_eq!(of_report(&text, message).1.as_deref(), Some("   0: true"));
}
