//! Patterns with `*` (any text, also none) and `?` (one character).

use std::str::Chars;

/// The longest pattern that is taken, in bytes; X-Ray's longest (a resource's ARN) has 500
/// characters.
pub(crate) const MAX_PATTERN: usize = 2_000;

/// A pattern of a sampling rule. Without regard to case, as X-Ray's own SDKs compare.
///
/// A match takes at most as many steps as the text has characters times those of the pattern,
/// however many stars there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Stars and nothing else.
    Any,
    /// Without wildcards.
    Exact(Box<str>),
    /// With a star, and without letters beyond ASCII: the usual case.
    Ascii(Parts),
    Wild(Box<str>),
}

/// A pattern between its stars, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    first: Box<[u8]>,
    last: Box<[u8]>,
    /// Those between, none of them empty.
    middle: Box<[Box<[u8]>]>,
    /// The shortest text, in bytes.
    least: usize,
    has_question_mark: bool,
    whole: Box<str>,
}

impl Pattern {
    /// `None` if it is longer than [`MAX_PATTERN`].
    pub(crate) fn new(text: &str) -> Option<Self> {
        if text.len() > MAX_PATTERN {
            return None;
        }
        Some(Self(if !text.is_empty() && text.bytes().all(|byte| byte == b'*') {
            Kind::Any
        } else if !text.contains(['*', '?']) {
            Kind::Exact(text.into())
        } else {
            match Parts::of(text) {
                Some(parts) => Kind::Ascii(parts),
                None => Kind::Wild(text.into()),
            }
        }))
    }

    /// What is not there is the empty text: only stars, or nothing at all, match it.
    #[inline]
    pub(crate) fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Kind::Any => true,
            Kind::Exact(exact) => is_same_text(exact, text),
            // One byte is one character there.
            Kind::Ascii(parts) if !parts.has_question_mark || text.is_ascii() => {
                parts.match_bytes(text.as_bytes())
            }
            Kind::Ascii(Parts { whole: pattern, .. }) | Kind::Wild(pattern) => {
                is_match(pattern, text)
            }
        }
    }
}

impl Parts {
    /// `None` without a star, or with letters beyond ASCII.
    fn of(pattern: &str) -> Option<Self> {
        if !pattern.is_ascii() {
            return None;
        }
        let lower = pattern.to_ascii_lowercase();
        let (first, behind) = lower.split_once('*')?;
        let (between, last) = behind.rsplit_once('*').unwrap_or(("", behind));
        let part = |text: &str| Box::from(text.as_bytes());
        Some(Self {
            first: part(first),
            last: part(last),
            middle: between.split('*').filter(|text| !text.is_empty()).map(part).collect(),
            least: lower.bytes().filter(|byte| *byte != b'*').count(),
            has_question_mark: lower.contains('?'),
            whole: pattern.into(),
        })
    }

