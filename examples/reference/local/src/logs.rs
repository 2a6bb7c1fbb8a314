//! What the functions wrote, read back from their log groups, one invocation at a time.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsError;
use serde_json::Value;

use crate::clients::Clients;
use crate::error::{Error, Result};
use crate::stack::Outputs;

/// A function of the reference stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Function {
    /// Reads a data file, validates and aggregates its records.
    Pipeline,
    /// Enriches an alert and publishes it to the topic of its severity.
    AlertProcessor,
}

impl Function {
    /// Both, in the order in which an input passes them.
    pub const ALL: [Self; 2] = [Self::Pipeline, Self::AlertProcessor];

    /// The stack's output that names the function.
    pub(crate) fn name_output(self) -> &'static str {
        match self {
            Self::Pipeline => "PipelineFunctionName",
            Self::AlertProcessor => "AlertProcessorFunctionName",
        }
    }

    pub(crate) fn log_group_output(self) -> &'static str {
        match self {
            Self::Pipeline => "PipelineLogGroup",
            Self::AlertProcessor => "AlertProcessorLogGroup",
        }
    }

    pub(crate) fn dead_letter_output(self) -> &'static str {
        match self {
            Self::Pipeline => "PipelineDlqUrl",
            Self::AlertProcessor => "AlertProcessorDlqUrl",
        }
    }
}

/// One line of a function's output.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Line {
    /// The line as it stood in the log group.
    pub text: String,
    /// The line as JSON, if it is an object.
    pub json: Option<Value>,
}

impl Line {
    fn new(text: String) -> Self {
        let json = serde_json::from_str(&text).ok().filter(Value::is_object);
        Self { text, json }
    }

    /// The string under `key` at the top level.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&str> {
        self.json.as_ref()?.get(key)?.as_str()
    }

    /// Whether it is an EMF document, valid or not.
    #[must_use]
    pub fn is_metric_document(&self) -> bool {
        obs_metrics::emf::is_emf(&self.text)
    }
}

/// One invocation of a function, as its log stream tells it: the backend writes a stream of its own for
/// each, complete, when the invocation has ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Invocation {
    /// Which function it was.
    pub function: Function,
    /// The log stream.
    pub stream: String,
    /// The id in the stream's `START` line.
    pub request_id: String,
    /// What the function itself wrote.
    pub lines: Vec<Line>,
    /// From the stream's `REPORT` line.
    pub duration: Option<Duration>,
    /// When the backend wrote the stream.
    pub logged_at: SystemTime,
}

impl Invocation {
    /// The EMF documents among the lines.
    pub fn metric_documents(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.is_metric_document())
    }

    /// The first line with this message.
    #[must_use]
    pub fn message(&self, message: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.field("message") == Some(message))
    }

    /// The X-Ray trace id that the lines carry.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.lines.iter().find_map(|line| line.field("xray_trace_id"))
    }

    /// Whether any line contains `text`, as it stands there or as the value that the JSON means.
    #[must_use]
    pub fn mentions(&self, text: &str) -> bool {
        self.lines.iter().any(|line| {
            line.text.contains(text) || line.json.as_ref().is_some_and(|json| holds(json, text))
        })
    }

    fn from_stream(function: Function, stream: String, events: Vec<Event>) -> Option<Self> {
        let logged_at = events.first().map(|event| event.at)?;
        let mut invocation = Self {
            function,
            stream,
            request_id: String::new(),
            lines: Vec::new(),
            duration: None,
            logged_at,
        };
        let mut complete = false;
        for Event { message, .. } in events {
            if let Some(rest) = message.strip_prefix("START RequestId: ") {
                invocation.request_id = rest.split(' ').next().unwrap_or_default().to_owned();
            } else if message.starts_with("REPORT RequestId: ") {
                invocation.duration = reported_duration(&message);
                complete = true;
            } else if !message.starts_with("END RequestId: ") {
                invocation.lines.push(Line::new(message));
            }
        }
        complete.then_some(invocation)
    }
}

#[derive(Debug)]
struct Event {
    message: String,
    at: SystemTime,
}

