use proptest::prelude::*;

use super::*;

fn written(text: &str) -> String {
    let mut buf = Vec::new();
    string(&mut buf, text);
    String::from_utf8(buf).unwrap()
}

fn number(value: f64) -> String {
    let mut buf = Vec::new();
    float(&mut buf, value);
    String::from_utf8(buf).unwrap()
}

#[test]
fn scenario_28_what_breaks_a_line_or_a_terminal_is_escaped() {
    for (text, expected) in [
        ("plain", r#""plain""#),
        ("", r#""""#),
        ("a\"b\\c", r#""a\"b\\c""#),
        ("\r\n\t\u{8}\u{c}", r#""\r\n\t\b\f""#),
        ("\u{1b}[31m", r#""\u001b[31m""#),
        ("\u{7f}\u{85}\u{2028}\u{2029}", r#""\u007f\u0085\u2028\u2029""#),
        ("é “quoted” 日本 🦀", r#""é “quoted” 日本 🦀""#),
        ("exactly8\n", r#""exactly8\n""#),
    ] {
        assert_eq!(written(text), expected, "{text:?}");
    }
}

#[test]
fn numbers_are_short_and_never_invalid() {
    for (value, expected) in [
        (0.0, "0"),
        (-0.0, "0"),
        (250.0, "250"),
        (12.75, "12.75"),
        (-3.5, "-3.5"),
        (1e300, "1e+300"),
        (f64::NAN, "null"),
        (f64::INFINITY, "null"),
        (9_007_199_254_740_991.0, "9007199254740991"),
    ] {
        let text = number(value);
        assert_eq!(text, expected);
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
}

#[test]
fn objects_and_arrays_nest() {
    let mut buf = Vec::new();
    let mut object = Object::begin(&mut buf);
    object
        .str("a", "b")
        .null("n")
        .bool("yes", true)
        .i64("i", -1)
        .display("d", format_args!("{}\n", 1));
    object.members(b"\"m\":1,\"o\":2").members(b"");
    let mut array = object.array("list");
    array.u64(1).f64(1.5).str("x");
    array.object().end();
    array.array().end();
    array.end();
    object.object("empty").end();
    object.end();
    assert_eq!(
        String::from_utf8(buf).unwrap(),
        r#"{"a":"b","n":null,"yes":true,"i":-1,"d":"1\n","m":1,"o":2,"list":[1,1.5,"x",{},[]],"empty":{}}"#
    );
}

proptest! {
    #[test]
    fn any_text_reads_back_as_it_was_and_is_one_line(text in any::<String>()) {
        let json = written(&text);
        prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        prop_assert!(!json.chars().any(breaks));
    }

    #[test]
    fn display_writes_what_string_writes(text in any::<String>()) {
        let mut buf = Vec::new();
        display(&mut buf, &text);
        prop_assert_eq!(String::from_utf8(buf).unwrap(), written(&text));
    }

    #[test]
    fn any_finite_number_reads_back_the_same(value in proptest::num::f64::NORMAL) {
        prop_assert_eq!(number(value).parse::<f64>().unwrap(), value);
    }
}
