//! Where lines go: counted and forgotten, or kept to be looked at.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A writer that counts bytes and lines, so that nobody can save time by writing nothing.
#[derive(Debug, Default)]
pub struct Tally {
    bytes: AtomicU64,
    lines: AtomicU64,
}

impl Tally {
    /// Nothing written yet. `static`s of it can be handed out as writers.
    pub const fn new() -> Self {
        Self { bytes: AtomicU64::new(0), lines: AtomicU64::new(0) }
    }

    /// Bytes and lines so far.
    pub fn read(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.lines.load(Ordering::Relaxed))
    }
}

impl Write for &Tally {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.bytes.fetch_add(buf.len() as u64, Ordering::Relaxed);
        if buf.last() == Some(&b'\n') {
            self.lines.fetch_add(1, Ordering::Relaxed);
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that keeps what is written. All clones are one.
#[derive(Clone, Debug, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// What was written, as text.
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
