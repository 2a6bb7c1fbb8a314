//! The table of series between two flushes: what is recorded under one name, unit and set of
//! dimensions.
//!
//! A series is found by what the caller gave, before anything is made valid, so that a known one
//! costs a hash, a comparison and no allocation. Names are made valid once, when it is new.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use crate::census::{Admission, Candidate, Census, OVERFLOW};
use crate::datum::{Datum, Kind, SeriesKey};
use crate::dimensions::DimensionSet;
use crate::distribution::Distribution;
use crate::hash::{Ready, mix, step};
use crate::names;
use crate::stats::Counters;
use crate::unit::{Resolution, Unit};

/// Series in one table before it is emitted early: bounds what is kept, and what the recording
/// that reaches it pays at once.
const MAX_SERIES: usize = 1_000;
/// Distinct values in one table before it is emitted early: 320 KB.
const MAX_VALUES: usize = 20_000;

/// What is recorded, until it is taken to be emitted.
#[derive(Debug, Default)]
pub(crate) struct Table {
    series: Vec<Series>,
    /// From the hash of what the caller gives to the first series of that hash.
    index: HashMap<u64, usize, BuildHasherDefault<Ready>>,
    /// One copy of each set of dimensions.
    sets: HashSet<Arc<DimensionSet>>,
    /// Distinct values in all series.
    values: usize,
}

#[derive(Debug)]
struct Series {
    hash: u64,
    /// The next series of the same hash.
    next: Option<usize>,
    given: Owned,
    key: Arc<SeriesKey>,
    values: Distribution,
}

/// What the caller gives, as it is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    pub(crate) name: &'a str,
    pub(crate) unit: Unit,
    pub(crate) resolution: Resolution,
    pub(crate) dimensions: &'a [(&'a str, &'a str)],
    /// Whether it has none of the collector's dimensions.
    pub(crate) is_single: bool,
}

/// What the caller gave.
#[derive(Debug)]
struct Owned {
    name: Box<str>,
    unit: Unit,
    resolution: Resolution,
    is_single: bool,
    dimensions: Box<[(Box<str>, Box<str>)]>,
    /// Whether a name occurs twice: then their order decides which value it has.
    ordered: bool,
}

impl Table {
    /// Records a value `count` times; it is finite and within the limits. Returns whether the table is so full
    /// that it should be taken now.
    pub(crate) fn record(
        &mut self,
        census: &Census,
        counters: &Counters,
        given: &Given<'_>,
        value: f64,
        count: u64,
    ) -> bool {
        let hash = given.hash();
        let index = match self.find(hash, given) {
            Some(index) => index,
            None => match self.add(hash, census, counters, given) {
                Some(index) => index,
                None => {
                    counters.value_without_name();
                    return false;
                }
            },
        };
        if let Some(series) = self.series.get_mut(index)
            && series.values.record_n(value, count)
        {
            self.values += 1;
        }
        self.series.len() >= MAX_SERIES || self.values >= MAX_VALUES
    }

    /// Takes all values. Series that had some are kept for the next ones, the others forgotten, so
    /// that the table holds what is in use.
    pub(crate) fn take(&mut self, timestamp_millis: u64) -> Vec<Datum> {
        if self.values == 0 {
            return Vec::new();
        }
        self.values = 0;
        // A table that was taken because it is full begins anew: it would be full again at once.
        let full = self.series.len() >= MAX_SERIES;
        let mut taken = Vec::new();
        self.series.retain_mut(|series| {
            let used = !series.values.is_empty();
            if used {
                taken.push(Datum {
                    key: Arc::clone(&series.key),
                    timestamp_millis,
                    values: std::mem::take(&mut series.values).into_values(),
                });
            }
            used && !full
        });
        self.index.clear();
        for (n, series) in self.series.iter_mut().enumerate() {
            series.next = self.index.insert(series.hash, n);
        }
        let used: HashSet<*const DimensionSet> =
            self.series.iter().map(|series| Arc::as_ptr(&series.key.dimensions)).collect();
        self.sets.retain(|set| used.contains(&Arc::as_ptr(set)));
        taken
    }

