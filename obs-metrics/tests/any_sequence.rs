//! Whatever is called in whatever order: only valid documents, and every value in them exactly once.
//!
//! Scenarios 23, 24, 28, 30 and 32 at the level of the public interface.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use obs_core::RequestContext;
use obs_core::clock::{Clock, ManualClock};
use obs_metrics::{
    Counter, Gauge, Histogram, MetricsCollector, Resolution, Sink, Timer, Unit, emf, limits,
};
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

/// A recorded value: where it must be found, when, and how often.
type Key = (String, Unit, Resolution, Vec<(String, String)>, u64, u64);
type Values = BTreeMap<Key, f64>;

#[derive(Clone, Debug)]
enum Call {
    Put(Put),
    Single(Put),
    Event(Event),
    Enter(Option<usize>),
    Finish(usize),
    Flush,
    /// The same name and unit with this many different values.
    Burst(u16),
    /// This many different names.
    Names(u16),
    Count(usize, u64),
    Set(usize, f64),
    Change(usize, f64),
    Observe(Vec<(f64, u64)>),
    /// So many quarters of a second.
    Time(u16),
    /// All handles go.
    Forget,
}

#[derive(Clone, Debug)]
struct Put {
    name: String,
    value: f64,
    unit: Unit,
    dimensions: Dimensions,
}

type Dimensions = Vec<(String, String)>;

#[derive(Clone, Debug)]
struct Event {
    dimensions: Dimensions,
    /// Further sets; with them, all dimensions are such as stay as they are.
    sets: Vec<Vec<String>>,
    puts: Vec<(String, f64, Unit, Resolution)>,
    properties: Vec<(String, String)>,
    message: Option<String>,
    /// Milliseconds from now.
    at: Option<i64>,
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

fn clean_dimensions() -> impl Strategy<Value = Dimensions> {
    prop::collection::vec(("[P-R]", "[a-c]"), 0..3)
}

fn dimensions() -> impl Strategy<Value = Dimensions> {
    let any = (names(), prop_oneof![any::<String>(), "y{1000,1100}"]);
    prop_oneof![
        6 => clean_dimensions(),
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

fn events() -> impl Strategy<Value = Event> {
    let names_of_set = prop::collection::vec("[P-S]|Service", 0..3);
    let sets = prop::collection::vec(names_of_set, 1..3);
    let dimensions = prop_oneof![
        3 => (dimensions(), Just(Vec::new())),
        1 => (clean_dimensions(), sets),
    ];
    let resolutions = prop_oneof![3 => Just(Resolution::Standard), 1 => Just(Resolution::High)];
    let puts = prop::collection::vec((names(), values(), units(), resolutions), 0..8);
    let properties = prop::collection::vec((names(), any::<String>()), 0..4);
    let message = prop::option::weighted(0.2, any::<String>());
    let at = prop_oneof![
        6 => Just(None),
        1 => (-14 * 24 * HOUR..=2 * HOUR).prop_map(Some),
        1 => prop::sample::select(
            &[-15 * 24 * HOUR, -14 * 24 * HOUR - 1, 2 * HOUR + 1, 3 * HOUR][..]
        ).prop_map(Some),
    ];
    (dimensions, puts, properties, message, at).prop_map(
        |((dimensions, sets), puts, properties, message, at)| Event {
            dimensions,
            sets,
            puts,
            properties,
            message,
            at,
        },
    )
}

const HOUR: i64 = 3_600_000;

fn calls() -> impl Strategy<Value = Call> {
    let put =
        || {
            (names(), values(), units(), dimensions())
                .prop_map(|(name, value, unit, dimensions)| Put { name, value, unit, dimensions })
        };
    let observed = prop_oneof![
        3 => prop::collection::vec((values(), 0..4_u64), 0..4),
        1 => prop::collection::vec((-1e6..1e6_f64, 1..1_000_u64), 90..250),
    ];
    prop_oneof![
        10 => put().prop_map(Call::Put),
        2 => put().prop_map(Call::Single),
        6 => events().prop_map(Call::Event),
        3 => prop::option::of(0..3_usize).prop_map(Call::Enter),
        1 => (0..3_usize).prop_map(Call::Finish),
        2 => Just(Call::Flush),
        1 => (1..320_u16).prop_map(Call::Burst),
        1 => (1..320_u16).prop_map(Call::Names),
        2 => (0..HANDLES.len(), 0..1_u64 << 50).prop_map(|(which, n)| Call::Count(which, n)),
        2 => (0..HANDLES.len(), values()).prop_map(|(which, value)| Call::Set(which, value)),
        2 => (0..HANDLES.len(), values()).prop_map(|(which, value)| Call::Change(which, value)),
        2 => observed.prop_map(Call::Observe),
        1 => (0..1_000_u16).prop_map(Call::Time),
        1 => Just(Call::Forget),
    ]
}

/// Registered counters, and gauges, have these names and dimensions: ones that others have too.
const HANDLES: [(&str, &[(&str, &str)]); 3] =
    [("A", &[]), ("B", &[("P", "a")]), ("C", &[("P", "b"), ("Q", "a")])];

/// The registered histogram and the timer, whose values may be grouped.
const HISTOGRAM: &str = "Sizes";
const TIMER: &str = "Times";

/// What documents say of a histogram all in all.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Summary {
    count: f64,
    min: f64,
    max: f64,
    sum: f64,
    magnitudes: f64,
}

impl Default for Summary {
    fn default() -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { count: 0.0, min, max, sum: 0.0, magnitudes: 0.0 }
    }
}

impl Summary {
    fn add(&mut self, value: f64, count: f64) {
        self.count += count;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum += value * count;
        self.magnitudes += value.abs() * count;
    }

