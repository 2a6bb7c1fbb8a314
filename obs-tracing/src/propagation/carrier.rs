//! What headers are read from and written to: anything that maps names to texts.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use obs_core::health::{self, Event};
use serde_json::{Map, Value};

/// Something that headers are read from. Names are compared without regard to case.
///
/// ```
/// use obs_tracing::propagation::{self, Extractor};
///
/// struct Record { trace_header: Option<String> }
///
/// impl Extractor for Record {
///     fn get(&self, name: &str) -> Option<&str> {
///         if name == propagation::XRAY_HEADER { self.trace_header.as_deref() } else { None }
///     }
/// }
///
/// let record = Record { trace_header: Some("Root=1-5759e988-bd862e3fe1be46a994272793".to_owned()) };
/// assert!(propagation::extract(&record).trace().is_some());
/// ```
pub trait Extractor {
    /// The value of the header `name`, which is given in lower case.
    fn get(&self, name: &str) -> Option<&str>;

    /// Every value of the header `name`, in order, for carriers that may have several of one name.
    fn get_all(&self, name: &str) -> Vec<&str> {
        self.get(name).into_iter().collect()
    }
}

/// Something that headers are written to.
pub trait Injector {
    /// Sets the header `name`, which is given in lower case, and takes away any other of that name.
    fn set(&mut self, name: &str, value: String);

    /// Takes the header `name` away: one that came from elsewhere and contradicts what is set. A
    /// carrier that always begins empty has nothing to do.
    fn remove(&mut self, name: &str) {
        let _ = name;
    }
}

impl<E: Extractor + ?Sized> Extractor for &E {
    fn get(&self, name: &str) -> Option<&str> {
        (**self).get(name)
    }

    fn get_all(&self, name: &str) -> Vec<&str> {
        (**self).get_all(name)
    }
}

impl Extractor for HeaderMap {
    fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).iter().find_map(readable)
    }

    fn get_all(&self, name: &str) -> Vec<&str> {
        self.get_all(name).iter().filter_map(readable).collect()
    }
}

/// A value is bytes; those of our headers are ASCII.
fn readable(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok();
    if text.is_none() {
        health::count(Event::HeaderRefused);
    }
    text
}

impl Injector for HeaderMap {
    fn set(&mut self, name: &str, value: String) {
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => drop(self.insert(name, value)),
            _ => health::count(Event::HeaderRefused),
        }
    }

    fn remove(&mut self, name: &str) {
        HeaderMap::remove(self, name);
    }
}

impl<K, V, S> Extractor for HashMap<K, V, S>
where
    K: Borrow<str> + Hash + Eq,
    V: AsRef<str>,
    S: BuildHasher,
{
    fn get(&self, name: &str) -> Option<&str> {
        let exact = HashMap::get(self, name);
        // Of several that differ in case only, the same one every time.
        exact.map(AsRef::as_ref).or_else(|| {
            self.iter()
                .filter(|(key, _)| (*key).borrow().eq_ignore_ascii_case(name))
                .min_by_key(|(key, _)| (*key).borrow())
                .map(|(_, value)| value.as_ref())
        })
    }
}

impl<S: BuildHasher> Injector for HashMap<String, String, S> {
    fn set(&mut self, name: &str, value: String) {
        Injector::remove(self, name);
        self.insert(name.to_owned(), value);
    }

    fn remove(&mut self, name: &str) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name));
    }
}

impl<K: Borrow<str>, V: AsRef<str>> Extractor for BTreeMap<K, V> {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.iter().find(|(key, _)| (*key).borrow().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_ref())
    }
}

impl Injector for BTreeMap<String, String> {
    fn set(&mut self, name: &str, value: String) {
        Injector::remove(self, name);
        self.insert(name.to_owned(), value);
    }

    fn remove(&mut self, name: &str) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name));
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Extractor for [(K, V)] {
    fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|pair| is_named(pair, name)).map(|(_, value)| value.as_ref())
    }

    fn get_all(&self, name: &str) -> Vec<&str> {
        self.iter().filter(|pair| is_named(pair, name)).map(|(_, value)| value.as_ref()).collect()
    }
}

fn is_named<K: AsRef<str>, V>(pair: &(K, V), name: &str) -> bool {
    pair.0.as_ref().eq_ignore_ascii_case(name)
}

impl<K: AsRef<str>, V: AsRef<str>, const N: usize> Extractor for [(K, V); N] {
    fn get(&self, name: &str) -> Option<&str> {
        Extractor::get(self.as_slice(), name)
    }

    fn get_all(&self, name: &str) -> Vec<&str> {
        Extractor::get_all(self.as_slice(), name)
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Extractor for Vec<(K, V)> {
    fn get(&self, name: &str) -> Option<&str> {
        Extractor::get(self.as_slice(), name)
    }

    fn get_all(&self, name: &str) -> Vec<&str> {
        Extractor::get_all(self.as_slice(), name)
    }
}

impl Injector for Vec<(String, String)> {
    fn set(&mut self, name: &str, value: String) {
        Injector::remove(self, name);
        self.push((name.to_owned(), value));
    }

    fn remove(&mut self, name: &str) {
        self.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }
}

/// A JSON object; members that are not text count as absent.
impl Extractor for Map<String, Value> {
    fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str()
    }
}

impl Injector for Map<String, Value> {
    fn set(&mut self, name: &str, value: String) {
        Injector::remove(self, name);
        self.insert(name.to_owned(), Value::String(value));
    }

    fn remove(&mut self, name: &str) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name));
    }
}
