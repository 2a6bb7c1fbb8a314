//! Any names and values, in any nesting: one line of valid JSON, each key once, the innermost wins.

use std::collections::HashMap;

use obs_core::context::RequestContext;
use obs_logging::BUILT_IN_KEYS;
use proptest::prelude::*;
use serde_json::{Value, json};
use tracing::field::{Field as Named, FieldSet, Value as Recordable};
use tracing::metadata::Kind;
use tracing::{Event, Level, Metadata, Span, callsite};

use crate::capture::{Line, captured};

/// Callsites are static and their fields have names that are known when compiling; these are made
/// as the test goes, and never freed.
struct Callsite {
    metadata: std::sync::OnceLock<Metadata<'static>>,
}

impl callsite::Callsite for Callsite {
    fn set_interest(&self, _: tracing::subscriber::Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.metadata.get().unwrap()
    }
}

fn callsite(kind: Kind, name: &str, fields: &[Field]) -> &'static Metadata<'static> {
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let names: Vec<&'static str> = fields.iter().map(|field| leak(&field.name)).collect();
    let site: &'static Callsite =
        Box::leak(Box::new(Callsite { metadata: std::sync::OnceLock::new() }));
    let fields = FieldSet::new(Box::leak(names.into_boxed_slice()), callsite::Identifier(site));
    site.metadata.get_or_init(|| {
        Metadata::new(leak(name), "any", Level::INFO, None, None, None, fields, kind)
    });
    callsite::register(site);
    site.metadata.get().unwrap()
}

#[derive(Clone, Debug)]
struct Field {
    name: String,
    value: Any,
}

#[derive(Clone, Debug)]
enum Any {
    Missing,
    Text(String),
    Debug(String),
    Int(i64),
    Uint(u64),
    Float(f64),
    Bool(bool),
}

impl Any {
    fn recordable(&self) -> Option<Box<dyn Recordable + '_>> {
        Some(match self {
            Self::Missing => return None,
            Self::Text(text) => Box::new(text.as_str()),
            Self::Debug(text) => Box::new(tracing::field::debug(text)),
            Self::Int(n) => Box::new(*n),
            Self::Uint(n) => Box::new(*n),
            Self::Float(n) => Box::new(*n),
            Self::Bool(b) => Box::new(*b),
        })
    }

    fn expected(&self) -> Option<Value> {
        Some(match self {
            Self::Missing => return None,
            Self::Text(text) => json!(text),
            Self::Debug(text) => json!(format!("{text:?}")),
            Self::Int(n) => json!(n),
            Self::Uint(n) => json!(n),
            Self::Float(n) if !n.is_finite() => Value::Null,
            Self::Float(n) => json!(n),
            Self::Bool(b) => json!(b),
        })
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        // Few names, so that they meet.
        4 => "[a-d]",
        2 => prop::sample::select(BUILT_IN_KEYS).prop_map(str::to_owned),
        1 => Just("fields.level".to_owned()),
        1 => Just("r#a".to_owned()),
        1 => ".{0,12}",
    ]
}

fn value() -> impl Strategy<Value = Any> {
    prop_oneof![
        1 => Just(Any::Missing),
        2 => ".{0,20}".prop_map(Any::Text),
        1 => any::<String>().prop_map(Any::Text),
        1 => any::<String>().prop_map(Any::Debug),
        1 => any::<i64>().prop_map(Any::Int),
        1 => any::<u64>().prop_map(Any::Uint),
        1 => any::<f64>().prop_map(Any::Float),
        1 => any::<bool>().prop_map(Any::Bool),
    ]
}

fn fields() -> impl Strategy<Value = Vec<Field>> {
    prop::collection::vec((name(), value()).prop_map(|(name, value)| Field { name, value }), 0..6)
}

#[derive(Clone, Debug)]
struct Story {
    appended: Vec<(String, String)>,
    spans: Vec<(String, Vec<Field>)>,
    /// Which span records which of its own fields anew, in order.
    recorded: Vec<(prop::sample::Index, prop::sample::Index, Any)>,
    event: Vec<Field>,
}

fn story() -> impl Strategy<Value = Story> {
    (
        prop::collection::vec((name(), ".{0,8}"), 0..3),
        prop::collection::vec((".{0,8}", fields()), 0..4),
        prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), value()),
            0..4,
        ),
        fields(),
    )
        .prop_map(|(appended, spans, recorded, event)| Story {
            appended,
            spans,
            recorded,
            event,
        })
}

