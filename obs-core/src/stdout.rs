//! Stdout, shared by logs and EMF: one lock, one write per line; and sinks for any writer.

use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::health::{self, Event};
use crate::lane::{Delivery, Lines, Lost, Reason, Sink};

/// How long a write that would block is tried again before it is given up.
const PATIENCE: Duration = Duration::from_millis(250);

/// Writes one line, which ends with a line feed, to stdout: under the lock that `println!` takes
/// too, in one write.
///
/// # Errors
///
/// Stdout is closed, or did not take the line within a quarter of a second. Counted as
/// [`Event::StdoutFailed`].
pub fn write_line(line: &[u8]) -> io::Result<()> {
    write_line_until(line, &mut Patience::default())
}

fn write_line_until(line: &[u8], patience: &mut Patience) -> io::Result<()> {
    // What `Stdout` could not pass on stays in its buffer and goes before the next line: none is torn.
    let mut out = io::stdout().lock();
    write_all(&mut out, line, patience)
        .and_then(|()| flush_patiently(&mut out, patience))
        .inspect_err(|_| health::count(Event::StdoutFailed))
}

/// Delivers lines to stdout.
#[derive(Default)]
pub struct StdoutSink {
    on_lost: Option<OnLost>,
}

impl StdoutSink {
    /// A sink that says nothing of what was dropped.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `report` where items were dropped, to add a line that says so.
    #[must_use = "a sink is changed by value"]
    pub fn on_lost(mut self, report: impl FnMut(&Lost, &mut Lines) + Send + 'static) -> Self {
        self.on_lost = Some(Box::new(report));
        self
    }
}

impl fmt::Debug for StdoutSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdoutSink").finish_non_exhaustive()
    }
}

impl Sink<Lines> for StdoutSink {
    fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
        let mut patience = Patience::default();
        for line in batch.iter() {
            match write_line_until(line, &mut patience) {
                Ok(()) => delivery.delivered(1),
                Err(_) => delivery.failed(1, Reason::SinkFailed),
            }
        }
    }

    fn report_lost(&mut self, lost: &Lost, batch: &mut Lines) {
        if let Some(report) = &mut self.on_lost {
            report(lost, batch);
        }
    }
}

/// Delivers lines to any writer, one write per line, flushed after each batch.
pub struct WriterSink<W> {
    writer: W,
    /// The last line went out in part: the next begins on a line of its own.
    torn: bool,
    on_lost: Option<OnLost>,
}

impl<W: Write + Send + 'static> WriterSink<W> {
    /// A sink for `writer` that says nothing of what was dropped.
    pub fn new(writer: W) -> Self {
        Self { writer, torn: false, on_lost: None }
    }

    /// Calls `report` where items were dropped, to add a line that says so.
    #[must_use = "a sink is changed by value"]
    pub fn on_lost(mut self, report: impl FnMut(&Lost, &mut Lines) + Send + 'static) -> Self {
        self.on_lost = Some(Box::new(report));
        self
    }
}

impl<W> fmt::Debug for WriterSink<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriterSink").finish_non_exhaustive()
    }
}

impl<W: Write + Send + 'static> Sink<Lines> for WriterSink<W> {
    fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
        let mut patience = Patience::default();
        let mut written = 0;
        for line in batch.iter() {
            if self.torn && write_all(&mut self.writer, b"\n", &mut patience).is_ok() {
                self.torn = false;
            }
            let mut counted = Counted { writer: &mut self.writer, bytes: 0 };
            match write_all(&mut counted, line, &mut patience) {
                Ok(()) => written += 1,
                Err(_) => {
                    self.torn |= counted.bytes > 0;
                    delivery.failed(1, Reason::SinkFailed);
                }
            }
        }
        // A line has arrived only when a buffering writer has passed it on.
        match flush_patiently(&mut self.writer, &mut patience) {
            Ok(()) => delivery.delivered(written),
            Err(_) => delivery.failed(written, Reason::SinkFailed),
        }
    }

    fn report_lost(&mut self, lost: &Lost, batch: &mut Lines) {
        if let Some(report) = &mut self.on_lost {
            report(lost, batch);
        }
    }
}

