//! The fields that were appended to a request, within bounds.

use crate::health::{self, Event};

/// The most fields that a request has appended to it at once: 128.
///
/// Each of them is in each of the request's lines; what appends a new name for each item of a batch
/// would make every line longer than the one before.
pub const MAX_APPENDED_FIELDS: usize = 128;

/// The most bytes that a request's appended fields have together, names and encoded values: 256 KiB.
/// A log line has no more, if nothing else is said.
pub const MAX_APPENDED_BYTES: usize = 256 * 1024;

/// Fields in the order in which their names came, each with its encoded value.
#[derive(Debug, Default)]
pub(super) struct Appended {
    fields: Vec<(String, Vec<u8>)>,
    /// Of all names and values.
    bytes: usize,
}

impl Appended {
    /// Appends the field or replaces its value. What goes beyond the bounds is refused and counted, and
    /// all stays as it was.
    ///
    /// Refused rather than cut: a value is searched for secrets when a line is written, and half a
    /// secret would not be found.
    pub(super) fn set(&mut self, key: &str, value: Vec<u8>) {
        let fields = self.fields.len();
        let old = self.fields.iter_mut().find(|(name, _)| name == key).map(|(_, old)| old);
        let (freed, fields) = match &old {
            Some(old) => (key.len() + old.len(), fields),
            None => (0, fields + 1),
        };
        let bytes = self.bytes - freed + key.len() + value.len();
        if bytes > MAX_APPENDED_BYTES || fields > MAX_APPENDED_FIELDS {
            health::count(Event::LimitExceeded);
            return;
        }
        self.bytes = bytes;
        match old {
            Some(old) => *old = value,
            None => self.fields.push((key.to_owned(), value)),
        }
    }

    /// Takes the field away; returns whether there was one.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        let Some(place) = self.fields.iter().position(|(name, _)| name == key) else {
            return false;
        };
        let (name, value) = self.fields.remove(place);
        self.bytes -= name.len() + value.len();
        true
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(appended: &Appended) -> Vec<(String, usize)> {
        appended.iter().map(|(name, value)| (name.to_owned(), value.len())).collect()
    }

    /// Other tests may count the same event meanwhile: at least so many.
    fn refused(work: impl FnOnce()) -> u64 {
        let before = health::counted(Event::LimitExceeded);
        work();
        health::counted(Event::LimitExceeded) - before
    }

    #[test]
    fn a_field_too_many_is_refused_and_counted_and_others_are_still_replaced() {
        let mut appended = Appended::default();
        for n in 0..MAX_APPENDED_FIELDS {
            appended.set(&format!("key {n}"), b"1".to_vec());
        }
        assert!(refused(|| appended.set("one more", b"1".to_vec())) >= 1);
        assert_eq!(appended.iter().count(), MAX_APPENDED_FIELDS);
        assert!(appended.iter().all(|(name, _)| name != "one more"));
        appended.set("key 7", b"22".to_vec());
        assert_eq!(seen(&appended)[7], ("key 7".to_owned(), 2));
        // Room is made by taking one away.
        assert!(appended.remove("key 0"));
        appended.set("one more", b"1".to_vec());
        assert_eq!(seen(&appended).last(), Some(&("one more".to_owned(), 1)));
    }

    #[test]
    fn bytes_too_many_are_refused_and_counted_and_the_value_before_stays() {
        let mut appended = Appended::default();
        appended.set("a", vec![b'1'; MAX_APPENDED_BYTES - 1]);
        assert_eq!(seen(&appended), [("a".to_owned(), MAX_APPENDED_BYTES - 1)], "just as many");
        assert!(refused(|| appended.set("b", b"1".to_vec())) >= 1);
        assert!(refused(|| appended.set("a", vec![b'1'; MAX_APPENDED_BYTES])) >= 1);
        assert_eq!(seen(&appended), [("a".to_owned(), MAX_APPENDED_BYTES - 1)]);
        appended.set("a", vec![b'1'; MAX_APPENDED_BYTES - 3]);
        appended.set("b", b"1".to_vec());
        assert_eq!(appended.iter().count(), 2, "a shorter value makes room");
        assert!(appended.remove("a") && appended.remove("b") && !appended.remove("b"));
        assert_eq!(appended.bytes, 0);
    }

    proptest! {
        #[test]
        fn the_bounds_hold_and_the_bytes_are_those_of_the_fields(
            steps in prop::collection::vec((0_u8..200, prop::option::of(0_usize..40_000)), 0..400),
        ) {
            let mut appended = Appended::default();
            for (key, bytes) in steps {
                let key = key.to_string();
                match bytes {
                    Some(bytes) => appended.set(&key, vec![b'1'; bytes]),
                    None => _ = appended.remove(&key),
                }
                let held: usize = appended.iter().map(|(name, value)| name.len() + value.len()).sum();
                prop_assert_eq!(appended.bytes, held);
                prop_assert!(held <= MAX_APPENDED_BYTES);
                prop_assert!(appended.iter().count() <= MAX_APPENDED_FIELDS);
            }
        }
    }
}