    fn find(&self, hash: u64, given: &Given<'_>) -> Option<usize> {
        let mut at = self.index.get(&hash).copied();
        while let Some(index) = at {
            let series = self.series.get(index)?;
            if series.given.is(given) {
                return Some(index);
            }
            at = series.next;
        }
        None
    }

    /// A new series, or the overflow series of its metric; `None` where its name cannot be made
    /// valid.
    fn add(
        &mut self,
        hash: u64,
        census: &Census,
        counters: &Counters,
        given: &Given<'_>,
    ) -> Option<usize> {
        let Given { name, unit, resolution, dimensions, is_single } = *given;
        let valid = names::metric_name(name)?;
        let none = DimensionSet::default();
        let defaults = if is_single { &none } else { census.defaults() };
        let set = DimensionSet::merged(defaults, dimensions.iter().copied(), counters);
        // A document has one member of each name: the metric makes way for its own dimension.
        let valid = names::free_name(&valid, |name| set.has(name));
        if *valid != *name {
            counters.repaired();
        }
        let key = SeriesKey {
            name: valid,
            unit,
            resolution,
            kind: Kind::Distribution,
            dimensions: self.sets.get(&set).map_or_else(|| Arc::new(set), Arc::clone),
        };
        // Census: only what is new in this table asks.
        let SeriesKey { name: valid, resolution, dimensions: set, .. } = &key;
        let candidate = Candidate { name: valid, unit, resolution: *resolution, dimensions: set };
        match census.admit(counters, &candidate, 1) {
            Admission::AsGiven => Some(self.push(hash, Owned::new(given), key)),
            Admission::Overflow { dimensions, renamed } => {
                let name = if renamed { OVERFLOW.to_owned() } else { key.name };
                Some(self.overflow(census, SeriesKey { name, dimensions, ..key }))
            }
        }
    }

    /// The overflow series of `key`, which is found as if it had been given like this.
    fn overflow(&mut self, census: &Census, key: SeriesKey) -> usize {
        let set = Arc::clone(&key.dimensions);
        let is_default = |pair: &(&str, &str)| census.defaults().iter().any(|own| own == *pair);
        let pairs: Vec<_> = set.iter().filter(|pair| !is_default(pair)).collect();
        let (unit, resolution) = (key.unit, key.resolution);
        let name = key.name.clone();
        let given = Given { name: &name, unit, resolution, dimensions: &pairs, is_single: false };
        let hash = given.hash();
        self.find(hash, &given).unwrap_or_else(|| self.push(hash, Owned::new(&given), key))
    }

    fn push(&mut self, hash: u64, given: Owned, key: SeriesKey) -> usize {
        let index = self.series.len();
        if !self.sets.contains(&key.dimensions) {
            self.sets.insert(Arc::clone(&key.dimensions));
        }
        self.series.push(Series {
            hash,
            next: self.index.insert(hash, index),
            given,
            key: Arc::new(key),
            values: Distribution::default(),
        });
        index
    }
}

impl Given<'_> {
    /// A hash that does not depend on the order of the dimensions.
    fn hash(&self) -> u64 {
        let pairs = self
            .dimensions
            .iter()
            .map(|(name, value)| mix(mix(SEED, name.as_bytes()), value.as_bytes()))
            .fold(0_u64, u64::wrapping_add);
        let kind =
            ((self.unit as u64) << 1 | self.resolution as u64) << 1 | u64::from(self.is_single);
        step(mix(SEED, self.name.as_bytes()) ^ kind, pairs)
    }
}

impl Owned {
    fn new(given: &Given<'_>) -> Self {
        let dimensions = given.dimensions;
        let twice = |n: usize, name: &str| dimensions.iter().skip(n + 1).any(|(k, _)| *k == name);
        Self {
            name: given.name.into(),
            unit: given.unit,
            resolution: given.resolution,
            is_single: given.is_single,
            dimensions: dimensions.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            ordered: dimensions.iter().enumerate().any(|(n, (name, _))| twice(n, name)),
        }
    }

