//! The Loki sink against a real HTTP server on a loopback port.

// `cfg(test)` tells clippy that the helpers are test code as well.
#[cfg(test)]
mod contents;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod feedback;
#[cfg(test)]
mod held;
#[cfg(test)]
mod logger;
#[cfg(test)]
mod losses;
#[cfg(test)]
mod push;
#[cfg(test)]
mod server;