type OnLost = Box<dyn FnMut(&Lost, &mut Lines) + Send>;

/// Counts what a writer took.
struct Counted<'a, W> {
    writer: &'a mut W,
    bytes: usize,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.writer.write(bytes)?;
        self.bytes += n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn write_all(out: &mut impl Write, mut rest: &[u8], patience: &mut Patience) -> io::Result<()> {
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                rest = rest.get(n..).unwrap_or_default();
                patience.renew();
            }
            Err(error) => patience.bear(error)?,
        }
    }
    Ok(())
}

fn flush_patiently(out: &mut impl Write, patience: &mut Patience) -> io::Result<()> {
    loop {
        match out.flush() {
            Ok(()) => return Ok(()),
            Err(error) => patience.bear(error)?,
        }
    }
}

/// Lets calls that were interrupted or would block be made again, for a while: over a whole batch,
/// unless something is taken in between.
#[derive(Default)]
struct Patience {
    give_up: Option<Instant>,
}

impl Patience {
    fn renew(&mut self) {
        self.give_up = None;
    }

    fn bear(&mut self, error: io::Error) -> io::Result<()> {
        match error.kind() {
            io::ErrorKind::Interrupted => Ok(()),
            io::ErrorKind::WouldBlock => {
                let now = Instant::now();
                if now >= *self.give_up.get_or_insert(now + PATIENCE) {
                    return Err(error);
                }
                std::thread::sleep(Duration::from_millis(1));
                Ok(())
            }
            _ => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes one byte at a time, with an `Interrupted` and a few `WouldBlock`s in between.
    #[derive(Default)]
    struct Reluctant {
        calls: usize,
        taken: Vec<u8>,
    }

    impl Write for Reluctant {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            match self.calls % 4 {
                1 => Err(io::ErrorKind::WouldBlock.into()),
                2 => Err(io::ErrorKind::Interrupted.into()),
                _ => {
                    self.taken.push(bytes[0]);
                    Ok(1)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn scenario_21_a_writer_that_would_block_gets_the_line_in_the_end() {
        let mut out = Reluctant::default();
        write_all(&mut out, b"a line\n", &mut Patience::default()).unwrap();
        assert_eq!(out.taken, b"a line\n");
    }

    #[test]
    fn scenario_21_a_writer_that_never_takes_anything_is_given_up() {
        struct Never;
        impl Write for Never {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::WouldBlock.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let start = Instant::now();
        let mut patience = Patience::default();
        let error = write_all(&mut Never, b"a line\n", &mut patience).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(start.elapsed() >= PATIENCE);
        // The rest of the batch does not wait as long again.
        let start = Instant::now();
        assert!(write_all(&mut Never, b"another\n", &mut patience).is_err());
        assert!(start.elapsed() < PATIENCE);
    }

    #[test]
    fn scenario_21_a_torn_line_does_not_spoil_the_next() {
        use crate::lane::Lane;
        use std::sync::{Arc, Mutex};

        /// Takes four bytes, then nothing, then everything.
        #[derive(Clone, Default)]
        struct Tears(Arc<Mutex<(usize, Vec<u8>)>>);
        impl Write for Tears {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let mut seen = crate::lock(&self.0);
                seen.0 += 1;
                match seen.0 {
                    1 => {
                        seen.1.extend_from_slice(&bytes[..4]);
                        Ok(4)
                    }
                    2 => Err(io::ErrorKind::BrokenPipe.into()),
                    _ => {
                        seen.1.extend_from_slice(bytes);
                        Ok(bytes.len())
                    }
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let out = Tears::default();
        let lane = Lane::builder("tears").start(WriterSink::new(out.clone()));
        for line in ["first", "second"] {
            lane.push(8, |lines: &mut Lines| lines.push(line.as_bytes()));
        }
        let report = lane.flush(Duration::from_secs(20));
        assert_eq!((report.delivered(), report.failed()), (1, 1));
        assert_eq!(crate::lock(&out.0).1, b"firs\nsecond\n");
    }
}
