//! The table of series between two flushes: what is recorded under one name, unit and set of
//! dimensions.
//!
//! A series is found by what the caller gave, before anything is made valid, so that a known one
//! costs a hash, a comparison and no allocation. Names are made valid once, when it is new.
//!
//! A table is split into shards by that hash. What is done under a shard's lock is done in well under
//! a microsecond, also by a flush (`shard.rs`): recording never waits for one.

mod given;
mod shard;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

// What `shard.rs` is built on; tests give it others.
use crate::aggregate::sync;
use crate::census::{Admission, Candidate, Census, OVERFLOW};
use crate::collector::lock;
use crate::datum::{Datum, Kind, SeriesKey};
use crate::dimensions::DimensionSet;
use crate::distribution::Distribution;
use crate::hash;
use crate::names;
use crate::stats::Counters;
pub(crate) use given::Given;
use given::Owned;
use shard::{Forget, Identity, Recorded, Shard};

/// Shards of the table of a process: some threads more than run at once seldom meet in one.
const SHARDS: usize = 16;
/// Series in one shard before it is emitted early: 32,768 in a process's table, three times what the
/// budgets allow by default.
const MAX_SERIES: usize = 2_048;
/// Distinct values in one shard before it is emitted early: 128 KB, 2 MB in a process's table.
const MAX_VALUES: usize = 8_192;

/// What is recorded, until it is taken to be emitted.
#[derive(Debug)]
pub(crate) struct Table {
    /// A power of two of them.
    shards: Box<[Part]>,
    /// The number of the next new series.
    next: AtomicU64,
}

#[derive(Debug, Default)]
struct Part {
    series: Shard<Series, Distribution>,
    /// One copy of each set of dimensions. Not guarded with the series: only new ones ask. Never
    /// forgotten, as little as in the census, whose budgets bound them.
    sets: Mutex<HashSet<Arc<DimensionSet>>>,
}

#[derive(Debug)]
struct Series {
    given: Owned,
    /// Which one of the table it was: what is taken is in this order.
    number: u64,
    key: Arc<SeriesKey>,
}

/// A shard that is so full that it should be taken now.
#[derive(Debug)]
#[must_use = "a full shard is emitted, or it grows"]
pub(crate) struct Full<'a> {
    part: &'a Part,
    /// Whether it has too many series. It begins anew then: it would be full again at once.
    of_series: bool,
}

type Taken = Vec<(u64, Datum)>;

impl Default for Table {
    /// A table of one shard.
    fn default() -> Self {
        Self::of_shards(1)
    }
}

impl Table {
    /// A table into which many threads record.
    pub(crate) fn sharded() -> Self {
        Self::of_shards(SHARDS)
    }

    fn of_shards(shards: usize) -> Self {
        Self { shards: (0..shards).map(|_| Part::default()).collect(), next: AtomicU64::new(0) }
    }

