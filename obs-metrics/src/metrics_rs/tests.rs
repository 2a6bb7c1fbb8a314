//! What is recorded with the facade's own macros, and what becomes of it.

use std::time::Duration;

use ::metrics::{Unit as Theirs, with_local_recorder};
use ::metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::*;
use crate::test::TestSink;

const LONG: Duration = Duration::from_secs(10);

struct Fixture {
    test: TestSink,
    collector: MetricsCollector,
    recorder: Recorder,
}

fn fixture() -> Fixture {
    let test = TestSink::new();
    let builder = MetricsCollector::builder().namespace("App").service("orders").enabled(true);
    let collector = builder.sink(test.sink()).build().unwrap();
    Fixture { recorder: Recorder::new(collector.clone()), test, collector }
}

impl Fixture {
    fn record(&self, work: impl FnOnce()) {
        with_local_recorder(&self.recorder, work);
        drop(self.collector.flush(LONG));
    }
}

#[test]
fn counters_count_what_was_added() {
    let f = fixture();
    f.record(|| {
        for _ in 0..3 {
            counter!("http.requests", "method" => "GET").increment(2);
        }
        counter!("http.requests", "method" => "PUT").increment(1);
        let kept = counter!("kept");
        kept.increment(5);
        kept.increment(0);
        counter!("never").increment(0);
    });
    let requests = f.test.metric("http.requests").in_namespace("App");
    requests.clone().exactly(&[("method", "GET"), ("Service", "orders")]).assert_sum(6.0);
    requests.dimension("method", "PUT").assert_sum(1.0).assert_unit(Unit::Count);
    // One value for all that was added.
    assert_eq!(f.test.metric("kept").values(), [(5.0, 1.0)]);
    f.test.metric("never").assert_absent();
    // Only what is new.
    f.test.clear();
    f.record(|| counter!("kept").increment(1));
    f.test.metric("kept").assert_sum(1.0);
    f.test.metric("http.requests").assert_absent();
}

#[test]
fn absolute_counters_add_what_exceeds_the_greatest_before() {
    let f = fixture();
    let absolute = |value| {
        f.test.clear();
        f.record(|| counter!("polls").absolute(value));
        f.test.metric("polls").sum()
    };
    assert_eq!([10, 10, 8, 25].map(absolute), [10.0, 0.0, 0.0, 15.0]);
}

#[test]
fn the_same_key_is_the_same_series_in_any_order_of_labels() {
    let f = fixture();
    f.record(|| {
        gauge!("depth", "a" => "1", "b" => "2").set(17.0);
        gauge!("depth", "b" => "2", "a" => "1").increment(3.0);
        gauge!("depth", "a" => "1", "b" => "2").decrement(0.5);
    });
    f.test.metric("depth").dimension("a", "1").dimension("b", "2").assert_unit(Unit::None);
    assert_eq!(f.test.metric("depth").values(), [(19.5, 1.0)]);
}

#[test]
fn a_flush_has_the_last_value_of_a_gauge_that_changed() {
    let f = fixture();
    f.record(|| {
        for value in [3.0, 1.0, 2.0] {
            gauge!("depth").set(value);
        }
    });
    assert_eq!(f.test.metric("depth").values(), [(2.0, 1.0)]);
    f.test.clear();
    f.record(|| gauge!("depth").increment(0.5));
    assert_eq!(f.test.metric("depth").values(), [(2.5, 1.0)]);
    f.test.clear();
    f.record(|| ());
    f.test.metric("depth").assert_absent();
}

#[test]
fn histograms_keep_every_value_with_its_count() {
    let f = fixture();
    f.record(|| {
        let latency = histogram!("latency");
        latency.record(12.5);
        latency.record(7.0);
        latency.record_many(12.5, 3);
        latency.record_many(99.0, 0);
        latency.record(Duration::from_millis(250));
    });
    assert_eq!(f.test.metric("latency").values(), [(0.25, 1.0), (7.0, 1.0), (12.5, 4.0)]);
    f.test.metric("latency").assert_unit(Unit::None);
}

