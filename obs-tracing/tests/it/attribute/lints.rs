//! What the compiler and the user's other attributes make of a traced function: this file compiles
//! without a warning, and its attributes do what they say.

use std::future::Future;

use obs_tracing::traced;

use crate::support::{record, record_async};

#[deny(unfulfilled_lint_expectations)]
#[expect(dead_code, reason = "a lint of the user's reaches the function")]
#[traced]
fn unused() {}

#[expect(dead_code, reason = "a lint of the user's reaches the function")]
#[traced]
async fn unused_async() {}

#[deny(unused_variables)]
#[traced]
fn inner_attributes() {
    #![allow(unused_variables, reason = "an attribute within the body")]
    let i = 42;
}

#[deny(unused_variables)]
#[traced]
async fn inner_attributes_async() {
    #![allow(unused_variables, reason = "an attribute within the body")]
    let i = 42;
}

#[traced]
#[rustfmt::skip]
#[deny(clippy::suspicious_else_formatting)]
async fn an_else_in_a_macro(var: bool) -> String {
    format!(
        "{}",
        if var { "true" } else { "false" }
    )
}

#[traced(err)]
#[deny(clippy::suspicious_else_formatting)]
fn an_empty_block_first() -> Result<u8, std::num::TryFromIntError> {
    {}
    u8::try_from(17)
}

/// Says something.
#[traced]
#[must_use = "the sum is all there is"]
#[inline(never)]
#[doc(alias = "plus")]
fn attributes_stay(a: u32, b: u32) -> u32 {
    a + b
}

#[traced]
#[cfg(not(any()))]
fn for_this_platform() -> u32 {
    1
}

#[traced]
#[cfg(any())]
fn for_this_platform() -> NoSuchType {
    2
}

#[traced]
fn arguments_have_attributes(
    #[cfg(any())] absent: NoSuchType,
    #[cfg(not(any()))] present: u32,
) -> u32 {
    present
}

/// A type that the body shadows.
type Shadowed = ();

#[expect(dead_code, reason = "only its variant's name counts")]
enum Names {
    Shadowed,
}

#[traced]
#[expect(unused_imports, reason = "it is there to shadow")]
fn the_body_has_its_own_scope() -> Shadowed {
    use Names::*;
}

#[traced]
#[expect(unused_imports, reason = "it is there to shadow")]
async fn the_async_body_has_its_own_scope() -> Shadowed {
    use Names::*;
}

#[traced]
#[expect(unused_imports, reason = "it is there to shadow")]
#[expect(clippy::manual_async_fn, reason = "the form that is tested")]
fn the_block_has_its_own_scope() -> impl Future<Output = Shadowed> {
    async {
        use Names::*;
    }
}

#[test]
fn attributes_and_scopes_are_the_functions_own() {
    let documents = record_async(async {
        inner_attributes();
        inner_attributes_async().await;
        assert_eq!(an_else_in_a_macro(true).await, "true");
        assert_eq!(an_empty_block_first(), Ok(17));
        assert_eq!(attributes_stay(1, 2), 3);
        assert_eq!(for_this_platform(), 1);
        assert_eq!(arguments_have_attributes(4), 4);
        the_body_has_its_own_scope();
        the_async_body_has_its_own_scope().await;
        the_block_has_its_own_scope().await;
    });
    assert_eq!(documents.0.len(), 10);
}

#[test]
#[traced]
fn a_test_may_be_traced() {
    assert_eq!(attributes_stay(1, 2), 3);
}

#[traced(skip_if = false)]
#[tokio::test]
async fn an_async_test_may_be_traced() -> Result<(), std::num::ParseIntError> {
    tokio::task::yield_now().await;
    "17".parse::<u8>().map(drop)
}

#[tokio::test]
#[traced]
async fn in_either_order() {
    the_async_body_has_its_own_scope().await;
}

#[test]
fn names_of_ours_meet_none_of_the_users() {
    mod std {}
    mod core {}
    mod tracing {}
    #[derive(Clone, Copy, Debug)]
    struct Frame(u32);
    #[traced(annotate(frame = frame.0, result = result), skip_if = skip, ret)]
    fn frames(frame: Frame, result: u32, skip: bool, values: u32, future: u32) -> u32 {
        let parent = frame.0;
        parent + result + values + future + u32::from(skip)
    }
    macro_rules! traced_function {
        ($name:ident, $argument:ident) => {
            #[traced(annotate(argument = $argument))]
            fn $name($argument: u32) -> Result<u32, ::std::string::String> {
                let result = $argument;
                Ok(result)
            }
        };
    }
    traced_function!(of_a_macro, result);
    let documents = record(|| {
        assert_eq!(frames(Frame(1), 2, false, 3, 4), 10);
        assert_eq!(of_a_macro(5), Ok(5));
    });
    assert_eq!(documents.named("frames").annotation("result"), 2);
    assert_eq!(documents.named("of_a_macro").annotation("argument"), 5);
}
