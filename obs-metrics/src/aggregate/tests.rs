//! Counters, gauges and shards; and all cells under real threads.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::shards::{Layout, Place, Places};
use super::sync::{layout, place};
use super::*;
use crate::limits::MAX_VALUE;

#[test]
fn shards_are_a_power_of_two_with_a_quarter_shared() {
    for (threads, owned, shared) in
        [(0, 6, 2), (1, 6, 2), (4, 6, 2), (5, 12, 4), (16, 12, 4), (usize::MAX, 12, 4)]
    {
        assert_eq!(Layout::for_parallelism(threads), Layout { owned, shared }, "{threads}");
    }
}

#[test]
fn owned_places_come_back_and_shared_ones_take_turns() {
    let places = Places::new(Layout { owned: 2, shared: 2 });
    assert_eq!(places.claim(), Place::Owned(0));
    assert_eq!(places.claim(), Place::Owned(1));
    let shared = [places.claim(), places.claim(), places.claim()];
    assert_eq!(shared, [Place::Shared(3), Place::Shared(2), Place::Shared(3)]);
    assert!(!places.vacant());
    places.release(1);
    assert!(places.vacant());
    places.release(0);
    assert_eq!(places.claim(), Place::Owned(0));
    assert_eq!(places.claim(), Place::Owned(1));
    assert!(matches!(places.claim(), Place::Shared(_)));
}

#[test]
fn an_owner_keeps_its_place_and_no_two_own_one() {
    // More threads than there are owned shards, and several generations of them.
    let threads = layout().shards() + 2;
    for _ in 0..3 {
        let owners: Vec<_> = (0..layout().owned).map(|_| AtomicUsize::new(0)).collect();
        let all_have_theirs = Barrier::new(threads);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mine = place();
                    all_have_theirs.wait();
                    if let Place::Owned(index) = mine {
                        assert_eq!(place(), mine);
                        let before = owners[usize::from(index)].fetch_add(1, Ordering::SeqCst);
                        assert_eq!(before, 0, "two threads own shard {index}");
                    }
                });
            }
        });
    }
}

#[test]
fn a_thread_that_came_too_late_gets_a_place_that_is_given_back() {
    let owned = usize::from(layout().owned);
    let (all_taken, late_knows) = (Barrier::new(owned + 1), Barrier::new(owned + 1));
    thread::scope(|scope| {
        for _ in 0..owned {
            scope.spawn(|| {
                place();
                all_taken.wait();
                late_knows.wait();
            });
        }
        scope.spawn(|| {
            all_taken.wait();
            place();
            late_knows.wait();
            let patience = Instant::now() + Duration::from_secs(60);
            while matches!(place(), Place::Shared(_)) {
                assert!(Instant::now() < patience, "no place came back");
                thread::yield_now();
            }
        });
    });
}

#[test]
fn what_a_thread_records_while_it_ends_is_counted() {
    use std::cell::RefCell;
    use std::sync::Arc;

    struct Last(Arc<(CounterCell, HistogramCell)>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.0.add(10);
            self.0.1.record(10.0);
        }
    }
    thread_local!(static LAST: RefCell<Option<Last>> = const { RefCell::new(None) });

    let cells = Arc::new((CounterCell::new(), HistogramCell::new()));
    for record_first in [true, false] {
        let cells = Arc::clone(&cells);
        thread::spawn(move || {
            let record = || {
                cells.0.add(1);
                cells.1.record(1.0);
            };
            // Destructors run in the order of first use, or the other way around.
            if record_first {
                record();
            }
            LAST.set(Some(Last(Arc::clone(&cells))));
            record();
        })
        .join()
        .unwrap();
    }
    assert_eq!(cells.0.take(), Some(23));
    assert_eq!(cells.1.take(100).unwrap().values, [(1.0, 3), (10.0, 2)]);
}

#[test]
fn a_counter_gives_the_sum_since_the_last_take() {
    let cell = CounterCell::new();
    for (added, expected) in [
        (&[][..], None),
        (&[0], None),
        (&[1], Some(1)),
        (&[], None),
        (&[250, 0, 3], Some(253)),
        (&[u64::MAX], Some(u64::MAX)),
        (&[u64::MAX - 5, 5], Some(u64::MAX)),
        (&[1, 1], Some(2)),
    ] {
        added.iter().for_each(|n| cell.add(*n));
        assert_eq!(cell.take(), expected, "{added:?}");
    }
}

