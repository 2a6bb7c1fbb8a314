//! What of a record goes where: annotations, metadata, and what is given up for want of room.

use std::borrow::Cow;

use obs_core::Identity;
use obs_core::health::{self, Event};
use obs_core::json;

use super::name::{annotation_key, is_reserved};
use crate::record::{Field, Kind, Place, SpanRecord};
use crate::value::{self, Value};

/// X-Ray indexes so many annotations of a trace.
const MAX_ANNOTATIONS: usize = 50;
/// X-Ray's limit for an annotation's text, in characters.
pub(crate) const MAX_ANNOTATION_TEXT: usize = 1_000;
/// Where annotations go for which there is no room among the indexed ones.
const SURPLUS_NAMESPACE: &str = "annotations";
/// Where our own notes stand.
pub(crate) const OWN_NAMESPACE: &str = "obs";
pub(crate) const DEFAULT_NAMESPACE: &str = "default";
/// How much is kept of an exception's message when the span is too large.
pub(crate) const SHORT_MESSAGE: usize = 500;

/// What of a record goes where in its document: keys made valid, later values in the place of
/// earlier ones, the limits kept.
pub(crate) struct Plan<'a> {
    pub(crate) annotations: Vec<Annotation<'a>>,
    pub(crate) metadata: Vec<Metadata<'a>>,
    pub(crate) namespaces: Vec<&'a str>,
    pub(crate) max_annotation_text: usize,
    pub(crate) max_message: usize,
    pub(crate) max_exceptions: usize,
    pub(crate) left_out: u32,
}

pub(crate) struct Annotation<'a> {
    pub(crate) key: Cow<'a, str>,
    pub(crate) value: Cow<'a, Value>,
}

pub(crate) struct Metadata<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) key: Cow<'a, str>,
    pub(crate) value: Cow<'a, Value>,
    pub(crate) left_out: bool,
}

/// What is given up, in this order, when a document without any metadata is still too large.
#[derive(Clone, Copy)]
pub(super) enum Fallback {
    ShortMessages,
    ShortAnnotations,
    NoAnnotations,
    NoCause,
}

impl Fallback {
    pub(super) const ALL: [Self; 4] =
        [Self::ShortMessages, Self::ShortAnnotations, Self::NoAnnotations, Self::NoCause];
}

impl<'a> Plan<'a> {
    pub(crate) fn new(record: &'a SpanRecord, service: &'a Identity) -> Self {
        let mut plan = Self {
            annotations: Vec::new(),
            metadata: Vec::new(),
            namespaces: Vec::new(),
            max_annotation_text: MAX_ANNOTATION_TEXT,
            max_message: usize::MAX,
            max_exceptions: usize::MAX,
            left_out: record.left_out,
        };
        if record.kind != Kind::Subsegment {
            plan.annotate("service", Cow::Owned(Value::from(service.service.as_str())));
            plan.annotate("environment", Cow::Owned(Value::from(service.environment.as_str())));
        }
        let taken = usize::from(record.status.is_some()) + usize::from(record.error_type.is_some());
        let max_annotations = MAX_ANNOTATIONS - taken;
        for Field { place, key, value } in &record.fields {
            match place {
                Place::Annotation => {
                    let ours = match key.as_ref() {
                        "status" => record.status.is_some(),
                        "error_type" => record.error_type.is_some(),
                        _ => false,
                    };
                    // NaN and infinities have no place in JSON.
                    let is_number = !matches!(value.0, value::Kind::F64(n) if !n.is_finite());
                    if !is_number {
                        health::count(Event::ValueOutOfRange);
                    } else if !ours {
                        plan.annotate(key, Cow::Borrowed(value));
                    }
                }
                Place::Metadata(namespace) => {
                    plan.add_metadata(
                        namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE),
                        key,
                        value,
                    );
                }
            }
        }
        if plan.annotations.len() > max_annotations {
            health::count(Event::LimitExceeded);
            for surplus in plan.annotations.split_off(max_annotations) {
                plan.keep_metadata(SURPLUS_NAMESPACE, surplus.key, surplus.value);
            }
        }
        plan
    }

    fn annotate(&mut self, key: &'a str, value: Cow<'a, Value>) {
        let key = annotation_key(key);
        match self.annotations.iter_mut().find(|annotation| annotation.key == key) {
            Some(annotation) => annotation.value = value,
            None => self.annotations.push(Annotation { key, value }),
        }
    }

    fn add_metadata(&mut self, namespace: &'a str, key: &'a str, value: &'a Value) {
        if is_reserved(namespace) || is_reserved(key) {
            health::count(Event::NameRefused);
            self.left_out += 1;
        } else {
            self.keep_metadata(namespace, Cow::Borrowed(key), Cow::Borrowed(value));
        }
    }

    fn keep_metadata(&mut self, namespace: &'a str, key: Cow<'a, str>, value: Cow<'a, Value>) {
        // Our notes must not meet a user's in one namespace: a document has no key twice.
        let namespace = match namespace {
            "" | OWN_NAMESPACE => DEFAULT_NAMESPACE,
            other => other,
        };
        if !self.namespaces.contains(&namespace) {
            self.namespaces.push(namespace);
        }
        let mut known = self.metadata.iter_mut();
        match known.find(|entry| entry.namespace == namespace && entry.key == key) {
            Some(entry) => entry.value = value,
            None => self.metadata.push(Metadata { namespace, key, value, left_out: false }),
        }
    }

    /// Leaves out metadata, the largest first, until `excess` bytes are saved. False if there is
    /// none left.
    pub(super) fn drop_largest_metadata(&mut self, excess: usize, scratch: &mut Vec<u8>) -> bool {
        let mut sizes: Vec<(usize, usize)> = Vec::new();
        for (index, entry) in self.metadata.iter().enumerate().filter(|(_, entry)| !entry.left_out)
        {
            scratch.clear();
            json::string(scratch, &entry.key);
            entry.value.write(scratch);
            sizes.push((scratch.len(), index));
        }
        // Of entries of one size the later one goes first.
        sizes.sort_unstable();
        let mut saved = 0;
        let before = self.left_out;
        while let Some((size, index)) = sizes.pop().filter(|_| saved < excess) {
            saved += size;
            self.left_out += 1;
            self.metadata[index].left_out = true;
        }
        self.left_out > before
    }

    pub(super) fn fall_back(&mut self, fallback: Fallback) {
        self.left_out += 1;
        match fallback {
            Fallback::ShortMessages => {
                self.max_message = SHORT_MESSAGE;
                self.max_exceptions = 5;
            }
            Fallback::ShortAnnotations => self.max_annotation_text = 100,
            Fallback::NoAnnotations => self.annotations.clear(),
            Fallback::NoCause => self.max_exceptions = 0,
        }
    }
}
