//! The harness of the benchmarks in `benches/`: criterion, with allocations counted and a table of
//! ratios at the end. `README.md` says how to run it and what came out.

mod allocations;
mod operation;
mod suite;
mod table;
mod writers;

pub use operation::Operation;
pub use suite::{Case, Suite};
pub use table::{RECORD_TO, Role, Row, medians, parse, render};
pub use writers::{Captured, Tally};
