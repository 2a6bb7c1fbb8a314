//! Who is admitted, and what that costs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;
use std::time::Instant;

use proptest::prelude::*;

use super::*;

struct Fixture {
    census: Census,
    counters: Counters,
}

impl Fixture {
    fn new(set: impl FnOnce(&mut Budgets)) -> Self {
        let mut budgets = Budgets::default();
        set(&mut budgets);
        Self { census: Census::new(budgets, &defaults()), counters: Counters::default() }
    }

    /// The name and the dimensions, beside the default one, that are sent for one value.
    fn admit(&self, name: &str, pairs: &[(&str, &str)]) -> String {
        let set = DimensionSet::merged(&defaults(), pairs.iter().copied(), &self.counters);
        let dimensions = Arc::new(set);
        let (unit, resolution) = (Unit::Count, Resolution::Standard);
        let candidate = Candidate { name, unit, resolution, dimensions: &dimensions };
        let (name, set) = match self.census.admit(&self.counters, &candidate, 1) {
            Admission::AsGiven => (name, dimensions),
            Admission::Overflow { dimensions, renamed: false } => (name, dimensions),
            Admission::Overflow { dimensions, renamed: true } => (OVERFLOW, dimensions),
        };
        let own = set.iter().filter(|pair| *pair != ("Service", "orders"));
        let own: Vec<_> = own.map(|(name, value)| format!("{name}={value}")).collect();
        format!("{name}({})", own.join(","))
    }

    fn in_overflow(&self) -> u64 {
        self.counters.read().values_in_overflow
    }

    /// Name and dimensions of every series.
    fn series(&self) -> BTreeSet<(String, Vec<(String, String)>)> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let all = self.census.snapshot();
        let series = all.iter().flat_map(|metric| {
            metric.series.iter().map(|series| {
                (metric.name.to_string(), series.dimensions.iter().map(owned).collect())
            })
        });
        let series: Vec<_> = series.collect();
        assert_eq!(series.len(), self.census.len());
        let set: BTreeSet<_> = series.iter().cloned().collect();
        assert_eq!(set.len(), series.len(), "{series:?}");
        set
    }
}

fn defaults() -> DimensionSet {
    DimensionSet::of(vec![("Service".into(), "orders".into())])
}

#[test]
fn scenario_16_beyond_its_budget_a_metric_has_one_overflow_series() {
    let f = Fixture::new(|budgets| budgets.per_metric(2));
    for (id, expected) in [
        ("1", "A(Id=1)"),
        ("2", "A(Id=2)"),
        ("3", "A(Id=__overflow__)"),
        ("1", "A(Id=1)"),
        ("4", "A(Id=__overflow__)"),
        ("__overflow__", "A(Id=__overflow__)"),
    ] {
        assert_eq!(f.admit("A", &[("Id", id)]), expected);
    }
    // What was given as the overflow series is none that overflowed.
    assert_eq!((f.in_overflow(), f.series().len()), (2, 3));
    // And where it was given first, it is there once.
    assert_eq!(f.admit("C", &[("Id", OVERFLOW)]), "C(Id=__overflow__)");
    assert_eq!(f.admit("C", &[("Id", "1")]), "C(Id=1)");
    assert_eq!(f.admit("C", &[("Id", "2")]), "C(Id=__overflow__)");
    assert_eq!((f.in_overflow(), f.series().len()), (3, 5));
    // Another metric has a budget of its own.
    assert_eq!(f.admit("B", &[("Id", "3")]), "B(Id=3)");
}

#[test]
fn what_the_collector_says_of_itself_is_never_replaced() {
    let f = Fixture::new(|budgets| budgets.per_metric(1));
    f.admit("A", &[("Id", "1")]);
    assert_eq!(f.admit("A", &[("Service", "orders"), ("Id", "2")]), "A(Id=__overflow__)");
    assert_eq!(f.admit("A", &[("Service", "mine")]), "A(Service=__overflow__)");
    assert_eq!(f.in_overflow(), 2);
    // Nothing came with the call: there is nothing to replace.
    assert_eq!(f.admit("A", &[]), "A()");
    assert_eq!(f.in_overflow(), 2);
    let overflow: Vec<bool> = {
        let all = f.census.snapshot();
        let mut series: Vec<_> = all[0].series.iter().collect();
        series.sort_by_key(|series| series.dimensions.iter().map(|(_, v)| v.to_owned()).max());
        series.iter().map(|series| series.overflow).collect()
    };
    assert_eq!(overflow.iter().filter(|overflow| **overflow).count(), 2, "{overflow:?}");
}

#[test]
fn scenario_16_names_of_dimensions_that_never_end_share_one_series() {
    let f = Fixture::new(|budgets| budgets.per_metric(1));
    f.admit("A", &[]);
    let sent: BTreeSet<String> =
        (0..1_000).map(|n| f.admit("A", &[(&format!("D{n}"), "x")])).collect();
    assert_eq!(sent.len(), OVERFLOW_SETS + 1);
    assert!(sent.contains("A(__overflow__=__overflow__)"), "{sent:?}");
    assert_eq!((f.series().len(), f.in_overflow()), (OVERFLOW_SETS + 2, 1_000));
    // A metric of that name makes way, or a document would have two members of it.
    f.admit(OVERFLOW, &[]);
    let sent: BTreeSet<String> =
        (0..9).map(|n| f.admit(OVERFLOW, &[(&format!("D{n}"), "x")])).collect();
    assert!(sent.contains("__overflow__(__overflow___=__overflow__)"), "{sent:?}");
}

