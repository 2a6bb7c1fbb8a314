//! What the handles, the worker and the flushes of a lane share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::builder::Overflow;
use super::direct::Desk;
use super::flush::Target;
use super::report::{Counters, Counts, LaneStats, Observed, Reason, Told, Untold};
use super::shards::{Limits, Shards};
use super::step::{Sleep, Step, View, next_step};
use super::worker::{Drain, Turn, is_delivering};
use crate::health::{self, Event};
use crate::lock;

pub(super) struct Shared<B> {
    pub(super) name: &'static str,
    pub(super) capacity: usize,
    /// What is queued does not linger when it weighs this.
    enough: usize,
    linger: Duration,
    overflow: Overflow,
    pub(super) counters: Counters,
    state: Mutex<State<B>>,
    /// Where threads add without meeting each other, in a lane that was built so.
    pub(super) shards: Shards<B>,
    /// Signalled when a batch is settled: flushes and blocked callers wait here.
    settled: Condvar,
    /// The worker has no thread: callers take turns to run it. Set before the lane is shared.
    caller_driven: AtomicBool,
    /// Where they find it.
    pub(super) desk: Desk<B>,
}

/// The lane's state while this thread has it locked.
pub(super) type Locked<'s, B> = MutexGuard<'s, State<B>>;

pub(super) struct State<B> {
    queue: B,
    /// What is queued weighs, and what the shards may add without asking.
    pub(super) queue_bytes: usize,
    /// The weight of the batch that the sink has now.
    in_flight_bytes: usize,
    /// How many items were ever queued: an item's number is the count after it.
    pub(super) pushed: u64,
    /// The number up to which items were handed to the sink.
    taken: u64,
    /// The number up to which the sink is done.
    pub(super) settled: u64,
    /// When the worker first saw what is queued now.
    waiting_since: Option<Instant>,
    /// An item asked to be delivered at once.
    urgent: bool,
    /// The number that the most demanding flush waits for.
    flush_target: u64,
    /// The flushes that wait now, and when each gives up.
    waiting: Vec<(u64, Instant)>,
    next_flush: u64,
    /// When the shutdown gives up: it overrules the flushes.
    shutdown_deadline: Option<Instant>,
    /// A flush or the end asks that losses be told, even if nothing else is queued; until it is read
    /// what they are.
    tell: bool,
    /// The batch that the sink has now answers that.
    telling: bool,
    pub(super) closed: bool,
    /// How the worker sleeps, and how to wake it.
    sleeping: Option<(Sleep, Waker)>,
    /// Flushes that wait without blocking a thread.
    flush_wakers: Vec<Waker>,
    /// The counts of the last report.
    pub(super) reported: Counts,
    /// What the sink was told of what was lost.
    told: Told,
    /// How many threads wait for `settled`: signalling it is a system call even if nobody does.
    waiting_threads: usize,
}

impl<B: Batch> State<B> {
    /// Whether there is something for a worker that has no thread.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty() || self.tell
    }

    /// Whether somebody asked that losses be told, and the sink is not done with that.
    pub(super) fn is_to_tell(&self) -> bool {
        self.tell || self.telling
    }

    /// Whether there is anything to do or to mind beside the next item.
    fn is_busy(&self) -> bool {
        self.has_work() || self.closed || !self.waiting.is_empty()
    }
}

impl<B: Batch> Shared<B> {
    pub(super) fn new(
        name: &'static str,
        capacity: usize,
        enough: usize,
        linger: Duration,
        overflow: Overflow,
        shards: Shards<B>,
    ) -> Self {
        Self {
            name,
            capacity,
            enough: enough.min(capacity / 2),
            linger,
            overflow,
            counters: Counters::default(),
            state: Mutex::new(State {
                queue: B::default(),
                queue_bytes: 0,
                in_flight_bytes: 0,
                pushed: 0,
                taken: 0,
                settled: 0,
                waiting_since: None,
                urgent: false,
                flush_target: 0,
                waiting: Vec::new(),
                next_flush: 0,
                shutdown_deadline: None,
                tell: false,
                telling: false,
                closed: false,
                sleeping: None,
                flush_wakers: Vec::new(),
                reported: Counts::default(),
                told: Told::default(),
                waiting_threads: 0,
            }),
            shards,
            settled: Condvar::new(),
            caller_driven: AtomicBool::new(false),
            desk: Desk::new(),
        }
    }

