//! The UDP socket.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use super::check::{LARGEST_DATAGRAM, Violation, check};
use super::segment::Segment;

/// How often the thread looks whether it should end.
const POLL: Duration = Duration::from_millis(50);

/// A datagram that arrived, and what the check said.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Datagram {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// When it arrived.
    pub at: SystemTime,
    /// The segment in it, or everything that is wrong with it.
    pub segment: Result<Segment, Vec<Violation>>,
}

/// Listens on a free port of 127.0.0.1 until it is dropped.
///
/// A thread of its own rather than a task: what arrives is taken off the socket however busy the
/// runtime of the caller is.
#[derive(Debug)]
pub struct Daemon {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Datagram>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts listening.
    ///
    /// # Errors
    ///
    /// When no socket can be bound or no thread started.
    pub fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(POLL))?;
        let address = socket.local_addr()?;
        let received = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name("xray-daemon".into()).spawn({
            let received = Arc::clone(&received);
            let stop = Arc::clone(&stop);
            move || listen(&socket, &received, &stop)
        })?;
        Ok(Self { address, received, stop, thread: Some(thread) })
    }

    /// Where it listens: what `AWS_XRAY_DAEMON_ADDRESS` must say.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that has arrived, oldest first.
    #[must_use]
    pub fn received(&self) -> Vec<Datagram> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has nothing to report, and a panic of it was printed by the panic hook.
            let _ = thread.join();
        }
    }
}

fn listen(socket: &UdpSocket, received: &Mutex<Vec<Datagram>>, stop: &AtomicBool) {
    // One more than is allowed, so that what is too large is seen as such and not cut.
    let mut buffer = vec![0; LARGEST_DATAGRAM + 1];
    while !stop.load(Ordering::Relaxed) {
        // An error is the timeout, or an ICMP message about a peer that is gone: neither ends the loop.
        let Ok((length, _)) = socket.recv_from(&mut buffer) else { continue };
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        let segment = check(&bytes);
        received.lock().unwrap_or_else(PoisonError::into_inner).push(Datagram {
            bytes,
            at: SystemTime::now(),
            segment,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::Daemon;

    #[test]
    fn datagrams_are_kept_with_their_verdict() {
        let daemon = Daemon::start().unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let good = "{\"format\":\"json\",\"version\":1}\n{\"name\":\"a\",\"id\":\"70de5b6f19ff9a0a\",\
                    \"trace_id\":\"1-581cf771-a006649127e371903a2de979\",\"start_time\":1.0,\"end_time\":2.5}";
        for datagram in [good, "not a segment"] {
            sender.send_to(datagram.as_bytes(), daemon.address()).unwrap();
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while daemon.received().len() < 2 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        let received = daemon.received();
        assert_eq!(received.len(), 2);
        assert_eq!(received[0].segment.as_ref().unwrap().own.seconds(), Some(1.5));
        assert!(received[1].segment.is_err());
        assert_eq!(received[1].bytes, b"not a segment");
    }
}
