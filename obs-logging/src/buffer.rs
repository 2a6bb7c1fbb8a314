//! What `buffer_until_error` takes: how much, and which lines.

use tracing_core::{LevelFilter, Metadata};
use tracing_subscriber::filter::Targets;

use crate::error::Error;
use crate::level::Directives;

/// The lines that are held, if nothing else is said.
const DEFAULT_LEVEL: &str = "debug";

/// What the stack below the application says of itself: a request to AWS is worth dozens of lines,
/// which would push out the application's own. As in a directive, all targets that begin so.
const NOISE: &[&str] = &[
    "aws_config",
    "aws_credential_types",
    "aws_runtime",
    "aws_sdk_",
    "aws_sigv4",
    "aws_smithy_",
    "h2",
    "hyper",
    "lambda_runtime",
    "mio",
    "rustls",
    "tokio_util",
    "tower",
    "want",
];

/// The settings of a logger that holds lines.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// The most bytes of lines that one request holds.
    pub(crate) bytes: usize,
    targets: Targets,
}

impl Buffer {
    /// `level` are directives without spans: what is held is decided before there is a span to ask.
    pub(crate) fn new(bytes: usize, level: Option<&str>) -> Result<Self, Error> {
        const ORIGIN: &str = "given to `buffer_level`";
        let level = level.unwrap_or(DEFAULT_LEVEL);
        let checked = Directives::parse(level, ORIGIN)?;
        if checked.as_str().contains('[') {
            return Err(Error::level(level, ORIGIN, Some("a directive names a span".into())));
        }
        // The noise first: of two directives for one target, the later counts.
        let noise: String = NOISE.iter().map(|target| format!("{target}=off,")).collect();
        let targets = format!("{noise}{}", checked.as_str())
            .parse()
            .map_err(|error| Error::level(level, ORIGIN, Some(Box::new(error))))?;
        Ok(Self { bytes, targets })
    }

    /// Whether a line, or the context of a span, would be held.
    pub(crate) fn takes(&self, metadata: &Metadata<'_>) -> bool {
        self.targets.would_enable(metadata.target(), metadata.level())
    }

    /// The most verbose level that is held.
    pub(crate) fn most(&self) -> LevelFilter {
        self.targets
            .iter()
            .map(|(_, level)| level)
            .chain(self.targets.default_level())
            .max()
            .unwrap_or(LevelFilter::OFF)
    }
}

#[cfg(test)]
mod tests {
    use tracing_core::Level;

    use super::*;

    fn check(level: Option<&str>, target: &str, line: Level, expected: bool) {
        let buffer = Buffer::new(1, level).unwrap();
        assert_eq!(
            buffer.targets.would_enable(target, &line),
            expected,
            "{level:?} {target} {line}"
        );
    }

    #[test]
    fn the_applications_debug_lines_are_held_and_not_its_stacks() {
        check(None, "orders::pay", Level::DEBUG, true);
        check(None, "orders::pay", Level::TRACE, false);
        for target in
            ["hyper::proto", "hyper_util::client", "h2", "aws_smithy_runtime", "tower::retry"]
        {
            check(None, target, Level::DEBUG, false);
            check(None, target, Level::ERROR, false);
            check(Some("trace"), target, Level::DEBUG, false);
        }
    }

    #[test]
    fn directives_say_otherwise() {
        check(Some("info"), "orders", Level::DEBUG, false);
        check(Some("debug,orders=TRACE"), "orders", Level::TRACE, true);
        check(Some("debug,hyper=debug"), "hyper::proto", Level::DEBUG, true);
        check(Some("WARNING"), "orders", Level::WARN, true);
        for (level, most) in [
            ("debug", LevelFilter::DEBUG),
            ("info,orders=trace", LevelFilter::TRACE),
            ("off", LevelFilter::OFF),
        ] {
            assert_eq!(Buffer::new(1, Some(level)).unwrap().most(), most, "{level}");
        }
    }

    #[test]
    fn what_is_no_level_or_names_a_span_is_refused() {
        for level in ["loud", "orders=loud", "[charge]=debug", ""] {
            let error = Buffer::new(1, Some(level)).unwrap_err();
            assert!(error.is_level(), "{level}");
            assert!(error.to_string().contains("`buffer_level`"), "{error}");
        }
    }
}
