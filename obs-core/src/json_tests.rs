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

/// What the escaping is checked against: a character at a time, by the rules of the module.
fn written_slowly(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out + "\""
}

#[test]
fn scenario_28_each_character_is_escaped_at_each_place_of_a_string_of_each_length() {
    let beyond = ['\u{80}', '\u{85}', '\u{9f}', '\u{a0}', 'é', '\u{2027}', '\u{2028}', '日', '🦀'];
    let all: Vec<char> = (0..=0x7f_u8).map(char::from).chain(beyond).collect();
    for length in 0..=50 {
        let plain: Vec<char> = (0..length).map(|n| if n % 2 == 0 { '!' } else { '~' }).collect();
        for place in 0..length {
            for c in &all {
                let mut text = plain.clone();
                text[place] = *c;
                let text: String = text.into_iter().collect();
                assert_eq!(written(&text), written_slowly(&text), "{text:?}");
            }
        }
    }
}

#[test]
fn keys_are_separated_and_escaped() {
    let mut buf = Vec::new();
    let mut object = Object::begin(&mut buf);
    object.u64("", 1).u64("a\"b", 2).u64("müller", 3).u64("a long key, longer than 32 bytes\n", 4);
    object.end();
    assert_eq!(
        String::from_utf8(buf).unwrap(),
        r#"{"":1,"a\"b":2,"müller":3,"a long key, longer than 32 bytes\n":4}"#
    );
}

fn shortest(value: f64) -> String {
    zmij::Buffer::new().format_finite(value).to_owned()
}

#[test]
fn numbers_of_few_decimals_are_written_as_the_shortest_text() {
    // All of them up to ten, and around each power of two and of ten up to where floats are coarser.
    let near = |at: u64| (0..100).map(move |n| at * 1000 - 50 + n);
    let powers = (4..44).map(|power| 1 << power).chain((1..14).map(|n| 10_u64.pow(n)));
    for thousandths in (1..10_000).chain(powers.flat_map(near)) {
        let value = thousandths as f64 / 1000.0;
        if value == value.trunc() {
            continue;
        }
        assert_eq!(number(value), shortest(value));
        assert_eq!(number(-value), shortest(-value));
        for neighbour in [value.next_up(), value.next_down()] {
            if neighbour != neighbour.trunc() {
                assert_eq!(number(neighbour), shortest(neighbour));
            }
        }
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
    fn any_text_is_escaped_as_by_the_rules(text in any::<String>(), plain in "[ -~]{0,60}") {
        prop_assert_eq!(written(&text), written_slowly(&text));
        prop_assert_eq!(written(&plain), written_slowly(&plain));
    }

    #[test]
    fn numbers_of_any_size_with_few_decimals_are_written_as_the_shortest_text(
        digits in 0_u32..16, seed in any::<[u64; 32]>()
    ) {
        for n in seed {
            let value = (n % 10_u64.pow(digits + 1)) as f64 / 1000.0;
            if value != value.trunc() {
                prop_assert_eq!(number(value), shortest(value));
            }
        }
    }

    #[test]
    fn any_finite_number_reads_back_the_same(value in proptest::num::f64::NORMAL) {
        prop_assert_eq!(number(value).parse::<f64>().unwrap(), value);
    }
}
