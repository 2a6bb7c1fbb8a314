//! What a callsite decides once: the parts of the line that never change, the keys of its fields,
//! and which of them are redacted.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use obs_core::json::{self, Piece};
use obs_core::redact::Redactor;
use tracing_core::{Level, Metadata};

use crate::fields::Key;

/// The keys that every line's own data has. A field of such a name is written as `fields.<name>`.
pub const BUILT_IN_KEYS: &[&str] = &[
    "timestamp",
    "level",
    "message",
    "logger",
    "module",
    "function",
    "line",
    "service",
    "environment",
    "correlation_id",
    "function_request_id",
    "cold_start",
    "trace_id",
    "span_id",
    "xray_trace_id",
    "suppressed",
    "truncated_fields",
];

/// The name that a field gets in the line.
pub(crate) fn key_name(name: &str) -> std::borrow::Cow<'_, str> {
    // `r#type` is how the macros have to write it; the field's name is `type`.
    let name = name.strip_prefix("r#").unwrap_or(name);
    if BUILT_IN_KEYS.contains(&name) { format!("fields.{name}").into() } else { name.into() }
}

/// What is known of a callsite.
#[derive(Debug)]
pub(crate) struct Callsite {
    /// `,"level":"INFO","message":`
    pub(crate) head: Piece,
    /// `,"logger":"app::orders","module":"app::orders"`, and then the tail: the function, where there
    /// is one, comes between them.
    pub(crate) origin_and_tail: Box<[u8]>,
    /// `,"line":42,"service":"orders","environment":"dev"`
    tail: usize,
    pub(crate) fields: Box<[Plan]>,
    /// Two of the fields have one name.
    pub(crate) repeats: bool,
    /// The event stands for a record of the `log` crate: its target, module and line are in fields,
    /// because all records of a level share one callsite.
    pub(crate) is_log_record: bool,
    /// Of an event; else of a span.
    pub(crate) is_event: bool,
    /// Searches the values that are text.
    pub(crate) redactor: Redactor,
}

/// What happens with one field.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) key: Key,
    pub(crate) redacted: bool,
    pub(crate) role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Plain,
    Message,
    LogTarget,
    LogModule,
    LogLine,
    /// Not written: the source file of a `log` record, which no other line has.
    Unused,
}

impl Callsite {
    /// `tail` is what follows the line's number: service and environment.
    fn new(metadata: &'static Metadata<'static>, redactor: &Redactor, tail: &[u8]) -> Self {
        let is_log_record = is_log_record(metadata);
        let fields: Box<[Plan]> = metadata
            .fields()
            .iter()
            .map(|field| Plan {
                name: field.name(),
                key: Key::new(&key_name(field.name())),
                redacted: redactor.is_redacted(field.name()),
                role: role_of(field.name(), metadata.is_event(), is_log_record),
            })
            .collect();
        let repeats = fields
            .iter()
            .enumerate()
            .any(|(index, plan)| fields[..index].iter().any(|other| other.key == plan.key));
        let mut head = br#","level":"#.to_vec();
        json::string(&mut head, level_name(*metadata.level()));
        head.extend_from_slice(br#","message":"#);
        let mut origin = Vec::new();
        let mut line = Vec::new();
        if !is_log_record {
            member(&mut origin, "logger", metadata.target());
            if let Some(module) = metadata.module_path() {
                member(&mut origin, "module", module);
            }
            if let Some(number) = metadata.line() {
                line.extend_from_slice(br#","line":"#);
                json::uint(&mut line, u64::from(number));
            }
        }
        line.extend_from_slice(tail);
        let tail = origin.len();
        origin.extend_from_slice(&line);
        Self {
            head: Piece::new(&head),
            origin_and_tail: origin.into(),
            tail,
            fields,
            repeats,
            is_log_record,
            is_event: metadata.is_event(),
            redactor: redactor.clone(),
        }
    }

    /// Writes as `write` does a JSON string, and takes the secrets out of it.
    #[inline]
    pub(crate) fn redacting(&self, write: impl FnOnce(&mut Vec<u8>)) -> impl FnOnce(&mut Vec<u8>) {
        |out| {
            let start = out.len();
            write(out);
            self.redactor.redact_encoded(out, start);
        }
    }

    pub(crate) fn origin(&self) -> &[u8] {
        &self.origin_and_tail[..self.tail]
    }

    pub(crate) fn tail(&self) -> &[u8] {
        &self.origin_and_tail[self.tail..]
    }
}

/// Whether events of this metadata stand for records of the `log` crate.
pub(crate) fn is_log_record(metadata: &Metadata<'_>) -> bool {
    metadata.name() == "log event"
        && metadata.target() == "log"
        && metadata.fields().field("log.target").is_some()
}

/// Writes `,"key":"value"`.
pub(crate) fn member(out: &mut Vec<u8>, key: &str, value: &str) {
    out.push(b',');
    json::string(out, key);
    out.push(b':');
    json::string(out, value);
}

pub(crate) fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

fn role_of(name: &str, is_event: bool, is_log_record: bool) -> Role {
    match name {
        // A span has no message: its field of that name is a field like any other.
        "message" if is_event => Role::Message,
        "log.target" if is_log_record => Role::LogTarget,
        "log.module_path" if is_log_record => Role::LogModule,
        "log.line" if is_log_record => Role::LogLine,
        "log.file" if is_log_record => Role::Unused,
        _ => Role::Plain,
    }
}

/// A logger's callsites, made at first use and shared by all threads.
#[derive(Debug)]
pub(crate) struct Callsites {
    /// Tells loggers apart in the threads' caches.
    logger: u64,
    redactor: Redactor,
    /// `,"service":"…","environment":"…"`
    tail: Box<[u8]>,
    /// By the metadata's address: it is static, and unlike the callsite's own identifier never
    /// shared (the callsites of tracing-log have no size, and so no address of their own).
    known: RwLock<HashMap<usize, Arc<Callsite>, BuildHasherDefault<AddressHasher>>>,
}

impl Callsites {
    pub(crate) fn new(logger: u64, redactor: Redactor, tail: Vec<u8>) -> Self {
        Self { logger, redactor, tail: tail.into(), known: RwLock::default() }
    }

    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    fn find(&self, metadata: &'static Metadata<'static>) -> Arc<Callsite> {
        let address = std::ptr::from_ref(metadata) as usize;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&address) {
            return Arc::clone(found);
        }
        drop(known);
        let made = Arc::new(Callsite::new(metadata, &self.redactor, &self.tail));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(address).or_insert(made))
    }
}

