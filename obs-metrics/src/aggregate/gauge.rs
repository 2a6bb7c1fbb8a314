//! The last value that was set.

use super::sync::{AtomicU64, Mutex, Ordering, lock};

/// `pending` holds nothing if it is this or more: bits that no number has, with the number of the
/// take that left them. Two takes leave different bits, so an `add` that began before a take never
/// mistakes what it finds for what it saw.
const NOTHING: u64 = 0xFFF8 << 48;
const TAKE_NUMBER: u64 = (1 << 51) - 1;

/// The last value of a gauge.
pub(crate) struct GaugeCell {
    /// The value that no take has returned yet, or [`NOTHING`].
    pending: AtomicU64,
    /// What the last take returned, 0 before: what `add` starts from where nothing is pending.
    last: AtomicU64,
    /// How many takes there were; two at once would mix up `last`.
    takes: Mutex<u64>,
}

impl GaugeCell {
    pub(crate) fn new() -> Self {
        Self { pending: AtomicU64::new(NOTHING), last: AtomicU64::new(0), takes: Mutex::new(0) }
    }

    /// Sets the gauge to `value`, which is finite.
    #[inline]
    pub(crate) fn set(&self, value: f64) {
        self.pending.store(value.to_bits(), Ordering::Release);
    }

    /// Adds `delta`, which is finite, to the last value, taken or not; to 0 before there is one.
    ///
    /// The sum of values within ±2^360 can leave that range; who takes it checks it.
    #[inline]
    pub(crate) fn add(&self, delta: f64) {
        let mut seen = self.pending.load(Ordering::Acquire);
        loop {
            let base = if is_nothing(seen) { self.last.load(Ordering::Relaxed) } else { seen };
            let sum = (f64::from_bits(base) + delta).to_bits();
            match self.pending.compare_exchange_weak(seen, sum, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// The last value, if it was set or added to since the last take.
    ///
    /// A `set` that races with it is in this take or in the next one. It tries again only where a
    /// value arrived within the few nanoseconds between its read and its write.
    pub(crate) fn take(&self) -> Option<f64> {
        let mut takes = lock(&self.takes);
        *takes = takes.wrapping_add(1);
        let nothing = NOTHING | (*takes & TAKE_NUMBER);
        let mut seen = self.pending.load(Ordering::Acquire);
        loop {
            if is_nothing(seen) {
                return None;
            }
            // Before `pending` says that nothing is there: an `add` that sees it finds this base.
            self.last.store(seen, Ordering::Relaxed);
            match self.pending.compare_exchange_weak(
                seen,
                nothing,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(f64::from_bits(seen)),
                Err(now) => seen = now,
            }
        }
    }
}

fn is_nothing(bits: u64) -> bool {
    bits >= NOTHING
}
