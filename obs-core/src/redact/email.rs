//! E-mail addresses.

use std::ops::Range;

use super::text::Text;

/// The address around `sign`, which is `@`, or `%40` in a URL. Its name begins at `floor` or later.
///
/// Letters and digits of any script are taken: an address that is not of ASCII alone must not leave
/// half of itself behind.
pub(super) fn find(text: &Text<'_>, sign: Range<usize>, floor: usize) -> Option<Range<usize>> {
    let is_of_name = |byte: u8| !byte.is_ascii() || is_of_name(char::from(byte));
    let unseen = Text { floor: floor.max(text.floor), ..*text };
    let before = text.part(unseen.run_back(sign.start, is_of_name)..sign.start);
    let name = &before[before.trim_end_matches(self::is_of_name).len()..];
    // What surrounds an address in a sentence.
    let name = name.trim_start_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '+'));
    let of_domain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | 0x80..);
    let domain = domain_len(text.part(sign.end..text.run(sign.end, of_domain)))?;
    (!name.is_empty()).then_some(sign.start - name.len()..sign.end + domain)
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
        if let Some(len) = top_level_len(name).filter(|_| index > 0) {
            known = Some(end + len);
        }
        if name.len() < label.len() {
            break;
        }
        end += label.len() + 1;
    }
    known
}

/// The length of the top level domain that `label` is. What is glued to a letter beyond ASCII may be
/// another secret, which begins there: it does not belong to it.
fn top_level_len(label: &str) -> Option<usize> {
    let is_long = |name: &str| name.chars().nth(1).is_some();
    let letters = &label[..label.find(|c: char| !c.is_alphabetic()).unwrap_or(label.len())];
    if label.starts_with("xn--") || (letters.len() == label.len() && is_long(label)) {
        return Some(label.len());
    }
    let name = letters.trim_end_matches(|c: char| c.is_ascii());
    is_long(name).then_some(name.len())
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '.' | '_' | '-' | '+' | '%' | '\'' | '~' | '!' | '#' | '$' | '*')
}
