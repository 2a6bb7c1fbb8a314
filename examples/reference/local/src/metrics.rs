//! From EMF lines to metrics, as CloudWatch would do it on AWS and the local backend does not.
//!
//! The lines come from the functions' log groups, the check is `obs_metrics`' own, and what it finds is
//! put with `PutMetricData`, so that it can be read back and the alarm has something to evaluate.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit, Statistic};
use obs_metrics::emf;

use crate::clients::Clients;
use crate::error::{Error, Result};
use crate::logs::Invocation;
use crate::stack::Outputs;

/// `PutMetricData` takes 1,000 data a request.
const LARGEST_BATCH: usize = 1_000;
/// Statistics are asked for over this span to either side of a metric's time, as one period.
const SPAN: Duration = Duration::from_secs(3_600);

/// What the EMF documents of some invocations say.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct MetricReport {
    /// How many documents there were, valid or not.
    pub documents: usize,
    /// The metrics of the valid ones, in order.
    pub metrics: Vec<ExtractedMetric>,
    /// For each invalid document: what is wrong with it.
    pub violations: Vec<String>,
}

/// One metric of one document.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExtractedMetric {
    /// The namespace.
    pub namespace: String,
    /// The metric's name.
    pub name: String,
    /// The unit's name, as CloudWatch writes it.
    pub unit: String,
    /// The exact set of dimensions.
    pub dimensions: BTreeMap<String, String>,
    /// Each value with how often it occurred.
    pub values: Vec<(f64, f64)>,
    /// The document's time.
    pub at: SystemTime,
}

/// A metric's statistics, as CloudWatch gave them back.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct StoredMetric {
    /// How many values.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// The least.
    pub minimum: f64,
    /// The greatest.
    pub maximum: f64,
}

/// What the backend says about the alarm.
///
/// Its evaluation is simpler than CloudWatch's: it ignores dimensions and missing data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlarmState {
    /// The alarm's name.
    pub name: String,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: String,
    /// Why, in the backend's words.
    pub reason: String,
}

impl MetricReport {
    /// Reads the EMF documents among the lines of `invocations`.
    pub fn of<'a>(invocations: impl IntoIterator<Item = &'a Invocation>) -> Self {
        let mut report = Self::default();
        for line in invocations.into_iter().flat_map(Invocation::metric_documents) {
            report.add(&line.text);
        }
        report
    }

    /// The values of all metrics with this name, each as often as it occurred.
    pub fn values(&self, name: &str) -> impl Iterator<Item = (f64, f64)> {
        self.metrics
            .iter()
            .filter(move |metric| metric.name == name)
            .flat_map(|metric| metric.values.clone())
    }

    /// The sum of all values of all metrics with this name; none if there is no such metric.
    #[must_use]
    pub fn sum(&self, name: &str) -> Option<f64> {
        self.values(name).map(|(value, count)| value * count).reduce(|a, b| a + b)
    }

    fn add(&mut self, document: &str) {
        self.documents += 1;
        match emf::validate(document) {
            Err(violations) => self.violations.push(violations.to_string()),
            Ok(document) => {
                let at = document.timestamp();
                self.metrics.extend(document.metrics().map(|metric| {
                    ExtractedMetric {
                        namespace: metric.namespace().to_owned(),
                        name: metric.name().to_owned(),
                        unit: metric.unit().to_string(),
                        dimensions: metric
                            .dimensions()
                            .map(|(name, value)| (name.to_owned(), value.to_owned()))
                            .collect(),
                        values: metric.values().to_vec(),
                        at,
                    }
                }));
            }
        }
    }
}

impl ExtractedMetric {
    fn dimension_list(&self) -> Vec<Dimension> {
        let dimension = |(name, value): (&String, &String)| {
            Dimension::builder().name(name).value(value).build()
        };
        self.dimensions.iter().map(dimension).collect()
    }

    fn datum(&self) -> MetricDatum {
        let (values, counts) = self.values.iter().copied().unzip();
        MetricDatum::builder()
            .metric_name(&self.name)
            .set_dimensions(Some(self.dimension_list()))
            .timestamp(DateTime::from(self.at))
            .unit(StandardUnit::from(self.unit.as_str()))
            .set_values(Some(values))
            .set_counts(Some(counts))
            .build()
    }
}

