//! What directives without a span say of a target.

use tracing_core::{Level, LevelFilter};

/// A level for each target, the longest first; of all that a target begins with, the longest counts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rules {
    by_target: Vec<(Box<str>, LevelFilter)>,
    /// Targets that no rule names.
    others: LevelFilter,
}

impl Rules {
    /// Reads directives that `EnvFilter` has accepted; `None` where one names a span or a field.
    pub(super) fn read(directives: &str) -> Option<Self> {
        if directives.contains('[') {
            return None;
        }
        let mut rules = Self { by_target: Vec::new(), others: LevelFilter::OFF };
        for directive in directives.split(',') {
            let (target, level) = match directive.split_once('=') {
                Some((target, "")) => (target, LevelFilter::TRACE),
                Some((target, level)) => (target, level.parse().ok()?),
                None => match directive.parse() {
                    Ok(level) => {
                        rules.others = level;
                        continue;
                    }
                    Err(_) => (directive, LevelFilter::TRACE),
                },
            };
            // The last of two for one target counts.
            rules.by_target.retain(|(other, _)| **other != *target);
            rules.by_target.push((target.into(), level));
        }
        rules.by_target.sort_by_key(|(target, _)| std::cmp::Reverse(target.len()));
        Some(rules)
    }

    pub(super) fn level_of(&self, target: &str) -> LevelFilter {
        let rule = self.by_target.iter().find(|(start, _)| target.starts_with(&**start));
        rule.map_or(self.others, |(_, level)| *level)
    }

    /// What is written whatever its target is.
    pub(super) fn least(&self) -> LevelFilter {
        self.levels().fold(self.others, LevelFilter::min)
    }

    /// What is written at all.
    pub(super) fn most(&self) -> LevelFilter {
        self.levels().fold(self.others, LevelFilter::max)
    }

    fn levels(&self) -> impl Iterator<Item = LevelFilter> {
        self.by_target.iter().map(|(_, level)| *level)
    }
}

/// Whether a callsite is let through, where lines are written up to `written`.
///
/// Spans of level info and above are seen wherever a line can be written at all: at level `warn`,
/// the lines that are written should still say in which request they were. Spans below that follow
/// the level, as they cost what they cost in every call.
pub(super) fn lets_through(written: LevelFilter, is_span: bool, level: Level) -> bool {
    if is_span && written != LevelFilter::OFF {
        level <= written.max(LevelFilter::INFO)
    } else {
        level <= written
    }
}
