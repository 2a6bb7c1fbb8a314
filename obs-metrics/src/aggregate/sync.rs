//! What the cells synchronize with, and which place this thread has. Tests replace this file.

use std::cell::Cell;
use std::num::NonZero;
use std::sync::{LazyLock, PoisonError, TryLockError};

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};

use super::shards::{Layout, Place, Places};

static PLACES: LazyLock<Places> = LazyLock::new(|| {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    Places::new(Layout::for_parallelism(threads))
});

thread_local! {
    // Two of them: one without a destructor costs no more to read than a register's offset, and can
    // be read while the thread ends.
    static PLACE: Cell<Option<Place>> = const { Cell::new(None) };
    static TENURE: Tenure = const { Tenure(Cell::new(None)) };
}

/// How many shards a cell has.
pub(crate) fn layout() -> Layout {
    PLACES.layout()
}

/// The shard that this thread records into.
#[inline]
pub(crate) fn place() -> Place {
    match PLACE.try_with(Cell::get) {
        Ok(Some(place @ Place::Owned(_))) => place,
        Ok(Some(place @ Place::Shared(_))) if !PLACES.vacant() => place,
        Ok(_) => settle(),
        Err(_) => PLACES.shared(),
    }
}

#[cold]
fn settle() -> Place {
    let mut place = PLACES.claim();
    if let Place::Owned(index) = place
        && TENURE.try_with(|tenure| tenure.0.set(Some(index))).is_err()
    {
        // The thread is ending: nothing would give the place back.
        PLACES.release(index);
        place = PLACES.shared();
    }
    let _ = PLACE.try_with(|known| known.set(Some(place)));
    place
}

/// Gives this thread's place back when the thread ends.
struct Tenure(Cell<Option<u8>>);

impl Drop for Tenure {
    fn drop(&mut self) {
        if let Some(index) = self.0.take() {
            // What later destructors of this thread record must not go to a place that is no
            // longer its own.
            let _ = PLACE.try_with(|known| known.set(Some(PLACES.shared())));
            PLACES.release(index);
        }
    }
}

/// Locks, also after a panic: what the cells guard holds between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks unless somebody else has.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
