//! What is known by its key.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, PoisonError, RwLock};

use ::metrics::Key;
use obs_core::health::{self, Event};

use crate::hash::Ready;

/// Maps, each with a lock of its own: the facade's macros look a key up at every use.
const SHARDS: usize = 16;
/// Keys in one map.
const MAX_KEYS: usize = 1_000;

type Known<T> = RwLock<HashMap<Key, Arc<T>, BuildHasherDefault<Ready>>>;

/// The instruments of one kind.
#[derive(Debug)]
pub(super) struct Registry<T> {
    shards: Box<[Known<T>]>,
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Known::default()).collect() }
    }
}

impl<T> Registry<T> {
    /// The instrument of `key`, of which there is one: made where it is new. `make` is told whether it
    /// is kept, which those beyond the limit are not; what it returns `None` for is asked for again.
    pub(super) fn get(&self, key: &Key, make: impl FnOnce(bool) -> Option<T>) -> Option<Arc<T>> {
        // Bits that the map itself does not look at first.
        let place = usize::try_from(key.get_hash() >> 32 & 0xFF).unwrap_or_default();
        let shard = self.shards.get(place % SHARDS)?;
        let known = shard.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(instrument) = known.get(key) {
            return Some(Arc::clone(instrument));
        }
        let is_kept = known.len() < MAX_KEYS;
        drop(known);
        // Outside of the lock; where two threads make one, the first is kept.
        let made = Arc::new(make(is_kept)?);
        if !is_kept {
            health::count(Event::LimitExceeded);
            return Some(made);
        }
        let mut known = shard.write().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(known.entry(key.to_retained()).or_insert(made)))
    }
}
