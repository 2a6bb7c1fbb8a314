//! For the tests of applications: a writer that keeps the lines of a logger, and a logger that has one.
//!
//! ```
//! use obs_logging::test::TestLogger;
//!
//! /// What is tested.
//! fn charge(order_id: u64, cents: u64) {
//!     if cents == 0 {
//!         tracing::warn!(order_id, "nothing to charge");
//!     }
//! }
//!
//! let test = TestLogger::new();
//! test.run(|| charge(4711, 0));
//!
//! let line = test.line();                     // the only one
//! assert_eq!(line.level(), "WARN");
//! assert_eq!(line.message(), "nothing to charge");
//! assert_eq!(line.u64("order_id"), 4711);
//! assert_eq!(line["order_id"], 4711);         // as serde_json's value
//! assert!(!line.has("error_type"));
//! ```
//!
//! An expectation that fails shows what was written instead:
//!
//! ```text
//! there is no "order_id" in the line: {"timestamp":"…","level":"WARN","message":"nothing to charge",…}
//! ```
//!
//! Lines are read strictly: one that is not an object of JSON, or that has a key twice, is a failure.

mod line;
mod logger;
mod writer;

#[cfg(test)]
mod tests;

pub use line::{InvalidLine, Line};
pub use logger::TestLogger;
pub use writer::TestWriter;
