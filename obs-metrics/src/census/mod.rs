//! Which series a collector has sent, and the budgets that bound them.
//!
//! CloudWatch bills each combination of a metric's name and its dimensions, so a dimension whose
//! values never end (an id, a path) is a bill that never ends. The census knows every series that
//! was admitted; what is beyond the budget of its metric is sent as the metric's overflow series,
//! and counted.
//!
//! ```text
//!  new series ──► known? ──yes──► as given
//!                   │no
//!                   ▼
//!                 room in the metric's budget ──yes──► admitted, for the collector's life
//!                 and in that of all metrics?
//!                   │no
//!                   ▼
//!                 the overflow series: the same name, `__overflow__` for each value of the call
//! ```
//!
//! Each further set of a series' dimensions is a series of its own for the bill, and listed as one, once
//! however many series have it. It counts in the budget, but goes where its series goes.
//!
//! Nothing is ever taken out: a series that was sent once may come again at any time.

mod budget;
mod known;

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

pub(crate) use budget::Budgets;
pub use budget::DEFAULT_SERIES_PER_METRIC;

use crate::dimensions::{DimensionSet, Pair};
use crate::limits::DIMENSIONS_PER_SET;
use crate::names;
use crate::stats::Counters;
use crate::unit::{Resolution, Unit};
use budget::Room;
use known::{Known, Seeded};

/// What stands for each dimension's value of what is beyond its metric's budget.
pub const OVERFLOW: &str = "__overflow__";

/// Sets of dimension names with which a metric overflows; what has yet others shares one series.
/// Without this bound, dimensions whose *names* never end would have no budget.
const OVERFLOW_SETS: usize = 4;

/// The series of one collector. Known ones are found under a shared lock.
pub(crate) struct Census {
    budgets: Budgets,
    /// The collector's own dimensions, which no overflow changes.
    defaults: Arc<DimensionSet>,
    known: Known,
    metrics: RwLock<Metrics>,
    /// Whether a metric went into overflow that the stream has not been told of.
    untold: AtomicBool,
    seed: u64,
}

/// A series that asks to be sent: its name and dimensions are valid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) name: &'a str,
    pub(crate) unit: Unit,
    pub(crate) resolution: Resolution,
    pub(crate) dimensions: &'a Arc<DimensionSet>,
}

/// What a candidate is sent as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// As it is.
    AsGiven,
    /// As an overflow series.
    Overflow {
        dimensions: Arc<DimensionSet>,
        /// Whether the name is [`OVERFLOW`] too: there are more names than the census keeps.
        renamed: bool,
    },
}

/// One series as the preview shows it.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) dimensions: Arc<DimensionSet>,
    /// A bit for each unit, in the order of [`Unit::ALL`].
    pub(crate) units: u32,
    pub(crate) resolution: Resolution,
    pub(crate) overflow: bool,
}

/// One metric as the preview shows it.
#[derive(Clone, Debug)]
pub(crate) struct CountedMetric {
    pub(crate) name: Arc<str>,
    pub(crate) values_in_overflow: u64,
    pub(crate) series: Vec<Counted>,
}

impl Census {
    pub(crate) fn new(budgets: Budgets, defaults: &DimensionSet) -> Self {
        // Values come from outside: nobody can make hashes collide that begin with this.
        let seed = RandomState::new().hash_one(0_u64);
        Self {
            budgets,
            defaults: Arc::new(defaults.clone()),
            known: Known::default(),
            metrics: RwLock::new(Metrics::new(Seeded(seed))),
            untold: AtomicBool::new(false),
            seed,
        }
    }

    /// The collector's own dimensions.
    pub(crate) fn defaults(&self) -> &DimensionSet {
        &self.defaults
    }

    /// What the hashes for [`knows`](Self::knows) begin with; different in each collector.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether [`learn`](Self::learn) was called with `hash`. Costs two nanoseconds and no lock.
    ///
    /// The hash stands for series that were all admitted as given: for an event, the names and units
    /// of its metrics and its dimensions (or a number of its shape, and the dimensions' values). It
    /// begins with [`seed`](Self::seed). False for what was pushed out by others: ask
    /// [`admit`](Self::admit) then, and learn it again.
    pub(crate) fn knows(&self, hash: u64) -> bool {
        self.known.has(hash)
    }

