//! Shapes of events: which dimensions, metrics and properties came, in which order.
//!
//! Programs record the same few shapes all the time. A thread remembers the last ones that it
//! emitted, with everything rendered that does not depend on the values. An event that is recorded
//! follows such a shape call by call; as long as each call is the one that came at this point
//! before, only its value is kept, and nothing has to be checked, compared with the other names or
//! escaped again. A call that is another one turns to a shape that agrees so far, or leaves the
//! shapes and begins to be looked at name by name.

use std::cell::RefCell;
use std::sync::Arc;

use obs_core::json::{self, Cursor, Object, Piece};

use super::emit::further_sets;
use crate::collector::Inner;
use crate::dimensions::unknown_name;
use crate::encode;
use crate::hash::{mix, step};
use crate::limits::{DIMENSIONS_PER_SET, METRICS_PER_DOCUMENT};
use crate::line::LineStyle;
use crate::names;
use crate::unit::{Resolution, Unit};

/// Shapes that a thread remembers: those of a program's busiest places, not all of them.
const REMEMBERED: usize = 16;

/// What a call adds to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Dimension,
    Metric(Unit, Resolution),
    Property,
}

/// One call of a shape.
#[derive(Debug)]
pub(crate) struct Call {
    what: What,
    /// As it was given, which is as it is written.
    name: Box<str>,
    /// `,"name":`
    pub(crate) key: Piece,
    pub(crate) redacted: bool,
    /// A hash of the calls before this one.
    before: u64,
}

/// A sequence of calls that makes one document, with each name once.
#[derive(Debug)]
pub(crate) struct Shape {
    collector: u64,
    pub(crate) calls: Vec<Call>,
    /// A hash of all calls, and of the further sets of dimensions.
    all: u64,
    /// The calls as they are written: dimensions, metrics, properties.
    pub(crate) order: Vec<usize>,
    /// `{"_aws":{"Timestamp":`
    start: Piece,
    /// `,"CloudWatchMetrics":[…]},`
    directives: Piece,
    /// The collector's dimensions that the event does not have itself: `,"Service":"orders"`.
    defaults: Piece,
    /// What is between the timestamp and the first call where the line has neither a time nor a message
    /// nor ids of its own: the directives, level, message and `defaults`.
    ordinary: Piece,
}

impl Shape {
    /// The shape of these calls; `None` where they do not make one document as they stand.
    pub(crate) fn of<'a>(
        inner: &Inner,
        calls: impl Iterator<Item = (What, &'a str)> + Clone,
        sets: &[&[&str]],
    ) -> Option<Self> {
        let names = |wanted: fn(What) -> bool| {
            calls.clone().filter(move |(what, _)| wanted(*what)).map(|(_, name)| name)
        };
        let own = || names(|what| what == What::Dimension);
        let defaults = || inner.defaults.iter().filter(|(name, _)| own().all(|own| own != *name));
        let dimensions = || defaults().map(|(name, _)| name).chain(own());
        let metrics = calls.clone().filter_map(|(what, name)| match what {
            What::Metric(unit, resolution) => Some((name, unit, resolution)),
            What::Dimension | What::Property => None,
        });
        let mut seen = std::collections::HashSet::new();
        let is_clean = defaults().all(|(name, _)| seen.insert(name))
            && calls
                .clone()
                .all(|(what, name)| is_taken_as_it_stands(what, name) && seen.insert(name));
        let count = metrics.clone().count();
        if !is_clean
            || !(1..=METRICS_PER_DOCUMENT).contains(&count)
            || dimensions().count() > DIMENSIONS_PER_SET
            // Left out and counted each time, the long way.
            || sets.iter().any(|set| unknown_name(&dimensions(), set).is_some())
        {
            return None;
        }
        let mut directives = b",".to_vec();
        Object::resume(&mut directives, true).members(&inner.aws).key("CloudWatchMetrics");
        let rollups = further_sets(dimensions(), inner.defaults.wanted(), sets);
        let rollups = rollups.iter().map(|set| set.iter().copied());
        encode::one_directive(&mut directives, &inner.namespace, dimensions(), rollups, metrics);
        directives.extend_from_slice(b"},");
        let mut members = Vec::new();
        for (name, value) in defaults() {
            members.extend(rendered_key(name));
            json::string(&mut members, value);
        }
        let mut hash = 0;
        let calls: Vec<Call> = calls
            .map(|(what, name)| {
                let before = hash;
                hash = after(hash, what, name);
                Call {
                    what,
                    name: name.into(),
                    key: Piece::new(&rendered_key(name)),
                    redacted: what == What::Property && inner.redactor.is_redacted(name),
                    before,
                }
            })
            .collect();
        let mut order: Vec<usize> = (0..calls.len()).collect();
        order.sort_by_key(|n| calls.get(*n).map(|call| call.what.rank()));
        let mut ordinary = directives.clone();
        inner.style.write_info(&mut ordinary, 0, None);
        ordinary.extend_from_slice(&members);
        Some(Self {
            collector: inner.id,
            calls,
            all: with_sets(hash, sets),
            order,
            start: Piece::new(b"{\"_aws\":{\"Timestamp\":"),
            directives: Piece::new(&directives),
            defaults: Piece::new(&members),
            ordinary: Piece::new(&ordinary),
        })
    }

