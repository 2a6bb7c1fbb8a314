//! EMF documents and aggregated metrics, beside metrique with its EMF formatter.
//!
//! Everything is written on the calling thread to a writer that counts its bytes: a document that
//! is skipped fails the run, and so does an allocation of ours. Before anything is measured, the
//! documents of both sides are checked by [`obs_metrics::emf::validate`] for the same metrics.

use std::cell::Cell;
use std::error::Error;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, SystemTime};

use metrique::emf::Emf;
use metrique::unit::{Count, Percent, Second};
use metrique::unit_of_work::metrics as metrique_metrics;
use metrique::writer::format::Format as _;
use metrique::writer::{EntryIoStream, FormatExt as _};
use metrique::{CloseValue as _, RootEntry};
use obs_benches::{Captured, Operation, Suite, Tally};
use obs_core::RequestContext;
use obs_metrics::emf::{Document, validate};
use obs_metrics::{MetricEvent, MetricsCollector, MetricsCollectorBuilder, Sink, Unit};

const NAMESPACE: &str = "Application/DataPipeline";
const ORDER_ID: &str = "order-4711";
const SOURCE: &str = "s3://orders/2026/11/21.json";

fn main() -> Result<(), Box<dyn Error>> {
    check_documents()?;
    let mut suite = Suite::from_args("metrics");
    document(&mut suite)?;
    queued(&mut suite)?;
    put_metric(&mut suite)?;
    handles(&mut suite)?;
    flush(&mut suite)?;
    suite.finish()?;
    Ok(())
}

/// One document of 2 dimensions, 3 metrics and 2 properties.
fn document(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    static OURS: Tally = Tally::new();
    static THEIRS: Tally = Tally::new();
    static OTHERS: Tally = Tally::new();
    let metrics = collector(Sink::writer(&OURS))?;
    // What its builder makes of itself in a release build: nothing is checked. Ours checks always.
    let mut stream = Emf::no_validations(NAMESPACE.to_owned(), vec![vec![]]).output_to(&THEIRS);
    let mut turn = false;
    suite
        .case("document")
        .ours(
            "derive",
            Operation::new(|| metrics.emit(&typed())).writes_to(&OURS).allocates_at_most(0),
        )
        .ours(
            "event(), one shape",
            Operation::new(|| one_shape(&metrics)).writes_to(&OURS).allocates_at_most(0),
        )
        .ours(
            "event(), two shapes in turn",
            Operation::new(|| {
                turn = !turn;
                if turn { one_shape(&metrics) } else { other_shape(&metrics) }
            })
            .writes_to(&OURS)
            .allocates_at_most(0),
        )
        .peer("metrique", Operation::new(|| metrique_emit(&mut stream)).writes_to(&THEIRS))
        .peer(
            "metrics_cloudwatch_embedded",
            Operation::new(|| embedded(&OTHERS)).writes_to(&OTHERS),
        )
        .done();
    Ok(())
}

/// The same document into the queue, whose own thread writes it; nothing may be dropped meanwhile.
fn queued(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    static WRITTEN: Tally = Tally::new();
    let metrics = builder(Sink::writer(&WRITTEN)).build()?;
    let lost = Cell::new(0);
    let settle = || {
        let report = metrics.flush(Duration::from_secs(10));
        lost.set(lost.get() + report.dropped() + report.failed() + report.pending());
    };
    let emit = Operation::new(|| metrics.emit(&typed())).settle(settle).allocates_at_most(0);
    suite.case("document, queued").ours("derive", emit).done();
    if lost.get() > 0 {
        return Err(format!("{} documents were lost", lost.get()).into());
    }
    Ok(())
}

/// One value of a series that is known: eight values in turn, which the series soon holds.
fn put_metric(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let metrics = collector(Sink::null())?;
    let turn = Cell::new(0_u8);
    let value = || {
        turn.set((turn.get() + 1) % 8);
        black_box(f64::from(turn.get()))
    };
    let one = || metrics.put_metric("A", value(), Unit::Count, &[("Pipeline", "sales")]);
    let two = || {
        let dimensions = [("Pipeline", "sales"), ("Region", "eu-central-1")];
        metrics.put_metric("A", value(), Unit::Count, &dimensions);
    };
    suite
        .case("put_metric")
        .ours("one dimension", Operation::new(one).allocates_at_most(0))
        .ours("two dimensions", Operation::new(two).allocates_at_most(0))
        .done();
    let _entered = RequestContext::builder().request_id("8f5c").build().enter();
    suite
        .case("put_metric in a request")
        .ours("one dimension", Operation::new(one).allocates_at_most(0))
        .done();
    Ok(())
}

