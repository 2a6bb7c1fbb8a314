//! What `tracing` asks each layer: is this callsite of interest?

use std::sync::{Arc, PoisonError, RwLock};

use tracing_core::field::FieldSet;
use tracing_core::metadata::Kind;
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::{Level, LevelFilter, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Filter};

use super::shared::Levels;

/// Decides which events become lines, and which spans give lines their context.
#[derive(Debug)]
pub(crate) struct LineFilter {
    levels: Arc<Levels>,
    /// Where directives name spans: what follows those of this layer's subscriber, and the version
    /// of the directives that it is made of. Spans from before it was made are unknown to it.
    following: RwLock<Option<(u64, Arc<EnvFilter>)>>,
}

impl LineFilter {
    pub(super) fn new(levels: Arc<Levels>) -> Self {
        Self { levels, following: RwLock::new(None) }
    }

    /// What follows spans; `None` where nothing has to. It is used without a lock: values are
    /// formatted in there, and may log.
    fn following(&self) -> Option<Arc<EnvFilter>> {
        let gate = self.levels.gate();
        if !gate.follows_spans() {
            return None;
        }
        let known = self.following.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((version, filter)) = &*known
            && *version == gate.version()
        {
            return Some(Arc::clone(filter));
        }
        drop(known);
        let mut known = self.following.write().unwrap_or_else(PoisonError::into_inner);
        let current = self.levels.current();
        if current.directives.rules().is_some() {
            *known = None;
            return None;
        }
        if let Some((version, filter)) = &*known
            && *version == current.version
        {
            return Some(Arc::clone(filter));
        }
        let filter = Arc::new(current.directives.env_filter());
        *known = Some((current.version, Arc::clone(&filter)));
        Some(filter)
    }
}

fn gives_context(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && *metadata.level() <= Level::INFO
}

/// Whether an error with this span's target would become a line.
fn has_lines<S>(lines: &EnvFilter, span: &Metadata<'_>, context: &Context<'_, S>) -> bool {
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
    Filter::enabled(lines, &error, context)
}

impl<S> Filter<S> for LineFilter {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        // Twice at most: the directives may change in between.
        for _ in 0..2 {
            if let Some(decided) = self.levels.decide(metadata) {
                return decided;
            }
            if let Some(lines) = self.following() {
                return Filter::enabled(&*lines, metadata, context)
                    || (gives_context(metadata) && has_lines(&lines, metadata, context));
            }
        }
        true
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if let Some(decided) = self.levels.decide(metadata) {
            return if decided { Interest::always() } else { Interest::never() };
        }
        let Some(lines) = self.following() else { return Interest::sometimes() };
        let interest = Filter::<S>::callsite_enabled(&*lines, metadata);
        if gives_context(metadata) && interest.is_never() {
            // `enabled` finds out, each time: there is no context here to ask.
            return Interest::sometimes();
        }
        interest
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        match self.levels.most() {
            LevelFilter::OFF => Some(LevelFilter::OFF),
            most => Some(most.max(LevelFilter::INFO)),
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(lines) = self.following() {
            lines.on_new_span(attributes, id, context);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(lines) = self.following() {
            lines.on_record(id, values, context);
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if let Some(lines) = self.following() {
            lines.on_enter(id, context);
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if let Some(lines) = self.following() {
            lines.on_exit(id, context);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(lines) = self.following() {
            lines.on_close(id, context);
        }
    }
}