    /// The ends first, which refuse most texts at once; then each part where it first occurs.
    #[inline]
    fn match_bytes(&self, text: &[u8]) -> bool {
        if text.len() < self.least {
            return false;
        }
        let Some((first, rest)) = text.split_at_checked(self.first.len()) else { return false };
        let Some(end) = rest.len().checked_sub(self.last.len()) else { return false };
        let Some((mut rest, last)) = rest.split_at_checked(end) else { return false };
        if !is_same_bytes(&self.first, first) || !is_same_bytes(&self.last, last) {
            return false;
        }
        for part in &self.middle {
            let found = rest.windows(part.len()).position(|window| is_same_bytes(part, window));
            let Some(at) = found else { return false };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        true
    }
}

/// Of the same length; `pattern` is in lower case and may have question marks.
#[inline]
fn is_same_bytes(pattern: &[u8], text: &[u8]) -> bool {
    pattern.iter().zip(text).all(|(a, b)| *a == b.to_ascii_lowercase() || *a == b'?')
}

fn is_same_text(a: &str, b: &str) -> bool {
    if a.is_ascii() || b.is_ascii() {
        // The sign of the kelvin, whose small letter is a k, is not taken for one.
        return a.eq_ignore_ascii_case(b);
    }
    let (mut a, mut b) = (a.chars(), b.chars());
    loop {
        match (a.next(), b.next()) {
            (Some(a), Some(b)) if is_same(a, b) => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

fn is_same(a: char, b: char) -> bool {
    if a.is_ascii() || b.is_ascii() {
        a.eq_ignore_ascii_case(&b)
    } else {
        a == b || a.to_lowercase().eq(b.to_lowercase())
    }
}

/// Goes along both texts. Where they differ, the last star takes one character more, and the pattern
/// goes on behind it: to go back to an earlier star would find nothing that this does not.
fn is_match(pattern: &str, text: &str) -> bool {
    let (mut wanted, mut rest) = (pattern.chars(), text.chars());
    // Behind the last star: the pattern, and the text with which that is tried.
    let mut star: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        match wanted.next() {
            Some('*') => {
                if wanted.as_str().is_empty() {
                    return true;
                }
                star = Some((wanted.clone(), rest.clone()));
                continue;
            }
            Some(one) => match rest.next() {
                Some(found) if one == '?' || is_same(one, found) => continue,
                Some(_) => {}
                // A star that took more would leave even less.
                None => return false,
            },
            None if rest.as_str().is_empty() => return true,
            None => {}
        }
        let Some((behind, tried)) = &mut star else { return false };
        if tried.next().is_none() {
            return false;
        }
        (wanted, rest) = (behind.clone(), tried.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(Pattern::new(pattern).unwrap().matches(text), expected, "{pattern:?} {text:?}");
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("***", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "", false),
            ("?", "a", true),
            ("?", "ä", true),
            ("?", "ab", false),
            ("*?", "", false),
            ("*?", "ab", true),
            ("abc", "abc", true),
            ("abc", "ABC", true),
            ("ABC", "abc", true),
            ("abc", "abcd", false),
            ("abc", "ab", false),
            ("a*c", "ac", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbbcd", false),
            ("a*c", "acbc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*/orders/*", "/api/orders/4711", true),
            ("*/orders/*", "/api/orders", false),
            ("/api/*/items/?", "/API/a/b/items/7", true),
            ("/api/*/items/?", "/api/a/b/items/77", false),
            ("*.example.com", "www.EXAMPLE.com", true),
            ("*.example.com", "example.com", false),
            ("*ab*ab*", "abab", true),
            ("*ab*ab*", "aab", false),
            ("*aab", "aaab", true),
            ("ab*ba", "aba", false),
            ("ab*ba", "abba", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*bc", "abc", false),
            ("?*", "ä", true),
            ("*?*?*", "ä", false),
            ("a*", "\u{212a}", false),
            // The sign of the kelvin, whose small letter is a k.
            ("\u{212a}", "k", false),
            ("k*", "\u{212a}", false),
            ("GRÖSSE", "grösse", true),
            ("grö*", "GRÖSSE", true),
            ("gr?sse", "größe", false),
            ("[a-z]+", "a", false),
            ("a.c", "abc", false),
            ("\\*", "\\anything", true),
        ] {
            check(pattern, text, expected);
        }
    }

    #[test]
    fn a_pattern_of_2_000_bytes_is_the_longest() {
        assert!(Pattern::new(&"a".repeat(MAX_PATTERN)).is_some());
        assert!(Pattern::new(&"a".repeat(MAX_PATTERN + 1)).is_none());
    }

    #[test]
    fn hostile_patterns_take_no_longer_than_the_product_of_the_lengths() {
        let text = "a".repeat(16_000);
        for pattern in [
            format!("{}b", "*a".repeat(900)),
            format!("*{}b", "a".repeat(1_900)),
            format!("{}b", "*?a".repeat(600)),
            format!("{}b*", "*a?".repeat(600)),
        ] {
            let pattern = Pattern::new(&pattern).unwrap();
            let started = Instant::now();
            assert!(!pattern.matches(&text));
            // 32 million steps at most; without optimization, on a busy machine.
            assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        }
    }

    /// By definition, and exponential.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', behind @ ..], _) => {
                slow(behind, text) || (!text.is_empty() && slow(pattern, &text[1..]))
            }
            (['?', behind @ ..], [_, rest @ ..]) => slow(behind, rest),
            ([one, behind @ ..], [found, rest @ ..]) => is_same(*one, *found) && slow(behind, rest),
            _ => false,
        }
    }

    fn is_as_defined(pattern: &str, text: &str) -> Result<(), TestCaseError> {
        let (wanted, given): (Vec<char>, Vec<char>) =
            (pattern.chars().collect(), text.chars().collect());
        prop_assert_eq!(Pattern::new(pattern).unwrap().matches(text), slow(&wanted, &given));
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn the_same_as_by_definition(pattern in "[abä*?]{0,9}", text in "[abABäÄ]{0,10}") {
            is_as_defined(&pattern, &text)?;
        }

        #[test]
        fn the_same_in_ascii(pattern in "[abB*?]{0,9}", text in "[abAB]{0,10}") {
            is_as_defined(&pattern, &text)?;
            prop_assert_eq!(is_match(&pattern, &text), Pattern::new(&pattern).unwrap().matches(&text));
        }
    }
}
