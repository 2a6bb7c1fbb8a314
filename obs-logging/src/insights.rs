//! Saved queries for CloudWatch Logs Insights, over what the family writes to one log group: log lines,
//! and beside them the EMF documents of `obs-metrics`, with the same ids.
//!
//! A test runs both and checks that each field of each query is one that they write. The fields that
//! begin with `@` are the service's own.
//!
//! ```
//! use obs_logging::insights;
//!
//! for query in insights::ALL {
//!     println!("{} ({})\n{}\n", query.name, query.description, query.text);
//! }
//! ```
//!
//! The queries of pipelines read metrics by their names, so they see a document that has one value of
//! each: what `MetricsCollector::event` writes, and an invocation that records it once. Where a document
//! holds many values of a metric, Logs Insights has no single field for them; for these, ask CloudWatch's
//! metrics.

use obs_core::ids::TraceId;

/// A query to be saved under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Query {
    /// The name: `Errors by type`.
    pub name: &'static str,
    /// What it answers, in a sentence.
    pub description: &'static str,
    /// The query, a command a line.
    pub text: &'static str,
}

/// All of them.
pub const ALL: &[Query] =
    &[ERRORS_BY_TYPE, PERFORMANCE_BY_PIPELINE, BUSINESS_BY_PIPELINE, SLOW_REQUESTS, BY_TRACE_ID];

/// How often each type of error was logged, with its last message and how many requests it hit.
///
/// Only log lines have a `logger`: a function whose level is ERROR gives that level to its EMF documents
/// too, since Lambda would drop them otherwise.
pub const ERRORS_BY_TYPE: Query = Query {
    name: "Errors by type",
    description: "How often each type of error was logged, with its last message and how many requests it hit",
    text: r#"filter level = "ERROR" and ispresent(logger)
| stats count(*) as errors, count_distinct(function_request_id) as requests, latest(error_message) as last_message, max(@timestamp) as last_seen by error_type
| sort errors desc
| limit 50"#,
};

/// How long each pipeline takes, in seconds.
pub const PERFORMANCE_BY_PIPELINE: Query = Query {
    name: "Performance by pipeline",
    description: "How many runs each pipeline had and how many seconds they took",
    text: r#"filter ispresent(ProcessingDuration) and ispresent(Pipeline)
| stats count(*) as runs, avg(ProcessingDuration) as avg_seconds, pct(ProcessingDuration, 95) as p95_seconds, max(ProcessingDuration) as max_seconds by Pipeline
| sort avg_seconds desc
| limit 50"#,
};

/// What each pipeline processed, how good it was, and what it brought and cost.
pub const BUSINESS_BY_PIPELINE: Query = Query {
    name: "Business by pipeline",
    description: "What each pipeline processed, how good it was, and what it brought and cost",
    text: r#"filter ispresent(Pipeline)
| stats sum(ProcessedRecords) as records, avg(DataQualityScore) as quality_percent, sum(RevenueImpact) as revenue, sum(ProcessingCost) as cost by Pipeline
| sort records desc
| limit 50"#,
};

/// The slowest requests, with the ids to look further.
pub const SLOW_REQUESTS: Query = Query {
    name: "Slow requests",
    description: "The slowest requests by the seconds of their processing, with the ids to look further",
    text: r#"filter ispresent(ProcessingDuration)
| fields @timestamp, ProcessingDuration, Pipeline, function_request_id, correlation_id, cold_start, xray_trace_id
| sort ProcessingDuration desc
| limit 25"#,
};

/// Everything that was logged in one trace, in order. The id, of zeros, is to be replaced by the one
/// wanted; [`by_trace`] does.
pub const BY_TRACE_ID: Query = Query {
    name: "By trace id",
    description: "Everything that was logged in one trace, in order: put its id, 32 digits, in the place of the zeros",
    text: r#"filter trace_id = "00000000000000000000000000000000"
| fields @timestamp, level, service, function, message, error_type, error_message, function_request_id, span_id
| sort @timestamp asc
| limit 1000"#,
};

/// The text of [`BY_TRACE_ID`] for the trace `id`.
///
/// ```
/// use obs_core::ids::TraceId;
///
/// // As X-Ray's console shows it; the log lines have both forms.
/// let id = TraceId::from_xray("1-5759e988-bd862e3fe1be46a994272793").unwrap();
/// let text = obs_logging::insights::by_trace(id);
/// assert!(text.starts_with(r#"filter trace_id = "5759e988bd862e3fe1be46a994272793""#));
/// ```
pub fn by_trace(id: TraceId) -> String {
    BY_TRACE_ID.text.replace("00000000000000000000000000000000", &id.to_string())
}
