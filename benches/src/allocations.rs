//! Counts the allocations of each thread.

#![expect(
    unsafe_code,
    reason = "an allocator cannot be written without; it only hands on and counts"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// How many allocations this thread makes while `work` runs. One that grows counts again.
///
/// What a peer or a lane allocates on its own thread is not counted: it is not the caller's cost.
pub(crate) fn during(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

thread_local! {
    // Without a destructor and without lazy initialization: reading it never allocates.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counting;

impl Counting {
    fn count() {
        // A thread that ends may still allocate, with its locals gone.
        let _gone = COUNT.try_with(|count| count.set(count.get() + 1));
    }
}

// SAFETY: every call is handed on to `System` as it came, and counting touches no memory but the
// thread's own counter.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's promise, handed on.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, handed on.
        unsafe { System.dealloc(old, layout) }
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn counts_what_this_thread_allocates_and_nothing_else() {
        assert_eq!(during(|| ()), 0);
        assert_eq!(during(|| drop(black_box(Box::new(1)))), 1);
        assert_eq!(during(|| drop(black_box(vec![0_u8; 64]))), 1);
        let mut text = String::with_capacity(1);
        assert_eq!(during(|| text.push_str(black_box("grows once"))), 1);

        let (begin, ended) = (AtomicBool::new(false), AtomicBool::new(false));
        let wait_for = |flag: &AtomicBool| {
            while !flag.load(Ordering::Acquire) {
                thread::yield_now();
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                wait_for(&begin);
                drop(black_box(vec![0_u8; 64]));
                ended.store(true, Ordering::Release);
            });
            let count = during(|| {
                begin.store(true, Ordering::Release);
                wait_for(&ended);
            });
            assert_eq!(count, 0);
        });
    }
}