    fn check(&self, recorded: &Self) -> Result<(), TestCaseError> {
        let extremes = |s: &Self| (s.count, s.min + 0.0, s.max + 0.0);
        prop_assert_eq!(extremes(self), extremes(recorded));
        let error = (self.sum - recorded.sum).abs();
        prop_assert!(error <= 1e-9 * recorded.magnitudes, "{:?} of {:?}", self, recorded);
        Ok(())
    }
}

/// What was recorded, without the values that are dropped.
#[derive(Default)]
struct Model {
    values: Values,
    histograms: BTreeMap<&'static str, Summary>,
    recorded: u64,
    dropped: u64,
    /// What the handles hold until the next flush.
    counts: [u64; HANDLES.len()],
    gauges: [(f64, bool); HANDLES.len()],
}

impl Model {
    fn put(&mut self, name: &str, value: f64, unit: Unit, dimensions: &[(String, String)]) {
        let mut set = service();
        set.extend(dimensions.iter().cloned());
        self.record(name, value, (unit, Resolution::Standard), &set, &[], NOW);
    }

    /// Whether it is recorded, and not dropped for what it is.
    fn takes(&mut self, name: &str, value: f64) -> bool {
        let takes =
            value.is_finite() && value.abs() <= limits::MAX_VALUE && !name.trim().is_empty();
        self.recorded += 1;
        self.dropped += u64::from(!takes);
        takes
    }

    fn record(
        &mut self,
        name: &str,
        value: f64,
        (unit, resolution): (Unit, Resolution),
        dimensions: &BTreeMap<String, String>,
        sets: &[Vec<String>],
        at: u64,
    ) {
        if !self.takes(name, value) {
            return;
        }
        // A dimension without a name is left out.
        let mut all = dimensions.clone();
        all.retain(|name, _| !name.trim().is_empty());
        let mut expected = vec![all.clone()];
        for set in sets {
            let mut further = all.clone();
            further.retain(|name, _| set.contains(name));
            // A name that is no dimension makes no wider set.
            let is_known = set.iter().all(|name| all.contains_key(name));
            if is_known && !expected.contains(&further) {
                expected.push(further);
            }
        }
        // The metric makes way for its dimension in all sets.
        let name = if all.contains_key(name) { "" } else { name };
        for set in expected {
            let key = key(name, unit, resolution, set.into_iter().collect(), at, value);
            *self.values.entry(key).or_default() += 1.0;
        }
    }

