//! The worker: one loop for every kind of lane, driven by a thread of its own, by that thread's
//! Tokio runtime, or by the callers where there is no thread.

use std::cell::{Cell, RefCell};
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
    /// The lanes that this thread delivers for now: one, unless a sink records into another lane.
    static DELIVERING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Whether this thread is a lane's own, where sinks deliver.
///
/// What is logged or traced there is caused by Obs itself: recording it would feed the lane with
/// its own doing. The layers of Obs leave it out.
pub fn on_lane_thread() -> bool {
    ON_LANE_THREAD.try_with(Cell::get).unwrap_or(false)
}

/// Whether this thread is delivering for the lane of this id.
pub(super) fn is_delivering(lane: usize) -> bool {
    DELIVERING.try_with(|lanes| lanes.borrow().contains(&lane)).unwrap_or(false)
}

/// A thread's turn to deliver for a lane. None while it has one already: a sink that records into
/// its own lane must not wait for itself.
pub(super) struct Turn {
    lane: usize,
    not_send: PhantomData<*const ()>,
}

impl Turn {
    pub(super) fn begin(lane: usize) -> Option<Self> {
        let begun = DELIVERING.try_with(|lanes| {
            let mut lanes = lanes.borrow_mut();
            let first = !lanes.contains(&lane);
            if first {
                lanes.push(lane);
            }
            first
        });
        // Made only then: the drop of a turn ends it.
        begun.unwrap_or(false).then(|| Self { lane, not_send: PhantomData })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = DELIVERING.try_with(|lanes| lanes.borrow_mut().retain(|lane| *lane != self.lane));
    }
}

/// A worker that has no thread, run by whoever needs it.
pub(super) trait Drain<B>: Send {
    /// Delivers until the queue is empty. A sink that awaits is given up at `until`, and not begun
    /// without it. Returns false if this thread may not go on.
    fn drain(&mut self, lane: &Shared<B>, until: Option<Instant>) -> bool;
}

/// Drives the worker's future on the thread that calls it.
pub(super) trait Driver: Send + 'static {
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Resolves at `at`, when polled within [`Driver::block_on`].
    fn timer(&self) -> impl Alarm;

    /// Whether a caller's thread may run the worker now, and when it gives up at the latest.
    fn on_caller(&self, until: Option<Instant>) -> OnCaller;
}

/// How far a caller's thread may go with a worker that has no thread.
#[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "only sinks that await are bounded"))]
pub(super) enum OnCaller {
    /// As far as it takes: the sink blocks as a write does.
    ToTheEnd,
    Until(Instant),
    NotHere,
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
        let _turn = Turn::begin(lane.id());
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
    fn drain(&mut self, lane: &Shared<B>, until: Option<Instant>) -> bool {
        let Self { sink, driver, batch } = self;
        let until = match driver.on_caller(until) {
            OnCaller::ToTheEnd => None,
            OnCaller::Until(until) => Some(until),
            OnCaller::NotHere => return false,
        };
        driver.block_on(async {
            let mut alarm = driver.timer();
            let mut deliveries = pin!(async {
                while lane.has_work() {
                    deliver_batch(lane, sink, batch).await;
                }
            });
            poll_fn(|cx| {
                if deliveries.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(true);
                }
                match until {
                    // What is under way is dropped with the future, and so counts as failed.
                    Some(until) => alarm.poll_at(until, cx).map(|()| false),
                    None => Poll::Pending,
                }
            })
            .await
        })
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

/// Hands one batch to the sink; whatever the sink does, and if this is dropped, the batch is settled.
async fn deliver_batch<B: Batch>(lane: &Shared<B>, sink: &mut impl Deliver<B>, batch: &mut B) {
    let (lost, counts) = lane.take(batch);
    let InFlight { batch, .. } = &mut InFlight { lane, batch };
    let items = batch.len();
    if lost.total() > 0
        && let Err(panic) = catch_unwind(AssertUnwindSafe(|| sink.report_lost(&lost, batch)))
    {
        health::count(Event::SinkPanicked);
        std::mem::forget(panic);
    }
    let has_notice = batch.len() > items;
    if !has_notice {
        lane.told(counts);
    }
    if batch.is_empty() {
        return;
    }
    let delivery = Delivery::new(lane, items as u64);
    let panicked = {
        // Within the async block, so that a panic while the future is made is caught as well.
        let delivered = pin!(async { sink.deliver(batch, &delivery).await });
        CatchUnwind(delivered).await.is_err()
    };
    if panicked {
        health::count(Event::SinkPanicked);
        delivery.settle(Reason::SinkPanicked);
    }
    if has_notice && delivery.has_delivered() {
        lane.told(counts);
    }
}

/// A batch that the sink has: settled when this is dropped.
struct InFlight<'a, B: Batch> {
    lane: &'a Shared<B>,
    batch: &'a mut B,
}

impl<B: Batch> Drop for InFlight<'_, B> {
    fn drop(&mut self) {
        self.lane.settle(self.batch);
    }
}

/// Polls a future and returns its panic as an error.
struct CatchUnwind<'a, F>(Pin<&'a mut F>);

impl<F: Future> Future for CatchUnwind<'_, F> {
    type Output = Result<F::Output, ()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => {
                // Not dropped: what it carries may panic in turn.
                std::mem::forget(panic);
                Poll::Ready(Err(()))
            }
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

    fn on_caller(&self, _: Option<Instant>) -> OnCaller {
        OnCaller::ToTheEnd
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

    fn on_caller(&self, until: Option<Instant>) -> OnCaller {
        match until {
            Some(until) if tokio::runtime::Handle::try_current().is_err() => OnCaller::Until(until),
            _ => OnCaller::NotHere,
        }
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