#[test]
fn described_units_are_cloudwatchs_or_are_converted() {
    let f = fixture();
    f.record(|| {
        describe_counter!("busy", Theirs::Nanoseconds, "Time spent.");
        describe_counter!("sent", Theirs::Kibibytes, "Sent.");
        describe_gauge!("used", Theirs::Gibibytes, "Memory in use.");
        describe_histogram!("took", Theirs::Nanoseconds, "Time of a request.");
        describe_histogram!("load", Theirs::Percent, "Load.");
        describe_histogram!("plain", "Without a unit.");
        for _ in 0..5 {
            counter!("busy").increment(700);
        }
        counter!("sent").increment(3);
        gauge!("used").set(1.5);
        histogram!("took").record(1_234_567);
        histogram!("load").record(98.6);
        histogram!("plain").record(1);
        // Too late: it would have two units.
        describe_histogram!("plain", Theirs::Bytes, "Bytes.");
        histogram!("plain", "a" => "b").record(1);
    });
    // 3,500 ns, of which no part is lost between two increments.
    f.test.metric("busy").assert_unit(Unit::Microseconds).assert_sum(3.0);
    f.test.metric("sent").assert_unit(Unit::Bytes).assert_sum(3072.0);
    f.test.metric("used").assert_unit(Unit::Bytes).assert_max(1_610_612_736.0);
    f.test.metric("took").assert_unit(Unit::Microseconds).assert_max(1234.567);
    f.test.metric("load").assert_unit(Unit::Percent).assert_max(98.6);
    f.test.metric("plain").assert_unit(Unit::None).assert_count(2.0);
}

#[test]
fn every_unit_of_the_facade_has_one_of_cloudwatch() {
    let measured = |unit: Theirs| {
        let Measure { unit, scale } = unit.into();
        (unit, scale.apply(1.0))
    };
    for (theirs, expected) in [
        (Theirs::Count, (Unit::Count, 1.0)),
        (Theirs::Percent, (Unit::Percent, 1.0)),
        (Theirs::Seconds, (Unit::Seconds, 1.0)),
        (Theirs::Milliseconds, (Unit::Milliseconds, 1.0)),
        (Theirs::Microseconds, (Unit::Microseconds, 1.0)),
        (Theirs::Nanoseconds, (Unit::Microseconds, 0.001)),
        (Theirs::Tebibytes, (Unit::Bytes, 1_099_511_627_776.0)),
        (Theirs::Gibibytes, (Unit::Bytes, 1_073_741_824.0)),
        (Theirs::Mebibytes, (Unit::Bytes, 1_048_576.0)),
        (Theirs::Kibibytes, (Unit::Bytes, 1024.0)),
        (Theirs::Bytes, (Unit::Bytes, 1.0)),
        (Theirs::TerabitsPerSecond, (Unit::TerabitsPerSecond, 1.0)),
        (Theirs::GigabitsPerSecond, (Unit::GigabitsPerSecond, 1.0)),
        (Theirs::MegabitsPerSecond, (Unit::MegabitsPerSecond, 1.0)),
        (Theirs::KilobitsPerSecond, (Unit::KilobitsPerSecond, 1.0)),
        (Theirs::BitsPerSecond, (Unit::BitsPerSecond, 1.0)),
        (Theirs::CountPerSecond, (Unit::CountPerSecond, 1.0)),
    ] {
        assert_eq!(measured(theirs), expected, "{theirs:?}");
    }
}

#[test]
fn scenario_30_names_and_labels_are_made_valid() {
    let f = fixture();
    f.record(|| {
        counter!("two\nlines", "Größe" => "Zürich", ":a" => "").increment(1);
        counter!("level", "message" => "x").increment(1);
        counter!("Service").increment(1);
        counter!(" ").increment(1);
        counter!("A", " " => "x").increment(1);
        counter!("B", "Service" => "billing").increment(1);
    });
    let lines = f.test.metric("two%0Alines").dimension("Gr%C3%B6%C3%9Fe", "Z%C3%BCrich");
    lines.dimension("%3Aa", "unknown").assert_sum(1.0);
    f.test.metric("level_").dimension("message_", "x").assert_sum(1.0);
    f.test.metric("Service_").assert_sum(1.0);
    f.test.metric("A").exactly(&[("Service", "orders")]).assert_sum(1.0);
    f.test.metric("B").exactly(&[("Service", "billing")]).assert_sum(1.0);
    assert_eq!(f.test.metrics().count(), 5.0);
}

