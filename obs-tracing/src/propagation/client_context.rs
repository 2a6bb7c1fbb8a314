//! Lambda's client context: how one function, invoked directly, learns of the other's trace.
//!
//! Lambda itself passes X-Ray's header on; the client context is for W3C's and the baggage. It reaches
//! the function only if that is invoked synchronously (`RequestResponse`).
//!
//! ```
//! # use std::collections::HashMap;
//! # struct ClientContext { custom: HashMap<String, String> }
//! # struct Context { client_context: Option<ClientContext> }
//! # let context = Context { client_context: Some(ClientContext { custom: HashMap::from([
//! #     ("traceparent".into(), "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01".into()),
//! # ]) }) };
//! use obs_tracing::propagation;
//!
//! // `context` as `lambda_runtime` has it.
//! let custom = context.client_context.map(|client| client.custom).unwrap_or_default();
//! let caller = propagation::extract(&custom);
//! assert!(caller.trace().is_some());
//! ```

use obs_core::health::{self, Event};
use obs_core::json::Object;

use super::propagator::Propagator;
use super::{BAGGAGE_HEADER, TRACEPARENT_HEADER, TRACESTATE_HEADER, XRAY_HEADER};

/// The most bytes of a client context, encoded (Lambda, `Invoke`).
const MAX_BYTES: usize = 3583;

/// The client context of an invocation, ready for `Invoke`: JSON with the headers, and whatever else the
/// function is told (`custom`), in base64.
///
/// It has at most 3,583 bytes: of what is beyond, the baggage goes first, then `tracestate`, then the
/// rest of the headers, which is counted; `custom` never does.
///
/// ```
/// use obs_tracing::propagation::{self, client_context};
///
/// # struct Invoke; impl Invoke { fn client_context(self, _: impl Into<String>) -> Self { self } }
/// # let invoke = Invoke;
/// // let invoke = client.invoke().function_name("prices");
/// let invoke = invoke.client_context(client_context::encode([("currency", "EUR")]));
/// ```
pub fn encode<K, V>(custom: impl IntoIterator<Item = (K, V)>) -> String
where
    K: AsRef<str>,
    V: AsRef<str>,
{
    let outgoing = Propagator::current().outgoing();
    let trace = outgoing.trace.unwrap_or_default();
    // In the order in which they matter.
    let headers = [
        (XRAY_HEADER, Some(trace.xray).filter(|header| !header.is_empty())),
        (TRACEPARENT_HEADER, trace.traceparent),
        (TRACESTATE_HEADER, trace.tracestate),
        (BAGGAGE_HEADER, outgoing.baggage),
    ];
    let is_header = |key: &str| headers.iter().any(|(name, _)| key.eq_ignore_ascii_case(name));
    let custom: Vec<_> = custom.into_iter().filter(|(key, _)| !is_header(key.as_ref())).collect();
    let mut present: Vec<(&str, &str)> =
        headers.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    loop {
        let mut json = Vec::new();
        let mut object = Object::begin(&mut json);
        let mut members = object.object("custom");
        for (key, value) in &custom {
            members.str(key.as_ref(), value.as_ref());
        }
        for (name, value) in &present {
            members.str(name, value);
        }
        members.end();
        object.end();
        if json.len().div_ceil(3) * 4 <= MAX_BYTES || present.pop().is_none() {
            return base64(&json);
        }
        health::count(Event::LimitExceeded);
    }
}

/// Base64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            if place <= group.len() {
                let six = (bits >> (18 - 6 * place)) & 63;
                text.push(char::from(LETTERS[six as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("???>>>", "Pz8/Pj4+"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
