//! Tests over a real subscriber and a real UDP socket; every document is checked against X-Ray's
//! rules.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod attribute;
mod central;
mod delivery;
mod documents;
#[cfg(feature = "otel")]
mod exporter;
mod extension;
mod forms;
mod hostile;
mod isolation;
mod lambda;
mod layers;
#[cfg(feature = "otlp")]
mod otlp_http;
mod otlp_udp;
mod process;
mod propagation;
mod roads;
mod sampling;
mod statuses;
mod support;
