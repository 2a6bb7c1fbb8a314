//! E-mail addresses.

use std::ops::Range;

use super::text::Text;

/// The address around the `@` at `at`, which has `width` bytes: in URLs it is `%40`. Its name begins
/// at `floor` or later.
///
/// Letters and digits of any script are taken: an address that is not of ASCII alone must not leave
/// half of itself behind.
pub(super) fn find(text: &Text<'_>, at: usize, width: usize, floor: usize) -> Option<Range<usize>> {
    let before = text.text.get(floor.max(text.floor)..at)?;
    let name = &before[before.trim_end_matches(is_of_name).len()..];
    // What surrounds an address in a sentence.
    let name = name.trim_start_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '+'));
    let domain_at = at + width;
    let domain = domain_len(text.text.get(domain_at..)?)?;
    (!name.is_empty()).then_some(at - name.len()..domain_at + domain)
}

/// The length of the domain that `rest` begins with. It has a dot, and its last part looks like that
/// of a domain: what is behind that (`example.com.`, `example.com-1`) does not belong to it.
fn domain_len(rest: &str) -> Option<usize> {
    let of_domain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.');
    let rest = &rest[..rest.find(|c| !of_domain(c)).unwrap_or(rest.len())];
    let mut end = 0;
    let mut known = None;
    for (index, label) in rest.split('.').enumerate() {
        let name = label.trim_end_matches('-');
        if name.is_empty() || name.starts_with('-') {
            break;
        }
        if index > 0 && is_top_level(name) {
            known = Some(end + name.len());
        }
        if name.len() < label.len() {
            break;
        }
        end += label.len() + 1;
    }
    known
}

fn is_top_level(label: &str) -> bool {
    label.starts_with("xn--")
        || (label.chars().nth(1).is_some() && label.chars().all(char::is_alphabetic))
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '.' | '_' | '-' | '+' | '%' | '\'' | '~' | '!' | '#' | '$' | '*')
}
