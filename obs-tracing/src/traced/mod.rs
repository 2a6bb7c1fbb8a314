//! What the macros expand to. Nothing in here is part of the interface.
//!
//! `#[traced]` and `trace_function!` open a [`Frame`], run the body in it, and tell it how the body
//! ended. [`probe`] reads results and values of any type, as far as their traits allow.

#![expect(
    missing_docs,
    reason = "public for what the macros expand to, documented for our readers"
)]

mod frame;
mod inline;
#[macro_use]
mod macros;
mod never;
mod parent;
pub mod probe;
mod scalar;

pub use frame::{Frame, InFrame, call_once, call_typed, never, untyped};
pub use inline::Inline;
pub use never::Never;
pub use parent::Parent;
pub(crate) use parent::explicit_trace;
pub use probe::class::classified;
