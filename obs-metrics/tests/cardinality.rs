//! Dimensions whose values never end, through the public interface: scenario 16.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use obs_core::RequestContext;
use obs_core::clock::{Clock, ManualClock};
use obs_metrics::{
    Histogram, MetricBuilder, MetricsCollector, MetricsCollectorBuilder, OVERFLOW, Sink, Unit, emf,
};
use proptest::prelude::*;

const NOW: u64 = 1_700_000_000_000;
const LONG: Duration = Duration::from_secs(60);
const MANY: u32 = 100_000;

/// A metric's name and dimensions.
type Series = (String, Vec<(String, String)>);

/// What was written: checked line by line, and summed up by series.
#[derive(Debug, Default)]
struct Seen {
    /// Unfinished line.
    rest: Vec<u8>,
    lines: u64,
    series: BTreeMap<Series, (f64, f64)>,
    violations: Vec<String>,
}

#[derive(Clone, Default)]
struct Reader(Arc<Mutex<Seen>>);

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut seen = self.0.lock().unwrap();
        seen.rest.extend_from_slice(bytes);
        while let Some(end) = seen.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = seen.rest.drain(..=end).collect();
            seen.line(&String::from_utf8(line).unwrap());
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seen {
    fn line(&mut self, line: &str) {
        self.lines += 1;
        if !emf::is_emf(line) {
            return;
        }
        match emf::validate_at(line, now()) {
            Ok(document) => {
                for metric in document.metrics() {
                    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                    let mut dimensions: Vec<_> = metric.dimensions().map(owned).collect();
                    dimensions.sort();
                    let key = (metric.name().to_owned(), dimensions);
                    let (count, sum) = self.series.entry(key).or_default();
                    *count += metric.count();
                    *sum += metric.sum();
                }
            }
            Err(violations) => self.violations.push(format!("{violations}\n{line}")),
        }
    }

    fn counts_and_sums(&self) -> (f64, f64) {
        self.series.values().fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1))
    }
}

fn now() -> SystemTime {
    ManualClock::at_millis(NOW).now()
}

fn builder(reader: &Reader) -> MetricsCollectorBuilder {
    MetricsCollector::builder()
        .namespace("App")
        .service("orders")
        .clock(ManualClock::at_millis(NOW))
        .sink(Sink::writer(reader.clone()).synchronous())
        .enabled(true)
}

/// Name and dimensions of every series of the preview.
fn previewed(metrics: &MetricsCollector) -> BTreeSet<Series> {
    let preview = metrics.preview();
    let series = preview.series().map(|series| {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        (series.name().to_owned(), series.dimensions().map(owned).collect())
    });
    series.collect()
}

/// A hundred thousand customers, of which a thousand are series of their own.
fn check(record: impl Fn(&MetricsCollector, &str, f64)) {
    let reader = Reader::default();
    let metrics = builder(&reader).build().unwrap();
    let mut sum = 0.0;
    for n in 0..MANY {
        let value = f64::from(n % 7);
        sum += value;
        record(&metrics, &n.to_string(), value);
        if n % 10_000 == 0 {
            assert!(metrics.flush(LONG).is_complete());
        }
        // Who was in stays in.
        if n % 1_000 == 999 {
            sum += 5.0;
            record(&metrics, "7", 5.0);
        }
    }
    assert!(metrics.flush(LONG).is_complete());
    let recorded = u64::from(MANY) + 100;
    let stats = metrics.stats();
    assert_eq!((stats.values, stats.values_dropped()), (recorded, 0));
    assert_eq!(stats.values_in_overflow, u64::from(MANY) - 1_000);
    let preview = metrics.preview();
    assert_eq!((preview.len(), preview.values_in_overflow()), (1_001, stats.values_in_overflow));
    assert!(obs_core::health::counted(obs_core::health::Event::SeriesOverflow) >= 99_000);

    let seen = reader.0.lock().unwrap();
    assert_eq!(seen.violations, [] as [String; 0]);
    assert_eq!(seen.series.len(), 1_001);
    assert_eq!(seen.counts_and_sums(), (recorded as f64, sum));
    let dimensions = |customer: &str| {
        let pairs = [("Customer", customer), ("Service", "orders")];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    };
    let of = |customer: &str| seen.series[&("Orders".to_owned(), dimensions(customer))];
    assert_eq!(of("7"), (101.0, 500.0));
    assert_eq!(of(OVERFLOW).0, f64::from(MANY) - 1_000.0);
    let sent: BTreeSet<_> = seen.series.keys().map(|(_, dimensions)| dimensions.clone()).collect();
    let previewed: BTreeSet<Vec<_>> = preview
        .series()
        .map(|series| series.dimensions().map(|(n, v)| (n.to_owned(), v.to_owned())).collect())
        .collect();
    assert_eq!(sent, previewed);
}