/// Registered handles, alone and while another thread records into the same.
fn handles(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let metrics = collector(Sink::null())?;
    let counter = metrics.counter("Counter").register()?;
    let histogram = metrics.histogram("Histogram").register()?;
    let gauge = metrics.gauge("Gauge").register()?;
    // What the facade's handles come down to with any recorder that counts in place.
    let facade = metrics::Counter::from_arc(Arc::new(AtomicU64::new(0)));
    let turn = Cell::new(0_u32);
    // A thousand values of three decades: more than are kept exactly.
    let value = || {
        turn.set((turn.get() + 7) % 1_000);
        black_box(f64::from(turn.get()) + 0.5)
    };
    suite
        .case("counter")
        .ours("Counter::add", Operation::new(|| counter.add(black_box(1))).allocates_at_most(0))
        .peer("metrics facade", Operation::new(|| facade.increment(black_box(1))))
        .done();
    suite
        .case("gauge")
        .ours("Gauge::set", Operation::new(|| gauge.set(value())).allocates_at_most(0))
        .done();
    suite
        .case("histogram")
        .ours(
            "Histogram::record",
            Operation::new(|| histogram.record(value())).allocates_at_most(0),
        )
        .done();
    beside(
        || counter.add(black_box(1)),
        || {
            let add = Operation::new(|| counter.add(black_box(1)));
            suite.case("counter, two threads").ours("Counter::add", add).done();
        },
    );
    beside(
        || facade.increment(black_box(1)),
        || {
            let add = Operation::new(|| facade.increment(black_box(1)));
            suite.case("counter, two threads").peer("metrics facade", add).done();
        },
    );
    beside(
        || histogram.record(black_box(3.5)),
        || {
            let record = Operation::new(|| histogram.record(value()));
            suite.case("histogram, two threads").ours("Histogram::record", record).done();
        },
    );
    Ok(())
}

/// Calls `measure` while another thread does `work` without a pause.
fn beside(work: impl Fn() + Sync, measure: impl FnOnce()) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                work();
            }
        });
        measure();
        done.store(true, Ordering::Relaxed);
    });
}

/// What one of 10,000 series costs when all are flushed.
fn flush(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    const SERIES: u32 = 10_000;
    static WRITTEN: Tally = Tally::new();
    let collector = || {
        let series = SERIES as usize;
        builder(Sink::writer(&WRITTEN).synchronous())
            .series_per_metric(2 * series)
            .series_in_all(2 * series)
            .without_flush_interval()
            .build()
    };
    let all = || (0..100).flat_map(|name| (0..100).map(move |value| (name, value)));
    let names: Vec<String> = (0..100).map(|n| format!("Metric{n}")).collect();
    let values: Vec<String> = (0..100).map(|n| format!("value-{n}")).collect();
    let registered = collector()?;
    let mut histograms = Vec::new();
    for (name, value) in all() {
        let metric =
            registered.histogram(names[name].as_str()).dimension("Pipeline", &values[value]);
        histograms.push(metric.register()?);
    }
    let put = collector()?;
    let flush = |metrics: &MetricsCollector| drop(metrics.flush(Duration::from_secs(10)));
    suite
        .case("flush, for each of 10,000 series")
        .long()
        .ours(
            "registered histograms",
            Operation::new(|| flush(&registered))
                .of(SERIES)
                .prepare(|| histograms.iter().for_each(|histogram| histogram.record(12.75))),
        )
        .ours(
            "put_metric",
            Operation::new(|| flush(&put)).of(SERIES).prepare(|| {
                for (name, value) in all() {
                    let dimensions = [("Pipeline", values[value].as_str())];
                    put.put_metric(&names[name], 12.75, Unit::Milliseconds, &dimensions);
                }
            }),
        )
        .done();
    Ok(())
}

fn builder(sink: Sink) -> MetricsCollectorBuilder {
    MetricsCollector::builder().namespace(NAMESPACE).service("orders").sink(sink).enabled(true)
}

fn collector(sink: Sink) -> Result<MetricsCollector, obs_metrics::Error> {
    builder(sink.synchronous()).build()
}

/// The same document as a type.
#[derive(MetricEvent)]
struct Typed {
    #[metric(dimension)]
    pipeline: &'static str,
    #[metric(unit = Seconds)]
    processing_duration: f64,
    #[metric(unit = Count)]
    processed_records: u64,
    #[metric(unit = Percent)]
    data_quality_score: f64,
    #[metric(property)]
    order_id: &'static str,
    #[metric(property)]
    source: &'static str,
}

fn typed() -> Typed {
    Typed {
        pipeline: black_box("sales"),
        processing_duration: black_box(1.275),
        processed_records: black_box(250),
        data_quality_score: black_box(98.6),
        order_id: black_box(ORDER_ID),
        source: black_box(SOURCE),
    }
}

fn one_shape(metrics: &MetricsCollector) {
    let mut work = metrics.event();
    work.dimension("Pipeline", black_box("sales"));
    work.put("ProcessingDuration", black_box(1.275), Unit::Seconds);
    work.put("ProcessedRecords", black_box(250.0), Unit::Count);
    work.put("DataQualityScore", black_box(98.6), Unit::Percent);
    work.property("OrderId", black_box(ORDER_ID));
    work.property("Source", black_box(SOURCE));
    work.emit();
}

/// The same content under other names.
fn other_shape(metrics: &MetricsCollector) {
    let mut work = metrics.event();
    work.dimension("Endpoint", black_box("sales"));
    work.put("ValidationDuration", black_box(1.275), Unit::Seconds);
    work.put("ValidatedRecords", black_box(250.0), Unit::Count);
    work.put("ValidationScore", black_box(98.6), Unit::Percent);
    work.property("BatchId", black_box(ORDER_ID));
    work.property("Object", black_box(SOURCE));
    work.emit();
}