#[test]
fn scenario_16_names_of_metrics_that_never_end_share_one_metric() {
    let f = Fixture::new(|budgets| {
        budgets.per_metric(2);
        budgets.in_all(3);
    });
    for (name, id, expected) in [
        ("A", "1", "A(Id=1)"),
        ("A", "2", "A(Id=2)"),
        ("B", "1", "B(Id=1)"),
        // No room for series any more, but for one more name.
        ("B", "2", "B(Id=__overflow__)"),
        ("C", "1", "C(Id=__overflow__)"),
        ("D", "1", "__overflow__()"),
        ("E", "1", "__overflow__()"),
        ("A", "1", "A(Id=1)"),
        ("C", "2", "C(Id=__overflow__)"),
    ] {
        assert_eq!(f.admit(name, &[("Id", id)]), expected);
    }
    assert_eq!((f.series().len(), f.in_overflow()), (6, 5));
    for n in 0..100_000 {
        f.admit(&format!("M{n}"), &[]);
    }
    assert_eq!((f.series().len(), f.in_overflow()), (6, 100_005));
    let names = f.census.untold().unwrap();
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["B", "C", OVERFLOW]);
    assert_eq!(f.census.untold(), None);
}

#[test]
fn scenario_16_what_others_take_meanwhile_changes_no_decision() {
    let f = Fixture::new(|budgets| {
        budgets.per_metric(2);
        budgets.in_all(2);
    });
    f.admit("A", &[("Id", OVERFLOW)]);
    f.admit("A", &[("Id", "1")]);
    let first =
        [("A", "2", "A(Id=__overflow__)"), (OVERFLOW, "2", "__overflow__(Id=__overflow__)")];
    for (name, id, expected) in first {
        assert_eq!(f.admit(name, &[("Id", id)]), expected);
    }
    // The other sets of dimensions with which `A` may overflow, and names that find no room.
    (0..9).for_each(|n| drop(f.admit("A", &[(&format!("D{n}"), "x")])));
    assert_eq!(f.admit("B", &[("Id", "2")]), "__overflow__()");
    for (name, id, expected) in first {
        assert_eq!(f.admit(name, &[("Id", id)]), expected);
    }
}

#[test]
fn units_and_resolutions_are_noted() {
    let f = Fixture::new(|_| ());
    let dimensions = Arc::new(defaults());
    for (unit, resolution) in [
        (Unit::Seconds, Resolution::Standard),
        (Unit::None, Resolution::High),
        (Unit::Seconds, Resolution::Standard),
    ] {
        let candidate = Candidate { name: "A", unit, resolution, dimensions: &dimensions };
        assert_eq!(f.census.admit(&f.counters, &candidate, 1), Admission::AsGiven);
    }
    let all = f.census.snapshot();
    let [series] = all[0].series.as_slice() else { panic!("{all:?}") };
    assert_eq!(series.units, unit_bit(Unit::Seconds) | unit_bit(Unit::None));
    assert_eq!(series.resolution, Resolution::High);
    let bits = Unit::ALL.iter().fold(0, |bits, unit| bits | unit_bit(*unit));
    assert_eq!(bits.count_ones(), 27);
}

#[test]
fn what_is_known_to_one_collector_is_not_to_another() {
    let (one, two) = (Fixture::new(|_| ()), Fixture::new(|_| ()));
    assert_ne!(one.census.seed(), two.census.seed());
    one.census.learn(7);
    assert!(one.census.knows(7) && !two.census.knows(7));
}

