//! The requests that are active now. Where there is exactly one, threads without a context of
//! their own see that one.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::{Inner, RequestContext};
use crate::lock;

static ACTIVE: Mutex<List> = Mutex::new(List { contexts: Vec::new(), changes: 0 });
/// Which change of `ACTIVE` left exactly one in it; 0 while there is another number of them. Lets a
/// thread look without taking the lock: a service's, which has none, and a Lambda's helper threads,
/// which saw that one before.
static SOLE: AtomicU64 = AtomicU64::new(0);

struct List {
    contexts: Vec<RequestContext>,
    changes: u64,
}

impl List {
    /// To be called after every change, under the lock.
    fn changed(&mut self) {
        self.changes += 1;
        SOLE.store(if self.contexts.len() == 1 { self.changes } else { 0 }, Ordering::Release);
    }
}

thread_local! {
    /// The one active request that this thread saw last, and after which change. Weak: a thread that
    /// does not look again must not keep a request.
    static SEEN: RefCell<(u64, Weak<Inner>)> = const { RefCell::new((0, Weak::new())) };
}

/// While it lives, a request counts as active.
#[derive(Debug)]
#[must_use = "the request stops being active when the guard is dropped"]
pub struct Active {
    context: RequestContext,
}

impl Active {
    pub(super) fn new(context: &RequestContext) -> Self {
        let mut active = lock(&ACTIVE);
        active.contexts.push(context.clone());
        active.changed();
        drop(active);
        Self { context: context.clone() }
    }

    /// The request.
    pub fn context(&self) -> &RequestContext {
        &self.context
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let mut active = lock(&ACTIVE);
        let found = active.contexts.iter().position(|context| context.is_same(&self.context));
        let ended = found.map(|index| active.contexts.swap_remove(index));
        active.changed();
        drop(active);
        // After the lock: the last handle of a context may run any code.
        drop(ended);
    }
}

/// The active request, where there is exactly one.
#[inline]
pub(super) fn sole() -> Option<RequestContext> {
    match SOLE.load(Ordering::Acquire) {
        0 => None,
        change => seen(change).or_else(look),
    }
}

/// What this thread saw after this change.
fn seen(change: u64) -> Option<RequestContext> {
    SEEN.try_with(|seen| {
        let seen = seen.borrow();
        if seen.0 == change { seen.1.upgrade().map(RequestContext) } else { None }
    })
    .ok()
    .flatten()
}

#[cold]
fn look() -> Option<RequestContext> {
    let active = lock(&ACTIVE);
    let [context] = &*active.contexts else { return None };
    let (context, change) = (context.clone(), active.changes);
    drop(active);
    // Where the thread is ending, the next look takes the lock again.
    let _ = SEEN.try_with(|seen| *seen.borrow_mut() = (change, Arc::downgrade(&context.0)));
    Some(context)
}
