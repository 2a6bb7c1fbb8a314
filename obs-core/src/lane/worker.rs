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
use super::report::{Lost, Reason, Untold};
use super::shared::{Locked, Shared};
use super::sink::{Delivery, Sink};
use super::step::Step;
use crate::health::{self, Event};

thread_local! {
    static ON_LANE_THREAD: Cell<bool> = const { Cell::new(false) };
    /// The lane that this thread delivers for now; 0 if none. Alone in a cell, because a thread-local
    /// that is never dropped is the cheapest.
    static DELIVERING: Cell<usize> = const { Cell::new(0) };
    /// More of them, where a sink records into another lane.
    static NESTED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
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
    match DELIVERING.get() {
        0 => false,
        first if first == lane => true,
        _ => NESTED.try_with(|lanes| lanes.borrow().contains(&lane)).unwrap_or(false),
    }
}

/// A thread's turn to deliver for a lane. None while it has one already: a sink that records into
/// its own lane must not wait for itself. Turns end in the reverse order of their beginning.
pub(super) struct Turn {
    is_nested: bool,
    not_send: PhantomData<*const ()>,
}

impl Turn {
    #[inline]
    pub(super) fn begin(lane: usize) -> Option<Self> {
        let is_nested = DELIVERING.get() != 0;
        if is_nested {
            if is_delivering(lane) {
                return None;
            }
            // Refused where the thread is ending and the vector is gone.
            NESTED.try_with(|lanes| lanes.borrow_mut().push(lane)).ok()?;
        } else {
            DELIVERING.set(lane);
        }
        // Made only then: the drop of a turn ends it.
        Some(Self { is_nested, not_send: PhantomData })
    }
}

impl Drop for Turn {
    #[inline]
    fn drop(&mut self) {
        if self.is_nested {
            let _ = NESTED.try_with(|lanes| lanes.borrow_mut().pop());
        } else {
            DELIVERING.set(0);
        }
    }
}

/// A worker that has no thread, run by whoever needs it.
pub(super) trait Drain<B>: Send {
    /// Delivers until the queue is empty, and returns with the lock under which it is. A sink that
    /// awaits is given up at `until`, and not begun without it.
    fn drain<'l>(
        &mut self,
        lane: &'l Shared<B>,
        state: Locked<'l, B>,
        until: Option<Instant>,
    ) -> Locked<'l, B>;

    /// Delivers what `add` adds, past the queue; does not call it where that cannot be, because the
    /// sink awaits.
    fn deliver_directly(&mut self, lane: &Shared<B>, add: &mut dyn FnMut(&mut B)) {
        let _ = (lane, add);
    }
}

/// Drives the worker's future on the thread that calls it.
pub(super) trait Driver: Send + 'static {
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Resolves at `at`, when polled within [`Driver::block_on`].
    fn timer(&self) -> impl Alarm;
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
                deliver_next(lane, sink, batch).await;
            }
        });
    }
}

/// As far as it takes: the sink blocks as a write does.
impl<B: Batch, S: Sink<B>> Drain<B> for Worker<B, Blocking<S>, ParkDriver> {
    fn drain<'l>(
        &mut self,
        lane: &'l Shared<B>,
        mut state: Locked<'l, B>,
        _: Option<Instant>,
    ) -> Locked<'l, B> {
        // Two locks for a batch, not one for each of the steps.
        loop {
            let untold = lane.take(&mut state, &mut self.batch);
            drop(state);
            let mut in_flight = InFlight { lane, batch: Some(&mut self.batch) };
            if let Some(batch) = &mut in_flight.batch {
                self.driver.block_on(deliver(lane, &mut self.sink, batch, untold));
            }
            state = in_flight.settle();
            if !state.has_work() {
                return state;
            }
        }
    }

    fn deliver_directly(&mut self, lane: &Shared<B>, add: &mut dyn FnMut(&mut B)) {
        let cleared = Cleared { lane, batch: &mut self.batch };
        add(cleared.batch);
        let items = cleared.batch.len() as u64;
        if items == 0 {
            return;
        }
        lane.begin_directly(items);
        let delivery = Delivery::new(lane, items);
        let deliver = AssertUnwindSafe(|| self.sink.0.deliver(cleared.batch, &delivery));
        if let Err(panic) = catch_unwind(deliver) {
            health::count(Event::SinkPanicked);
            delivery.settle(Reason::SinkPanicked);
            // Not dropped: what it carries may panic in turn.
            std::mem::forget(panic);
        }
    }
}

