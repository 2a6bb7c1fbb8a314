//! JSON for machines, text for people.

use crate::error::Error;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// `timestamp LEVEL target: message key=value …`, one line too.
    Text,
}

impl Format {
    /// Reads a variable's value.
    pub(crate) fn parse(value: &str, origin: &'static str) -> Result<Self, Error> {
        match value {
            _ if value.eq_ignore_ascii_case("json") => Ok(Self::Json),
            _ if value.eq_ignore_ascii_case("text") => Ok(Self::Text),
            _ => Err(Error::format(value, origin)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_in_any_case() {
        assert_eq!(Format::parse("JSON", "AWS_LAMBDA_LOG_FORMAT").unwrap(), Format::Json);
        assert_eq!(Format::parse("Text", "AWS_LAMBDA_LOG_FORMAT").unwrap(), Format::Text);
        let error = Format::parse("xml", "OBS_LOG_FORMAT").unwrap_err();
        assert!(error.is_format());
        assert!(error.to_string().contains("\"xml\" (OBS_LOG_FORMAT)"), "{error}");
    }
}
