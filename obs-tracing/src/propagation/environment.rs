//! A process's environment: how a job, or a child process, learns of the trace that it is part of.
//!
//! `_X_AMZN_TRACE_ID` holds X-Ray's header; `TRACEPARENT`, `TRACESTATE` and `BAGGAGE` W3C's, as
//! OpenTelemetry's specification of environment variables names them.
//!
//! ```
//! use obs_tracing::propagation::{self, environment::Environment};
//!
//! # fn job() {}
//! // At the start of a job:
//! let caller = propagation::extract(&Environment::of_process());
//! let _entered = caller.request_context().enter();
//! job();
//!
//! // For a child process:
//! let mut command = std::process::Command::new("convert");
//! propagation::inject(&mut command);
//! ```
//!
//! A Lambda function does not read its environment: several invocations at once would share it.

use std::process::Command;

use super::carrier::{Extractor, Injector};
use super::{BAGGAGE_HEADER, TRACEPARENT_HEADER, TRACESTATE_HEADER, XRAY_HEADER};

/// Each header's variable.
const VARIABLES: [(&str, &str); 4] = [
    (XRAY_HEADER, "_X_AMZN_TRACE_ID"),
    (TRACEPARENT_HEADER, "TRACEPARENT"),
    (TRACESTATE_HEADER, "TRACESTATE"),
    (BAGGAGE_HEADER, "BAGGAGE"),
];

/// The headers in environment variables, as they were when it was made. An empty variable counts as
/// absent.
#[derive(Clone, Default)]
pub struct Environment {
    headers: Vec<(&'static str, String)>,
}

impl Environment {
    /// This process's.
    pub fn of_process() -> Self {
        Self::read(|variable| std::env::var(variable).ok())
    }

    /// Those of another process: names and values of its variables.
    ///
    /// ```
    /// use obs_tracing::propagation::{self, environment::Environment};
    ///
    /// let environment = Environment::of([("TRACEPARENT", "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01")]);
    /// assert!(propagation::extract(&environment).trace().is_some());
    /// ```
    pub fn of<K: AsRef<str>, V: AsRef<str>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        let variables: Vec<_> = variables.into_iter().collect();
        Self::read(|name| {
            let found = variables.iter().find(|(variable, _)| variable.as_ref() == name);
            found.map(|(_, value)| value.as_ref().to_owned())
        })
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let present = VARIABLES.into_iter().filter_map(|(header, name)| {
            let value = variable(name).filter(|value| !value.is_empty())?;
            Some((header, value))
        });
        Self { headers: present.collect() }
    }
}

impl std::fmt::Debug for Environment {
    /// The names alone: baggage may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.headers.iter().map(|(name, _)| name)).finish()
    }
}

impl Extractor for Environment {
    fn get(&self, name: &str) -> Option<&str> {
        Extractor::get(&self.headers, name)
    }
}

/// The child's environment. A variable that this process has of another trace is not inherited.
impl Injector for Command {
    fn set(&mut self, name: &str, value: String) {
        if let Some(variable) = variable(name) {
            self.env(variable, value);
        }
    }

    fn remove(&mut self, name: &str) {
        if let Some(variable) = variable(name) {
            self.env_remove(variable);
        }
    }
}

fn variable(name: &str) -> Option<&'static str> {
    let found = VARIABLES.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
    found.map(|(_, variable)| *variable)
}
