//! What a span keeps for its lines: its fields and its parents', encoded once and joined.
//!
//! A child holds a copy of its parents' fields, so that a line in it is one copy however deep it
//! lies. `Span::record` on a parent makes those copies stale: it moves an epoch on, and whoever
//! sees that joins again. Spans of one tree share one of [`EPOCHS`]; that other trees share it too
//! costs a join too many now and then, never a wrong line.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use obs_core::ids::SpanIds;
use obs_core::json;
use tracing_core::span::Id;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::encode::write_ids;
use crate::fields::{Fields, NONE};

static EPOCHS: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];

/// What a line takes from its span: a copy, for as long as nothing in its tree is recorded anew.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// `,"function":"charge"`
    pub(crate) function: Vec<u8>,
    /// `,"trace_id":"…","span_id":"…","xray_trace_id":"…"`; empty where the span has no ids.
    pub(crate) ids: Vec<u8>,
    pub(crate) fields: Fields,
    /// As a [`Record`]'s.
    stripe: usize,
    epoch: u64,
    is_known: bool,
}

impl View {
    #[inline]
    pub(crate) fn is_fresh(&self) -> bool {
        self.is_known && self.epoch == EPOCHS[self.stripe].load(Ordering::Acquire)
    }

    /// The span was left: the buffers wait for the next one.
    #[inline]
    pub(crate) fn forget(&mut self) {
        if self.is_known {
            self.is_known = false;
            self.trim();
        }
    }

    /// Gives back what one large span has grown it by.
    #[inline]
    pub(crate) fn trim(&mut self) {
        if self.capacity() > pool::LARGEST {
            *self = Self::default();
        }
    }

    /// What the buffers hold on to, in bytes.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.fields.capacity() + self.function.capacity()
    }

    /// Reads what a line in `span` takes.
    pub(crate) fn read<'a, S: LookupSpan<'a>>(&mut self, span: &SpanRef<'a, S>, logger: u64) {
        self.function.clear();
        self.function.extend_from_slice(br#","function":"#);
        json::string(&mut self.function, span.name());
        self.ids.clear();
        self.fields.clear();
        self.stripe = stripe_of(&span.id());
        self.epoch = EPOCHS[self.stripe].load(Ordering::Acquire);
        self.is_known = true;
        with_record(span, logger, |record, ids| {
            self.stripe = record.stripe;
            self.epoch = record.epoch;
            self.fields.extend_without(&record.fields, 0..record.fields.len(), &NONE);
            if let Some(ids) = ids {
                write_ids(&mut self.ids, ids.trace_id, Some(ids.span_id));
            }
        });
    }
}

/// The extension: one record per logger, as several may see one span.
#[derive(Debug)]
struct LogSpan {
    first: Record,
    others: Vec<Record>,
}

impl LogSpan {
    fn of(&self, logger: u64) -> Option<&Record> {
        std::iter::once(&self.first).chain(&self.others).find(|record| record.logger == logger)
    }

    fn of_mut(&mut self, logger: u64) -> Option<&mut Record> {
        std::iter::once(&mut self.first)
            .chain(&mut self.others)
            .find(|record| record.logger == logger)
    }
}

#[derive(Debug)]
struct Record {
    logger: u64,
    /// Which of the epochs this tree uses.
    stripe: usize,
    /// The epoch at which the parents' fields were read.
    epoch: u64,
    /// The ids of the nearest parent that has some; the span's own are in its extensions.
    parent_ids: Option<SpanIds>,
    /// The parents' fields, then from `own` on the span's.
    fields: Fields,
    own: usize,
}

impl Record {
    fn is_current(&self) -> bool {
        self.epoch == EPOCHS[self.stripe].load(Ordering::Acquire)
    }

    /// Puts `inherited` in the place of the parents' fields.
    fn rebase(&mut self, inherited: &Fields) {
        let mut own = pool::take();
        own.extend_without(&self.fields, self.own..self.fields.len(), &NONE);
        self.fields.clear();
        self.join(inherited, &own);
        pool::give(own);
    }

    fn join(&mut self, inherited: &Fields, own: &Fields) {
        self.fields.extend_without(inherited, 0..inherited.len(), own);
        self.own = self.fields.len();
        self.fields.extend_without(own, 0..own.len(), &NONE);
    }

    /// Adds own fields; those that were there get the new value.
    fn update(&mut self, news: &Fields) {
        let mut joined = pool::take();
        joined.extend_without(&self.fields, 0..self.own, news);
        let own = joined.len();
        joined.extend_without(&self.fields, self.own..self.fields.len(), news);
        joined.extend_without(news, 0..news.len(), &NONE);
        pool::give(std::mem::replace(&mut self.fields, joined));
        self.own = own;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        pool::give(std::mem::take(&mut self.fields));
    }
}

