//! Whichever way an event takes to its document, the text is the same: the long way, between the
//! rendered pieces of a known shape, and straight from a type's fields.

use proptest::prelude::*;

use super::*;
use crate::MetricsCollector;
use crate::capture::Capture;

#[derive(Clone, Debug)]
struct Anything {
    pipeline: String,
    region: Option<String>,
    duration: f64,
    records: u64,
    text: String,
    retries: i64,
    ratio: f64,
    cached: bool,
}

impl MetricEvent for Anything {
    fn shape(&self) -> &'static Shape {
        static SHAPE: Shape = Shape::new(&[
            Field::Dimension("Pipeline"),
            Field::Dimension("Region"),
            Field::Metric("ProcessingDuration", Unit::Seconds, Resolution::Standard),
            Field::Metric("Records", Unit::Count, Resolution::High),
            Field::Property("A property whose key is longer than one step of a piece"),
            Field::Property("Retries"),
            Field::Property("q"),
            Field::Property("password"),
        ])
        .with_dimension_sets(&[&[], &["Region", "Pipeline"], &["Pipeline"], &["Service"]]);
        &SHAPE
    }

    fn write(&self, fields: &mut Fields<'_>) {
        fields.dimension(&self.pipeline);
        fields.dimension(&self.region);
        fields.metric(&self.duration);
        fields.metric(&self.records);
        fields.property(&self.text);
        fields.property(&self.retries);
        fields.property(&self.ratio);
        fields.property(&self.cached);
    }
}

impl Anything {
    fn emit_by_hand(&self, metrics: &MetricsCollector) {
        let mut event = metrics.event();
        for set in self.shape().dimension_sets {
            event.dimension_set(set);
        }
        self.tell(&mut event);
    }

    /// As [`emit_by_hand`](Self::emit_by_hand), without sets: only such events have a shape.
    fn emit_plainly(&self, metrics: &MetricsCollector) {
        self.tell(&mut metrics.event());
    }

    fn tell(&self, event: &mut crate::Event) {
        event.dimension("Pipeline", &self.pipeline);
        if let Some(region) = &self.region {
            event.dimension("Region", region);
        }
        event.put("ProcessingDuration", self.duration, Unit::Seconds);
        event.put_high_resolution("Records", self.records as f64, Unit::Count);
        event.property("A property whose key is longer than one step of a piece", &self.text);
        event.property("Retries", self.retries).property("q", self.ratio);
        event.property("password", self.cached);
    }
}

/// Emits `events` in turn, thrice each, in all ways.
fn check(events: &[Anything]) {
    let (by_hand, typed) = (Capture::default(), Capture::default());
    let plainly = Capture::default();
    let with_sets = |capture: &Capture| {
        let builder = capture.builder().dimension_set(&[]).dimension_set(&["Service", "Region"]);
        builder.dimension_set(&["Misspelt"]).build().unwrap()
    };
    let (hand, types) = (with_sets(&by_hand), with_sets(&typed));
    let plain = with_sets(&plainly);
    let (mut expected, mut expected_plainly) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        for event in events {
            // A collector that has seen nothing knows no shape.
            let long = Capture::default();
            let metrics = with_sets(&long);
            event.emit_by_hand(&metrics);
            // Before the collector's end, which says what was dropped.
            expected.extend(long.lines());
            let long = Capture::default();
            let metrics = with_sets(&long);
            event.emit_plainly(&metrics);
            expected_plainly.extend(long.lines());
            event.emit_plainly(&plain);
            event.emit_by_hand(&hand);
            types.emit(event);
        }
    }
    assert_eq!(expected.len(), 3 * events.len());
    assert_eq!(by_hand.lines(), expected);
    assert_eq!(typed.lines(), expected);
    assert_eq!(plainly.lines(), expected_plainly);
    assert_eq!(hand.stats().dimensions_left_out, types.stats().dimensions_left_out);
}

/// Mostly what values are in practice; all lengths at which they are copied differently.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9/.-]{1,70}", "[ -~]{0,80}", "\\PC{0,20}", ".{0,9}", Just("x".repeat(1030))]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-2_000_000..2_000_000).prop_map(|n| f64::from(n) / 1000.0),
        (-2_000_000..2_000_000).prop_map(f64::from),
        (-2_000_000..2_000_000).prop_map(|n| f64::from(n) / 1e5),
        any::<f64>(),
        Just(-0.0),
    ]
}

fn anything() -> impl Strategy<Value = Anything> {
    let records = prop_oneof![0..2000_u64, any::<u64>()];
    let retries = prop_oneof![-2000..2000_i64, any::<i64>()];
    let dimensions = (text(), prop::option::of(text()));
    (dimensions, number(), records, text(), retries, number(), any::<bool>()).prop_map(
        |((pipeline, region), duration, records, text, retries, ratio, cached)| Anything {
            pipeline,
            region,
            duration,
            records,
            text,
            retries,
            ratio,
            cached,
        },
    )
}

proptest! {
    #[test]
    fn the_text_of_an_event_is_the_same_whichever_way_it_takes(
        events in prop::collection::vec(anything(), 1..4),
    ) {
        check(&events);
    }
}
