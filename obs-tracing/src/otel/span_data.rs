//! Our record as `opentelemetry_sdk`'s span data.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use obs_core::Identity;
use obs_core::health::{self, Event as HealthEvent};
use obs_core::ids;
use obs_core::redact::Redactor;
use opentelemetry::trace::{
    Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, Key, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::otlp::translate::{AttributeValue, translate};
use crate::record::{self, SpanRecord};
use crate::resource::{self, ResourceValue};

/// Makes span data of a record.
pub(super) fn span_data(
    record: &SpanRecord,
    service: &Identity,
    redactor: &Redactor,
    scope: &InstrumentationScope,
) -> SpanData {
    let translated = translate(record, service, redactor);
    let ended = time(record.end.max(record.start));
    let mut events = SpanEvents::default();
    events.events = translated
        .exceptions
        .iter()
        .map(|exception| {
            let attributes = vec![
                KeyValue::new("exception.type", exception.error_type.to_string()),
                KeyValue::new("exception.message", exception.message.to_string()),
            ];
            Event::new("exception", ended, attributes, 0)
        })
        .collect();
    if translated.left_out > 0 {
        health::count_by(HealthEvent::Trimmed, u64::from(translated.left_out));
    }
    let error = translated.error.map(|error| Cow::Owned(error.into_owned()));
    SpanData {
        span_context: SpanContext::new(
            trace_id(record.trace_id),
            span_id(record.span_id),
            trace_flags(true),
            false,
            TraceState::default(),
        ),
        parent_span_id: record.parent_id.map_or(SpanId::INVALID, span_id),
        parent_span_is_remote: translated.has_remote_parent,
        span_kind: match translated.kind {
            record::SpanKind::Internal => SpanKind::Internal,
            record::SpanKind::Server => SpanKind::Server,
            record::SpanKind::Client => SpanKind::Client,
            record::SpanKind::Producer => SpanKind::Producer,
            record::SpanKind::Consumer => SpanKind::Consumer,
        },
        name: record.name.clone(),
        start_time: time(record.start),
        end_time: ended,
        attributes: translated
            .attributes
            .into_iter()
            .map(|attribute| {
                KeyValue::new(Key::from(attribute.key.into_owned()), value(attribute.value))
            })
            .collect(),
        dropped_attributes_count: translated.left_out,
        events,
        links: SpanLinks::default(),
        status: error.map_or(Status::Unset, |description| Status::Error { description }),
        instrumentation_scope: scope.clone(),
    }
}

/// The resource.
pub(super) fn resource(resource: &resource::Resource) -> Resource {
    let attributes = resource.iter().map(|(key, value)| {
        let value = match value {
            ResourceValue::Text(text) => Value::from(text.clone()),
            ResourceValue::Int(number) => Value::I64(*number),
            ResourceValue::Texts(list) => texts(list.iter().cloned()),
        };
        KeyValue::new(Key::from(key.to_owned()), value)
    });
    Resource::builder_empty().with_attributes(attributes).build()
}

pub(super) fn trace_id(id: ids::TraceId) -> TraceId {
    TraceId::from_bytes(id.to_u128().to_be_bytes())
}

pub(super) fn span_id(id: ids::SpanId) -> SpanId {
    SpanId::from_bytes(id.to_u64().to_be_bytes())
}

pub(super) fn trace_flags(sampled: bool) -> TraceFlags {
    if sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED }
}

fn value(value: AttributeValue<'_>) -> Value {
    match value {
        AttributeValue::Text(text) => Value::from(text.into_owned()),
        AttributeValue::Bool(value) => Value::Bool(value),
        AttributeValue::Int(number) => Value::I64(number),
        AttributeValue::Double(number) => Value::F64(number),
        AttributeValue::Texts(list) => texts(list.into_iter().map(Cow::into_owned)),
        AttributeValue::Json(json) => Value::from(String::from_utf8_lossy(&json).into_owned()),
    }
}

fn texts(texts: impl Iterator<Item = String>) -> Value {
    Value::Array(Array::String(texts.map(StringValue::from).collect()))
}

fn time(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}
