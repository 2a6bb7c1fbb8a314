//! What is on its way to a lane and not there yet: taken from where it was recorded by one thread, while
//! another one flushes.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::report::{FlushReport, LaneReport};
use super::shared::deadline_after;
use super::worker::on_lane_thread;
use crate::lock;
use crate::timer::{self, Timer};

thread_local! {
    /// How many handovers of whatever producer this thread is in.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// The handovers of one producer: what it aggregates is taken and then pushed, and a flush that finds
/// nothing to take must wait for who has taken it. Cheap to clone: all clones are one.
///
/// ```
/// use obs_core::lane::Handovers;
/// use std::time::Duration;
///
/// let handovers = Handovers::new("example");
/// let handover = handovers.begin();
/// // Here something is taken, and pushed to a lane.
/// drop(handover);
/// assert!(handovers.settled(Duration::from_secs(1)).wait().is_complete());
/// ```
#[derive(Clone)]
pub struct Handovers(Arc<Shared>);

struct Shared {
    name: &'static str,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// How many have begun: each one's number is the count before it.
    begun: u64,
    /// Those that have not ended, in the order of their numbers.
    open: Vec<u64>,
    /// How many threads wait.
    waiting: usize,
    wakers: Vec<Waker>,
}

impl Handovers {
    /// None yet. Reports carry the name.
    pub fn new(name: &'static str) -> Self {
        let (state, ended) = (Mutex::default(), Condvar::new());
        Self(Arc::new(Shared { name, state, ended }))
    }

    /// Begins one: before anything is taken. It ends when what is returned is dropped: after all of it
    /// was pushed.
    pub fn begin(&self) -> Handover<'_> {
        let mut state = lock(&self.0.state);
        let number = state.begun;
        state.begun += 1;
        state.open.push(number);
        drop(state);
        DEPTH.set(DEPTH.get() + 1);
        Handover { shared: &self.0, number, not_send: PhantomData }
    }

    /// Waits for those that have begun, `limit` at most: await it, or block on it with
    /// [`Settled::wait`].
    ///
    /// A thread that is in a handover itself, or delivers for a lane, does not wait: it could be waited
    /// for.
    pub fn settled(&self, limit: Duration) -> Settled {
        let deadline = deadline_after(Instant::now(), limit);
        let before = lock(&self.0.state).begun;
        Settled { shared: Arc::clone(&self.0), before, deadline, timer: None }
    }
}

impl fmt::Debug for Handovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.0.state);
        f.debug_struct("Handovers")
            .field("name", &self.0.name)
            .field("begun", &state.begun)
            .field("open", &state.open.len())
            .finish()
    }
}

impl State {
    /// How many of those that had begun when `before` had, have not ended.
    fn open_of(&self, before: u64) -> usize {
        self.open.partition_point(|number| *number < before)
    }
}

