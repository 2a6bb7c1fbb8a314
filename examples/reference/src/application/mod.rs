//! What the functions do: the domain's decisions between ports, instrumented with Obs.

pub mod alert_processor;
#[cfg(test)]
mod observed;
pub mod pipeline;
pub mod ports;
mod settings;

pub use settings::SettingsError;
