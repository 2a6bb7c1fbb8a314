//! The saved queries ask for fields that are written.

use std::collections::BTreeSet;
use std::time::Duration;

use obs_core::context::RequestContext;
use obs_core::ids::{SpanId, TraceId, TraceParent};
use obs_logging::insights::{self, Query};
use obs_logging::test::{Line, TestLogger};
use obs_metrics::test::TestSink;
use obs_metrics::{BusinessMetricsTracker, MetricsCollector, Unit};
use tracing::{error, info_span};

const COMMANDS: &[&str] =
    &["fields", "filter", "stats", "sort", "limit", "parse", "display", "dedup"];
const FUNCTIONS: &[&str] = &[
    "avg",
    "count",
    "count_distinct",
    "max",
    "min",
    "pct",
    "sum",
    "latest",
    "earliest",
    "bin",
    "ispresent",
    "coalesce",
];
const WORDS: &[&str] = &["by", "as", "and", "or", "not", "like", "in", "asc", "desc"];
/// What the service itself knows of each line.
const OF_THE_SERVICE: &[&str] = &["@timestamp", "@message", "@logStream", "@log", "@ingestionTime"];

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Symbol(char),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '.');
        if first == '"' {
            let end = rest[1..].find('"').expect("a text ends") + 1;
            tokens.push(Token::Text(rest[1..end].to_owned()));
            rest = &rest[end + 1..];
        } else if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else {
            assert!("|,()=<>!*".contains(first), "{first:?} in {text}");
            tokens.push(Token::Symbol(first));
            rest = &rest[first.len_utf8()..];
        }
        rest = rest.trim_start();
    }
    tokens
}

/// What a query asks of a line: the fields, and the values that some of them must have.
#[derive(Debug, Default, PartialEq)]
struct Asked {
    fields: BTreeSet<String>,
    values: Vec<(String, String)>,
}

/// Reads a query; panics where it is none.
fn asked(text: &str) -> Asked {
    let mut asked = Asked::default();
    let mut aliases = BTreeSet::new();
    for command in tokens(text).split(|token| *token == Token::Symbol('|')) {
        let [Token::Word(name), arguments @ ..] = command else { panic!("{command:?}: {text}") };
        assert!(COMMANDS.contains(&name.as_str()), "{name} is no command: {text}");
        assert!(!arguments.is_empty(), "{name} of what? {text}");
        let depth = |symbol| arguments.iter().filter(|t| **t == Token::Symbol(symbol)).count();
        assert_eq!(depth('('), depth(')'), "{text}");
        for (at, token) in arguments.iter().enumerate() {
            let (before, after) =
                (at.checked_sub(1).map(|at| &arguments[at]), arguments.get(at + 1));
            let Token::Word(word) = token else { continue };
            if WORDS.contains(&word.as_str()) || word.parse::<f64>().is_ok() {
                continue;
            }
            if before == Some(&Token::Word("as".to_owned())) {
                aliases.insert(word.clone());
            } else if after == Some(&Token::Symbol('(')) {
                assert!(FUNCTIONS.contains(&word.as_str()), "{word} is no function: {text}");
            } else if !aliases.contains(word) && !OF_THE_SERVICE.contains(&word.as_str()) {
                asked.fields.insert(word.clone());
                if let [Token::Symbol('='), Token::Text(value), ..] = &arguments[at + 1..] {
                    asked.values.push((word.clone(), value.clone()));
                }
            }
        }
    }
    assert!(!asked.fields.is_empty(), "{text}");
    asked
}

const TRACE: &str = "5759e988bd862e3fe1be46a994272793";

/// The lines of one request in Lambda: what is logged, and what is measured.
fn written() -> Vec<Line> {
    let trace_id = TraceId::from_hex(TRACE).unwrap();
    let parent_id = SpanId::from_hex("53995c3f42cd8ad8");
    let request = RequestContext::builder()
        .request_id("8f5c")
        .correlation_id("c-1")
        .cold_start(true)
        .trace(TraceParent { trace_id, parent_id, sampled: Some(true) })
        .build();
    let _request = request.enter();
    let (logs, documents) = (TestLogger::new(), TestSink::new());
    logs.run(|| {
        let _span = info_span!("process").entered();
        let failure = "x".parse::<u8>().unwrap_err();
        error!(error = obs_logging::err(&failure), "Batch processing failed");
    });
    let metrics =
        MetricsCollector::builder().service("orders").sink(documents.sink()).enabled(true).build();
    let metrics = metrics.unwrap();
    // A unit of work as an event; a run that records it piece by piece, once each.
    let mut work = metrics.event();
    work.dimension("Pipeline", "sales");
    work.put("ProcessingDuration", 1.275, Unit::Seconds);
    work.emit();
    metrics.record_processing_time("sales", Duration::from_millis(250));
    metrics.put_metric("ProcessedRecords", 250.0, Unit::Count, &[("Pipeline", "sales")]);
    metrics.record_data_quality_score("sales", 98.6);
    let business = BusinessMetricsTracker::new(metrics.clone());
    business.track_revenue_impact("sales", 1250.0);
    business.track_cost_efficiency("sales", 250, 12.5);
    assert!(metrics.flush(Duration::from_secs(10)).is_complete());
    let mut lines = logs.lines();
    lines.extend(documents.lines().iter().map(|line| line.as_str().parse::<Line>().unwrap()));
    lines
}

fn check(query: &Query, text: &str) {
    let asked = asked(text);
    let lines = written();
    let answers = lines.iter().any(|line| {
        asked.fields.iter().all(|field| {
            line[field.as_str()].is_string()
                || line[field.as_str()].is_number()
                || line[field.as_str()].is_boolean()
        }) && asked.values.iter().all(|(field, value)| line[field.as_str()] == **value)
    });
    assert!(answers, "{}: no line has {asked:?}: {lines:#?}", query.name);
}

#[test]
fn each_query_asks_only_for_fields_that_one_line_has() {
    let mut names = BTreeSet::new();
    for query in insights::ALL {
        assert!(names.insert(query.name) && !query.description.is_empty());
        // Limits of a saved query: a name of 255 characters, a text of 10,000.
        assert!(query.name.len() <= 255 && query.text.len() <= 10_000);
        if *query == insights::BY_TRACE_ID {
            check(query, &insights::by_trace(TraceId::from_hex(TRACE).unwrap()));
        } else {
            check(query, query.text);
        }
    }
}

#[test]
fn the_check_itself_sees_what_is_wrong() {
    let found = asked(
        r#"filter level = "ERROR" and ispresent(error_type) | stats count(*) as n by error_type | sort n desc"#,
    );
    assert_eq!(found.fields, ["error_type".to_owned(), "level".to_owned()].into());
    assert_eq!(found.values, [("level".to_owned(), "ERROR".to_owned())]);
    for wrong in ["select a", "stats mean(a) by b", "fields a | sort", "stats count(* by b"] {
        assert!(std::panic::catch_unwind(|| asked(wrong)).is_err(), "{wrong}");
    }
    for wrong in [r#"filter level = "error""#, "fields errortype", "fields processing_duration"] {
        let query = insights::ERRORS_BY_TYPE;
        assert!(std::panic::catch_unwind(|| check(&query, wrong)).is_err(), "{wrong}");
    }
}
