//! The cells behind registered handles, and the shards of the table of series, under shuttle, which runs their threads in thousands of
//! orders, changing over at each atomic and each lock: nothing is lost, nothing is counted twice.
//!
//! These are the crate's own files; only `sync` is another one. Shuttle knows sequential consistency
//! alone: what weaker orderings allow, it does not try.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../src/aggregate/compress.rs"]
mod compress;
#[path = "../../src/aggregate/counter.rs"]
mod counter;
#[path = "../../src/aggregate/gauge.rs"]
mod gauge;
#[expect(dead_code, reason = "the index of a table needs a part of it")]
#[path = "../../src/hash.rs"]
mod hash;
#[path = "../../src/aggregate/histogram/mod.rs"]
mod histogram;
mod series;
#[expect(dead_code, reason = "how full a table is plays no part here")]
#[path = "../../src/series/shard.rs"]
mod shard;
#[path = "../../src/aggregate/shards.rs"]
mod shards;
mod sync;

use std::collections::BTreeMap;
use std::sync::Arc;

use counter::CounterCell;
use gauge::GaugeCell;
use histogram::{HistogramCell, Ring};
use shards::{Layout, Place, Places};
use shuttle::thread;
use sync::{Mutex, lock, try_lock};

/// Runs `test` in random orders, and in orders with few but nasty changes.
fn in_many_orders(test: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_pct(test.clone(), 1_000, 3);
    shuttle::check_random(test, 1_000);
}

#[test]
fn scenario_1_a_counter_loses_nothing_to_a_take() {
    in_many_orders(|| {
        let cell = Arc::new(CounterCell::new());
        let recorders: Vec<_> = [1, 100, 10_000]
            .into_iter()
            .map(|n| {
                let cell = Arc::clone(&cell);
                thread::spawn(move || (0..3).for_each(|_| cell.add(n)))
            })
            .collect();
        let taker = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || (0..3).filter_map(|_| cell.take()).sum::<u64>())
        };
        let meanwhile = cell.take().unwrap_or(0);
        recorders.into_iter().for_each(|recorder| recorder.join().unwrap());
        // The taker may still be at it: what this take does not see, that one does.
        let after = cell.take().unwrap_or(0);
        let taken = taker.join().unwrap() + meanwhile + after;
        assert_eq!(taken + cell.take().unwrap_or(0), 30_303);
        assert_eq!(cell.take(), None);
    });
}

#[test]
fn a_shard_passes_from_a_thread_that_ends_to_the_next() {
    in_many_orders(|| {
        let cell = Arc::new(CounterCell::new());
        let count = |n: u64| {
            let cell = Arc::clone(&cell);
            thread::spawn(move || (0..4).for_each(|_| cell.add(n)))
        };
        let (first, second) = (count(1), count(10));
        first.join().unwrap();
        let third = count(100);
        second.join().unwrap();
        third.join().unwrap();
        assert_eq!(cell.take(), Some(444));
    });
}

