//! Whatever is called in whatever order: only valid documents, and every value in them exactly once.
//!
//! Scenarios 23, 24, 28, 30 and 32 at the level of the public interface.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use obs_core::RequestContext;
use obs_core::clock::{Clock, ManualClock};
use obs_metrics::{MetricsCollector, Sink, Unit, emf, limits};
use proptest::prelude::*;

const NOW: u64 = 1_700_000_000_000;
const LONG: Duration = Duration::from_secs(10);

#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<u8>>>);

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A recorded value: where it must be found, and how often.
type Key = (String, Unit, Vec<(String, String)>, u64);
type Values = BTreeMap<Key, f64>;

#[derive(Clone, Debug)]
enum Call {
    Put(Put),
    Event {
        dimensions: Vec<(String, String)>,
        puts: Vec<(String, f64, Unit)>,
        properties: Vec<(String, String)>,
    },
    Enter(Option<usize>),
    Finish(usize),
    Flush,
    /// The same name and unit with this many different values.
    Burst(u16),
    /// This many different names.
    Names(u16),
}

#[derive(Clone, Debug)]
struct Put {
    name: String,
    value: f64,
    unit: Unit,
    dimensions: Vec<(String, String)>,
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[A-D]",
        1 => Just("Service".to_owned()),
        1 => prop::sample::select(obs_metrics::LINE_KEYS).prop_map(str::to_owned),
        1 => "x{240,260}",
        1 => any::<String>(),
        1 => Just(String::new()),
    ]
}

fn dimensions() -> impl Strategy<Value = Vec<(String, String)>> {
    let clean = ("[P-R]", "[a-c]");
    let any = (names(), prop_oneof![any::<String>(), "y{1000,1100}"]);
    prop_oneof![
        6 => prop::collection::vec(clean, 0..3),
        2 => prop::collection::vec(any, 0..4),
        1 => prop::collection::vec(("D[0-9]{2}", "[a-c]"), 28..34),
    ]
}

fn values() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-3..3_i8).prop_map(f64::from),
        2 => -1e9..1e9_f64,
        2 => any::<f64>(),
        1 => prop::sample::select(&[f64::NAN, f64::INFINITY, -0.0, limits::MAX_VALUE, -2.4e108][..]),
    ]
}

fn units() -> impl Strategy<Value = Unit> {
    prop_oneof![3 => Just(Unit::Count), 1 => prop::sample::select(Unit::ALL)]
}

fn calls() -> impl Strategy<Value = Call> {
    let put = (names(), values(), units(), dimensions())
        .prop_map(|(name, value, unit, dimensions)| Put { name, value, unit, dimensions });
    let puts = prop::collection::vec((names(), values(), units()), 0..8);
    let properties = prop::collection::vec((names(), any::<String>()), 0..4);
    prop_oneof![
        10 => put.prop_map(Call::Put),
        6 => (dimensions(), puts, properties)
            .prop_map(|(dimensions, puts, properties)| Call::Event { dimensions, puts, properties }),
        3 => prop::option::of(0..3_usize).prop_map(Call::Enter),
        1 => (0..3_usize).prop_map(Call::Finish),
        1 => Just(Call::Flush),
        1 => (1..320_u16).prop_map(Call::Burst),
        1 => (1..320_u16).prop_map(Call::Names),
    ]
}

/// What was recorded, without the values that are dropped.
#[derive(Default)]
struct Model {
    values: Values,
    recorded: u64,
    dropped: u64,
}

impl Model {
    fn put(&mut self, name: &str, value: f64, unit: Unit, dimensions: &[(String, String)]) {
        self.recorded += 1;
        let takes = value.is_finite() && value.abs() <= limits::MAX_VALUE;
        if !takes || name.trim().is_empty() {
            self.dropped += 1;
            return;
        }
        let mut set = BTreeMap::from([("Service".to_owned(), "orders".to_owned())]);
        // A dimension without a name is left out.
        set.extend(dimensions.iter().filter(|(name, _)| !name.trim().is_empty()).cloned());
        *self.values.entry(key(name, unit, set.into_iter().collect(), value)).or_default() += 1.0;
    }
}

