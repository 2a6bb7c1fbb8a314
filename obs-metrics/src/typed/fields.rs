//! Takes the values of a typed event's fields.
//!
//! Nearly every event has all its fields, and they are within the limits: its values are written
//! straight between the rendered pieces of its shape. One that deviates is recorded once more, as an
//! event that is told name by name.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::SystemTime;

use obs_core::ids;
use obs_core::json::Cursor;
use obs_core::{Redactor, RequestContext};

use super::{DimensionValue, Field, MetricEvent, MetricValue, PropertySource, Shape, Values};
use crate::collector::Inner;
use crate::event::{self, Call, Event, What};
use crate::hash::mix;
use crate::property::write_value;
use crate::{limits, line, names};

/// Types that a thread remembers the rendered pieces of.
const REMEMBERED: usize = 64;

/// Takes the values of a [`MetricEvent`]'s fields, in the order of its shape.
#[doc(hidden)]
#[derive(Debug)]
pub struct Fields<'a>(To<'a>);

#[derive(Debug)]
enum To<'a> {
    Line(Line<'a>),
    Event { event: &'a mut Event, rest: std::slice::Iter<'a, Field> },
}

/// A document being written.
#[derive(Debug)]
struct Line<'a> {
    cursor: Cursor<'a>,
    rest: std::slice::Iter<'a, Call>,
    redactor: &'a Redactor,
    values: u64,
    /// Of the series so far.
    hash: u64,
    /// Whether something is not as the shape says; then nothing further is written.
    deviates: bool,
}

impl<'a> Fields<'a> {
    pub(crate) fn of_event(event: &'a mut Event, shape: &'static Shape) -> Self {
        if let Some(message) = shape.message {
            event.message(message);
        }
        for set in shape.dimension_sets {
            event.dimension_set(set);
        }
        Self(To::Event { event, rest: shape.fields.iter() })
    }

    /// The line's `message`; before all fields of the shape.
    pub fn message(&mut self, message: &str) {
        match &mut self.0 {
            To::Line(line) => line.deviates = true,
            To::Event { event, .. } => drop(event.message(message)),
        }
    }

    /// When it happened; before all fields of the shape.
    pub fn timestamp(&mut self, time: SystemTime) {
        match &mut self.0 {
            To::Line(line) => line.deviates = true,
            To::Event { event, .. } => drop(event.timestamp(time)),
        }
    }

    /// The next field, a dimension.
    #[inline(always)]
    pub fn dimension(&mut self, value: &(impl DimensionValue + ?Sized)) {
        match &mut self.0 {
            To::Line(line) => match (line.next(), value.dimension()) {
                (Some(call), Some(value)) => line.dimension(call, &value),
                _ => line.deviates = true,
            },
            To::Event { event, rest } => {
                if let (Some(Field::Dimension(name)), Some(value)) =
                    (rest.next(), value.dimension())
                {
                    event.dimension(name, &value);
                }
            }
        }
    }

    /// The next field, a metric.
    #[inline(always)]
    pub fn metric(&mut self, value: &(impl MetricValue + ?Sized)) {
        match &mut self.0 {
            To::Line(line) => match line.next().and_then(|call| Some((call, call.unit()?))) {
                Some((call, unit)) => line.metric(call, value.values(unit)),
                None => line.deviates = true,
            },
            To::Event { event, rest } => {
                let Some(Field::Metric(name, unit, resolution)) = rest.next() else { return };
                match value.values(*unit) {
                    Values::None => {}
                    Values::One(value) => drop(event.put_at(name, value, *unit, *resolution)),
                    Values::Many(values) => {
                        for value in values {
                            event.put_at(name, *value, *unit, *resolution);
                        }
                    }
                }
            }
        }
    }

    /// The next field, a property.
    #[inline(always)]
    pub fn property(&mut self, value: &(impl PropertySource + ?Sized)) {
        match &mut self.0 {
            To::Line(line) => {
                if let (Some(call), Some(value)) = (line.next(), value.property()) {
                    line.cursor.piece(&call.key);
                    write_value(&mut line.cursor, &value, call.redacted, line.redactor);
                }
            }
            To::Event { event, rest } => {
                if let (Some(Field::Property(name)), Some(value)) = (rest.next(), value.property())
                {
                    event.property(name, value);
                }
            }
        }
    }
}

