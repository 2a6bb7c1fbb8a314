//! The worker: one loop for every kind of lane, driven by a thread of its own, by that thread's
//! Tokio runtime, or by the callers where there is no thread.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

use super::batch::Batch;
use super::report::{Lost, Reason};
use super::shared::{Shared, Step};
use super::sink::{Delivery, Sink};
use crate::health::{self, Event};

thread_local! {
    static ON_LANE_THREAD: Cell<bool> = const { Cell::new(false) };
    static DELIVERING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is a lane's own, where sinks deliver.
///
/// What is logged or traced there is caused by Obs itself: recording it would feed the lane with
/// its own doing. The layers of Obs leave it out.
pub fn on_lane_thread() -> bool {
    ON_LANE_THREAD.try_with(Cell::get).unwrap_or(false)
}

/// Whether this thread is delivering: on a lane's own thread, or in its turn as a caller.
pub(super) fn is_delivering() -> bool {
    DELIVERING.try_with(Cell::get).unwrap_or(false)
}

/// A caller's turn to run the worker of a lane that has no thread. None while it has one already:
/// a sink that records into a lane must not wait for itself.
pub(super) struct CallerTurn {
    not_send: PhantomData<*const ()>,
}

impl CallerTurn {
    pub(super) fn begin() -> Option<Self> {
        let delivering = DELIVERING.try_with(|flag| flag.replace(true)).unwrap_or(true);
        // Made only then: the drop of a turn ends it.
        (!delivering).then(|| Self { not_send: PhantomData })
    }
}

impl Drop for CallerTurn {
    fn drop(&mut self) {
        let _ = DELIVERING.try_with(|flag| flag.set(false));
    }
}

/// A worker that has no thread, run by whoever needs it.
pub(super) trait Drain<B>: Send {
    /// Delivers until the queue is empty; nothing where this thread may not block.
    fn drain(&mut self, lane: &Shared<B>);
}

/// Drives the worker's future on the thread that calls it.
pub(super) trait Driver: Send + 'static {
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Resolves at `at`, when polled within [`Driver::block_on`].
    fn timer(&self) -> impl Alarm;

    /// Whether this thread may call [`Driver::block_on`].
    fn can_block(&self) -> bool;
}

/// A deadline that is moved as needed.
pub(super) trait Alarm {
    fn poll_at(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()>;
}

/// What the loop delivers to: a blocking sink or one that awaits.
pub(super) trait Deliver<B: Batch>: Send + 'static {
    fn deliver(&mut self, batch: &mut B, delivery: &Delivery<'_>) -> impl Future<Output = ()>;
    fn report_lost(&mut self, lost: &Lost, batch: &mut B);
}

pub(super) struct Blocking<S>(pub(super) S);

impl<B: Batch, S: Sink<B>> Deliver<B> for Blocking<S> {
    fn deliver(&mut self, batch: &mut B, delivery: &Delivery<'_>) -> impl Future<Output = ()> {
        self.0.deliver(batch, delivery);
        std::future::ready(())
    }

    fn report_lost(&mut self, lost: &Lost, batch: &mut B) {
        self.0.report_lost(lost, batch);
    }
}

#[cfg(feature = "tokio")]
pub(super) struct Awaiting<S>(pub(super) S);

#[cfg(feature = "tokio")]
impl<B: Batch, S: super::AsyncSink<B>> Deliver<B> for Awaiting<S> {
    fn deliver(&mut self, batch: &mut B, delivery: &Delivery<'_>) -> impl Future<Output = ()> {
        self.0.deliver(batch, delivery)
    }

    fn report_lost(&mut self, lost: &Lost, batch: &mut B) {
        self.0.report_lost(lost, batch);
    }
}

pub(super) struct Worker<B, S, D> {
    sink: S,
    driver: D,
    batch: B,
}

impl<B: Batch, S: Deliver<B>, D: Driver> Worker<B, S, D> {
    pub(super) fn new(sink: S, driver: D) -> Self {
        Self { sink, driver, batch: B::default() }
    }

