//! What the terminal shows: a line a step, with the time that it took, and a live one meanwhile.
//!
//! Writing never fails a command: whoever closed the pipe does not want to read on.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

const NAME_WIDTH: usize = 22;
const DETAIL_WIDTH: usize = 44;
/// Without a terminal (CI) a long step says that it is alive this often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);
const FRAME: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Progress {
    terminal: bool,
    width: usize,
    step: Option<Step>,
}

#[derive(Debug)]
struct Step {
    name: String,
    began: Instant,
    shown: Instant,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let width = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(80);
        Self { terminal: io::stdout().is_terminal(), width, step: None }
    }

    pub(crate) fn begin(&mut self, name: &str) {
        let now = Instant::now();
        self.step = Some(Step { name: name.to_owned(), began: now, shown: now });
        self.draw("");
    }

    /// Called all the time while a step runs; `detail` is asked for only when it will be shown.
    pub(crate) fn tick(&mut self, detail: impl FnOnce() -> String) {
        let Some(step) = &mut self.step else { return };
        let pause = if self.terminal { FRAME } else { SIGN_OF_LIFE };
        if step.shown.elapsed() < pause {
            return;
        }
        step.shown = Instant::now();
        let detail = detail();
        self.draw(&detail);
    }

    /// Ends the step well; how long it took.
    pub(crate) fn end(&mut self, detail: &str) -> Duration {
        self.finish(detail)
    }

    /// Ends the step badly.
    pub(crate) fn fail(&mut self) -> Duration {
        self.finish("FAILED")
    }

    fn finish(&mut self, detail: &str) -> Duration {
        let Some(step) = self.step.take() else { return Duration::ZERO };
        let elapsed = step.began.elapsed();
        if self.terminal {
            put("\r\x1b[2K");
        }
        say(&line(&step.name, detail, elapsed));
        elapsed
    }

    fn draw(&self, detail: &str) {
        let Some(step) = &self.step else { return };
        let text =
            line(&step.name, if detail.is_empty() { "…" } else { detail }, step.began.elapsed());
        if self.terminal {
            // A line that wraps could not be taken back.
            let text: String = text.chars().take(self.width.saturating_sub(1)).collect();
            put(&format!("\r\x1b[2K{text}"));
        } else if !detail.is_empty() {
            say(&text);
        }
    }
}

/// Prints a line to stdout.
pub(crate) fn say(text: &str) {
    put(&format!("{text}\n"));
}

/// Prints a line to stderr.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// `0.3 s`, `12.4 s`, `3 min 05 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else {
        let seconds = (duration + Duration::from_millis(500)).as_secs();
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

fn put(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn line(name: &str, detail: &str, elapsed: Duration) -> String {
    let detail = shortened(detail, DETAIL_WIDTH);
    let elapsed = duration(elapsed);
    format!("  {name:<NAME_WIDTH$}{detail:<DETAIL_WIDTH$}{elapsed:>11}")
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() < width {
        return text.to_owned();
    }
    let start: String = text.chars().take(width.saturating_sub(2)).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{duration, line, shortened};

    #[test]
    fn durations_are_short() {
        let check = |millis, expected: &str| {
            assert_eq!(duration(Duration::from_millis(millis)), expected);
        };
        check(0, "0.0 s");
        check(340, "0.3 s");
        check(59_900, "59.9 s");
        check(59_990, "1 min 00 s");
        check(185_400, "3 min 05 s");
        check(3_600_000, "60 min 00 s");
    }

    #[test]
    fn lines_are_aligned_and_fit_a_terminal() {
        let long = line("functions", &"x".repeat(90), Duration::from_secs(61));
        let short = line("tools", "ok", Duration::from_millis(20));
        assert_eq!(long.chars().count(), short.chars().count());
        assert!(long.chars().count() < 80, "{long}");
        assert_eq!(shortened("ümlaute", 5), "üml…");
    }
}