    /// Writes a document up to its first call. `ids` are members, encoded, each with a comma in front.
    #[inline]
    pub(crate) fn begin(
        &self,
        cursor: &mut Cursor<'_>,
        style: LineStyle,
        millis: u64,
        message: Option<&str>,
        ids: &[u8],
    ) {
        cursor.piece(&self.start);
        cursor.millis(millis);
        if ids.is_empty() && message.is_none() && !style.has_timestamp() {
            cursor.piece(&self.ordinary);
        } else {
            cursor.piece(&self.directives);
            style.write_info_at(cursor, millis, message);
            cursor.bytes(ids);
            cursor.piece(&self.defaults);
        }
    }

    /// What stands in the census for the series of an event of this shape with these values of its
    /// dimensions.
    pub(crate) fn series_hash<'a>(&self, seed: u64, values: impl Iterator<Item = &'a str>) -> u64 {
        series_hash(seed, self.all, values)
    }

    /// The name of the first metric.
    pub(crate) fn first_metric(&self) -> &str {
        let metric = |call: &&Call| matches!(call.what, What::Metric(..));
        self.calls.iter().find(metric).map_or("", |call| &call.name)
    }

    /// The hash of the first `n` calls; `None` beyond the last.
    fn before(&self, n: usize) -> Option<u64> {
        match self.calls.get(n) {
            Some(call) => Some(call.before),
            None => (n == self.calls.len()).then_some(self.all),
        }
    }
}

impl What {
    fn rank(self) -> u8 {
        match self {
            What::Dimension => 0,
            What::Metric(..) => 1,
            What::Property => 2,
        }
    }
}

/// Where an event is in the shape that it follows.
#[derive(Debug)]
pub(crate) struct Follow {
    pub(crate) shape: Arc<Shape>,
    /// How many calls have come.
    at: usize,
}

impl Follow {
    /// At the beginning of the shape that this thread emitted last for this collector.
    pub(crate) fn begin(collector: u64) -> Option<Self> {
        let found = |known: &[Arc<Shape>]| {
            known.iter().find(|shape| shape.collector == collector).map(Arc::clone)
        };
        let shape = KNOWN.try_with(|known| found(&known.borrow())).ok().flatten()?;
        Some(Self { shape, at: 0 })
    }

    /// Follows one call further; returns whether its value is redacted. `None` where no shape that
    /// this thread knows goes on like this.
    #[inline]
    pub(crate) fn next(&mut self, what: What, name: &str) -> Option<bool> {
        if let Some(call) = self.shape.calls.get(self.at)
            && call.is(what, name)
        {
            self.at += 1;
            return Some(call.redacted);
        }
        self.turn(|shape, at| shape.calls.get(at).is_some_and(|call| call.is(what, name)))?;
        self.at += 1;
        self.shape.calls.get(self.at - 1).map(|call| call.redacted)
    }

    /// Back to the beginning of the shape, for the next event; `None` where that is of another
    /// collector. Costs less than [`begin`](Self::begin): nothing is shared anew.
    pub(crate) fn again(mut self, collector: u64) -> Option<Self> {
        self.at = 0;
        (self.shape.collector == collector).then_some(self)
    }

    /// Whether the calls that came are all of a shape.
    pub(crate) fn is_complete(&mut self) -> bool {
        self.at == self.shape.calls.len()
            || self.turn(|shape, at| shape.calls.len() == at).is_some()
    }

