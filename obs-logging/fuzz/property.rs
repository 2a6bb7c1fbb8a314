//! What must hold for any story of spans, events and appended fields; it fails by panicking.
//!
//! Each event is one line, at the time at which it is due, of valid JSON without a duplicate key, within
//! its size; and where nothing was cut it holds what was logged, no more and no less.
//!
//! The fuzz target and `tests/encode_fuzz.rs` both call [`check`], each with `callsites.rs` and
//! `values.rs` beside it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use obs_core::RequestContext;
use obs_core::clock::ManualClock;
use obs_core::redact::Redactor;
use obs_logging::test::{Line, TestWriter};
use obs_logging::{Format, StructuredLogger};
use serde_json::{Value, json};
use tracing_core::field::{Value as Recordable, ValueSet};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Dispatch, Event, Level, Metadata, dispatcher};
use tracing_subscriber::layer::SubscriberExt;

use super::callsites::{self, NAMES};
use super::values::{Any, Input, key};

type Members = HashMap<String, Value>;

/// So many lines of one callsite in a second, where there is a limit.
const MOST_LINES: u32 = 3;

/// Checks one input, and says how many lines it gave, and how many of them were cut.
pub(crate) fn check(input: &[u8]) -> (usize, usize) {
    let mut input = Input(input);
    let settings = Settings::read(&mut input);
    let written = TestWriter::new();
    let clock = Arc::new(ManualClock::at_millis(1_795_264_200_125));
    let logger = settings.logger(&written, Arc::clone(&clock));
    let dispatch = match settings.is_alone {
        true => Dispatch::new(logger.subscriber()),
        false => Dispatch::new(tracing_subscriber::registry().with(logger.layer())),
    };
    let request = RequestContext::builder().request_id("r-1").build();
    let mut story = Story::new(&settings, &dispatch, &clock);
    {
        let _request = request.enter();
        dispatcher::with_default(&dispatch, || {
            for _ in 0..100 {
                if input.0.is_empty() {
                    break;
                }
                story.go_on(&mut input);
            }
        });
    }
    let cut = story.compare(&written);
    (story.expected.len(), cut)
}

struct Settings {
    redactor: Redactor,
    max_line_bytes: usize,
    format: Format,
    is_alone: bool,
    holds: bool,
    is_limited: bool,
}

impl Settings {
    fn read(input: &mut Input<'_>) -> Self {
        Self {
            redactor: match input.below(3) {
                0 => Redactor::none(),
                1 => Redactor::default(),
                _ => Redactor::standard().field("b"),
            },
            max_line_bytes: [4 * 1024, 8 * 1024, 256 * 1024][input.below(3)],
            format: if input.below(5) == 0 { Format::Text } else { Format::Json },
            is_alone: input.below(2) == 0,
            holds: input.below(3) == 0,
            is_limited: input.below(3) == 0,
        }
    }

    fn logger(&self, written: &TestWriter, clock: Arc<ManualClock>) -> StructuredLogger {
        let mut builder = StructuredLogger::builder()
            .service("fuzzed")
            .environment("test")
            .level(if self.holds { "info" } else { "trace" })
            .format(self.format)
            .redact(self.redactor.clone())
            .max_line_bytes(self.max_line_bytes)
            .clock(clock)
            .synchronous()
            .writer(written.clone());
        if self.holds {
            // More than all lines of a story have.
            builder = builder.buffer_until_error(64 << 20).buffer_level("trace");
        }
        if self.is_limited {
            builder = builder.rate_limit(MOST_LINES, Duration::from_secs(1));
        }
        builder.build().expect("the settings are valid")
    }
}

struct Span {
    id: Id,
    metadata: &'static Metadata<'static>,
    parent: Option<usize>,
    own: Members,
    is_closed: bool,
}

