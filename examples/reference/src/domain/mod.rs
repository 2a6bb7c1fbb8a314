//! What the functions decide, free of AWS, of telemetry and of input and output.
//!
//! [`dataset`] is the pipeline's: bytes become records, records get a verdict per cell, verdicts
//! become a quality score and a summary. [`alert`] is the alert processor's: an event becomes an
//! alert, an alert becomes a notification. Everything here is a pure function of its arguments, so
//! that a retried invocation computes the same results again. Of Obs it knows what an alert is
//! (its form and its severities) and the forms of a trace id; it records nothing.

pub mod alert;
pub mod calendar;
pub mod dataset;
mod hash;
pub mod object_event;
pub mod result_keys;
