//! Datagrams to the daemon: a socket that is opened when it is needed, sent to in bursts that the
//! daemon has time to read, and an account of what became of each datagram.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use obs_core::lane::{Delivery, LastFailure, Reason};

use crate::xray::DaemonAddress;

/// What stands in front of whatever is sent to the daemon.
pub(crate) const HEADER: &[u8] = b"{\"format\":\"json\",\"version\":1}\n";
/// The daemon's limit for a datagram, header included: 64 KiB, less what UDP and IP need.
pub(crate) const MAX_DATAGRAM: usize = 65_507;
/// What a system sends that refuses the largest datagram: macOS, unless it is told otherwise.
pub(crate) const SMALL_DATAGRAM: usize = 9_216;

/// How long one datagram waits for room in the system's buffer.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);
/// How long a daemon whose address could not be found is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How much is sent in one go. A socket's receive buffer has 208 KiB on Linux unless it is told
/// otherwise, and what does not fit is lost without a word to the sender: the daemon gets time to
/// read.
const BURST_BYTES: usize = 64 * 1024;
/// What a datagram takes of that buffer beside its own length.
const DATAGRAM_OVERHEAD: usize = 1024;
/// How long the daemon gets to read a burst.
const PAUSE: Duration = Duration::from_millis(1);
/// A flush that has less time left than this gets no pauses: perhaps lost is better than certainly.
const HURRY: Duration = Duration::from_millis(50);

/// Sends datagrams to one daemon.
#[derive(Debug)]
pub(crate) struct Datagrams {
    address: DaemonAddress,
    link: Link,
    burst: Burst,
    failure: LastFailure,
}

#[derive(Debug)]
enum Link {
    /// Not used yet, or given up after an error: opened by the next datagram.
    Closed,
    Open(UdpSocket),
    /// The address could not be found at this moment.
    Failed(Instant),
}

/// The system does not send datagrams of this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Datagrams {
    pub(crate) fn new(address: DaemonAddress, failure: LastFailure) -> Self {
        Self { address, link: Link::Closed, burst: Burst(0), failure }
    }

    /// Sends one datagram that holds `items`, and accounts for them, unless it is too large: then
    /// nothing is accounted for.
    pub(crate) fn send(
        &mut self,
        datagram: &[u8],
        items: usize,
        account: &mut Account<'_, '_>,
    ) -> Result<(), TooLarge> {
        if self.burst.is_full_with(datagram.len()) && !account.is_in_hurry() {
            thread::sleep(PAUSE);
        }
        self.open_link();
        let Link::Open(socket) = &self.link else {
            account.failed(items);
            return Ok(());
        };
        match send(socket, datagram, || account.refused()) {
            Ok(()) => account.sent(items),
            Err(error) if is_too_large(&error) => return Err(TooLarge),
            Err(error) => {
                account.failed(items);
                self.failure.set(format!("not sent to {}: {error}", self.address));
                if !is_about_this_datagram(&error) {
                    self.link = Link::Closed;
                }
            }
        }
        Ok(())
    }

    /// Settles the account of a delivery, after its last datagram.
    pub(crate) fn settle(&self, mut account: Account<'_, '_>) {
        if let Link::Open(socket) = &self.link
            && let Ok(Some(error)) = socket.take_error()
            && is_refusal(&error)
        {
            self.failure.set(format!("nobody listens at {}", self.address));
            account.refused();
        }
        account.settle();
    }

    fn open_link(&mut self) {
        let due = match &self.link {
            Link::Open(_) => false,
            Link::Closed => true,
            Link::Failed(at) => at.elapsed() >= RETRY_AFTER,
        };
        if due {
            self.link = match open(&self.address) {
                Ok(socket) => Link::Open(socket),
                Err(error) => {
                    self.failure.set(format!("no socket to {}: {error}", self.address));
                    Link::Failed(Instant::now())
                }
            };
        }
    }
}

/// What was sent since the last pause, as the daemon's buffer counts it.
#[derive(Debug)]
struct Burst(usize);

impl Burst {
    /// Adds a datagram. True if the daemon needs a pause before it: the next burst begins with it.
    fn is_full_with(&mut self, datagram: usize) -> bool {
        let cost = datagram + DATAGRAM_OVERHEAD;
        let is_full = self.0 > 0 && self.0 + cost > BURST_BYTES;
        self.0 = if is_full { cost } else { self.0 + cost };
        is_full
    }
}