    fn is(&self, given: &Given<'_>) -> bool {
        let own = self.dimensions.iter().map(|(k, v)| (&**k, &**v));
        let dimensions = given.dimensions;
        *self.name == *given.name
            && self.unit == given.unit
            && self.resolution == given.resolution
            && self.is_single == given.is_single
            && self.dimensions.len() == dimensions.len()
            && (own.clone().eq(dimensions.iter().copied())
                || (!self.ordered
                    && own.clone().all(|pair| dimensions.contains(&pair))
                    && dimensions.iter().all(|pair| own.clone().any(|own| own == *pair))))
    }
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Budgets;
    use crate::distribution::Counted;

    type Taken = (String, String, Vec<Counted>);

    fn given<'a>(name: &'a str, unit: Unit, dimensions: &'a [(&'a str, &'a str)]) -> Given<'a> {
        Given { name, unit, resolution: Resolution::Standard, dimensions, is_single: false }
    }

    struct Fixture {
        table: Table,
        census: Census,
        counters: Counters,
    }

    impl Default for Fixture {
        fn default() -> Self {
            let defaults = DimensionSet::of(vec![("Service".into(), "orders".into())]);
            Self {
                table: Table::default(),
                census: Census::new(Budgets::default(), &defaults),
                counters: Counters::default(),
            }
        }
    }

    impl Fixture {
        fn put(&mut self, name: &str, value: f64, unit: Unit, dimensions: &[(&str, &str)]) -> bool {
            let Self { table, census, counters } = self;
            table.record(census, counters, &given(name, unit, dimensions), value, 1)
        }

        /// Name, dimensions without the default one, and values of each series.
        fn take(&mut self) -> Vec<Taken> {
            let taken = self.table.take(0).into_iter();
            taken
                .map(|Datum { key, values, .. }| {
                    let pairs = key.dimensions.iter().filter(|(name, _)| *name != "Service");
                    let pairs: Vec<_> =
                        pairs.map(|(name, value)| format!("{name}={value}")).collect();
                    (key.name.clone(), pairs.join(","), values)
                })
                .collect()
        }
    }

    fn series(name: &str, dimensions: &str, values: &[Counted]) -> Taken {
        (name.to_owned(), dimensions.to_owned(), values.to_vec())
    }

    #[test]
    fn what_is_equal_is_one_series_in_any_order_of_dimensions() {
        let mut f = Fixture::default();
        f.put("A", 1.0, Unit::Count, &[("P", "x"), ("Q", "y")]);
        f.put("A", 1.0, Unit::Count, &[("Q", "y"), ("P", "x")]);
        f.put("A", 2.0, Unit::Count, &[("P", "y"), ("Q", "x")]);
        f.put("A", 3.0, Unit::Bytes, &[("P", "x"), ("Q", "y")]);
        f.put("B", 4.0, Unit::Count, &[]);
        assert_eq!(
            f.take(),
            [
                series("A", "P=x,Q=y", &[(1.0, 2)]),
                series("A", "P=y,Q=x", &[(2.0, 1)]),
                series("A", "P=x,Q=y", &[(3.0, 1)]),
                series("B", "", &[(4.0, 1)]),
            ]
        );
        assert_eq!(f.take(), []);
    }

    #[test]
    fn where_a_name_occurs_twice_the_order_decides() {
        let mut f = Fixture::default();
        f.put("A", 1.0, Unit::Count, &[("P", "x"), ("P", "y")]);
        f.put("A", 2.0, Unit::Count, &[("P", "y"), ("P", "x")]);
        f.put("A", 3.0, Unit::Count, &[("P", "x"), ("P", "y")]);
        assert_eq!(
            f.take(),
            [series("A", "P=y", &[(1.0, 1), (3.0, 1)]), series("A", "P=x", &[(2.0, 1)])]
        );
    }