impl Shared {
    fn wake(&self) {
        let wakers = std::mem::take(&mut lock(&self.state).wakers);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// One handover, which this thread is in until it drops this.
#[must_use = "a handover ends when it is dropped"]
#[derive(Debug)]
pub struct Handover<'h> {
    shared: &'h Shared,
    number: u64,
    not_send: PhantomData<*const ()>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Drop for Handover<'_> {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
        let mut state = lock(&self.shared.state);
        if let Ok(at) = state.open.binary_search(&self.number) {
            state.open.remove(at);
        }
        let wakers = std::mem::take(&mut state.wakers);
        let is_awaited = state.waiting > 0;
        drop(state);
        if is_awaited {
            self.shared.ended.notify_all();
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The end of the handovers that had begun when it was asked for.
///
/// Its report is empty, and so complete, where they have ended. Else it has an entry of the producer's
/// name that is out of time; its `pending` is how many handovers have not ended.
#[must_use = "the report says what is not there yet"]
pub struct Settled {
    shared: Arc<Shared>,
    /// The number of the first one that is not waited for.
    before: u64,
    deadline: Instant,
    /// Wakes the future when its time is over; unused where a thread waits.
    timer: Option<Timer>,
}

impl Settled {
    /// When its time is over.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The report, where there is nothing to wait for any more.
    pub fn now(&self) -> Option<FlushReport> {
        self.over(&lock(&self.shared.state), Instant::now())
    }

    /// Blocks this thread until they have ended or the time is over.
    pub fn wait(self) -> FlushReport {
        self.wait_here()
    }

    fn wait_here(&self) -> FlushReport {
        let mut state = lock(&self.shared.state);
        loop {
            let now = Instant::now();
            if let Some(report) = self.over(&state, now) {
                return report;
            }
            state.waiting += 1;
            state = self
                .shared
                .ended
                .wait_timeout(state, self.deadline - now)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            state.waiting -= 1;
        }
    }

    fn over(&self, state: &State, now: Instant) -> Option<FlushReport> {
        let open = state.open_of(self.before);
        if open == 0 {
            return Some(FlushReport::empty());
        }
        let is_over = now >= self.deadline || DEPTH.get() > 0 || on_lane_thread();
        is_over.then(|| FlushReport::of(LaneReport::out_of_time(self.shared.name, open as u64)))
    }
}

impl Future for Settled {
    type Output = FlushReport;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<FlushReport> {
        let this = &mut *self;
        let mut state = lock(&this.shared.state);
        if let Some(report) = this.over(&state, Instant::now()) {
            return Poll::Ready(report);
        }
        if !state.wakers.iter().any(|known| known.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        drop(state);
        if this.timer.is_none() {
            let weak = Arc::downgrade(&this.shared);
            let wake = move || {
                if let Some(shared) = weak.upgrade() {
                    shared.wake();
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

impl fmt::Debug for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settled")
            .field("of", &self.shared.name)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn scenario_01_what_had_begun_is_waited_for_and_what_begins_later_is_not() {
        let handovers = Handovers::new("test");
        std::thread::scope(|scope| {
            let (began, begun) = std::sync::mpsc::channel();
            let (end, ended) = std::sync::mpsc::channel::<()>();
            let taking = handovers.clone();
            scope.spawn(move || {
                let first = taking.begin();
                began.send(()).unwrap();
                ended.recv().unwrap();
                let second = taking.begin();
                drop(first);
                ended.recv().unwrap();
                drop(second);
            });
            begun.recv().unwrap();
            let settled = handovers.settled(LONG);
            assert!(settled.now().is_none());
            let report = handovers.settled(Duration::from_millis(20)).wait();
            assert!(!report.is_complete());
            assert_eq!(report.to_string(), "test: 0 delivered, 1 pending, out of time");
            end.send(()).unwrap();
            assert!(settled.wait().is_complete());
            end.send(()).unwrap();
        });
    }

    #[test]
    fn scenario_02_a_thread_does_not_wait_for_itself() {
        let handovers = Handovers::new("test");
        let handover = handovers.begin();
        let report = handovers.settled(LONG).now().expect("at once");
        assert!(!report.is_complete(), "its own is not over");
        drop(handover);
        assert!(handovers.settled(LONG).wait().is_complete());
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn scenario_02_a_wait_that_is_awaited_blocks_no_thread_and_keeps_its_deadline() {
        let handovers = Handovers::new("test");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (began, begun) = std::sync::mpsc::channel();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        std::thread::scope(|scope| {
            let taking = handovers.clone();
            scope.spawn(move || {
                let _handover = taking.begin();
                began.send(()).unwrap();
                ended.blocking_recv().unwrap();
            });
            begun.recv().unwrap();
            runtime.block_on(async {
                let report = handovers.settled(Duration::from_millis(20)).await;
                assert!(!report.is_complete(), "{report}");
                let settled = handovers.settled(LONG);
                // Polled first, so it ends only if it leaves the thread to the other one.
                let (report, ()) = tokio::join!(biased; settled, async { end.send(()).unwrap() });
                assert!(report.is_complete(), "{report}");
            });
        });
    }
}