/// Every ended invocation of `function`, oldest first.
pub(crate) async fn invocations(
    clients: &Clients,
    outputs: &Outputs,
    function: Function,
) -> Result<Vec<Invocation>> {
    let group = outputs.get(function.log_group_output())?;
    let mut streams: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    let mut token = None;
    loop {
        let page = clients
            .logs
            .filter_log_events()
            .log_group_name(group)
            .set_next_token(token)
            .send()
            .await;
        let page = match page {
            Ok(page) => page,
            // The group exists from the deployment on; a backend that makes it with the first line is
            // the same to a reader.
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(FilterLogEventsError::ResourceNotFoundException(_))
                ) =>
            {
                return Ok(Vec::new());
            }
            Err(error) => return Err(Error::service(format!("read the log group {group}"), error)),
        };
        for event in page.events() {
            let (Some(stream), Some(message)) = (event.log_stream_name(), event.message()) else {
                continue;
            };
            let at = u64::try_from(event.timestamp().unwrap_or_default()).unwrap_or_default();
            let at = SystemTime::UNIX_EPOCH + Duration::from_millis(at);
            let event = Event { message: message.to_owned(), at };
            streams.entry(stream.to_owned()).or_default().push(event);
        }
        match page.next_token() {
            Some(next) => token = Some(next.to_owned()),
            None => break,
        }
    }
    let mut invocations: Vec<_> = streams
        .into_iter()
        .filter_map(|(stream, events)| Invocation::from_stream(function, stream, events))
        .collect();
    invocations.sort_by_key(|invocation| invocation.logged_at);
    Ok(invocations)
}

/// Whether any string in `value` contains `text`: writers of JSON differ in what they escape.
pub(crate) fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string.contains(text),
        Value::Array(items) => items.iter().any(|item| holds(item, text)),
        Value::Object(members) => members.values().any(|member| holds(member, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// `REPORT RequestId: …\tDuration: 12 ms\t…`, whole or with decimals.
fn reported_duration(report: &str) -> Option<Duration> {
    let milliseconds =
        report.split('\t').find_map(|part| part.strip_prefix("Duration: ")?.strip_suffix(" ms"))?;
    let milliseconds: f64 = milliseconds.parse().ok()?;
    Duration::try_from_secs_f64(milliseconds / 1000.0).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use serde_json::json;

    use super::{Event, Function, Invocation, holds, reported_duration};

    fn stream(messages: &[&str]) -> Option<Invocation> {
        let events = messages
            .iter()
            .map(|message| Event { message: (*message).to_owned(), at: SystemTime::UNIX_EPOCH })
            .collect();
        Invocation::from_stream(Function::Pipeline, "s".into(), events)
    }

    #[test]
    fn a_stream_is_an_invocation() {
        let invocation = stream(&[
            "START RequestId: 8f1c-1 Version: $LATEST",
            r#"{"level":"INFO","message":"Starting batch processing","key":"incoming/a.json"}"#,
            r#"{"_aws":{"Timestamp":1,"CloudWatchMetrics":[]},"ProcessedRecords":3}"#,
            "a panic's own words",
            "END RequestId: 8f1c-1",
            "REPORT RequestId: 8f1c-1\tDuration: 41 ms\tBilled Duration: 41 ms\tMemory Size: 256 MB",
        ])
        .unwrap();
        assert_eq!(invocation.request_id, "8f1c-1");
        assert_eq!(invocation.duration, Some(Duration::from_millis(41)));
        assert_eq!(invocation.lines.len(), 3);
        assert_eq!(invocation.metric_documents().count(), 1);
        assert!(invocation.message("Starting batch processing").is_some());
        assert!(invocation.message("Starting").is_none());
        assert!(invocation.mentions("incoming/a.json"));
        assert!(!invocation.mentions("incoming/b.json"));
    }

    #[test]
    fn a_stream_without_its_report_has_not_ended() {
        assert!(stream(&["START RequestId: 1 Version: $LATEST", "{}"]).is_none());
        assert!(stream(&[]).is_none());
    }

    #[test]
    fn a_text_is_found_however_it_is_escaped() {
        let invocation = stream(&[
            "START RequestId: 1 Version: $LATEST",
            r#"{"key":"incoming/gr\u00f6\u00dfe \"a\".csv"}"#,
            "REPORT RequestId: 1\tDuration: 1 ms",
        ])
        .unwrap();
        assert!(invocation.mentions("incoming/größe \"a\".csv"));
        assert!(holds(&json!([1, {"a": ["xyz"]}]), "y"));
        assert!(!holds(&json!({"y": [null, true, 7]}), "y"), "a name is no value");
    }

    #[test]
    fn durations_of_report_lines() {
        let check = |report: &str, expected: Option<u64>| {
            assert_eq!(reported_duration(report), expected.map(Duration::from_micros), "{report}");
        };
        check("REPORT RequestId: 1\tDuration: 12 ms\tBilled Duration: 13 ms", Some(12_000));
        check("REPORT RequestId: 1\tDuration: 1.27 ms\tBilled Duration: 2 ms", Some(1_270));
        check("REPORT RequestId: 1\tBilled Duration: 13 ms", None);
        check("REPORT RequestId: 1\tDuration: -1 ms", None);
    }
}
