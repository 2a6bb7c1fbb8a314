//! How a field's name becomes the name in CloudWatch: `rename_all`.

/// One of the values of `rename_all`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Case {
    /// As CloudWatch's own metrics are named.
    #[default]
    Pascal,
    Snake,
    Camel,
    Kebab,
    ScreamingSnake,
    /// As in the program.
    None,
}

/// The values as they are written.
pub(crate) const CASES: &[(&str, Case)] = &[
    ("PascalCase", Case::Pascal),
    ("snake_case", Case::Snake),
    ("camelCase", Case::Camel),
    ("kebab-case", Case::Kebab),
    ("SCREAMING_SNAKE_CASE", Case::ScreamingSnake),
    ("none", Case::None),
];

impl Case {
    /// The name of a field, whose own is in snake case as a rule: words are what underscores part,
    /// and capitals that it has are kept where the case has capitals.
    pub(crate) fn apply(self, field: &str) -> String {
        let words = field.split('_').filter(|word| !word.is_empty());
        let joined = |separator: &str, word: fn(&str) -> String| {
            words.clone().map(word).collect::<Vec<_>>().join(separator)
        };
        match self {
            Case::Pascal => joined("", capitalized),
            Case::Snake => joined("_", str::to_lowercase),
            Case::Kebab => joined("-", str::to_lowercase),
            Case::ScreamingSnake => joined("_", str::to_uppercase),
            Case::Camel => {
                let first = words.clone().next().map(uncapitalized).unwrap_or_default();
                first + &words.skip(1).map(capitalized).collect::<String>()
            }
            Case::None => field.to_owned(),
        }
    }
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}

fn uncapitalized(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().into_iter().flat_map(char::to_lowercase);
    first.chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: &str, expected: [&str; 6]) {
        let names: Vec<_> = CASES.iter().map(|(_, case)| case.apply(field)).collect();
        assert_eq!(names, expected, "{field}");
    }

    #[test]
    fn names_follow_the_case() {
        check(
            "processing_duration",
            [
                "ProcessingDuration",
                "processing_duration",
                "processingDuration",
                "processing-duration",
                "PROCESSING_DURATION",
                "processing_duration",
            ],
        );
        check("depth", ["Depth", "depth", "depth", "depth", "DEPTH", "depth"]);
        check(
            "_http_2xx__p99",
            [
                "Http2xxP99",
                "http_2xx_p99",
                "http2xxP99",
                "http-2xx-p99",
                "HTTP_2XX_P99",
                "_http_2xx__p99",
            ],
        );
        check(
            "orderID_hash",
            [
                "OrderIDHash",
                "orderid_hash",
                "orderIDHash",
                "orderid-hash",
                "ORDERID_HASH",
                "orderID_hash",
            ],
        );
        check("größe", ["Größe", "größe", "größe", "größe", "GRÖSSE", "größe"]);
        check("__", ["", "", "", "", "", "__"]);
    }
}
