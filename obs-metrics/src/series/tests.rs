use super::*;
use crate::census::Budgets;
use crate::distribution::Counted;
use crate::unit::{Resolution, Unit};

type Found = (String, String, Vec<Counted>);

fn given<'a>(name: &'a str, unit: Unit, dimensions: &'a [(&'a str, &'a str)]) -> Given<'a> {
    let resolution = Resolution::Standard;
    Given { name, unit, resolution, dimensions, sets: &[], is_single: false }
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
    fn allow(&mut self, series: usize) {
        let mut budgets = Budgets::default();
        budgets.per_metric(series);
        self.census = Census::new(budgets, self.census.defaults());
    }

    /// Whether the table is full now.
    fn put(&self, name: &str, value: f64, unit: Unit, dimensions: &[(&str, &str)]) -> bool {
        let Self { table, census, counters } = self;
        table.record(census, counters, &given(name, unit, dimensions), value, 1).is_some()
    }

    fn record(&self, name: &str, value: f64, dimensions: &[(&str, &str)]) -> Option<Full<'_>> {
        let given = given(name, Unit::Count, dimensions);
        // Its last distinct value may just have been counted.
        self.table.record(&self.census, &self.counters, &given, value, 1)
    }

    /// Name, dimensions without the default one, and values of each series.
    fn take(&self) -> Vec<Found> {
        shown(self.table.take(0))
    }

    /// How many series and sets of dimensions are known.
    fn known(&self) -> (usize, usize) {
        let parts = self.table.shards.iter();
        let both = parts.map(|part| (part.series.table().len(), lock(&part.sets).len()));
        both.fold((0, 0), |all, part| (all.0 + part.0, all.1 + part.1))
    }
}

fn shown(taken: Vec<Datum>) -> Vec<Found> {
    let shown = |Datum { key, values, .. }: Datum| {
        let pairs = key.dimensions.iter().filter(|(name, _)| *name != "Service");
        let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
        (key.name.clone(), pairs.join(","), values.to_vec())
    };
    taken.into_iter().map(shown).collect()
}

fn series(name: &str, dimensions: &str, values: &[Counted]) -> Found {
    (name.to_owned(), dimensions.to_owned(), values.to_vec())
}

#[test]
fn what_is_equal_is_one_series_in_any_order_of_dimensions() {
    let f = Fixture::default();
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
    let f = Fixture::default();
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
    let f = Fixture::default();
    for round in 0..3 {
        f.put("A", 1.0, Unit::Count, &[]);
        f.put("B", 1.0, Unit::Count, &[("P", "x")]);
        assert_eq!(f.known(), (2, 2), "round {round}");
        assert_eq!(f.take().len(), 2);
    }
    // Not used in one round: forgotten.
    f.put("A", 1.0, Unit::Count, &[]);
    f.take();
    assert_eq!(f.known(), (1, 2));
}

#[test]
fn names_are_made_valid_once() {
    let f = Fixture::default();
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
    f.allow(10_000);
    let id = |n: usize| n.to_string();
    let full = (0..).find(|n| f.put("A", 1.0, Unit::Count, &[("Id", &id(*n))]));
    assert_eq!(full, Some(MAX_SERIES - 1));
    let full = f.record("A", 2.0, &[("Id", "0")]).unwrap();
    assert!(full.of_series);
    assert_eq!(full.take(0).len(), MAX_SERIES);
    assert_eq!(f.known(), (0, MAX_SERIES));
    let full = (0..).find(|n: &usize| f.put("A", *n as f64, Unit::Count, &[]));
    assert_eq!(full, Some(MAX_VALUES - 1));
    let full = f.record("A", -1.0, &[]).unwrap();
    assert!(!full.of_series);
    assert_eq!(full.take(0).len(), 1);
    assert_eq!(f.known(), (1, MAX_SERIES + 1));
    assert!(!f.put("A", 1.0, Unit::Count, &[]));
}

#[test]
fn a_take_keeps_the_order_in_which_series_were_new() {
    let mut f = Fixture { table: Table::sharded(), ..Fixture::default() };
    f.allow(10_000);
    let ids: Vec<String> = (0..5_000).map(|n| n.to_string()).collect();
    let all = ids.iter().collect::<Vec<_>>();
    let later = ids[1_000..].iter().chain(&ids[..1_000]).collect();
    for (round, ids, order) in [
        (0, &ids[..], &all),
        (1, &ids[1_000..], &all[1_000..].to_vec()),
        // The first thousand were forgotten and are new again.
        (2, &ids[..], &later),
    ] {
        for id in ids {
            f.put("A", 1.0, Unit::Count, &[("Id", id)]);
        }
        let taken = f.take();
        let found: Vec<_> = taken.iter().map(|(_, id, _)| id.trim_start_matches("Id=")).collect();
        assert_eq!(found, *order, "round {round}");
        assert_eq!(f.known(), (ids.len(), 5_000));
    }
}

#[test]
fn scenario_16_what_overflows_takes_no_memory_of_its_own() {
    let mut f = Fixture::default();
    f.allow(10);
    for n in 0..10_000 {
        let full = f.put("A", f64::from(n % 2), Unit::Count, &[("Id", &n.to_string())]);
        assert!(!full, "{n}");
    }
    assert_eq!(f.known(), (11, 11));
    let taken = f.take();
    assert_eq!(taken[10], series("A", "Id=__overflow__", &[(0.0, 4_995), (1.0, 4_995)]));
    assert_eq!(f.counters.read().values_in_overflow, 9_990);
    // As the one that it is.
    f.put("A", 7.0, Unit::Count, &[("Id", "__overflow__")]);
    f.put("A", 7.0, Unit::Count, &[("Id", "new")]);
    assert_eq!(f.take(), [series("A", "Id=__overflow__", &[(7.0, 2)])]);
}