    /// Remembers that everything for which `hash` stands was admitted as given.
    pub(crate) fn learn(&self, hash: u64) {
        self.known.add(hash);
    }

    /// Says as what `candidate` is sent, and counts `values` if that is an overflow series.
    ///
    /// A known series costs two look-ups under a shared lock, some 150 ns; a new one is remembered.
    /// What records under a name for long (a handle) asks once, with no values, and counts with
    /// [`overflowed`](Self::overflowed) what it recorded if the answer was an overflow.
    pub(crate) fn admit(
        &self,
        counters: &Counters,
        candidate: &Candidate<'_>,
        values: u64,
    ) -> Admission {
        let found = {
            let metrics = self.metrics.read().unwrap_or_else(PoisonError::into_inner);
            metrics.find(&self.budgets, &self.defaults, candidate)
        };
        let admission = found.unwrap_or_else(|| {
            let mut metrics = self.metrics.write().unwrap_or_else(PoisonError::into_inner);
            // Another thread may have been faster.
            let found = metrics.find(&self.budgets, &self.defaults, candidate);
            found.unwrap_or_else(|| metrics.add(&self.budgets, &self.defaults, candidate))
        });
        if let Admission::Overflow { renamed, .. } = &admission
            && values > 0
        {
            self.overflowed(counters, if *renamed { OVERFLOW } else { candidate.name }, values);
        }
        admission
    }

    /// Notes that `candidate` is sent as it is, whatever the budgets are.
    pub(crate) fn list(&self, candidate: &Candidate<'_>) {
        let mut metrics = self.metrics.write().unwrap_or_else(PoisonError::into_inner);
        metrics.list(candidate);
    }

    /// Counts `values` of the metric `name` that went into an overflow series.
    pub(crate) fn overflowed(&self, counters: &Counters, name: &str, values: u64) {
        counters.in_overflow(values);
        let metrics = self.metrics.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(metric) = metrics.by_name.get(name)
            && metric.values_in_overflow.fetch_add(values, Ordering::Relaxed) == 0
        {
            self.untold.store(true, Ordering::Relaxed);
        }
    }

    /// The names of the metrics that are in overflow, sorted, if the stream has to be told because
    /// there is a new one.
    pub(crate) fn untold(&self) -> Option<Vec<Arc<str>>> {
        if !self.untold.load(Ordering::Relaxed) || !self.untold.swap(false, Ordering::Relaxed) {
            return None;
        }
        let metrics = self.metrics.read().unwrap_or_else(PoisonError::into_inner);
        let over = metrics
            .by_name
            .iter()
            .filter(|(_, metric)| metric.values_in_overflow.load(Ordering::Relaxed) > 0);
        let mut names: Vec<_> = over.map(|(name, _)| Arc::clone(name)).collect();
        names.sort_unstable();
        Some(names)
    }

    /// How many series there are, those of overflow included.
    pub(crate) fn len(&self) -> usize {
        let metrics = self.metrics.read().unwrap_or_else(PoisonError::into_inner);
        metrics.by_name.values().map(|metric| metric.len()).sum()
    }

    /// All metrics with their series, in no order.
    pub(crate) fn snapshot(&self) -> Vec<CountedMetric> {
        let metrics = self.metrics.read().unwrap_or_else(PoisonError::into_inner);
        let all = metrics.by_name.iter().map(|(name, metric)| CountedMetric {
            name: Arc::clone(name),
            values_in_overflow: metric.values_in_overflow.load(Ordering::Relaxed),
            series: metric
                .series
                .iter()
                .map(|(set, seen)| seen.counted(&set.0, false))
                .chain(metric.overflow.iter().chain(&metric.overflow_rollups).map(|(set, seen)| {
                    // Without any value to replace it is the series that was meant.
                    let replaced = set.0.iter().any(|pair| !has(&self.defaults, pair));
                    seen.counted(&set.0, replaced || **name == *OVERFLOW)
                }))
                .collect(),
        });
        all.collect()
    }
}