#[test]
fn scenario_16_an_unbounded_dimension_of_put_metric() {
    check(|metrics, customer, value| {
        metrics.put_metric("Orders", value, Unit::Count, &[("Customer", customer)]);
    });
}

#[test]
fn scenario_16_an_unbounded_dimension_of_events() {
    check(|metrics, customer, value| {
        metrics.event().dimension("Customer", customer).put("Orders", value, Unit::Count);
    });
}

/// Eight requests at once, each in a table of its own: they share one budget.
#[test]
fn scenario_16_threads_and_invocations_share_the_budget() {
    let reader = Reader::default();
    let metrics = builder(&reader).series_per_metric(50).build().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            let metrics = metrics.clone();
            scope.spawn(move || {
                let context = RequestContext::builder().request_id(format!("r{thread}")).build();
                let _entered = context.enter();
                for n in 0..500_u32 {
                    let id = (n * 8 + thread).to_string();
                    metrics.put_metric("Put", 1.0, Unit::Count, &[("Id", &id)]);
                    metrics.event().dimension("Id", &id).put("Event", 1.0, Unit::Count);
                }
                metrics.finish_invocation(&context);
            });
        }
    });
    assert!(metrics.flush(LONG).is_complete());
    let seen = reader.0.lock().unwrap();
    assert_eq!(seen.violations, [] as [String; 0]);
    assert_eq!(seen.counts_and_sums(), (8_000.0, 8_000.0));
    for name in ["Put", "Event"] {
        let series = seen.series.iter().filter(|((metric, _), _)| metric == name);
        let (in_budget, over): (Vec<_>, Vec<_>) = series
            .partition(|((_, dimensions), _)| dimensions.iter().all(|(_, id)| id != OVERFLOW));
        assert_eq!((in_budget.len(), over.len()), (50, 1), "{name}");
        assert_eq!(over[0].1, &(3_950.0, 3_950.0));
    }
    assert_eq!(metrics.stats().values_in_overflow, 7_900);
}

#[test]
fn scenario_16_names_of_metrics_that_never_end() {
    let reader = Reader::default();
    let metrics = builder(&reader).series_in_all(100).build().unwrap();
    for n in 0..2_000_u32 {
        metrics.put_metric(&format!("Put{n}"), 1.0, Unit::Count, &[("Id", &n.to_string())]);
        let mut work = metrics.event();
        work.dimension("Id", &n.to_string()).property("n", n);
        work.put(&format!("Event{n}"), 1.0, Unit::Count).put("Known", 1.0, Unit::Count);
        drop(work);
    }
    assert!(metrics.flush(LONG).is_complete());
    let seen = reader.0.lock().unwrap();
    assert_eq!(seen.violations, [] as [String; 0]);
    assert_eq!(seen.counts_and_sums(), (6_000.0, 6_000.0));
    let names: BTreeSet<&String> = seen.series.keys().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 101);
    assert!(names.contains(&OVERFLOW.to_owned()));
    assert_eq!(seen.series.len(), metrics.preview().len());
}

#[test]
fn scenario_16_a_metric_that_has_the_name_of_the_overflow_is_previewed_as_it_is_sent() {
    let reader = Reader::default();
    let metrics = builder(&reader).series_per_metric(1).series_in_all(2).build().unwrap();
    metrics.put_metric("A", 1.0, Unit::Count, &[]);
    metrics.put_metric("B", 1.0, Unit::Count, &[]);
    let mut work = metrics.event();
    work.dimension("Id", "x").put("A", 1.0, Unit::Count).put(OVERFLOW, 1.0, Unit::Count).emit();
    assert!(metrics.flush(LONG).is_complete());
    let seen = reader.0.lock().unwrap();
    assert_eq!(seen.violations, [] as [String; 0]);
    assert_eq!(seen.series.len(), metrics.preview().len(), "{}", metrics.preview());
}

/// The event's second metric takes the last name: what was decided of its first one stays.
#[test]
fn scenario_16_an_event_is_decided_once() {
    let reader = Reader::default();
    let metrics = builder(&reader).series_per_metric(2).series_in_all(2).build().unwrap();
    for id in ["1", "2"] {
        metrics.put_metric("A", 1.0, Unit::Count, &[("Id", id)]);
    }
    let mut work = metrics.event();
    work.dimension("Id", "x").put(OVERFLOW, 1.0, Unit::Count).put("B", 1.0, Unit::Count).emit();
    assert!(metrics.flush(LONG).is_complete());
    assert_eq!(metrics.stats().values_in_overflow, 2);
    let seen = reader.0.lock().unwrap();
    assert_eq!(seen.violations, [] as [String; 0]);
    assert_eq!(seen.series.len(), 4, "{seen:?}");
    assert_eq!(seen.series.len(), metrics.preview().len(), "{}", metrics.preview());
}

