//! Runs what belongs to the application (a `Debug`, a `Display`, a `Serialize`) so that its panic
//! costs one value, and neither the record that the value belongs to nor the caller.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::health::{self, Event};

/// What stands in the place of a value whose formatting panicked.
pub const PANICKED: &str = "[panicked while formatting]";

thread_local! {
    static FORMATTING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside [`caught`].
pub fn is_formatting() -> bool {
    FORMATTING.get()
}

/// Runs `format`; `None`, and counted as [`Event::FieldPanicked`], where it panicked.
///
/// With `panic = "abort"` nothing is caught.
///
/// ```
/// use obs_core::guard;
///
/// assert_eq!(guard::caught(|| format!("{:?}", 1)).as_deref(), Some("1"));
/// assert_eq!(guard::caught(|| -> String { panic!("in a value") }), None);
/// ```
pub fn caught<R>(format: impl FnOnce() -> R) -> Option<R> {
    let outer = FORMATTING.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(format));
    FORMATTING.set(outer);
    match result {
        Ok(result) => Some(result),
        Err(payload) => {
            // A payload may be of any type, and its drop may panic as well: it is leaked then.
            let dropped = panic::catch_unwind(AssertUnwindSafe(|| drop(payload)));
            if let Err(second) = dropped {
                std::mem::forget(second);
            }
            health::count(Event::FieldPanicked);
            None
        }
    }
}

/// Keeps the panic hook silent for the panics that [`caught`] swallows.
///
/// Called when a logger or a tracer is built; only the first call of the process does anything. The
/// hook runs before a panic can be caught, so the only way is to wrap it: the hook that is
/// there stays and gets every other panic. One that is set later replaces the wrapper, and then
/// sees the swallowed ones too.
pub fn silence_hook() {
    static WRAPPED: Once = Once::new();
    if std::thread::panicking() {
        // A panicking thread may not touch the hook; the next call will.
        return;
    }
    WRAPPED.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // Where panics abort, nothing swallows them.
            if !is_formatting() || cfg!(panic = "abort") {
                hook(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    struct DropPanics;

    impl Drop for DropPanics {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    #[test]
    fn a_panic_is_caught_and_counted() {
        // 19
        let before = health::counted(Event::FieldPanicked);
        assert_eq!(caught(|| 1), Some(1));
        assert_eq!(caught(|| -> u8 { panic!("in format") }), None);
        assert_eq!(caught(|| -> u8 { panic::panic_any(DropPanics) }), None);
        assert!(health::counted(Event::FieldPanicked) >= before + 2);
        assert!(!is_formatting());
    }

    #[test]
    fn nested_runs_know_that_they_are_inside() {
        caught(|| {
            caught(|| ());
            assert!(is_formatting());
        });
        assert!(!is_formatting());
    }
}