#[test]
fn a_gauge_gives_the_last_value_once() {
    enum Call {
        Set(f64),
        Add(f64),
        Take(Option<f64>),
    }
    use Call::{Add, Set, Take};
    let cell = GaugeCell::new();
    for call in [
        Take(None),
        Set(17.0),
        Take(Some(17.0)),
        Take(None),
        Set(1.0),
        Set(2.0),
        Take(Some(2.0)),
        // Adding goes on from what was taken.
        Add(0.5),
        Add(-1.0),
        Take(Some(1.5)),
        Take(None),
        Add(0.0),
        Take(Some(1.5)),
        Set(0.0),
        Take(Some(0.0)),
        Set(-0.0),
        Take(Some(0.0)),
        Set(MAX_VALUE),
        Add(MAX_VALUE),
        Take(Some(2.0 * MAX_VALUE)),
        Set(-MAX_VALUE),
        Take(Some(-MAX_VALUE)),
        Set(5e-324),
        Take(Some(5e-324)),
    ] {
        match call {
            Set(value) => cell.set(value),
            Add(delta) => cell.add(delta),
            Take(expected) => assert_eq!(cell.take(), expected),
        }
    }
    let fresh = GaugeCell::new();
    fresh.add(-3.0);
    assert_eq!(fresh.take(), Some(-3.0));
}

proptest! {
    #[test]
    fn a_gauge_is_a_cell_with_a_flag(
        calls in prop::collection::vec((0..3, -1e9..1e9), 0..50),
    ) {
        let cell = GaugeCell::new();
        let (mut value, mut is_new) = (0.0, false);
        for (call, number) in calls {
            match call {
                0 => {
                    cell.set(number);
                    (value, is_new) = (number, true);
                }
                1 => {
                    cell.add(number);
                    (value, is_new) = (value + number, true);
                }
                _ => {
                    prop_assert_eq!(cell.take(), is_new.then_some(value));
                    is_new = false;
                }
            }
        }
    }
}

const RECORDERS: u64 = 8;
const RECORDED: u64 = 30_000;

/// Runs `record` in more threads than there are owned shards on a small machine, each in two
/// generations, and `take` meanwhile and once after.
fn stress(record: impl Fn(u64, u64) + Sync, mut take: impl FnMut()) {
    let running = AtomicUsize::new(0);
    thread::scope(|scope| {
        for recorder in 0..RECORDERS {
            let (record, running) = (&record, &running);
            running.fetch_add(1, Ordering::SeqCst);
            scope.spawn(move || {
                for half in 0..2 {
                    let from = half * RECORDED / 2;
                    thread::scope(|scope| {
                        scope.spawn(|| {
                            (from..from + RECORDED / 2).for_each(|n| record(recorder, n));
                        });
                    });
                }
                running.fetch_sub(1, Ordering::SeqCst);
            });
        }
        while running.load(Ordering::SeqCst) > 0 {
            take();
            thread::yield_now();
        }
    });
    take();
}

#[test]
fn scenario_1_no_thread_loses_a_count_to_a_take() {
    let cell = CounterCell::new();
    let mut sum = 0;
    stress(|_, n| cell.add(n), || sum += cell.take().unwrap_or(0));
    assert_eq!(sum, RECORDERS * RECORDED * (RECORDED - 1) / 2);
    assert_eq!(cell.take(), None);
}

#[test]
fn scenario_1_no_thread_loses_an_addition_to_a_gauge() {
    let cell = GaugeCell::new();
    let mut last = 0.0;
    stress(
        |_, _| cell.add(1.0),
        || {
            if let Some(value) = cell.take() {
                assert!(value > last, "{value} after {last}");
                last = value;
            }
        },
    );
    assert_eq!(last, (RECORDERS * RECORDED) as f64);
}

#[test]
fn scenario_1_no_thread_loses_a_value_of_a_histogram_to_a_take() {
    let cell = HistogramCell::new();
    let mut counts = BTreeMap::<u64, u64>::new();
    let value = |recorder: u64, n: u64| (recorder * 10 + n % 10) as f64;
    stress(
        |recorder, n| cell.record_n(value(recorder, n), 1 + n % 2),
        || {
            for (value, n) in cell.take(100).into_iter().flat_map(|taken| taken.values) {
                *counts.entry(value.to_bits()).or_default() += n;
            }
        },
    );
    let mut expected = BTreeMap::<u64, u64>::new();
    for recorder in 0..RECORDERS {
        for n in 0..RECORDED {
            *expected.entry(value(recorder, n).to_bits()).or_default() += 1 + n % 2;
        }
    }
    assert_eq!(counts, expected);
}

#[test]
fn scenario_1_no_thread_loses_a_value_of_many_to_a_take() {
    let cell = HistogramCell::new();
    let (mut count, mut sum) = (0, 0.0);
    // All different: tables change over to buckets while others take from them.
    let value = |recorder: u64, n: u64| (1 + recorder * RECORDED + n) as f64;
    stress(
        |recorder, n| cell.record(value(recorder, n)),
        || {
            if let Some(taken) = cell.take(100) {
                assert!(taken.values.len() <= 100);
                assert_eq!(taken.values.iter().map(|(_, n)| n).sum::<u64>(), taken.count);
                count += taken.count;
                sum += taken.sum;
            }
        },
    );
    let all = RECORDERS * RECORDED;
    assert_eq!(count, all);
    let exact = (all * (all + 1) / 2) as f64;
    assert!((sum - exact).abs() <= exact * 1e-12, "{sum} is not {exact}");
}
