//! What became of what was pushed: reasons, counts, the report of a flush.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use crate::lock;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// Why something was not delivered.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// The reason's name in reports: lower case with underscores.
            pub const fn as_str(self) -> &'static str {
                match self { $(Reason::$name => $text,)* }
            }
        }
    };
}

reasons! {
    /// The queue had no room.
    QueueFull => "queue_full",
    /// The lane was shut down.
    Closed => "closed",
    /// It is larger than the whole queue, or than its target takes.
    TooLarge => "too_large",
    /// It was recorded by the delivery of something else on the same thread.
    Reentrant => "reentrant",
    /// The sink could not deliver it, or not in time.
    SinkFailed => "sink_failed",
    /// The sink panicked.
    SinkPanicked => "sink_panicked",
    /// The target refused it and would refuse it again.
    Rejected => "rejected",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const REASONS: usize = Reason::ALL.len();

/// Counts by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ByReason([u64; REASONS]);

impl ByReason {
    fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    fn since(&self, before: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].saturating_sub(before.0[i])))
    }

    fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.iter().copied().zip(self.0).filter(|(_, n)| *n > 0)
    }
}

/// All counts of a lane at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) recorded: u64,
    pub(super) delivered: u64,
    pub(super) failed: ByReason,
    pub(super) dropped: ByReason,
}

impl Counts {
    /// Items whose fate is decided, of those that were queued.
    pub(super) fn settled(&self) -> u64 {
        self.delivered + self.failed.total()
    }

    /// Items whose fate is not decided.
    pub(super) fn pending(&self) -> u64 {
        self.recorded.saturating_sub(self.settled())
    }

    fn lost_since(&self, before: &Self) -> Lost {
        Lost {
            dropped: self.dropped.since(&before.dropped),
            failed: self.failed.since(&before.failed),
        }
    }
}

/// The counters behind [`Counts`], which the sink moves while others read.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Moved under the lane's lock only.
    recorded: AtomicU64,
    /// Moved only by the thread that has the worker.
    delivered: AtomicU64,
    failed: [AtomicU64; REASONS],
    dropped: [AtomicU64; REASONS],
    /// Moved after each of `failed` and `dropped`: who sees it unmoved need not add those up.
    losses: AtomicU64,
}

impl Counters {
    #[inline]
    pub(super) fn recorded(&self, n: u64) {
        add_alone(&self.recorded, n);
    }

    #[inline]
    pub(super) fn delivered(&self, n: u64) {
        add_alone(&self.delivered, n);
    }

    pub(super) fn failed(&self, n: u64, reason: Reason) {
        if n > 0 {
            self.failed[reason as usize].fetch_add(n, Ordering::Relaxed);
            self.losses.fetch_add(1, Ordering::Release);
        }
    }

    pub(super) fn dropped(&self, n: u64, reason: Reason) {
        self.dropped[reason as usize].fetch_add(n, Ordering::Relaxed);
        self.losses.fetch_add(1, Ordering::Release);
    }

    /// Moves with each loss.
    #[inline]
    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    /// What was lost and is not in `told`.
    #[inline]
    pub(super) fn untold(&self, told: &Told) -> Option<Box<Untold>> {
        // Read before the counts: a loss that these miss moves it on, and is seen the next time.
        let losses = self.losses();
        if losses == told.losses { None } else { self.lost_since(told, losses) }
    }

    #[cold]
    fn lost_since(&self, told: &Told, losses: u64) -> Option<Box<Untold>> {
        let counts = self.read();
        let lost = counts.lost_since(&told.counts);
        (lost.total() > 0).then(|| Box::new(Untold { lost, up_to: Told { counts, losses } }))
    }

    pub(super) fn read(&self) -> Counts {
        let all = |counters: &[AtomicU64; REASONS]| {
            ByReason(std::array::from_fn(|i| counters[i].load(Ordering::Relaxed)))
        };
        Counts {
            recorded: self.recorded.load(Ordering::Relaxed),
            delivered: self.delivered.load(Ordering::Relaxed),
            failed: all(&self.failed),
            dropped: all(&self.dropped),
        }
    }
}

/// Adds to a counter that nobody else adds to at the same time: without the bus lock of a `fetch_add`,
/// which is a tenth of what a push costs.
fn add_alone(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed) + n, Ordering::Relaxed);
}

/// The losses that a sink was told of.
#[derive(Debug, Default)]
pub(super) struct Told {
    counts: Counts,
    losses: u64,
}

impl Told {
    /// As [`Counters::losses`] was when it was told.
    pub(super) fn losses(&self) -> u64 {
        self.losses
    }
}

/// Losses that the sink was not told of.
#[derive(Debug)]
pub(super) struct Untold {
    pub(super) lost: Lost,
    /// What it is told of when it knows these too.
    pub(super) up_to: Told,
}

/// What was dropped or failed since the stream was last told.
#[derive(Clone, Debug)]
pub struct Lost {
    dropped: ByReason,
    failed: ByReason,
}

impl Lost {
    /// How many items in all.
    pub fn total(&self) -> u64 {
        self.dropped.total() + self.failed.total()
    }

    /// How many by reason; no zeros.
    pub fn by_reason(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        self.dropped().chain(self.failed.iter())
    }

    /// How many never reached the sink, by reason; no zeros. The others the sink has failed itself.
    pub fn dropped(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        self.dropped.iter()
    }
}

/// What a flush or a shutdown achieved. The counts are of everything since the report before.
#[derive(Clone, Debug, Default)]
#[must_use = "a report says what was lost"]
pub struct FlushReport {
    lanes: Vec<LaneReport>,
}

