//! The table of series against flushes: recorders that look up and add, takes that wait for each
//! other, and the one that a full shard asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use shuttle::thread;

use super::in_many_orders;
use super::shard::{Forget, Identity, Recorded, Shard};

#[derive(Debug)]
struct Name(u32);

impl Identity for Name {
    type Key = u32;

    fn key(&self) -> u32 {
        self.0
    }
}

/// A sum: 0 is what nothing was recorded into.
#[derive(Debug, Default)]
struct Sum(u64);

impl Recorded for Sum {
    fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

/// Two shards, into which names go by their last bit; two names of each shard have one hash.
#[derive(Default)]
struct Names([Shard<Name, Sum>; 2]);

type Taken = BTreeMap<u32, u64>;

impl Names {
    fn shard(&self, name: u32) -> &Shard<Name, Sum> {
        &self.0[(name & 1) as usize]
    }

    /// As the collector does: a look-up, and a second one under the lock that adds.
    fn record(&self, name: u32, n: u64) {
        let hash = u64::from(name & 3);
        let is = |known: &Name| known.0 == name;
        {
            let mut table = self.shard(name).table();
            if let Some(slot) = table.find(hash, is) {
                table.values(slot).unwrap().0 += n;
                return;
            }
        }
        let mut table = self.shard(name).table();
        let slot = table.find(hash, is).unwrap_or_else(|| table.add(hash, Name(name)));
        table.values(slot).unwrap().0 += n;
    }

    fn take(&self, forget: Forget, taken: &mut Taken) {
        for shard in &self.0 {
            shard.take(forget, |name, sum| *taken.entry(name).or_default() += sum.0);
        }
    }
}

/// Records `recorded(thread)` from some threads, while others take as `takes` say.
fn check(threads: u32, takes: &'static [Forget], recorded: fn(u32) -> Vec<(u32, u64)>) {
    in_many_orders(move || {
        let names = Arc::new(Names::default());
        let recorders: Vec<_> = (0..threads)
            .map(|thread| {
                let names = Arc::clone(&names);
                thread::spawn(move || {
                    recorded(thread).into_iter().for_each(|(name, n)| names.record(name, n));
                })
            })
            .collect();
        let takers: Vec<_> = takes
            .iter()
            .map(|forget| {
                let names = Arc::clone(&names);
                thread::spawn(move || {
                    let mut taken = Taken::new();
                    (0..2).for_each(|_| names.take(*forget, &mut taken));
                    taken
                })
            })
            .collect();
        // A recorder that found its shard full takes it, unless somebody else is at it.
        let mut taken = Taken::new();
        names.0[0].try_take(Forget::All, |name, sum| *taken.entry(name).or_default() += sum.0);
        recorders.into_iter().for_each(|recorder| recorder.join().unwrap());
        // The takers may still be at it: what this take does not see, those do.
        names.take(Forget::Unused, &mut taken);
        for taker in takers {
            for (name, sum) in taker.join().unwrap() {
                *taken.entry(name).or_default() += sum;
            }
        }
        names.take(Forget::Unused, &mut taken);

        let mut expected = Taken::new();
        for (name, n) in (0..threads).flat_map(recorded) {
            *expected.entry(name).or_default() += n;
        }
        assert_eq!(taken, expected);
        // Nothing is left, and what is not used any more is forgotten.
        names.take(Forget::Unused, &mut taken);
        assert_eq!(taken, expected);
        assert!(names.0.iter().all(|shard| shard.table().len() == 0));
    });
}

#[test]
fn scenario_1_the_table_of_series_loses_nothing_to_a_flush() {
    check(2, &[Forget::Unused], |thread| {
        vec![(4, 1), (0, 10), (thread, 100), (0, 1_000), (4 + thread, 10_000), (0, 1)]
    });
}

#[test]
fn flushes_at_once_take_each_value_once() {
    check(2, &[Forget::Unused, Forget::Unused], |thread| {
        vec![(0, 1), (4, 10), (8 + thread, 100), (0, 1_000)]
    });
}

#[test]
fn a_table_that_begins_anew_loses_nothing() {
    check(2, &[Forget::All, Forget::Unused], |thread| {
        vec![(0, 1), (4, 10), (0, 100), (4 * thread, 1_000), (1, 1), (0, 10_000)]
    });
}
