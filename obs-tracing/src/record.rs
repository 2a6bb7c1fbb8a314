//! A finished span as our own small record: what the queue carries and the encoder reads.

use std::borrow::Cow;

use obs_core::ids::{SpanId, TraceId};

use crate::classify::ErrorClass;
use crate::failure::{Exception, Failure};
use crate::value::{self, Value};

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
    pub(crate) span_kind: SpanKind,
    pub(crate) name: Cow<'static, str>,
    /// Nanoseconds since the epoch.
    pub(crate) start: u64,
    /// Nanoseconds since the epoch, never before `start`.
    pub(crate) end: u64,
    /// How the call ended; unknown for a span that is not ours.
    pub(crate) status: Option<Status>,
    pub(crate) error_type: Option<Cow<'static, str>>,
    /// Whose doing the error is, where it says so.
    pub(crate) class: Option<ErrorClass>,
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

/// What a span is to the rest of the trace: OpenTelemetry's `SpanKind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpanKind {
    /// Work within the service.
    Internal,
    /// Answers a request: a segment of its own, also below another span of this process.
    Server,
    /// Waits for another service's answer.
    Client,
    /// Hands something on that is worked on later.
    Producer,
    /// Works on what was handed on.
    Consumer,
}

impl SpanKind {
    /// Reads `client`, `CLIENT` or `Client`, as `otel.kind` holds it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [
            ("internal", Self::Internal),
            ("server", Self::Server),
            ("client", Self::Client),
            ("producer", Self::Producer),
            ("consumer", Self::Consumer),
        ]
        .into_iter()
        .find_map(|(name, kind)| text.eq_ignore_ascii_case(name).then_some(kind))
    }
}

/// The field by which spans of other crates tell their kind, as in OpenTelemetry's layer.
const KIND_FIELD: &str = "otel.kind";

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

    /// The segment's flags: what X-Ray counts the call as.
    pub(crate) const fn flags(&self) -> &'static [&'static str] {
        match (self.status, self.class) {
            (Some(Status::Error), Some(class)) => class.flags(),
            (Some(Status::Error | Status::Panicked), _) => ErrorClass::Fault.flags(),
            _ => &[],
        }
    }

    /// The namespace of a subsegment that stands for another service: `aws` for a call of the AWS
    /// SDK, which the field `rpc.system` tells, else `remote`.
    pub(crate) fn namespace(&self) -> Option<&'static str> {
        if self.kind == Kind::Segment
            || !matches!(self.span_kind, SpanKind::Client | SpanKind::Producer)
        {
            return None;
        }
        let is_aws = |field: &Field| {
            matches!(&*field.key, "rpc.system" | "rpc.system.name" | "rpc_system")
                && matches!(&field.value.0, value::Kind::Text(system) if system == "aws-api")
        };
        Some(if self.fields.iter().any(is_aws) { "aws" } else { "remote" })
    }

    /// Keeps a field of a span that is not ours, while there is room. One that tells its kind is no
    /// metadata.
    pub(crate) fn add_foreign(&mut self, field: Field) {
        if field.key == KIND_FIELD
            && let value::Kind::Text(text) = &field.value.0
            && let Some(kind) = SpanKind::parse(text)
        {
            self.span_kind = kind;
        } else {
            self.add(field);
        }
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
        self.class = failure.class;
        self.add_exceptions(failure.exceptions);
    }

    /// As [`SpanRecord::fail`] for an error that was logged: a type that is known already stays. Whose
    /// doing it is, is said by what a call returns: an error in the log is a fault.
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