    #[test]
    fn known_series_are_found_again_after_they_were_taken() {
        let mut f = Fixture::default();
        for round in 0..3 {
            f.put("A", 1.0, Unit::Count, &[]);
            f.put("B", 1.0, Unit::Count, &[("P", "x")]);
            assert_eq!(f.table.series.len(), 2, "round {round}");
            assert_eq!(f.take().len(), 2);
        }
        // Not used in one round: forgotten.
        f.put("A", 1.0, Unit::Count, &[]);
        f.take();
        assert_eq!((f.table.series.len(), f.table.sets.len()), (1, 1));
    }

    #[test]
    fn names_are_made_valid_once() {
        let mut f = Fixture::default();
        for _ in 0..3 {
            f.put("two\nlines", 1.0, Unit::Count, &[]);
            f.put("Service", 1.0, Unit::Count, &[]);
        }
        f.put(" ", 1.0, Unit::Count, &[]);
        assert_eq!(
            f.take(),
            [series("two%0Alines", "", &[(1.0, 3)]), series("Service_", "", &[(1.0, 3)])]
        );
        let stats = f.counters.read();
        assert_eq!((stats.repaired, stats.values_without_name), (2, 1));
    }

    #[test]
    fn scenario_12_a_full_table_asks_to_be_taken_and_begins_anew() {
        let mut f = Fixture::default();
        let full = (0..).find(|n: &usize| f.put("A", 1.0, Unit::Count, &[("Id", &n.to_string())]));
        assert_eq!(full, Some(MAX_SERIES - 1));
        assert_eq!(f.take().len(), MAX_SERIES);
        assert_eq!(f.table.series.len(), 0);
        let full = (0..).find(|n: &usize| f.put("A", *n as f64, Unit::Count, &[]));
        assert_eq!(full, Some(MAX_VALUES - 1));
        assert_eq!(f.take().len(), 1);
        assert!(!f.put("A", 1.0, Unit::Count, &[]));
    }

    #[test]
    fn scenario_16_what_overflows_takes_no_memory_of_its_own() {
        let mut f = Fixture::default();
        let mut budgets = Budgets::default();
        budgets.per_metric(10);
        f.census = Census::new(budgets, f.census.defaults());
        for n in 0..10_000 {
            let full = f.put("A", f64::from(n % 2), Unit::Count, &[("Id", &n.to_string())]);
            assert!(!full, "{n}");
        }
        assert_eq!((f.table.series.len(), f.table.index.len(), f.table.sets.len()), (11, 11, 11));
        let taken = f.take();
        assert_eq!(taken[10], series("A", "Id=__overflow__", &[(0.0, 4_995), (1.0, 4_995)]));
        assert_eq!(f.counters.read().values_in_overflow, 9_990);
        // As the one that it is.
        f.put("A", 7.0, Unit::Count, &[("Id", "__overflow__")]);
        f.put("A", 7.0, Unit::Count, &[("Id", "new")]);
        assert_eq!(f.take(), [series("A", "Id=__overflow__", &[(7.0, 2)])]);
    }

    #[test]
    fn series_of_one_hash_are_told_apart() {
        let mut f = Fixture::default();
        for name in ["A", "B", "C"] {
            f.put(name, 1.0, Unit::Count, &[]);
        }
        // As if all three had one hash.
        let hash = given("A", Unit::Count, &[]).hash();
        f.table.index.clear();
        for (n, series) in f.table.series.iter_mut().enumerate() {
            series.hash = hash;
            series.next = f.table.index.insert(hash, n);
        }
        assert_eq!(f.table.find(hash, &given("A", Unit::Count, &[])), Some(0));
        assert_eq!(f.table.find(hash, &given("C", Unit::Count, &[])), Some(2));
        assert_eq!(f.table.find(hash, &given("D", Unit::Count, &[])), None);
        assert_eq!(
            given("A", Unit::Count, &[("P", "x"), ("Q", "y")]).hash(),
            given("A", Unit::Count, &[("Q", "y"), ("P", "x")]).hash()
        );
    }
}
