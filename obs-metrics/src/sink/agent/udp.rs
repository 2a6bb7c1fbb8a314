//! The agent over UDP: a document a datagram.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use obs_core::lane::{Delivery, Lines, Lost, Reason, Sink};

use super::Notice;
use super::endpoint::Endpoint;
use crate::limits::DATAGRAM_BYTES;

/// How long one datagram waits for room in the system's buffer.
const SEND: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct UdpSink {
    endpoint: Endpoint,
    notice: Notice,
    socket: Option<UdpSocket>,
    /// Which of the host's addresses comes first: another one when the last did not take anything.
    turn: usize,
}

impl UdpSink {
    pub(super) fn new(endpoint: Endpoint, notice: Notice) -> Self {
        Self { endpoint, notice, socket: None, turn: 0 }
    }

    /// A socket for the first of the host's addresses that there is a way to.
    fn open(&self) -> io::Result<UdpSocket> {
        let addresses = in_turn(self.endpoint.resolve()?.collect(), self.turn);
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in addresses {
            match connect(address) {
                Ok(socket) => return Ok(socket),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Sends on a fresh socket: the host may have another address by now, or this machine another
    /// way to it, or the agent may listen on another of its addresses.
    fn send_fresh(&mut self, document: &[u8]) -> io::Result<()> {
        self.socket = None;
        let socket = self.open()?;
        send(self.socket.insert(socket), document).inspect_err(|_| {
            self.turn = self.turn.wrapping_add(1);
        })
    }
}

impl Sink<Lines> for UdpSink {
    fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
        if let Some(socket) = &self.socket {
            // What a router said of an earlier datagram is not said of this batch's first.
            let _earlier = socket.take_error();
        }
        // A batch for nobody costs so many look-ups of the host, not one for each document.
        let mut fresh_tries = 2;
        for line in batch.iter() {
            let document = line.strip_suffix(b"\n").unwrap_or(line);
            if document.len() > DATAGRAM_BYTES {
                delivery.failed(1, Reason::TooLarge);
                continue;
            }
            let mut sent = self.socket.as_ref().is_some_and(|kept| send(kept, document).is_ok());
            while !sent && fresh_tries > 0 {
                fresh_tries -= 1;
                sent = self.send_fresh(document).is_ok();
            }
            if sent {
                delivery.delivered(1);
            } else {
                delivery.failed(1, Reason::SinkFailed);
            }
        }
    }

    fn report_lost(&mut self, lost: &Lost, batch: &mut Lines) {
        self.notice.write(lost, batch);
    }
}

/// The addresses, from the one on whose turn it is.
fn in_turn(mut addresses: Vec<SocketAddr>, turn: usize) -> Vec<SocketAddr> {
    let first = turn.checked_rem(addresses.len()).unwrap_or(0);
    addresses.rotate_left(first);
    addresses
}

fn send(socket: &UdpSocket, document: &[u8]) -> io::Result<()> {
    socket.send(document)?;
    // A closed port on this machine has said so by now.
    match socket.take_error()? {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn connect(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_write_timeout(Some(SEND))?;
    // Connected, the socket learns that the port is closed.
    socket.connect(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_turn() {
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let check = |ports: &[u16], turn, expected: &[u16]| {
            let found = in_turn(ports.iter().copied().map(address).collect(), turn);
            let expected: Vec<_> = expected.iter().copied().map(address).collect();
            assert_eq!(found, expected, "{turn}");
        };
        check(&[], 3, &[]);
        check(&[1], 7, &[1]);
        check(&[1, 2, 3], 0, &[1, 2, 3]);
        check(&[1, 2, 3], 1, &[2, 3, 1]);
        check(&[1, 2, 3], 5, &[3, 1, 2]);
    }
}