    /// The calls that came.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (What, &str)> {
        self.shape.calls.iter().take(self.at).map(|call| (call.what, &*call.name))
    }

    /// Turns to another shape that has the same calls so far, and suits.
    #[cold]
    fn turn(&mut self, suits: impl Fn(&Shape, usize) -> bool) -> Option<()> {
        let before = self.shape.before(self.at)?;
        let agrees = |shape: &&Arc<Shape>| {
            shape.collector == self.shape.collector
                && shape.before(self.at) == Some(before)
                && suits(shape, self.at)
        };
        let found = |known: &[Arc<Shape>]| known.iter().find(agrees).map(Arc::clone);
        self.shape = KNOWN.try_with(|known| found(&known.borrow())).ok().flatten()?;
        Some(())
    }
}

impl Call {
    pub(super) fn is_dimension(&self) -> bool {
        self.what == What::Dimension
    }

    /// The unit, of a metric.
    pub(crate) fn unit(&self) -> Option<Unit> {
        match self.what {
            What::Metric(unit, _) => Some(unit),
            What::Dimension | What::Property => None,
        }
    }

    fn is(&self, what: What, name: &str) -> bool {
        self.what == what && is_same(self.name.as_bytes(), name.as_bytes())
    }
}

/// Makes `shape` the one that this thread tries first.
pub(super) fn used(shape: &Arc<Shape>) {
    let _gone = KNOWN.try_with(|known| {
        let mut known = known.borrow_mut();
        if let Some(at) = known.iter().position(|known| Arc::ptr_eq(known, shape))
            && at > 0
        {
            known.swap(0, at);
        }
    });
}

/// Remembers a shape that was not known.
pub(super) fn remember(shape: Shape) {
    let _gone = KNOWN.try_with(|known| {
        let mut known = known.borrow_mut();
        known.truncate(REMEMBERED - 1);
        known.insert(0, Arc::new(shape));
    });
}

thread_local! {
    /// The one that was used last stands first, the others in the order of their use, about.
    static KNOWN: RefCell<Vec<Arc<Shape>>> = const { RefCell::new(Vec::new()) };
}

/// Whether both are the same: without a call where they are names of ordinary length.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    /// The first and the last of them, which overlap, are all of them.
    #[inline]
    fn ends<const N: usize>(bytes: &[u8]) -> Option<[[u8; N]; 2]> {
        Some([*bytes.first_chunk()?, *bytes.last_chunk()?])
    }
    one.len() == other.len()
        && match one.len() {
            4..8 => ends::<4>(one) == ends(other),
            8..=16 => ends::<8>(one) == ends(other),
            17..=32 => ends::<16>(one) == ends(other),
            _ => one == other,
        }
}

fn is_taken_as_it_stands(what: What, name: &str) -> bool {
    let fault = match what {
        What::Dimension => names::dimension_name_fault(name),
        What::Metric(..) | What::Property => names::metric_name_fault(name),
    };
    fault.is_none() && !names::is_line_key(name)
}

/// `,"name":`
fn rendered_key(name: &str) -> Vec<u8> {
    let mut key = vec![b','];
    json::string(&mut key, name);
    key.push(b':');
    key
}

/// The hash of calls, which a [`Shape`] of them has.
pub(super) fn hash_of<'a>(calls: impl Iterator<Item = (What, &'a str)>) -> u64 {
    calls.fold(0, |hash, (what, name)| after(hash, what, name))
}

/// The hash of calls that have these further sets of dimensions beside the collector's.
pub(super) fn with_sets<S: AsRef<[N]>, N: AsRef<str>>(calls: u64, sets: &[S]) -> u64 {
    sets.iter().map(AsRef::as_ref).fold(calls, |hash, set| {
        let begin = step(hash, set.len() as u64);
        set.iter().fold(begin, |hash, name| mix(hash, name.as_ref().as_bytes()))
    })
}

/// The hash of the series that calls make with these values of the dimensions among them.
pub(super) fn series_hash<'a>(seed: u64, calls: u64, values: impl Iterator<Item = &'a str>) -> u64 {
    values.fold(step(seed, calls), |hash, value| mix(hash, value.as_bytes()))
}

fn after(before: u64, what: What, name: &str) -> u64 {
    let kind = match what {
        What::Dimension => 1,
        What::Property => 2,
        What::Metric(unit, resolution) => 3 + (unit as u64) * 2 + resolution as u64,
    };
    mix(step(before, kind), name.as_bytes())
}
