//! OTLP: spans as protobuf, over UDP to the daemon in Lambda, and over HTTP to X-Ray's own endpoint
//! and to collectors (feature `otlp`).
//!
//! ```text
//!  SpanRecord ──► translate ──► span ──► request: packed by bytes ──► udp    T1S + base64, one datagram
//!                 what means    bytes    resource, scope, spans  └──► http   gzip, signature, retries
//!                 what in OTel  within
//!                     │         a limit
//!                     └──► module `otel`: SpanData for any exporter
//! ```
//!
//! The messages are written by hand (`wire.rs`), straight from the record into the request: eight kinds
//! of message of which nothing is ever read back. opentelemetry-proto has them too, but as trees of
//! strings that would be built for each span only to be encoded; its tests' worth is kept: they decode
//! what is written here.

mod any_value;
#[cfg(feature = "otlp")]
pub(crate) mod http;
pub(crate) mod request;
pub(crate) mod span;
pub(crate) mod translate;
pub(crate) mod udp;
mod wire;
