//! The cells behind registered handles: what is recorded is added up in place, by the thread that
//! records it, until a flush takes it.
//!
//! A cell is split into shards, one for each of the first few threads, so that recording is an
//! ordinary load and store without a locked instruction (`shards.rs` says how a thread gets its
//! shard). Taking never stops a recorder: counters are read and never reset, a gauge is one word, a
//! histogram's shard hands its values over through a ring. The cells know nothing of names,
//! collectors or documents, and use the atomics and locks of `sync.rs` alone, so that
//! `tests/interleavings.rs` can run the same files under shuttle's.

mod compress;
mod counter;
mod gauge;
mod histogram;
mod shards;
pub(crate) mod sync;

#[cfg(test)]
mod compress_tests;
#[cfg(test)]
mod histogram_tests;
#[cfg(test)]
mod tests;

pub(crate) use counter::CounterCell;
pub(crate) use gauge::GaugeCell;
pub(crate) use histogram::HistogramCell;