impl FlushReport {
    /// The report of nothing: complete and empty.
    pub fn empty() -> Self {
        Self::default()
    }

    pub(super) fn of(lane: LaneReport) -> Self {
        Self { lanes: vec![lane] }
    }

    /// One report of both.
    pub fn merge(mut self, other: Self) -> Self {
        self.lanes.extend(other.lanes);
        self
    }

    /// Each lane's part.
    pub fn lanes(&self) -> &[LaneReport] {
        &self.lanes
    }

    /// Items that arrived.
    pub fn delivered(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.delivered).sum()
    }

    /// Items that never reached their sink.
    pub fn dropped(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.dropped).sum()
    }

    /// Items that their sink could not deliver.
    pub fn failed(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.failed).sum()
    }

    /// Items that were still on their way when the time ran out.
    pub fn pending(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.pending).sum()
    }

    /// Whether everything that was recorded arrived, in time.
    pub fn is_complete(&self) -> bool {
        self.lanes.iter().all(|lane| {
            lane.dropped == 0 && lane.failed == 0 && lane.pending == 0 && !lane.timed_out
        })
    }
}

impl fmt::Display for FlushReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, lane) in self.lanes.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{lane}")?;
        }
        Ok(())
    }
}

/// One lane's part of a [`FlushReport`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LaneReport {
    /// The lane's name, or that of a producer of which something had not reached its lanes in time
    /// ([`Handovers`](super::Handovers)).
    pub name: &'static str,
    /// Items that arrived.
    pub delivered: u64,
    /// Items that never reached the sink.
    pub dropped: u64,
    /// Items that the sink could not deliver.
    pub failed: u64,
    /// Items that were still on their way when the time ran out.
    pub pending: u64,
    /// Whether the time ran out.
    pub timed_out: bool,
    /// `dropped` and `failed` by reason; no zeros.
    pub reasons: Vec<(Reason, u64)>,
}

impl LaneReport {
    /// Of a wait that was given up: nothing is known but how much was waited for.
    pub(super) fn out_of_time(name: &'static str, pending: u64) -> Self {
        Self {
            name,
            delivered: 0,
            dropped: 0,
            failed: 0,
            pending,
            timed_out: true,
            reasons: Vec::new(),
        }
    }

    pub(super) fn between(
        name: &'static str,
        before: &Counts,
        now: &Counts,
        pending: u64,
        timed_out: bool,
    ) -> Self {
        let (dropped, failed) =
            (now.dropped.since(&before.dropped), now.failed.since(&before.failed));
        Self {
            name,
            delivered: now.delivered - before.delivered.min(now.delivered),
            dropped: dropped.total(),
            failed: failed.total(),
            pending,
            timed_out,
            reasons: dropped.iter().chain(failed.iter()).collect(),
        }
    }
}

impl fmt::Display for LaneReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} delivered", self.name, self.delivered)?;
        for (n, what) in
            [(self.dropped, "dropped"), (self.failed, "failed"), (self.pending, "pending")]
        {
            if n > 0 {
                write!(f, ", {n} {what}")?;
            }
        }
        for (index, (reason, n)) in self.reasons.iter().enumerate() {
            write!(f, "{}{reason} {n}", if index == 0 { " (" } else { ", " })?;
        }
        if !self.reasons.is_empty() {
            f.write_str(")")?;
        }
        if self.timed_out {
            f.write_str(", out of time")?;
        }
        Ok(())
    }
}

/// A lane's state at one moment; the counts are of its whole life.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LaneStats {
    /// The lane's name.
    pub name: &'static str,
    /// Items that were queued.
    pub recorded: u64,
    /// Items that arrived.
    pub delivered: u64,
    /// Items that never reached the sink.
    pub dropped: u64,
    /// Items that the sink could not deliver.
    pub failed: u64,
    /// Items in the queue or with the sink now.
    pub pending: u64,
    /// Their weight in bytes.
    pub pending_bytes: usize,
    /// `dropped` and `failed` by reason; no zeros.
    pub reasons: Vec<(Reason, u64)>,
}

impl LaneStats {
    pub(super) fn new(
        name: &'static str,
        counts: &Counts,
        pending: u64,
        pending_bytes: usize,
    ) -> Self {
        Self {
            name,
            recorded: counts.recorded,
            delivered: counts.delivered,
            dropped: counts.dropped.total(),
            failed: counts.failed.total(),
            pending,
            pending_bytes,
            reasons: counts.dropped.iter().chain(counts.failed.iter()).collect(),
        }
    }
}

impl fmt::Display for LaneStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} recorded, {} delivered, {} dropped, {} failed, {} pending",
            self.name, self.recorded, self.delivered, self.dropped, self.failed, self.pending
        )
    }
}

/// A lane of any kind, as the health report sees it.
pub(super) trait Observed: Send + Sync {
    fn stats(&self) -> LaneStats;
}

static REGISTERED: Mutex<Vec<Weak<dyn Observed>>> = Mutex::new(Vec::new());

pub(super) fn register(lane: Weak<dyn Observed>) {
    let mut registered = lock(&REGISTERED);
    registered.retain(|lane| lane.strong_count() > 0);
    registered.push(lane);
}

pub(crate) fn registered_lanes() -> Vec<LaneStats> {
    // Collected first: a lane's last handle must not be dropped under the lock.
    let lanes: Vec<Arc<dyn Observed>> =
        lock(&REGISTERED).iter().filter_map(Weak::upgrade).collect();
    lanes.iter().map(|lane| lane.stats()).collect()
}
