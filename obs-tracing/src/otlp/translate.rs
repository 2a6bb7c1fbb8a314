//! What a record means to OpenTelemetry, so that X-Ray understands it again as what it was.
//!
//! X-Ray makes segments of OTLP spans as the collector's exporter for it does
//! (opentelemetry-collector-contrib, `exporter/awsxrayexporter/internal/translator`: `segment.go`,
//! `cause.go`; documented in that exporter's README):
//!
//! - attributes whose keys are listed in `aws.xray.annotations` become annotations, indexed;
//! - `aws.xray.metadata.<namespace>`, a JSON object as text, becomes the metadata of that namespace;
//! - every other attribute becomes metadata in the namespace `default`;
//! - spans of the kind *server*, and those without a parent, become segments, named for the service;
//! - the status *error* without an HTTP status becomes `fault`, events named `exception` the cause.

use std::borrow::Cow;

use obs_core::Identity;
use obs_core::json::Object;
use obs_core::redact::{REDACTED, Redactor};

use crate::record::{Kind, SpanKind, SpanRecord, Status};
use crate::value;
use crate::xray::{DEFAULT_NAMESPACE, MAX_ANNOTATION_TEXT, Plan, first_characters, scrub};

/// The attribute that lists the keys of annotations.
pub(crate) const ANNOTATIONS: &str = "aws.xray.annotations";
/// What a namespace of metadata begins with.
const METADATA: &str = "aws.xray.metadata.";

/// A record in OpenTelemetry's terms.
#[derive(Debug)]
pub(crate) struct Translated<'a> {
    pub(crate) kind: SpanKind,
    /// Each key once.
    pub(crate) attributes: Vec<Attribute<'a>>,
    pub(crate) exceptions: Vec<Told<'a>>,
    /// That of a status *error*; none is *unset*.
    pub(crate) error: Option<Cow<'a, str>>,
    /// Whether the parent is another service's, or the one that Lambda makes.
    pub(crate) has_remote_parent: bool,
    /// What was left out before.
    pub(crate) left_out: u32,
}

/// An exception, with what its message may say.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    pub(crate) error_type: &'a str,
    pub(crate) message: Cow<'a, str>,
}

#[derive(Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) key: Cow<'a, str>,
    pub(crate) value: AttributeValue<'a>,
}

#[derive(Debug)]
pub(crate) enum AttributeValue<'a> {
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
    Texts(Vec<Cow<'a, str>>),
    /// One JSON value.
    Json(Cow<'a, [u8]>),
}

/// Translates; what is redacted leaves here already as that.
pub(crate) fn translate<'a>(
    record: &'a SpanRecord,
    service: &'a Identity,
    redactor: &Redactor,
) -> Translated<'a> {
    let plan = Plan::new(record, service);
    let mut attributes = Vec::with_capacity(plan.annotations.len() + plan.metadata.len() + 3);
    let mut indexed = Vec::with_capacity(plan.annotations.len() + 2);
    let mut annotate = |key: Cow<'a, str>, value| {
        indexed.push(key.clone());
        attributes.push(Attribute { key, value });
    };
    if let Some(status) = record.status {
        annotate("status".into(), AttributeValue::Text(status.as_str().into()));
    }
    if let Some(error_type) = &record.error_type {
        annotate("error_type".into(), AttributeValue::Text(error_type.as_ref().into()));
    }
    for annotation in plan.annotations {
        let value = if redactor.is_redacted(&annotation.key) {
            AttributeValue::Text(REDACTED.into())
        } else {
            match value_of(annotation.value, redactor) {
                AttributeValue::Text(text) => AttributeValue::Text(cut(text)),
                // Annotations have no structure.
                AttributeValue::Json(json) => {
                    let text = redactor.redact(&String::from_utf8_lossy(&json)).into_owned();
                    AttributeValue::Text(cut(text.into()))
                }
                scalar => scalar,
            }
        };
        annotate(annotation.key, value);
    }

    let is_free = |key: &str| {
        !indexed.iter().any(|indexed| indexed == key)
            && key != ANNOTATIONS
            && !key.starts_with(METADATA)
    };
    let mut namespaces: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut default = Vec::new();
    for entry in plan.metadata {
        let value = if redactor.is_redacted(&entry.key) {
            AttributeValue::Text(REDACTED.into())
        } else {
            value_of(entry.value, redactor)
        };
        if entry.namespace == DEFAULT_NAMESPACE && is_free(&entry.key) {
            default.push(Attribute { key: entry.key, value });
            continue;
        }
        let known = namespaces.iter_mut().position(|(name, _)| *name == entry.namespace);
        let at = known.unwrap_or_else(|| {
            namespaces.push((entry.namespace, Vec::new()));
            namespaces.len() - 1
        });
        let members = &mut namespaces[at].1;
        let is_empty = members.is_empty();
        let mut object =
            if is_empty { Object::begin(members) } else { Object::resume(members, false) };
        value.write_json(object.key(&entry.key));
    }
    if !indexed.is_empty() {
        let value = AttributeValue::Texts(indexed);
        attributes.push(Attribute { key: ANNOTATIONS.into(), value });
    }
    attributes.append(&mut default);
    for (namespace, mut members) in namespaces {
        members.push(b'}');
        let text = String::from_utf8_lossy(&members).into_owned();
        attributes.push(Attribute {
            key: format!("{METADATA}{namespace}").into(),
            value: AttributeValue::Text(text.into()),
        });
    }
    Translated {
        kind: kind(record),
        attributes,
        exceptions: record
            .exceptions
            .iter()
            .map(|exception| Told {
                error_type: &exception.error_type,
                message: redactor.redact(&exception.message),
            })
            .collect(),
        error: record
            .status
            .filter(|status| matches!(status, Status::Error | Status::Panicked))
            .map(|status| redactor.redact(description(record, status))),
        has_remote_parent: record.parent_id.is_some() && record.kind != Kind::Subsegment,
        left_out: plan.left_out,
    }
}

