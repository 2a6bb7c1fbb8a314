//! Baggage: names and values that travel with a request from service to service (W3C baggage).
//!
//! It comes in with [`propagation::extract`](crate::propagation::extract), belongs to the request's
//! context, and goes out with [`propagation::inject`](crate::propagation::inject). Requests never see
//! each other's. Where there is no request, there is none.
//!
//! ```
//! use std::collections::HashMap;
//! use obs_tracing::{baggage, propagation};
//!
//! let caller = propagation::extract(&[("baggage", "tenant=acme,card_number=4111")]);
//! let _entered = caller.request_context().enter();
//! assert_eq!(baggage::get("tenant").as_deref(), Some("acme"));
//! baggage::set("channel", "web & app");
//!
//! let mut outgoing = HashMap::new();
//! propagation::inject(&mut outgoing);
//! assert_eq!(outgoing["baggage"], "tenant=acme,card_number=[REDACTED],channel=web%20&%20app");
//! ```
//!
//! Whoever receives a request sees its baggage, so it is redacted as it leaves: the value of a name
//! that says that it holds a secret, and, if the tracer's [`Redactor`](crate::Redactor) searches
//! texts, secrets within values. [`get`] gives values as they are.

mod members;

use obs_core::RequestContext;
use obs_core::health::{self, Event};

pub use members::{Baggage, MAX_BYTES, MAX_MEMBERS};

use crate::propagation::{Propagator, RequestState};

/// The value of `key` in the current request's baggage.
pub fn get(key: &str) -> Option<String> {
    with_current(|baggage| baggage.get(key).map(str::to_owned))?
}

/// Sets `key` in the current request's baggage, for what the request sends from now on; an earlier value
/// is replaced. Returns whether it was kept.
///
/// Not kept, and counted in `obs_core::health`: a key that is no HTTP token (letters, digits and
/// ``!#$%&'*+-.^_`|~``), what is beyond [`MAX_MEMBERS`] or [`MAX_BYTES`], and everything outside of
/// a request.
pub fn set(key: &str, value: &str) -> bool {
    RequestContext::with_current(|context| {
        let Some(context) = context else {
            health::count(Event::NoRequest);
            return false;
        };
        context.slot(RequestState::default).lock().baggage.set(key, value)
    })
}

/// Takes `key` out of the current request's baggage; returns whether it was there.
pub fn remove(key: &str) -> bool {
    with_state(|state| state.lock().baggage.remove(key)).unwrap_or(false)
}

/// A copy of the current request's baggage.
pub fn current() -> Baggage {
    with_current(Baggage::clone).unwrap_or_default()
}

/// Annotates the current segment with the members of these names, redacted: X-Ray finds traces by them.
///
/// ```
/// use obs_tracing::{baggage, traced};
///
/// #[traced]
/// fn handle() {
///     baggage::annotate(&["tenant"]);
/// }
/// # handle();
/// ```
pub fn annotate(keys: &[&str]) {
    for (key, value) in redacted(keys) {
        crate::annotate(key, value);
    }
}

/// Appends the members of these names, redacted, to the rest of the current request's log lines.
///
/// ```
/// use obs_tracing::{baggage, propagation};
///
/// let caller = propagation::extract(&[("baggage", "tenant=acme")]);
/// let context = caller.request_context();
/// let _entered = context.enter();
/// baggage::append_to_logs(&["tenant"]);
/// context.appended(|key, value| assert_eq!((key, value), ("tenant", &b"\"acme\""[..])));
/// ```
pub fn append_to_logs(keys: &[&str]) {
    for (key, value) in redacted(keys) {
        RequestContext::with_current(|context| {
            if let Some(context) = context {
                context.append(&key, value);
            }
        });
    }
}

fn redacted(keys: &[&str]) -> Vec<(String, String)> {
    let redactor = Propagator::current_redactor();
    let pick = |baggage: &Baggage| {
        let found = keys.iter().filter_map(|key| Some((*key, baggage.get(key)?)));
        found
            .map(|(key, value)| (key.to_owned(), members::redacted(&redactor, key, value).into()))
            .collect()
    };
    with_current(pick).unwrap_or_default()
}

fn with_current<R>(read: impl FnOnce(&Baggage) -> R) -> Option<R> {
    with_state(|state| read(&state.lock().baggage))
}

fn with_state<R>(read: impl FnOnce(&RequestState) -> R) -> Option<R> {
    RequestContext::with_current(|context| context?.slot_if_made().map(read))
}

#[cfg(test)]
mod tests;
