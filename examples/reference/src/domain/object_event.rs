//! The S3 notification: which objects an event asks to process.
//!
//! The event is read leniently, record by record, so that one record that makes no sense does not
//! lose the others.

use std::fmt;

use percent_encoding::percent_decode;
use serde_json::Value;

/// Where the pipeline's input lies in the bucket. Nothing outside of it is ever processed, so that
/// a notification without a prefix filter cannot make the pipeline process its own results.
pub const INCOMING_PREFIX: &str = "incoming/";

/// S3's own limit on the length of a key, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 1_024;

/// An object in a bucket, as an event names it.
///
/// The version is left out on purpose: where a file was replaced in the meantime, its newest version
/// is the one to process, and reading by version would need one more permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRef {
    /// The bucket's name.
    pub bucket: String,
    /// The key, URL-decoded.
    pub key: String,
}

/// What one record of a notification asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An object was created under [`INCOMING_PREFIX`].
    Process(ObjectRef),
    /// The record is fine but is none of the pipeline's business.
    Skip {
        /// The record's key, decoded.
        key: String,
        /// Why the record is left alone.
        reason: &'static str,
    },
}

/// An event, or one record of it, that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedEvent(String);

impl fmt::Display for MalformedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed S3 event: {}", self.0)
    }
}

impl std::error::Error for MalformedEvent {}

/// Reads a notification: one entry per record, in the event's order.
///
/// # Errors
///
/// When the event as a whole is not an S3 notification; a single record that cannot be understood
/// is an error in its own place. S3's test event (`s3:TestEvent`) is an empty list.
pub fn read(event: &Value) -> Result<Vec<Result<Notice, MalformedEvent>>, MalformedEvent> {
    if event.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(Vec::new());
    }
    match event.get("Records") {
        Some(Value::Array(records)) => {
            Ok(records.iter().enumerate().map(|(index, record)| notice(index, record)).collect())
        }
        Some(other) => {
            Err(MalformedEvent(format!("`Records` is {}, not an array", json_type(other))))
        }
        None if event.is_object() => Err(MalformedEvent("it has no `Records`".into())),
        None => Err(MalformedEvent(format!("it is {}, not an object", json_type(event)))),
    }
}

fn notice(index: usize, record: &Value) -> Result<Notice, MalformedEvent> {
    let text = |pointer: &str| match record.pointer(pointer) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.as_str()),
        Some(Value::String(_)) => {
            Err(MalformedEvent(format!("record {index}: `{pointer}` is empty")))
        }
        Some(other) => Err(MalformedEvent(format!(
            "record {index}: `{pointer}` is {}, not a string",
            json_type(other)
        ))),
        None => Err(MalformedEvent(format!("record {index}: `{pointer}` is missing"))),
    };
    let bucket = text("/s3/bucket/name")?;
    let key = decode_key(text("/s3/object/key")?)
        .map_err(|problem| MalformedEvent(format!("record {index}: {problem}")))?;
    // Some senders leave the name out; only one that says something else is turned away.
    let name = record.get("eventName").and_then(Value::as_str).unwrap_or("ObjectCreated:Put");
    let reason = if !name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
        Some("not an object-created event")
    } else if !key.starts_with(INCOMING_PREFIX) {
        Some("not under incoming/")
    } else if key.ends_with('/') {
        Some("a folder, not a file")
    } else {
        None
    };
    Ok(match reason {
        Some(reason) => Notice::Skip { key, reason },
        None => Notice::Process(ObjectRef { bucket: bucket.to_owned(), key }),
    })
}

/// S3 encodes keys in notifications as an HTML form does: `+` is a space, the rest is `%XX`.
fn decode_key(encoded: &str) -> Result<String, String> {
    let spaced = encoded.replace('+', " ");
    let key = percent_decode(spaced.as_bytes())
        .decode_utf8()
        .map_err(|_| format!("the key `{encoded}` does not decode to UTF-8"))?;
    if key.len() > MAX_KEY_BYTES {
        return Err(format!("the key has {} bytes, S3 allows {MAX_KEY_BYTES}", key.len()));
    }
    Ok(key.into_owned())
}

