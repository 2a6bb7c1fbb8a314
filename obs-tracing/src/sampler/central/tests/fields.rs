//! What of a span is matched: real spans, seen by a real subscriber.

use std::fmt;
use std::sync::Mutex;

use tracing_core::span::{Attributes as SpanAttributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::*;
use crate::sampler::central::request::with_request;

/// Reads each new span as a request, and keeps it as text.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl<S: tracing_core::Subscriber> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &SpanAttributes<'_>, _: &Id, _: Context<'_, S>) {
        let wanted = ["tenant".into(), "n".into(), "http.method".into()];
        let text = with_request(
            &wanted,
            |visit| attributes.record(visit),
            |request| {
                let Request { method, path, host, resource_arn, attributes } = request;
                let attributes = (0..4).map(|index| attributes.get(index).unwrap_or("-"));
                let attributes = attributes.collect::<Vec<_>>().join(" ");
                format!("{method}|{path}|{host}|{resource_arn}|{attributes}")
            },
        );
        self.0.lock().unwrap().push(text);
    }
}

fn check(expected: &str, span: impl FnOnce()) {
    let seen = Seen::default();
    let subscriber = tracing_subscriber::registry().with(seen.clone());
    tracing::subscriber::with_default(subscriber, span);
    assert_eq!(*seen.0.lock().unwrap().last().unwrap(), expected);
}

macro_rules! check_span {
    ($expected:expr, $($fields:tt)*) => {
        check($expected, || drop(tracing::info_span!("request", $($fields)*)))
    };
}

#[test]
fn fields_are_read_by_their_names_of_today_and_before() {
    check_span!("||||- - - -",);
    check_span!(
        "GET|/api|example.com||- - - -",
        http.request.method = "GET",
        url.path = "/api",
        server.address = "example.com",
        user = "x"
    );
    check_span!(
        "PUT|/a|old||- - PUT -",
        http.method = "PUT",
        http.target = "/a?b=c",
        http.host = "old"
    );
    check_span!("GET||||- - PUT -", http.method = "PUT", http.request.method = "GET");
    check_span!("GET||||- - PUT -", http.request.method = "GET", http.method = "PUT");
    check_span!("|/a/b|||- - - -", http.url = "https://example.com/a/b?c#d");
    check_span!("|/|||- - - -", url.full = "https://example.com?c=/d");
    check_span!("|/|||- - - -", url.full = "https://example.com");
    check_span!("|||arn:1|- - - -", aws.ecs.task.arn = "arn:1");
    check_span!("|||arn:2|- - - -", aws.ecs.task.arn = "arn:1", cloud.resource_id = "arn:2");
    check_span!("||||acme 7 - -", tenant = "acme", n = 7);
    check_span!("||||true -2.5 - -", tenant = true, n = -2.5);
    let tenant = String::from("of a Display");
    check_span!("||||of a Display \"x\" - -", tenant = %tenant, n = ?"x");
}

#[test]
fn long_values_are_cut_at_a_character() {
    let long = "ä".repeat(3_000);
    let expected = format!("|{}|||- - - -", "ä".repeat(2_048));
    check(&expected, || drop(tracing::info_span!("request", url.path = long)));
    let expected = format!("|{}|||- - - -", "ä".repeat(2_048));
    check(&expected, || drop(tracing::info_span!("request", url.path = %long)));
}

#[test]
fn scenario_19_a_value_that_panics_costs_itself_only() {
    struct Panics;
    impl fmt::Debug for Panics {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("begun")?;
            panic!("in a Debug")
        }
    }
    obs_core::guard::silence_hook();
    check_span!("GET||||begun 1 - -", tenant = ?Panics, n = 1, http.request.method = "GET");
}

#[test]
fn scenario_20_a_debug_that_begins_a_trace_disturbs_none() {
    struct Nested;
    impl fmt::Debug for Nested {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            drop(tracing::info_span!("inner", http.request.method = "INNER", tenant = "inner"));
            f.write_str("outer")
        }
    }
    check_span!("GET||||outer - - -", http.request.method = "GET", tenant = ?Nested);
}
