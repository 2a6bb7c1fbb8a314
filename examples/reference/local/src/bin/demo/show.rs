//! What goes to the terminal: the report's lines, and the steps for whoever shows progress.
//!
//! Writing never fails the demo: whoever closed the pipe does not want to read on.

use std::env;
use std::io::{self, Write as _};
use std::time::Instant;

use obs_reference_local::StepObserver;

/// What `cargo xtask demo` sets and reads: a line that begins with this control character is about a
/// step, every other line is the report.
const STEP_LINES: &str = "OBS_STEP_LINES";
const MARK: char = '\u{1e}';

/// Tells of each step: marked lines for `cargo xtask`, which shows them live; else a plain line.
#[derive(Debug)]
pub(crate) struct Steps {
    marked: bool,
    step: String,
    began: Instant,
}

impl Steps {
    pub(crate) fn new() -> Self {
        let marked = env::var_os(STEP_LINES).is_some();
        Self { marked, step: String::new(), began: Instant::now() }
    }
}

impl StepObserver for Steps {
    fn begin(&mut self, step: &str) {
        if self.marked {
            say(&format!("{MARK}begin {step}"));
        }
        step.clone_into(&mut self.step);
        self.began = Instant::now();
    }

    fn end(&mut self, detail: &str) {
        if self.marked {
            say(&format!("{MARK}end {detail}"));
        } else {
            let seconds = self.began.elapsed().as_secs_f64();
            say(&format!("  {}: {detail} ({seconds:.1} s)", self.step));
        }
    }
}

/// A line to stdout, at once: it may be a pipe.
pub(crate) fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// A line to stderr.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
