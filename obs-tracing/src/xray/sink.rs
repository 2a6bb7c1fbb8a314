//! The road of segment documents to the daemon: one datagram per document.

use obs_core::lane::{Delivery, Records, Sink};

use super::document::Encoder;
use crate::record::SpanRecord;
use crate::resource::Known;
use crate::udp::{Account, Datagrams, MAX_DATAGRAM, SMALL_DATAGRAM, TooLarge};

/// Sends each record to the daemon.
pub(crate) struct DaemonSink {
    datagrams: Datagrams,
    known: Known,
    encoder: Encoder,
    datagram: Vec<u8>,
    /// The largest datagram that this system sends.
    limit: usize,
}

impl DaemonSink {
    pub(crate) fn new(datagrams: Datagrams, known: Known, encoder: Encoder) -> Self {
        Self { datagrams, known, encoder, datagram: Vec::new(), limit: MAX_DATAGRAM }
    }

    fn send(&mut self, record: &SpanRecord, account: &mut Account<'_, '_>) {
        self.encoder.encode(record, self.limit, &mut self.datagram);
        let mut sent = self.datagrams.send(&self.datagram, 1, account);
        if sent == Err(TooLarge) && self.limit > SMALL_DATAGRAM {
            self.limit = SMALL_DATAGRAM;
            self.encoder.encode(record, self.limit, &mut self.datagram);
            sent = self.datagrams.send(&self.datagram, 1, account);
        }
        if sent == Err(TooLarge) {
            account.failed(1);
        }
    }
}

impl Sink<Records<SpanRecord>> for DaemonSink {
    /// Every document is tried, whatever became of the one before it.
    fn deliver(&mut self, batch: &mut Records<SpanRecord>, delivery: &Delivery<'_>) {
        if let Some(resource) = self.known.news(delivery) {
            self.encoder.runs_on(resource);
        }
        let mut account = Account::new(delivery);
        for record in batch.drain() {
            self.send(&record, &mut account);
        }
        self.datagrams.settle(account);
    }
}

/// Writes each document and throws it away: for benchmarks, and for tests of other things.
pub(crate) struct NullSink {
    encoder: Encoder,
    datagram: Vec<u8>,
}

impl NullSink {
    pub(crate) fn new(encoder: Encoder) -> Self {
        Self { encoder, datagram: Vec::new() }
    }
}

impl Sink<Records<SpanRecord>> for NullSink {
    fn deliver(&mut self, batch: &mut Records<SpanRecord>, delivery: &Delivery<'_>) {
        for record in batch.drain() {
            self.encoder.encode(&record, MAX_DATAGRAM, &mut self.datagram);
            delivery.delivered(1);
        }
    }
}
