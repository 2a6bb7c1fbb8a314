//! Reads a finished line again: where its members and its strings lie. It was written by us, so
//! this only finds its way; it does not check.

use std::ops::Range;

/// One member of the line's object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Inside the key's quotes.
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// The members of the object in `line`, in order.
pub(crate) fn members(line: &[u8]) -> impl Iterator<Item = Member> {
    // After the brace; then after each comma.
    let mut at = 1;
    std::iter::from_fn(move || {
        if line.get(at) != Some(&b'"') {
            return None;
        }
        let key_end = end_of_string(line, at);
        let value = key_end + 1;
        let end = end_of_value(line, value);
        let member = Member { key: at + 1..key_end - 1, value: value..end };
        at = end + 1;
        Some(member)
    })
}

/// The insides of all strings in `value`, which is a part of `line`: of itself, or of its elements
/// and members, but not the keys of those.
pub(crate) fn strings(line: &[u8], value: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut at = value.start;
    std::iter::from_fn(move || {
        while at < value.end {
            if line.get(at) != Some(&b'"') {
                at += 1;
                continue;
            }
            let inside = at + 1;
            at = end_of_string(line, at);
            if line.get(at) != Some(&b':') {
                return Some(inside..at - 1);
            }
        }
        None
    })
}

/// The length of the character or the escape at the beginning of `text`, which is the inside of a
/// JSON string, and how many bytes the text itself has there.
pub(crate) fn unit(text: &[u8]) -> (usize, usize) {
    match text {
        [b'\\', b'u', hex @ ..] => {
            let code = hex.get(..4).and_then(|hex| std::str::from_utf8(hex).ok());
            let code = code.and_then(|hex| u32::from_str_radix(hex, 16).ok());
            (6, code.and_then(char::from_u32).map_or(1, char::len_utf8))
        }
        [b'\\', ..] => (2, 1),
        [first, ..] => {
            let length = match first {
                0x00..=0x7f => 1,
                0x80..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xff => 4,
            };
            (length, length)
        }
        [] => (0, 0),
    }
}

/// The index after the string that begins at `at`.
fn end_of_string(line: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(byte) = line.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    line.len()
}

/// The index after the value that begins at `at`.
fn end_of_value(line: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(byte) = line.get(at) {
        match byte {
            b'"' => {
                at = end_of_string(line, at);
                continue;
            }
            b'[' | b'{' => depth += 1,
            b',' | b'}' | b']' if depth == 0 => return at,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_strings_are_found() {
        let line = br#"{"a":"x,\"}","b\"":[1,"y",{"k":"z"}],"c":-1.5e3,"d":null,"e":""}"#;
        let text = |range: Range<usize>| std::str::from_utf8(&line[range]).unwrap();
        let found: Vec<_> = members(line).map(|m| (text(m.key), text(m.value))).collect();
        assert_eq!(
            found,
            [
                ("a", r#""x,\"}""#),
                (r#"b\""#, r#"[1,"y",{"k":"z"}]"#),
                ("c", "-1.5e3"),
                ("d", "null"),
                ("e", r#""""#),
            ]
        );
        let all: Vec<_> = members(line).flat_map(|m| strings(line, m.value)).map(text).collect();
        assert_eq!(all, [r#"x,\"}"#, "y", "z", ""]);
        assert_eq!(members(b"{}").count(), 0);
    }

    #[test]
    fn units_are_characters_or_escapes() {
        for (text, expected) in [
            ("a", (1, 1)),
            (r"\n", (2, 1)),
            (r"\u2028", (6, 3)),
            (r"\u0085", (6, 2)),
            (r"\u001b", (6, 1)),
            ("é", (2, 2)),
            ("€", (3, 3)),
            ("🦀", (4, 4)),
            ("", (0, 0)),
        ] {
            assert_eq!(unit(text.as_bytes()), expected, "{text}");
        }
    }
}
