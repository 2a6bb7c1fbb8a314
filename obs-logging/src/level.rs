//! Which lines are written: the level, in `EnvFilter`'s grammar, as a filter of this layer alone.

use tracing_core::field::FieldSet;
use tracing_core::metadata::Kind;
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::{Level, LevelFilter, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Filter};

use crate::error::Error;

/// Directives that were checked.
#[derive(Clone, Debug)]
pub(crate) struct Directives(String);

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
            Ok(_) => Ok(Self(directives)),
            Err(error) => Err(Error::level(value, origin, Some(Box::new(error)))),
        }
    }

    pub(crate) fn info() -> Self {
        Self("info".to_owned())
    }

    pub(crate) fn off() -> Self {
        Self("off".to_owned())
    }

    /// A filter of its own for each layer: it keeps the state of its subscriber's spans.
    pub(crate) fn filter(&self) -> LineFilter {
        // They were parsed before; the fallback is not reached.
        let lines = EnvFilter::builder()
            .parse(&self.0)
            .unwrap_or_else(|_| EnvFilter::default().add_directive(LevelFilter::INFO.into()));
        LineFilter { lines }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
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

/// Decides which events become lines, and which spans give lines their context.
///
/// Spans of level info and above are seen wherever a line can be written at all: at level `warn`,
/// the lines that are written should still say in which request they were. Spans below that follow
/// the level, as they cost what they cost in every call.
#[derive(Debug)]
pub(crate) struct LineFilter {
    lines: EnvFilter,
}

impl LineFilter {
    pub(crate) fn max_level(&self) -> Option<LevelFilter> {
        self.lines.max_level_hint()
    }

    /// Whether an error with this span's target would become a line.
    fn has_lines<S>(&self, span: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        let error = Metadata::new(
            span.name(),
            span.target(),
            Level::ERROR,
            span.file(),
            span.line(),
            span.module_path(),
            FieldSet::new(&[], span.callsite()),
            Kind::EVENT,
        );
        Filter::enabled(&self.lines, &error, context)
    }
}

fn gives_context(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && *metadata.level() <= Level::INFO
}

impl<S> Filter<S> for LineFilter {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        Filter::enabled(&self.lines, metadata, context)
            || (gives_context(metadata) && self.has_lines(metadata, context))
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        let interest = Filter::<S>::callsite_enabled(&self.lines, metadata);
        if gives_context(metadata) && interest.is_never() {
            // `enabled` finds out, each time: there is no context here to ask.
            return Interest::sometimes();
        }
        interest
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        match self.lines.max_level_hint() {
            Some(level) if level == LevelFilter::OFF => Some(level),
            level => level.map(|level| level.max(LevelFilter::INFO)),
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.lines.on_new_span(attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.lines.on_record(id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.lines.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.lines.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.lines.on_close(id, context);
    }
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

    #[test]
    fn the_hint_lets_context_spans_through_unless_all_is_off() {
        for (value, expected) in [
            ("off", LevelFilter::OFF),
            ("error", LevelFilter::INFO),
            ("debug", LevelFilter::DEBUG),
            ("warn,orders=trace", LevelFilter::TRACE),
        ] {
            let filter = Directives::parse(value, "a test").unwrap().filter();
            assert_eq!(Filter::<()>::max_level_hint(&filter), Some(expected), "{value}");
        }
    }
}
