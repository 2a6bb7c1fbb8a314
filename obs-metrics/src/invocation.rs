//! What is recorded inside an invocation is kept with its request context, so that no invocation
//! ever sees or emits what belongs to another.

use std::sync::{Arc, Mutex, Weak};

use obs_core::RequestContext;

use crate::collector::{Inner, lock};
use crate::line;
use crate::series::Table;

/// The tables that a request context keeps: one for each collector that was used in it.
#[derive(Debug, Default)]
pub(crate) struct Invocation {
    tables: Mutex<Vec<Arc<InvocationTable>>>,
}

/// The series of one invocation and one collector.
#[derive(Debug)]
pub(crate) struct InvocationTable {
    collector: Weak<Inner>,
    /// The invocation's ids as encoded members. Not the context itself, which owns this.
    pub(crate) ids: Vec<u8>,
    pub(crate) table: Mutex<Table>,
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
            table: Mutex::default(),
        });
        tables.push(Arc::clone(&table));
        table
    };
    collector.register(&made);
    made
}

/// As [`table_of`], where there is one.
pub(crate) fn known_table_of(
    collector: &Arc<Inner>,
    context: &RequestContext,
) -> Option<Arc<InvocationTable>> {
    let invocation = context.extension::<Invocation>()?;
    let tables = lock(&invocation.tables);
    tables.iter().find(|table| table.belongs_to(collector)).cloned()
}

impl InvocationTable {
    fn belongs_to(&self, collector: &Arc<Inner>) -> bool {
        std::ptr::eq(self.collector.as_ptr(), Arc::as_ptr(collector))
    }
}

impl Drop for InvocationTable {
    /// What was recorded after the invocation's last flush leaves when its context does.
    fn drop(&mut self) {
        if let Some(collector) = self.collector.upgrade() {
            collector.emit_table(&self.table, &self.ids);
        }
    }
}
