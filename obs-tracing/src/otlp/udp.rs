//! OTLP over UDP, as the daemon inside Lambda takes it: the daemon's header, `T1S` (the spans are
//! sampled; `T1U` would say that they are not, but those are never recorded), and a request in
//! base64, without a line feed.

use obs_core::base64;
use obs_core::lane::{Delivery, Records, Sink};

use super::request::{Frame, Pack};
use super::span::SpanEncoder;
use crate::record::SpanRecord;
use crate::resource::Known;
use crate::udp::{Account, Datagrams, HEADER, MAX_DATAGRAM, SMALL_DATAGRAM, TooLarge};

/// What stands between header and request.
const SAMPLED: &[u8] = b"T1S";

/// The most bytes of a request that fit into a datagram of this size: 49,104 of 65,507.
const fn request_limit(datagram: usize) -> usize {
    (datagram - HEADER.len() - SAMPLED.len()) / 4 * 3
}

/// Sends records to the daemon, as many in a datagram as have room.
pub(crate) struct OtlpUdpSink {
    datagrams: Datagrams,
    known: Known,
    encoder: SpanEncoder,
    frame: Frame,
    pack: Pack,
    /// What is in the pack: encoded again if the system sends no datagrams of this size.
    packed: Vec<SpanRecord>,
    /// The largest datagram that this system sends.
    limit: usize,
    span: Vec<u8>,
    request: Vec<u8>,
    datagram: Vec<u8>,
}

impl OtlpUdpSink {
    pub(crate) fn new(datagrams: Datagrams, known: Known, encoder: SpanEncoder) -> Self {
        Self {
            datagrams,
            known,
            encoder,
            frame: Frame::default(),
            pack: Pack::default(),
            packed: Vec::new(),
            limit: MAX_DATAGRAM,
            span: Vec::new(),
            request: Vec::new(),
            datagram: Vec::new(),
        }
    }

    fn add(&mut self, record: SpanRecord, account: &mut Account<'_, '_>) {
        self.encode(&record);
        if self.pack.is_full_for(self.span.len(), &self.frame, request_limit(self.limit)) {
            let limit = self.limit;
            self.send(account);
            if self.limit != limit {
                self.encode(&record);
            }
        }
        self.pack.push(&self.span);
        self.packed.push(record);
    }

    fn encode(&mut self, record: &SpanRecord) {
        let room = self.frame.room(request_limit(self.limit));
        self.encoder.encode(record, room, &mut self.span);
    }

    fn send(&mut self, account: &mut Account<'_, '_>) {
        let spans = self.pack.count();
        if spans == 0 {
            return;
        }
        self.pack.take(&self.frame, &mut self.request);
        self.datagram.clear();
        self.datagram.extend_from_slice(HEADER);
        self.datagram.extend_from_slice(SAMPLED);
        base64::encode(&self.request, &mut self.datagram);
        let sent = self.datagrams.send(&self.datagram, spans, account);
        let packed = std::mem::take(&mut self.packed);
        if sent == Err(TooLarge) && self.limit > SMALL_DATAGRAM {
            self.limit = SMALL_DATAGRAM;
            // Once at most: now it is the smallest.
            for record in packed {
                self.add(record, account);
            }
            self.send(account);
        } else if sent == Err(TooLarge) {
            account.failed(spans);
        } else {
            // Its memory is used again.
            self.packed = packed;
            self.packed.clear();
        }
    }
}

impl Sink<Records<SpanRecord>> for OtlpUdpSink {
    /// Every datagram is tried, whatever became of the one before it.
    fn deliver(&mut self, batch: &mut Records<SpanRecord>, delivery: &Delivery<'_>) {
        if let Some(resource) = self.known.news(delivery) {
            self.frame = Frame::new(resource);
        }
        let mut account = Account::new(delivery);
        for record in batch.drain() {
            self.add(record, &mut account);
        }
        self.send(&mut account);
        self.datagrams.settle(account);
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::thread;
    use std::time::Duration;

    use obs_core::lane::{Lane, LastFailure};
    use obs_core::{Identity, Redactor};

    use super::*;
    use crate::otlp::translate::tests::record;
    use crate::record::Field;
    use crate::resource::Resource;
    use crate::xray::DaemonAddress;

    #[test]
    fn a_request_fills_a_datagram_and_no_more() {
        assert_eq!(request_limit(MAX_DATAGRAM), 49_104);
        let filled = HEADER.len() + SAMPLED.len() + base64::encoded_len(49_104);
        assert!(filled <= MAX_DATAGRAM && filled + 4 > MAX_DATAGRAM, "{filled}");
    }

    #[test]
    fn where_the_system_sends_no_large_datagrams_everything_leaves_in_small_ones() {
        let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Longer than between any two datagrams.
        daemon.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
        let address = DaemonAddress::parse(&daemon.local_addr().unwrap().to_string()).unwrap();
        // Read as it comes: a socket's buffer holds few of these.
        let sizes = thread::spawn(move || {
            let mut buffer = vec![0; 70_000];
            std::iter::from_fn(|| daemon.recv(&mut buffer).ok()).collect::<Vec<_>>()
        });
        let failure = LastFailure::default();
        let encoder = SpanEncoder::new(Identity::new("a", "b"), Redactor::default(), true);
        let mut sink = OtlpUdpSink::new(
            Datagrams::new(address, failure),
            Known::new(Resource::of(&[("service.name", "a")])),
            encoder,
        );
        // No system sends datagrams of this size.
        sink.limit = 200_000;
        let lane = Lane::<Records<SpanRecord>>::builder("test").start(sink);
        let mut record = record();
        record.add(Field::metadata("payload", "x".repeat(3_000).into()));
        for _ in 0..60 {
            lane.push(record.weight(), |batch| batch.push(record.clone()));
        }
        // What does not fit into a small one is left out of it.
        record.add(Field::metadata("more", "x".repeat(2_500).into()));
        record.add(Field::metadata("large", "x".repeat(30_000).into()));
        for _ in 0..5 {
            lane.push(record.weight(), |batch| batch.push(record.clone()));
        }
        let report = lane.flush(Duration::from_secs(20));
        assert_eq!((report.delivered(), report.failed()), (65, 0), "{report:?}");
        let sizes = sizes.join().unwrap();
        assert!(sizes.iter().all(|bytes| *bytes <= SMALL_DATAGRAM), "{sizes:?}");
        // Two spans of 3 KB in each of 30, and five that fill one each; more where a batch ended.
        assert!((35..=45).contains(&sizes.len()), "{sizes:?}");
    }
}