    /// Records a value `count` times; it is finite and within the limits. Where the shard is full
    /// then, the caller takes and emits it.
    #[inline]
    pub(crate) fn record(
        &self,
        census: &Census,
        counters: &Counters,
        given: &Given<'_>,
        value: f64,
        count: u64,
    ) -> Option<Full<'_>> {
        let hash = given.hash(census.seed());
        let part = self.part(hash)?;
        let mut series = part.series.table();
        if let Some(slot) = series.find(hash, |series| series.given.is(given)) {
            let full = series.record(slot, value, count);
            drop(series);
            return full.map(|of_series| Full { part, of_series });
        }
        drop(series);
        self.record_new(hash, census, counters, given, (value, count))
    }

    /// Takes all values. Series that had some are kept for the next ones, the others forgotten, so
    /// that the table holds what is in use.
    pub(crate) fn take(&self, timestamp_millis: u64) -> Vec<Datum> {
        let mut taken = Taken::new();
        for part in &self.shards {
            part.series.take(Forget::Unused, into(&mut taken, timestamp_millis));
        }
        in_order(taken)
    }

    fn part(&self, hash: u64) -> Option<&Part> {
        // The low bits and the high ones choose within the shard's index.
        let at = (hash >> 32) & (self.shards.len() as u64 - 1);
        self.shards.get(usize::try_from(at).ok()?)
    }

    /// As [`record`](Self::record), what is not known. Nothing is locked while names are made valid
    /// and the census is asked.
    #[cold]
    fn record_new(
        &self,
        hash: u64,
        census: &Census,
        counters: &Counters,
        given: &Given<'_>,
        value: (f64, u64),
    ) -> Option<Full<'_>> {
        let Some(key) = valid_key(census, counters, given) else {
            counters.value_without_name();
            return None;
        };
        let SeriesKey { name, unit, resolution, dimensions, .. } = &key;
        let (unit, resolution) = (*unit, *resolution);
        let candidate = Candidate { name, unit, resolution, dimensions };
        match census.admit(counters, &candidate, value.1) {
            Admission::AsGiven => self.record_as(hash, given, key, value),
            Admission::Overflow { dimensions, renamed } => {
                // Found as if it had been given like this.
                let name = if renamed { OVERFLOW.to_owned() } else { key.name.clone() };
                let is_default =
                    |pair: &(&str, &str)| census.defaults().iter().any(|own| own == *pair);
                // What is single has nothing of the collector's, unless it is given.
                let is_given = |pair: &(&str, &str)| given.is_single || !is_default(pair);
                let pairs: Vec<_> = dimensions.iter().filter(is_given).collect();
                let given = Given { name: &name, dimensions: &pairs, ..*given };
                let dimensions = Arc::clone(&dimensions);
                let key = SeriesKey { name: name.clone(), dimensions, ..key };
                self.record_as(given.hash(census.seed()), &given, key, value)
            }
        }
    }

    /// Records into the series of this hash, which is added unless another thread was faster.
    fn record_as(
        &self,
        hash: u64,
        given: &Given<'_>,
        mut key: SeriesKey,
        (value, count): (f64, u64),
    ) -> Option<Full<'_>> {
        let part = self.part(hash)?;
        key.dimensions = self.one_copy(key.dimensions);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let new = Series { given: Owned::new(given), number, key: Arc::new(key) };
        let mut series = part.series.table();
        let known = series.find(hash, |series| series.given.is(given));
        let slot = known.unwrap_or_else(|| series.add(hash, new));
        let full = series.record(slot, value, count);
        drop(series);
        full.map(|of_series| Full { part, of_series })
    }

    fn sets_of(&self, set: &DimensionSet) -> Option<&Mutex<HashSet<Arc<DimensionSet>>>> {
        let hash = set.iter().fold(0, |hash, (name, value)| {
            hash::mix(hash::mix(hash, name.as_bytes()), value.as_bytes())
        });
        self.part(hash).map(|part| &part.sets)
    }

    fn one_copy(&self, set: Arc<DimensionSet>) -> Arc<DimensionSet> {
        let Some(sets) = self.sets_of(&set) else { return set };
        let mut sets = lock(sets);
        if let Some(known) = sets.get(&set) {
            return Arc::clone(known);
        }
        sets.insert(Arc::clone(&set));
        set
    }
}

/// The series of what was given; `None` where its name cannot be made valid.
fn valid_key(census: &Census, counters: &Counters, given: &Given<'_>) -> Option<SeriesKey> {
    let Given { name, unit, resolution, dimensions, sets, is_single } = *given;
    let valid = names::metric_name(name)?;
    let none = DimensionSet::default();
    let defaults = if is_single { &none } else { census.defaults() };
    let set = DimensionSet::merged(defaults, dimensions.iter().copied(), counters);
    let set = set.with_rollups(sets);
    // A document has one member of each name: the metric makes way for its own dimension.
    let valid = names::free_name(&valid, |name| set.has(name));
    if *valid != *name {
        counters.repaired();
    }
    let dimensions = Arc::new(set);
    Some(SeriesKey { name: valid, unit, resolution, kind: Kind::Distribution, dimensions })
}

impl Full<'_> {
    /// Takes what the shard holds; nothing where somebody is at it already.
    pub(crate) fn take(self, timestamp_millis: u64) -> Vec<Datum> {
        let mut taken = Taken::new();
        let forget = if self.of_series { Forget::All } else { Forget::Unused };
        self.part.series.try_take(forget, into(&mut taken, timestamp_millis));
        in_order(taken)
    }
}

impl shard::Table<Series, Distribution> {
    /// Returns whether the table is full, and then whether it is of series.
    #[inline]
    fn record(&mut self, slot: usize, value: f64, count: u64) -> Option<bool> {
        if self.values(slot)?.record_n(value, count) {
            self.grew();
            let of_series = self.len() >= MAX_SERIES;
            return (of_series || self.held() >= MAX_VALUES).then_some(of_series);
        }
        None
    }
}

impl Identity for Series {
    type Key = (u64, Arc<SeriesKey>);

    fn key(&self) -> Self::Key {
        (self.number, Arc::clone(&self.key))
    }
}

impl Recorded for Distribution {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

fn into(
    taken: &mut Taken,
    timestamp_millis: u64,
) -> impl FnMut((u64, Arc<SeriesKey>), Distribution) {
    move |(number, key), values| taken.push((number, Datum { key, timestamp_millis, values }))
}

/// What was taken, in the order in which the series were new.
fn in_order(mut taken: Taken) -> Vec<Datum> {
    taken.sort_unstable_by_key(|(number, _)| *number);
    taken.into_iter().map(|(_, datum)| datum).collect()
}

#[cfg(test)]
mod shard_tests;
#[cfg(test)]
mod tests;
