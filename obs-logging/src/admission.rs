//! What becomes of an event: it is written, held until its request fails, or left out.

use std::sync::Arc;

use obs_core::RequestContext;
use obs_core::ids::ids_of;
use tracing_core::field::FieldSet;
use tracing_core::metadata::Kind;
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::{Event, Level, LevelFilter, Metadata, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

use crate::buffer::Buffer;
use crate::layer::Core;
use crate::level::LineFilter;
use crate::sample::{self, DebugShare};

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Its line is written.
    Write,
    /// Its line is kept with the request, and written if that fails.
    Hold,
    /// It leaves no line.
    Skip,
}

/// The settings that come between the level and the line. A logger without any has none of this, and
/// pays one branch for it.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) sample: Option<DebugShare>,
    pub(crate) buffer: Option<Buffer>,
}

impl Policy {
    /// `None` where nothing is set, so that nothing is asked.
    pub(crate) fn new(sample: Option<DebugShare>, buffer: Option<Buffer>) -> Option<Box<Self>> {
        (sample.is_some() || buffer.is_some()).then(|| Box::new(Self { sample, buffer }))
    }

    /// What becomes of an event that the layer was told of.
    pub(crate) fn admit<S>(
        &self,
        lines: &LineFilter,
        event: &Event<'_>,
        context: &Context<'_, S>,
    ) -> Admission
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        // Records of the `log` crate share a callsite, which says nothing of their target.
        let of_record = event.normalized_metadata();
        let metadata = of_record.as_ref().unwrap_or_else(|| event.metadata());
        decide(
            // Without a buffer, the filter has let nothing else through.
            self.buffer.is_none() || Filter::enabled(lines, metadata, context),
            || self.is_sampled(event, context),
            is_in_request,
            || self.buffer.as_ref().is_some_and(|buffer| buffer.takes(metadata)),
        )
    }

    fn is_sampled<S>(&self, event: &Event<'_>, context: &Context<'_, S>) -> bool
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(share) = self.sample.filter(|_| *event.metadata().level() > Level::INFO) else {
            return true;
        };
        let ids = context.event_span(event).and_then(|span| ids_of(&span));
        share.keeps(sample::bits_of(ids.map(|ids| ids.trace_id)))
    }
}

/// The decision: each question is asked only if those before it leave it open.
fn decide(
    passes_level: bool,
    is_sampled: impl FnOnce() -> bool,
    is_in_request: impl FnOnce() -> bool,
    is_buffered: impl FnOnce() -> bool,
) -> Admission {
    if passes_level && is_sampled() {
        Admission::Write
    } else if is_in_request() && is_buffered() {
        Admission::Hold
    } else {
        Admission::Skip
    }
}

fn is_in_request() -> bool {
    RequestContext::with_current(|request| request.is_some())
}

/// The filter of a layer: the level's, widened within a request by what the buffer takes.
#[derive(Debug)]
pub(crate) struct AdmissionFilter {
    lines: Arc<LineFilter>,
    core: Arc<Core>,
}

impl AdmissionFilter {
    pub(crate) fn new(lines: Arc<LineFilter>, core: Arc<Core>) -> Self {
        Self { lines, core }
    }

    fn buffer(&self) -> Option<&Buffer> {
        self.core.buffer()
    }

    /// Whether an error of this target would be written: a target that is off is not held either.
    fn has_lines<S>(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        let error = Metadata::new(
            metadata.name(),
            metadata.target(),
            Level::ERROR,
            metadata.file(),
            metadata.line(),
            metadata.module_path(),
            FieldSet::new(&[], metadata.callsite()),
            Kind::EVENT,
        );
        Filter::enabled(&*self.lines, &error, context)
    }
}

impl<S> Filter<S> for AdmissionFilter {
    #[inline]
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        if Filter::enabled(&*self.lines, metadata, context) {
            return true;
        }
        // Whether the target has lines at all is asked last: the rest is cheaper.
        self.buffer().is_some_and(|buffer| {
            is_in_request() && buffer.takes(metadata) && self.has_lines(metadata, context)
        })
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        let interest = Filter::<S>::callsite_enabled(&*self.lines, metadata);
        let is_held = interest.is_never() && self.buffer().is_some_and(|b| b.takes(metadata));
        // `enabled` finds out, each time: only within a request is anything held.
        if is_held { Interest::sometimes() } else { interest }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        match (Filter::<S>::max_level_hint(&*self.lines), self.buffer()) {
            // Where nothing is written, nothing is held.
            (Some(LevelFilter::OFF), _) => Some(LevelFilter::OFF),
            (Some(lines), Some(buffer)) => Some(lines.max(buffer.most())),
            (lines, _) => lines,
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        Filter::on_new_span(&*self.lines, attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        Filter::on_record(&*self.lines, id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        Filter::on_enter(&*self.lines, id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        Filter::on_exit(&*self.lines, id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        Filter::on_close(&*self.lines, id, context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions() {
        use Admission::{Hold, Skip, Write};
        // Passes the level, is sampled, is in a request, is what the buffer takes.
        for (facts, expected) in [
            ([true, true, true, true], Write),
            ([true, true, true, false], Write),
            ([true, true, false, true], Write),
            ([true, true, false, false], Write),
            ([true, false, true, true], Hold),
            ([true, false, true, false], Skip),
            ([true, false, false, true], Skip),
            ([true, false, false, false], Skip),
            ([false, true, true, true], Hold),
            ([false, true, true, false], Skip),
            ([false, true, false, true], Skip),
            ([false, true, false, false], Skip),
            ([false, false, true, true], Hold),
            ([false, false, true, false], Skip),
            ([false, false, false, true], Skip),
            ([false, false, false, false], Skip),
        ] {
            let [passes, sampled, in_request, buffered] = facts;
            let found = decide(passes, || sampled, || in_request, || buffered);
            assert_eq!(found, expected, "{facts:?}");
        }
    }

    #[test]
    fn nothing_more_is_asked_of_what_is_written() {
        let asked = || -> bool { panic!("asked") };
        assert_eq!(decide(true, || true, asked, asked), Admission::Write);
        assert_eq!(decide(false, asked, || false, asked), Admission::Skip);
    }
}
