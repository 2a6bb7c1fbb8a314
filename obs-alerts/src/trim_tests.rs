use obs_core::json;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn encoded(text: &str) -> usize {
    let mut buf = Vec::new();
    json::string(&mut buf, text);
    buf.len()
}

fn attributes(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("no object: {other}"),
    }
}

/// Cuts `excess` bytes from an alert of these fields, and returns what was cut.
fn check(message: &str, value: Value, excess: usize, expected: &[Cut]) -> (String, Value) {
    let (mut message, mut attributes) = (message.to_owned(), attributes(value));
    let size = |message: &str, attributes: &Map<String, Value>| {
        string_length(message) + written(&Value::Object(attributes.clone()))
    };
    let before = size(&message, &attributes);
    assert_eq!(cut(&mut message, &mut attributes, excess), expected);
    let after = size(&message, &attributes);
    assert!(before - after >= excess, "{before} - {after} < {excess}");
    (message, Value::Object(attributes))
}

#[test]
fn scenario_18_the_largest_field_is_cut_first() {
    let (message, attributes) = check(
        "short",
        json!({"large": "x".repeat(10_000), "larger": "y".repeat(20_000), "n": 1}),
        5_000,
        &[Cut::Attribute("larger".into())],
    );
    assert_eq!(message, "short");
    assert_eq!(attributes["large"].as_str().unwrap().len(), 10_000);
    let larger = attributes["larger"].as_str().unwrap();
    assert!(larger.starts_with("yyy") && larger.ends_with(MARK));
    assert_eq!(larger.len(), 15_000);
}

#[test]
fn what_one_field_cannot_give_the_next_one_gives() {
    let (message, attributes) = check(
        &"m".repeat(9_000),
        json!({"a": "x".repeat(10_000), "b": "short"}),
        12_000,
        &[Cut::Attribute("a".into()), Cut::Message],
    );
    assert_eq!(attributes["a"].as_str().unwrap().len() + 2, FLOOR);
    assert!(message.len() > 6_000 && message.ends_with(MARK));
    assert_eq!(attributes["b"], "short");
}

#[test]
fn a_list_becomes_the_beginning_of_its_text() {
    let list: Vec<u32> = (0..5_000).collect();
    let (_, attributes) =
        check("short", json!({ "list": list }), 1_000, &[Cut::Attribute("list".into())]);
    assert!(attributes["list"].as_str().unwrap().starts_with("[0,1,2,3,"));
}

#[test]
fn many_small_attributes_are_left_out_from_the_end() {
    let many: Map<String, Value> =
        (0..1_000).map(|n| (format!("name{n:04}"), Value::from(n))).collect();
    let (_, left) = check("short", Value::Object(many), 9_000, &[Cut::Attributes(600)]);
    assert_eq!(left["name0000"], 0);
    assert_eq!(left.as_object().unwrap().len(), 400);
}

#[test]
fn nothing_left_to_cut_is_the_end_of_it() {
    let (mut message, mut none) = ("short".to_owned(), Map::new());
    assert_eq!(cut(&mut message, &mut none, 1_000_000), []);
    assert_eq!(message, "short");
}

#[test]
fn cuts_are_named_as_they_stand_in_the_event() {
    assert_eq!(Cut::Message.to_string(), "message");
    assert_eq!(Cut::Attribute("payload".into()).to_string(), "attributes.payload");
    assert_eq!(Cut::Attributes(1).to_string(), "attributes (1 left out)");
    assert_eq!(Cut::Attributes(7).to_string(), "attributes (7 left out)");
}

#[test]
fn what_nests_too_deep_is_replaced_and_its_siblings_are_kept() {
    let mut value = json!({"a": [[1], 2], "b": {"c": {"d": 3}}, "e": "f"});
    assert!(cut_depth(&mut value, 2));
    assert_eq!(value, json!({"a": [MARK, 2], "b": {"c": MARK}, "e": "f"}));
    assert!(!cut_depth(&mut value, 2));
}

proptest! {
    #[test]
    fn a_characters_length_is_what_the_writer_makes_of_it(text in any::<String>()) {
        prop_assert_eq!(string_length(&text), encoded(&text));
    }

    #[test]
    fn a_text_is_cut_to_the_limit_at_a_character_boundary(text in "\\PC{0,200}[\u{0}-\u{9f}\u{2028}ü💥]{0,200}", limit in 20usize..400) {
        let cut = cut_text(&text, limit);
        prop_assert!(encoded(&cut) <= limit);
        if encoded(&text) <= limit {
            prop_assert_eq!(cut, text);
        } else {
            let kept = cut.strip_suffix(MARK).expect("marked");
            prop_assert!(text.starts_with(kept));
            // Not more than the next character and rounding are given away.
            prop_assert!(encoded(&cut) + 6 > limit);
        }
    }
}

#[test]
fn the_writers_every_escape_is_known() {
    for c in ('\0'..='\u{30ff}').chain('\u{1f4a0}'..='\u{1f4ff}') {
        assert_eq!(escaped_length(c) + 2, encoded(&c.to_string()), "{c:?}");
    }
}
