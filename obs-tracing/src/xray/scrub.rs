//! Secrets inside of serialized values: the members of an object are fields as well.

use obs_core::json;
use obs_core::redact::{REDACTED, Redactor};

/// Copies `json`, which is valid, to `out`; the value of each member whose name is redacted is
/// replaced, and so are the secrets in the other strings.
pub(crate) fn scrub(json: &[u8], redactor: &Redactor, out: &mut Vec<u8>) {
    let mut copied = 0;
    let mut at = 0;
    while let Some(start) = find(json, at, |byte| byte == b'"') {
        let end = string_end(json, start);
        at = end;
        // Only a member's name is followed by a colon.
        let next = find(json, end, |byte| !byte.is_ascii_whitespace());
        let Some(colon) = next.filter(|next| json[*next] == b':') else {
            if redactor.scans_text() {
                out.extend_from_slice(&json[copied..start]);
                let place = out.len();
                out.extend_from_slice(&json[start..end]);
                redactor.redact_encoded(out, place);
                copied = end;
            }
            continue;
        };
        let name = String::from_utf8_lossy(&json[start + 1..end.saturating_sub(1).max(start + 1)]);
        if redactor.is_redacted(&name) {
            out.extend_from_slice(&json[copied..=colon]);
            json::string(out, REDACTED);
            copied = value_end(json, colon + 1);
            at = copied;
        }
    }
    out.extend_from_slice(&json[copied..]);
}

/// The end of the string that begins at `start`, its quote included.
fn string_end(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = find(json, at, |byte| byte == b'"' || byte == b'\\') {
        if json[found] == b'"' {
            return found + 1;
        }
        at = found + 2;
    }
    json.len()
}

/// The end of the value that begins at `start`, after some white space.
fn value_end(json: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                at = string_end(json, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            // The end of the object or the array around a number or a word.
            b'}' | b']' | b',' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    json.len()
}

fn find(json: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    json.get(from..)?.iter().position(|byte| wanted(*byte)).map(|offset| from + offset)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn scrubbed(json: &str) -> String {
        let mut out = Vec::new();
        scrub(json.as_bytes(), &Redactor::default(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn check(json: &str, expected: &str) {
        assert_eq!(scrubbed(json), expected, "{json}");
    }

    #[test]
    fn members_with_a_secrets_name_lose_their_value() {
        check(r#"{"password":"x","a":1}"#, r#"{"password":"[REDACTED]","a":1}"#);
        check(r#"{"a":{"apiKey":{"b":[1,"]"]}},"c":2}"#, r#"{"a":{"apiKey":"[REDACTED]"},"c":2}"#);
        check(
            r#"[{"token":1},{"token":null}]"#,
            r#"[{"token":"[REDACTED]"},{"token":"[REDACTED]"}]"#,
        );
        check(r#"{ "token" : [ "a" , "b" ] , "c" : 1 }"#, r#"{ "token" :"[REDACTED]" , "c" : 1 }"#);
        check(r#"{"token":"a\"b\\","c":"\\\""}"#, r#"{"token":"[REDACTED]","c":"\\\""}"#);
    }

    #[test]
    fn scenario_41_secrets_in_strings_are_replaced() {
        for (json, expected) in [
            (r#"["jane@example.com",1]"#, r#"["[REDACTED]",1]"#),
            (r#""jane@example.com""#, r#""[REDACTED]""#),
            (
                r#"{"a":{"b":" \"password=x\" "},"token":1}"#,
                r#"{"a":{"b":" \"password=[REDACTED]\" "},"token":"[REDACTED]"}"#,
            ),
            (r#"{ "a" : "b" , "c" : 1 }"#, r#"{ "a" : "b" , "c" : 1 }"#),
        ] {
            let mut out = Vec::new();
            scrub(json.as_bytes(), &Redactor::standard(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for json in [
            "null",
            "1.5",
            r#""password""#,
            r#"["password",1]"#,
            r#"{"a":"password:1"}"#,
            r#"{"a":"\"password\":1"}"#,
            r#"{"":{}}"#,
            "[]",
        ] {
            check(json, json);
        }
    }

    /// What scrubbing means, on the tree.
    fn redacted(value: Value) -> Value {
        match value {
            Value::Object(members) => members
                .into_iter()
                .map(|(name, value)| {
                    let secret = Redactor::default().is_redacted(&name);
                    (name, if secret { json!(REDACTED) } else { redacted(value) })
                })
                .collect(),
            Value::Array(values) => values.into_iter().map(redacted).collect(),
            other => other,
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ -~]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let name = prop_oneof![Just("password".to_owned()), "[ -~]{0,4}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name, inner), 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_does_what_it_would_do_to_the_tree(value in values(), pretty: bool) {
            let text = if pretty {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                value.to_string()
            };
            let scrubbed: Value = serde_json::from_str(&scrubbed(&text)).unwrap();
            prop_assert_eq!(scrubbed, redacted(value));
        }
    }
}
