//! The example `emf_validate` as its users meet it: as a process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const NOW: &str = "1700000000000";
const VALID: &str = r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"App","Dimensions":[["S"],[]],"Metrics":[{"Name":"A"}]}]},"S":"x","A":1}"#;

/// `cargo test` has built it beside this test's folder; asked for this test alone, it has not.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(Path::parent).unwrap();
        let program =
            profile.join("examples").join(format!("emf_validate{}", std::env::consts::EXE_SUFFIX));
        if !program.exists() {
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--package", "obs-metrics", "--example", "emf_validate"]);
            build.arg("--target-dir").arg(profile.parent().unwrap());
            if profile.ends_with("release") {
                build.arg("--release");
            }
            assert!(build.status().unwrap().success());
        }
        assert!(program.exists(), "{} is missing", program.display());
        program
    })
}

/// Runs it in `folder`, and returns its status, standard output and standard error.
fn run(folder: &Path, arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child = Command::new(program())
        .args(["--now", NOW])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It may end without reading all of it.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A folder of its own for a test, with these files.
fn folder(test: &str, files: &[(&str, &[u8])]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("emf_validate_{test}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, content) in files {
        std::fs::write(folder.join(name), content).unwrap();
    }
    folder
}

/// Checks `input` as standard input.
fn check(input: impl AsRef<[u8]>, status: i32, expected: &str) {
    let found = run(Path::new("."), &[], input.as_ref());
    assert_eq!(found, (status, expected.to_owned(), String::new()));
}

#[test]
fn lines_are_checked_and_counted() {
    check("", 0, "documents: 0, invalid: 0, metrics: 0, other lines: 0\n");
    let one = "documents: 1, invalid: 0, metrics: 2, other lines: 0\n";
    check(VALID, 0, one);
    check(format!("{VALID}\n"), 0, one);
    check(format!("\u{feff}{VALID}\r\n\r\n"), 0, one);
    let mixed = format!(
        "START RequestId: 8f5c\r\n{VALID}\r\n{{\"level\":\"INFO\",\"message\":\"_aws\"}}\r\n\r\n{}\r\n{}",
        VALID.replace("\"A\":1", "\"A\":null"),
        VALID.replace("App", "").replace("[\"S\"]", "[\"T\"]"),
    );
    check(
        mixed,
        1,
        "\
stdin:5: /A: is null; a number, an array of numbers, or Values and Counts is asked for [value; EMF specification]
stdin:6: /_aws/CloudWatchMetrics/0/Namespace: \"\" has no character that is not a space [namespace; CloudWatch API, PutMetricData]
stdin:6: /_aws/CloudWatchMetrics/0/Dimensions/0/0: the document has no member \"T\" [target; EMF specification]
documents: 3, invalid: 2, metrics: 2, other lines: 2
",
    );
}

#[test]
fn bytes_that_are_no_text_are_reported() {
    let mut line = VALID.replace("\"S\":\"x\"", "\"p\":\"?\",\"S\":\"x\"").into_bytes();
    let at = line.iter().position(|byte| *byte == b'?').unwrap();
    line[at] = 0xff;
    check(
        &line,
        1,
        &format!(
            "stdin:1: (document): is not UTF-8 at byte {} [json; RFC 8259]\ndocuments: 1, invalid: 1, metrics: 0, other lines: 0\n",
            at + 1
        ),
    );
    let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let (status, out, err) = run(Path::new("."), &[], &binary);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.starts_with("documents: 0,") && out.lines().count() == 1, "{out}");
}

#[test]
fn a_line_of_10_megabytes_is_too_large() {
    let line = VALID.replace("\"x\"", &format!("\"x\",\"p\":\"{}\"", "x".repeat(10_000_000)));
    check(
        &line,
        1,
        &format!(
            "stdin:1: (document): {} bytes; a log event has at most 1048576 [event-size; CloudWatch Logs API, PutLogEvents]\ndocuments: 1, invalid: 1, metrics: 0, other lines: 0\n",
            line.len()
        ),
    );
}

