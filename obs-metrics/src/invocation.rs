//! What is recorded inside an invocation is kept with its request context, so that no invocation
//! ever sees or emits what belongs to another.

mod parts;

use std::sync::{Arc, Mutex, Weak};

use obs_core::RequestContext;

use crate::collector::{Inner, lock};
use crate::line;
use crate::series::Table;
pub(crate) use parts::{Member, Part, Parts};

/// The tables that a request context keeps: one for each collector that was used in it.
#[derive(Debug, Default)]
pub(crate) struct Invocation {
    tables: Mutex<Vec<Arc<InvocationTable>>>,
}

/// What one invocation has recorded with one collector.
#[derive(Debug)]
pub(crate) struct InvocationTable {
    collector: Weak<Inner>,
    /// The invocation's ids as encoded members. Not the context itself, which owns this.
    pub(crate) ids: Vec<u8>,
    /// Whether a trace's id is among them.
    pub(crate) has_trace_id: bool,
    pub(crate) table: Mutex<Table>,
    /// The events that are parts of the invocation's document.
    pub(crate) parts: Mutex<Parts>,
}

/// The table of `collector` in `context`, made at first use.
pub(crate) fn table_of(collector: &Arc<Inner>, context: &RequestContext) -> Arc<InvocationTable> {
    if let Some(known) = known_table_of(collector, context) {
        return known;
    }
    let invocation = context.extension_or_insert_with(Invocation::default);
    let made = {
        let mut tables = lock(&invocation.tables);
        // Another thread of the invocation may have been faster.
        if let Some(known) = tables.iter().find(|table| table.belongs_to(collector)) {
            return Arc::clone(known);
        }
        let mut ids = Vec::new();
        line::append_ids(&mut ids, Some(context), None, &collector.counters);
        let table = Arc::new(InvocationTable {
            collector: Arc::downgrade(collector),
            ids,
            has_trace_id: context.trace().is_some(),
            table: Mutex::default(),
            parts: Mutex::default(),
        });
        tables.push(Arc::clone(&table));
        table
    };
    collector.register(&made);
    made
}

/// As [`table_of`], where there is one.
pub(crate) fn known_table_of(
    collector: &Inner,
    context: &RequestContext,
) -> Option<Arc<InvocationTable>> {
    let invocation = context.extension::<Invocation>()?;
    let tables = lock(&invocation.tables);
    tables.iter().find(|table| table.belongs_to(collector)).cloned()
}

/// Makes an event a part of its invocation's document, where none of its keys is in the way there.
pub(crate) fn join(
    collector: &Arc<Inner>,
    context: &RequestContext,
    make: impl FnOnce() -> Part,
) -> bool {
    let invocation = table_of(collector, context);
    let (part, appended) = (make(), collector.appended(context));
    let mut parts = lock(&invocation.parts);
    let joined = parts.join(part, collector.document_bytes / 4);
    if joined {
        parts.appended = appended;
    }
    joined
}

/// Whether the invocation's document has a metric of this name already: the quick look that tells
/// the second event of a kind from the first.
pub(crate) fn is_taken(collector: &Inner, context: &RequestContext, metric: &str) -> bool {
    known_table_of(collector, context)
        .is_some_and(|invocation| lock(&invocation.parts).is_taken(metric))
}

impl InvocationTable {
    fn belongs_to(&self, collector: &Inner) -> bool {
        std::ptr::eq(self.collector.as_ptr(), collector)
    }
}

impl Drop for InvocationTable {
    /// What was recorded after the invocation's last flush leaves when its context does.
    fn drop(&mut self) {
        if let Some(collector) = self.collector.upgrade() {
            collector.emit_invocation(self, None);
        }
    }
}
