//! A collector's own numbers as metrics: one more document at each flush that has something to say.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use obs_core::json::Object;

use crate::census::{Candidate, Census};
use crate::collector::{Inner, Written, lock};
use crate::datum::{Datum, Kind, SeriesKey};
use crate::dimensions::DimensionSet;
use crate::distribution::Distribution;
use crate::stats::Stats;
use crate::unit::{Resolution, Unit};

const RECORDED: usize = 0;
const DROPPED: usize = 1;
const IN_OVERFLOW: usize = 2;
const BYTES: usize = 3;
const LOST: usize = 4;
const QUEUE_DEPTH: usize = 5;
const FLUSH_TIME: usize = 6;

const METRICS: [(&str, Unit, Kind); 7] = [
    ("ObsValuesRecorded", Unit::Count, Kind::Counter),
    ("ObsValuesDropped", Unit::Count, Kind::Counter),
    ("ObsValuesInOverflow", Unit::Count, Kind::Counter),
    ("ObsBytes", Unit::Bytes, Kind::Counter),
    ("ObsDeliveriesLost", Unit::Count, Kind::Counter),
    ("ObsQueueDepth", Unit::Count, Kind::Gauge),
    ("ObsFlushTime", Unit::Milliseconds, Kind::Distribution),
];

/// What the collector's own metrics are, and up to where they have been sent.
#[derive(Debug)]
pub(crate) struct SelfMetrics {
    keys: [Arc<SeriesKey>; METRICS.len()],
    sent: Mutex<Sent>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    stats: Stats,
    lost: u64,
    /// What these metrics themselves have written: it is part of the collector's counts, but
    /// not of theirs.
    own: Written,
}

impl SelfMetrics {
    pub(crate) fn new(defaults: &DimensionSet, census: &Census) -> Self {
        let dimensions = Arc::new(defaults.clone());
        let keys = METRICS.map(|(name, unit, kind)| {
            let resolution = Resolution::Standard;
            // Sent whatever the budget is: they say that it is exceeded.
            census.list(&Candidate { name, unit, resolution, dimensions: &dimensions });
            let (name, dimensions) = (name.to_owned(), Arc::clone(&dimensions));
            Arc::new(SeriesKey { name, unit, resolution, kind, dimensions })
        });
        Self { keys, sent: Mutex::default() }
    }
}

impl Inner {
    /// What waits in the sinks' queues, where that will be sent.
    pub(crate) fn depth_before(&self) -> u64 {
        if self.own.is_none() {
            return 0;
        }
        self.outputs.stats().iter().map(|lane| lane.pending).sum()
    }

    /// Emits what the collector counted since the last time, if anything was recorded; `depth` is
    /// what was waiting before.
    pub(crate) fn emit_own(&self, depth: u64) {
        let Some(own) = &self.own else { return };
        // Another flush that is at it says it.
        let Some(mut sent) = try_lock(&own.sent) else { return };
        let now = self.counters.read();
        if now.values == sent.stats.values {
            return;
        }
        let lanes = self.outputs.stats();
        let lost: u64 = lanes.iter().map(|lane| lane.dropped + lane.failed).sum();
        let flush = self.flushes.last().map(|time| time.as_secs_f64() * 1e3);
        let bytes = now.bytes.saturating_sub(sent.stats.bytes).saturating_sub(sent.own.bytes);
        let has_lines = !self.outputs.lines.is_empty();
        let dropped = now.values_dropped() - sent.stats.values_dropped();
        let timestamp_millis = self.now_millis();
        let datum = |index: usize, value: f64| {
            let key = Arc::clone(own.keys.get(index)?);
            Some(Datum { key, timestamp_millis, values: Distribution::one((value, 1)) })
        };
        let data: Vec<Datum> = [
            datum(RECORDED, (now.values - sent.stats.values) as f64),
            datum(DROPPED, dropped as f64),
            datum(IN_OVERFLOW, (now.values_in_overflow - sent.stats.values_in_overflow) as f64),
            has_lines.then(|| datum(BYTES, bytes as f64)).flatten(),
            datum(LOST, lost.saturating_sub(sent.lost) as f64),
            datum(QUEUE_DEPTH, depth as f64),
            flush.and_then(|millis| datum(FLUSH_TIME, millis)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let reasons = reasons(&sent.stats, &now);
        *sent = Sent { stats: now, lost, own: Written::default() };
        // Let go before anything is written: a synchronous writer may flush, on this thread or another.
        drop(sent);
        let written = self.emit(&data, &reasons);
        lock(&own.sent).own = written;
    }
}

fn try_lock(sent: &Mutex<Sent>) -> Option<MutexGuard<'_, Sent>> {
    match sent.try_lock() {
        Ok(sent) => Some(sent),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// What was dropped between two reads, by reason, as members of the line; no zeros.
fn reasons(before: &Stats, now: &Stats) -> Vec<u8> {
    let mut members = Vec::new();
    let mut object = Object::resume(&mut members, true);
    for (name, before, now) in [
        ("values_out_of_range", before.values_out_of_range, now.values_out_of_range),
        ("values_without_name", before.values_without_name, now.values_without_name),
        ("values_out_of_window", before.values_out_of_window, now.values_out_of_window),
    ] {
        if now > before {
            object.u64(name, now - before);
        }
    }
    members
}

#[cfg(test)]
mod tests;
