#![doc = include_str!("../README.md")]

mod admission;
mod alone;
mod append;
mod buffer;
mod builder;
mod callsite;
mod encode;
mod entered;
mod error;
mod failure;
mod fields;
mod format;
mod held;
pub mod insights;
mod lanes;
mod layer;
mod level;
mod limit;
mod logger;
#[cfg(feature = "loki")]
pub mod loki;
mod members;
mod notice;
mod own_event;
mod panic_hook;
mod rate;
mod sample;
mod scratch;
mod sink;
mod span;
pub mod test;
mod text;
mod timestamp;
mod visitor;

pub use append::{append, remove};
pub use builder::{DEFAULT_MAX_LINE_BYTES, StructuredLoggerBuilder};
pub use callsite::BUILT_IN_KEYS;
pub use error::Error;
pub use failure::{ErrorValue, err, err_with_backtrace, report};
pub use format::Format;
pub use held::release_held;
pub use logger::StructuredLogger;
pub use obs_core::FlushReport;
pub use obs_core::redact::{Redactor, Sensitive};
