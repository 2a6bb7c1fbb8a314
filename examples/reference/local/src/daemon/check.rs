//! Checks one datagram against the documented format of X-Ray segment documents.

use std::collections::HashSet;
use std::fmt;

use serde_json::{Map, Value};

use super::segment::{Segment, Subsegment};

/// The daemon's limit: header, newline and document in one datagram of at most 64 KiB.
pub const LARGEST_DATAGRAM: usize = 64 * 1024;
/// X-Ray's own limit of a segment document: 64 kB.
const LARGEST_DOCUMENT: usize = 64 * 1024;
const LONGEST_NAME: usize = 200;
const LONGEST_ANNOTATION_KEY: usize = 500;
const LONGEST_ANNOTATION_VALUE: usize = 1_000;
/// X-Ray indexes 50 annotations a trace; more in a single document are certain to be lost.
const MOST_ANNOTATIONS: usize = 50;
/// The year 2100 in seconds: a time beyond it was given in milliseconds.
const LATEST_TIME: f64 = 4_102_444_800.0;

/// The fields that the documentation names, for both kinds.
const SHARED_FIELDS: &[&str] = &[
    "name",
    "id",
    "start_time",
    "end_time",
    "in_progress",
    "http",
    "aws",
    "error",
    "throttle",
    "fault",
    "cause",
    "annotations",
    "metadata",
    "subsegments",
    "links",
];
/// … for an independent document.
const DOCUMENT_FIELDS: &[&str] = &["trace_id", "parent_id", "type"];
/// … for a segment only.
const SEGMENT_FIELDS: &[&str] = &["service", "user", "origin", "resource_arn"];
/// … for a subsegment only, embedded or not.
const SUBSEGMENT_FIELDS: &[&str] = &["namespace", "precursor_ids", "sql"];
/// … for an embedded subsegment: it may repeat what the document around it says.
const EMBEDDED_FIELDS: &[&str] = &["type", "trace_id", "parent_id"];

/// One thing that is wrong with a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Where: a path such as `subsegments[0].name`, empty for the datagram itself.
    pub path: String,
    /// What is wrong, with the value.
    pub problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.problem)
        } else {
            write!(f, "{}: {}", self.path, self.problem)
        }
    }
}

/// Checks a datagram as the daemon receives it: the header line, then one segment document.
///
/// # Errors
///
/// Everything that is wrong with it, not only the first.
pub fn check(datagram: &[u8]) -> Result<Segment, Vec<Violation>> {
    let mut checker = Checker::default();
    if datagram.len() > LARGEST_DATAGRAM {
        checker.report("", format!("{} bytes, more than {LARGEST_DATAGRAM}", datagram.len()));
    }
    let Ok(text) = std::str::from_utf8(datagram) else {
        checker.report("", "not UTF-8".to_owned());
        return Err(checker.violations);
    };
    let Some((header, document)) = text.split_once('\n') else {
        checker.report("", "no newline after the header".to_owned());
        return Err(checker.violations);
    };
    checker.header(header);
    if document.len() > LARGEST_DOCUMENT {
        checker.report(
            "",
            format!("a document of {} bytes, more than {LARGEST_DOCUMENT}", document.len()),
        );
    }
    let segment = match serde_json::from_str(document) {
        Ok(Value::Object(object)) => checker.document(&object),
        Ok(_) => {
            checker.report("", "the document is not an object".to_owned());
            None
        }
        Err(error) => {
            checker.report("", format!("the document is not JSON: {error}"));
            None
        }
    };
    match segment {
        Some(segment) if checker.violations.is_empty() => Ok(segment),
        _ => Err(checker.violations),
    }
}

#[derive(Default)]
struct Checker {
    violations: Vec<Violation>,
    ids: HashSet<String>,
    annotations: usize,
}

impl Checker {
    fn report(&mut self, path: impl Into<String>, problem: impl Into<String>) {
        self.violations.push(Violation { path: path.into(), problem: problem.into() });
    }

    fn header(&mut self, header: &str) {
        let expected = serde_json::json!({"format": "json", "version": 1});
        if serde_json::from_str::<Value>(header).ok() != Some(expected) {
            self.report("", format!("the header is {header:?}"));
        }
    }