/// A batch that is empty again when this is dropped.
struct Cleared<'a, B: Batch> {
    lane: &'a Shared<B>,
    batch: &'a mut B,
}

impl<B: Batch> Drop for Cleared<'_, B> {
    #[inline]
    fn drop(&mut self) {
        self.lane.clear(self.batch);
    }
}

#[cfg(feature = "tokio")]
impl<B: Batch, S: super::AsyncSink<B>> Drain<B> for Worker<B, Awaiting<S>, TokioDriver> {
    fn drain<'l>(
        &mut self,
        lane: &'l Shared<B>,
        mut state: Locked<'l, B>,
        until: Option<Instant>,
    ) -> Locked<'l, B> {
        // Within a runtime another one cannot be driven.
        let Some(until) = until.filter(|_| tokio::runtime::Handle::try_current().is_err()) else {
            return state;
        };
        let Self { sink, driver, batch } = self;
        loop {
            drop(state);
            let done = driver.block_on(async {
                let mut alarm = driver.timer();
                let mut deliveries = pin!(async {
                    while lane.lock().has_work() {
                        deliver_next(lane, sink, batch).await;
                    }
                });
                poll_fn(|cx| {
                    if deliveries.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(true);
                    }
                    // What is under way is dropped with the future, and so counts as failed.
                    alarm.poll_at(until, cx).map(|()| false)
                })
                .await
            });
            state = lane.lock();
            if !done || !state.has_work() {
                return state;
            }
        }
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

/// Hands what is queued to the sink; whatever the sink does, and if this is dropped, it is settled.
async fn deliver_next<B: Batch>(lane: &Shared<B>, sink: &mut impl Deliver<B>, batch: &mut B) {
    let untold = lane.take(&mut lane.lock(), batch);
    let mut in_flight = InFlight { lane, batch: Some(batch) };
    if let Some(batch) = &mut in_flight.batch {
        deliver(lane, sink, batch, untold).await;
    }
}

/// Hands one batch to the sink, which hears first what was lost, and survives its panics.
async fn deliver<B: Batch>(
    lane: &Shared<B>,
    sink: &mut impl Deliver<B>,
    batch: &mut B,
    mut untold: Option<Box<Untold>>,
) {
    let items = batch.len();
    if let Some(untold) = &untold
        && let Err(panic) = catch_unwind(AssertUnwindSafe(|| sink.report_lost(&untold.lost, batch)))
    {
        health::count(Event::SinkPanicked);
        std::mem::forget(panic);
    }
    let has_notice = batch.len() > items;
    if !has_notice && let Some(untold) = untold.take() {
        lane.told(untold.up_to);
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
    if delivery.has_delivered()
        && let Some(untold) = untold
    {
        lane.told(untold.up_to);
    }
}

/// A batch that the sink has: settled when this is dropped.
struct InFlight<'l, 'b, B: Batch> {
    lane: &'l Shared<B>,
    /// Empty once it is settled.
    batch: Option<&'b mut B>,
}

impl<'l, B: Batch> InFlight<'l, '_, B> {
    fn settle(mut self) -> Locked<'l, B> {
        match self.batch.take() {
            Some(batch) => self.lane.settle(batch),
            None => self.lane.lock(),
        }
    }
}

impl<B: Batch> Drop for InFlight<'_, '_, B> {
    fn drop(&mut self) {
        if let Some(batch) = self.batch.take() {
            drop(self.lane.settle(batch));
        }
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