/// Gives a new span its record. `own` are its fields, each name once; another buffer afterwards.
pub(crate) fn attach<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, logger: u64, own: &mut Fields) {
    let mut record = Record {
        logger,
        stripe: stripe_of(&span.id()),
        epoch: 0,
        parent_ids: None,
        fields: pool::take(),
        own: 0,
    };
    // The epoch before the fields: what changes meanwhile makes the copy stale.
    record.epoch = EPOCHS[record.stripe].load(Ordering::Acquire);
    let inherited = span.parent().and_then(|parent| {
        with_record(&parent, logger, |parent, ids| {
            record.stripe = parent.stripe;
            record.epoch = parent.epoch;
            record.parent_ids = ids;
            record.join(&parent.fields, own);
        })
    });
    if inherited.is_none() {
        std::mem::swap(&mut record.fields, own);
    }
    let mut extensions = span.extensions_mut();
    if let Some(known) = extensions.get_mut::<LogSpan>() {
        known.others.push(record);
    } else {
        extensions.insert(LogSpan { first: record, others: Vec::new() });
    }
}

/// Adds fields to a span that is there, or gives them new values.
pub(crate) fn update<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, logger: u64, news: &Fields) {
    if news.is_empty() {
        return;
    }
    let mut extensions = span.extensions_mut();
    let Some(record) = extensions.get_mut::<LogSpan>().and_then(|known| known.of_mut(logger))
    else {
        return;
    };
    record.update(news);
    // After the fields: a child that reads the new epoch finds the new values.
    let before = EPOCHS[record.stripe].fetch_add(1, Ordering::AcqRel);
    if record.epoch == before {
        // It was current, and its own change does not make it stale.
        record.epoch = before + 1;
    }
}

/// Whether the span has a record of this logger.
pub(crate) fn is_known<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, logger: u64) -> bool {
    span.extensions().get::<LogSpan>().is_some_and(|known| known.of(logger).is_some())
}

/// `read` runs under the lock of the span's extensions: nothing of the application may run in it.
fn with_record<'a, S: LookupSpan<'a>, R>(
    span: &SpanRef<'a, S>,
    logger: u64,
    read: impl FnOnce(&Record, Option<SpanIds>) -> R,
) -> Option<R> {
    let extensions = span.extensions();
    let Some(record) = extensions.get::<LogSpan>().and_then(|known| known.of(logger)) else {
        // It was made before the logger, or its values nested too deep.
        drop(extensions);
        return with_record(&span.parent()?, logger, read);
    };
    let ids = |record: &Record| extensions.get::<SpanIds>().copied().or(record.parent_ids);
    if record.is_current() {
        return Some(read(record, ids(record)));
    }
    let stripe = record.stripe;
    drop(extensions);
    refresh(span, logger, stripe);
    let extensions = span.extensions();
    let record = extensions.get::<LogSpan>()?.of(logger)?;
    // Perhaps stale again by now, but not older than this call.
    let ids = extensions.get::<SpanIds>().copied().or(record.parent_ids);
    Some(read(record, ids))
}

/// Reads the parents' fields again.
fn refresh<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, logger: u64, stripe: usize) {
    let epoch = EPOCHS[stripe].load(Ordering::Acquire);
    let mut inherited = pool::take();
    // The parents' locks are never held together with the child's.
    let parent_ids = span.parent().and_then(|parent| {
        with_record(&parent, logger, |parent, ids| {
            inherited.extend_without(&parent.fields, 0..parent.fields.len(), &NONE);
            ids
        })
    });
    let mut extensions = span.extensions_mut();
    let record = extensions.get_mut::<LogSpan>().and_then(|known| known.of_mut(logger));
    // Only forwards: another thread may have read the parents after us and be done before us, and
    // whoever has recorded a value must see it in its next line.
    if let Some(record) = record.filter(|record| record.epoch < epoch) {
        record.rebase(&inherited);
        record.epoch = epoch;
        record.parent_ids = parent_ids.flatten().or(record.parent_ids);
    }
    drop(extensions);
    pool::give(inherited);
}

fn stripe_of(id: &Id) -> usize {
    // Ids of the registry differ in their low bits.
    usize::try_from(id.into_u64() % EPOCHS.len() as u64).unwrap_or(0)
}

/// Buffers of spans that were closed, for the next ones.
mod pool {
    use super::{Fields, RefCell};

    /// How many a thread keeps, and how large they may be.
    const MOST: usize = 64;
    pub(super) const LARGEST: usize = 16 * 1024;

    thread_local! {
        /// Borrowed only here, where nothing of the application runs.
        static SPARE: RefCell<Vec<Fields>> = const { RefCell::new(Vec::new()) };
    }

    // A span may be closed while its thread ends and this is gone.

    pub(super) fn take() -> Fields {
        SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten().unwrap_or_default()
    }

    pub(super) fn give(mut fields: Fields) {
        if fields.capacity() == 0 || fields.capacity() > LARGEST {
            return;
        }
        fields.clear();
        let _ending = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MOST {
                spare.push(fields);
            }
        });
    }
}
