//! X-Ray: documents, their names and limits, and the road to the daemon.
//!
//! opentelemetry-aws has an exporter of its own. Version 0.21 drops spans without a parent that are
//! not servers, refuses names with `<`, `>` or `(`, and gives a whole batch up when one datagram
//! fails. So its propagator is used (see [`crate::propagation`]), and documents are written and sent
//! here.

mod address;
mod aws;
mod document;
mod name;
mod plan;
mod scrub;
mod sink;

pub(crate) use address::DaemonAddress;
pub(crate) use aws::origin;
pub(crate) use document::{Encoder, first_characters};
pub(crate) use name::{is_reserved, segment_name};
pub(crate) use plan::{DEFAULT_NAMESPACE, MAX_ANNOTATION_TEXT, Plan, SHORT_MESSAGE};
pub(crate) use scrub::scrub;
pub(crate) use sink::{DaemonSink, NullSink};
