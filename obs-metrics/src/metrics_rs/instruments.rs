//! What stands behind the facade's handles.

use std::sync::atomic::{AtomicU64, Ordering};

use ::metrics::{CounterFn, GaugeFn, HistogramFn};
use obs_core::health::{self, Event};

use super::units::{Measure, Scale};
use crate::handle::{Counter, Gauge, Histogram};

#[derive(Debug)]
pub(super) struct CounterOf {
    counter: Counter,
    scale: Scale,
    /// What was counted before it was divided: no part is lost.
    undivided: AtomicU64,
    /// The greatest absolute value, where one may be given.
    absolute: Option<AtomicU64>,
}

impl CounterOf {
    /// `takes_absolute` unless what it has counted before is not known.
    pub(super) fn new(counter: Counter, measure: Measure, takes_absolute: bool) -> Self {
        Self {
            counter,
            scale: measure.scale,
            undivided: AtomicU64::new(0),
            absolute: takes_absolute.then(AtomicU64::default),
        }
    }
}

impl CounterFn for CounterOf {
    fn increment(&self, value: u64) {
        match self.scale {
            Scale::One => self.counter.add(value),
            Scale::Times(factor) => self.counter.add(value.saturating_mul(factor)),
            Scale::By(divisor) => {
                let before = self.undivided.fetch_add(value, Ordering::Relaxed);
                let after = before.saturating_add(value);
                self.counter.add(after / divisor - before / divisor);
            }
        }
    }

    fn absolute(&self, value: u64) {
        let Some(greatest) = &self.absolute else {
            health::count(Event::LimitExceeded);
            return;
        };
        let before = greatest.fetch_max(value, Ordering::Relaxed);
        if value > before {
            self.increment(value - before);
        }
    }
}

#[derive(Debug)]
pub(super) struct GaugeOf {
    gauge: Gauge,
    scale: Scale,
}

impl GaugeOf {
    pub(super) fn new(gauge: Gauge, measure: Measure) -> Self {
        Self { gauge, scale: measure.scale }
    }
}

impl GaugeFn for GaugeOf {
    fn increment(&self, value: f64) {
        self.gauge.add(self.scale.apply(value));
    }

    fn decrement(&self, value: f64) {
        self.gauge.add(-self.scale.apply(value));
    }

    fn set(&self, value: f64) {
        self.gauge.set(self.scale.apply(value));
    }
}

#[derive(Debug)]
pub(super) struct HistogramOf {
    histogram: Histogram,
    scale: Scale,
}

impl HistogramOf {
    pub(super) fn new(histogram: Histogram, measure: Measure) -> Self {
        Self { histogram, scale: measure.scale }
    }
}

impl HistogramFn for HistogramOf {
    fn record(&self, value: f64) {
        self.histogram.record(self.scale.apply(value));
    }

    fn record_many(&self, value: f64, count: usize) {
        self.histogram.record_n(self.scale.apply(value), count as u64);
    }
}