/// They are sent whatever the budgets are.
#[test]
fn scenario_16_the_collectors_own_metrics_are_previewed_as_they_are_sent() {
    for in_all in [1, 3, 7, 8, 100] {
        let reader = Reader::default();
        let metrics = builder(&reader).self_metrics(true).series_in_all(in_all).build().unwrap();
        // The time of a flush is said by the next one.
        for _ in 0..2 {
            metrics.put_metric("A", 1.0, Unit::Count, &[("Id", "x")]);
            assert!(metrics.flush(LONG).is_complete());
        }
        let seen = reader.0.lock().unwrap();
        assert_eq!(seen.violations, [] as [String; 0]);
        let sent: BTreeSet<_> = seen.series.keys().cloned().collect();
        assert_eq!(sent, previewed(&metrics), "{in_all}");
    }
}

#[derive(Clone, Debug)]
struct Work {
    dimensions: Vec<(String, String)>,
    puts: Vec<(String, Unit)>,
    properties: Vec<(String, String)>,
    way: Way,
}

/// How something is recorded.
#[derive(Clone, Copy, Debug)]
enum Way {
    Put,
    Event,
    /// Inside a request, whose document it becomes a part of if it can.
    EventInRequest,
    Handle,
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[A-C]",
        1 => prop::sample::select(vec![
            "__overflow__", "__overflow___", "A_given", "B_given", "Service", "level",
        ])
        .prop_map(str::to_owned),
    ]
}

fn works() -> impl Strategy<Value = Work> {
    let values =
        prop_oneof![4 => "[a-e]", 1 => Just(OVERFLOW.to_owned()), 1 => Just("orders".to_owned())];
    let units = prop::sample::select(vec![Unit::Count, Unit::Seconds]);
    (
        prop::collection::vec((names(), values.clone()), 0..4),
        prop::collection::vec((names(), units), 0..5),
        prop::collection::vec((names(), values), 0..4),
        prop::sample::select(vec![
            Way::Put,
            Way::Put,
            Way::Event,
            Way::Event,
            Way::EventInRequest,
            Way::Handle,
        ]),
    )
        .prop_map(|(dimensions, puts, properties, way)| Work {
            dimensions,
            puts,
            properties,
            way,
        })
}

impl Work {
    /// Returns how many values were taken.
    fn record(&self, metrics: &MetricsCollector, request: &RequestContext) -> usize {
        let Self { dimensions, puts, properties, way } = self;
        match way {
            Way::Put => {
                let given: Vec<_> =
                    dimensions.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                for (name, unit) in puts {
                    metrics.put_metric(name, 1.0, *unit, &given);
                }
                puts.len()
            }
            Way::Event | Way::EventInRequest => {
                let _entered = matches!(way, Way::EventInRequest).then(|| request.enter());
                let mut event = metrics.event();
                for (name, value) in dimensions {
                    event.dimension(name, value);
                }
                for (name, value) in properties {
                    event.property(name, value);
                }
                for (name, unit) in puts {
                    event.put(name, 1.0, *unit);
                }
                puts.len()
            }
            Way::Handle => {
                let handles = puts.iter().filter_map(|(name, unit)| {
                    let handle = metrics.histogram(name).unit(*unit);
                    let with = |handle: MetricBuilder<Histogram>,
                                (name, value): &(String, String)| {
                        handle.dimension(name, value)
                    };
                    // Some names are refused here that elsewhere are made valid.
                    dimensions.iter().fold(handle, with).register().ok()
                });
                handles.inspect(|handle| handle.record(1.0)).count()
            }
        }
    }
}

proptest! {
    /// Whatever overflows, and whatever names are in the way: the documents are valid, no value is
    /// lost, and the preview is what was sent.
    #[test]
    fn scenario_16_overflow_keeps_documents_valid_and_values_complete(
        works in prop::collection::vec(works(), 0..60),
        (per_metric, in_all) in (1..4_usize, 1..9_usize),
    ) {
        let reader = Reader::default();
        let metrics = builder(&reader).series_per_metric(per_metric).series_in_all(in_all).build().unwrap();
        let request = RequestContext::builder().request_id("r").build();
        let mut recorded = 0.0;
        for work in &works {
            recorded += work.record(&metrics, &request) as f64;
        }
        metrics.finish_invocation(&request);
        prop_assert!(metrics.flush(LONG).is_complete());
        let seen = reader.0.lock().unwrap();
        prop_assert_eq!(&seen.violations, &[] as &[String]);
        prop_assert_eq!(seen.counts_and_sums(), (recorded, recorded));
        prop_assert_eq!(metrics.stats().lines, seen.lines);
        let sent: BTreeSet<_> = seen.series.keys().cloned().collect();
        prop_assert_eq!(sent, previewed(&metrics));
    }
}