/// What was said, and what must be there of it.
struct Story<'a> {
    settings: &'a Settings,
    dispatch: &'a Dispatch,
    clock: &'a ManualClock,
    spans: Vec<Span>,
    /// As they were entered; one may be there twice.
    entered: Vec<usize>,
    appended: Vec<(String, Value)>,
    /// Of each callsite the lines in this second, and how many were suppressed.
    meters: HashMap<usize, (u32, u64)>,
    held: Vec<Members>,
    expected: Vec<Members>,
}

impl<'a> Story<'a> {
    fn new(settings: &'a Settings, dispatch: &'a Dispatch, clock: &'a ManualClock) -> Self {
        Self {
            settings,
            dispatch,
            clock,
            spans: Vec::new(),
            entered: Vec::new(),
            appended: Vec::new(),
            meters: HashMap::new(),
            held: Vec::new(),
            expected: Vec::new(),
        }
    }

    fn go_on(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0 | 1 => self.new_span(input),
            2 | 3 => {
                if let Some(span) = self.some_span(input) {
                    self.dispatch.enter(&self.spans[span].id);
                    self.entered.push(span);
                }
            }
            4 | 5 => {
                let place = input.below(3);
                // Mostly the innermost, but any may be left first.
                let Some(at) = self.entered.len().checked_sub(1 + place) else { return };
                let span = self.entered[at];
                self.dispatch.exit(&self.spans[span].id);
                // Of one that was entered twice, the last time is undone.
                if let Some(last) = self.entered.iter().rposition(|it| *it == span) {
                    self.entered.remove(last);
                }
            }
            6 => self.record(input),
            7 => {
                let name = NAMES[input.below(NAMES.len())];
                let value = input.value();
                let Some(recordable) = value.recordable() else { return };
                obs_logging::append(name, &*recordable);
                let json = if self.settings.redactor.is_redacted(name) {
                    json!("[REDACTED]")
                } else {
                    value.plain(&self.settings.redactor)
                };
                match self.appended.iter_mut().find(|(known, _)| known == name) {
                    Some((_, old)) => *old = json,
                    None => self.appended.push((name.to_owned(), json)),
                }
            }
            8 => {
                let name = NAMES[input.below(NAMES.len())];
                let known = self.appended.iter().any(|(known, _)| known == name);
                assert_eq!(obs_logging::remove(name), known);
                self.appended.retain(|(known, _)| known != name);
            }
            9 => {
                // A guard borrows its span: who is in it keeps it open.
                let closes = self.some_span(input).filter(|span| !self.entered.contains(span));
                if let Some(span) = closes {
                    self.dispatch.try_close(self.spans[span].id.clone());
                    self.spans[span].is_closed = true;
                }
            }
            10 => {
                self.clock.advance(Duration::from_secs(1));
                for (lines, _) in self.meters.values_mut() {
                    *lines = 0;
                }
            }
            _ => self.event(input),
        }
    }

    /// One that can still be used.
    fn some_span(&self, input: &mut Input<'_>) -> Option<usize> {
        let open: Vec<_> = (0..self.spans.len()).filter(|at| !self.spans[*at].is_closed).collect();
        (!open.is_empty()).then(|| open[input.below(open.len())])
    }

    /// The innermost that was not entered before.
    fn current(&self) -> Option<usize> {
        let is_first = |at: &usize| !self.entered[..*at].contains(&self.entered[*at]);
        (0..self.entered.len()).rev().find(is_first).map(|at| self.entered[at])
    }

    fn new_span(&mut self, input: &mut Input<'_>) {
        let metadata = callsites::span(input.byte());
        let values = values(metadata, input);
        assert!(self.dispatch.enabled(metadata));
        let id = with_set(metadata, &values, |set| {
            self.dispatch.new_span(&Attributes::new(metadata, set))
        });
        let own = members(metadata, &values, &self.settings.redactor);
        let parent = self.current();
        self.spans.push(Span { id, metadata, parent, own, is_closed: false });
    }

    fn record(&mut self, input: &mut Input<'_>) {
        let Some(span) = self.some_span(input) else { return };
        let metadata = self.spans[span].metadata;
        let values = values(metadata, input);
        with_set(metadata, &values, |set| {
            self.dispatch.record(&self.spans[span].id, &Record::new(set));
        });
        let news = members(metadata, &values, &self.settings.redactor);
        self.spans[span].own.extend(news);
    }

    fn event(&mut self, input: &mut Input<'_>) {
        let metadata = callsites::event(input.byte());
        let values = values(metadata, input);
        let (around, parent) = match input.below(8) {
            0 => (None, Some(None)),
            1 => {
                let span = self.some_span(input);
                (span, Some(span.map(|span| self.spans[span].id.clone())))
            }
            _ => (self.current(), None),
        };
        if self.dispatch.enabled(metadata) {
            with_set(metadata, &values, |set| {
                let event = match parent {
                    None => Event::new(metadata, set),
                    Some(parent) => Event::new_child_of(parent, metadata, set),
                };
                self.dispatch.event(&event);
            });
        }
        self.expect(metadata, &values, around);
    }

    fn expect(
        &mut self,
        metadata: &'static Metadata<'static>,
        values: &[Any],
        around: Option<usize>,
    ) {
        let mut line = self.line(metadata, values, around);
        if self.settings.holds && *metadata.level() > Level::INFO {
            self.held.push(line);
            return;
        }
        if self.settings.is_limited {
            let (lines, suppressed) =
                self.meters.entry(std::ptr::from_ref(metadata) as usize).or_default();
            if *lines == MOST_LINES {
                *suppressed += 1;
                return;
            }
            *lines += 1;
            if *suppressed > 0 {
                line.insert("suppressed".to_owned(), json!(std::mem::take(suppressed)));
            }
        }
        if *metadata.level() == Level::ERROR {
            self.expected.append(&mut self.held);
        }
        self.expected.push(line);
    }

    fn line(&self, metadata: &Metadata<'_>, values: &[Any], around: Option<usize>) -> Members {
        let redactor = &self.settings.redactor;
        let mut line = Members::new();
        for (name, value) in &self.appended {
            line.insert(key(name), value.clone());
        }
        let mut spans = Vec::new();
        let mut next = around;
        while let Some(span) = next {
            spans.push(span);
            next = self.spans[span].parent;
        }
        for span in spans.into_iter().rev() {
            line.extend(self.spans[span].own.clone());
        }
        let mut message = String::new();
        for (field, value) in metadata.fields().iter().zip(values) {
            match (field.name(), value) {
                (_, Any::Missing) => {}
                ("message", value) => message = value.message(redactor),
                (name, value) => line.extend(value.members(name, redactor)),
            }
        }
        line.extend([
            ("message".to_owned(), json!(message)),
            ("level".to_owned(), json!(metadata.level().as_str())),
            ("logger".to_owned(), json!(metadata.target())),
            ("service".to_owned(), json!("fuzzed")),
            ("environment".to_owned(), json!("test")),
            ("function_request_id".to_owned(), json!("r-1")),
            ("timestamp".to_owned(), json!(obs_core::clock::rfc3339(self.now()))),
        ]);
        if let Some(span) = around {
            line.insert("function".to_owned(), json!(self.spans[span].metadata.name()));
        }
        line
    }

    fn now(&self) -> u64 {
        obs_core::clock::millis_since_epoch(obs_core::clock::Clock::now(self.clock))
    }

    /// Compares what was written; returns how many lines were cut.
    fn compare(&self, written: &TestWriter) -> usize {
        let text = written.text();
        let most = self.settings.max_line_bytes;
        assert_eq!(text.matches('\n').count(), self.expected.len(), "one line each: {text:?}");
        assert!(text.split_inclusive('\n').all(|line| line.len() <= most), "within {most} bytes");
        let breaks = |c: char| (c.is_control() && c != '\n') || "\u{2028}\u{2029}".contains(c);
        assert!(!text.contains(breaks), "{text:?}");
        if self.settings.format == Format::Text {
            return 0;
        }
        // Reading them fails on a duplicate key and on anything that is not JSON.
        let lines = written.lines();
        let cut = lines.iter().zip(&self.expected).filter(|(line, expected)| {
            let was_cut = same(line, expected);
            assert!(!was_cut || size(expected) > most / 2, "cut without need: {line}");
            was_cut
        });
        cut.count()
    }
}

