//! `#[derive(MetricEvent)]` through the facade.

#![cfg(feature = "metrics")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use obs::metrics::{Sink, Unit, emf};
use obs::prelude::{MetricEvent, MetricsCollector};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Written with the path that the derive finds for a user who depends on `obs` alone.
#[derive(MetricEvent)]
#[metric(crate = obs::__private::obs_metrics)]
struct OrderProcessed<T> {
    #[metric(dimension)]
    pipeline: &'static str,
    #[metric(unit = Seconds)]
    processing_duration: T,
    #[metric(property)]
    order_id: String,
}

#[test]
fn a_struct_is_a_document_for_users_of_the_facade_too() {
    let lines = Lines::default();
    let metrics = MetricsCollector::builder()
        .namespace("App")
        .without_service()
        .sink(Sink::writer(lines.clone()).synchronous())
        .enabled(true)
        .build()
        .unwrap();
    metrics.emit(&OrderProcessed {
        pipeline: "sales",
        processing_duration: 1.275,
        order_id: "4711".to_owned(),
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let document = emf::validate(&text).unwrap();
    let metric = document.metrics().next().unwrap();
    assert_eq!((metric.name(), metric.unit()), ("ProcessingDuration", Unit::Seconds));
    assert_eq!((metric.sum(), metric.dimension("Pipeline")), (1.275, Some("sales")));
    assert!(text.contains(r#""OrderId":"4711""#), "{text}");
}
