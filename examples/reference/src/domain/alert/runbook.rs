//! Which runbook an alert names, and what was found of it.

/// How an alert refers to its runbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunbookRef {
    /// A link that can be followed as it is.
    Link(String),
    /// A name for which a link is to be looked up.
    Slug(String),
    /// Nothing, or nothing usable; the note says which.
    Unusable(Option<String>),
}

/// The slug of the runbook for alerts that name none, or one that does not exist.
pub const DEFAULT_SLUG: &str = "default";

const MAX_SLUG: usize = 64;

impl RunbookRef {
    /// Reads what an alert gives as its runbook.
    ///
    /// A slug becomes part of the name of a parameter, and comes from whoever may put events on the
    /// bus: it is refused unless it is made of small letters, digits, `-` and `_`.
    #[must_use]
    pub fn parse(runbook: Option<&str>) -> Self {
        let Some(runbook) = runbook.map(str::trim).filter(|runbook| !runbook.is_empty()) else {
            return Self::Unusable(None);
        };
        let is_slug = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_".contains(&c);
        if is_link(runbook) {
            Self::Link(runbook.to_owned())
        } else if runbook.len() <= MAX_SLUG && runbook.bytes().all(is_slug) {
            Self::Slug(runbook.to_owned())
        } else {
            let shown: String = runbook.chars().take(MAX_SLUG).collect();
            Self::Unusable(Some(format!("the runbook {shown:?} is neither a link nor a slug")))
        }
    }
}

/// A runbook as it goes into a notification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runbook {
    /// The slug under which the link was found, or looked for.
    pub slug: Option<String>,
    /// The link.
    pub link: Option<String>,
    /// What went wrong on the way.
    pub notes: Vec<String>,
}

/// Whether a text from outside is a link that may be shown as one.
pub(super) fn is_link(text: &str) -> bool {
    const MAX_LINK: usize = 2_048;
    let address = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    text.len() <= MAX_LINK
        && address.is_some_and(|address| !address.is_empty())
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runbook_is_a_link_or_a_slug() {
        let slug = |slug: &str| RunbookRef::Slug(slug.to_owned());
        let link = |link: &str| RunbookRef::Link(link.to_owned());
        for (text, expected) in [
            (Some("data-quality"), slug("data-quality")),
            (Some(" processing_errors2 "), slug("processing_errors2")),
            (Some("https://wiki.example.com/a?b=c#d"), link("https://wiki.example.com/a?b=c#d")),
            (Some("  "), RunbookRef::Unusable(None)),
            (None, RunbookRef::Unusable(None)),
        ] {
            assert_eq!(RunbookRef::parse(text), expected, "{text:?}");
        }
        for text in
            ["../prod/secret", "a/b", "Data", "javascript:x", "https://", "https://a b", "é"]
        {
            let RunbookRef::Unusable(Some(note)) = RunbookRef::parse(Some(text)) else {
                panic!("{text:?} was taken");
            };
            assert!(note.contains("neither a link nor a slug"), "{note}");
        }
        assert!(matches!(RunbookRef::parse(Some(&"a".repeat(65))), RunbookRef::Unusable(Some(_))));
    }
}
