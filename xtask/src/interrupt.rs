//! Signals as a flag that the waiting loops look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::failure::{Failure, Result};

#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    /// From here on a signal no longer ends this program by itself: the waiting loop stops the child,
    /// waits until it is gone, and then ends.
    pub(crate) fn register() -> Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};

        let flag = Arc::new(AtomicUsize::new(0));
        let mut signals = vec![SIGINT, SIGTERM];
        #[cfg(unix)]
        signals.push(signal_hook::consts::SIGHUP);
        for signal in signals {
            let value = usize::try_from(signal).unwrap_or_default();
            signal_hook::flag::register_usize(signal, Arc::clone(&flag), value)
                .map_err(|error| Failure::io("watch for Ctrl-C", &error))?;
        }
        Ok(Self(flag))
    }

    /// Fails once a signal has come.
    pub(crate) fn check(&self) -> Result<()> {
        match i32::try_from(self.0.load(Ordering::Relaxed)) {
            Ok(0) | Err(_) => Ok(()),
            Ok(signal) => Err(Failure::Interrupted { signal }),
        }
    }
}
