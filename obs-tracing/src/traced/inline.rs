//! The frame of a body that runs in the function itself and whose result cannot be an error.

use std::thread;

use super::Frame;

/// Within the span until it is dropped, however the body is left.
#[derive(Debug)]
pub struct Inline {
    frame: Frame,
    /// The function was called while the thread unwound: that says nothing of its own end.
    was_panicking: bool,
}

impl Inline {
    /// Enters the frame's span.
    #[inline]
    pub fn new(frame: Frame) -> Self {
        if frame.is_none() {
            return Self { frame, was_panicking: false };
        }
        frame.enter_for_guard();
        Self { frame, was_panicking: thread::panicking() }
    }
}

impl Drop for Inline {
    #[inline]
    fn drop(&mut self) {
        if self.frame.is_none() {
            return;
        }
        self.frame.exit_from_guard();
        if self.was_panicking || !thread::panicking() {
            self.frame.end_well();
        }
        // Otherwise the frame's own drop tells that it panicked.
    }
}
