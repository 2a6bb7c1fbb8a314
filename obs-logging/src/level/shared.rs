//! The level that all layers of one logger share, and how it is read without waiting.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tracing_core::dispatcher::{Dispatch, WeakDispatch};
use tracing_core::{Level, LevelFilter, Metadata};
use tracing_log::{AsLog, log};

use super::announce::announce;
use super::directives::Directives;
use super::filter::LineFilter;
use super::rules::lets_through;

/// The level of a logger, which may change at any time.
///
/// Where a callsite's interest is cached, nobody asks. It is not where another layer is of another
/// opinion (a tracer, usually), so that every event asks: then one atomic load decides, or, where it
/// is a question of the target, a copy that each thread keeps until the version has changed.
#[derive(Debug)]
pub(crate) struct Levels {
    /// A [`Gate`]; written under the lock of `current`.
    gate: AtomicU64,
    current: RwLock<Arc<Current>>,
    /// The logger brings in the records of the `log` crate, whose level follows.
    bridges_log: AtomicBool,
    /// What is held within a request although the level is above it.
    held: LevelFilter,
    /// The subscribers that have a layer of this logger, in the order in which they were made.
    subscribers: Mutex<Vec<WeakDispatch>>,
    #[cfg(all(unix, feature = "signal"))]
    pub(super) watch: std::sync::OnceLock<super::signal::Watch>,
}

/// Directives, and a number that no others have in this process.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) version: u64,
    pub(super) directives: Directives,
}

static NEXT_VERSION: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// What this thread has seen last, of whichever logger.
    static SEEN: RefCell<Option<Arc<Current>>> = const { RefCell::new(None) };
}

impl Levels {
    /// `held`: the most verbose level of lines that are kept in case their request fails.
    pub(crate) fn new(directives: Directives, held: LevelFilter) -> Arc<Self> {
        let current = Current::new(directives);
        Arc::new(Self {
            gate: AtomicU64::new(Gate::of(&current).0),
            current: RwLock::new(Arc::new(current)),
            bridges_log: AtomicBool::new(false),
            held,
            subscribers: Mutex::default(),
            #[cfg(all(unix, feature = "signal"))]
            watch: std::sync::OnceLock::new(),
        })
    }

    /// A filter for one layer.
    pub(crate) fn filter(self: &Arc<Self>) -> LineFilter {
        LineFilter::new(Arc::clone(self))
    }

    pub(crate) fn directives(&self) -> Directives {
        self.current().directives.clone()
    }

    /// The most verbose level at which anything can be written.
    pub(crate) fn most(&self) -> LevelFilter {
        self.gate().most()
    }

    /// The most verbose level of records of the `log` crate that there is any use for.
    pub(crate) fn most_records(&self) -> LevelFilter {
        match self.most() {
            LevelFilter::OFF => LevelFilter::OFF,
            most => most.max(self.held),
        }
    }

    /// The level of the `log` crate follows this one from now on.
    pub(crate) fn bridges_log(&self) {
        self.bridges_log.store(true, Ordering::Release);
        self.tell_log();
    }

    /// Sets the level, and tells `tracing` and `log`, which remember what they were told.
    /// Returns the version that this made.
    pub(crate) fn set(&self, directives: Directives) -> u64 {
        let next = Arc::new(Current::new(directives));
        let version = next.version;
        {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            self.gate.store(Gate::of(&next).0, Ordering::Release);
            *current = next;
        }
        self.tell_log();
        if let Some(dispatch) = self.last_subscriber() {
            announce(&dispatch);
        }
        version
    }

    /// A subscriber has a layer of this logger.
    pub(crate) fn joins(&self, subscriber: &Dispatch) {
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        // What is dropped with the last of somebody else's handles may be anybody's code: not here.
        let living = |other: &WeakDispatch| other.upgrade();
        let held: Vec<_> = subscribers.iter().filter_map(living).collect();
        *subscribers = held.iter().map(Dispatch::downgrade).collect();
        subscribers.push(subscriber.downgrade());
        drop(subscribers);
        drop(held);
    }

    /// Of those that are in use. Where there is none, nobody has been told of the level before.
    fn last_subscriber(&self) -> Option<Dispatch> {
        let subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.iter().rev().find_map(WeakDispatch::upgrade)
    }

    /// What is told last is the level that was set last: who finds another one afterwards goes on.
    fn tell_log(&self) {
        if !self.bridges_log.load(Ordering::Acquire) {
            return;
        }
        loop {
            let told = self.gate();
            log::set_max_level(self.most_records().as_log());
            if self.gate() == told {
                return;
            }
        }
    }

    pub(super) fn gate(&self) -> Gate {
        Gate(self.gate.load(Ordering::Acquire))
    }

    pub(super) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the directives let the callsite through; `None` where that depends on spans.
    #[inline]
    pub(super) fn decide(&self, metadata: &Metadata<'_>) -> Option<bool> {
        let gate = self.gate();
        if gate.follows_spans() {
            return None;
        }
        let (is_span, level) = (metadata.is_span(), *metadata.level());
        if lets_through(gate.least(), is_span, level) {
            return Some(true);
        }
        if !lets_through(gate.most(), is_span, level) {
            return Some(false);
        }
        self.decide_by_target(gate, is_span, level, metadata.target())
    }

    fn decide_by_target(
        &self,
        gate: Gate,
        is_span: bool,
        level: Level,
        target: &str,
    ) -> Option<bool> {
        let decide = |current: &Current| {
            let rules = current.directives.rules()?;
            Some(lets_through(rules.level_of(target), is_span, level))
        };
        let here = SEEN.try_with(|seen| {
            // Nothing below calls code of others, which could come back here.
            let mut seen = seen.borrow_mut();
            if seen.as_ref().is_none_or(|seen| seen.version != gate.version()) {
                *seen = Some(self.current());
            }
            seen.as_deref().and_then(decide)
        });
        // The thread is ending.
        here.unwrap_or_else(|_| decide(&self.current()))
    }
}

impl Current {
    fn new(directives: Directives) -> Self {
        Self { version: NEXT_VERSION.fetch_add(1, Ordering::Relaxed), directives }
    }
}

/// What mostly decides, in one word: the version, whether spans decide, and between which levels
/// the target does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gate(u64);

impl Gate {
    const FOLLOWS_SPANS: u64 = 1 << 6;

    fn of(current: &Current) -> Self {
        let most = number(current.directives.most());
        let spans = match current.directives.rules() {
            Some(rules) => number(rules.least()),
            None => Self::FOLLOWS_SPANS,
        };
        Self(current.version << 8 | most << 3 | spans)
    }

    pub(super) fn version(self) -> u64 {
        self.0 >> 8
    }

    pub(super) fn follows_spans(self) -> bool {
        self.0 & Self::FOLLOWS_SPANS != 0
    }

    fn least(self) -> LevelFilter {
        level(self.0 & 7)
    }

    pub(super) fn most(self) -> LevelFilter {
        level(self.0 >> 3 & 7)
    }
}

const LEVELS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

fn number(level: LevelFilter) -> u64 {
    LEVELS.iter().zip(0..).find(|(other, _)| **other == level).map_or(0, |(_, number)| number)
}

fn level(number: u64) -> LevelFilter {
    usize::try_from(number).ok().and_then(|at| LEVELS.get(at)).copied().unwrap_or(LevelFilter::OFF)
}
