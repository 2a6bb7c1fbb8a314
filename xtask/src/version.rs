//! Versions as tools print them.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) patch: u32,
}

impl Version {
    pub(crate) const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// The first version in what a tool printed: `Python 3.11.7`, `v20.20.2`, `11.19.1`, `3.13.0rc1`.
    pub(crate) fn find(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(Self::parse)
    }

    fn parse(word: &str) -> Option<Self> {
        let mut parts = word.strip_prefix('v').unwrap_or(word).split('.').map(leading_number);
        let major = parts.next()??;
        let minor = parts.next()??;
        let patch = parts.next().flatten().unwrap_or(0);
        Some(Self { major, minor, patch })
    }
}

fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_are_found_in_what_tools_print() {
        let check = |text: &str, expected: Option<(u32, u32, u32)>| {
            let expected = expected.map(|(major, minor, patch)| Version::new(major, minor, patch));
            assert_eq!(Version::find(text), expected, "{text:?}");
        };
        check("Python 3.11.7\n", Some((3, 11, 7)));
        check("v20.20.2\n", Some((20, 20, 2)));
        check("11.19.1", Some((11, 19, 1)));
        check("Python 3.13.0rc1", Some((3, 13, 0)));
        check("Python 3.12", Some((3, 12, 0)));
        check("2.1148.1 (build a1b2c3)", Some((2, 1148, 1)));
        check("not found", None);
        check("7", None);
        check("", None);
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert!(Version::new(3, 9, 18) < Version::new(3, 11, 0));
        assert!(Version::new(20, 0, 0) > Version::new(9, 11, 2));
    }
}
