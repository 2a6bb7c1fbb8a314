#![doc = include_str!("../README.md")]

pub mod base64;
pub mod clock;
pub mod context;
pub mod env;
pub mod error_type;
pub mod guard;
pub mod handle;
pub mod health;
#[cfg(feature = "http")]
pub mod http;
mod identity;
pub mod ids;
pub mod json;
pub mod lane;
pub mod redact;
pub mod stdout;
mod timer;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use context::RequestContext;
pub use identity::Identity;
pub use lane::{FlushReport, Lane};
pub use redact::Redactor;

/// Takes a lock whatever happened to its last holder: what our locks guard is valid between any two
/// statements, and a panic elsewhere must not become one here.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
