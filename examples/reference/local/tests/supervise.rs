//! The supervisor that every child process of the demo runs under: nothing may outlive its starter.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests are tests, which clippy.toml does not know"
)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a machine whose cores are busy, and never waited out when all is well.
const PATIENCE: Duration = Duration::from_secs(30);

fn supervise(options: &[&str], script: &str) -> Child {
    Command::new("python3")
        .args(["-I", "-B", concat!(env!("CARGO_MANIFEST_DIR"), "/python/supervise.py")])
        .args(options)
        .args(["--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for `look` to find something.
#[track_caller]
fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} took too long");
        thread::sleep(Duration::from_millis(10));
    }
}

fn ended(child: &mut Child) -> ExitStatus {
    wait("the supervisor's end", || child.try_wait().unwrap())
}

/// A command that writes the ids of two processes, one in a session of its own, and then hangs on.
fn stubborn(folder: &Path) -> String {
    format!(
        "trap '' TERM; sleep 600 & echo $! > {0}/one; python3 -c 'import os, time; os.setsid(); time.sleep(600)' & \
         echo $! > {0}/two; wait",
        folder.display()
    )
}

fn written_ids(folder: &Path) -> Vec<String> {
    ["one", "two"]
        .iter()
        .map(|name| {
            wait("the command's start", || {
                let id = fs::read_to_string(folder.join(name)).ok()?;
                id.ends_with('\n').then(|| id.trim().to_owned())
            })
        })
        .collect()
}

/// Whether a process is there. By the shell's own `kill`: neither `kill` nor `ps` is on every system.
fn lives(id: &str) -> bool {
    let mut asked = Command::new("sh");
    asked.args(["-c", "kill -0 \"$0\"", id]).stderr(Stdio::null()).status().unwrap().success()
}

/// Waits for the process's end: where nobody adopts orphans but init, that may take a moment.
#[track_caller]
fn gone(id: &str) {
    wait("the end of what the command started", || (!lives(id)).then_some(()));
}

#[test]
fn the_commands_own_code_is_passed_on() {
    assert_eq!(ended(&mut supervise(&[], "exit 7")).code(), Some(7));
    assert_eq!(ended(&mut supervise(&[], "exit 0")).code(), Some(0));
    assert_eq!(ended(&mut supervise(&[], "kill -KILL $$")).code(), Some(128 + 9));
}

#[test]
fn everything_ends_when_the_starter_does() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = folder.path().join("scratch");
    let options = ["--grace", "0.2", "--scratch", scratch.to_str().unwrap()];
    let mut child = supervise(&options, &stubborn(folder.path()));
    let ids = written_ids(folder.path());
    assert!(scratch.is_dir());
    assert!(ids.iter().all(|id| lives(id)), "{ids:?}");

    // What the system does to the pipe of a starter that was killed.
    drop(child.stdin.take());
    ended(&mut child);
    ids.iter().for_each(|id| gone(id));
    assert!(!scratch.exists(), "the scratch folder is removed last");
}

#[test]
fn everything_ends_on_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = supervise(&["--grace", "0.2"], &stubborn(folder.path()));
    let ids = written_ids(folder.path());
    let kill = ["-c", "kill -TERM \"$0\"", &child.id().to_string()];
    let sent = Command::new("sh").args(kill).status().unwrap();
    assert!(sent.success());
    assert_eq!(ended(&mut child).code(), Some(128 + 15));
    ids.iter().for_each(|id| gone(id));
}

#[test]
fn what_the_command_leaves_behind_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("sleep 600 & echo $! > {}/one; exit 3", folder.path().display());
    let mut child = supervise(&["--grace", "0.2"], &script);
    assert_eq!(ended(&mut child).code(), Some(3));
    let id = fs::read_to_string(folder.path().join("one")).unwrap();
    gone(id.trim());
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let output = Command::new("python3")
        .args(["-I", "-B", concat!(env!("CARGO_MANIFEST_DIR"), "/python/supervise.py")])
        .args(["--", "/nowhere/at-all"])
        .stdin(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot start /nowhere/at-all"));
}
