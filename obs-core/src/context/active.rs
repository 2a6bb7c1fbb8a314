//! The requests that are active now. Where there is exactly one, threads without a context of
//! their own see that one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::RequestContext;
use crate::lock;

static ACTIVE: Mutex<Vec<RequestContext>> = Mutex::new(Vec::new());
/// How many are in `ACTIVE`: lets a service, which has none, look without taking the lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// While it lives, a request counts as active.
#[derive(Debug)]
#[must_use = "the request stops being active when the guard is dropped"]
pub struct Active {
    context: RequestContext,
}

impl Active {
    pub(super) fn new(context: &RequestContext) -> Self {
        let mut active = lock(&ACTIVE);
        active.push(context.clone());
        COUNT.store(active.len(), Ordering::Release);
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
        let found = active.iter().position(|context| context.is_same(&self.context));
        let ended = found.map(|index| active.swap_remove(index));
        COUNT.store(active.len(), Ordering::Release);
        drop(active);
        // After the lock: the last handle of a context may run any code.
        drop(ended);
    }
}

/// The active request, where there is exactly one.
pub(super) fn sole() -> Option<RequestContext> {
    if COUNT.load(Ordering::Acquire) != 1 {
        return None;
    }
    match &**lock(&ACTIVE) {
        [context] => Some(context.clone()),
        _ => None,
    }
}
