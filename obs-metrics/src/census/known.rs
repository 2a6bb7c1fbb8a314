//! The shortcut in front of the census: hashes of what was admitted, found without a lock; and the
//! census's own hash.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::hash::mix;

/// 32 KB: about as many shapes of events as share one process, and then some.
const SLOTS: usize = 4096;

/// Two places for each hash, beside each other in memory. What finds both taken pushes the older
/// one out; that one is asked for again the long way.
///
/// No order is needed between the slots: each holds a hash that was admitted for good, or none.
#[derive(Debug)]
pub(super) struct Known(Box<[AtomicU64]>);

impl Default for Known {
    fn default() -> Self {
        Self((0..SLOTS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Known {
    #[inline]
    pub(super) fn has(&self, hash: u64) -> bool {
        let (first, second, hash) = places(hash);
        [first, second]
            .iter()
            .any(|at| self.0.get(*at).is_some_and(|slot| slot.load(Ordering::Relaxed) == hash))
    }

    pub(super) fn add(&self, hash: u64) {
        let (first, second, hash) = places(hash);
        if let (Some(first), Some(second)) = (self.0.get(first), self.0.get(second)) {
            let before = first.swap(hash, Ordering::Relaxed);
            if before != hash {
                second.store(before, Ordering::Relaxed);
            }
        }
    }
}

/// The two places of a hash, and the hash as it is stored: 0 is an empty place.
#[inline]
fn places(hash: u64) -> (usize, usize, u64) {
    let low = usize::try_from(hash % SLOTS as u64).unwrap_or_default();
    (low & !1, low | 1, hash.max(1))
}

/// Hashes names and dimensions several times as fast as the standard library, from a seed that
/// nobody outside knows.
#[derive(Clone, Debug)]
pub(super) struct Seeded(pub(super) u64);

pub(super) struct Mixed(u64);

impl BuildHasher for Seeded {
    type Hasher = Mixed;

    fn build_hasher(&self) -> Mixed {
        Mixed(self.0)
    }
}

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_found_until_two_others_take_its_places() {
        let known = Known::default();
        let slots = SLOTS as u64;
        for hash in [0, 1, 7, u64::MAX] {
            let known = Known::default();
            assert!(!known.has(hash), "{hash}");
            known.add(hash);
            known.add(hash);
            assert!(known.has(hash), "{hash}");
        }
        known.add(8);
        known.add(8 + slots);
        assert!(known.has(8) && known.has(8 + slots) && !known.has(9));
        known.add(9);
        assert!(!known.has(8) && known.has(8 + slots) && known.has(9));
    }

    #[test]
    fn an_ordinary_number_of_hashes_is_kept() {
        let known = Known::default();
        let hash = |n: u64| crate::hash::mix(11, &n.to_le_bytes());
        (0..500).for_each(|n| known.add(hash(n)));
        assert!((0..500).filter(|n| known.has(hash(*n))).count() > 480);
        assert_eq!((500..100_000).filter(|n| known.has(hash(*n))).count(), 0);
    }
}
