//! Keeps a line within its size: cuts the largest strings first, marks the cut, and leaves the JSON
//! valid.

use std::ops::Range;

use crate::members::{members, strings, unit};

/// Room for the mark of one cut: `…[truncated 18446744073709551615 bytes]`.
const MARK: usize = 48;
/// A string this short is not worth cutting.
const SHORTEST_CUT: usize = 2 * MARK;
/// Never cut and never left out: without them, Lambda takes the line for one without a level.
const KEPT: [&[u8]; 2] = [b"timestamp", b"level"];
/// The key under which a line says how many of its fields were left out.
const LEFT_OUT: &[u8] = b"truncated_fields";

/// Makes `line`, a JSON object, fit into `limit` bytes; returns whether it had to.
///
/// The longest strings are cut down to a common length, each at the end of a character, with
/// `…[truncated N bytes]` in the place of the rest. If that is not enough (thousands of small
/// fields, keys that are huge), whole fields are left out, the largest first, and
/// `truncated_fields` says how many.
pub(crate) fn fit(line: &mut Vec<u8>, limit: usize) -> bool {
    let Some(excess) = line.len().checked_sub(limit).filter(|excess| *excess > 0) else {
        return false;
    };
    let texts: Vec<Range<usize>> = members(line)
        .filter(|member| !is_kept(&line[member.key.clone()]))
        .flat_map(|member| strings(line, member.value))
        .collect();
    let most = common_length(texts.iter().map(ExactSizeIterator::len).collect(), excess);
    cut_strings(line, &texts, most);
    if line.len() > limit {
        leave_out(line, limit);
    }
    true
}

/// Cuts the strings in one encoded `value` that are longer than a line may be.
///
/// A span's value is copied into its children and into each line: of what no line can hold, not more
/// is kept than one could.
pub(crate) fn fit_value(value: &mut Vec<u8>, most: usize) {
    let texts: Vec<Range<usize>> = strings(value, 0..value.len()).collect();
    cut_strings(value, &texts, most);
}

/// The length to which the longest of `lengths` must be cut so that together they lose `excess`.
fn common_length(mut lengths: Vec<usize>, excess: usize) -> usize {
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    let mut sum = 0;
    for (index, length) in lengths.iter().enumerate() {
        sum += length;
        let next = lengths.get(index + 1).copied().unwrap_or(0);
        let most = sum.saturating_sub(excess) / (index + 1);
        if most >= next {
            return most.max(SHORTEST_CUT);
        }
    }
    SHORTEST_CUT
}

fn cut_strings(line: &mut Vec<u8>, texts: &[Range<usize>], most: usize) {
    let mut cut = Vec::with_capacity(line.len().min(most.saturating_mul(2)));
    let mut done = 0;
    for text in texts.iter().filter(|text| text.len() > most) {
        let (whole, lost_before) = without_mark(&line[text.clone()]);
        let keep = end_of_unit(whole, most - MARK);
        cut.extend_from_slice(&line[done..text.start + keep]);
        let lost = lost_before.saturating_add(text_bytes(&whole[keep..]));
        cut.extend_from_slice(format!("…[truncated {lost} bytes]").as_bytes());
        done = text.end;
    }
    cut.extend_from_slice(&line[done..]);
    *line = cut;
}

/// A text that was cut before, and how much it lost then, which its mark says.
fn without_mark(text: &[u8]) -> (&[u8], usize) {
    let parts = || {
        let rest = text.strip_suffix(b" bytes]")?;
        let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (rest, digits) = rest.split_at(rest.len() - digits);
        let lost = std::str::from_utf8(digits).ok()?.parse().ok()?;
        Some((rest.strip_suffix("…[truncated ".as_bytes())?, lost))
    };
    parts().unwrap_or((text, 0))
}

