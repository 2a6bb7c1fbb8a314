//! SIGUSR1 makes the log verbose, and the next one makes it as it was.

use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Weak};

use signal_hook::SigId;
use signal_hook::consts::SIGUSR1;
use signal_hook::low_level;

use super::directives::Directives;
use super::shared::{Current, Levels};

/// Watches the signal until it is dropped. From then on the signal does nothing: it does not end the
/// process either, as it would have before.
#[derive(Debug)]
pub(crate) struct Watch {
    registration: SigId,
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Closes the end of the pipe that the handler writes to, and so ends the thread.
        low_level::unregister(self.registration);
    }
}

impl Watch {
    /// `say` is told of each change: the directives before and after.
    ///
    /// The handler does nothing but write a byte into a pipe; a thread of its own reads it.
    pub(super) fn start(
        levels: Weak<Levels>,
        raised: Directives,
        say: impl Fn(&Directives, &Directives) + Send + 'static,
    ) -> io::Result<Self> {
        let (mut signals, handler) = UnixStream::pair()?;
        let mut toggle = Toggle { raised, lowered: None };
        std::thread::Builder::new().name("obs-log-level".to_owned()).spawn(move || {
            while let Some(count) = wait(&mut signals) {
                for _ in 0..count {
                    let Some(levels) = levels.upgrade() else { return };
                    toggle.turn(&levels, &say);
                }
            }
        })?;
        Ok(Self { registration: low_level::pipe::register(SIGUSR1, handler)? })
    }
}

/// How many signals have come; `None` when none will come any more.
fn wait(signals: &mut UnixStream) -> Option<usize> {
    loop {
        match signals.read(&mut [0; 16]) {
            Ok(0) => return None,
            Ok(count) => return Some(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// What the next signal does.
struct Toggle {
    raised: Directives,
    /// What held before the level was raised, and the version that raised it.
    lowered: Option<(u64, Directives)>,
}

impl Toggle {
    fn turn(&mut self, levels: &Levels, say: &impl Fn(&Directives, &Directives)) {
        let current = levels.current();
        let next = self.next(&current);
        let is_raised = next.is_none();
        let next = next.unwrap_or_else(|| self.raised.clone());
        let version = levels.set(next.clone());
        if is_raised {
            self.lowered = Some((version, current.directives.clone()));
        }
        say(&current.directives, &next);
    }

    /// The directives to go back to; `None` where the level is to be raised. A level that was set
    /// meanwhile is the one to come back to.
    fn next(&mut self, current: &Current) -> Option<Directives> {
        let (version, lowered) = self.lowered.take()?;
        (version == current.version).then_some(lowered)
    }
}

impl Levels {
    /// Toggles between the level that holds and `raised`, as long as anybody uses this logger.
    pub(crate) fn watch_signal(
        self: &Arc<Self>,
        raised: Directives,
        say: impl Fn(&Directives, &Directives) + Send + 'static,
    ) -> io::Result<()> {
        let watch = Watch::start(Arc::downgrade(self), raised, say)?;
        // A logger is built once, and so is its watch.
        let _ = self.watch.set(watch);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tracing_core::LevelFilter;

    use super::*;

    fn directives(text: &str) -> Directives {
        Directives::parse(text, "a test").unwrap()
    }

    #[test]
    fn each_signal_turns_it_and_a_level_set_meanwhile_is_kept() {
        let levels = Levels::new(directives("warn"), LevelFilter::OFF);
        let mut toggle = Toggle { raised: directives("debug"), lowered: None };
        let mut turn = |expected: &str| {
            toggle.turn(&levels, &|_: &Directives, _: &Directives| {});
            assert_eq!(levels.directives().as_str(), expected);
        };
        turn("debug");
        turn("warn");
        turn("debug");
        levels.set(directives("info,orders=trace"));
        turn("debug");
        turn("info,orders=trace");
        // The same directives, but set by somebody: they are what to come back to.
        levels.set(directives("debug"));
        turn("debug");
        turn("debug");
    }
}
