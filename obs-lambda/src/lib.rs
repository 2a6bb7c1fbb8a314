#![doc = include_str!("../README.md")]

mod invocation;
mod outcome;
mod run;
mod telemetry;

pub use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent};
pub use obs_core::FlushReport;
pub use run::{run, run_with};
pub use telemetry::Telemetry;
