//! What `src/aggregate/sync.rs` is to the crate, made of shuttle's primitives.

use std::cell::Cell;
use std::sync::{PoisonError, TryLockError};

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
// Shuttle has none; ours never blocks, since no two threads make the same shard at once or else
// within one step.
pub(crate) use std::sync::OnceLock;

use super::shards::{Layout, Place, Places};

/// One of each kind: of two threads one owns its shard, and the other becomes the owner when that
/// one ends.
const LAYOUT: Layout = Layout { owned: 1, shared: 1 };

shuttle::lazy_static! {
    static ref PLACES: Places = Places::new(LAYOUT);
}

shuttle::thread_local! {
    static TENURE: Tenure = Tenure(Cell::new(PLACES.claim()));
}

struct Tenure(Cell<Place>);

impl Drop for Tenure {
    fn drop(&mut self) {
        if let Place::Owned(index) = self.0.get() {
            PLACES.release(index);
        }
    }
}

pub(crate) fn layout() -> Layout {
    PLACES.layout()
}

pub(crate) fn place() -> Place {
    let settled = TENURE.try_with(|tenure| {
        if matches!(tenure.0.get(), Place::Shared(_)) && PLACES.vacant() {
            tenure.0.set(PLACES.claim());
        }
        tenure.0.get()
    });
    settled.unwrap_or_else(|_| PLACES.shared())
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
