//! Which lines are written: the level, in `EnvFilter`'s grammar, as a filter of this layer alone.
//!
//! Directives that name no span decide for a callsite once and for all: `tracing` caches the answer,
//! and spans cost nothing here. Only with one that does (`[charge]=trace`) `EnvFilter` follows spans,
//! which takes a lock each time that one is made, entered, left or closed.

mod announce;
mod directives;
mod filter;
mod rules;
mod shared;
#[cfg(all(unix, feature = "signal"))]
mod signal;

#[cfg(test)]
mod tests;

pub(crate) use directives::Directives;
pub(crate) use filter::LineFilter;
pub(crate) use shared::Levels;