fn leave_out(line: &mut Vec<u8>, limit: usize) {
    let mut length = line.len() + r#","truncated_fields":18446744073709551615"#.len();
    let mut out: Vec<Range<usize>> = Vec::new();
    let mut sizes: Vec<(usize, Range<usize>)> = Vec::new();
    // Loki may take less than the writer: then the line was cut before, and says so once, not twice.
    let mut before = 0;
    for member in members(line).filter(|member| !is_kept(&line[member.key.clone()])) {
        // With the comma before the key: what is kept comes first, so there always is one.
        let range = member.key.start - 2..member.value.end;
        if &line[member.key] == LEFT_OUT {
            before = number(&line[member.value]);
            length -= range.len();
            out.push(range);
        } else {
            sizes.push((range.len(), range));
        }
    }
    sizes.sort_unstable_by_key(|(size, _)| std::cmp::Reverse(*size));
    let mut left_out = before;
    for (size, range) in sizes {
        if length <= limit {
            break;
        }
        length -= size;
        left_out += 1;
        out.push(range);
    }
    out.sort_unstable_by_key(|range| range.start);
    let mut kept = Vec::with_capacity(length);
    let mut done = 0;
    for range in &out {
        kept.extend_from_slice(&line[done..range.start]);
        done = range.end;
    }
    kept.extend_from_slice(&line[done..line.len() - 1]);
    kept.extend_from_slice(format!(r#","truncated_fields":{left_out}}}"#).as_bytes());
    *line = kept;
}

fn number(digits: &[u8]) -> u64 {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

fn is_kept(key: &[u8]) -> bool {
    KEPT.contains(&key)
}

/// The end of the last character or escape that ends within `most` bytes.
fn end_of_unit(text: &[u8], most: usize) -> usize {
    let mut at = 0;
    loop {
        let (length, _) = unit(&text[at..]);
        if length == 0 || at + length > most {
            return at;
        }
        at += length;
    }
}

/// How many bytes the text has of which this is the escaped form.
fn text_bytes(mut escaped: &[u8]) -> usize {
    let mut bytes = 0;
    while !escaped.is_empty() {
        let (length, text) = unit(escaped);
        bytes += text;
        escaped = escaped.get(length..).unwrap_or_default();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const START: &str = r#"{"timestamp":"2026-11-21T12:30:00.125Z","level":"INFO""#;

    fn line(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut line = START.as_bytes().to_vec();
        for (key, value) in fields {
            crate::callsite::member(&mut line, key, value);
        }
        line.push(b'}');
        line
    }

    fn cut(fields: &[(&str, &str)], limit: usize) -> Value {
        let mut line = line(fields);
        fit(&mut line, limit);
        assert!(line.len() <= limit, "{} > {limit}", line.len());
        serde_json::from_slice(&line).unwrap()
    }

    #[test]
    fn a_line_within_its_limit_is_left_alone() {
        let mut short = line(&[("a", "b")]);
        let before = short.clone();
        assert!(!fit(&mut short, before.len()));
        assert_eq!(short, before);
    }

    #[test]
    fn the_largest_field_is_cut_first_and_says_by_how_much() {
        // 18
        let (large, small) = ("x".repeat(10_000), "y".repeat(300));
        let value = cut(&[("small", &small), ("large", &large)], 4096);
        assert_eq!(value["small"], small);
        let text = value["large"].as_str().unwrap();
        let (kept, mark) = text.split_once('…').unwrap();
        assert_eq!(mark, format!("[truncated {} bytes]", 10_000 - kept.len()));
        assert!(kept.len() > 3000, "{}", kept.len());
    }

    #[test]
    fn a_cut_never_splits_a_character_or_an_escape() {
        // 18
        for unit in ["é", "€", "🦀", "\n", "\u{2028}", "\u{85}", "\u{1b}", "\"", "a€"] {
            for shift in 0..8 {
                let text = "-".repeat(shift) + &unit.repeat(3000);
                let value = cut(&[("text", &text)], 4096);
                let (kept, mark) = value["text"].as_str().unwrap().split_once('…').unwrap();
                assert!(text.starts_with(kept), "{unit:?}");
                assert_eq!(mark, format!("[truncated {} bytes]", text.len() - kept.len()));
            }
        }
    }

    #[test]
    fn strings_inside_a_value_are_cut_as_well() {
        let mut chain = START.as_bytes().to_vec();
        let long = "z".repeat(9000);
        chain.extend_from_slice(format!(r#","error_chain":["short","{long}"]}}"#).as_bytes());
        assert!(fit(&mut chain, 4096));
        let value: Value = serde_json::from_slice(&chain).unwrap();
        assert_eq!(value["error_chain"][0], "short");
        assert!(value["error_chain"][1].as_str().unwrap().ends_with(" bytes]"));
        assert!(chain.len() <= 4096);
    }

    #[test]
    fn what_cannot_be_cut_is_left_out_and_counted() {
        let keys: Vec<String> = (0..500).map(|n| format!("key{n}")).collect();
        let fields: Vec<_> = keys.iter().map(|key| (key.as_str(), "v")).collect();
        let value = cut(&fields, 4096);
        let left = value.as_object().unwrap().len() as u64 - 3;
        assert_eq!(value["truncated_fields"].as_u64().unwrap(), 500 - left);
        let value = cut(&[(&"k".repeat(9000), "v"), ("b", "c")], 4096);
        assert_eq!(value["truncated_fields"], 1);
        assert_eq!(value["b"], "c");
        assert_eq!(value["level"], "INFO");
    }

    #[test]
    fn scenario_18_a_text_that_is_cut_twice_says_how_much_is_lost_in_all() {
        let mut value = format!("[\"{}\",\"short\"]", "é".repeat(50_000)).into_bytes();
        for most in [40_000, 9_999, 5_000] {
            fit_value(&mut value, most);
            assert!(value.len() <= most + 12, "{}", value.len());
            let texts: [String; 2] = serde_json::from_slice(&value).unwrap();
            let (kept, mark) = texts[0].split_once('…').unwrap();
            assert_eq!(mark, format!("[truncated {} bytes]", 100_000 - kept.len()));
            assert_eq!(texts[1], "short");
        }
        let before = value.clone();
        fit_value(&mut value, 5_000);
        assert_eq!(value, before);
    }

    #[test]
    fn scenario_29_a_line_that_is_cut_twice_says_once_what_was_left_out() {
        let keys: Vec<String> = (0..2000).map(|n| format!("key{n}")).collect();
        let fields: Vec<_> = keys.iter().map(|key| (key.as_str(), "v")).collect();
        let mut line = line(&fields);
        for limit in [16 * 1024, 8 * 1024, 4 * 1024] {
            assert!(fit(&mut line, limit) && line.len() <= limit);
            // It fails on a key that is there twice.
            let read: crate::test::Line = std::str::from_utf8(&line).unwrap().parse().unwrap();
            assert_eq!(read.u64("truncated_fields"), 2000 + 3 - read.keys().len() as u64);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_line_fits_and_stays_valid(
            fields in prop::collection::vec((".{0,20}", ".{0,600}"), 0..40),
            limit in 4096_usize..12_000,
        ) {
            let fields: Vec<_> = fields
                .iter()
                .enumerate()
                .map(|(n, (key, value))| (format!("{key}{n}"), value.as_str()))
                .collect();
            let fields: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), *value)).collect();
            let value = cut(&fields, limit);
            prop_assert_eq!(value["level"].as_str(), Some("INFO"));
            for (key, before) in fields {
                if let Some(after) = value.get(key).and_then(Value::as_str) {
                    let kept = after.rsplit_once("…[truncated").map_or(after, |(kept, _)| kept);
                    prop_assert!(before.starts_with(kept));
                }
            }
        }
    }
}
