//! From an event on the bus to a notification on the topic of its severity.
//!
//! ```text
//! event ─ read ─► IncomingAlert ─┬─► runbook reference ─► (looked up by the caller) ─┐
//!                                └──────────────────────── notify ◄──────────────────┘
//!                                                            └─► Notification
//! ```
//!
//! An alert that arrives is sent on, whatever is wrong with it: what could not be read, found or
//! fitted in is named in the notification's notes.

pub mod console;
pub mod incoming;
pub mod notification;
pub mod runbook;
pub mod severity;

pub use incoming::IncomingAlert;
pub use notification::{Notification, notify};
pub use runbook::{Runbook, RunbookRef};