/// Runs `with` with the values as `tracing` passes them.
fn with_values<R>(
    metadata: &'static Metadata<'static>,
    fields: &[Field],
    with: impl FnOnce(&tracing::field::ValueSet<'_>) -> R,
) -> R {
    let boxed: Vec<_> = fields.iter().map(|field| field.value.recordable()).collect();
    let values: Vec<Option<&dyn Recordable>> = boxed.iter().map(Option::as_deref).collect();
    with(&metadata.fields().value_set_all(&values))
}

fn tell(story: &Story) -> Vec<Line> {
    let log = |event: &'static Metadata<'static>| {
        with_values(event, &story.event, |values| Event::dispatch(event, values));
    };
    captured(|| {
        let request = RequestContext::builder().request_id("r-1").build();
        for (key, value) in &story.appended {
            request.append(key, value);
        }
        let _request = request.enter();
        let mut spans = Vec::new();
        for (name, fields) in &story.spans {
            let metadata = callsite(Kind::SPAN, name, fields);
            let span = with_values(metadata, fields, |values| Span::new(metadata, values));
            spans.push((metadata, span.entered()));
        }
        let event = callsite(Kind::EVENT, "event", &story.event);
        log(event);
        for (which, field, value) in &story.recorded {
            if spans.is_empty() {
                break;
            }
            let (metadata, span) = &spans[which.index(spans.len())];
            let names: Vec<Named> = metadata.fields().iter().collect();
            if let (false, Some(value)) = (names.is_empty(), value.recordable()) {
                span.record(&names[field.index(names.len())], &*value);
            }
        }
        log(event);
        // Spans end from the inside out.
        while spans.pop().is_some() {}
        log(event);
    })
    .lines()
}

/// What the line must hold beside its own keys, said as simply as possible.
fn expected(story: &Story, recorded: bool, in_spans: bool) -> HashMap<String, Value> {
    let key = |name: &str| {
        let name = name.strip_prefix("r#").unwrap_or(name);
        let moved = BUILT_IN_KEYS.contains(&name);
        if moved { format!("fields.{name}") } else { name.to_owned() }
    };
    let mut spans: Vec<Vec<(String, Value)>> = story
        .spans
        .iter()
        .map(|(_, fields)| {
            fields
                .iter()
                .filter_map(|field| Some((key(&field.name), field.value.expected()?)))
                .collect()
        })
        .collect();
    if recorded && !spans.is_empty() {
        for (which, field, value) in &story.recorded {
            let which = which.index(spans.len());
            let names = &story.spans[which].1;
            if let (false, Some(value)) = (names.is_empty(), value.expected()) {
                spans[which].push((key(&names[field.index(names.len())].name), value));
            }
        }
    }
    let mut all = HashMap::new();
    for (name, value) in &story.appended {
        all.insert(key(name), json!(value));
    }
    if in_spans {
        all.extend(spans.into_iter().flatten());
    }
    for field in &story.event {
        // The event's message is the line's own.
        if field.name != "message"
            && let Some(value) = field.value.expected()
        {
            all.insert(key(&field.name), value);
        }
    }
    all
}

fn same(found: &Value, expected: &Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        // Whole floats are written without a fraction.
        (Some(a), Some(b)) => a == b,
        _ => found == expected,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn scenario_29_any_fields_in_any_nesting_give_one_valid_line_with_each_key_once(story in story()) {
        // Reading them fails on a duplicate key and on anything that is not JSON.
        let lines = tell(&story);
        prop_assert_eq!(lines.len(), 3);
        for (line, (recorded, in_spans)) in lines.iter().zip([(false, true), (true, true), (true, false)]) {
            let expected = expected(&story, recorded, in_spans);
            for (key, value) in &expected {
                let redacted = line[key.as_str()] == obs_core::redact::REDACTED;
                prop_assert!(
                    redacted || same(&line[key.as_str()], value),
                    "{}: {:?} is not {:?} in {:?}", key, line.get(key), value, line
                );
            }
            for key in line.keys() {
                prop_assert!(expected.contains_key(key) || BUILT_IN_KEYS.contains(&key), "{} in {:?}", key, line);
            }
            prop_assert_eq!(&line["level"], "INFO");
            prop_assert_eq!(&line["function_request_id"], "r-1");
        }
    }
}
