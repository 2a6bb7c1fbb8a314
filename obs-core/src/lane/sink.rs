//! What a lane delivers to.

use std::cell::Cell;
use std::time::Instant;

use super::batch::Batch;
use super::report::{Lost, Reason};
use super::shared::Shared;

/// Delivers batches, on the lane's own thread (in a synchronous lane, on the caller's).
pub trait Sink<B: Batch>: Send + 'static {
    /// Delivers what is in `batch` and accounts for every item through `delivery`, as soon as its
    /// fate is decided. What is not accounted for counts as failed. The lane clears the batch.
    fn deliver(&mut self, batch: &mut B, delivery: &Delivery<'_>);

    /// Called before a delivery where items were lost: may append an item to `batch` that says so, so
    /// that the loss stands in the stream itself. That item is in no count. Called again with the same losses, and those since,
    /// unless something of the batch arrived. A sink that appends nothing has taken note in its own
    /// way, and hears only of what is lost afterwards.
    fn report_lost(&mut self, lost: &Lost, batch: &mut B) {
        let _ = (lost, batch);
    }
}

/// A [`Sink`] that awaits: polled on the lane's own current-thread Tokio runtime, which goes on
/// running between deliveries, so that kept connections are looked after.
///
/// Clients are made inside `deliver`, at first use: one that was made on another runtime stops when
/// that runtime does.
#[cfg(feature = "tokio")]
pub trait AsyncSink<B: Batch>: Send + 'static {
    /// As [`Sink::deliver`].
    fn deliver(&mut self, batch: &mut B, delivery: &Delivery<'_>) -> impl Future<Output = ()>;

    /// As [`Sink::report_lost`].
    fn report_lost(&mut self, lost: &Lost, batch: &mut B) {
        let _ = (lost, batch);
    }
}

/// Where a sink accounts for one batch, and learns how long it may take.
pub struct Delivery<'a> {
    lane: &'a dyn Ledger,
    /// Items of the batch that are not yet accounted for; those that tell of losses are not counted,
    /// they come last.
    open: Cell<u64>,
    has_delivered: Cell<bool>,
}

impl<'a> Delivery<'a> {
    #[inline]
    pub(super) fn new(lane: &'a dyn Ledger, items: u64) -> Self {
        Self { lane, open: Cell::new(items), has_delivered: Cell::new(false) }
    }

    /// `items` arrived.
    #[inline]
    pub fn delivered(&self, items: usize) {
        self.has_delivered.set(self.has_delivered.get() || items > 0);
        self.lane.delivered(self.close(items));
    }

    /// `items` did not arrive and will not.
    pub fn failed(&self, items: usize, reason: Reason) {
        let items = self.close(items);
        self.lane.failed(items, reason);
    }

    /// When the flush or shutdown that waits for this batch gives up; `None` if none waits.
    pub fn deadline(&self) -> Option<Instant> {
        self.lane.deadline()
    }

    /// Whether the lane is shut down: no more retries than fit before [`Delivery::deadline`].
    pub fn stopping(&self) -> bool {
        self.lane.stopping()
    }

    /// What is not accounted for fails with `reason`.
    #[inline]
    pub(super) fn settle(&self, reason: Reason) {
        let open = self.open.replace(0);
        if open > 0 {
            self.lane.failed(open, reason);
        }
    }

    /// Whether anything arrived.
    pub(super) fn has_delivered(&self) -> bool {
        self.has_delivered.get()
    }

    /// No item is accounted for twice.
    fn close(&self, items: usize) -> u64 {
        let open = self.open.get();
        let items = (items as u64).min(open);
        self.open.set(open - items);
        items
    }
}

impl Drop for Delivery<'_> {
    /// A delivery that is given up has failed.
    #[inline]
    fn drop(&mut self) {
        self.settle(Reason::SinkFailed);
    }
}

impl std::fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("open", &self.open.get()).finish_non_exhaustive()
    }
}

/// A lane of any kind, as a delivery sees it.
pub(super) trait Ledger {
    fn delivered(&self, items: u64);
    fn failed(&self, items: u64, reason: Reason);
    fn deadline(&self) -> Option<Instant>;
    fn stopping(&self) -> bool;
}

impl<B: Batch> Ledger for Shared<B> {
    fn delivered(&self, items: u64) {
        self.counters.delivered(items);
    }

    fn failed(&self, items: u64, reason: Reason) {
        self.counters.failed(items, reason);
    }

    fn deadline(&self) -> Option<Instant> {
        Self::deadline(self)
    }

    fn stopping(&self) -> bool {
        self.lock().closed
    }
}