impl std::fmt::Debug for Census {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Census")
            .field("budgets", &self.budgets)
            .field("series", &self.len())
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Metrics {
    by_name: HashMap<Arc<str>, Metric, Seeded>,
    /// Series of all metrics, without those of overflow.
    in_budget: usize,
}

#[derive(Debug)]
struct Metric {
    /// Whether the name was admitted. Not so only where it is [`OVERFLOW`] and stands for others.
    is_admitted: bool,
    /// Those in the budget, and their further sets.
    series: HashMap<BySet, Seen, Seeded>,
    overflow: HashMap<BySet, Seen, Seeded>,
    /// Further sets of overflow series that are none of the others.
    overflow_rollups: HashMap<BySet, Seen, Seeded>,
    values_in_overflow: AtomicU64,
}

/// A series by its dimensions: for the bill, further sets of them make it no other one.
#[derive(Clone, Debug)]
struct BySet(Arc<DimensionSet>);

impl Borrow<[Pair]> for BySet {
    fn borrow(&self) -> &[Pair] {
        self.0.pairs()
    }
}

impl PartialEq for BySet {
    fn eq(&self, other: &Self) -> bool {
        self.0.pairs() == other.0.pairs()
    }
}

impl Eq for BySet {}

impl Hash for BySet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.pairs().hash(state);
    }
}

/// How a series was recorded; neither unit nor resolution makes it another one for the bill.
#[derive(Debug)]
struct Seen {
    units: AtomicU32,
    high_resolution: AtomicBool,
}

impl Metrics {
    fn new(hash: Seeded) -> Self {
        Self { by_name: HashMap::with_hasher(hash), in_budget: 0 }
    }

    /// What is decided for good: a known series, or an overflow into a known one.
    fn find(
        &self,
        budgets: &Budgets,
        defaults: &Arc<DimensionSet>,
        candidate: &Candidate<'_>,
    ) -> Option<Admission> {
        let metric = self.by_name.get(candidate.name);
        if let Some(metric) = metric
            && let Some(known) = metric.series.get_key_value(candidate.dimensions.pairs())
        {
            let is_whole = metric.note(known, candidate.dimensions, candidate);
            return is_whole.then_some(Admission::AsGiven);
        }
        // Series are never taken out, so that there is no room later where there is none now.
        let room = self.room(budgets, candidate.name);
        let (metric, set) = match room {
            Room::Series => return None,
            Room::Overflow => {
                let metric = metric?;
                (metric, Arc::new(metric.overflow_set(defaults, candidate)))
            }
            Room::None => (self.by_name.get(OVERFLOW)?, Arc::clone(defaults)),
        };
        // Someone may record `__overflow__` as a value.
        let known = || metric.series.get_key_value(set.pairs());
        let known = metric.overflow.get_key_value(set.pairs()).or_else(known)?;
        let is_whole = metric.note(known, &set, candidate);
        is_whole.then(|| admission(room, set, candidate))
    }

    /// Makes the series that [`find`](Self::find) has not found, or those of its further sets that are
    /// new.
    fn add(
        &mut self,
        budgets: &Budgets,
        defaults: &Arc<DimensionSet>,
        candidate: &Candidate<'_>,
    ) -> Admission {
        let known = self.by_name.get_mut(candidate.name);
        if let Some(metric) = known
            && metric.series.contains_key(candidate.dimensions.pairs())
        {
            self.in_budget += metric.add_series(candidate);
            return Admission::AsGiven;
        }
        let room = self.room(budgets, candidate.name);
        let name = if room == Room::None { OVERFLOW } else { candidate.name };
        let metric = match self.by_name.contains_key(name) {
            true => self.by_name.get_mut(name),
            false => {
                let hash = self.by_name.hasher().clone();
                Some(self.by_name.entry(name.into()).or_insert_with(|| Metric::new(hash)))
            }
        };
        let Some(metric) = metric else { return Admission::AsGiven };
        metric.is_admitted |= room != Room::None;
        match room {
            Room::Series => {
                self.in_budget += metric.add_series(candidate);
                Admission::AsGiven
            }
            Room::Overflow => {
                let set = Arc::new(metric.overflow_set(defaults, candidate));
                metric.add_overflow(&set, candidate);
                admission(room, set, candidate)
            }
            Room::None => {
                metric.add_overflow(defaults, candidate);
                admission(room, Arc::clone(defaults), candidate)
            }
        }
    }