/// A segment that has a parent is one again only if it is a server's.
fn kind(record: &SpanRecord) -> SpanKind {
    match record.kind {
        Kind::Segment if record.parent_id.is_some() || record.span_kind == SpanKind::Internal => {
            SpanKind::Server
        }
        _ => record.span_kind,
    }
}

/// What is said of an error: its message where it was asked for, else its type.
fn description(record: &SpanRecord, status: Status) -> &str {
    match (record.exceptions.first(), &record.error_type) {
        (Some(exception), _) if !exception.message.is_empty() => &exception.message,
        (_, Some(error_type)) => error_type,
        _ => status.as_str(),
    }
}

fn cut(text: Cow<'_, str>) -> Cow<'_, str> {
    let kept = first_characters(&text, MAX_ANNOTATION_TEXT).len();
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..kept]),
        Cow::Owned(mut text) => {
            text.truncate(kept);
            Cow::Owned(text)
        }
    }
}

fn value_of<'a>(value: Cow<'a, value::Value>, redactor: &Redactor) -> AttributeValue<'a> {
    let scalar = match &value.as_ref().0 {
        value::Kind::Bool(value) => Some(AttributeValue::Bool(*value)),
        value::Kind::I64(number) => Some(AttributeValue::Int(*number)),
        value::Kind::U64(number) => Some(match i64::try_from(*number) {
            Ok(number) => AttributeValue::Int(number),
            Err(_) => AttributeValue::Text(number.to_string().into()),
        }),
        // X-Ray makes JSON of it, which has no such numbers.
        value::Kind::F64(number) if !number.is_finite() => {
            Some(AttributeValue::Text(number.to_string().into()))
        }
        value::Kind::F64(number) => Some(AttributeValue::Double(*number)),
        value::Kind::Json(json) => {
            let mut scrubbed = Vec::with_capacity(json.len());
            scrub(json, redactor, &mut scrubbed);
            Some(AttributeValue::Json(scrubbed.into()))
        }
        value::Kind::Text(_) => None,
    };
    scalar.unwrap_or_else(|| match value {
        Cow::Borrowed(value::Value(value::Kind::Text(text))) => {
            AttributeValue::Text(redactor.redact(text))
        }
        Cow::Owned(value::Value(value::Kind::Text(text))) => {
            AttributeValue::Text(redactor.redact(&text).into_owned().into())
        }
        _ => AttributeValue::Text(Cow::Borrowed("")),
    })
}

impl AttributeValue<'_> {
    fn write_json(&self, out: &mut Vec<u8>) {
        use obs_core::json;
        match self {
            Self::Text(text) => json::string(out, text),
            Self::Bool(value) => json::boolean(out, *value),
            Self::Int(number) => json::int(out, *number),
            Self::Double(number) => json::float(out, *number),
            Self::Texts(texts) => {
                let mut array = json::Array::begin(out);
                texts.iter().for_each(|text| {
                    array.str(text);
                });
                array.end();
            }
            Self::Json(json) => out.extend_from_slice(json),
        }
    }
}

#[cfg(test)]
#[path = "translate_tests.rs"]
pub(crate) mod tests;