/// What became of the datagrams of one delivery.
///
/// The system tells that nobody listens only with the next datagram (the answer comes back later),
/// and that one is then not sent. So each datagram is accounted for when the one after it is under
/// way, and sent once more if it was the messenger.
#[derive(Debug)]
pub(crate) struct Account<'a, 'b> {
    delivery: &'a Delivery<'b>,
    /// What was sent of which it is not known yet that somebody took it.
    in_doubt: usize,
}

impl<'a, 'b> Account<'a, 'b> {
    pub(crate) fn new(delivery: &'a Delivery<'b>) -> Self {
        Self { delivery, in_doubt: 0 }
    }

    pub(crate) fn failed(&self, items: usize) {
        self.delivery.failed(items, Reason::SinkFailed);
    }

    /// Whether a flush waits that has no time for pauses.
    fn is_in_hurry(&self) -> bool {
        let left = |at: Instant| at.saturating_duration_since(Instant::now());
        self.delivery.deadline().is_some_and(|at| left(at) < HURRY)
    }

    fn sent(&mut self, items: usize) {
        self.settle();
        self.in_doubt = items;
    }

    /// Nobody listened to the one before.
    fn refused(&mut self) {
        let lost = std::mem::take(&mut self.in_doubt);
        self.failed(lost);
    }

    fn settle(&mut self) {
        self.delivery.delivered(std::mem::take(&mut self.in_doubt));
    }
}

/// Sends one datagram. `refused` is called if the system says instead that nobody took the one
/// before.
fn send(socket: &UdpSocket, datagram: &[u8], refused: impl FnOnce()) -> io::Result<()> {
    let sent = match socket.send(datagram) {
        Err(error) if is_refusal(&error) => {
            refused();
            socket.send(datagram)
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => socket.send(datagram),
        sent => sent,
    };
    sent.map(drop)
}

fn open(address: &DaemonAddress) -> io::Result<UdpSocket> {
    let remote = address.resolve()?;
    let local: SocketAddr = match remote {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local)?;
    socket.set_write_timeout(Some(SEND_TIMEOUT))?;
    socket.connect(remote)?;
    Ok(socket)
}

/// Whether an answer says that nobody listens there. Windows calls it a reset.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}

/// Whether the system does not send datagrams of this size: `EMSGSIZE`.
fn is_too_large(error: &io::Error) -> bool {
    let code = if cfg!(any(target_os = "linux", target_os = "android")) {
        90
    } else if cfg!(windows) {
        10_040
    } else {
        40
    };
    error.raw_os_error() == Some(code)
}

/// Whether the socket is as good as before: the error was this datagram's size, a full buffer, or a
/// daemon that is not there.
fn is_about_this_datagram(error: &io::Error) -> bool {
    is_refusal(error)
        || is_too_large(error)
        || matches!(
            error.kind(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_gets_a_pause_before_its_buffer_is_full() {
        let pauses = |datagrams: &[usize]| {
            let mut burst = Burst(0);
            datagrams.iter().map(|bytes| u8::from(burst.is_full_with(*bytes))).collect::<Vec<_>>()
        };
        assert_eq!(pauses(&[MAX_DATAGRAM, 400, 400]), [0, 1, 0]);
        assert_eq!(pauses(&[30_000, 30_000, 30_000, 30_000]), [0, 0, 1, 0]);
        let small: u32 = pauses(&[512; 1_000]).into_iter().map(u32::from).sum();
        assert_eq!(small, 1_000 / 42);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_datagram_that_tells_of_a_refusal_is_sent_again() {
        let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(address).unwrap();
        send(&socket, b"into the void", || panic!("nothing was sent before")).unwrap();
        let daemon = UdpSocket::bind(address).unwrap();
        let mut refused = 0;
        send(&socket, b"tells of it", || refused += 1).unwrap();
        assert_eq!(refused, 1);
        let mut buffer = [0; 16];
        let length = daemon.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"tells of it");
    }

    #[test]
    fn a_datagram_that_the_system_does_not_take_is_told_from_other_errors() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(socket.local_addr().unwrap()).unwrap();
        let error = socket.send(&vec![0; 70_000]).unwrap_err();
        assert!(is_too_large(&error), "{error:?}");
        assert!(is_about_this_datagram(&error));
        assert!(!is_too_large(&io::Error::from(ErrorKind::NotConnected)));
    }
}
