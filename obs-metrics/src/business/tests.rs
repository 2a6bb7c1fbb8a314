//! The key figures, as they arrive.

use std::collections::BTreeMap;

use super::*;
use crate::capture::Capture;

const LONG: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);

/// What `record` makes of a tracker: `Name sum Unit dimension`, and how many values were refused.
fn recorded(record: impl FnOnce(&BusinessMetricsTracker)) -> (Vec<String>, u64) {
    let capture = Capture::default();
    let metrics = capture.builder().without_service().build().unwrap();
    record(&BusinessMetricsTracker::new(metrics.clone()));
    drop(metrics.flush(LONG));
    let found = capture.documents().into_iter().flat_map(|document| {
        let line = |metric: crate::emf::Metric<'_>| {
            let dimensions = metric.dimensions().map(|(name, value)| format!("{name}={value}"));
            let dimensions: Vec<_> = dimensions.collect();
            format!("{} {} {} {}", metric.name(), metric.sum(), metric.unit(), dimensions.join(" "))
        };
        document.metrics().map(line).collect::<Vec<_>>()
    });
    (found.collect(), metrics.stats().values_out_of_range)
}

fn check(record: impl FnOnce(&BusinessMetricsTracker), expected: &[&str]) {
    let (found, refused) = recorded(record);
    assert_eq!(found, expected);
    assert_eq!(refused, u64::from(expected.is_empty()));
}

#[test]
fn every_figure_has_its_method_unit_and_dimension() {
    check(
        |b| b.track_revenue("retail", 1250.0, HOUR / 2),
        &["RevenuePerHour 2500 Count BusinessUnit=retail"],
    );
    check(
        |b| b.track_customer_acquisition("retail", 12, 24 * HOUR),
        &["CustomerAcquisitionRate 0.5 Count BusinessUnit=retail"],
    );
    check(
        |b| b.track_processing_cost("sales", 12.5),
        &["DataProcessingCost 12.5 None Pipeline=sales"],
    );
    check(
        |b| b.track_time_to_insight("sales", Duration::from_millis(1500)),
        &["TimeToInsight 1.5 Seconds Pipeline=sales"],
    );
    check(
        |b| b.track_data_freshness("sales", Duration::from_secs(90)),
        &["DataFreshness 90 Seconds Pipeline=sales"],
    );
    check(
        |b| b.track_pipeline_efficiency("sales", 986, 1000),
        &["PipelineEfficiency 98.6 Percent Pipeline=sales"],
    );
    check(
        |b| b.track_cost_efficiency("sales", 1000, 12.5),
        &["CostPerRecord 0.0125 None Pipeline=sales", "ProcessingCost 12.5 None Pipeline=sales"],
    );
    check(
        |b| b.track_business_value("retail", -3.0),
        &["BusinessValueGenerated -3 Count BusinessUnit=retail"],
    );
}

#[test]
fn values_that_make_no_sense_are_dropped_and_counted() {
    check(|b| b.track(Kpi::PipelineEfficiency, "sales", 100.5), &[]);
    check(|b| b.track(Kpi::PipelineEfficiency, "sales", -0.5), &[]);
    check(|b| b.track(Kpi::DataFreshness, "sales", -1.0), &[]);
    check(|b| b.track(Kpi::RevenuePerHour, "retail", f64::NAN), &[]);
    check(|b| b.track_pipeline_efficiency("sales", u64::MAX, u64::MAX - 1), &[]);
    check(|b| b.track_revenue("retail", 1.0, Duration::ZERO), &[]);
    check(|b| b.track_revenue("retail", 0.0, Duration::ZERO), &[]);
    check(|b| b.track_customer_acquisition("retail", 1, Duration::ZERO), &[]);
    check(|b| b.metrics.record_business_metric("PipelineEfficiency", 101.0, "retail"), &[]);
}

#[test]
fn no_records_are_no_division() {
    check(
        |b| b.track_pipeline_efficiency("sales", 0, 0),
        &["PipelineEfficiency 0 Percent Pipeline=sales"],
    );
    check(
        |b| b.track_cost_efficiency("sales", 0, 3.0),
        &["CostPerRecord 0 None Pipeline=sales", "ProcessingCost 3 None Pipeline=sales"],
    );
}

#[test]
fn a_name_has_one_unit_whichever_way_it_is_recorded() {
    let mut units: BTreeMap<&str, Unit> = BTreeMap::new();
    for kpi in Kpi::ALL {
        let (found, _) = recorded(|business| {
            business.track(*kpi, "x", 1.0);
            business.metrics.record_business_metric(kpi.name(), 2.0, "y");
        });
        let unit = kpi.unit();
        let own = format!("{kpi} 1 {unit} {}=x", kpi.dimension());
        let by_name = format!("{kpi} 2 {unit} BusinessUnit=y");
        assert_eq!(found, [own, by_name]);
        assert!(units.insert(kpi.name(), unit).is_none());
        assert_eq!(Kpi::from_name(kpi.name()), Some(*kpi));
        assert!(kpi.description().ends_with('.'));
    }
    // The names of the platform's list of key figures.
    let names: Vec<&str> = units.into_keys().collect();
    assert_eq!(
        names,
        [
            "BusinessValueGenerated",
            "CostPerRecord",
            "CustomerAcquisitionRate",
            "DataFreshness",
            "DataProcessingCost",
            "PipelineEfficiency",
            "RevenuePerHour",
            "TimeToInsight",
        ]
    );
    assert_eq!(Kpi::from_name("revenueperhour"), None);
}
