//! A listener in the place of the X-Ray daemon, which checks every datagram.
//!
//! A daemon forwards what it gets and X-Ray drops an invalid document without telling anyone, so the
//! only place to see a mistake is here: [`check`] is as strict as the documentation of the format.

mod check;
mod listener;
mod segment;
mod tree;

#[cfg(test)]
mod check_tests;

pub use check::{LARGEST_DATAGRAM, Violation, check};
pub use listener::{Daemon, Datagram};
pub use segment::{Segment, Subsegment};
pub use tree::{Node, Trace, traces};
