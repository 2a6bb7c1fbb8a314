//! A finished span as our own small record: what the queue carries and the encoder reads.

use std::borrow::Cow;

use obs_core::ids::{SpanId, TraceId};

use crate::failure::{Exception, Failure};
use crate::value::Value;

/// The most that one span keeps of fields, annotations and metadata, in bytes. A document has 64 KB;
/// the rest is room for the encoder to choose what to leave out.
const MAX_BYTES: usize = 256 * 1024;
/// The most fields of one span.
const MAX_FIELDS: usize = 1_000;
/// The most exceptions of one span.
const MAX_EXCEPTIONS: usize = 10;

/// One span, from its beginning to its end.
#[derive(Clone, Debug)]
pub(crate) struct SpanRecord {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent_id: Option<SpanId>,
    pub(crate) kind: Kind,
    pub(crate) name: Cow<'static, str>,
    /// Nanoseconds since the epoch.
    pub(crate) start: u64,
    /// Nanoseconds since the epoch, never before `start`.
    pub(crate) end: u64,
    /// How the call ended; unknown for a span that is not ours.
    pub(crate) status: Option<Status>,
    pub(crate) error_type: Option<Cow<'static, str>>,
    pub(crate) exceptions: Vec<Exception>,
    pub(crate) fields: Vec<Field>,
    /// How many fields and exceptions were left out for want of room.
    pub(crate) left_out: u32,
    /// The weight of `fields` and `exceptions`.
    pub(crate) bytes: usize,
}

/// What a document says that the span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The work of this service for one request, or a job of its own.
    Segment,
    /// In Lambda: the first of ours below the function's own segment, which the service makes.
    Invocation,
    /// A part of one of the others.
    Subsegment,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Success,
    Error,
    Cancelled,
    Panicked,
}

impl Status {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Panicked => "panicked",
        }
    }

    /// Whether X-Ray counts the segment as a fault of this service.
    pub(crate) const fn is_fault(self) -> bool {
        matches!(self, Self::Error | Self::Panicked)
    }
}

/// An annotation or a piece of metadata.
#[derive(Clone, Debug)]
pub struct Field {
    pub(crate) place: Place,
    pub(crate) key: Cow<'static, str>,
    pub(crate) value: Value,
}

/// Where a field goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Annotation,
    /// In this namespace; `default` without one.
    Metadata(Option<Box<str>>),
}

impl Field {
    /// An annotation: indexed by X-Ray.
    pub fn annotation(key: impl Into<Cow<'static, str>>, value: Value) -> Self {
        Self { place: Place::Annotation, key: key.into(), value }
    }

    /// Metadata in the default namespace: kept, not indexed.
    pub fn metadata(key: impl Into<Cow<'static, str>>, value: Value) -> Self {
        Self { place: Place::Metadata(None), key: key.into(), value }
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + self.key.len() + self.value.weight()
    }
}

impl SpanRecord {
    /// What it takes in memory, for the queue's bound.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.bytes
    }

    /// Keeps a field, while there is room.
    pub(crate) fn add(&mut self, field: Field) {
        let weight = field.weight();
        if self.fields.len() < MAX_FIELDS && self.bytes + weight <= MAX_BYTES {
            self.bytes += weight;
            self.fields.push(field);
        } else {
            self.left_out += 1;
        }
    }

    /// The call ended with an error.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.status = Some(Status::Error);
        self.error_type = Some(failure.error_type);
        self.add_exceptions(failure.exceptions);
    }

    /// As [`SpanRecord::fail`] for an error that was logged: a type that is known already stays.
    pub(crate) fn fail_unless_typed(&mut self, failure: Failure) {
        self.status = Some(Status::Error);
        self.error_type.get_or_insert(failure.error_type);
        self.add_exceptions(failure.exceptions);
    }

    /// Keeps an error and what caused it, unless it is there already: an error is often logged and
    /// then returned.
    pub(crate) fn add_exceptions(&mut self, chain: Vec<Exception>) {
        let Some(first) = chain.first() else { return };
        if let Some(index) = self.exceptions.iter().position(|seen| seen.is_same(first)) {
            let is_cause = index > 0 && self.exceptions[index - 1].has_cause;
            let knows_more = self.exceptions[index].is_only_text() && !first.is_only_text();
            if is_cause || !knows_more {
                return;
            }
            self.exceptions.remove(index);
        }
        for exception in chain {
            let weight = exception.weight();
            if self.exceptions.len() < MAX_EXCEPTIONS && self.bytes + weight <= MAX_BYTES {
                self.bytes += weight;
                self.exceptions.push(exception);
            } else {
                self.left_out += 1;
            }
        }
    }
}