fn values(metadata: &Metadata<'_>, input: &mut Input<'_>) -> Vec<Any> {
    metadata.fields().iter().map(|_| input.value()).collect()
}

fn members(metadata: &Metadata<'_>, values: &[Any], redactor: &Redactor) -> Members {
    let fields = metadata.fields().iter().zip(values);
    fields.flat_map(|(field, value)| value.members(field.name(), redactor)).collect()
}

/// Runs `with` with the values as `tracing` passes them.
fn with_set<R>(
    metadata: &'static Metadata<'static>,
    values: &[Any],
    with: impl FnOnce(&ValueSet<'_>) -> R,
) -> R {
    let boxed: Vec<_> = values.iter().map(Any::recordable).collect();
    let values: Vec<Option<&dyn Recordable>> = boxed.iter().map(Option::as_deref).collect();
    with(&metadata.fields().value_set_all(&values))
}

/// The bytes of the line that nothing is cut of, but for the order of its members.
fn size(line: &Members) -> usize {
    let mut bytes = Vec::new();
    for (key, value) in line {
        obs_core::json::string(&mut bytes, key);
        encode(&mut bytes, value);
        bytes.extend_from_slice(b",:");
    }
    bytes.len() + 2
}

fn encode(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(text) => obs_core::json::string(bytes, text),
        Value::Array(all) => all.iter().for_each(|value| encode(bytes, value)),
        other => bytes.extend_from_slice(other.to_string().as_bytes()),
    }
}

