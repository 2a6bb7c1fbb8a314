//! Waiting for what was recorded, with a deadline.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::report::{FlushReport, LaneReport};
use super::shared::{Locked, Shared, State, deadline_after};
use super::worker::is_delivering;
use crate::timer::{self, Timer};

/// A flush that has begun: await it, or block on it with [`Flush::wait`].
#[must_use = "the report says what was lost"]
pub struct Flush<B: Batch> {
    lane: Arc<Shared<B>>,
    /// Which of the lane's flushes this is.
    number: u64,
    /// What was pushed before the flush.
    target: Target,
    deadline: Instant,
    /// Wakes the future when its time is over; unused where a thread waits.
    timer: Option<Timer>,
}

/// What a flush waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// The number of the last item that was queued before it.
    pub(super) queued: u64,
    /// How many items were delivered directly before it, those included that are being delivered.
    pub(super) direct: u64,
}

impl<B: Batch> Flush<B> {
    pub(super) fn begin(lane: &Arc<Shared<B>>, limit: Duration) -> Self {
        let deadline = deadline_after(Instant::now(), limit);
        let (number, target) = lane.begin_flush(deadline);
        Self { lane: Arc::clone(lane), number, target, deadline, timer: None }
    }

    /// Blocks this thread until the flush is done or its time is over.
    pub fn wait(self) -> FlushReport {
        self.wait_here()
    }

    /// As [`Flush::wait`], but what was lost stays for the next report; whether all is settled.
    pub fn settle(self) -> bool {
        let state = self.wait_until_over();
        self.lane.has_settled(&state, self.target)
    }

    fn wait_here(&self) -> FlushReport {
        self.report(self.wait_until_over())
    }

    fn wait_until_over(&self) -> Locked<'_, B> {
        let mut state = self.lane.lock();
        loop {
            let now = Instant::now();
            if self.is_over(&state, now) {
                return state;
            }
            state = self.lane.wait_settled(state, self.deadline - now);
        }
    }

    fn is_over(&self, state: &State<B>, now: Instant) -> bool {
        // A thread that delivers for this lane must not wait for itself.
        (self.lane.has_settled(state, self.target) && !state.is_to_tell())
            || now >= self.deadline
            || is_delivering(self.lane.id())
    }

    fn report(&self, mut state: Locked<'_, B>) -> FlushReport {
        let now = self.lane.counts();
        let before = state.reported;
        // Each loss is in one report, also where flushes overlap; but one from within a delivery,
        // which could not wait, takes nothing away from the others.
        if !is_delivering(self.lane.id()) {
            state.reported = now;
        }
        let timed_out = !self.lane.has_settled(&state, self.target);
        drop(state);
        // Only what was pushed before the flush counts as pending.
        let pushed = self.target.queued + self.target.direct;
        let pending = if timed_out { pushed.saturating_sub(now.settled()) } else { 0 };
        FlushReport::of(LaneReport::between(self.lane.name, &before, &now, pending, timed_out))
    }
}

impl<B: Batch> Drop for Flush<B> {
    fn drop(&mut self) {
        self.lane.end_flush(self.number);
    }
}

impl<B: Batch> Future for Flush<B> {
    type Output = FlushReport;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<FlushReport> {
        let this = &mut *self;
        let lane = Arc::clone(&this.lane);
        let mut state = lane.lock();
        if this.is_over(&state, Instant::now()) {
            return Poll::Ready(this.report(state));
        }
        lane.add_flush_waker(&mut state, cx.waker());
        drop(state);
        if this.timer.is_none() {
            let weak = Arc::downgrade(&lane);
            let wake = move || {
                if let Some(lane) = weak.upgrade() {
                    lane.wake_flushes();
                }
            };
            match timer::at(this.deadline, wake) {
                Ok(timer) => this.timer = Some(timer),
                // Without the timer's thread nothing would end the wait in time: block instead.
                Err(_) => return Poll::Ready(this.wait_here()),
            }
        }
        Poll::Pending
    }
}

impl<B: Batch> fmt::Debug for Flush<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flush")
            .field("lane", &self.lane.name)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
