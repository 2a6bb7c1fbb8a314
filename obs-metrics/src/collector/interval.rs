//! The flush on an interval: a thread of the collector's own, which its first aggregated value starts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::Thread;
use std::time::Duration;

use obs_core::health::{self, Event};

use super::Inner;

/// When what is aggregated leaves without being asked for.
#[derive(Debug)]
pub(crate) struct Interval {
    every: Option<Duration>,
    /// The thread, once it was started; `None` where the system refused it.
    thread: OnceLock<Option<Thread>>,
    ended: AtomicBool,
}

impl Interval {
    pub(super) fn new(every: Option<Duration>) -> Self {
        Self { every, thread: OnceLock::new(), ended: AtomicBool::new(false) }
    }

    /// Sees to it that what is recorded now leaves in time.
    #[inline]
    pub(crate) fn ensure(&self, collector: &Arc<Inner>) {
        if let Some(every) = self.every {
            self.thread.get_or_init(|| {
                if self.has_ended() { None } else { start(every, Arc::downgrade(collector)) }
            });
        }
    }

    /// Ends the thread, and starts none any more.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        if let Some(Some(thread)) = self.thread.get() {
            thread.unpark();
        }
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

fn start(every: Duration, collector: Weak<Inner>) -> Option<Thread> {
    let flush = move || {
        // Unparked when the collector is dropped, and then it is gone, or shut down; a wake-up without
        // a reason flushes early.
        loop {
            std::thread::park_timeout(every);
            match collector.upgrade() {
                Some(collector) if collector.interval.has_ended() => return,
                Some(collector) => collector.emit_process(collector.depth_before()),
                None => return,
            }
        }
    };
    match std::thread::Builder::new().name("obs-metrics-flush".to_owned()).spawn(flush) {
        Ok(thread) => Some(thread.thread().clone()),
        Err(_) => {
            health::count(Event::WorkerNotStarted);
            None
        }
    }
}
