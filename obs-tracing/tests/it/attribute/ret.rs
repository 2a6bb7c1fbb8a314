//! `ret`: what a function returns, in its `Debug` form.

use std::num::TryFromIntError;

use obs_tracing::traced;
use serde_json::Value;

use crate::support::{record, record_async};

#[traced(ret)]
fn number() -> i32 {
    42
}

#[traced(ret)]
fn through_an_argument(a: &mut i32) -> i32 {
    *a *= 2;
    *a
}

#[traced(ret)]
async fn later() -> i32 {
    tokio::task::yield_now().await;
    42
}

#[traced(ret)]
fn impl_type() -> impl Copy + std::fmt::Debug {
    42
}

#[traced(ret)]
fn nothing() {}

#[traced(err, ret)]
fn fails() -> Result<u8, TryFromIntError> {
    u8::try_from(1234)
}

#[traced(err, ret)]
fn works() -> Result<u8, TryFromIntError> {
    u8::try_from(123)
}

#[traced(ret)]
fn an_error_that_shows_nothing(ok: bool) -> Result<&'static str, NoDebug> {
    if ok { Ok("yes") } else { Err(NoDebug) }
}

struct NoDebug;

#[traced(ret)]
fn option(n: u32) -> Option<u32> {
    n.checked_sub(1)
}

#[traced(ret)]
fn borrowed<'a>(texts: &'a [String], fallback: &'a str) -> &'a str {
    texts.first().map_or(fallback, String::as_str)
}

#[test]
fn what_is_returned_is_kept() {
    let documents = record_async(async {
        assert_eq!(number(), 42);
        assert_eq!(through_an_argument(&mut 3), 6);
        assert_eq!(later().await, 42);
        let _ = impl_type();
        nothing();
        assert!(fails().is_err());
        assert!(works().is_ok());
        assert!(an_error_that_shows_nothing(true).is_ok());
        assert!(an_error_that_shows_nothing(false).is_err());
        assert_eq!((option(0), option(2)), (None, Some(1)));
        assert_eq!(borrowed(&["a".to_owned()], "b"), "a");
    });
    let returned: Vec<_> =
        documents.0.iter().map(|document| document.metadata("return_value").as_str()).collect();
    assert_eq!(
        returned,
        [
            Some("42"),
            Some("6"),
            Some("42"),
            Some("42"),
            Some("()"),
            None,
            Some("123"),
            Some("\"yes\""),
            None,
            Some("None"),
            Some("Some(1)"),
            Some("\"a\""),
        ]
    );
}

#[test]
fn scenario_40_without_ret_nothing_that_is_returned_is_kept() {
    #[traced]
    fn secret() -> &'static str {
        "hunter-17"
    }
    let documents = record(|| assert_eq!(secret(), "hunter-17"));
    assert_eq!(documents.named("secret").0.get("metadata"), None::<&Value>);
}