impl<'a> Line<'a> {
    /// The next field; `None` once the event deviates.
    #[inline(always)]
    fn next(&mut self) -> Option<&'a Call> {
        if self.deviates { None } else { self.rest.next() }
    }

    #[inline(always)]
    fn dimension(&mut self, call: &Call, value: &str) {
        self.cursor.piece(&call.key);
        // Whatever can be written quickly is a value that is taken, unless it begins with a space.
        if matches!(value.as_bytes().first(), None | Some(b' ')) || !self.cursor.plain_string(value)
        {
            if !names::is_plain_dimension_value(value) {
                self.deviates = true;
                return;
            }
            self.cursor.string(value);
        }
        self.hash = mix(self.hash, value.as_bytes());
    }

    #[inline(always)]
    fn metric(&mut self, call: &Call, values: Values<'_>) {
        match values {
            Values::One(value) if limits::takes_value(value) => {
                self.cursor.piece(&call.key);
                self.cursor.float(value);
                self.values += 1;
            }
            _ => self.deviates = true,
        }
    }
}

/// Writes `work` as one document of its type's shape; returns false, having written nothing, where it
/// is not one.
pub(crate) fn write_line(inner: &Inner, work: &(impl MetricEvent + ?Sized)) -> bool {
    let shape = work.shape();
    if !inner.writes_lines_only() {
        return false;
    }
    let Some(known) = known(inner, shape) else { return false };
    let span = ids::current_ids();
    RequestContext::with_current(|context| {
        if let Some(context) = context
            && event::must_look_closer(inner, context, shape.message.is_none(), &known)
        {
            return false;
        }
        let mut values = 0;
        let written = inner.write_at_cursor(|mut cursor, ids| {
            line::append_ids_after(ids, context, span.as_ref(), &inner.counters);
            known.begin(&mut cursor, inner.style, inner.now_millis(), shape.message, ids);
            let hash = known.series_hash(inner.census.seed(), std::iter::empty());
            let line = Line {
                cursor,
                rest: known.calls.iter(),
                redactor: &inner.redactor,
                values: 0,
                hash,
                deviates: false,
            };
            let mut fields = Fields(To::Line(line));
            work.write(&mut fields);
            let To::Line(mut line) = fields.0 else { return None };
            line.cursor.byte(b'}');
            values = line.values;
            line.cursor.len().filter(|_| !line.deviates && inner.census.knows(line.hash))
        });
        if written {
            inner.counters.values(values);
        }
        written
    })
}

/// The rendered pieces of a type's shape; `None` where it is not one document as it stands, say
/// because a name is the collector's own dimension.
fn known(inner: &Inner, shape: &'static Shape) -> Option<Rc<event::Shape>> {
    type Known = (u64, usize, Option<Rc<event::Shape>>);
    thread_local! {
        static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
    }
    let place = std::ptr::from_ref(shape).addr();
    let found = |known: &[Known]| {
        let same = |(collector, at, _): &&Known| *at == place && *collector == inner.id;
        known.iter().find(same).map(|(_, _, shape)| shape.clone())
    };
    if let Some(found) = KNOWN.try_with(|known| found(&known.borrow())).ok().flatten() {
        return found;
    }
    let calls = shape.fields.iter().map(|field| match *field {
        Field::Dimension(name) => (What::Dimension, name),
        Field::Metric(name, unit, resolution) => (What::Metric(unit, resolution), name),
        Field::Property(name) => (What::Property, name),
    });
    let made = event::Shape::of(inner, calls, shape.dimension_sets).map(Rc::new);
    let _gone = KNOWN.try_with(|known| {
        let mut known = known.borrow_mut();
        known.truncate(REMEMBERED - 1);
        known.insert(0, (inner.id, place, made.clone()));
    });
    made
}