#[test]
fn scenario_16_eight_threads_admit_no_more_than_the_budget() {
    const BUDGET: usize = 100;
    let f = Fixture::new(|budgets| budgets.per_metric(BUDGET));
    let barrier = Barrier::new(8);
    let sent: Vec<Vec<String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let (f, barrier) = (&f, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    // Half of the values are those of other threads too.
                    let id = |n: usize| if n.is_multiple_of(2) { n } else { n * 8 + thread };
                    (0..1_000).map(|n| f.admit("A", &[("Id", &id(n).to_string())])).collect()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let distinct: BTreeSet<&String> = sent.iter().flatten().collect();
    assert_eq!((distinct.len(), f.series().len()), (BUDGET + 1, BUDGET + 1));
    let overflowed = sent.iter().flatten().filter(|sent| sent.contains(OVERFLOW)).count();
    assert_eq!(f.in_overflow(), overflowed as u64);
}

proptest! {
    /// Whatever comes in whatever order: what was decided stays decided, and no bound is exceeded.
    #[test]
    fn scenario_16_decisions_are_final(
        calls in prop::collection::vec(("[A-F]", prop::collection::vec(("[P-R]", "[a-d]"), 0..3)), 0..200),
        (per_metric, in_all) in (1..6_usize, 1..12_usize),
    ) {
        let f = Fixture::new(|budgets| {
            budgets.per_metric(per_metric);
            budgets.in_all(in_all);
        });
        let mut decided: BTreeMap<(String, BTreeMap<String, String>), String> = BTreeMap::new();
        let mut overflowed = 0;
        for (name, pairs) in &calls {
            let given: Vec<_> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let sent = f.admit(name, &given);
            overflowed += u64::from(sent.contains(OVERFLOW));
            let key = (name.clone(), pairs.iter().cloned().collect());
            let before = decided.entry(key).or_insert_with(|| sent.clone());
            prop_assert_eq!(&*before, &sent);
        }
        prop_assert_eq!(f.in_overflow(), overflowed);
        let sent: BTreeSet<&String> = decided.values().collect();
        prop_assert_eq!(sent.len(), f.series().len());
        let all = f.census.snapshot();
        let in_budget = |series: &&Counted| {
            series.dimensions.iter().all(|(_, value)| value != OVERFLOW)
        };
        let mut sum = 0;
        for metric in &all {
            let own = metric.series.iter().filter(in_budget).count();
            // The set without any dimension of the call may stand beside the budget.
            prop_assert!(own <= per_metric + 1, "{:?}", metric);
            prop_assert!(metric.series.len() <= per_metric + OVERFLOW_SETS + 2, "{:?}", metric);
            sum += own;
        }
        prop_assert!(sum <= in_all + all.len());
        prop_assert!(all.len() <= in_all + 1);
    }
}

fn hostile(of: &'static str) -> impl Strategy<Value = String> {
    let others = prop::sample::select(vec![OVERFLOW, "__overflow___", "Service", "orders"]);
    prop_oneof![4 => of, 1 => others.prop_map(str::to_owned)]
}

proptest! {
    /// The same where names and values are what an overflow is made of: two sinks, or two handles of
    /// one metric, ask for themselves and must be told the same.
    #[test]
    fn scenario_16_decisions_are_final_whatever_the_names(
        calls in prop::collection::vec(
            (hostile("[A-C]"), prop::collection::vec((hostile("[P-R]"), hostile("[a-c]")), 0..3)),
            0..100,
        ),
        (per_metric, in_all) in (1..4_usize, 1..9_usize),
    ) {
        let f = Fixture::new(|budgets| {
            budgets.per_metric(per_metric);
            budgets.in_all(in_all);
        });
        let mut decided: BTreeMap<(String, BTreeMap<String, String>), String> = BTreeMap::new();
        for (name, pairs) in &calls {
            let given: Vec<_> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let sent = f.admit(name, &given);
            let key = (name.clone(), pairs.iter().cloned().collect());
            let before = decided.entry(key).or_insert_with(|| sent.clone());
            prop_assert_eq!(&*before, &sent, "{} {:?}", name, pairs);
        }
        let sent: BTreeSet<&String> = decided.values().collect();
        prop_assert_eq!(sent.len(), f.series().len());
    }
}

/// What the shortcut and the long way cost: `cargo test --release -p obs-metrics --lib -- --ignored
/// --nocapture costs`.
#[test]
#[ignore = "prints figures, checks nothing that can fail on a busy machine"]
fn what_an_admission_costs() {
    let f = Fixture::new(|_| ());
    let set = |id: u64| {
        let id = id.to_string();
        let pairs = [("Pipeline", id.as_str())];
        Arc::new(DimensionSet::merged(&defaults(), pairs, &f.counters))
    };
    let sets: Vec<_> = (0..2_000).map(set).collect();
    let admit = |dimensions: &Arc<DimensionSet>| {
        let (unit, resolution) = (Unit::Count, Resolution::Standard);
        let candidate = Candidate { name: "A", unit, resolution, dimensions };
        f.census.admit(&f.counters, &candidate, 1)
    };
    let nanos = |what: &str, rounds: u64, call: &mut dyn FnMut(u64) -> bool| {
        let began = Instant::now();
        let yes = (0..rounds).filter(|n| call(*n)).count();
        let each = began.elapsed().as_nanos() as f64 / rounds as f64;
        println!("{what}: {each:.1} ns ({yes} of {rounds})");
    };
    sets.iter().for_each(|set| drop(admit(set)));
    for n in 0..100 {
        f.census.learn(crate::hash::mix(f.census.seed(), &u64::to_le_bytes(n)));
    }
    let hashes: Vec<u64> =
        (0..100).map(|n| crate::hash::mix(f.census.seed(), &u64::to_le_bytes(n))).collect();
    nanos("knows", 10_000_000, &mut |n| f.census.knows(hashes[(n % 100) as usize]));
    nanos("admit, known", 1_000_000, &mut |n| {
        admit(&sets[(n % 1_000) as usize]) == Admission::AsGiven
    });
    nanos("admit, in overflow", 1_000_000, &mut |n| {
        admit(&sets[1_000 + (n % 1_000) as usize]) == Admission::AsGiven
    });
}
