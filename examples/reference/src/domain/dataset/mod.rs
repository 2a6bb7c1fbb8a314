//! From the bytes of a data file to its quality score and summary.
//!
//! ```text
//! bytes ─ parse ─► Dataset ─ validate ─► Validation ─┬─► Quality, rejected records
//!                  (records, columns)  (verdicts)    └─ aggregate ─► Aggregates ─► summary
//! ```
//!
//! # The quality model
//!
//! A file is a table. Its columns are the names that occur in any record and, where the file is
//! recognised by a known [`Schema`](schema::Schema), the columns of that schema as well, so that a
//! column that is dropped from a feed costs quality. Every record owes one cell per column, and
//! each cell gets one verdict:
//!
//! - **missing**: absent, null, blank, or a placeholder that the schema knows;
//! - **mistyped**: a value of another type than the column's. The type is the schema's, else the
//!   type that most of the column's values have;
//! - **out of range**: the right type, but not within the bounds that the schema gives;
//! - **good**: everything else.
//!
//! The score is the good cells as a percentage of all cells. Missing values of optional columns
//! count against it like any others: the score says how complete and sound the data is, and it is
//! for the threshold to say what is good enough. A file without records has no cells and so no
//! score; a file whose records are all unreadable has the score 0.
//!
//! A record is **refused** when nothing can be made of it: it cannot be parsed, is not an object,
//! has the wrong number of fields, has no value at all, or lacks the schema's identity field. Its
//! cells count in the score all the same. All other records are processed, with the cells they
//! have.

pub mod aggregate;
pub mod cell;
mod delimited;
mod format;
mod json;
pub mod records;
pub mod schema;
pub mod summary;
pub mod unusable;
pub mod validation;

pub use aggregate::{Aggregates, aggregate};
pub use format::{Format, parse};
pub use records::Dataset;
pub use summary::{Source, Summary};
pub use unusable::Unusable;
pub use validation::{Quality, Validation, validate};
