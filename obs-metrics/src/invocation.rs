//! What is recorded inside an invocation is kept with its request context, so that no invocation
//! ever sees or emits what belongs to another.

mod parts;

use std::sync::{Arc, Mutex, OnceLock, Weak};

use obs_core::RequestContext;

use crate::collector::{Inner, lock};
use crate::line;
use crate::series::Table;
pub(crate) use parts::{Member, Part, Parts};

/// The tables that a request context keeps: one for each collector that was used in it, in a list
/// that only grows, so that finding one takes no lock and moves no count.
#[derive(Debug, Default)]
pub(crate) struct Invocation {
    first: Link,
}

type Link = OnceLock<Box<Node>>;

#[derive(Debug)]
struct Node {
    table: Arc<InvocationTable>,
    next: Link,
}

/// What one invocation has recorded with one collector.
#[derive(Debug)]
pub(crate) struct InvocationTable {
    collector: Weak<Inner>,
    /// The invocation's ids as encoded members. Not the context itself, which owns this.
    pub(crate) ids: Vec<u8>,
    /// Whether a trace's id is among them.
    pub(crate) has_trace_id: bool,
    pub(crate) table: Table,
    /// The events that are parts of the invocation's document.
    pub(crate) parts: Mutex<Parts>,
}

/// The table of `collector` in `context`, made at first use.
#[inline]
pub(crate) fn table_of<'a>(
    collector: &Arc<Inner>,
    context: &'a RequestContext,
) -> &'a InvocationTable {
    match known_table_of(collector, context) {
        Some(known) => known,
        None => new_table_of(collector, context),
    }
}

/// As [`table_of`], where there is one.
#[inline]
pub(crate) fn known_table_of<'a>(
    collector: &Inner,
    context: &'a RequestContext,
) -> Option<&'a InvocationTable> {
    let mut link = &context.slot_if_made::<Invocation>()?.first;
    loop {
        let Node { table, next } = &**link.get()?;
        if table.belongs_to(collector) {
            return Some(table);
        }
        link = next;
    }
}

#[cold]
fn new_table_of<'a>(collector: &Arc<Inner>, context: &'a RequestContext) -> &'a InvocationTable {
    let mut ids = Vec::new();
    line::append_ids(&mut ids, Some(context), None, &collector.counters);
    let made = Arc::new(InvocationTable {
        collector: Arc::downgrade(collector),
        ids,
        has_trace_id: context.trace().is_some(),
        table: Table::default(),
        parts: Mutex::default(),
    });
    let mut link = &context.slot(Invocation::default).first;
    loop {
        let mut is_new = false;
        let node = link.get_or_init(|| {
            is_new = true;
            Box::new(Node { table: Arc::clone(&made), next: Link::new() })
        });
        // Another thread of the invocation may have been faster, with this collector or another.
        if node.table.belongs_to(collector) {
            if is_new {
                collector.register(&node.table);
            }
            return &node.table;
        }
        link = &node.next;
    }
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

impl Drop for Node {
    /// What was recorded after the invocation's last flush leaves when its context does.
    ///
    /// Not when the table itself is dropped: a flush on another thread would neither find the table any
    /// more nor its emission yet.
    fn drop(&mut self) {
        if let Some(collector) = self.table.collector.upgrade() {
            collector.emit_invocation(&self.table, None);
        }
    }
}
