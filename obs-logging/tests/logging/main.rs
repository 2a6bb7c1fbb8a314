//! The logger as its users meet it: real subscribers, real writers, and for what is global a
//! process of its own.

// `cfg(test)` tells clippy that the helpers are test code as well.
#[cfg(test)]
mod alone;
#[cfg(test)]
mod append;
#[cfg(test)]
mod capture;
#[cfg(test)]
mod context;
#[cfg(test)]
mod entered;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod filter;
#[cfg(test)]
mod held;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod insights;
#[cfg(test)]
mod line;
#[cfg(test)]
mod panics;
#[cfg(test)]
mod process;
#[cfg(test)]
mod property;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod rate;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod sampling;
#[cfg(test)]
mod set_level;
#[cfg(all(test, unix, feature = "signal"))]
mod signal;
