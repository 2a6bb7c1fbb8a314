//! Lines that are kept with their request, and written only if it fails.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use obs_core::RequestContext;

use crate::layer::Core;
use crate::own_event;

/// Keeps a line with its request: at most `most` bytes of the newest.
pub(crate) fn hold(core: &Arc<Core>, request: &RequestContext, line: &[u8], most: usize) {
    let mut held = request.slot(HeldLines::default).lock();
    if let Some(held) = held.iter_mut().find(|held| held.logger == core.id) {
        held.ring.push(line, most);
        return;
    }
    let mut ring = Ring::default();
    ring.push(line, most);
    held.push(Held { logger: core.id, core: Arc::downgrade(core), ring });
}

/// Writes what the logger holds for the request, oldest first; before it, if there is anything to
/// say, how much was left out.
///
/// Each line is copied, and taken out of the ring while it is added to the lane, under the lane's lock.
/// So two threads that do this at once keep the order in a queued lane, and neither waits for the
/// other's writing. Who comes too late for a line adds nothing: what the lane is charged with is what
/// it gets.
pub(crate) fn release(core: &Core, request: &RequestContext) {
    let Some(all) = request.slot_if_made::<HeldLines>() else { return };
    if core.lane.is_delivering() {
        // The writer itself has logged an error: it would not take them now.
        return;
    }
    let (lines, evicted) = all.with(core.id, Ring::begin_release).unwrap_or_default();
    if evicted > 0 {
        let _entered = request.enter();
        own_event::lines_evicted(evicted, |event| core.log_own(event));
    }
    let (mut line, mut readable) = (Vec::new(), Vec::new());
    // Not until it is empty: others of the request may go on to log.
    for _ in 0..lines {
        line.clear();
        let front = all.with(core.id, |ring| ring.copy_front(&mut line)).flatten();
        let Some(number) = front else { return };
        let take = || all.with(core.id, |ring| ring.take_front(number)) == Some(true);
        let text = core.formatted(&line, &mut readable);
        // `None`: not asked, as there was no room; the lane has counted it.
        let mut is_ours = None;
        core.lane.push(text.len() + 1, |lines| {
            let taken = take();
            if taken {
                lines.push(text);
            }
            is_ours = Some(taken);
        });
        // Another thread that has the line also brings it to the lane beside.
        if !is_ours.unwrap_or_else(take) {
            continue;
        }
        if let Some(beside) = &core.beside {
            beside.push(line.len() + 1, |lines| lines.push(&line));
        }
    }
}

/// Writes what the loggers of this process hold for the current request, as
/// [`StructuredLogger::release_held`](crate::StructuredLogger::release_held) does it for one of them:
/// for what knows of a request's failure and logs no error.
///
/// ```
/// use obs_core::RequestContext;
///
/// let request = RequestContext::builder().request_id("8f5c").build();
/// let _entered = request.enter();
/// tracing::debug!("asked the cache");
/// let status = 500;
/// if status >= 500 {
///     obs_logging::release_held();
/// }
/// ```
pub fn release_held() {
    let Some(request) = RequestContext::current() else { return };
    let Some(all) = request.slot_if_made::<HeldLines>() else { return };
    let loggers: Vec<_> = all.lock().iter().filter_map(|held| held.core.upgrade()).collect();
    for core in loggers {
        release(&core, &request);
    }
}

/// What a request holds, in its slot: dropped with it.
#[derive(Debug, Default)]
struct HeldLines(Mutex<Vec<Held>>);

#[derive(Debug)]
struct Held {
    logger: u64,
    core: Weak<Core>,
    ring: Ring,
}

impl HeldLines {
    /// No other lock is taken under this one, and no code of the application runs under it.
    fn lock(&self) -> MutexGuard<'_, Vec<Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<R>(&self, logger: u64, work: impl FnOnce(&mut Ring) -> R) -> Option<R> {
        self.lock().iter_mut().find(|held| held.logger == logger).map(|held| work(&mut held.ring))
    }
}

/// The newest lines, up to a number of bytes; each with its length before it.
#[derive(Debug, Default)]
struct Ring {
    bytes: VecDeque<u8>,
    lines: usize,
    /// The oldest line's number: how many were there before it.
    front: u64,
    /// Lines that were left out since the last release.
    evicted: u64,
}

/// A line's length, as it stands before it.
const LENGTH: usize = size_of::<u32>();

impl Ring {
    fn push(&mut self, line: &[u8], most: usize) {
        let needed = LENGTH + line.len();
        let Some(length) = u32::try_from(line.len()).ok().filter(|_| needed <= most) else {
            self.evicted += 1;
            return;
        };
        while self.bytes.len() + needed > most && self.lines > 0 {
            self.drop_front();
            self.evicted += 1;
        }
        self.reserve(needed, most);
        self.bytes.extend(&length.to_le_bytes());
        self.bytes.extend(line);
        self.lines += 1;
    }

