//! The request context: what one invocation or request is known by, isolated per task.
//!
//! The context is a thread-local that is set while the request's future is polled
//! ([`InContextExt::in_context`]) or while a guard lives ([`RequestContext::enter`]). Sixty-four
//! requests in one process never see each other's ids. A thread that has none sees the active
//! request where exactly one is active ([`RequestContext::activate`]), so that a Lambda's helper
//! threads are covered without any work; with two or more active it sees none rather than a wrong
//! one.

mod active;
mod builder;
mod future;

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

pub use active::Active;
pub use builder::RequestContextBuilder;
#[cfg(feature = "tokio")]
pub use future::spawn;
pub use future::{InContext, InContextExt};

use crate::ids::TraceParent;
use crate::json::{self, Object};
use crate::lock;

/// What one request is known by. Cheap to clone: all clones are one context.
///
/// ```
/// use obs_core::context::RequestContext;
///
/// let context = RequestContext::builder().request_id("8f5c").correlation_id("order-17").build();
/// let entered = context.enter();
/// let seen = RequestContext::current().unwrap();
/// assert_eq!(seen.request_id(), Some("8f5c"));
/// drop(entered);
/// assert!(RequestContext::current().is_none());
/// ```
#[derive(Clone)]
pub struct RequestContext(Arc<Inner>);

/// The function that serves a request, in Lambda.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Function {
    /// The function's name.
    pub name: String,
    /// The function's version, `$LATEST` if none was published.
    pub version: String,
    /// The configured memory, in MB.
    pub memory_mb: u32,
    /// The ARN that was invoked.
    pub arn: String,
}

impl Function {
    /// A function's data.
    pub fn new(
        name: impl Into<String>,
        version: impl Into<String>,
        memory_mb: u32,
        arn: impl Into<String>,
    ) -> Self {
        Self { name: name.into(), version: version.into(), memory_mb, arn: arn.into() }
    }
}

struct Inner {
    request_id: Option<String>,
    correlation_id: Option<String>,
    cold_start: Option<bool>,
    trace: Option<TraceParent>,
    xray_trace_id: Option<String>,
    function: Option<Function>,
    deadline: Option<SystemTime>,
    /// `"correlation_id":…,"function_request_id":…,"cold_start":…`: encoded once, copied per line.
    members: Vec<u8>,
    appended: Mutex<Vec<(String, Vec<u8>)>>,
    extensions: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl RequestContext {
    /// A new context, empty until the builder is told otherwise.
    pub fn builder() -> RequestContextBuilder {
        RequestContextBuilder::default()
    }

    /// This task's context; without one, the active request's where exactly one is active.
    pub fn current() -> Option<Self> {
        Self::with_current(|context| context.cloned())
    }

    /// As [`RequestContext::current`], without a clone where the task has a context of its own.
    pub fn with_current<R>(read: impl FnOnce(Option<&Self>) -> R) -> R {
        // Cloned out of the cell only to end the borrow: what `read` runs may enter contexts.
        match CURRENT
            .try_with(|entered| entered.borrow().last().map(|(_, context)| context.clone()))
        {
            Ok(Some(context)) => read(Some(&context)),
            // No context, or the thread is ending.
            _ => read(active::sole().as_ref()),
        }
    }

    /// The request's id: Lambda's request id, or what the caller gave.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The id that links this request to the ones before and after it.
    pub fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }

    /// Whether this is the first invocation of its environment; `None` outside Lambda.
    pub fn cold_start(&self) -> Option<bool> {
        self.0.cold_start
    }

    /// What the incoming trace header said.
    pub fn trace(&self) -> Option<TraceParent> {
        self.0.trace
    }

    /// The trace's id in X-Ray's form.
    pub fn xray_trace_id(&self) -> Option<&str> {
        self.0.xray_trace_id.as_deref()
    }

    /// The function that serves the request, in Lambda.
    pub fn function(&self) -> Option<&Function> {
        self.0.function.as_ref()
    }

    /// When the request is cut off.
    pub fn deadline(&self) -> Option<SystemTime> {
        self.0.deadline
    }

