//! EMF documents and aggregated metrics, beside metrique with its EMF formatter.
//!
//! Everything is written on the calling thread to a writer that counts its bytes: a document that
//! is skipped fails the run, and so does an allocation of ours. Before anything is measured, the
//! documents of both sides are checked by [`obs_metrics::emf::validate`] for the same metrics.

use std::error::Error;
use std::hint::black_box;
use std::time::SystemTime;

use metrique::emf::Emf;
use metrique::unit::{Count, Percent, Second};
use metrique::unit_of_work::metrics;
use metrique::writer::format::Format as _;
use metrique::writer::{EntryIoStream, FormatExt as _};
use metrique::{CloseValue as _, RootEntry};
use obs_benches::{Captured, Operation, Suite, Tally};
use obs_metrics::emf::{Document, validate};
use obs_metrics::{MetricsCollector, Sink, Unit};

const NAMESPACE: &str = "Application/DataPipeline";
const ORDER_ID: &str = "order-4711";
const SOURCE: &str = "s3://orders/2026/11/21.json";

fn main() -> Result<(), Box<dyn Error>> {
    check_documents()?;
    let mut suite = Suite::from_args("metrics");
    document(&mut suite)?;
    put_metric(&mut suite)?;
    suite.finish()?;
    Ok(())
}

/// One document of 2 dimensions, 3 metrics and 2 properties.
fn document(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    static OURS: Tally = Tally::new();
    static THEIRS: Tally = Tally::new();
    let metrics = collector(Sink::writer(&OURS))?;
    // What its builder makes of itself in a release build: nothing is checked. Ours checks always.
    let mut stream = Emf::no_validations(NAMESPACE.to_owned(), vec![vec![]]).output_to(&THEIRS);
    let mut turn = false;
    let _case = suite
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
        .peer("metrique", Operation::new(|| metrique_emit(&mut stream)).writes_to(&THEIRS));
    Ok(())
}

/// One value of a series that is known: eight values in turn, which the series soon holds.
fn put_metric(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let metrics = collector(Sink::null())?;
    let mut n = 0_u8;
    let mut value = move || {
        n = (n + 1) % 8;
        f64::from(n)
    };
    let one = Operation::new(|| {
        let value = black_box(value());
        metrics.put_metric("ProcessedRecords", value, Unit::Count, &[("Pipeline", "sales")]);
    });
    let _case = suite.case("put_metric").ours("one dimension", one.allocates_at_most(0));
    Ok(())
}

fn collector(sink: Sink) -> Result<MetricsCollector, obs_metrics::Error> {
    MetricsCollector::builder()
        .namespace(NAMESPACE)
        .service("orders")
        .sink(sink.synchronous())
        .enabled(true)
        .build()
}

struct Typed {
    pipeline: &'static str,
    processing_duration: f64,
    processed_records: u64,
    data_quality_score: f64,
    order_id: &'static str,
    source: &'static str,
}
impl obs_metrics::MetricEvent for Typed {
    fn shape(&self) -> &'static obs_metrics::__private::Shape {
        use obs_metrics::__private::{Field, Shape};
        static SHAPE: Shape = Shape::new(&[
            Field::Dimension("Pipeline"),
            Field::Metric("ProcessingDuration", Unit::Seconds, obs_metrics::Resolution::Standard),
            Field::Metric("ProcessedRecords", Unit::Count, obs_metrics::Resolution::Standard),
            Field::Metric("DataQualityScore", Unit::Percent, obs_metrics::Resolution::Standard),
            Field::Property("OrderId"),
            Field::Property("Source"),
        ]);
        &SHAPE
    }
    fn write(&self, f: &mut obs_metrics::__private::Fields<'_>) {
        f.dimension(&self.pipeline);
        f.metric(&self.processing_duration);
        f.metric(&self.processed_records);
        f.metric(&self.data_quality_score);
        f.property(&self.order_id);
        f.property(&self.source);
    }
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
#[metrics(emf::dimension_sets = [["Service", "Pipeline"]], rename_all = "PascalCase")]
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

/// Both sides' documents are valid EMF and hold the same metrics.
fn check_documents() -> Result<(), Box<dyn Error>> {
    let captured = Captured::default();
    let metrics = collector(Sink::writer(captured.clone()))?;
    one_shape(&metrics);
    other_shape(&metrics);
    let mut theirs = Vec::new();
    Emf::all_validations(NAMESPACE.to_owned(), vec![vec![]])
        .format(&RootEntry::new(processed().close()), &mut theirs)?;
    let theirs = String::from_utf8(theirs)?;

    let text = captured.text();
    let [ours, other] = text.lines().collect::<Vec<_>>()[..] else {
        return Err(format!("two documents were expected: {text}").into());
    };
    let [ours, other, theirs] = [
        contents(&validate(ours)?),
        contents(&validate(other)?),
        contents(&validate(theirs.trim_end())?),
    ];
    if ours != theirs || other.len() != ours.len() {
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