    fn list(&mut self, candidate: &Candidate<'_>) {
        let hash = self.by_name.hasher().clone();
        let metric = self.by_name.entry(candidate.name.into()).or_insert_with(|| Metric::new(hash));
        metric.is_admitted = true;
        self.in_budget += metric.add_series(candidate);
    }

    fn room(&self, budgets: &Budgets, name: &str) -> Room {
        // That other names overflowed into a metric of this name gives it no room of its own: otherwise
        // the same candidate would be decided in two ways.
        let own = |metric: &&Metric| metric.is_admitted;
        let metric = self.by_name.get(name).filter(own).map(|metric| metric.series.len());
        budgets.room(name, metric, self.in_budget, self.by_name.len())
    }
}

impl Metric {
    fn new(hash: Seeded) -> Self {
        Self {
            is_admitted: false,
            series: HashMap::with_hasher(hash.clone()),
            overflow: HashMap::with_hasher(hash.clone()),
            overflow_rollups: HashMap::with_hasher(hash),
            values_in_overflow: AtomicU64::new(0),
        }
    }

    fn len(&self) -> usize {
        self.series.len() + self.overflow.len() + self.overflow_rollups.len()
    }

    /// Notes in a known series, and in those of the further sets of `set`, how the candidate is
    /// recorded; returns whether all of these are known too.
    fn note(
        &self,
        (known, seen): (&BySet, &Seen),
        set: &DimensionSet,
        candidate: &Candidate<'_>,
    ) -> bool {
        let is_noted = !seen.note(candidate) && known.0.has_rollups_of(set);
        is_noted
            || rollups_of(set).all(|rollup| {
                let pairs = rollup.pairs();
                let all = [&self.series, &self.overflow, &self.overflow_rollups];
                let seen = all.iter().find_map(|series| series.get(pairs));
                seen.map(|seen| seen.note(candidate)).is_some()
            })
    }

    /// Adds the candidate and its further sets, as far as they are new; returns how many are more in
    /// the budget.
    fn add_series(&mut self, candidate: &Candidate<'_>) -> usize {
        let before = self.series.len();
        let rollups = rollups_of(candidate.dimensions).map(Arc::new);
        for set in std::iter::once(Arc::clone(candidate.dimensions)).chain(rollups) {
            match self.series.get(set.pairs()).or_else(|| self.overflow.get(set.pairs())) {
                Some(seen) => _ = seen.note(candidate),
                None => {
                    let seen = self.overflow_rollups.remove(set.pairs());
                    let seen = seen.unwrap_or_else(|| Seen::new(candidate));
                    seen.note(candidate);
                    self.series.insert(BySet(set), seen);
                }
            }
        }
        self.series.len() - before
    }

    /// Adds an overflow series of the candidate and its further sets, as far as they are new.
    fn add_overflow(&mut self, set: &Arc<DimensionSet>, candidate: &Candidate<'_>) {
        match self.series.get(set.pairs()).or_else(|| self.overflow.get(set.pairs())) {
            Some(seen) => _ = seen.note(candidate),
            None => {
                let seen = self.overflow_rollups.remove(set.pairs());
                let seen = seen.unwrap_or_else(|| Seen::new(candidate));
                seen.note(candidate);
                self.overflow.insert(BySet(Arc::clone(set)), seen);
            }
        }
        for rollup in rollups_of(set) {
            match self.series.get(rollup.pairs()).or_else(|| self.overflow.get(rollup.pairs())) {
                Some(seen) => _ = seen.note(candidate),
                None => {
                    let rollup = self.overflow_rollups.entry(BySet(Arc::new(rollup)));
                    rollup.or_insert_with(|| Seen::new(candidate)).note(candidate);
                }
            }
        }
    }

