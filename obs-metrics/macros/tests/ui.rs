//! What `#[derive(MetricEvent)]` says when it is used wrongly: every mistake at once, each at its
//! place, and the implementation is there for the rest of the program.

#[test]
fn mistakes_are_named_where_they_are() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
    cases.pass("tests/ui/pass/*.rs");
}
