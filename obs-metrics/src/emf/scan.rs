//! Telling EMF lines from other log lines without parsing them.

/// Whether `line` is meant to be an EMF document: an object with `_aws.CloudWatchMetrics`.
///
/// It is a scan without allocation that stops at the member, and neither checks the document (that
/// is [`validate`](crate::emf::validate)) nor the JSON: a document that is cut off is still told from a log line.
///
/// ```
/// use obs_metrics::emf::is_emf;
///
/// assert!(is_emf(r#"{"_aws":{"Timestamp":1,"CloudWatchMetrics":[]}}"#));
/// assert!(!is_emf(r#"{"level":"INFO","message":"uses \"_aws\" and CloudWatchMetrics"}"#));
/// assert!(!is_emf("START RequestId: 8f5c"));
/// ```
pub fn is_emf(line: &str) -> bool {
    let line = line.trim_ascii();
    // Searches rule out nearly every log line before its structure is looked at. A name may be
    // written with escapes.
    let may_have = |name| line.contains(name) || line.contains("\\u");
    line.starts_with('{')
        && may_have("\"_aws\"")
        && may_have("\"CloudWatchMetrics\"")
        && has_directives(line.as_bytes())
}

/// Follows the structure: strings, depth, and which member of the root one is in.
fn has_directives(bytes: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut in_aws = false;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let start = at;
                at = end_of_string(bytes, at);
                let text = bytes.get(start..at.saturating_sub(1)).unwrap_or_default();
                if is_key(bytes, at) {
                    match depth {
                        1 => in_aws = spells(text, b"_aws"),
                        2 if in_aws && spells(text, b"CloudWatchMetrics") => return true,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    false
}

/// The place after the string's closing quote, or the end.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        at += match byte {
            b'\\' => 2,
            b'"' => return at + 1,
            _ => 1,
        };
    }
    bytes.len()
}

/// Whether the string of this text is `name`, which has no character that JSON must escape.
fn spells(mut text: &[u8], name: &[u8]) -> bool {
    if !text.contains(&b'\\') {
        return text == name;
    }
    for &wanted in name {
        text = match text {
            [b'\\', b'u', hex @ ..] => match hex.split_at_checked(4) {
                Some((digits, rest)) if code(digits) == Some(u32::from(wanted)) => rest,
                _ => return false,
            },
            [byte, rest @ ..] if *byte == wanted => rest,
            _ => return false,
        };
    }
    text.is_empty()
}

fn code(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |code, &digit| Some(code * 16 + char::from(digit).to_digit(16)?))
}

fn is_key(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn documents_are_told_from_log_lines() {
        for (line, expected) in [
            (r#"{"_aws":{"CloudWatchMetrics":[]}}"#, true),
            (
                " \t{ \"a\" : [1, {\"x\":2}] , \"_aws\" : { \"Timestamp\": 1, \"CloudWatchMetrics\" : 5 } }\n",
                true,
            ),
            (r#"{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Name"#, true),
            (r#"{"_aws":{"Timestamp":1}}"#, false),
            (r#"{"_aws":{"x":{"CloudWatchMetrics":[]}}}"#, false),
            (r#"{"_aws":1,"b":{"CloudWatchMetrics":[]}}"#, false),
            (r#"{"a":{"_aws":{"CloudWatchMetrics":[]}}}"#, false),
            (r#"{"message":"{\"_aws\":{\"CloudWatchMetrics\":[]}}"}"#, false),
            (r#"{"a":["_aws","CloudWatchMetrics"]}"#, false),
            (r#"["_aws",{"CloudWatchMetrics":[]}]"#, false),
            (r#"{"a":"\\","_aws":{"CloudWatchMetrics":[]}}"#, true),
            (r#"{"\u005faws":{"Cloud\u0057atchMetrics":[]}}"#, true),
            (r#"{"\u005Faws":{"CloudWatchMetrics":[]}}"#, true),
            (r#"{"\u005eaws":{"CloudWatchMetrics":[]}}"#, false),
            (r#"{"\u005faw":{"CloudWatchMetrics":[]}}"#, false),
            (r#"{"_aws\u005f":{"CloudWatchMetrics":[]}}"#, false),
            (r#"{"_aw\u+73":{"CloudWatchMetrics":[]}}"#, false),
            (r#"{"_aw\u00":{"CloudWatchMetrics":[]}}"#, false),
            ("", false),
            ("{", false),
            (r#"{"_aws"#, false),
        ] {
            assert_eq!(is_emf(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in r#"(\{|\}|\[|"|\\|:|,|_aws|"_aws"|\\u005f|\\u|"CloudWatchMetrics"|[a-zé]){0,40}"#) {
            is_emf(&line);
        }
    }
}
