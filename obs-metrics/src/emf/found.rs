//! What the checks have found so far.

use std::collections::HashSet;
use std::fmt::Display;

use super::pointer::Pointer;
use super::violation::{Rule, Violation, Violations};

/// How much text is listed. A report of one place is as long as the place's pointer, so that
/// without a limit a document of 1 MiB that is wrong in 100,000 places below one long key would
/// have a report of 50 GB. Below short keys there is room for every place that 1 MiB has.
const REPORT_BYTES: usize = 64 * 1024 * 1024;

/// How much of a text is quoted.
const QUOTED_CHARS: usize = 80;

#[derive(Default)]
pub(super) struct Found {
    violations: Vec<Violation>,
    /// A place below a member that occurs twice is reported once.
    seen: HashSet<(String, Rule)>,
    bytes: usize,
    omitted: usize,
}

impl Found {
    pub(super) fn add(&mut self, pointer: &Pointer<'_>, rule: Rule, message: impl Display) {
        if self.bytes > REPORT_BYTES {
            self.omitted += 1;
            return;
        }
        let pointer = pointer.to_string();
        if self.seen.insert((pointer.clone(), rule)) {
            let message = message.to_string();
            self.bytes += pointer.len() + message.len();
            self.violations.push(Violation { pointer, rule, message });
        }
    }

    /// `value` unless something was found.
    pub(super) fn or<T>(self, value: T) -> Result<T, Violations> {
        if self.violations.is_empty() {
            Ok(value)
        } else {
            Err(Violations { listed: self.violations, omitted: self.omitted })
        }
    }
}

/// `text` as it is quoted in a message: its beginning where it is long.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", beginning(text))
}

pub(super) fn beginning(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_quoted_by_their_beginning() {
        assert_eq!(quoted("a\"b"), r#""a\"b""#);
        let text = "é".repeat(QUOTED_CHARS);
        assert_eq!(beginning(&text), text);
        assert_eq!(beginning(&format!("{text}x")), format!("{text}…"));
    }

    #[test]
    fn what_is_too_much_to_list_is_counted() {
        let long = "x".repeat(REPORT_BYTES / 4);
        let root = Pointer::Root;
        let array = root.member(&long);
        let mut found = Found::default();
        for n in 0..10 {
            found.add(&array.item(n), Rule::Value, "wrong");
        }
        let violations = found.or(()).unwrap_err();
        assert_eq!((violations.iter().count(), violations.omitted()), (4, 6));
        assert!(violations.to_string().ends_with("\n… and 6 more"));
    }
}