/// What a JSON value is, with its article, for messages.
pub(crate) const fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(key: &str) -> Value {
        json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": { "bucket": { "name": "data" }, "object": { "key": key, "size": 12 } },
        })
    }

    fn key_of(encoded: &str) -> Result<String, String> {
        let event = json!({ "Records": [record(encoded)] });
        match read(&event).unwrap().remove(0) {
            Ok(Notice::Process(object)) => Ok(object.key),
            Ok(Notice::Skip { reason, .. }) => Err(reason.into()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn keys_are_url_decoded() {
        for (encoded, expected) in [
            ("incoming/movies.json", "incoming/movies.json"),
            ("incoming/my+films.json", "incoming/my films.json"),
            ("incoming/my%2Bfilms.json", "incoming/my+films.json"),
            ("incoming/Am%C3%A9lie.json", "incoming/Amélie.json"),
            ("incoming/100%25.csv", "incoming/100%.csv"),
            ("incoming/a%2Fb.csv", "incoming/a/b.csv"),
        ] {
            assert_eq!(key_of(encoded).as_deref(), Ok(expected), "{encoded}");
        }
    }

    #[test]
    fn records_that_are_not_for_the_pipeline_are_skipped() {
        for (key, expected) in [
            ("processed/movies.json", "not under incoming/"),
            ("rejected/movies.json", "not under incoming/"),
            ("incoming/", "a folder, not a file"),
            ("incoming/2026/", "a folder, not a file"),
        ] {
            assert_eq!(key_of(key), Err(expected.into()), "{key}");
        }
        let mut removed = record("incoming/movies.json");
        removed["eventName"] = json!("ObjectRemoved:Delete");
        let notices = read(&json!({ "Records": [removed] })).unwrap();
        assert!(matches!(notices[0], Ok(Notice::Skip { .. })), "{notices:?}");
    }

    // Scenario 46.
    #[test]
    fn one_malformed_record_does_not_lose_the_others() {
        let event = json!({ "Records": [
            record("incoming/a.json"),
            { "s3": { "bucket": { "name": 7 }, "object": { "key": "incoming/b.json" } } },
            null,
            { "s3": { "bucket": { "name": "data" }, "object": { "key": "incoming/%FF.json" } } },
            { "s3": { "bucket": { "name": "" }, "object": { "key": "incoming/c.json" } } },
            record(&format!("incoming/{}", "k".repeat(MAX_KEY_BYTES))),
            record("incoming/d.json"),
        ] });
        let seen: Vec<String> = read(&event)
            .unwrap()
            .into_iter()
            .map(|notice| match notice {
                Ok(Notice::Process(object)) => object.key,
                Ok(Notice::Skip { reason, .. }) => reason.into(),
                Err(error) => error.to_string(),
            })
            .collect();
        assert_eq!(
            seen,
            [
                "incoming/a.json",
                "malformed S3 event: record 1: `/s3/bucket/name` is a number, not a string",
                "malformed S3 event: record 2: `/s3/bucket/name` is missing",
                "malformed S3 event: record 3: the key `incoming/%FF.json` does not decode to UTF-8",
                "malformed S3 event: record 4: `/s3/bucket/name` is empty",
                "malformed S3 event: record 5: the key has 1033 bytes, S3 allows 1024",
                "incoming/d.json",
            ]
        );
    }

    // Scenario 46.
    #[test]
    fn an_event_of_another_kind_is_a_clear_error() {
        for (event, expected) in [
            (json!({}), "it has no `Records`"),
            (json!({ "Records": "x" }), "`Records` is a string, not an array"),
            (json!([1, 2]), "it is an array, not an object"),
            (json!(null), "it is null, not an object"),
        ] {
            let error = read(&event).unwrap_err().to_string();
            assert_eq!(error, format!("malformed S3 event: {expected}"));
        }
        let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "data" });
        assert_eq!(read(&test), Ok(Vec::new()));
    }
}
