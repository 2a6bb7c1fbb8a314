//! Which collector, publisher or logger is meant when code does not say: the request's own first,
//! the process's default second. So parallel tests and invocations never share one by accident.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::context::RequestContext;

type Defaults = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;

static DEFAULTS: RwLock<Option<Defaults>> = RwLock::new(None);

/// The current request's `T`, where its context has one ([`RequestContext::insert_extension`]);
/// else the process's default.
pub fn current<T: Any + Send + Sync>() -> Option<Arc<T>> {
    RequestContext::with_current(|context| context.and_then(RequestContext::extension))
        .or_else(default)
}

/// The process's default `T`.
pub fn default<T: Any + Send + Sync>() -> Option<Arc<T>> {
    let defaults = DEFAULTS.read().unwrap_or_else(PoisonError::into_inner);
    let any = defaults.as_ref()?.get(&TypeId::of::<T>()).cloned();
    drop(defaults);
    any?.downcast().ok()
}

/// Makes `value` the process's default, and returns the one that it replaces.
pub fn set_default<T: Any + Send + Sync>(value: T) -> Option<Arc<T>> {
    let mut defaults = DEFAULTS.write().unwrap_or_else(PoisonError::into_inner);
    let old = defaults.get_or_insert_default().insert(TypeId::of::<T>(), Arc::new(value));
    drop(defaults);
    old?.downcast().ok()
}

/// As [`current`], with a default that is made at first use.
///
/// ```
/// use obs_core::handle;
///
/// struct Greeter(&'static str);
/// assert_eq!(handle::current_or_insert_with(|| Greeter("hello")).0, "hello");
/// assert_eq!(handle::current::<Greeter>().unwrap().0, "hello");
/// ```
pub fn current_or_insert_with<T: Any + Send + Sync>(make: impl FnOnce() -> T) -> Arc<T> {
    if let Some(found) = current() {
        return found;
    }
    let made = Arc::new(make());
    let mut defaults = DEFAULTS.write().unwrap_or_else(PoisonError::into_inner);
    let first = defaults
        .get_or_insert_default()
        .entry(TypeId::of::<T>())
        .or_insert_with(|| Arc::clone(&made) as _);
    let first = Arc::clone(first);
    drop(defaults);
    first.downcast().unwrap_or(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requests_own_comes_before_the_default() {
        #[derive(Debug, PartialEq)]
        struct Name(&'static str);
        assert_eq!(current::<Name>(), None);
        assert_eq!(set_default(Name("process")), None);
        let context = RequestContext::builder().build();
        context.insert_extension(Name("request"));
        let entered = context.enter();
        assert_eq!(*current::<Name>().unwrap(), Name("request"));
        assert_eq!(*current_or_insert_with(|| Name("made")), Name("request"));
        drop(entered);
        assert_eq!(*current_or_insert_with(|| Name("made")), Name("process"));
        assert_eq!(set_default(Name("new")).as_deref(), Some(&Name("process")));
        assert_eq!(*current::<Name>().unwrap(), Name("new"));
    }
}
