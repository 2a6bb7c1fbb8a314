//! The registered series of a collector.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
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

    /// Takes what was recorded since the last time, and forgets the series that nobody can record
    /// any more.
    fn take(&mut self, mut take: impl FnMut(&Series<C>)) {
        // Ours are two: in the vector and in the map. Looked at first, so that what is recorded before
        // the last handle goes is taken.
        let mut gone = false;
        for series in &self.series {
            gone |= Arc::strong_count(series) == 2;
            take(series);
        }
        if gone {
            let by_key = &mut self.by_key;
            self.series.retain(|series| {
                let is_held = Arc::strong_count(series) > 2;
                if !is_held {
                    take(series);
                    by_key.remove(&series.key);
                }
                is_held
            });
        }
    }
}

/// All registered series of a collector. Its lock is for registering and flushing; recording takes
/// none.
#[derive(Default)]
pub(crate) struct Registry {
    counters: Mutex<Registered<CounterCell>>,
    gauges: Mutex<Registered<GaugeCell>>,
    histograms: Mutex<Registered<HistogramCell>>,
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
        let mut add = |key: &Arc<SeriesKey>, is_overflow, values: Distribution, count| {
            inner.counters.values(count);
            if is_overflow {
                inner.census.overflowed(&inner.counters, &key.name, count);
            }
            data.push(Datum { key: Arc::clone(key), timestamp_millis, values });
        };
        lock(&self.counters).take(|series| {
            if let Some(sum) = series.cell.take() {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a count beyond 2^53 is as exact as a metric can be"
                )]
                add(&series.key, series.is_overflow, Distribution::one((sum as f64, 1)), 1);
            }
        });
        lock(&self.gauges).take(|series| match series.cell.take() {
            // A sum of values within the range can leave it.
            Some(value) if !limits::takes_value(value) => {
                inner.counters.values(1);
                inner.counters.value_out_of_range();
            }
            Some(value) => add(&series.key, series.is_overflow, Distribution::one((value, 1)), 1),
            None => {}
        });
        lock(&self.histograms).take(|series| {
            if let Some(taken) = series.cell.take(most) {
                add(&series.key, series.is_overflow, taken.values.into(), taken.count);
            }
        });
    }
}