#[test]
fn it_ends_after_the_first_file_with_a_violation() {
    let wrong = format!("{0}\n{VALID}\n{0}\n", VALID.replace("\"A\":1", "\"A\":\"1\""));
    let files: [(&str, &[u8]); 4] = [
        ("good.log", VALID.as_bytes()),
        ("wrong.log", wrong.as_bytes()),
        ("wrong2.log", wrong.as_bytes()),
        ("-x.log", VALID.as_bytes()),
    ];
    let folder = folder("files", &files);
    let message = "/A: is a string; a number, an array of numbers, or Values and Counts is asked for [value; EMF specification]";
    let of = |name: &str| format!("{name}:1: {message}\n{name}:3: {message}\n");
    assert_eq!(
        run(&folder, &["good.log", "wrong.log", "wrong2.log"], b""),
        (
            1,
            format!("{}documents: 4, invalid: 2, metrics: 4, other lines: 0\n", of("wrong.log")),
            String::new()
        )
    );
    assert_eq!(
        run(&folder, &["--all", "wrong.log", "-", "wrong2.log", "--", "-x.log"], VALID.as_bytes()),
        (
            1,
            format!(
                "{}{}documents: 8, invalid: 4, metrics: 8, other lines: 0\n",
                of("wrong.log"),
                of("wrong2.log")
            ),
            String::new()
        )
    );
}

#[test]
fn what_cannot_be_read_is_2() {
    let folder = folder("unreadable", &[("good.log", VALID.as_bytes())]);
    let summary = "documents: 1, invalid: 0, metrics: 2, other lines: 0\n";
    let (status, out, err) = run(&folder, &["missing.log", "good.log"], b"");
    assert_eq!((status, out.as_str()), (2, summary));
    assert!(err.starts_with("emf_validate: missing.log: ") && err.lines().count() == 1, "{err}");
    let (status, out, err) = run(&folder, &["good.log", "."], b"");
    assert_eq!((status, out.as_str()), (2, summary));
    assert!(err.starts_with("emf_validate: .: ") && err.lines().count() == 1, "{err}");
}

#[test]
fn wrong_arguments_are_2_and_help_is_0() {
    let here = Path::new(".");
    let usage = "; --help says how it is used\n";
    for (arguments, message) in [
        (&["--strict"][..], "there is no option --strict"),
        (&["-x", "file"], "there is no option -x"),
        (&["--now"], "--now takes milliseconds since the epoch, for example 1700000000000"),
        (
            &["--now", "today"],
            "--now takes milliseconds since the epoch, for example 1700000000000",
        ),
    ] {
        let expected = (2, String::new(), format!("emf_validate: {message}{usage}"));
        assert_eq!(run(here, arguments, b""), expected);
    }
    let (status, out, err) = run(here, &["--help"], b"");
    assert_eq!((status, err.as_str()), (0, ""));
    for word in ["Usage: emf_validate", "--all", "--now", "--help", "Status: 0"] {
        assert!(out.contains(word), "{out}");
    }
}

#[test]
fn timestamps_are_judged_as_at_the_time_given() {
    let output = |now: &[&str]| {
        let mut command = Command::new(program());
        let file =
            folder(&format!("now{}", now.len()), &[("a.log", VALID.as_bytes())]).join("a.log");
        let output = command.args(now).arg(file).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(output(&["--now", NOW]).0, 0);
    let (status, out) = output(&[]);
    assert!(status == 1 && out.contains("timestamp-window"), "{out}");
}

#[test]
fn a_reader_that_ends_early_is_no_error() {
    let lines = VALID.replace("\"A\":1", "\"A\":null") + "\n";
    let folder = folder("pipe", &[("wrong.log", lines.repeat(20_000).as_bytes())]);
    let mut child = Command::new(program())
        .args(["--now", NOW, "wrong.log"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("wrong.log:1: /A: "), "{first}");
    // Its standard output is closed here, with some megabytes still to be written.
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(1), &b""[..]));
}
