//! Waiting for what was recorded, with a deadline.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::report::{Counts, FlushReport, LaneReport};
use super::shared::{Shared, State, deadline_after};
use super::worker::is_delivering;
use crate::timer::{self, Timer};

/// A flush that has begun: await it, or block on it with [`Flush::wait`].
#[must_use = "the report says what was lost"]
pub struct Flush<B: Batch> {
    lane: Arc<Shared<B>>,
    /// The number of the last item that was pushed before the flush.
    target: u64,
    deadline: Instant,
    /// The counts of the report before.
    before: Counts,
    /// Wakes the future when its time is over; unused where a thread waits.
    timer: Option<Timer>,
}

impl<B: Batch> Flush<B> {
    pub(super) fn begin(lane: &Arc<Shared<B>>, limit: Duration) -> Self {
        let deadline = deadline_after(Instant::now(), limit);
        let state = lane.lock();
        let (target, before) = (state.pushed, state.reported);
        drop(state);
        lane.request_flush(target, deadline);
        Self { lane: Arc::clone(lane), target, deadline, before, timer: None }
    }

    /// Blocks this thread until the flush is done or its time is over.
    pub fn wait(self) -> FlushReport {
        let mut state = self.lane.lock();
        loop {
            let now = Instant::now();
            if self.is_over(&state, now) {
                return self.report(state);
            }
            state = self.lane.wait_settled(state, self.deadline - now);
        }
    }

    fn is_over(&self, state: &State<B>, now: Instant) -> bool {
        // A thread that delivers must not wait for deliveries: perhaps for its own.
        state.settled >= self.target || now >= self.deadline || is_delivering()
    }

    fn report(&self, mut state: std::sync::MutexGuard<'_, State<B>>) -> FlushReport {
        let now = self.lane.counters.read();
        state.reported = now;
        let timed_out = state.settled < self.target;
        drop(state);
        // Only what was pushed before the flush counts as pending.
        let pending = if timed_out { self.target.saturating_sub(now.settled()) } else { 0 };
        FlushReport::of(LaneReport::between(self.lane.name, &self.before, &now, pending, timed_out))
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

impl<B: Batch> Flush<B> {
    fn wait_here(&self) -> FlushReport {
        Self {
            lane: Arc::clone(&self.lane),
            target: self.target,
            deadline: self.deadline,
            before: self.before,
            timer: None,
        }
        .wait()
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