    /// The dimensions with which the candidate overflows.
    fn overflow_set(&self, defaults: &DimensionSet, candidate: &Candidate<'_>) -> DimensionSet {
        let is_default = |pair: (&str, &str)| has(defaults, pair);
        let set = DimensionSet::of(
            candidate
                .dimensions
                .iter()
                .map(|(name, value)| {
                    let value = if is_default((name, value)) { value } else { OVERFLOW };
                    (name.to_owned(), value.to_owned())
                })
                .collect(),
        );
        let set = set.with_rollups(&candidate.dimensions.rollups_by_name());
        let is_other = |set: &&BySet| set.0.pairs() != defaults.pairs();
        // One that was recorded as a series is there, and stays what this overflows into.
        let is_in = set.pairs() == defaults.pairs()
            || self.overflow.contains_key(set.pairs())
            || self.series.contains_key(set.pairs())
            || self.overflow.keys().filter(is_other).count() < OVERFLOW_SETS;
        if is_in { set } else { shared_set(defaults, candidate.name) }
    }
}

/// Where a metric overflows whose dimensions have too many different names.
fn shared_set(defaults: &DimensionSet, metric: &str) -> DimensionSet {
    let mut pairs: Vec<(String, String)> =
        defaults.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    // The collector's own 30 leave no room: then it is the series without any of the call's.
    if pairs.len() < DIMENSIONS_PER_SET {
        let taken = |name: &str| name == metric || defaults.has(name);
        pairs.push((names::free_name(OVERFLOW, taken), OVERFLOW.to_owned()));
    }
    DimensionSet::of(pairs).with_rollups(defaults.wanted())
}

/// Whether it is one of the collector's own dimensions.
fn has(defaults: &DimensionSet, pair: (&str, &str)) -> bool {
    defaults.iter().any(|default| default == pair)
}

/// The further sets as the dimensions of series of their own.
fn rollups_of(set: &DimensionSet) -> impl Iterator<Item = DimensionSet> {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    set.rollups().map(move |rollup| DimensionSet::of(rollup.map(owned).collect()))
}

/// `set` as the admission of `candidate`, for which there was this room.
fn admission(room: Room, set: Arc<DimensionSet>, candidate: &Candidate<'_>) -> Admission {
    // What has the name already keeps it.
    let renamed = room == Room::None && candidate.name != OVERFLOW;
    if !renamed && set.pairs() == candidate.dimensions.pairs() {
        return Admission::AsGiven;
    }
    Admission::Overflow { dimensions: set, renamed }
}

impl Seen {
    fn new(candidate: &Candidate<'_>) -> Self {
        Self {
            units: AtomicU32::new(unit_bit(candidate.unit)),
            high_resolution: AtomicBool::new(candidate.resolution == Resolution::High),
        }
    }

    /// Returns whether it was new.
    fn note(&self, candidate: &Candidate<'_>) -> bool {
        // Read first: threads that only find what they know share the line.
        let bit = unit_bit(candidate.unit);
        let is_new_unit = self.units.load(Ordering::Relaxed) & bit == 0;
        if is_new_unit {
            self.units.fetch_or(bit, Ordering::Relaxed);
        }
        let is_finer = candidate.resolution == Resolution::High
            && !self.high_resolution.load(Ordering::Relaxed);
        if is_finer {
            self.high_resolution.store(true, Ordering::Relaxed);
        }
        is_new_unit || is_finer
    }

    fn counted(&self, set: &Arc<DimensionSet>, overflow: bool) -> Counted {
        Counted {
            dimensions: Arc::clone(set),
            units: self.units.load(Ordering::Relaxed),
            resolution: match self.high_resolution.load(Ordering::Relaxed) {
                true => Resolution::High,
                false => Resolution::Standard,
            },
            overflow,
        }
    }
}

/// The unit's bit in [`Counted::units`].
pub(crate) fn unit_bit(unit: Unit) -> u32 {
    // 27 units: one bit each.
    1 << (unit as u32)
}

#[cfg(test)]
mod tests;
