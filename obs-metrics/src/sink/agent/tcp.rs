//! The agent over TCP: lines on a kept connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime};

use obs_core::lane::{Delivery, Lines, Lost, Sink};

use super::Notice;
use super::endpoint::Endpoint;
use super::patience::{GLANCE, Patience, pause_of};
use super::progress::Progress;

/// The least time that a connection gets, also right before a deadline.
const LEAST_CONNECT: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug)]
struct Limits {
    /// How long nothing at all may be taken before what is being sent has failed. Long enough for an
    /// agent to be restarted or replaced; what is recorded meanwhile is in the queue.
    patience: Duration,
    /// How long a connection may take nothing before it is given up: the system itself would wait a
    /// quarter of an hour for a host that is gone.
    stall: Duration,
    connect: Duration,
    /// How long a connection may lie unused: firewalls and load balancers forget it after 350 seconds
    /// without a word.
    idle: Duration,
}

const LIMITS: Limits = Limits {
    patience: Duration::from_secs(60),
    stall: Duration::from_secs(10),
    connect: Duration::from_secs(2),
    idle: Duration::from_secs(300),
};

#[derive(Debug)]
pub(super) struct TcpSink {
    endpoint: Endpoint,
    notice: Notice,
    limits: Limits,
    connection: Option<Connection>,
    /// Tries in a row that got nothing through.
    failures: u32,
    /// Until then, callers' threads do not try again.
    closed_until: Option<Instant>,
}

impl TcpSink {
    pub(super) fn new(endpoint: Endpoint, notice: Notice) -> Self {
        Self { endpoint, notice, limits: LIMITS, connection: None, failures: 0, closed_until: None }
    }

    /// Tries until all is written or the patience is over; false then.
    fn write(
        &mut self,
        progress: &mut Progress<'_, impl Iterator<Item = usize>>,
        patience: &mut Patience<'_>,
        delivery: &Delivery<'_>,
    ) -> bool {
        loop {
            let kept = self.connection.take().filter(|kept| kept.is_alive(self.limits.idle));
            let is_fresh = kept.is_none();
            let connected = match kept {
                Some(kept) => Ok(kept),
                None => self.connect(patience),
            };
            let taken_before = progress.rest().len();
            let written = connected.and_then(|mut connection| {
                connection.write(progress, patience, delivery, self.limits.stall)?;
                Ok(connection)
            });
            let error = match written {
                Ok(connection) => {
                    self.connection = Some(connection);
                    self.failures = 0;
                    return true;
                }
                Err(error) => error,
            };
            progress.begin_line_again();
            if progress.rest().len() < taken_before {
                self.failures = 0;
            }
            let out_of_time = patience.is_over();
            let gave_up = out_of_time && error.kind() == ErrorKind::TimedOut;
            if !is_fresh && !gave_up {
                // It may have been dead for long, as after a thaw: a fresh one is tried at once.
                continue;
            }
            self.failures = self.failures.saturating_add(1);
            if out_of_time || patience.on_caller() {
                return false;
            }
            patience.pause(self.failures);
            if patience.is_over() {
                return false;
            }
        }
    }

    fn connect(&self, patience: &Patience<'_>) -> io::Result<Connection> {
        let mut failed = io::Error::new(ErrorKind::NotFound, "the host has no address");
        for address in self.endpoint.resolve()? {
            let limit = patience.left().min(self.limits.connect).max(LEAST_CONNECT);
            match TcpStream::connect_timeout(&address, limit).and_then(Connection::of) {
                Ok(connection) => return Ok(connection),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

impl Sink<Lines> for TcpSink {
    fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
        let mut patience = Patience::new(delivery, self.limits.patience);
        let closed = self.closed_until.is_some_and(|until| Instant::now() < until);
        if closed && patience.on_caller() {
            // What is not accounted for has failed.
            return;
        }
        let written = self.write(&mut Progress::of(batch), &mut patience, delivery);
        self.closed_until =
            (!written).then(|| Instant::now() + pause_of(self.failures, false, fastrand::f64()));
    }

    fn report_lost(&mut self, lost: &Lost, batch: &mut Lines) {
        self.notice.write(lost, batch);
    }
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// By the system's clock, which goes on while the process is frozen.
    used: SystemTime,
}

impl Connection {
    fn of(stream: TcpStream) -> io::Result<Self> {
        // Whole batches are written: there is nothing to wait for.
        stream.set_nodelay(true)?;
        // A write returns soon, so that deadlines are seen.
        stream.set_write_timeout(Some(GLANCE))?;
        Ok(Self { stream, used: SystemTime::now() })
    }

    /// Whether the agent has not closed it, as far as one can know.
    ///
    /// A write to a connection that the other side has closed succeeds and is lost, so it is asked
    /// before.
    fn is_alive(&self, idle: Duration) -> bool {
        let unused = SystemTime::now().duration_since(self.used).unwrap_or(Duration::MAX);
        unused < idle
            && self.stream.set_nonblocking(true).is_ok()
            && nothing_more_to_read(&self.stream)
            && self.stream.set_nonblocking(false).is_ok()
    }

    fn write(
        &mut self,
        progress: &mut Progress<'_, impl Iterator<Item = usize>>,
        patience: &mut Patience<'_>,
        delivery: &Delivery<'_>,
        stall: Duration,
    ) -> io::Result<()> {
        let mut taken_at = Instant::now();
        while !progress.rest().is_empty() {
            match self.stream.write(progress.rest()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => {
                    delivery.delivered(progress.took(n));
                    patience.renew();
                    taken_at = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if patience.is_over() || taken_at.elapsed() >= stall {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.used = SystemTime::now();
        Ok(())
    }
}

/// Reads what an agent may have said, which means nothing here; false at the end of the stream.
fn nothing_more_to_read(mut stream: &TcpStream) -> bool {
    let mut buffer = [0; 256];
    // Bounded: one that talks without end is no agent.
    for _ in 0..16 {
        match stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
    false
}

#[cfg(test)]
#[path = "tcp_tests.rs"]
mod tests;
