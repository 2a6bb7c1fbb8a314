//! `annotate` and `metadata`: what is named, and nothing else.

use std::borrow::Cow;
use std::collections::BTreeMap;

use obs_tracing::traced;
use serde_json::json;

use crate::support::{record, record_async};

const LIMIT: u32 = 17;

#[traced(annotate(text = "bar", flag = true, number = 1, negative = -1, float = 0.5, letter = 'x', limit = LIMIT))]
fn constants() {}

#[traced(annotate(len = s.len(), is_empty = s.is_empty()), metadata(s = s, "s.len" = s.len()))]
fn expressions(s: &str) {
    let _ = s;
}

#[traced(annotate(s = s), metadata(upper = s.to_uppercase()))]
fn an_owned_argument(s: String) -> String {
    s
}

#[traced(annotate(r#type = kind, "impl" = kind))]
fn keywords(kind: &str) {
    let _ = kind;
}

#[traced(metadata(list = values.iter().map(|(k, v)| v * k).collect::<Vec<u32>>(), map = values))]
fn generics_in_expressions(values: &BTreeMap<u32, u32>) {
    let _ = values;
}

#[derive(Debug)]
struct Thing {
    field: &'static str,
}

impl Thing {
    const KIND: &'static str = "thing";

    #[traced(annotate(field = self.field, kind = Self::KIND, debug = self), metadata(me = self))]
    fn of_self(&self) {}

    #[traced(annotate(field = self.field))]
    async fn of_self_later(mut self) -> Self {
        self.field = "changed";
        self
    }
}

#[traced(annotate(
    borrowed = Cow::Borrowed("a"),
    owned = &String::from("b"),
    some = Some(1),
    nested = &&&2,
    error = std::fmt::Error,
    big = u128::MAX,
))]
fn of_many_types() {}

#[traced(annotate(first = first.len()), metadata(rest = rest))]
async fn generic<T: serde::Serialize + Send + Sync>(first: &str, rest: T) -> T {
    tokio::task::yield_now().await;
    rest
}

#[test]
fn constants_are_recorded_as_what_they_are() {
    let documents = record(constants);
    let annotations = json!({
        "status": "success", "text": "bar", "flag": true, "number": 1, "negative": -1, "float": 0.5,
        "letter": "x", "limit": 17, "service": "orders", "environment": "test",
    });
    assert_eq!(documents.named("constants").0["annotations"], annotations);
    assert!(documents.named("constants").0.get("metadata").is_none());
}

#[test]
fn expressions_are_recorded() {
    let documents = record(|| {
        expressions("hello world");
        assert_eq!(an_owned_argument("abc".to_owned()), "abc");
        keywords("x");
        generics_in_expressions(&BTreeMap::from([(2, 3), (4, 5)]));
    });
    let document = documents.named("expressions");
    assert_eq!(document.annotation("len"), 11);
    assert_eq!(document.annotation("is_empty"), false);
    assert_eq!(document.0["metadata"]["default"], json!({"s": "hello world", "s.len": 11}));
    let document = documents.named("an_owned_argument");
    assert_eq!(
        (document.annotation("s"), document.metadata("upper")),
        (&json!("abc"), &json!("ABC"))
    );
    let document = documents.named("keywords");
    assert_eq!(
        (document.annotation("type"), document.annotation("impl")),
        (&json!("x"), &json!("x"))
    );
    let metadata = &documents.named("generics_in_expressions").0["metadata"]["default"];
    assert_eq!(*metadata, json!({"list": [6, 20], "map": {"2": 3, "4": 5}}));
}

#[test]
fn a_methods_self_is_there_for_expressions() {
    let documents = record_async(async {
        Thing { field: "hello" }.of_self();
        assert_eq!(Thing { field: "hello" }.of_self_later().await.field, "changed");
    });
    let document = documents.named("of_self");
    assert_eq!(document.annotation("field"), "hello");
    assert_eq!(document.annotation("kind"), "thing");
    assert_eq!(document.annotation("debug"), "Thing { field: \"hello\" }");
    assert_eq!(document.metadata("me"), "Thing { field: \"hello\" }");
    // As it was when the call began.
    assert_eq!(documents.named("of_self_later").annotation("field"), "hello");
}

#[test]
fn values_of_many_types_are_read() {
    let documents = record(of_many_types);
    let document = documents.named("of_many_types");
    for (key, expected) in [
        ("borrowed", json!("a")),
        ("owned", json!("b")),
        ("some", json!(1)),
        ("nested", json!(2)),
        ("error", json!("an error occurred when formatting an argument")),
        ("big", json!("340282366920938463463374607431768211455")),
    ] {
        assert_eq!(*document.annotation(key), expected, "{key}");
    }
}

#[test]
fn a_generic_functions_values_are_read_by_its_bounds() {
    let documents = record_async(async {
        assert_eq!(generic("abc", vec![1, 2]).await, [1, 2]);
    });
    let document = documents.named("generic");
    assert_eq!(document.annotation("first"), 3);
    assert_eq!(*document.metadata("rest"), json!([1, 2]));
}