/// Series whose names are left as they are have their full key; the others only unit and value.
fn key(name: &str, unit: Unit, dimensions: Vec<(String, String)>, value: f64) -> Key {
    let is_clean = |text: &str| text.len() == 1 && text.as_bytes()[0].is_ascii_alphabetic();
    let service = ("Service".to_owned(), "orders".to_owned());
    let clean = is_clean(name)
        && dimensions.iter().all(|(k, v)| {
            (is_clean(k) && is_clean(v) && k != name)
                || (k.as_str(), v.as_str()) == (&service.0, &service.1)
        });
    let bits = (value + 0.0).to_bits();
    if clean {
        (name.to_owned(), unit, dimensions, bits)
    } else {
        (String::new(), unit, Vec::new(), bits)
    }
}

fn run(calls: &[Call]) -> Result<(), TestCaseError> {
    let capture = Capture::default();
    let clock = ManualClock::at_millis(NOW);
    let now = clock.now();
    let metrics = MetricsCollector::builder()
        .namespace("App")
        .service("orders")
        .clock(clock)
        .document_bytes(limits::MIN_DOCUMENT_BYTES)
        .sink(Sink::writer(capture.clone()).synchronous())
        .enabled(true)
        .build()
        .unwrap();
    let contexts: Vec<_> =
        (0..3).map(|n| RequestContext::builder().request_id(format!("r{n}")).build()).collect();
    let mut entered = None;
    let mut model = Model::default();
    let mut events_lines = 0_u64;
    for call in calls {
        match call {
            Call::Put(Put { name, value, unit, dimensions }) => {
                let given: Vec<_> =
                    dimensions.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                metrics.put_metric(name, *value, *unit, &given);
                model.put(name, *value, *unit, dimensions);
            }
            Call::Event { dimensions, puts, properties } => {
                let mut event = metrics.event();
                for (name, value, unit) in puts {
                    event.put(name, *value, *unit);
                    model.put(name, *value, *unit, dimensions);
                }
                for (name, value) in dimensions {
                    event.dimension(name, value);
                }
                for (name, value) in properties {
                    event.property(name, value);
                }
                events_lines += 1;
            }
            Call::Enter(which) => {
                // Left before the next one is entered.
                drop(entered.take());
                entered = which.map(|n| contexts[n].enter());
            }
            Call::Finish(n) => metrics.finish_invocation(&contexts[*n]),
            Call::Flush => prop_assert!(metrics.flush(LONG).is_complete()),
            Call::Burst(n) => {
                for value in 0..*n {
                    metrics.put_metric("A", f64::from(value), Unit::Count, &[]);
                    model.put("A", f64::from(value), Unit::Count, &[]);
                }
            }
            Call::Names(n) => {
                for k in 0..*n {
                    metrics.put_metric(&format!("Name{k}"), 1.0, Unit::Count, &[]);
                    model.put(&format!("Name{k}"), 1.0, Unit::Count, &[]);
                }
            }
        }
    }
    drop(entered);
    let report = metrics.shutdown(LONG);
    prop_assert!(report.is_complete(), "{}", report);
    let stats = metrics.stats();
    prop_assert_eq!(stats.values, model.recorded);
    prop_assert_eq!(stats.values_dropped(), model.dropped);

    let text = String::from_utf8(capture.0.lock().unwrap().clone()).unwrap();
    let mut found = Values::new();
    let mut log_lines = 0;
    for line in text.lines() {
        prop_assert!(line.len() <= limits::MIN_DOCUMENT_BYTES);
        let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        prop_assert!(!line.contains(breaks));
        match emf::validate_at(line, now) {
            Ok(document) => {
                for metric in document.metrics() {
                    let mut dimensions: Vec<_> =
                        metric.dimensions().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
                    dimensions.sort();
                    for (value, count) in metric.values() {
                        let key = key(metric.name(), metric.unit(), dimensions.clone(), *value);
                        *found.entry(key).or_default() += *count;
                    }
                }
            }
            Err(violations) => {
                prop_assert!(!emf::is_emf(line), "{}\n{}", violations, line);
                let rules: Vec<_> = violations.iter().map(emf::Violation::rule).collect();
                prop_assert_eq!(rules, [emf::Rule::Metadata], "{}", line);
                log_lines += 1;
            }
        }
    }
    prop_assert_eq!(found, model.values);
    prop_assert_eq!(stats.lines, text.lines().count() as u64);
    // Events without metrics, and reports of what was dropped.
    prop_assert!(log_lines <= events_lines + 1 + calls.len() as u64);
    Ok(())
}

proptest! {
    #[test]
    fn every_sequence_of_calls_gives_valid_documents_with_every_value_once(
        calls in prop::collection::vec(calls(), 0..24)
    ) {
        run(&calls)?;
    }
}
