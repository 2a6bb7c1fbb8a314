//! Child processes: supervised, logged, interruptible.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::progress::{Progress, say};
use crate::python::{self, Python};
use crate::workspace::Workspace;

const POLL: Duration = Duration::from_millis(30);
/// As many lines of a failed tool's output as still show what failed.
const TAIL_LINES: usize = 60;
/// As much of a log's end as holds them.
const TAIL_BYTES: u64 = 64 * 1024;

/// Runs the tools; there is one.
#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) workspace: Workspace,
    pub(crate) progress: Progress,
    pub(crate) python: Python,
    interrupt: Interrupt,
    /// Given back when this program ends, however it does.
    _lock: File,
}

/// A command that is to be run.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    program: OsString,
    arguments: Vec<OsString>,
    folder: PathBuf,
    variables: Vec<(OsString, OsString)>,
    /// Seconds between being asked to end and being killed.
    grace: &'static str,
}

impl Tool {
    pub(crate) fn new(program: impl AsRef<OsStr>, folder: impl Into<PathBuf>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            folder: folder.into(),
            variables: Vec::new(),
            // npm does not end when it is asked to; nobody wants to wait for it.
            grace: "2",
        }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// It may have the backend's own supervisor below it, which has to clean up first.
    pub(crate) fn with_backend(mut self) -> Self {
        self.grace = "10";
        self
    }
}

impl Runner {
    pub(crate) fn new() -> Result<Self> {
        let workspace = Workspace::find()?;
        let python = python::find()?;
        for folder in [workspace.logs(), workspace.temporary()] {
            fs::create_dir_all(&folder)
                .map_err(|error| Failure::io(format!("make {}", folder.display()), &error))?;
        }
        let interrupt = Interrupt::register()?;
        let lock = lock(&workspace.demo().join("lock"), &interrupt)?;
        Ok(Self { workspace, progress: Progress::new(), python, interrupt, _lock: lock })
    }

    /// Runs a tool with its output in `.demo/logs/<log>.log`, as a part of the step that is under way.
    ///
    /// Fails with the output's end when the tool does; the log's path otherwise.
    pub(crate) fn run(&mut self, tool: &Tool, log: &str) -> Result<PathBuf> {
        let path = self.log_path(log);
        let output = create(&path)?;
        let errors = output.try_clone().map_err(|error| Failure::io("share a log file", &error))?;
        let child = self.spawn(tool, Stdio::from(output), Stdio::from(errors))?;
        let status = self.wait(child, &path)?;
        self.judge(tool, status, &path)?;
        Ok(path)
    }

