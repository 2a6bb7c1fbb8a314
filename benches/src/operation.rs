//! What is measured: an operation, run many times in a row.

use std::fmt;
use std::time::{Duration, Instant};

use crate::allocations;
use crate::writers::Tally;

/// Operations between two calls of `settle`: few enough that no queue is ever full, so that nobody
/// can save time by dropping.
const SETTLED_EVERY: u64 = 100;

/// Runs that are counted, after as many that fill pools and caches.
const COUNTED: u64 = 1_000;

/// A table or a batch that still grows once in a while is steady enough.
const ALLOCATION_TOLERANCE: f64 = 0.01;

/// An operation to measure.
#[must_use = "an operation is measured by a case"]
pub struct Operation<'a, F> {
    run: F,
    parts: u32,
    prepare: Option<Box<dyn FnMut() + 'a>>,
    settle: Option<Box<dyn FnMut() + 'a>>,
    output: Option<&'a Tally>,
    most_allocations: Option<u32>,
}

/// What one part of an operation costs beside time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) allocations: f64,
    pub(crate) bytes: Option<f64>,
}

impl<'a, F: FnMut()> Operation<'a, F> {
    /// `run`, once.
    pub fn new(run: F) -> Self {
        Self { run, parts: 1, prepare: None, settle: None, output: None, most_allocations: None }
    }

    /// The operation consists of so many equal parts, such as a trace of spans: figures are for one.
    pub fn of(mut self, parts: u32) -> Self {
        self.parts = parts.max(1);
        self
    }

    /// Called before each run, untimed: what is done there is not what is measured.
    pub fn prepare(mut self, prepare: impl FnMut() + 'a) -> Self {
        self.prepare = Some(Box::new(prepare));
        self
    }

    /// Waits, untimed, until what was queued is delivered. Called every 100 operations.
    pub fn settle(mut self, settle: impl FnMut() + 'a) -> Self {
        self.settle = Some(Box::new(settle));
        self
    }

    /// The operation writes one line there. It is an error if it does not.
    pub fn writes_to(mut self, output: &'a Tally) -> Self {
        self.output = Some(output);
        self
    }

    /// The most allocations that a part may make on the calling thread. It is an error if it makes
    /// more, with `--test` too: unlike a time, the count is the same on every machine.
    pub fn allocates_at_most(mut self, allocations: u32) -> Self {
        self.most_allocations = Some(allocations);
        self
    }

    /// How long so many operations take.
    pub(crate) fn time(&mut self, operations: u64) -> Duration {
        let mut elapsed = Duration::ZERO;
        if let Some(prepare) = &mut self.prepare {
            for _ in 0..operations {
                prepare();
                let start = Instant::now();
                (self.run)();
                elapsed += start.elapsed();
            }
            return elapsed;
        }
        self.in_chunks(operations, |run, chunk| {
            let start = Instant::now();
            for _ in 0..chunk {
                run();
            }
            elapsed += start.elapsed();
        });
        elapsed
    }

    pub(crate) fn time_per_part(&self, operations: u64, elapsed: Duration) -> f64 {
        elapsed.as_secs_f64() * 1e9 / (operations.max(1) as f64 * f64::from(self.parts))
    }

    /// # Panics
    ///
    /// If the operation did not write one line each time, or allocates more than it may.
    pub(crate) fn cost(&mut self) -> Cost {
        if self.prepare.is_some() {
            return self.cost_of_prepared();
        }
        self.in_chunks(COUNTED, |run, chunk| counted_runs(run, chunk));
        let (bytes_before, lines_before) = self.output.map(Tally::read).unwrap_or_default();
        let mut allocations = 0;
        self.in_chunks(COUNTED, |run, chunk| {
            allocations += allocations::during(|| counted_runs(run, chunk));
        });
        let bytes = self.output.map(|output| {
            let (bytes, lines) = output.read();
            assert_eq!(lines - lines_before, COUNTED, "each operation writes one line");
            (bytes - bytes_before) as f64 / COUNTED as f64
        });
        let allocations = allocations as f64 / (COUNTED as f64 * f64::from(self.parts));
        if let Some(most) = self.most_allocations {
            let limit = f64::from(most) + ALLOCATION_TOLERANCE;
            assert!(allocations < limit, "{allocations} allocations, {most} at most");
        }
        Cost { allocations, bytes }
    }

    /// As [`cost`](Self::cost), for what is too long to be run so often: one run, after another.
    fn cost_of_prepared(&mut self) -> Cost {
        let mut allocations = 0;
        for _ in 0..2 {
            if let Some(prepare) = &mut self.prepare {
                prepare();
            }
            allocations = allocations::during(|| counted_runs(&mut self.run, 1));
        }
        Cost { allocations: allocations as f64 / f64::from(self.parts), bytes: None }
    }

    fn in_chunks(&mut self, operations: u64, mut chunk: impl FnMut(&mut F, u64)) {
        let Some(settle) = &mut self.settle else { return chunk(&mut self.run, operations) };
        let mut left = operations;
        while left > 0 {
            let next = left.min(SETTLED_EVERY);
            chunk(&mut self.run, next);
            settle();
            left -= next;
        }
    }
}

/// Named, and never inlined, so that callgrind can be told to count instructions here alone.
#[inline(never)]
fn counted_runs(run: &mut impl FnMut(), n: u64) {
    for _ in 0..n {
        run();
    }
}

impl<F> fmt::Debug for Operation<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("parts", &self.parts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::hint::black_box;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn costs_are_those_of_one_part() {
        let tally = Tally::new();
        let cost = Operation::new(|| {
            drop(black_box([Box::new(1), Box::new(2), Box::new(3), Box::new(4)]));
            (&tally).write_all(b"line\n").unwrap();
        })
        .of(2)
        .writes_to(&tally)
        .cost();
        assert!((cost.allocations - 2.0).abs() < 1e-9, "{cost:?}");
        assert_eq!(cost.bytes, Some(5.0));
    }

    #[test]
    #[should_panic(expected = "each operation writes one line")]
    fn an_operation_that_skips_lines_is_refused() {
        let tally = Tally::new();
        let mut n = 0;
        let _cost = Operation::new(|| {
            n += 1;
            if n % 7 > 0 {
                (&tally).write_all(b"line\n").unwrap();
            }
        })
        .writes_to(&tally)
        .cost();
    }

    #[test]
    #[should_panic(expected = "1 allocations, 0 at most")]
    fn an_operation_that_allocates_more_than_it_may_is_refused() {
        let _cost = Operation::new(|| drop(black_box(Box::new(1)))).allocates_at_most(0).cost();
    }

    #[test]
    fn queues_are_settled_before_they_are_full() {
        let (queued, most, runs) = (Cell::new(0), Cell::new(0), Cell::new(0_u64));
        let mut operation = Operation::new(|| {
            queued.set(queued.get() + 1);
            most.set(most.get().max(queued.get()));
            runs.set(runs.get() + 1);
        })
        .settle(|| queued.set(0));
        let elapsed = operation.time(1_234);
        assert_eq!((runs.get(), most.get(), queued.get()), (1_234, SETTLED_EVERY, 0));
        assert!(elapsed > Duration::ZERO);
        assert!((operation.time_per_part(1_000, Duration::from_micros(5)) - 5.0).abs() < 1e-9);
    }
}
