//! What is still to be sent, and which of it goes out together: pure decisions, apart from the
//! sending and the clock.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use obs_core::lane::due_before;

use crate::entry::{Entry, MAX_REQUEST_BYTES};

/// The most entries that a request takes (EventBridge, `PutEvents`).
pub(crate) const MAX_ENTRIES: usize = 10;

/// The entries of one delivery that are neither delivered nor given up. The most urgent go first,
/// in the order in which they were published.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: BTreeMap<Place, Queued>,
    next: u64,
}

/// Severity, then order of publication.
type Place = (Reverse<crate::Severity>, u64);

/// An entry in the outbox, or on its way.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) entry: Entry,
    /// How often it was sent.
    pub(crate) attempts: u32,
    /// It goes in a request of its own, because a request that it was in was refused.
    alone: bool,
    /// It is ours and not the application's: it counts nowhere.
    pub(crate) own: bool,
    /// When it was last tried, and when it is due again.
    tried: Instant,
    due: Instant,
    place: Place,
}

/// What the sender does next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Send these, in one request.
    Send(Vec<Queued>),
    /// Nothing is due before then.
    WaitUntil(Instant),
    /// Nothing is left.
    Done,
}

impl Outbox {
    /// Adds an entry that is due at once.
    pub(crate) fn add(&mut self, entry: Entry, now: Instant) {
        self.insert(entry, now, false);
    }

    /// As [`Outbox::add`], for an alert that no application published.
    pub(crate) fn add_own(&mut self, entry: Entry, now: Instant) {
        self.insert(entry, now, true);
    }

    /// Puts an entry back that was sent at `now` in vain, to go out again after `wait`.
    pub(crate) fn again(&mut self, mut queued: Queued, now: Instant, wait: Duration) {
        queued.tried = now;
        queued.due = now + wait;
        self.waiting.insert(queued.place, queued);
    }

    /// Puts an entry back that is to go out at once, in a request of its own.
    pub(crate) fn again_alone(&mut self, mut queued: Queued, now: Instant) {
        queued.alone = true;
        self.again(queued, now, Duration::ZERO);
    }

    /// Takes out everything that is left, due or not.
    pub(crate) fn take_all(&mut self) -> Vec<Queued> {
        std::mem::take(&mut self.waiting).into_values().collect()
    }

    /// What to do at `now`. Whoever waits for this delivery does so until `deadline`: then nothing
    /// waits longer than half the time that was left when it was last tried, but for 50 ms.
    pub(crate) fn next(&mut self, now: Instant, deadline: Option<Instant>) -> Next {
        let mut chosen: Vec<Place> = Vec::with_capacity(MAX_ENTRIES);
        let mut bytes = 0;
        let mut earliest: Option<Instant> = None;
        for (place, queued) in &self.waiting {
            let due = due_before(queued.due, queued.tried, deadline);
            if due > now {
                earliest = Some(earliest.map_or(due, |earliest| earliest.min(due)));
                continue;
            }
            if queued.alone {
                if chosen.is_empty() {
                    chosen.push(*place);
                    break;
                }
                continue;
            }
            let size = queued.entry.size();
            if chosen.is_empty() || bytes + size <= MAX_REQUEST_BYTES {
                chosen.push(*place);
                bytes += size;
            }
            if chosen.len() == MAX_ENTRIES {
                break;
            }
        }
        if !chosen.is_empty() {
            return Next::Send(
                chosen.iter().filter_map(|place| self.waiting.remove(place)).collect(),
            );
        }
        earliest.map_or(Next::Done, Next::WaitUntil)
    }

    fn insert(&mut self, entry: Entry, now: Instant, own: bool) {
        let place = (Reverse(entry.severity), self.next);
        self.next += 1;
        let (tried, due) = (now, now);
        self.waiting
            .insert(place, Queued { entry, attempts: 0, alone: false, own, tried, due, place });
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
