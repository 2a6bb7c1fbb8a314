//! Directives as they are written, and whether they are any.

use std::sync::Arc;

use tracing_core::LevelFilter;
use tracing_subscriber::EnvFilter;

use super::rules::Rules;
use crate::error::Error;

/// Directives that were checked.
#[derive(Clone, Debug)]
pub(crate) struct Directives {
    text: Arc<str>,
    /// `None` where one names a span.
    rules: Option<Arc<Rules>>,
}

impl Directives {
    /// Checks `value`, which comes from `origin`: a variable's name, or words that name the code.
    ///
    /// `EnvFilter` takes a word that is no level for a target, so a typing error would silence the
    /// whole program. It is refused here, but for `RUST_LOG`, which other programs read too.
    pub(crate) fn parse(value: &str, origin: &'static str) -> Result<Self, Error> {
        let mut directives = Vec::new();
        for part in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let is_word = !part.contains(['=', '[']);
            match level_word(part) {
                Some(level) => directives.push(level.to_owned()),
                None if is_word && origin != "RUST_LOG" => {
                    return Err(Error::level(value, origin, None));
                }
                None => directives.push(part.to_owned()),
            }
        }
        let directives = directives.join(",");
        if directives.is_empty() {
            return Err(Error::level(value, origin, None));
        }
        match EnvFilter::builder().parse(&directives) {
            Ok(_) => Ok(Self::checked(&directives)),
            Err(error) => Err(Error::level(value, origin, Some(Box::new(error)))),
        }
    }

    pub(crate) fn info() -> Self {
        Self::checked("info")
    }

    pub(crate) fn off() -> Self {
        Self::checked("off")
    }

    fn checked(text: &str) -> Self {
        Self { text: text.into(), rules: Rules::read(text).map(Arc::new) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// What they say, unless that depends on spans.
    pub(super) fn rules(&self) -> Option<&Rules> {
        self.rules.as_deref()
    }

    /// The most verbose level at which anything can be written.
    pub(super) fn most(&self) -> LevelFilter {
        match self.rules() {
            Some(rules) => rules.most(),
            None => self.env_filter().max_level_hint().unwrap_or(LevelFilter::TRACE),
        }
    }

    /// `EnvFilter`'s reading of them. Each layer needs one of its own, as it keeps the state of its
    /// subscriber's spans.
    pub(super) fn env_filter(&self) -> EnvFilter {
        // They were parsed before; the fallback is not reached.
        EnvFilter::builder()
            .parse(&*self.text)
            .unwrap_or_else(|_| EnvFilter::default().add_directive(LevelFilter::INFO.into()))
    }
}

/// A level's name, also as Lambda and Powertools write it.
fn level_word(word: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 15] = [
        ("trace", "trace"),
        ("debug", "debug"),
        ("info", "info"),
        ("warn", "warn"),
        ("warning", "warn"),
        ("error", "error"),
        ("critical", "error"),
        ("fatal", "error"),
        ("off", "off"),
        ("0", "off"),
        ("1", "error"),
        ("2", "warn"),
        ("3", "info"),
        ("4", "debug"),
        ("5", "trace"),
    ];
    WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, origin: &'static str, expected: Result<&str, ()>) {
        let found = Directives::parse(value, origin);
        if let Err(error) = &found {
            assert!(error.is_level());
            let text = error.to_string();
            assert!(text.contains(&format!("{value:?}")) && text.contains(origin), "{text}");
        }
        assert_eq!(found.as_ref().map(Directives::as_str).map_err(|_| ()), expected, "{value:?}");
    }

    #[test]
    fn levels_are_read_as_everybody_writes_them() {
        check("info", "OBS_LOG_LEVEL", Ok("info"));
        check("WARNING", "POWERTOOLS_LOG_LEVEL", Ok("warn"));
        check("FATAL", "AWS_LAMBDA_LOG_LEVEL", Ok("error"));
        check(" Info , orders=debug,", "OBS_LOG_LEVEL", Ok("info,orders=debug"));
        check("warn,[charge]=trace", "the builder", Ok("warn,[charge]=trace"));
        check("orders", "RUST_LOG", Ok("orders"));
    }

    #[test]
    fn what_is_no_level_is_refused_with_its_value_and_origin() {
        for value in ["verbose", "inof,orders=debug", "orders=loud", "orders", "", " , "] {
            check(value, "OBS_LOG_LEVEL", Err(()));
        }
        check("orders=loud", "RUST_LOG", Err(()));
    }
}
