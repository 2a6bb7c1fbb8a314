#![doc = include_str!("../README.md")]

mod address;
mod alert;
mod builder;
mod client;
mod entry;
mod error;
mod event;
mod losses;
mod outbox;
mod publisher;
mod retry;
mod severity;
mod sink;
mod trim;

pub use alert::Alert;
pub use builder::AlertPublisherBuilder;
pub use error::Error;
pub use event::{AlertEvent, AlertMetric};
pub use obs_core::{FlushReport, Redactor};
pub use publisher::AlertPublisher;
pub use retry::Retry;
pub use severity::{Severity, UnknownSeverity};