    fn event(&mut self, event: &Event) {
        let at = NOW.saturating_add_signed(event.at.unwrap_or(0));
        let is_in_window = (-14 * 24 * HOUR..=2 * HOUR).contains(&event.at.unwrap_or(0));
        let mut set = service();
        set.extend(event.dimensions.iter().cloned());
        for (name, value, unit, resolution) in &event.puts {
            if is_in_window {
                self.record(name, *value, (*unit, *resolution), &set, &event.sets, at);
            } else if self.takes(name, *value) {
                self.dropped += 1;
            }
        }
    }

    /// What handles hold becomes values.
    fn flush(&mut self, are_held: bool) {
        for (which, (name, dimensions)) in HANDLES.iter().enumerate() {
            let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
            let dimensions: Vec<_> = dimensions.iter().map(owned).collect();
            let count = std::mem::take(&mut self.counts[which]);
            if count > 0 {
                self.put(name, count as f64, Unit::Count, &dimensions);
            }
            let (value, is_pending) = self.gauges[which];
            if is_pending {
                self.put(name, value, Unit::Bytes, &dimensions);
            }
            // A gauge that is registered anew begins with 0.
            self.gauges[which] = (if are_held { value } else { 0.0 }, false);
        }
    }

    fn observe(&mut self, name: &'static str, value: f64, n: u64) {
        if n == 0 && value.abs() <= limits::MAX_VALUE {
            return;
        }
        if self.takes(name, value) {
            self.recorded += n - 1;
            self.histograms.entry(name).or_default().add(value, n as f64);
        }
    }
}

fn service() -> BTreeMap<String, String> {
    BTreeMap::from([("Service".to_owned(), "orders".to_owned())])
}

/// The registered handles.
struct Handles {
    counters: Vec<Counter>,
    gauges: Vec<Gauge>,
    histogram: Histogram,
    timer: Timer,
}

impl Handles {
    fn register(metrics: &MetricsCollector) -> Self {
        let (mut counters, mut gauges) = (Vec::new(), Vec::new());
        for (name, dimensions) in HANDLES {
            let mut counter = metrics.counter(name);
            let mut gauge = metrics.gauge(name).unit(Unit::Bytes);
            for (name, value) in dimensions {
                counter = counter.dimension(*name, *value);
                gauge = gauge.dimension(*name, *value);
            }
            counters.push(counter.register().unwrap());
            gauges.push(gauge.register().unwrap());
        }
        let histogram = metrics.histogram(HISTOGRAM).high_resolution().register().unwrap();
        let timer = metrics.timer(TIMER).register().unwrap();
        Self { counters, gauges, histogram, timer }
    }
}

fn put(event: &mut obs_metrics::Event, given: &Event) {
    for (name, value, unit, resolution) in &given.puts {
        match resolution {
            Resolution::High => event.put_high_resolution(name, *value, *unit),
            _ => event.put(name, *value, *unit),
        };
    }
    for (name, value) in &given.dimensions {
        event.dimension(name, value);
    }
    for set in &given.sets {
        event.dimension_set(&set.iter().map(String::as_str).collect::<Vec<_>>());
    }
    for (name, value) in &given.properties {
        event.property(name, value);
    }
    if let Some(message) = &given.message {
        event.message(message);
    }
    if let Some(at) = given.at {
        let millis = NOW.saturating_add_signed(at);
        event.timestamp(UNIX_EPOCH + Duration::from_millis(millis));
    }
}

/// Series whose names are left as they are have their full key; the others only unit, resolution,
/// time and value.
fn key(
    name: &str,
    unit: Unit,
    resolution: Resolution,
    dimensions: Dimensions,
    at: u64,
    value: f64,
) -> Key {
    let is_clean = |text: &str| text.len() == 1 && text.as_bytes()[0].is_ascii_alphabetic();
    let service = ("Service".to_owned(), "orders".to_owned());
    let clean = is_clean(name)
        && dimensions.iter().all(|(k, v)| {
            (is_clean(k) && is_clean(v) && k != name)
                || (k.as_str(), v.as_str()) == (&service.0, &service.1)
        });
    let bits = (value + 0.0).to_bits();
    if clean {
        (name.to_owned(), unit, resolution, dimensions, at, bits)
    } else {
        (String::new(), unit, resolution, Vec::new(), at, bits)
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
    let mut handles = None;
    for call in calls {
        match call {
            Call::Put(Put { name, value, unit, dimensions }) => {
                let given: Vec<_> =
                    dimensions.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                metrics.put_metric(name, *value, *unit, &given);
                model.put(name, *value, *unit, dimensions);
            }
            Call::Single(Put { name, value, unit, dimensions }) => {
                let given: Vec<_> =
                    dimensions.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                metrics.single_metric(name, *value, *unit, &given);
                let set = dimensions.iter().cloned().collect();
                model.record(name, *value, (*unit, Resolution::Standard), &set, &[], NOW);
                events_lines += 1;
            }
            Call::Event(event) => {
                put(&mut metrics.event(), event);
                model.event(event);
                events_lines += 1;
            }
            Call::Count(which, n) => {
                let handles = handles.get_or_insert_with(|| Handles::register(&metrics));
                handles.counters[*which].add(*n);
                model.counts[*which] += n;
            }
            Call::Set(which, value) => {
                let handles = handles.get_or_insert_with(|| Handles::register(&metrics));
                handles.gauges[*which].set(*value);
                if value.abs() <= limits::MAX_VALUE {
                    model.gauges[*which] = (*value, true);
                } else {
                    model.takes("C", *value);
                }
            }
            Call::Change(which, delta) => {
                let handles = handles.get_or_insert_with(|| Handles::register(&metrics));
                handles.gauges[*which].add(*delta);
                if delta.abs() <= limits::MAX_VALUE {
                    model.gauges[*which] = (model.gauges[*which].0 + delta, true);
                } else {
                    model.takes("C", *delta);
                }
            }
            Call::Observe(values) => {
                let handles = handles.get_or_insert_with(|| Handles::register(&metrics));
                for (value, n) in values {
                    handles.histogram.record_n(*value, *n);
                    model.observe(HISTOGRAM, *value, *n);
                }
            }
            Call::Time(quarters) => {
                let handles = handles.get_or_insert_with(|| Handles::register(&metrics));
                handles.timer.record(Duration::from_millis(u64::from(*quarters) * 250));
                model.observe(TIMER, f64::from(*quarters) / 4.0, 1);
            }
            Call::Forget => handles = None,
            Call::Enter(which) => {
                // Left before the next one is entered.
                drop(entered.take());
                entered = which.map(|n| contexts[n].enter());
            }
            Call::Finish(n) => metrics.finish_invocation(&contexts[*n]),
            Call::Flush => {
                prop_assert!(metrics.flush(LONG).is_complete());
                model.flush(handles.is_some());
            }
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
    model.flush(handles.is_some());
    prop_assert!(report.is_complete(), "{}", report);
    let stats = metrics.stats();
    prop_assert_eq!(stats.values, model.recorded);
    prop_assert_eq!(stats.values_dropped(), model.dropped);

    let text = String::from_utf8(capture.0.lock().unwrap().clone()).unwrap();
    let (mut found, mut histograms) = (Values::new(), BTreeMap::<_, Summary>::new());
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
                        let (name, resolution) = (metric.name(), metric.resolution());
                        if let Some(name) = [HISTOGRAM, TIMER].into_iter().find(|n| *n == name) {
                            histograms.entry(name).or_default().add(*value, *count);
                            continue;
                        }
                        let (dimensions, at) = (dimensions.clone(), document.timestamp_millis());
                        let key = key(name, metric.unit(), resolution, dimensions, at, *value);
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
    prop_assert!(histograms.keys().eq(model.histograms.keys()), "{:?}", histograms);
    for (name, recorded) in &model.histograms {
        histograms[name].check(recorded)?;
    }
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
