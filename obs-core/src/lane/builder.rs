//! How a lane is made.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::batch::{Batch, Lines};
use super::report::register;
use super::shards::Shards;
use super::shared::Shared;
use super::sink::Sink;
#[cfg(feature = "tokio")]
use super::worker::{Awaiting, TokioDriver};
use super::worker::{Blocking, Deliver, Drain, Driver, ParkDriver, Worker};
use super::{Handle, Lane};
use crate::health::{self, Event};
use crate::lock;

/// What happens to an item for which the queue has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// It is dropped and counted; the caller goes on at once.
    #[default]
    Drop,
    /// The caller waits for room, this long at most; then it is dropped and counted.
    Block(Duration),
}

/// Collects a lane's settings; see [`Lane::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `start`"]
pub struct LaneBuilder<B> {
    name: &'static str,
    capacity: usize,
    linger: Duration,
    enough: usize,
    overflow: Overflow,
    synchronous: bool,
    for_many_threads: bool,
    stack_size: Option<usize>,
    batch: PhantomData<fn() -> B>,
}

impl LaneBuilder<Lines> {
    /// Threads that [push](Lane::push_at) at one time do not hinder each other, as they do at one lock.
    /// Costs a kilobyte, and a push without a stamp takes the locks of all eight shards. Nothing changes
    /// in a synchronous lane.
    pub fn for_many_threads(mut self) -> Self {
        self.for_many_threads = true;
        self
    }
}

impl<B: Batch> LaneBuilder<B> {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            capacity: 4 * 1024 * 1024,
            linger: Duration::from_millis(50),
            enough: usize::MAX,
            overflow: Overflow::default(),
            synchronous: false,
            for_many_threads: false,
            stack_size: None,
            batch: PhantomData,
        }
    }

    /// The most bytes that are queued and with the sink at one time. Default 4 MiB: two seconds of
    /// a very busy logger, small against the smallest Lambda's 128 MB.
    pub fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// How long the first item of a batch waits for others. Default 50 ms. A flush, an urgent item
    /// or a queue that is half full ends the wait.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// A batch of so many bytes does not wait for others. Default: half of the capacity. Less wakes the
    /// worker more often, and what it then reads is still in the processor's cache.
    pub fn linger_bytes(mut self, bytes: usize) -> Self {
        self.enough = bytes;
        self
    }

    /// What happens when the queue is full. Default: drop and count.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Delivers on the caller's thread, before `push` returns, unless another thread delivers at that
    /// moment: then that one takes the item along. For Lambda, which freezes the process when it likes.
    pub fn synchronous(mut self) -> Self {
        self.synchronous = true;
        self
    }

    /// The stack of the worker's thread. Default: the system's.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Starts the lane. If the system refuses a thread, deliveries are synchronous; that is counted
    /// as [`Event::WorkerNotStarted`].
    pub fn start(self, sink: impl Sink<B>) -> Lane<B> {
        self.start_worker(Blocking(sink), ParkDriver)
    }

    /// Starts a lane whose sink awaits, with a current-thread Tokio runtime of its own on its own
    /// thread. If the system refuses a thread, deliveries happen in flushes that are called outside
    /// of any runtime.
    ///
    /// # Errors
    ///
    /// The system refused the runtime its resources (file descriptors).
    #[cfg(feature = "tokio")]
    pub fn start_async(self, sink: impl super::AsyncSink<B>) -> std::io::Result<Lane<B>> {
        Ok(self.start_worker(Awaiting(sink), TokioDriver::new()?))
    }

    fn start_worker<S: Deliver<B>, D: Driver>(self, sink: S, driver: D) -> Lane<B>
    where
        Worker<B, S, D>: Drain<B>,
    {
        let sharded = self.for_many_threads && !self.synchronous;
        let shards = if sharded { Shards::new() } else { Shards::none() };
        let lane = Arc::new(Shared::new(
            self.name,
            self.capacity,
            self.enough,
            self.linger,
            self.overflow,
            shards,
        ));
        let worker = Worker::new(sink, driver);
        if self.synchronous {
            lane.drive_by_callers(Box::new(worker));
        } else if let Err(worker) = self.spawn(&lane, worker) {
            health::count(Event::WorkerNotStarted);
            lane.drive_by_callers(worker);
        }
        let weak = Arc::downgrade(&lane);
        register(weak as Weak<_>);
        Lane { handle: Arc::new(Handle(lane)) }
    }

    /// Starts the thread, or gives the worker back.
    fn spawn<S: Deliver<B>, D: Driver>(
        &self,
        lane: &Arc<Shared<B>>,
        worker: Worker<B, S, D>,
    ) -> Result<(), Box<dyn Drain<B>>>
    where
        Worker<B, S, D>: Drain<B>,
    {
        // The thread takes the worker out: what `spawn` is given is gone when it fails.
        let handover = Arc::new(Mutex::new(Some(worker)));
        let mut thread = std::thread::Builder::new().name(format!("obs-{}", self.name));
        if let Some(bytes) = self.stack_size {
            thread = thread.stack_size(bytes);
        }
        let (taken, shared) = (Arc::clone(&handover), Arc::clone(lane));
        let spawned = thread.spawn(move || {
            let worker = lock(&taken).take();
            drop(taken);
            if let Some(worker) = worker {
                worker.run(&shared);
            }
        });
        if spawned.is_ok() {
            return Ok(());
        }
        match lock(&handover).take() {
            Some(worker) => Err(Box::new(worker)),
            None => Ok(()),
        }
    }
}
