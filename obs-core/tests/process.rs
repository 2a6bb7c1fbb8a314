//! What happens to records when the process ends or stdout is gone: in real child processes, which
//! are this test's own binary.

#![expect(clippy::unwrap_used, reason = "a helper of the tests")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use obs_core::health::{self, Event};
use obs_core::lane::{Lane, Lines};
use obs_core::stdout::StdoutSink;

const ROLE: &str = "OBS_CORE_TEST_ROLE";
const LIMIT: Duration = Duration::from_secs(20);

/// Runs this binary's `child` test in the given role.
fn spawn_as(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command
}

fn lane() -> Lane<Lines> {
    Lane::builder("stdout").linger(LIMIT).start(StdoutSink::new())
}

/// Not a test of its own: what the child processes do.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let lane = lane();
    match role.as_str() {
        "exits" => {
            lane.push(100, |lines| lines.push(b"{\"message\":\"last words\"}"));
            let report = lane.flush(LIMIT);
            std::process::exit(if report.is_complete() { 0 } else { 3 });
        }
        "stdout-closed" => {
            // The parent has closed its end by the time that it answers on stdin.
            std::io::stdin().read_line(&mut String::new()).unwrap();
            for _ in 0..3 {
                lane.push(100, |lines| lines.push(b"nobody reads this"));
            }
            let report = lane.flush(LIMIT);
            let told = report.failed() == 3 && health::counted(Event::StdoutFailed) == 3;
            std::process::exit(if told { 0 } else { 4 });
        }
        _ => unreachable!("no such role"),
    }
}

#[test]
fn scenario_05_an_explicit_flush_before_exit_is_enough() {
    let output = spawn_as("exits").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(
        out.lines()
            // The test runner has begun the line.
            .any(|line| line.ends_with("{\"message\":\"last words\"}")),
        "{out}"
    );
}

#[test]
fn scenario_21_a_closed_stdout_is_counted_and_nothing_panics() {
    let mut child = spawn_as("stdout-closed")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    // The test runner has written what it writes before the child's turn.
    out.read_until(b'.', &mut Vec::new()).unwrap();
    out.read_exact(&mut [0; 3]).unwrap();
    drop(out);
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