    /// Appends a field to the rest of this request's log lines. A field of the same name is replaced.
    pub fn append(&self, key: &str, value: impl fmt::Display) {
        let mut encoded = Vec::new();
        json::display(&mut encoded, value);
        let mut appended = lock(&self.0.appended);
        match appended.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = encoded,
            None => appended.push((key.to_owned(), encoded)),
        }
    }

    /// Calls `each` with the name and the JSON value of every appended field, in order.
    ///
    /// `each` must not append: the fields are locked meanwhile.
    pub fn appended(&self, mut each: impl FnMut(&str, &[u8])) {
        for (key, value) in lock(&self.0.appended).iter() {
            each(key, value);
        }
    }

    /// Writes `correlation_id`, `function_request_id` and `cold_start`, those that there are.
    pub fn write_log_fields(&self, object: &mut Object<'_>) {
        object.members(&self.0.members);
    }

    /// What a crate keeps with the request, found by its type.
    pub fn extension<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let found = lock(&self.0.extensions).get(&TypeId::of::<T>()).cloned();
        found.and_then(|any| any.downcast().ok())
    }

    /// As [`RequestContext::extension`], made at first use; where two threads make one at once, both
    /// get the same.
    pub fn extension_or_insert_with<T: Any + Send + Sync>(
        &self,
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        if let Some(found) = self.extension() {
            return found;
        }
        // Made before the lock is taken: `make` may use the context.
        let made = Arc::new(make());
        let first = match lock(&self.0.extensions).entry(TypeId::of::<T>()) {
            Entry::Occupied(first) => Arc::clone(first.get()),
            Entry::Vacant(vacant) => Arc::clone(vacant.insert(Arc::clone(&made) as _)),
        };
        // After the lock: the one that is not kept is dropped here, and may use the context.
        first.downcast().unwrap_or(made)
    }

    /// Puts `value` into the extensions, and returns the one that it replaces.
    pub fn insert_extension<T: Any + Send + Sync>(&self, value: T) -> Option<Arc<T>> {
        let old = lock(&self.0.extensions).insert(TypeId::of::<T>(), Arc::new(value));
        old.and_then(|any| any.downcast().ok())
    }

    /// Makes this the current context of this thread until the guard is dropped.
    ///
    /// Do not hold the guard over an `.await`: the thread polls other tasks meanwhile, which would see
    /// this request. For a future there is [`InContextExt::in_context`].
    pub fn enter(&self) -> Entered {
        let number = CURRENT
            .try_with(|entered| {
                let mut entered = entered.borrow_mut();
                let number = entered.last().map_or(0, |(number, _)| number + 1);
                entered.push((number, self.clone()));
                number
            })
            .ok();
        Entered { number, not_send: PhantomData }
    }

    /// Counts this request as active until the guard is dropped.
    pub fn activate(&self) -> Active {
        Active::new(self)
    }

    /// Wraps `call` so that it runs in this context, wherever it is called.
    pub fn wrap<R, F: FnOnce() -> R>(&self, call: F) -> impl FnOnce() -> R + use<R, F> {
        let context = self.clone();
        move || {
            let _entered = context.enter();
            call()
        }
    }

    /// Whether both are the same context, not only equal ones.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("request_id", &self.0.request_id)
            .field("correlation_id", &self.0.correlation_id)
            .field("trace", &self.0.trace)
            .finish_non_exhaustive()
    }
}

/// While it lives, a context is the current one of its thread, unless one that was entered later is.
/// Guards may be dropped in any order.
#[derive(Debug)]
#[must_use = "the context is left when the guard is dropped"]
pub struct Entered {
    /// Which of the thread's entries this is; `None` if the thread was ending.
    number: Option<u64>,
    /// The guard must be dropped on the thread that made it.
    not_send: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        // Dropped outside the borrow: the last handle of a context may run any code.
        let _left = CURRENT.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let at = entered.iter().rposition(|(number, _)| Some(*number) == self.number)?;
            Some(entered.remove(at))
        });
    }
}

thread_local! {
    /// What this thread has entered and not left, the current one last.
    static CURRENT: RefCell<Vec<(u64, RequestContext)>> = const { RefCell::new(Vec::new()) };
}

#[cfg(test)]
mod tests;