#[test]
fn an_owned_shard_has_one_owner() {
    in_many_orders(|| {
        let places = Arc::new(Places::new(Layout::for_parallelism(1)));
        let owners = Arc::new([const { Mutex::new(()) }; 6]);
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (places, owners) = (Arc::clone(&places), Arc::clone(&owners));
                thread::spawn(move || {
                    if let Place::Owned(index) = places.claim() {
                        let alone = try_lock(&owners[usize::from(index)]);
                        assert!(alone.is_some(), "two threads own shard {index}");
                        thread::yield_now();
                        drop(alone);
                        places.release(index);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_gauge_gives_each_value_once_at_most_and_the_last_one_always() {
    in_many_orders(|| {
        let cell = Arc::new(GaugeCell::new());
        let setter = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || (1..=4).for_each(|n| cell.set(f64::from(n))))
        };
        let mut taken: Vec<f64> = (0..4).filter_map(|_| cell.take()).collect();
        setter.join().unwrap();
        taken.extend(cell.take());
        assert!(taken.is_sorted_by(|a, b| a < b), "{taken:?}");
        assert_eq!(taken.last(), Some(&4.0));
        assert_eq!(cell.take(), None);
    });
}

#[test]
fn a_gauge_loses_no_addition_to_a_take() {
    in_many_orders(|| {
        let cell = Arc::new(GaugeCell::new());
        let adders: Vec<_> = [1.0, 100.0]
            .into_iter()
            .map(|delta| {
                let cell = Arc::clone(&cell);
                thread::spawn(move || (0..3).for_each(|_| cell.add(delta)))
            })
            .collect();
        let taker = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || (0..2).filter_map(|_| cell.take()).fold(0.0, f64::max))
        };
        let meanwhile = cell.take();
        adders.into_iter().for_each(|adder| adder.join().unwrap());
        let last = taker.join().unwrap().max(meanwhile.unwrap_or(0.0));
        assert_eq!(cell.take().unwrap_or(last), 303.0);
        cell.add(1.0);
        assert_eq!(cell.take(), Some(304.0));
    });
}

#[test]
fn a_ring_hands_each_value_over_once_and_in_order() {
    in_many_orders(|| {
        let shared = Arc::new((Ring::<2>::new(), Mutex::new(Vec::new())));
        let pusher = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (ring, drained) = &*shared;
                for n in 0..7 {
                    while !ring.push(n) {
                        if let Some(mut drained) = try_lock(drained) {
                            ring.drain(|n| drained.push(n));
                        }
                        thread::yield_now();
                    }
                }
            })
        };
        let (ring, drained) = &*shared;
        for _ in 0..3 {
            let mut drained = lock(drained);
            ring.drain(|n| drained.push(n));
        }
        pusher.join().unwrap();
        let mut drained = lock(drained);
        ring.drain(|n| drained.push(n));
        assert_eq!(*drained, (0..7).collect::<Vec<_>>());
    });
}

/// Records `recorded(thread)` from some threads while two others take, and compares.
fn check_histogram(threads: u32, recorded: fn(u32) -> Vec<(f64, u64)>) {
    in_many_orders(move || {
        let cell = Arc::new(HistogramCell::new());
        let recorders: Vec<_> = (0..threads)
            .map(|thread| {
                let cell = Arc::clone(&cell);
                thread::spawn(move || {
                    for (value, n) in recorded(thread) {
                        cell.record_n(value, n);
                    }
                })
            })
            .collect();
        let taker = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || (0..2).filter_map(|_| cell.take(100)).collect::<Vec<_>>())
        };
        let mut taken: Vec<_> = (0..2).filter_map(|_| cell.take(100)).collect();
        recorders.into_iter().for_each(|recorder| recorder.join().unwrap());
        taken.extend(cell.take(100));
        taken.extend(taker.join().unwrap());
        taken.extend(cell.take(100));
        assert_eq!(cell.take(100), None);

        let mut counts = BTreeMap::<u64, u64>::new();
        for (value, n) in taken.iter().flat_map(|taken| &taken.values) {
            *counts.entry(value.to_bits()).or_default() += n;
        }
        for (value, n) in (0..threads).flat_map(recorded) {
            let left = counts.entry(value.to_bits()).or_default();
            assert!(*left >= n, "{value} was recorded {n} times and taken {left} times");
            *left -= n;
        }
        assert!(counts.values().all(|left| *left == 0), "taken twice: {counts:?}");
        for taken in &taken {
            assert_eq!(taken.count, taken.values.iter().map(|(_, n)| n).sum::<u64>());
            assert_eq!(taken.sum, taken.values.iter().map(|(v, n)| v * *n as f64).sum::<f64>());
            assert_eq!(Some(taken.min), taken.values.first().map(|(value, _)| *value));
            assert_eq!(Some(taken.max), taken.values.last().map(|(value, _)| *value));
        }
        let (entries, index) = cell.room();
        assert!(entries <= 64 && index <= 128, "{entries} entries, {index} places");
    });
}

#[test]
fn scenario_1_a_histogram_loses_nothing_to_a_take() {
    check_histogram(3, |thread| {
        vec![(1.0, 1), (2.0 + f64::from(thread), 1), (0.0, 5), (1.0, 1), (-7.0, 3), (1.5, 1)]
    });
}

#[test]
fn a_full_ring_loses_nothing_to_a_take() {
    check_histogram(2, |thread| vec![(f64::from(thread + 1), 1); 67]);
}
