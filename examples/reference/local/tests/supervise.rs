//! What `supervise.py` starts ends with it, however that comes about: it is what keeps a demo that is
//! stopped at any moment from leaving a process or a file behind.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);

/// Three processes: a shell, a child that ignores being asked to end, and one in a session of its own.
const COMMAND: &str = "sh -c 'trap \"\" TERM; echo $$ >> pids; exec sleep 300' & \
                       setsid sh -c 'echo $$ >> pids; exec sleep 300' & \
                       echo $$ >> pids; wait";

fn supervised(folder: &Path) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/supervise.py");
    Command::new("python3")
        .args(["-I", "-B"])
        .arg(script)
        .args(["--grace", "0.5", "--scratch"])
        .arg(folder.join("scratch"))
        .args(["--", "sh", "-c", COMMAND])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn pids(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("pids")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Starts the three processes, ends the supervisor with `end`, and looks for what is left.
fn check(end: impl FnOnce(&mut Child)) {
    let folder = tempfile::tempdir().unwrap();
    let mut supervisor = supervised(folder.path());
    wait_until("the start of three processes", || pids(folder.path()).len() == 3);
    assert!(folder.path().join("scratch").is_dir());
    end(&mut supervisor);
    wait_until("the supervisor's end", || supervisor.try_wait().unwrap().is_some());
    for pid in pids(folder.path()) {
        assert!(!Path::new("/proc").join(&pid).exists(), "process {pid} is left");
    }
    assert!(!folder.path().join("scratch").exists(), "the scratch folder is left");
}

fn signal(name: &str, child: &Child) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn nothing_is_left_when_the_program_that_started_it_is_gone() {
    // What `kill -9` of that program does: the system closes its end of the pipe.
    check(|supervisor| drop(supervisor.stdin.take()));
}

#[test]
fn nothing_is_left_after_ctrl_c_or_a_request_to_end() {
    check(|supervisor| signal("INT", supervisor));
    check(|supervisor| signal("TERM", supervisor));
}

#[test]
fn the_commands_own_code_is_passed_on() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/supervise.py");
    let code = |command: &[&str]| {
        let mut supervisor = Command::new("python3");
        supervisor.args(["-I", "-B"]).arg(&script).arg("--").args(command);
        let mut supervisor =
            supervisor.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // Not `wait`, which closes the pipe first.
        let mut ended = None;
        wait_until("the command's end", || {
            ended = supervisor.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap().code()
    };
    assert_eq!(code(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(code(&["sh", "-c", "exit 0"]), Some(0));
    assert_eq!(code(&["sh", "-c", "kill -KILL $$"]), Some(128 + 9));
    assert_eq!(code(&["/nowhere/at-all"]), Some(127));
}
