//! The request context: what one invocation or request is known by, isolated per task.
//!
//! The context is a thread-local that is set while the request's future is polled
//! ([`InContextExt::in_context`]) or while a guard lives ([`RequestContext::enter`]). Sixty-four
//! requests in one process never see each other's ids. A thread that has none sees the active
//! request where exactly one is active ([`RequestContext::activate`]), so that a Lambda's helper
//! threads are covered without any work; with two or more active it sees none rather than a wrong
//! one.

mod active;
mod appended;
mod builder;
mod entered;
mod future;
mod slots;

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

pub use active::Active;
pub use appended::{MAX_APPENDED_BYTES, MAX_APPENDED_FIELDS};
pub use builder::RequestContextBuilder;
pub use entered::Entered;
#[cfg(feature = "tokio")]
pub use future::spawn;
pub use future::{InContext, InContextExt};

use appended::Appended;
use slots::Slots;

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
    appended: Mutex<Appended>,
    /// A handful: searched from the front.
    extensions: Mutex<Vec<(TypeId, Arc<dyn Any + Send + Sync>)>>,
    slots: Slots,
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

    /// As [`RequestContext::current`], without a clone: a few nanoseconds where the task has a context
    /// of its own, and where no request is active. `read` may do anything, also enter and leave
    /// contexts.
    pub fn with_current<R>(read: impl FnOnce(Option<&Self>) -> R) -> R {
        match entered::top() {
            Some(context) => read(context.as_ref().as_ref()),
            // No context, or the thread is ending.
            None => read(active::sole().as_ref()),
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

    /// Appends a field, as text, to the rest of this request's log lines. A field of the same name is
    /// replaced.
    ///
    /// A request has at most [`MAX_APPENDED_FIELDS`], of [`MAX_APPENDED_BYTES`] together: a field
    /// beyond that is refused, one of the same name stays as it is, and
    /// [`health`](crate::health) counts `limit_exceeded`.
    pub fn append(&self, key: &str, value: impl fmt::Display) {
        self.append_json(key, |out| json::display(out, value));
    }

    /// As [`RequestContext::append`], for what is not text: `write` appends exactly one JSON value, in
    /// one line, as the functions of [`json`] do. Where it writes nothing, nothing changes.
    ///
    /// ```
    /// use obs_core::context::RequestContext;
    /// use obs_core::json;
    ///
    /// let context = RequestContext::builder().build();
    /// context.append_json("order_id", |out| json::uint(out, 4711));
    /// context.appended(|key, value| assert_eq!((key, value), ("order_id", &b"4711"[..])));
    /// ```
    pub fn append_json(&self, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
        // Before the lock is taken: `write` may be the application's code.
        let mut encoded = Vec::new();
        write(&mut encoded);
        if encoded.is_empty() {
            return;
        }
        lock(&self.0.appended).set(key, encoded);
    }

    /// Takes an appended field away again; returns whether there was one.
    pub fn remove_appended(&self, key: &str) -> bool {
        lock(&self.0.appended).remove(key)
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

    /// What a crate keeps with the request, found by its type. For what is made once and never
    /// replaced, [`RequestContext::slot`] is cheaper.
    pub fn extension<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let id = TypeId::of::<T>();
        let extensions = lock(&self.0.extensions);
        let found = extensions.iter().find(|(at, _)| *at == id).map(|(_, any)| Arc::clone(any));
        drop(extensions);
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
        let id = TypeId::of::<T>();
        let mut extensions = lock(&self.0.extensions);
        let first = match extensions.iter().find(|(at, _)| *at == id) {
            Some((_, first)) => Arc::clone(first),
            None => {
                extensions.push((id, Arc::clone(&made) as _));
                Arc::clone(&made) as _
            }
        };
        // After the lock: the one that is not kept is dropped here, and may use the context.
        drop(extensions);
        first.downcast().unwrap_or(made)
    }

    /// Puts `value` into the extensions, and returns the one that it replaces.
    pub fn insert_extension<T: Any + Send + Sync>(&self, value: T) -> Option<Arc<T>> {
        let id = TypeId::of::<T>();
        let value: Arc<dyn Any + Send + Sync> = Arc::new(value);
        let mut extensions = lock(&self.0.extensions);
        let old = match extensions.iter_mut().find(|(at, _)| *at == id) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                extensions.push((id, value));
                None
            }
        };
        drop(extensions);
        old.and_then(|any| any.downcast().ok())
    }

    /// What a crate keeps with the request for as long as it lives, found by its type, made at first
    /// use; where two threads make one at once, both get the first. No lock, and no count is moved:
    /// a look-up takes a nanosecond or two for each type that was kept before it.
    ///
    /// `make` may use the context. Meant for a handful of types for each request.
    ///
    /// ```
    /// use obs_core::context::RequestContext;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// #[derive(Default)]
    /// struct Retries(AtomicU32);
    ///
    /// let context = RequestContext::builder().build();
    /// assert!(context.slot_if_made::<Retries>().is_none());
    /// context.slot(Retries::default).0.fetch_add(1, Ordering::Relaxed);
    /// assert_eq!(context.slot(Retries::default).0.load(Ordering::Relaxed), 1);
    /// ```
    pub fn slot<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> &T {
        match self.0.slots.get() {
            Some(found) => found,
            None => self.0.slots.insert(make()),
        }
    }

    /// As [`RequestContext::slot`], where it was made.
    pub fn slot_if_made<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.slots.get()
    }

    /// Makes this the current context of this thread until the guard is dropped.
    ///
    /// Do not hold the guard over an `.await`: the thread polls other tasks meanwhile, which would see
    /// this request. For a future there is [`InContextExt::in_context`].
    pub fn enter(&self) -> Entered {
        Entered::new(self)
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

#[cfg(test)]
mod tests;