/// Fails where the line is not what is expected, but for what was cut; returns whether something was.
fn same(line: &Line, expected: &Members) -> bool {
    let mut cut = false;
    let mut left_out = 0;
    for (key, value) in expected {
        match line.get(key) {
            Some(found) => {
                let same = same_value(found, value);
                assert!(same.is_some(), "{key:?}: {found:?} is not {value:?} in {line}");
                cut |= same == Some(Same::Cut);
            }
            None => left_out += 1,
        }
    }
    let said = line.get("truncated_fields").and_then(Value::as_u64).unwrap_or_default();
    assert_eq!(said, left_out, "left out of {line}: {expected:?}");
    for key in line.keys() {
        let own = key == "truncated_fields" && left_out > 0;
        assert!(own || expected.contains_key(key), "{key:?} is not expected in {line}");
    }
    cut || left_out > 0
}

#[derive(PartialEq)]
enum Same {
    Whole,
    Cut,
}

fn same_value(found: &Value, expected: &Value) -> Option<Same> {
    match (found, expected) {
        (Value::String(found), Value::String(expected)) if found != expected => {
            let (kept, mark) = found.rsplit_once("…[truncated ")?;
            let lost: usize = mark.strip_suffix(" bytes]")?.parse().ok()?;
            // A text that ends as if it had been cut before is believed.
            let forged = expected.rsplit_once("…[truncated ").and_then(|(expected, mark)| {
                Some((expected, mark.strip_suffix(" bytes]")?.parse::<usize>().ok()?))
            });
            let (expected, before) = forged.unwrap_or((expected, 0));
            let is_part = expected.starts_with(kept);
            (is_part && kept.len() + lost == expected.len() + before).then_some(Same::Cut)
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            let mut all = found.iter().zip(expected).map(|(a, b)| same_value(a, b));
            all.try_fold(Same::Whole, |so_far, one| {
                Some(if one? == Same::Cut { Same::Cut } else { so_far })
            })
        }
        // Whole floats are written without a fraction, and read back as what they are.
        (Value::Number(a), Value::Number(b)) if a.is_f64() != b.is_f64() => {
            (a.as_f64() == b.as_f64()).then_some(Same::Whole)
        }
        _ => (found == expected).then_some(Same::Whole),
    }
}
