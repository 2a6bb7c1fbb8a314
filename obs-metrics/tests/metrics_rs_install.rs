//! The recorder of the process: there is one, so this test has a process of its own.

#![cfg(feature = "metrics-rs")]

use std::time::Duration;

use obs_metrics::metrics_rs::Recorder;
use obs_metrics::test::TestSink;
use obs_metrics::{Error, MetricsCollector};

#[test]
fn the_first_recorder_of_a_process_stays() -> Result<(), Error> {
    let (first, second) = (TestSink::new(), TestSink::new());
    let collector = |test: &TestSink| {
        MetricsCollector::builder().service("orders").sink(test.sink()).enabled(true).build()
    };
    let metrics = collector(&first)?;
    assert!(Recorder::new(metrics.clone()).install().is_ok());
    let refused = Recorder::new(collector(&second)?).install();
    assert!(refused.is_err_and(|error| error.to_string().contains("already")));

    metrics::counter!("http.requests").increment(1);
    std::thread::scope(|scope| {
        scope.spawn(|| metrics::counter!("http.requests").increment(2));
    });
    assert!(metrics.flush(Duration::from_secs(10)).is_complete());
    first.metric("http.requests").assert_sum(3.0);
    assert!(second.lines().is_empty());
    Ok(())
}
