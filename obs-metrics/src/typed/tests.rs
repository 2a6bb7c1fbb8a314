//! What typed events write, here written by hand as the derive expands.

use std::time::Duration;

use super::*;
use crate::capture::Capture;

struct Processed<'a> {
    pipeline: &'a str,
    duration: Duration,
    records: Option<u64>,
    sizes: Vec<f64>,
    order_id: String,
}

impl MetricEvent for Processed<'_> {
    fn shape(&self) -> &'static Shape {
        static SHAPE: Shape = Shape::new(&[
            Field::Dimension("Pipeline"),
            Field::Metric("Duration", Unit::Milliseconds, Resolution::Standard),
            Field::Metric("Records", Unit::Count, Resolution::Standard),
            Field::Metric("Sizes", Unit::Bytes, Resolution::Standard),
            Field::Property("OrderId"),
        ])
        .with_message("order processed");
        &SHAPE
    }

    fn write(&self, fields: &mut Fields<'_>) {
        fields.dimension(&self.pipeline);
        fields.metric(&self.duration);
        fields.metric(&self.records);
        fields.metric(&self.sizes);
        fields.property(&self.order_id);
    }
}

fn processed(records: Option<u64>) -> Processed<'static> {
    Processed {
        pipeline: "sales",
        duration: Duration::from_micros(1_275),
        records,
        sizes: vec![1.0, 2.0],
        order_id: "4711".to_owned(),
    }
}

#[test]
fn a_typed_event_is_a_document() {
    let capture = Capture::default();
    capture.collector().emit(&processed(Some(250)));
    capture.documents();
    insta::assert_snapshot!(capture.text(), @r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"App","Dimensions":[["Service","Pipeline"]],"Metrics":[{"Name":"Duration","Unit":"Milliseconds"},{"Name":"Records","Unit":"Count"},{"Name":"Sizes","Unit":"Bytes"}]}]},"level":"INFO","message":"order processed","Service":"orders","Pipeline":"sales","Duration":1.275,"Records":250,"Sizes":[1,2],"OrderId":"4711"}"#);
}

#[test]
fn scenario_41_secrets_in_properties_are_replaced() {
    let capture = Capture::default();
    let metrics = capture.builder().redact(obs_core::Redactor::standard()).build().unwrap();
    // The first time the series is new; the second time the line is written at once.
    for _ in 0..2 {
        let order_id = "order of jane@example.com".to_owned();
        metrics.emit(&Processed { order_id, sizes: vec![1.0], ..processed(Some(250)) });
    }
    let lines = capture.lines();
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert!(line.contains(r#""OrderId":"order of [REDACTED]"}"#), "{line}");
    }
}

#[test]
fn what_is_absent_is_left_out() {
    let capture = Capture::default();
    capture.collector().emit(&processed(None));
    let values = capture.values();
    let names: Vec<_> = values.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Duration", "Sizes"]);
}