    fn document(&mut self, object: &Map<String, Value>) -> Option<Segment> {
        let is_subsegment = match object.get("type") {
            None => false,
            Some(Value::String(kind)) if kind == "subsegment" => true,
            Some(other) => {
                self.report("type", format!("{other}, and only \"subsegment\" is known"));
                false
            }
        };
        let own_fields = if is_subsegment { SUBSEGMENT_FIELDS } else { SEGMENT_FIELDS };
        self.known_fields("", object, &[SHARED_FIELDS, DOCUMENT_FIELDS, own_fields]);

        let trace_id = self.text("trace_id", object);
        if let Some(id) = trace_id.filter(|id| !is_trace_id(id)) {
            self.report("trace_id", format!("{id:?} is not 1-<8 hex>-<24 hex>"));
        }
        let parent_id = match object.get("parent_id") {
            None if is_subsegment => {
                self.report("parent_id", "missing, and an independent subsegment needs it");
                None
            }
            None => None,
            Some(Value::String(id)) if is_id(id) => Some(id.clone()),
            Some(other) => {
                self.report("parent_id", format!("{other} is not 16 hex digits"));
                None
            }
        };
        let own = self.shared("", object)?;
        if parent_id.as_ref() == Some(&own.id) {
            self.report("parent_id", "the document's own id");
        }
        Some(Segment { trace_id: trace_id?.to_owned(), parent_id, is_subsegment, own })
    }

    /// What segments and subsegments have in common; none if a required field is missing.
    fn shared(&mut self, path: &str, object: &Map<String, Value>) -> Option<Subsegment> {
        let name = self.text_at(path, "name", object);
        if let Some(problem) = name.and_then(name_problem) {
            self.report(join(path, "name"), problem);
        }
        let id = self.text_at(path, "id", object);
        if let Some(id) = id {
            if !is_id(id) {
                self.report(join(path, "id"), format!("{id:?} is not 16 hex digits"));
            } else if !self.ids.insert(id.to_owned()) {
                self.report(join(path, "id"), format!("{id:?} occurs twice"));
            }
        }
        let (start, end) = self.times(path, object);
        let [fault, error, throttle] =
            ["fault", "error", "throttle"].map(|name| self.flag(path, name, object));
        if let Some(namespace) = object.get("namespace")
            && !matches!(namespace.as_str(), Some("aws" | "remote"))
        {
            self.report(join(path, "namespace"), format!("{namespace} is neither aws nor remote"));
        }
        for name in ["http", "aws", "service", "sql"] {
            self.object(path, name, object);
        }
        self.cause(path, object);
        let annotations = self.annotations(path, object);
        let metadata = self.metadata(path, object);
        let subsegments = self.embedded(path, object);
        Some(Subsegment {
            id: id?.to_owned(),
            name: name?.to_owned(),
            start: start?,
            end,
            fault,
            error,
            throttle,
            annotations,
            metadata,
            subsegments,
        })
    }

    fn times(&mut self, path: &str, object: &Map<String, Value>) -> (Option<f64>, Option<f64>) {
        let in_progress = self.flag(path, "in_progress", object);
        let start = match object.get("start_time") {
            Some(_) => self.time(path, "start_time", object),
            None => {
                self.report(join(path, "start_time"), "missing");
                None
            }
        };
        let end = self.time(path, "end_time", object);
        match (object.contains_key("end_time"), in_progress) {
            (true, true) => self.report(join(path, "in_progress"), "true beside an end_time"),
            (false, false) => self.report(join(path, "end_time"), "missing, and not in progress"),
            _ => {}
        }
        if let (Some(start), Some(end)) = (start, end)
            && end < start
        {
            self.report(join(path, "end_time"), format!("{end} is before the start, {start}"));
        }
        (start, end)
    }

    fn time(&mut self, path: &str, name: &str, object: &Map<String, Value>) -> Option<f64> {
        let value = object.get(name)?;
        let time = value.as_f64().filter(|time| *time > 0.0 && *time < LATEST_TIME);
        if time.is_none() {
            self.report(join(path, name), format!("{value} is not a time in seconds since 1970"));
        }
        time
    }

    fn cause(&mut self, path: &str, object: &Map<String, Value>) {
        match object.get("cause") {
            None => {}
            Some(Value::String(id)) if is_id(id) => {}
            Some(Value::Object(cause)) => {
                let exceptions = cause.get("exceptions").and_then(Value::as_array);
                for (index, exception) in exceptions.into_iter().flatten().enumerate() {
                    let id = exception.get("id").and_then(Value::as_str);
                    if !id.is_some_and(is_id) {
                        let place = format!("cause.exceptions[{index}].id");
                        self.report(join(path, &place), "missing or not 16 hex digits");
                    }
                }
            }
            Some(other) => {
                self.report(join(path, "cause"), format!("{other} is neither an id nor an object"));
            }
        }
    }

