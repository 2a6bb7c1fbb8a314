//! The layer: what happens when `tracing` tells of a span or an event.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use obs_core::RequestContext;
use obs_core::clock::{Clock, millis_since_epoch};
use obs_core::json::Object;
use obs_core::lane::{Lane, Lines, on_lane_thread};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};
use tracing_subscriber::{Layer, Registry};

use crate::admission::{Admission, Policy};
use crate::buffer::Buffer;
use crate::callsite::Callsites;
use crate::entered;
use crate::fields::Fields;
use crate::format::Format;
use crate::held;
use crate::level::{Levels, LineFilter};
use crate::notice::Notices;
use crate::rate::{self, RateLimit};
use crate::scratch::{self, Scratch};
use crate::span;
use crate::visitor::Visitor;

/// What a logger and its layers share.
#[derive(Debug)]
pub(crate) struct Core {
    /// Tells loggers apart where they meet: in a span's extensions and a thread's caches.
    pub(crate) id: u64,
    pub(crate) callsites: Callsites,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) format: Format,
    /// Of text: whether its level and timestamp are coloured.
    pub(crate) colors: bool,
    pub(crate) max_line_bytes: usize,
    pub(crate) policy: Option<Box<Policy>>,
    /// The line of a panic has a backtrace.
    pub(crate) panic_backtrace: bool,
    /// The hook before is called for a panic that this logger tells of.
    pub(crate) panic_hook_before: bool,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) lane: Lane<Lines>,
    /// Gets each line too, always as JSON.
    pub(crate) beside: Option<Lane<Lines>>,
}

impl Core {
    /// Writes an event of the logger's own, which no subscriber was told of.
    pub(crate) fn log_own(&self, event: &Event<'_>) {
        scratch::with(|scratch| {
            self.encode::<Registry>(event, &Around::Nowhere, scratch);
            self.finish(&mut scratch.line);
            self.push(&scratch.line, scratch.at, &mut scratch.text);
        });
    }

    /// What a span keeps is no larger than what a line could show of it.
    #[inline]
    fn fit_values(&self, fields: &mut Fields) {
        if fields.bytes().len() >= self.max_line_bytes {
            fields.fit_values(self.max_line_bytes);
        }
    }

    pub(crate) fn buffer(&self) -> Option<&Buffer> {
        self.policy.as_deref().and_then(|policy| policy.buffer.as_ref())
    }

    /// Writes what is held for the current request, if a line of this level calls for it.
    fn release_before(&self, level: Level) {
        if level == Level::ERROR && self.buffer().is_some() {
            RequestContext::with_current(|request| {
                if let Some(request) = request {
                    held::release(self, request);
                }
            });
        }
    }

    fn hold(self: &Arc<Self>, line: &[u8]) {
        let Some(buffer) = self.buffer() else { return };
        RequestContext::with_current(|request| {
            if let Some(request) = request {
                held::hold(self, request, line, buffer.bytes);
            }
        });
    }

    /// Asks the rate limit, if there is one: `None` where the event's line is suppressed, else how
    /// many lines of its callsite were before.
    fn within_rate(&self, event: &Event<'_>) -> Option<u64> {
        match &self.rate_limit {
            None => Some(0),
            Some(limit) => limit.admit(event, millis_since_epoch(self.clock.now())),
        }
    }

    /// Writes a line of the logger's own.
    pub(crate) fn notify(&self, level: Level, message: &str, write: impl FnOnce(&mut Object<'_>)) {
        let line = self.notices.json(level, message, write);
        if let Some(beside) = &self.beside {
            beside.push(line.len() + 1, |lines| lines.push(&line));
        }
        let line = self.notices.formatted(line);
        self.lane.push(line.len() + 1, |lines| lines.push(&line));
    }

    /// Says which callsites have lines suppressed that no later line of theirs has told of.
    pub(crate) fn tell_suppressed(&self) {
        let Some(limit) = &self.rate_limit else { return };
        limit.take_suppressed(|origin, suppressed| {
            self.notify(Level::WARN, "log lines were suppressed", |members| {
                members.u64("suppressed", suppressed);
                origin.write(members);
            });
        });
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.tell_suppressed();
    }
}

/// See [`StructuredLogger::layer`](crate::StructuredLogger::layer).
#[derive(Debug)]
pub(crate) struct LogLayer {
    /// Tells layers apart in a thread's memory: one logger may have several, in as many subscribers.
    id: u64,
    pub(crate) core: Arc<Core>,
    pub(crate) levels: Arc<Levels>,
    /// The level, to be asked again where more than it decides.
    pub(crate) lines: Arc<LineFilter>,
}

impl LogLayer {
    pub(crate) fn new(core: Arc<Core>, levels: Arc<Levels>, lines: Arc<LineFilter>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), core, levels, lines }
    }
}

/// Where an event finds the span that it is in.
pub(crate) enum Around<'c, 'a, S: LookupSpan<'a>> {
    Nowhere,
    /// It is this one, or its nearest parent that the logger knows.
    Span(&'c SpanRef<'a, S>),
    /// As a layer was told of it.
    Told {
        layer: u64,
        context: &'c Context<'a, S>,
    },
}

impl<S> Layer<S> for LogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.levels.joins(subscriber);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        scratch::with(|scratch| {
            let Scratch { line, fields, log_record, callsites, .. } = scratch;
            let callsite = callsites.get(&self.core.callsites, attributes.metadata());
            line.clear();
            let mut visitor = Visitor::new(callsite, fields, line, log_record);
            attributes.record(&mut visitor);
            visitor.finish();
            self.core.fit_values(fields);
            span::attach(&span, self.core.id, fields);
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        scratch::with(|scratch| {
            let Scratch { line, fields, log_record, callsites, .. } = scratch;
            let callsite = callsites.get(&self.core.callsites, span.metadata());
            line.clear();
            let mut visitor = Visitor::new(callsite, fields, line, log_record);
            values.record(&mut visitor);
            visitor.finish();
            self.core.fit_values(fields);
            span::update(&span, self.core.id, fields);
        });
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // What a delivery logs would be delivered, and logged, again and again.
        if on_lane_thread() {
            return;
        }
        let core = &self.core;
        let admission = match &core.policy {
            None => Admission::Write,
            Some(policy) => policy.admit(&self.lines, event, &context),
        };
        if admission == Admission::Skip {
            return;
        }
        // A line is encoded now also where it is held: its values are gone later.
        scratch::with(|scratch| {
            let mut suppressed = 0;
            if admission == Admission::Write {
                match core.within_rate(event) {
                    Some(before) => suppressed = before,
                    None => return,
                }
            }
            let around = Around::Told { layer: self.id, context: &context };
            core.encode(event, &around, scratch);
            rate::write_suppressed(suppressed, &mut scratch.line);
            core.finish(&mut scratch.line);
            if admission == Admission::Hold {
                core.hold(&scratch.line);
                return;
            }
            if core.policy.is_some() {
                core.release_before(*event.metadata().level());
            }
            core.push(&scratch.line, scratch.at, &mut scratch.text);
        });
    }

    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        entered::enter(self.id, id);
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        entered::exit(self.id, id);
    }
}
