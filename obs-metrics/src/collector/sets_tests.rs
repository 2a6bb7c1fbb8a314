//! Further dimension sets, on every way from a recording to a document, a series and the preview.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use obs_core::RequestContext;
use obs_core::lane::{Delivery, Records, Sink as LaneSink};

use super::lock;
use crate::capture::Capture;
use crate::datum::Datum;
use crate::{MetricsCollector, MetricsCollectorBuilder, Sink, Unit};

const LONG: Duration = Duration::from_secs(10);

/// A collector with the set of its service, one that only some metrics have, and one that none has.
fn with_sets(builder: MetricsCollectorBuilder) -> MetricsCollectorBuilder {
    builder
        .dimension_set(&["Service"])
        .dimension_set(&["Region", "Service"])
        .dimension_set(&["Service", "Misspelt"])
        .dimension_set(&["Service"])
}

/// The `Dimensions` of each directive of each line; all lines are valid.
fn sets(capture: &Capture) -> Vec<String> {
    capture.documents();
    let sets = capture.lines().into_iter().flat_map(|line| {
        let found = line.split(r#""Dimensions":"#).skip(1);
        found.map(|rest| rest.split(r#","Metrics""#).next().unwrap().to_owned()).collect::<Vec<_>>()
    });
    sets.collect()
}

#[test]
fn what_is_put_has_the_collectors_sets() {
    let capture = Capture::default();
    let metrics = with_sets(capture.builder()).build().unwrap();
    metrics.put_metric("A", 250.0, Unit::Count, &[("Pipeline", "sales")]);
    drop(metrics.flush(LONG));
    metrics.put_metric("A", 250.0, Unit::Count, &[("Region", "x"), ("Pipeline", "sales")]);
    drop(metrics.flush(LONG));
    metrics.put_metric("A", 250.0, Unit::Count, &[]);
    drop(metrics.flush(LONG));
    metrics.single_metric("A", 1.0, Unit::Count, &[("Service", "orders"), ("Pipeline", "sales")]);
    let context = RequestContext::builder().build();
    let entered = context.enter();
    metrics.put_metric("A", 250.0, Unit::Count, &[("Pipeline", "sales")]);
    drop(entered);
    metrics.finish_invocation(&context);
    assert_eq!(
        sets(&capture),
        [
            r#"[["Pipeline","Service"],["Service"]]"#,
            r#"[["Pipeline","Region","Service"],["Service"],["Region","Service"]]"#,
            r#"[["Service"]]"#,
            r#"[["Service","Pipeline"]]"#,
            r#"[["Pipeline","Service"],["Service"]]"#,
        ]
    );
    // What only some metrics have is not missing in the others.
    assert_eq!(metrics.stats().dimensions_left_out, 0);
}

#[test]
fn an_event_has_the_collectors_sets_and_its_own() {
    let capture = Capture::default();
    let metrics = with_sets(capture.builder()).build().unwrap();
    let known = r#"[["Service","Pipeline"],["Service"]]"#;
    for _ in 0..3 {
        metrics.event().dimension("Pipeline", "sales").put("A", 1.0, Unit::Count);
    }
    assert_eq!(sets(&capture), [known; 3]);
    let own: [&[&str]; 6] = [
        &["Pipeline", "Pipeline"],
        &["Service"],
        &["Pipeline", "Service"],
        &[],
        &["Pipeline", "Pipline"],
        &[],
    ];
    for round in 1..3 {
        let mut event = metrics.event();
        event.dimension("Pipeline", "sales").put("A", 1.0, Unit::Count);
        for set in own {
            event.dimension_set(set);
        }
        drop(event);
        let found = sets(&capture);
        let expected = r#"[["Service","Pipeline"],["Service"],["Pipeline"],[]]"#;
        assert_eq!(found.last().unwrap(), expected);
        assert_eq!(metrics.stats().dimensions_left_out, round);
    }
    // As a part of its invocation's document, and the long way.
    let context = RequestContext::builder().build();
    let entered = context.enter();
    metrics.event().dimension("Pipeline", "sales").dimension_set(&[]).put("B", 1.0, Unit::Count);
    drop(entered);
    metrics.finish_invocation(&context);
    let mut event = metrics.event();
    event.dimension("Pipeline", "sales").dimension_set(&[]).dimension_set(&["x"]);
    event.put("C", 1.0, Unit::Count).property("C", 2);
    drop(event);
    let found = sets(&capture);
    assert_eq!(found[5], r#"[["Pipeline","Service"],["Service"],[]]"#);
    assert_eq!(found[6], r#"[["Pipeline","Service"],["Service"],[]]"#);
    assert_eq!(metrics.stats().dimensions_left_out, 3);
}

#[test]
fn a_set_names_a_dimension_as_it_was_given_though_its_name_is_made_valid() {
    let capture = Capture::default();
    let metrics = capture.collector();
    metrics.event().dimension("größe", "1").dimension_set(&["größe"]).put("A", 1.0, Unit::Count);
    assert_eq!(sets(&capture), [r#"[["Service","gr%C3%B6%C3%9Fe"],["gr%C3%B6%C3%9Fe"]]"#]);
    assert_eq!(metrics.stats().dimensions_left_out, 0);
}

#[test]
fn a_handle_has_the_collectors_sets_and_its_own() {
    let capture = Capture::default();
    let metrics = with_sets(capture.builder()).build().unwrap();
    let counter = || metrics.counter("A").dimension("Pipeline", "sales");
    counter().dimension_set(&["Pipeline"]).dimension_set(&["Service"]).register().unwrap().add(1);
    drop(metrics.flush(LONG));
    assert_eq!(sets(&capture), [r#"[["Pipeline","Service"],["Service"],["Pipeline"]]"#]);
    let refused = counter().dimension_set(&[]).dimension_set(&["Service", "Pipline"]).register();
    let error = refused.unwrap_err();
    assert!(error.is_dimension(), "{error}");
    assert!(error.to_string().contains("\"Pipline\""), "{error}");
}

#[test]
fn scenario_16_overflow_series_have_the_sets_too() {
    let capture = Capture::default();
    let builder = with_sets(capture.builder()).series_limit("A", 1).series_limit("B", 1);
    let metrics = builder.build().unwrap();
    for id in ["a", "b", "c"] {
        metrics.put_metric("A", 1.0, Unit::Count, &[("Id", id)]);
        metrics.event().dimension("Id", id).dimension_set(&["Id"]).put("B", 1.0, Unit::Count);
    }
    drop(metrics.flush(LONG));
    // The line that says which metrics are in overflow has no directive.
    let found = sets(&capture);
    assert_eq!(found[0], r#"[["Service","Id"],["Service"],["Id"]]"#);
    assert_eq!(found[1..3], [r#"[["Id","Service"],["Service"],["Id"]]"#; 2]);
    assert_eq!(found[3..], [r#"[["Id","Service"],["Service"]]"#; 2]);
    let values: Vec<_> = capture.values().into_iter().filter(|(name, _)| name == "A").collect();
    assert_eq!(values.len(), 4, "{values:?}");
    let shown = |name: &str| {
        let preview = metrics.preview();
        let series = preview.series().filter(|series| series.name() == name);
        let series = series.map(|series| {
            let pairs: Vec<_> = series.dimensions().map(|(k, v)| format!("{k}={v}")).collect();
            format!("{}{}", pairs.join(","), if series.is_overflow() { " over" } else { "" })
        });
        series.collect::<Vec<_>>()
    };
    assert_eq!(
        shown("A"),
        ["Id=__overflow__,Service=orders over", "Id=a,Service=orders", "Service=orders"]
    );
    assert_eq!(
        shown("B"),
        [
            "Id=__overflow__ over",
            "Id=__overflow__,Service=orders over",
            "Id=a",
            "Id=a,Service=orders",
            "Service=orders",
        ]
    );
}

#[test]
fn each_set_is_a_series_of_the_preview_once() {
    let capture = Capture::default();
    let metrics = capture.builder().dimension_set(&["Service"]).build().unwrap();
    for pipeline in ["sales", "stock"] {
        metrics.put_metric("A", 1.0, Unit::Count, &[("Pipeline", pipeline)]);
    }
    // Two pipelines, and the service.
    assert_eq!(metrics.preview().len(), 3);
    assert_eq!(format!("{:.2}", metrics.preview().monthly_cost()), "0.90");
    metrics.put_metric("A", 1.0, Unit::Bytes, &[]);
    assert_eq!(metrics.preview().len(), 3);
    // Known without sets; with one, that one is new, however it is recorded.
    let event = || {
        let mut event = metrics.event();
        event.dimension("Pipeline", "sales").put("A", 1.0, Unit::Count);
        event
    };
    drop(event());
    assert_eq!(metrics.preview().len(), 3);
    event().dimension_set(&[]);
    assert_eq!(metrics.preview().len(), 4);
    event().dimension_set(&["Pipeline"]);
    assert_eq!(metrics.preview().len(), 5);
    let counter = metrics.counter("A").dimension("Pipeline", "stock");
    counter.dimension_set(&["Pipeline"]).register().unwrap().add(1);
    assert_eq!(metrics.preview().len(), 6);
    assert_eq!(metrics.preview().series().count(), 6);
    let units = |pairs: &[(&str, &str)]| {
        let preview = metrics.preview();
        let series = preview.series().find(|series| series.dimensions().eq(pairs.iter().copied()));
        series.unwrap().units().collect::<Vec<_>>()
    };
    assert_eq!(units(&[("Service", "orders")]), [Unit::Bytes, Unit::Count]);
    assert_eq!(units(&[]), [Unit::Count]);
}

#[test]
fn scenario_16_sets_count_in_the_budget() {
    let capture = Capture::default();
    let builder = capture.builder().dimension_set(&["Service"]).series_per_metric(3);
    let metrics = builder.build().unwrap();
    for id in ["a", "b", "c", "a"] {
        metrics.put_metric("A", 1.0, Unit::Count, &[("Id", id)]);
    }
    // Two of the ids and the service; then the overflow series.
    assert_eq!((metrics.stats().values_in_overflow, metrics.preview().len()), (1, 4));
}

/// Keeps what it is given.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Datum>>>);

impl LaneSink<Records<Datum>> for Kept {
    fn deliver(&mut self, batch: &mut Records<Datum>, delivery: &Delivery<'_>) {
        let data: Vec<_> = batch.drain().collect();
        delivery.delivered(data.len());
        lock(&self.0).extend(data);
    }
}

impl Kept {
    fn collector(&self, builder: MetricsCollectorBuilder) -> MetricsCollector {
        let kept = self.clone();
        builder.sink(Sink::series("kept", |lane, _| Ok(lane.start(kept)))).build().unwrap()
    }

    /// What came with a flush: name, how many values, dimensions and further sets of each series.
    fn flushed(&self, metrics: &MetricsCollector) -> Vec<String> {
        assert!(metrics.flush(LONG).is_complete());
        let data = std::mem::take(&mut *lock(&self.0));
        let shown = data.iter().map(|Datum { key, values, .. }| {
            let names: Vec<_> = key.dimensions.iter().map(|(name, _)| name).collect();
            let count: u64 = values.iter().map(|(_, count)| count).sum();
            format!("{} {count} {names:?} {:?}", key.name, key.dimensions.rollups_by_name())
        });
        shown.collect()
    }
}

#[test]
fn sinks_of_series_get_the_sets() {
    let (kept, capture) = (Kept::default(), Capture::default());
    let metrics = kept.collector(with_sets(capture.builder()));
    metrics.put_metric("P", 1.0, Unit::Count, &[("Pipeline", "sales")]);
    for _ in 0..2 {
        let mut event = metrics.event();
        event.dimension("Pipeline", "sales").put("E", 1.0, Unit::Count);
        drop(event);
        let mut event = metrics.event();
        event.dimension("Pipeline", "sales").dimension_set(&[]).dimension_set(&["Pipline"]);
        event.put("E", 1.0, Unit::Count);
        drop(event);
    }
    let mut found = kept.flushed(&metrics);
    found.sort();
    assert_eq!(
        found,
        [
            r#"E 2 ["Pipeline", "Service"] [["Service"], []]"#.to_owned(),
            r#"E 2 ["Pipeline", "Service"] [["Service"]]"#.to_owned(),
            r#"P 1 ["Pipeline", "Service"] [["Service"]]"#.to_owned(),
        ]
    );
    assert_eq!(metrics.stats().dimensions_left_out, 2);
}

#[test]
fn scenario_16_single_metrics_in_overflow_are_one_series_and_all_counted() {
    let (kept, capture) = (Kept::default(), Capture::default());
    let metrics = kept.collector(capture.builder().series_per_metric(1));
    metrics.single_metric("A", 1.0, Unit::Count, &[("Id", "a")]);
    for id in ["b", "c"] {
        metrics.single_metric("A", 1.0, Unit::Count, &[("Id", id)]);
        metrics.put_metric("A", 1.0, Unit::Count, &[("Id", id)]);
        let mut event = metrics.event();
        event.dimension("Id", id);
        for _ in 0..5 {
            event.put("B", 1.0, Unit::Count);
        }
    }
    // Five values of one event came to the overflow series of B, and two and two to that of A.
    assert_eq!(metrics.stats().values_in_overflow, 9);
    let mut found = kept.flushed(&metrics);
    found.sort();
    assert_eq!(
        found,
        [
            r#"A 1 ["Id"] []"#,
            r#"A 2 ["Id", "Service"] []"#,
            r#"A 2 ["Id"] []"#,
            r#"B 5 ["Id", "Service"] []"#,
            r#"B 5 ["Id", "Service"] []"#,
        ]
    );
}