/// The same document as metrique's users declare it.
#[metrique_metrics(emf::dimension_sets = [["Service", "Pipeline"]], rename_all = "PascalCase")]
struct Processed {
    #[metrics(timestamp)]
    timestamp: SystemTime,
    service: &'static str,
    pipeline: &'static str,
    #[metrics(unit = Second)]
    processing_duration: f64,
    #[metrics(unit = Count)]
    processed_records: u64,
    #[metrics(unit = Percent)]
    data_quality_score: f64,
    order_id: &'static str,
    source: &'static str,
}

fn processed() -> Processed {
    Processed {
        timestamp: SystemTime::now(),
        service: "orders",
        pipeline: black_box("sales"),
        processing_duration: black_box(1.275),
        processed_records: black_box(250),
        data_quality_score: black_box(98.6),
        order_id: black_box(ORDER_ID),
        source: black_box(SOURCE),
    }
}

/// Straight into the stream, without the sink that metrique's users put before it: its best case.
fn metrique_emit(stream: &mut impl EntryIoStream) {
    // What goes wrong shows in the count of lines.
    let _counted = stream.next(&RootEntry::new(processed().close()));
}

/// The same document through the `metrics` facade; its handles are made once, as its users do.
fn embedded(to: &Tally) {
    static THEIRS: LazyLock<Embedded> = LazyLock::new(Embedded::new);
    let theirs = &*THEIRS;
    theirs.duration.record(black_box(1.275));
    theirs.records.increment(black_box(250));
    theirs.score.set(black_box(98.6));
    theirs.collector.set_property("OrderId", black_box(ORDER_ID));
    theirs.collector.set_property("Source", black_box(SOURCE));
    let _counted = theirs.collector.flush(to);
}

struct Embedded {
    collector: &'static metrics_cloudwatch_embedded::Collector,
    duration: metrics::Histogram,
    records: metrics::Counter,
    score: metrics::Gauge,
}

impl Embedded {
    #[expect(
        clippy::expect_used,
        reason = "a program that cannot measure the peer says so and ends"
    )]
    fn new() -> Self {
        let builder = metrics_cloudwatch_embedded::Builder::new()
            .cloudwatch_namespace(NAMESPACE)
            .with_dimension("Service", "orders");
        let collector = builder.init().expect("no other recorder is set");
        metrics::describe_histogram!("ProcessingDuration", metrics::Unit::Seconds, "");
        metrics::describe_counter!("ProcessedRecords", metrics::Unit::Count, "");
        metrics::describe_gauge!("DataQualityScore", metrics::Unit::Percent, "");
        Self {
            collector,
            duration: metrics::histogram!("ProcessingDuration", "Pipeline" => "sales"),
            records: metrics::counter!("ProcessedRecords", "Pipeline" => "sales"),
            score: metrics::gauge!("DataQualityScore", "Pipeline" => "sales"),
        }
    }
}

/// Both sides' documents are valid EMF and hold the same metrics.
fn check_documents() -> Result<(), Box<dyn Error>> {
    let captured = Captured::default();
    let metrics = collector(Sink::writer(captured.clone()))?;
    metrics.emit(&typed());
    one_shape(&metrics);
    other_shape(&metrics);
    let mut theirs = Vec::new();
    Emf::all_validations(NAMESPACE.to_owned(), vec![vec![]])
        .format(&RootEntry::new(processed().close()), &mut theirs)?;
    let theirs = String::from_utf8(theirs)?;

    let text = captured.text();
    let [derived, ours, other] = text.lines().collect::<Vec<_>>()[..] else {
        return Err(format!("three documents were expected: {text}").into());
    };
    // Ours is the log line of that work too: its level and message are content that theirs has not.
    let line = r#""level":"INFO","message":"metrics","#;
    for ours in [derived, ours] {
        if ours.len() - line.len() > theirs.trim_end().len() {
            return Err(format!("longer than theirs for the same content: {ours}\n{theirs}").into());
        }
    }
    let [derived, ours, other, theirs] = [
        contents(&validate(derived)?),
        contents(&validate(ours)?),
        contents(&validate(other)?),
        contents(&validate(theirs.trim_end())?),
    ];
    if ours != theirs || derived != theirs || other.len() != ours.len() {
        return Err(format!("the documents differ: {ours:?} {other:?} {theirs:?}").into());
    }
    Ok(())
}

/// Each metric with its unit, values and dimensions, in an order that does not depend on the
/// writer's.
fn contents(document: &Document) -> Vec<String> {
    let mut metrics: Vec<_> = document
        .metrics()
        .map(|metric| {
            let mut dimensions: Vec<_> = metric.dimensions().collect();
            dimensions.sort_unstable();
            let values = metric.values();
            format!("{} {:?} {values:?} {dimensions:?}", metric.name(), metric.unit())
        })
        .collect();
    metrics.sort_unstable();
    metrics
}
