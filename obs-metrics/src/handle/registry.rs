//! The registered series of a collector.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex};

use crate::aggregate::{CounterCell, GaugeCell, HistogramCell};
use crate::collector::{Inner, lock};
use crate::datum::{Datum, SeriesKey};
use crate::distribution::Distribution;
use crate::limits;

/// A registered series.
pub(super) struct Series<C> {
    pub(super) key: Arc<SeriesKey>,
    pub(super) cell: C,
    /// Whether it stands for series beyond the budget of its metric.
    pub(super) is_overflow: bool,
}

/// The series of one kind, in the order of their registration.
struct Registered<C> {
    series: Vec<Arc<Series<C>>>,
    by_key: HashMap<Arc<SeriesKey>, Arc<Series<C>>>,
}

impl<C> Default for Registered<C> {
    fn default() -> Self {
        Self { series: Vec::new(), by_key: HashMap::new() }
    }
}

impl<C> Registered<C> {
    /// The series of this key, made where it is new.
    fn register(
        &mut self,
        key: SeriesKey,
        is_overflow: bool,
        make: impl FnOnce() -> C,
    ) -> Arc<Series<C>> {
        let key = Arc::new(key);
        match self.by_key.entry(Arc::clone(&key)) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(vacant) => {
                let series = Arc::new(Series { key, cell: make(), is_overflow });
                self.series.push(Arc::clone(&series));
                Arc::clone(vacant.insert(series))
            }
        }
    }
}

/// Series that are taken each time that the registry is locked: who registers one meanwhile waits a
/// few microseconds.
const AT_ONCE: usize = 64;

/// Takes what was recorded since the last time, and forgets the series that nobody can record any
/// more. One at a time: places in the vector stay what they are.
fn take_all<C>(registered: &Mutex<Registered<C>>, mut take: impl FnMut(&Series<C>)) {
    // Ours are two: in the vector and in the map. Looked at first, so that what is recorded before
    // the last handle goes is taken.
    let mut gone = false;
    let mut taken = 0;
    loop {
        let registered = lock(registered);
        let some = registered.series.iter().skip(taken).take(AT_ONCE);
        let before = taken;
        for series in some {
            gone |= Arc::strong_count(series) == 2;
            take(series);
            taken += 1;
        }
        if taken == before {
            break;
        }
    }
    if gone {
        let Registered { series, by_key } = &mut *lock(registered);
        series.retain(|series| {
            let is_held = Arc::strong_count(series) > 2;
            if !is_held {
                // The count is read without ordering: what the last handle recorded before it was
                // dropped must be seen here.
                fence(Ordering::Acquire);
                take(series);
                by_key.remove(&series.key);
            }
            is_held
        });
    }
}

/// All registered series of a collector. Its locks are for registering and flushing; recording takes
/// none.
#[derive(Default)]
pub(crate) struct Registry {
    counters: Mutex<Registered<CounterCell>>,
    gauges: Mutex<Registered<GaugeCell>>,
    histograms: Mutex<Registered<HistogramCell>>,
    /// Locked as long as somebody takes.
    taking: Mutex<()>,
}

impl Registry {
    pub(super) fn counter(&self, key: SeriesKey, is_overflow: bool) -> Arc<Series<CounterCell>> {
        lock(&self.counters).register(key, is_overflow, CounterCell::new)
    }

    pub(super) fn gauge(&self, key: SeriesKey, is_overflow: bool) -> Arc<Series<GaugeCell>> {
        lock(&self.gauges).register(key, is_overflow, GaugeCell::new)
    }

    pub(super) fn histogram(
        &self,
        key: SeriesKey,
        is_overflow: bool,
    ) -> Arc<Series<HistogramCell>> {
        lock(&self.histograms).register(key, is_overflow, HistogramCell::new)
    }

    /// Takes what was recorded since the last time, each histogram as at most `most` values.
    pub(crate) fn take(
        &self,
        inner: &Inner,
        most: usize,
        timestamp_millis: u64,
        data: &mut Vec<Datum>,
    ) {
        let _alone = lock(&self.taking);
        let mut add = |key: &Arc<SeriesKey>, is_overflow, values: Distribution, count| {
            inner.counters.values(count);
            if is_overflow {
                inner.census.overflowed(&inner.counters, &key.name, count);
            }
            data.push(Datum { key: Arc::clone(key), timestamp_millis, values });
        };
        take_all(&self.counters, |series| {
            if let Some(sum) = series.cell.take() {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a count beyond 2^53 is as exact as a metric can be"
                )]
                add(&series.key, series.is_overflow, Distribution::one((sum as f64, 1)), 1);
            }
        });
        take_all(&self.gauges, |series| match series.cell.take() {
            // A sum of values within the range can leave it.
            Some(value) if !limits::takes_value(value) => {
                inner.counters.values(1);
                inner.counters.value_out_of_range();
            }
            Some(value) => add(&series.key, series.is_overflow, Distribution::one((value, 1)), 1),
            None => {}
        });
        take_all(&self.histograms, |series| {
            if let Some(taken) = series.cell.take(most) {
                add(&series.key, series.is_overflow, taken.values.into(), taken.count);
            }
        });
    }
}