    fn annotations(&mut self, path: &str, object: &Map<String, Value>) -> Map<String, Value> {
        let annotations = self.object(path, "annotations", object);
        for (key, value) in &annotations {
            let place = join(path, &format!("annotations.{key}"));
            let valid = !key.is_empty()
                && key.len() <= LONGEST_ANNOTATION_KEY
                && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !valid {
                self.report(place.clone(), "the key is not 1–500 of A–Z, a–z, 0–9 and _");
            }
            match value {
                Value::Bool(_) | Value::Number(_) => {}
                Value::String(text) if text.chars().count() <= LONGEST_ANNOTATION_VALUE => {}
                Value::String(text) => {
                    let length = text.chars().count();
                    self.report(
                        place,
                        format!("{length} characters, more than {LONGEST_ANNOTATION_VALUE}"),
                    );
                }
                _ => self.report(place, "neither a string, a number nor a boolean"),
            }
        }
        let before = self.annotations;
        self.annotations += annotations.len();
        if before <= MOST_ANNOTATIONS && self.annotations > MOST_ANNOTATIONS {
            self.report(
                join(path, "annotations"),
                format!("more than {MOST_ANNOTATIONS} in a document"),
            );
        }
        annotations
    }

    fn metadata(&mut self, path: &str, object: &Map<String, Value>) -> Map<String, Value> {
        let metadata = self.object(path, "metadata", object);
        for (namespace, values) in &metadata {
            let place = join(path, &format!("metadata.{namespace}"));
            if namespace.starts_with("AWS.") {
                self.report(place.clone(), "namespaces that begin with AWS. are reserved");
            }
            if !values.is_object() {
                self.report(place, "a namespace holds an object");
            }
        }
        metadata
    }

    fn embedded(&mut self, path: &str, object: &Map<String, Value>) -> Vec<Subsegment> {
        let subsegments = match object.get("subsegments") {
            None => return Vec::new(),
            Some(Value::Array(subsegments)) => subsegments,
            Some(_) => {
                self.report(join(path, "subsegments"), "not an array");
                return Vec::new();
            }
        };
        let mut embedded = Vec::with_capacity(subsegments.len());
        for (index, subsegment) in subsegments.iter().enumerate() {
            let place = join(path, &format!("subsegments[{index}]"));
            let Some(subsegment) = subsegment.as_object() else {
                self.report(place, "not an object");
                continue;
            };
            self.known_fields(
                &place,
                subsegment,
                &[SHARED_FIELDS, SUBSEGMENT_FIELDS, EMBEDDED_FIELDS],
            );
            embedded.extend(self.shared(&place, subsegment));
        }
        embedded
    }

    fn known_fields(&mut self, path: &str, object: &Map<String, Value>, known: &[&[&str]]) {
        for key in object.keys() {
            if !known.iter().any(|known| known.contains(&key.as_str())) {
                self.report(join(path, key), "not a field of the format");
            }
        }
    }

    fn text<'a>(&mut self, name: &str, object: &'a Map<String, Value>) -> Option<&'a str> {
        self.text_at("", name, object)
    }

    fn text_at<'a>(
        &mut self,
        path: &str,
        name: &str,
        object: &'a Map<String, Value>,
    ) -> Option<&'a str> {
        match object.get(name) {
            Some(Value::String(text)) => Some(text),
            Some(other) => {
                self.report(join(path, name), format!("{other} is not a string"));
                None
            }
            None => {
                self.report(join(path, name), "missing");
                None
            }
        }
    }

    fn flag(&mut self, path: &str, name: &str, object: &Map<String, Value>) -> bool {
        match object.get(name) {
            None => false,
            Some(Value::Bool(value)) => *value,
            Some(other) => {
                self.report(join(path, name), format!("{other} is not a boolean"));
                false
            }
        }
    }

    fn object(
        &mut self,
        path: &str,
        name: &str,
        object: &Map<String, Value>,
    ) -> Map<String, Value> {
        match object.get(name) {
            None => Map::new(),
            Some(Value::Object(inner)) => inner.clone(),
            Some(_) => {
                self.report(join(path, name), "not an object");
                Map::new()
            }
        }
    }
}

fn name_problem(name: &str) -> Option<String> {
    let length = name.chars().count();
    if length == 0 || length > LONGEST_NAME {
        return Some(format!("{length} characters, not 1–{LONGEST_NAME}"));
    }
    let strange = name.chars().find(|character| {
        !character.is_alphanumeric() && *character != ' ' && !r"_.:/%&#=+\-@".contains(*character)
    })?;
    Some(format!("{name:?} holds {strange:?}"))
}

fn is_trace_id(id: &str) -> bool {
    let mut parts = id.split('-');
    let (version, time, unique) = (parts.next(), parts.next(), parts.next());
    version == Some("1")
        && time.is_some_and(|time| is_hex(time, 8))
        && unique.is_some_and(|unique| is_hex(unique, 24))
        && parts.next().is_none()
}

fn is_id(id: &str) -> bool {
    is_hex(id, 16) && id.bytes().any(|byte| byte != b'0')
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
