//! The embedded metric format: telling its lines from others, and checking them offline.
//!
//! CloudWatch extracts no metric at all from a document that breaks one rule, and says so only in
//! the metric `EMFValidationErrors`. [`validate`] says it before anything is sent: every violation,
//! where it is and where the rule comes from.
//!
//! ```
//! use obs_metrics::emf;
//!
//! let line = r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"App",
//!     "Dimensions":[["Service"]],"Metrics":[{"Name":"Latency","Unit":"Second"}]}]},"Latency":"fast"}"#
//!     .replace('\n', "");
//! let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
//! let violations = emf::validate_at(&line, now).unwrap_err();
//! let pointers: Vec<_> = violations.iter().map(|violation| violation.pointer()).collect();
//! assert_eq!(pointers, [
//!     "/_aws/CloudWatchMetrics/0/Dimensions/0/0",     // there is no /Service
//!     "/_aws/CloudWatchMetrics/0/Metrics/0/Unit",     // it is Seconds
//!     "/Latency",                                     // not a number
//! ]);
//! ```

mod directive;
mod document;
mod found;
mod node;
mod pointer;
mod scan;
mod target;
mod validate;
mod violation;

pub use document::{Document, Metric};
pub use scan::is_emf;
pub use validate::{validate, validate_at};
pub use violation::{Rule, Violation, Violations};