#[test]
fn scenario_24_labels_beyond_thirty_dimensions_are_left_out() {
    let f = fixture();
    let labels: Vec<_> = (0..31).map(|n| ::metrics::Label::new(format!("L{n:02}"), "x")).collect();
    f.record(|| counter!("A", labels).increment(1));
    let all = f.test.metric("A");
    all.assert_sum(1.0);
    let dimensions: Vec<usize> = all.iter().map(|metric| metric.dimensions().len()).collect();
    assert_eq!(dimensions, [30]);
    all.dimension("L28", "x").dimension("Service", "orders").assert_recorded();
    assert_eq!(f.collector.stats().dimensions_left_out, 2);
}

#[test]
fn scenario_23_values_that_cloudwatch_does_not_take_are_dropped() {
    let f = fixture();
    f.record(|| {
        for value in [f64::NAN, f64::INFINITY, 1e120] {
            gauge!("depth").set(value);
            histogram!("latency").record(value);
        }
        histogram!("latency").record(1.0);
    });
    f.test.metric("depth").assert_absent();
    assert_eq!(f.test.metric("latency").values(), [(1.0, 1.0)]);
    assert_eq!(f.collector.stats().values_out_of_range, 6);
}

#[test]
fn labels_can_be_left_out() {
    let f = fixture();
    let recorder = Recorder::new(f.collector.clone()).without_label("user").without_label("ip");
    with_local_recorder(&recorder, || {
        counter!("logins", "user" => "4711", "via" => "web").increment(1);
        counter!("logins", "user" => "4712", "via" => "web", "ip" => "::1").increment(1);
    });
    drop(f.collector.flush(LONG));
    let logins = f.test.metric("logins").exactly(&[("via", "web"), ("Service", "orders")]);
    logins.assert_sum(2.0);
    assert!(format!("{recorder:?}").contains("\"user\""));
}

#[test]
fn threads_share_the_series_of_a_key() {
    let f = fixture();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                with_local_recorder(&f.recorder, || {
                    for n in 0..500_u64 {
                        counter!("shared").increment(1);
                        counter!("greatest").absolute(n);
                        counter!("own", "n" => (n % 7).to_string()).increment(1);
                    }
                });
            });
        }
    });
    f.record(|| ());
    f.test.metric("shared").assert_sum(2000.0);
    f.test.metric("greatest").assert_sum(499.0);
    f.test.metric("own").assert_sum(2000.0);
    f.test.metric("own").dimension("n", "6").assert_sum(4.0 * 71.0);
}

#[test]
fn scenario_16_keys_beyond_the_limit_are_recorded_and_not_kept() {
    let f = fixture();
    f.record(|| {
        for n in 0..40_000_u32 {
            counter!("ids", "id" => n.to_string()).increment(1);
        }
        // Of a counter that is not kept, it is not known what it has counted before.
        for _ in 0..2 {
            counter!("ids", "id" => "39999").absolute(10);
        }
    });
    f.test.metric("ids").assert_sum(40_000.0);
    // The budget of the collector holds for what comes through the facade too.
    let budget = f64::from(u32::try_from(crate::DEFAULT_SERIES_PER_METRIC).unwrap());
    f.test.metric("ids").dimension("id", crate::OVERFLOW).assert_sum(40_000.0 - budget);
}

#[test]
fn a_disabled_collector_takes_everything_and_does_nothing() {
    let recorder = Recorder::new(MetricsCollector::disabled());
    with_local_recorder(&recorder, || {
        counter!("A").increment(1);
        gauge!("B").set(1.0);
        histogram!("C").record(1.0);
    });
}
