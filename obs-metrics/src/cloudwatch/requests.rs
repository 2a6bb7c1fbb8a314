//! Which datums go out in one request, and how many bytes that is: pure decisions.

use std::collections::VecDeque;
use std::time::Instant;

use aws_sdk_cloudwatch::types::MetricDatum;

use super::ledger::SeriesId;
use crate::limits;

/// Metrics of one request (`PutMetricData`).
pub(super) const MAX_DATUMS: usize = 1_000;
/// Bytes of one request's body before compression. The documentation says 1 MB, and not which.
pub(super) const MAX_BYTES: usize = 1_000_000;

/// One `MetricDatum` on its way.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) datum: MetricDatum,
    pub(super) series: SeriesId,
    pub(super) timestamp_millis: u64,
    bytes: usize,
}

/// What goes out together.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) parts: Vec<Part>,
    /// How often it failed and may succeed the next time; that of a whole counts for its halves.
    pub(super) failures: u32,
    /// When it was last tried, and when it is due again.
    pub(super) tried: Instant,
    pub(super) due: Instant,
}

/// Parts that wait to be put into a request.
#[derive(Debug, Default)]
pub(super) struct Packer {
    waiting: VecDeque<Part>,
    bytes: usize,
}

impl Part {
    pub(super) fn new(datum: MetricDatum, series: SeriesId, timestamp_millis: u64) -> Self {
        let bytes = bytes_of(&datum);
        Self { datum, series, timestamp_millis, bytes }
    }
}

impl Packer {
    pub(super) fn add(&mut self, part: Part) {
        self.bytes += part.bytes;
        self.waiting.push_back(part);
    }

    /// Whether what waits fills a request to `namespace`, so that no more need be added.
    pub(super) fn is_full(&self, namespace: &str) -> bool {
        self.waiting.len() >= MAX_DATUMS || self.bytes + frame_bytes(namespace) >= MAX_BYTES
    }

    /// The next request, due at once, of what has waited longest; `None` where nothing waits.
    pub(super) fn pack(&mut self, namespace: &str, now: Instant) -> Option<Request> {
        let mut bytes = frame_bytes(namespace);
        let mut parts = Vec::new();
        while let Some(part) = self.waiting.front()
            && parts.len() < MAX_DATUMS
            // One that is too large by itself goes alone: the service may judge it.
            && (parts.is_empty() || bytes + part.bytes <= MAX_BYTES)
        {
            bytes += part.bytes;
            self.bytes -= part.bytes;
            parts.extend(self.waiting.pop_front());
        }
        (!parts.is_empty()).then_some(Request { parts, failures: 0, tried: now, due: now })
    }

    /// Takes out everything that waits.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Part> {
        self.bytes = 0;
        std::mem::take(&mut self.waiting).into_iter()
    }
}

impl Request {
    /// Takes out what CloudWatch does not take any more, or not yet, at this time.
    pub(super) fn take_out_of_window(&mut self, now_millis: u64) -> Vec<Part> {
        let out = |part: &mut Part| !limits::takes_timestamp(part.timestamp_millis, now_millis);
        self.parts.extract_if(.., out).collect()
    }

    /// Two requests of half of it each, due at `now`.
    pub(super) fn halves(mut self, now: Instant) -> [Self; 2] {
        let second = self.parts.split_off(self.parts.len() / 2);
        let second = Self { parts: second, failures: self.failures, tried: now, due: now };
        [Self { tried: now, due: now, ..self }, second]
    }
}

// The SDK writes CBOR (smithy-protocol rpc-v2-cbor). The sizes are exact but for lengths, whose
// header is taken to be that of 256 to 65,535.

/// What a text or an array takes beside what is in it.
const HEADER: usize = 3;
const DOUBLE: usize = 9;

/// A key, of fewer than 24 characters.
const fn key(name: &str) -> usize {
    1 + name.len()
}

/// The body without its datums: its map, its keys and the namespace.
fn frame_bytes(namespace: &str) -> usize {
    2 + key("Namespace") + HEADER + namespace.len() + key("MetricData") + HEADER
}

fn bytes_of(datum: &MetricDatum) -> usize {
    let text = |text: Option<&str>| text.map_or(0, |text| HEADER + text.len());
    let dimensions: usize = (datum.dimensions().iter())
        .map(|pair| 2 + key("Name") + text(pair.name()) + key("Value") + text(pair.value()))
        .sum();
    let values = match (datum.value, datum.values().len()) {
        (Some(_), _) => key("Value") + DOUBLE,
        (None, n) => key("Values") + key("Counts") + 2 * (HEADER + n * DOUBLE),
    };
    2 + key("MetricName")
        + text(datum.metric_name())
        + key("Dimensions")
        + HEADER
        + dimensions
        + key("Timestamp")
        + 1
        + DOUBLE
        + values
        + key("Unit")
        + text(datum.unit().map(|unit| unit.as_str()))
        + datum.storage_resolution().map_or(0, |_| key("StorageResolution") + 1)
}

#[cfg(test)]
#[path = "requests_tests.rs"]
mod tests;
