//! The delivery queue: one lane per sink, bounded by bytes, with a worker of its own.
//!
//! ```text
//!  any thread                      the lane                        the worker's thread
//!  ──────────                      ────────                        ───────────────────
//!  push(bytes, add) ──► room? ──► batch (one lock, no allocation) ──swap──► Sink::deliver
//!                        │ no                                                   │
//!                        ▼                                                      ▼
//!                    dropped += 1                             delivered / failed, by reason
//!
//!  flush(limit): waits until everything pushed before it is settled, or the limit is over
//! ```
//!
//! What must hold:
//!
//! - What is in the queue and what is with the sink together never exceed the capacity.
//! - Items are numbered in the order in which they were pushed; a flush waits for the number that it
//!   saw when it began, so that continuous load does not starve it.
//! - Every item ends in exactly one count: delivered, failed or dropped, each with a reason.
//! - The worker sleeps while the queue is empty. The push that ends that wakes it, and then it
//!   waits for `linger`, half a queue (or `linger_bytes`), a flush or the end, so that a wake-up (a system call) is paid
//!   once per batch and not per item.
//! - A lane whose worker cannot be started delivers on its callers' threads. They never wait for each
//!   other there: who finds the worker busy leaves its item to the one that runs it.
//!   While nothing else is going on, a push there goes past the queue (`direct.rs`).
//! - In a lane that is built for many threads each adds to a shard of its own, within a part of the
//!   capacity that the lane has given it (`shards.rs`).
//! - What was lost stands in the stream: the sink is told before the next delivery, and by a flush or
//!   the end if there is none, until something of a delivery arrived.

mod batch;
mod builder;
mod direct;
mod failure;
mod flush;
mod handover;
#[cfg(feature = "tokio")]
mod patience;
mod report;
mod shards;
mod shared;
mod sink;
mod step;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use batch::{Batch, Lines, Records};
pub use builder::{LaneBuilder, Overflow};
pub use failure::{LastFailure, error_chain};
pub use flush::Flush;
pub use handover::{Handover, Handovers, Settled};
#[cfg(feature = "tokio")]
pub use patience::{Attempt, Patience, due_before};
pub use report::{FlushReport, LaneReport, LaneStats, Lost, Reason};
#[cfg(feature = "tokio")]
pub use sink::AsyncSink;
pub use sink::{Delivery, Sink};
pub use worker::on_lane_thread;

pub(crate) use report::registered_lanes;
use shared::Shared;

/// A handle to a lane. Cheap to clone; when the last one is dropped, the worker delivers what is
/// queued and ends.
///
/// A process that exits does not wait for the worker: call [`Lane::flush`] or [`Lane::shutdown`]
/// before `std::process::exit` or the end of `main`.
///
/// ```
/// use obs_core::lane::{Delivery, Lane, Lines, Sink};
/// use std::time::Duration;
///
/// struct Print;
/// impl Sink<Lines> for Print {
///     fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
///         for line in batch.iter() {
///             print!("{}", String::from_utf8_lossy(line));
///             delivery.delivered(1);
///         }
///     }
/// }
///
/// let lane = Lane::<Lines>::builder("example").start(Print);
/// lane.push(6, |lines| lines.push(b"hello"));
/// let report = lane.flush(Duration::from_secs(1));
/// assert!(report.is_complete());
/// assert_eq!(report.delivered(), 1);
/// ```
pub struct Lane<B: Batch> {
    handle: Arc<Handle<B>>,
}

impl<B: Batch> Lane<B> {
    /// A lane with this name, which reports carry.
    pub fn builder(name: &'static str) -> LaneBuilder<B> {
        LaneBuilder::new(name)
    }

    /// Queues what `add` adds to the batch; `bytes` is its weight against the lane's capacity.
    ///
    /// Never blocks, unless the lane was built so. Returns false if there was no room or the lane is
    /// shut down; that is counted. `add` runs under the lane's lock: it only copies.
    pub fn push(&self, bytes: usize, add: impl FnOnce(&mut B)) -> bool {
        self.shared().push(bytes, false, add)
    }

    /// As [`Lane::push`]. In a lane that is [for many threads](LaneBuilder::for_many_threads) threads
    /// that do this at one time do not hinder each other, and a batch has what they pushed in the order
    /// of `at`, which is any clock's reading; what one thread pushed keeps its order whatever that says.
    pub fn push_at(&self, bytes: usize, at: u64, add: impl FnOnce(&mut B)) -> bool {
        self.shared().push_at(bytes, at, add)
    }

    /// As [`Lane::push`], and the worker takes it at once instead of lingering.
    pub fn push_now(&self, bytes: usize, add: impl FnOnce(&mut B)) -> bool {
        self.shared().push(bytes, true, add)
    }

    /// Waits until everything that was pushed before this call is delivered or has failed, `limit`
    /// at most. Works on any thread, inside any runtime and outside; on the lane's own thread it
    /// returns at once.
    ///
    /// The report counts what happened since the report before it.
    pub fn flush(&self, limit: Duration) -> FlushReport {
        Flush::begin(self.shared(), limit).wait()
    }

    /// As [`Lane::flush`], without blocking the thread. Begins with the call, not with the first
    /// poll; needs no particular runtime.
    pub fn flush_async(&self, limit: Duration) -> Flush<B> {
        Flush::begin(self.shared(), limit)
    }

    /// Refuses what comes after, and waits as [`Lane::flush`] does; then the worker ends.
    pub fn shutdown(&self, limit: Duration) -> FlushReport {
        self.shared().close(Some(shared::deadline_after(Instant::now(), limit)));
        self.flush(limit)
    }

    /// As [`Lane::shutdown`], without blocking the thread.
    pub fn shutdown_async(&self, limit: Duration) -> Flush<B> {
        self.shared().close(Some(shared::deadline_after(Instant::now(), limit)));
        self.flush_async(limit)
    }

    /// Whether this thread is delivering for this lane: what it pushed here now would be a result of
    /// its own delivery.
    pub fn is_delivering(&self) -> bool {
        worker::is_delivering(self.shared().id())
    }

    /// The lane's counts since it began.
    pub fn stats(&self) -> LaneStats {
        self.shared().stats()
    }

    fn shared(&self) -> &Arc<Shared<B>> {
        &self.handle.0
    }
}

impl<B: Batch> Clone for Lane<B> {
    fn clone(&self) -> Self {
        Self { handle: Arc::clone(&self.handle) }
    }
}

impl<B: Batch> fmt::Debug for Lane<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lane").field(&self.stats()).finish()
    }
}

/// What all clones of a [`Lane`] share: its end closes the lane. The worker holds only `Shared`.
struct Handle<B: Batch>(Arc<Shared<B>>);

impl<B: Batch> Drop for Handle<B> {
    fn drop(&mut self) {
        self.0.close(None);
    }
}

#[cfg(test)]
mod tests;