    /// The worker's life on a thread of its own: ends when the lane is closed and empty.
    pub(super) fn run(mut self, lane: &Shared<B>) {
        ON_LANE_THREAD.set(true);
        DELIVERING.set(true);
        let Self { sink, driver, batch } = &mut self;
        driver.block_on(async {
            let mut alarm = driver.timer();
            while let Step::Take = woken(lane, &mut alarm).await {
                deliver_batch(lane, sink, batch).await;
            }
        });
    }
}

impl<B: Batch, S: Deliver<B>, D: Driver> Drain<B> for Worker<B, S, D> {
    fn drain(&mut self, lane: &Shared<B>) {
        if !self.driver.can_block() {
            return;
        }
        let Self { sink, driver, batch } = self;
        driver.block_on(async {
            while !lane.is_queue_empty() {
                deliver_batch(lane, sink, batch).await;
            }
        });
    }
}

/// Sleeps until there is something to do.
async fn woken<B: Batch>(lane: &Shared<B>, alarm: &mut impl Alarm) -> Step {
    poll_fn(|cx| {
        loop {
            match lane.plan(cx.waker()) {
                Step::Sleep => return Poll::Pending,
                Step::SleepUntil(at) => {
                    if alarm.poll_at(at, cx).is_pending() {
                        return Poll::Pending;
                    }
                    // Due: planning again takes the batch.
                }
                step => return Poll::Ready(step),
            }
        }
    })
    .await
}

/// Hands one batch to the sink; whatever the sink does, the batch is settled.
async fn deliver_batch<B: Batch>(lane: &Shared<B>, sink: &mut impl Deliver<B>, batch: &mut B) {
    let lost = lane.take(batch);
    if lost.total() > 0 {
        let before = batch.len();
        if catch_unwind(AssertUnwindSafe(|| sink.report_lost(&lost, batch))).is_err() {
            health::count(Event::SinkPanicked);
        }
        lane.counters.recorded((batch.len() - before.min(batch.len())) as u64);
    }
    let delivery = Delivery::new(lane, batch.len() as u64);
    let panicked = {
        // Within the async block, so that a panic while the future is made is caught as well.
        let delivered = pin!(async { sink.deliver(batch, &delivery).await });
        CatchUnwind(delivered).await.is_err()
    };
    if panicked {
        health::count(Event::SinkPanicked);
        delivery.settle(Reason::SinkPanicked);
    } else {
        delivery.settle(Reason::SinkFailed);
    }
    lane.settle(batch);
}

/// Polls a future and returns its panic as an error.
struct CatchUnwind<'a, F>(Pin<&'a mut F>);

impl<F: Future> Future for CatchUnwind<'_, F> {
    type Output = Result<F::Output, ()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(())),
        }
    }
}

/// Drives a future by parking the thread.
pub(super) struct ParkDriver;

thread_local! {
    /// When the parked thread wakes by itself.
    static WAKE_AT: Cell<Option<Instant>> = const { Cell::new(None) };
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

impl Driver for ParkDriver {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        // The first poll needs no thread waker: what a blocking sink does ends in it.
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            match WAKE_AT.take() {
                Some(at) => {
                    std::thread::park_timeout(at.saturating_duration_since(Instant::now()));
                }
                None => std::thread::park(),
            }
        }
    }

    fn timer(&self) -> impl Alarm {
        ParkAlarm
    }

    fn can_block(&self) -> bool {
        true
    }
}

struct ParkAlarm;

impl Alarm for ParkAlarm {
    fn poll_at(&mut self, at: Instant, _: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= at {
            return Poll::Ready(());
        }
        WAKE_AT.set(Some(at));
        Poll::Pending
    }
}

/// Drives a future on a Tokio runtime of its own.
#[cfg(feature = "tokio")]
pub(super) struct TokioDriver(pub(super) Option<tokio::runtime::Runtime>);

#[cfg(feature = "tokio")]
impl TokioDriver {
    pub(super) fn new() -> std::io::Result<Self> {
        tokio::runtime::Builder::new_current_thread().enable_all().build().map(|rt| Self(Some(rt)))
    }
}

#[cfg(feature = "tokio")]
impl Driver for TokioDriver {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        match &self.0 {
            Some(runtime) => runtime.block_on(future),
            // Only a driver that is being dropped has none.
            None => ParkDriver.block_on(future),
        }
    }

    fn timer(&self) -> impl Alarm {
        TokioAlarm(None)
    }

    fn can_block(&self) -> bool {
        tokio::runtime::Handle::try_current().is_err()
    }
}

#[cfg(feature = "tokio")]
impl Drop for TokioDriver {
    fn drop(&mut self) {
        // A runtime that is dropped inside another one's task panics unless it goes this way.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(feature = "tokio")]
struct TokioAlarm(Option<Pin<Box<tokio::time::Sleep>>>);

#[cfg(feature = "tokio")]
impl Alarm for TokioAlarm {
    fn poll_at(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let at = tokio::time::Instant::from_std(at);
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}