/// One thread's view of the callsites of all loggers: a look-up takes no lock and touches no
/// counter that other threads touch.
#[derive(Debug, Default)]
pub(crate) struct SeenCallsites {
    /// By the lowest bits of its address that differ, the callsite of which it was last.
    recent: [Recent; RECENT],
    seen: HashMap<(u64, usize), usize, BuildHasherDefault<AddressHasher>>,
    made: Vec<Arc<Callsite>>,
}

/// A power of two, as many as a loop may log in turn.
const RECENT: usize = 32;

#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    logger: u64,
    /// Of the metadata; 0 where there is none.
    address: usize,
    /// Its place in `made`.
    made: usize,
}

impl SeenCallsites {
    #[inline]
    pub(crate) fn get(
        &mut self,
        callsites: &Callsites,
        metadata: &'static Metadata<'static>,
    ) -> &Callsite {
        let (logger, address) = (callsites.logger, std::ptr::from_ref(metadata) as usize);
        let slot = (address / align_of::<Metadata<'_>>()) % RECENT;
        if self.recent[slot].address != address || self.recent[slot].logger != logger {
            let made = self.look(callsites, metadata, address);
            self.recent[slot] = Recent { logger, address, made };
        }
        &self.made[self.recent[slot].made]
    }

    fn look(
        &mut self,
        callsites: &Callsites,
        metadata: &'static Metadata<'static>,
        address: usize,
    ) -> usize {
        /// A bound for processes that make and drop loggers again and again, such as tests.
        const MOST: usize = 16 * 1024;
        if self.made.len() >= MOST {
            *self = Self::default();
        }
        *self.seen.entry((callsites.logger, address)).or_insert_with(|| {
            self.made.push(callsites.find(metadata));
            self.made.len() - 1
        })
    }
}

/// Hashes addresses and small numbers: they need mixing, not protection.
#[derive(Debug, Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_line_uses_itself_are_moved() {
        // 29
        for (name, expected) in [
            ("order_id", "order_id"),
            ("r#type", "type"),
            ("level", "fields.level"),
            ("trace_id", "fields.trace_id"),
            ("r#line", "fields.line"),
        ] {
            assert_eq!(key_name(name), expected);
        }
    }

    #[test]
    fn only_an_event_has_a_message() {
        assert_eq!(role_of("message", true, false), Role::Message);
        assert_eq!(role_of("message", false, false), Role::Plain);
        assert_eq!(role_of("log.target", true, false), Role::Plain);
        assert_eq!(role_of("log.target", true, true), Role::LogTarget);
    }
}