    /// As [`run`](Self::run), with standard output given to `on_line` a line at a time; standard error
    /// goes to the log.
    pub(crate) fn run_reading(
        &mut self,
        tool: &Tool,
        log: &str,
        mut on_line: impl FnMut(&mut Progress, &str),
    ) -> Result<()> {
        let path = self.log_path(log);
        let errors = create(&path)?;
        let mut child = self.spawn(tool, Stdio::piped(), Stdio::from(errors))?;
        let stdout = child.stdout.take();
        let (sender, lines) = mpsc::channel();
        // It ends when the child's end of the pipe closes, so it needs no joining.
        thread::spawn(move || {
            let lines = stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines());
            for line in lines.map_while(std::result::Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        loop {
            match lines.recv_timeout(POLL) {
                Ok(line) => on_line(&mut self.progress, &line),
                Err(RecvTimeoutError::Timeout) => self.progress.tick(String::new),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.interrupt.check().is_err() {
                break;
            }
        }
        let status = self.wait(child, &path)?;
        self.judge(tool, status, &path)
    }

    /// Runs a tool that talks to the person at the terminal: with its own standard streams, in this
    /// program's process group, so that Ctrl-C reaches it too.
    pub(crate) fn run_interactively(&mut self, tool: &Tool) -> Result<()> {
        let mut command = Command::new(&tool.program);
        command.args(&tool.arguments);
        self.prepare(&mut command, tool);
        let child = command.spawn().map_err(|error| cannot_start(tool, &error))?;
        let status = self.wait(child, Path::new(""))?;
        self.interrupt.check()?;
        if status.success() {
            Ok(())
        } else {
            Err(Failure::new(format!("{} ended with {status}", shown(tool))))
        }
    }

    fn spawn(&self, tool: &Tool, stdout: Stdio, stderr: Stdio) -> Result<Child> {
        self.interrupt.check()?;
        let mut command = Command::new(&self.python.path);
        command
            .args(["-I", "-B"])
            .arg(self.workspace.supervisor())
            .args(["--grace", tool.grace, "--"])
            .arg(&tool.program)
            .args(&tool.arguments)
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(stderr);
        self.prepare(&mut command, tool);
        command.spawn().map_err(|error| cannot_start(tool, &error))
    }

    fn prepare(&self, command: &mut Command, tool: &Tool) {
        command.current_dir(&tool.folder).env("TMPDIR", self.workspace.temporary());
        command.envs(tool.variables.iter().map(|(name, value)| (name, value)));
    }

    /// Waits for the child, or stops it after a signal and waits until it is gone.
    fn wait(&mut self, mut child: Child, log: &Path) -> Result<ExitStatus> {
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(error) => return Err(Failure::io("wait for a child process", &error)),
            }
            if let Err(interruption) = self.interrupt.check() {
                match child.stdin.take() {
                    // The supervisor ends the group when this end of the pipe closes.
                    Some(lifeline) => drop(lifeline),
                    // An interactive child: it got a Ctrl-C as well, but not a SIGTERM sent to us.
                    None => drop(child.kill()),
                }
                drop(child.wait());
                return Err(interruption);
            }
            self.progress.tick(|| last_line(log));
            thread::sleep(POLL);
        }
    }

    fn judge(&self, tool: &Tool, status: ExitStatus, log: &Path) -> Result<()> {
        self.interrupt.check()?;
        if status.success() {
            return Ok(());
        }
        let sentence = format!(
            "{} failed ({status}); all of its output is in {}",
            shown(tool),
            self.workspace.shown(log)
        );
        Err(Failure::with_output(sentence, tail(log)))
    }

    fn log_path(&self, log: &str) -> PathBuf {
        self.workspace.logs().join(format!("{log}.log"))
    }
}

/// Waits until no other `cargo xtask` works in this checkout: they would write the same files.
fn lock(path: &Path, interrupt: &Interrupt) -> Result<File> {
    let file = create(path)?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(Failure::io(format!("lock {}", path.display()), &error));
            }
        }
        if !told {
            say("Waiting for another `cargo xtask` in this checkout.");
            told = true;
        }
        interrupt.check()?;
        thread::sleep(POLL);
    }
}

fn create(path: &Path) -> Result<File> {
    File::create(path).map_err(|error| Failure::io(format!("write {}", path.display()), &error))
}

fn cannot_start(tool: &Tool, error: &std::io::Error) -> Failure {
    Failure::io(format!("start {}", shown(tool)), error)
}

/// The program's name and its first arguments, enough to know which it was.
fn shown(tool: &Tool) -> String {
    let program = Path::new(&tool.program).file_stem().unwrap_or(&tool.program);
    let mut text = program.to_string_lossy().into_owned();
    for argument in tool.arguments.iter().take(3) {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = end_of(log, TAIL_BYTES);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// What the tool is at, for the live line.
fn last_line(log: &Path) -> String {
    let text = end_of(log, 512);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    last.trim().chars().filter(|character| !character.is_control()).collect()
}

/// Empty when there is no such file: both callers only show it.
fn end_of(log: &Path, bytes: u64) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
        let mut end = Vec::new();
        file.take(bytes).read_to_end(&mut end)?;
        Ok(end)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{TAIL_LINES, Tool, last_line, shown, tail};

    #[test]
    fn the_end_of_a_log_is_what_a_failure_shows() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        let lines: Vec<String> = (0..20_000).map(|number| format!("line {number}")).collect();
        fs::write(&log, format!("{}\n\n", lines.join("\n"))).unwrap();
        let tail = tail(&log);
        let expected = format!("{}\n", lines[20_001 - TAIL_LINES..].join("\n"));
        assert_eq!(tail, expected);
        assert_eq!(last_line(&log), "line 19999");
        assert_eq!(last_line(Path::new("nowhere")), "");
    }

    #[test]
    fn a_tool_is_named_by_its_first_words() {
        let tool = Tool::new("/usr/bin/cargo", ".").args(["test", "--workspace", "-p", "x"]);
        assert_eq!(shown(&tool), "cargo test --workspace -p");
    }
}
