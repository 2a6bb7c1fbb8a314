//! Each thread's buffers, so that an event in the steady state allocates nothing.

use std::cell::Cell;

use obs_core::health::{self, Event};

use crate::callsite::SeenCallsites;
use crate::fields::Fields;
use crate::span::View;
use crate::timestamp::Second;
use crate::visitor::LogRecord;

/// What one encoding works in.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) line: Vec<u8>,
    /// The line again, where it is written in another format.
    pub(crate) text: Vec<u8>,
    /// The event's or the span's own fields.
    pub(crate) fields: Fields,
    /// The fields that were appended to the request.
    pub(crate) appended: Fields,
    pub(crate) log_record: LogRecord,
    /// What is taken from a span that the thread has not entered, or not yet read.
    pub(crate) view: View,
    pub(crate) second: Second,
    /// When the line was recorded.
    pub(crate) at: u64,
    pub(crate) callsites: SeenCallsites,
}

/// How deep an event may be caused by the encoding of another: a `Debug` that logs is one level,
/// one that logs itself would never end.
const MAX_DEPTH: u32 = 4;

/// A buffer that one large line has grown beyond this is given back after it.
const KEEP_BYTES: usize = 64 * 1024;

thread_local! {
    /// Taken out while in use: what is encoded may log, and then finds nothing here and works in
    /// buffers of its own.
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Runs `encode` with this thread's buffers; `None`, and counted, where it is nested too deep.
pub(crate) fn with<R>(encode: impl FnOnce(&mut Scratch) -> R) -> Option<R> {
    let _nested = Nested::enter()?;
    // Where the thread is ending and its buffers are gone, new ones do.
    let mut scratch = SCRATCH.try_with(Cell::take).ok().flatten().unwrap_or_default();
    let result = encode(&mut scratch);
    scratch.trim();
    let _ending = SCRATCH.try_with(|slot| slot.set(Some(scratch)));
    Some(result)
}

/// Counts one level, also where the encoding unwinds.
struct Nested;

impl Nested {
    fn enter() -> Option<Self> {
        let depth = DEPTH.get();
        if depth >= MAX_DEPTH {
            health::count(Event::Reentrant);
            return None;
        }
        DEPTH.set(depth + 1);
        Some(Self)
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

impl Scratch {
    /// Gives back what one large line has grown the buffers by.
    #[inline]
    fn trim(&mut self) {
        let Self { line, text, fields, appended, view, .. } = &*self;
        let lines = line.capacity().max(text.capacity());
        let fields = fields.capacity().max(appended.capacity()).max(view.capacity());
        if lines.max(fields) > KEEP_BYTES {
            self.trim_some();
        }
    }

    #[cold]
    fn trim_some(&mut self) {
        for buffer in [&mut self.line, &mut self.text] {
            if buffer.capacity() > KEEP_BYTES {
                *buffer = Vec::new();
            }
        }
        for fields in [&mut self.fields, &mut self.appended] {
            if fields.capacity() > KEEP_BYTES {
                *fields = Fields::default();
            }
        }
        self.view.trim();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_encodings_have_buffers_of_their_own_and_end() {
        // 20
        fn nest(level: u32) -> u32 {
            with(|scratch| {
                assert!(scratch.line.is_empty());
                scratch.line.push(b'x');
                let deepest = nest(level + 1);
                assert_eq!(scratch.line, b"x");
                scratch.line.clear();
                deepest
            })
            .unwrap_or(level)
        }
        assert_eq!(nest(0), MAX_DEPTH);
        assert_eq!(nest(0), MAX_DEPTH);
    }

    #[test]
    fn the_level_is_left_when_the_encoding_unwinds() {
        for _ in 0..2 * MAX_DEPTH {
            let unwound =
                std::panic::catch_unwind(|| with(|_| std::panic::resume_unwind(Box::new(()))));
            assert!(unwound.is_err());
        }
        assert_eq!(with(|_| 1), Some(1));
    }

    #[test]
    fn a_large_line_does_not_hold_its_memory() {
        with(|scratch| scratch.line.resize(10 << 20, b'x'));
        with(|scratch| assert!(scratch.line.capacity() <= KEEP_BYTES));
    }
}
