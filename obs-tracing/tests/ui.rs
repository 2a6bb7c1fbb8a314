//! What `#[traced]` says when it is used wrongly: every mistake at once, each at its place, and the
//! function stays there for the rest of the program.

#[test]
fn mistakes_are_named_where_they_are() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