    pub(super) fn lock(&self) -> Locked<'_, B> {
        lock(&self.state)
    }

    /// Gives the lane a worker that has no thread.
    pub(super) fn drive_by_callers(&self, worker: Box<dyn Drain<B>>) {
        if let Some(mut held) = self.desk.take() {
            *held = Some(worker);
        }
        self.caller_driven.store(true, Ordering::Relaxed);
    }

    /// Says at the desk whether anything is going on; after each change of what that depends on.
    fn post(&self, state: &State<B>) {
        if self.caller_driven.load(Ordering::Relaxed) {
            self.desk.ask(state.is_busy());
        }
    }

    /// As [`Shared::push`]; where threads have shards, into the one of this thread.
    pub(super) fn push_at(&self, bytes: usize, at: u64, add: impl FnOnce(&mut B)) -> bool {
        if self.shards.is_empty() || self.caller_driven.load(Ordering::Relaxed) {
            return self.push(bytes, false, add);
        }
        let add = match self.shards.push(bytes, at, add) {
            Ok(()) => return true,
            Err(add) => add,
        };
        match self.make_room(self.lock(), bytes) {
            Ok(mut state) => {
                let used = state.queue_bytes + state.in_flight_bytes;
                let limits =
                    Limits { free: self.capacity.saturating_sub(used), enough: self.enough };
                state.queue_bytes += self.shards.push_with_credit(limits, bytes, at, add);
                self.wake_for_push(state);
                true
            }
            Err(reason) => {
                self.counters.dropped(1, reason);
                false
            }
        }
    }

    pub(super) fn push(&self, bytes: usize, urgent: bool, add: impl FnOnce(&mut B)) -> bool {
        if self.caller_driven.load(Ordering::Relaxed) {
            return self.push_and_drain(bytes, urgent, add);
        }
        match self.enqueue(bytes, urgent, add) {
            Ok(state) => {
                self.wake_for_push(state);
                true
            }
            Err(reason) => {
                self.counters.dropped(1, reason);
                false
            }
        }
    }

    /// Wakes the worker if what was just queued is a reason to.
    fn wake_for_push(&self, mut state: Locked<'_, B>) {
        let waker = self.waker_for_push(&mut state);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn push_and_drain(&self, bytes: usize, urgent: bool, add: impl FnOnce(&mut B)) -> bool {
        // What a delivery of this lane records is not delivered by it: that would have no end.
        let Some(turn) = Turn::begin(self.id()) else {
            self.counters.dropped(1, Reason::Reentrant);
            return false;
        };
        let add = match self.push_directly(bytes, add, &turn) {
            Ok(()) => return true,
            Err(add) => add,
        };
        match self.enqueue(bytes, urgent, add) {
            Ok(state) => {
                self.post(&state);
                self.drain(state, &turn, None);
                true
            }
            Err(reason) => {
                self.counters.dropped(1, reason);
                self.drain(self.lock(), &turn, None);
                false
            }
        }
    }

    /// Runs the worker on this thread, unless another thread has it now: that one looks at the queue
    /// under the lock under which it gives the worker back, or after it has delivered directly, so
    /// nothing is left behind, and nobody waits here. A thread that waited could hold a lock (stdout's)
    /// that the other one needs to deliver.
    fn drain<'s>(&'s self, mut state: Locked<'s, B>, _turn: &Turn, until: Option<Instant>) {
        if !state.has_work() {
            return;
        }
        let Some(mut held) = self.desk.take() else { return };
        if let Some(worker) = held.as_mut() {
            state = worker.drain(self, state, until);
            self.post(&state);
        }
        drop(held);
    }

    /// After a direct delivery during which somebody asked: wakes who waits for it, and delivers what
    /// was queued.
    #[cold]
    pub(super) fn serve(&self, turn: &Turn) {
        let state = self.announce(self.lock());
        self.drain(state, turn, None);
    }

    /// Adds to the queue, and returns with the lock.
    fn enqueue(
        &self,
        bytes: usize,
        urgent: bool,
        add: impl FnOnce(&mut B),
    ) -> Result<Locked<'_, B>, Reason> {
        let mut state = self.make_room(self.lock(), bytes)?;
        let before = state.queue.len();
        add(&mut state.queue);
        let added = (state.queue.len() - before.min(state.queue.len())) as u64;
        state.queue_bytes += bytes;
        state.pushed += added;
        state.urgent |= urgent;
        self.counters.recorded(added);
        if let Some(at) = self.shards.after_all() {
            state.queue.stamp(at);
        }
        Ok(state)
    }

    /// Waits for room where the lane blocks, and says why there is none.
    fn make_room<'s>(
        &'s self,
        mut state: Locked<'s, B>,
        bytes: usize,
    ) -> Result<Locked<'s, B>, Reason> {
        if bytes > self.capacity {
            return Err(Reason::TooLarge);
        }
        let mut give_up = None;
        loop {
            if state.closed {
                return Err(Reason::Closed);
            }
            if state.queue_bytes + self.with_sink(&state) + bytes <= self.capacity {
                return Ok(state);
            }
            // Room that was granted to shards and is not used.
            let unused = self.shards.revoke();
            if unused > 0 {
                state.queue_bytes -= unused;
                continue;
            }
            let Overflow::Block(limit) = self.overflow else {
                return Err(Reason::QueueFull);
            };
            if is_delivering(self.id()) {
                // The thread that would make room must not wait for it.
                return Err(Reason::Reentrant);
            }
            // What is queued must not linger while somebody waits for its place.
            state.urgent = true;
            if let Some((_, waker)) = state.sleeping.take() {
                waker.wake();
            }
            let now = Instant::now();
            let until = *give_up.get_or_insert_with(|| deadline_after(now, limit));
            if now >= until {
                return Err(Reason::QueueFull);
            }
            state = self.wait_settled(state, until - now);
        }
    }

    /// The weight of what the sink has now, or may have.
    fn with_sink(&self, state: &State<B>) -> usize {
        let is_direct = state.in_flight_bytes == 0
            && self.caller_driven.load(Ordering::Relaxed)
            && self.desk.take().is_none();
        if is_direct { self.direct_limit() } else { state.in_flight_bytes }
    }

    /// The worker's waker, if what was just queued is a reason to wake it.
    fn waker_for_push(&self, state: &mut State<B>) -> Option<Waker> {
        let wake = match &state.sleeping {
            None => false,
            Some((Sleep::Idle, _)) => true,
            Some((Sleep::Lingering, _)) => state.urgent || state.queue_bytes >= self.enough,
        };
        if wake { state.sleeping.take().map(|(_, waker)| waker) } else { None }
    }

    /// In a lane without a worker thread: delivers what is queued on this thread, until `until` where
    /// the sink awaits.
    fn drain_on_caller(&self, until: Instant) {
        if self.caller_driven.load(Ordering::Relaxed)
            && let Some(turn) = Turn::begin(self.id())
        {
            self.drain(self.lock(), &turn, Some(until));
        }
    }

    /// What tells this lane from all others, while it lives.
    pub(super) fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// What the worker does next; registers `waker` if it sleeps.
    pub(super) fn plan(&self, waker: &Waker) -> Step {
        let mut state = self.lock();
        let now = Instant::now();
        let step = next_step(self.view(&mut state, now), now);
        match step {
            Step::Sleep => state.sleeping = Some((Sleep::Idle, waker.clone())),
            Step::SleepUntil(_) => state.sleeping = Some((Sleep::Lingering, waker.clone())),
            Step::Take | Step::End => state.sleeping = None,
        }
        step
    }

    fn view(&self, state: &mut State<B>, now: Instant) -> View {
        self.count_shards(state);
        let queued = state.pushed > state.taken || !state.queue.is_empty();
        if queued && state.waiting_since.is_none() {
            state.waiting_since = Some(now);
        }
        View {
            queued,
            must_tell: state.tell,
            is_enough: state.queue_bytes >= self.enough,
            urgent: state.urgent,
            flush_waits: state.flush_target > state.taken,
            closed: state.closed,
            linger_ends: state.waiting_since.map(|since| deadline_after(since, self.linger)),
        }
    }

    /// Numbers what was added to the shards.
    fn count_shards(&self, state: &mut State<B>) {
        if !self.shards.is_empty() {
            let counted = self.shards.count();
            state.queue_bytes -= counted.unused;
            state.pushed += counted.added;
            self.counters.recorded(counted.added);
        }
    }

    /// Moves what is queued into the empty `batch`. Returns what was lost since the sink was told.
    pub(super) fn take(&self, state: &mut State<B>, batch: &mut B) -> Option<Box<Untold>> {
        if self.shards.is_empty() {
            std::mem::swap(&mut state.queue, batch);
        } else {
            batch.gather(&mut state.queue);
            let counted = self.shards.gather(batch);
            state.queue_bytes -= counted.unused;
            state.pushed += counted.added;
            self.counters.recorded(counted.added);
        }
        state.in_flight_bytes = std::mem::take(&mut state.queue_bytes);
        state.taken = state.pushed;
        state.waiting_since = None;
        state.urgent = false;
        // Here and not when the batch is settled: who asks in between asks for what is lost by then.
        state.telling = std::mem::take(&mut state.tell);
        self.counters.untold(&state.told)
    }

    /// The sink was told.
    pub(super) fn told(&self, told: Told) {
        let mut state = self.lock();
        self.desk.told(told.losses());
        state.told = told;
    }

    /// The batch that was taken is done; `batch` is cleared and its memory kept for the next. Returns
    /// with the lock, under which the thread that has the worker may go on.
    pub(super) fn settle(&self, batch: &mut B) -> Locked<'_, B> {
        self.clear(batch);
        let mut state = self.lock();
        state.in_flight_bytes = 0;
        state.settled = state.taken;
        state.telling = false;
        self.announce(state)
    }

    /// Empties a batch that is done.
    pub(super) fn clear(&self, batch: &mut B) {
        // An item's own drop may panic.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| batch.clear(self.capacity / 2))) {
            health::count(Event::SinkPanicked);
            std::mem::forget((panic, std::mem::take(batch)));
        }
    }

    /// Wakes who waits for something to be settled.
    fn announce<'s>(&'s self, mut state: Locked<'s, B>) -> Locked<'s, B> {
        if state.waiting_threads == 0 && state.flush_wakers.is_empty() {
            return state;
        }
        let wakers = std::mem::take(&mut state.flush_wakers);
        drop(state);
        self.settled.notify_all();
        wakers.into_iter().for_each(Waker::wake);
        self.lock()
    }

    /// Asks for everything that was pushed so far by `deadline`. Returns the flush's number and what it
    /// waits for.
    pub(super) fn begin_flush(&self, deadline: Instant) -> (u64, Target) {
        let mut state = self.lock();
        self.count_shards(&mut state);
        let number = state.next_flush;
        state.next_flush += 1;
        state.waiting.push((number, deadline));
        state.flush_target = state.flush_target.max(state.pushed);
        // After the end nobody tells; asked by a delivery, which loses what it records, it had no end.
        state.tell |= !state.closed && !is_delivering(self.id()) && self.has_untold(&state);
        self.post(&state);
        let target = Target { queued: state.pushed, direct: self.desk.begun() };
        let waker = state.sleeping.take().map(|(_, waker)| waker);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        self.drain_on_caller(deadline);
        (number, target)
    }

    fn has_untold(&self, state: &State<B>) -> bool {
        self.counters.untold(&state.told).is_some()
    }

    /// The flush of this number does not wait any more.
    pub(super) fn end_flush(&self, number: u64) {
        let mut state = self.lock();
        state.waiting.retain(|(waiting, _)| *waiting != number);
        self.post(&state);
    }

    /// When the most patient of those who wait for the sink gives up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let state = self.lock();
        state.shutdown_deadline.or_else(|| state.waiting.iter().map(|(_, at)| *at).max())
    }

    /// Whether the sink is done with all of it.
    pub(super) fn has_settled(&self, state: &State<B>, target: Target) -> bool {
        state.settled >= target.queued && self.desk.done() >= target.direct
    }

    pub(super) fn wait_settled<'s>(
        &'s self,
        mut state: Locked<'s, B>,
        limit: Duration,
    ) -> Locked<'s, B> {
        state.waiting_threads += 1;
        let (mut state, _) =
            self.settled.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner);
        state.waiting_threads -= 1;
        state
    }

    pub(super) fn add_flush_waker(&self, state: &mut State<B>, waker: &Waker) {
        if !state.flush_wakers.iter().any(|known| known.will_wake(waker)) {
            state.flush_wakers.push(waker.clone());
        }
    }

    /// Wakes the flushes that wait without a thread: one of them is out of time.
    pub(super) fn wake_flushes(&self) {
        let wakers = std::mem::take(&mut self.lock().flush_wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Refuses further items; the worker delivers what is queued, and ends.
    pub(super) fn close(&self, deadline: Option<Instant>) {
        let mut state = self.lock();
        state.tell |= !state.closed && self.has_untold(&state);
        state.closed = true;
        // Whoever adds from now on asks for room first, and is refused.
        state.queue_bytes -= self.shards.revoke();
        state.shutdown_deadline = deadline.or(state.shutdown_deadline);
        self.post(&state);
        let waker = state.sleeping.take().map(|(_, waker)| waker);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        // Callers that wait for room learn that there will be none.
        self.settled.notify_all();
        if !std::thread::panicking() {
            self.drain_on_caller(deadline.unwrap_or_else(Instant::now));
        }
    }

    pub(super) fn stats(&self) -> LaneStats {
        let mut state = self.lock();
        self.count_shards(&mut state);
        let queue_bytes = state.queue_bytes - self.shards.unused();
        let pending_bytes = queue_bytes + state.in_flight_bytes + self.desk.bytes();
        let counts = self.counts();
        drop(state);
        let pending = counts.pending();
        LaneStats::new(self.name, &counts, pending, pending_bytes)
    }
}

impl<B: Batch> Observed for Shared<B> {
    fn stats(&self) -> LaneStats {
        Self::stats(self)
    }
}

impl<B> Shared<B> {
    /// All counts now.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = self.counters.read();
        counts.recorded += self.desk.begun();
        counts
    }
}

impl<B> Drop for Shared<B> {
    fn drop(&mut self) {
        // Only a lane whose worker never ran and could not be run on a caller gets here with items.
        let lost = self.counts().pending();
        if lost > 0 {
            health::count_by(Event::WorkerNotStarted, lost);
        }
    }
}

/// `now + limit`, or as far as a century where that cannot be represented.
pub(super) fn deadline_after(now: Instant, limit: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(3_155_760_000);
    now.checked_add(limit.min(CENTURY)).unwrap_or(now)
}