/// Puts the metrics, each with its own time, values and exact dimensions.
pub(crate) async fn put(clients: &Clients, metrics: &[ExtractedMetric]) -> Result<()> {
    let mut by_namespace: BTreeMap<&str, Vec<MetricDatum>> = BTreeMap::new();
    for metric in metrics {
        by_namespace.entry(&metric.namespace).or_default().push(metric.datum());
    }
    for (namespace, data) in by_namespace {
        for batch in data.chunks(LARGEST_BATCH) {
            clients
                .cloudwatch
                .put_metric_data()
                .namespace(namespace)
                .set_metric_data(Some(batch.to_vec()))
                .send()
                .await
                .map_err(|error| Error::service(format!("put metrics in {namespace}"), error))?;
        }
    }
    Ok(())
}

/// Reads back the series that `metric` belongs to; none if CloudWatch knows no value of it.
pub(crate) async fn read(
    clients: &Clients,
    metric: &ExtractedMetric,
) -> Result<Option<StoredMetric>> {
    let statistics = clients
        .cloudwatch
        .get_metric_statistics()
        .namespace(&metric.namespace)
        .metric_name(&metric.name)
        .set_dimensions(Some(metric.dimension_list()))
        .unit(StandardUnit::from(metric.unit.as_str()))
        .start_time(DateTime::from(metric.at - SPAN))
        .end_time(DateTime::from(metric.at + SPAN))
        .period(60)
        .statistics(Statistic::SampleCount)
        .statistics(Statistic::Sum)
        .statistics(Statistic::Minimum)
        .statistics(Statistic::Maximum)
        .send()
        .await
        .map_err(|error| Error::service(format!("read the metric {}", metric.name), error))?;
    let stored = statistics.datapoints().iter().filter_map(|point| {
        Some(StoredMetric {
            count: point.sample_count()?,
            sum: point.sum()?,
            minimum: point.minimum()?,
            maximum: point.maximum()?,
        })
    });
    Ok(stored.reduce(|a, b| StoredMetric {
        count: a.count + b.count,
        sum: a.sum + b.sum,
        minimum: a.minimum.min(b.minimum),
        maximum: a.maximum.max(b.maximum),
    }))
}

/// The state of the stack's alarm.
pub(crate) async fn alarm(clients: &Clients, outputs: &Outputs) -> Result<AlarmState> {
    let name = outputs.get("ProcessingErrorsAlarm")?;
    let described = clients
        .cloudwatch
        .describe_alarms()
        .alarm_names(name)
        .send()
        .await
        .map_err(|error| Error::service(format!("describe the alarm {name}"), error))?;
    let alarm = described
        .metric_alarms()
        .first()
        .ok_or_else(|| Error::backend(format!("there is no alarm {name}")))?;
    let state = alarm.state_value().map_or("none", |state| state.as_str());
    Ok(AlarmState {
        name: name.to_owned(),
        state: state.to_owned(),
        reason: alarm.state_reason().unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::MetricReport;

    fn document(name: &str, value: &str) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        format!(
            r#"{{"_aws":{{"Timestamp":{now},"CloudWatchMetrics":[{{"Namespace":"App","Dimensions":[["Service"]],"Metrics":[{{"Name":"{name}","Unit":"Count"}}]}}]}},"Service":"s","{name}":{value}}}"#
        )
    }

    #[test]
    fn documents_become_metrics_with_exact_dimensions() {
        let mut report = MetricReport::default();
        report.add(&document("Records", r#"{"Values":[1,2],"Counts":[3,1]}"#));
        report.add(&document("Records", "10"));
        assert_eq!(report.documents, 2);
        assert_eq!(report.violations, Vec::<String>::new());
        let [first, second] = &report.metrics[..] else { panic!("two: {:?}", report.metrics) };
        assert_eq!((first.namespace.as_str(), first.unit.as_str()), ("App", "Count"));
        assert_eq!(first.values, [(1.0, 3.0), (2.0, 1.0)]);
        assert_eq!(first.dimensions["Service"], "s");
        assert_eq!(second.values, [(10.0, 1.0)]);
        assert_eq!(report.sum("Records"), Some(15.0));
        assert_eq!(report.sum("Errors"), None);
        let datum = first.datum();
        assert_eq!((datum.values(), datum.counts()), (&[1.0, 2.0][..], &[3.0, 1.0][..]));
    }

    #[test]
    fn an_invalid_document_is_reported_and_gives_nothing() {
        let mut report = MetricReport::default();
        report.add(&document("Records", r#""ten""#));
        assert_eq!((report.documents, report.metrics.len(), report.violations.len()), (1, 0, 1));
        assert!(report.violations[0].contains("/Records"), "{:?}", report.violations);
    }
}