    /// Makes room, at least as much again as there was, but never more than `most` in all.
    fn reserve(&mut self, needed: usize, most: usize) {
        let wanted = self.bytes.len() + needed;
        if wanted > self.bytes.capacity() {
            let capacity = (2 * self.bytes.capacity()).clamp(wanted, most.max(wanted));
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
    }

    /// How many lines there are, and how many were left out, which begins anew.
    fn begin_release(&mut self) -> (usize, u64) {
        (self.lines, std::mem::take(&mut self.evicted))
    }

    /// The oldest line's length.
    fn front_len(&self) -> Option<usize> {
        let mut length = [0; LENGTH];
        let mut bytes = self.bytes.iter();
        for byte in &mut length {
            *byte = *bytes.next()?;
        }
        usize::try_from(u32::from_le_bytes(length)).ok()
    }

    /// Appends the oldest line to `out`, and says its number.
    fn copy_front(&self, out: &mut Vec<u8>) -> Option<u64> {
        let length = self.front_len()?;
        let (first, second) = self.bytes.as_slices();
        let skipped = LENGTH.min(first.len());
        let (first, second) = (first.get(skipped..)?, second.get(LENGTH - skipped..)?);
        let of_first = length.min(first.len());
        out.extend_from_slice(first.get(..of_first)?);
        out.extend_from_slice(second.get(..length - of_first)?);
        Some(self.front)
    }

    /// Takes the oldest line away, if it is still the one of this number.
    fn take_front(&mut self, number: u64) -> bool {
        let is_there = self.lines > 0 && self.front == number;
        if is_there {
            self.drop_front();
        }
        is_there
    }

    fn drop_front(&mut self) {
        let Some(length) = self.front_len() else { return };
        self.bytes.drain(..LENGTH + length);
        self.lines -= 1;
        self.front += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn emptied(ring: &mut Ring) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let (held, _) = ring.begin_release();
        for _ in 0..held {
            let mut line = Vec::new();
            let number = ring.copy_front(&mut line).unwrap();
            assert!(ring.take_front(number));
            lines.push(line);
        }
        assert_eq!((ring.lines, ring.bytes.len()), (0, 0));
        lines
    }

    #[test]
    fn the_newest_lines_are_kept_and_the_others_counted() {
        let mut ring = Ring::default();
        for n in 0..10 {
            ring.push(format!("line {n}").as_bytes(), 30);
        }
        assert_eq!((ring.lines, ring.evicted), (3, 7));
        assert_eq!(emptied(&mut ring), [b"line 7", b"line 8", b"line 9"]);
        assert_eq!(ring.evicted, 0);
    }

    #[test]
    fn a_line_that_is_longer_than_the_ring_is_counted_and_pushes_nothing_out() {
        let mut ring = Ring::default();
        ring.push(b"kept", 20);
        ring.push(&[b'x'; 17], 20);
        ring.push(&[b'x'; 1 << 20], 20);
        assert_eq!((ring.lines, ring.evicted), (1, 2));
        ring.push(&[b'y'; 16], 20);
        assert_eq!((ring.lines, ring.evicted), (1, 3), "just as long as the ring");
        assert_eq!(emptied(&mut ring), [[b'y'; 16]]);
    }

    #[test]
    fn a_line_is_taken_once_however_many_have_a_copy() {
        let mut ring = Ring::default();
        for line in [b"short".as_slice(), b"a long one"] {
            ring.push(line, 64);
        }
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let (first, again) = (ring.copy_front(&mut one), ring.copy_front(&mut other));
        assert_eq!((&one, first), (&other, again));
        assert!(ring.take_front(first.unwrap()));
        assert!(!ring.take_front(again.unwrap()), "the next line is not taken in its place");
        assert_eq!(emptied(&mut ring), [b"a long one"]);
        // Nor what comes in the place of one that had to go.
        ring.push(b"old", 10);
        let old = ring.copy_front(&mut one).unwrap();
        ring.push(b"newer", 10);
        assert!(!ring.take_front(old));
        assert_eq!(emptied(&mut ring), [b"newer"]);
    }

    #[test]
    fn an_empty_ring_gives_nothing() {
        let mut ring = Ring::default();
        let mut line = Vec::new();
        ring.drop_front();
        assert_eq!(ring.copy_front(&mut line), None);
        assert!(line.is_empty() && !ring.take_front(0));
        ring.push(b"", 4);
        assert_eq!(emptied(&mut ring), [b""]);
    }

    proptest! {
        #[test]
        fn it_is_a_queue_that_forgets_its_oldest_and_stays_within_its_bytes(
            lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..200),
            most in 1_usize..200,
            release_at in 0_usize..200,
        ) {
            let mut ring = Ring::default();
            let mut expected: VecDeque<Vec<u8>> = VecDeque::new();
            let mut evicted = 0;
            for (n, line) in lines.iter().enumerate() {
                if n == release_at {
                    prop_assert_eq!(ring.evicted, evicted);
                    prop_assert_eq!(emptied(&mut ring), Vec::from(std::mem::take(&mut expected)));
                    evicted = 0;
                }
                ring.push(line, most);
                expected.push_back(line.clone());
                let held = |all: &VecDeque<Vec<u8>>| all.iter().map(|l| l.len() + LENGTH).sum::<usize>();
                if line.len() + LENGTH > most {
                    expected.pop_back();
                    evicted += 1;
                }
                while held(&expected) > most {
                    expected.pop_front();
                    evicted += 1;
                }
                prop_assert!(ring.bytes.capacity() <= most, "{} > {most}", ring.bytes.capacity());
            }
            prop_assert_eq!(ring.evicted, evicted);
            prop_assert_eq!(emptied(&mut ring), Vec::from(expected));
        }
    }
}
