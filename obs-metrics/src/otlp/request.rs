//! What was recorded, as requests within CloudWatch's limits.

use std::collections::HashMap;
use std::time::Duration;

use obs_core::Identity;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::histogram::{self, Exponential};
use super::unit::ucum;
use super::{MAX_AGE, MAX_AHEAD, MAX_POINTS, MAX_REQUEST_BYTES};
use crate::datum::{Datum, Kind, SeriesKey};

/// What a length and a tag add to a message within another, at most: a byte or two, and five.
const FRAME_BYTES: usize = 8;

const DELTA: i32 = AggregationTemporality::Delta as i32;

/// What every request begins with: who it is from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    resource: Resource,
    scope: InstrumentationScope,
}

impl Origin {
    /// The identity gives `service.name` and `deployment.environment.name`, which win over
    /// `attributes`; the namespace is the scope's name.
    pub(crate) fn new(
        namespace: &str,
        identity: &Identity,
        attributes: &[(String, String)],
    ) -> Self {
        let own = [
            ("service.name", identity.service.as_str()),
            ("deployment.environment.name", identity.environment.as_str()),
        ];
        let further = attributes
            .iter()
            .filter(|(key, _)| own.iter().all(|(own, _)| own != key))
            .map(|(key, value)| attribute(key, value));
        let attributes = own.iter().map(|(key, value)| attribute(key, value)).chain(further);
        Self {
            resource: Resource { attributes: attributes.collect(), ..Resource::default() },
            scope: InstrumentationScope {
                name: namespace.to_owned(),
                ..InstrumentationScope::default()
            },
        }
    }

    /// The bytes that each request has for it.
    pub(crate) fn bytes(&self) -> usize {
        self.resource.encoded_len() + self.scope.encoded_len() + 4 * FRAME_BYTES
    }

    /// The bytes of all labels of a point, with their values: its own and the resource's, and
    /// generously what CloudWatch makes of name, unit and scope.
    pub(crate) fn label_bytes(&self, key: &SeriesKey) -> usize {
        let own: usize = key.dimensions.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.bytes() + own + key.name.len() + ucum(key.unit).len()
    }

    fn request(&self, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
        let scope =
            ScopeMetrics { scope: Some(self.scope.clone()), metrics, schema_url: String::new() };
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![scope],
                schema_url: String::new(),
            }],
        }
    }
}

/// Points, gathered until they fill a request.
#[derive(Debug)]
pub(crate) struct Draft<'o> {
    origin: &'o Origin,
    metrics: Vec<Metric>,
    /// Where in `metrics` the one of a name, unit and kind is.
    places: HashMap<(String, &'static str, Kind), usize>,
    points: usize,
    bytes: usize,
}

/// One request, encoded, and how many points it has.
#[derive(Debug, PartialEq)]
pub(crate) struct Encoded {
    pub(crate) body: Vec<u8>,
    pub(crate) points: usize,
}

impl<'o> Draft<'o> {
    pub(crate) fn new(origin: &'o Origin) -> Self {
        Self {
            origin,
            metrics: Vec::new(),
            places: HashMap::new(),
            points: 0,
            bytes: origin.bytes(),
        }
    }

    /// Adds what was recorded of one series since `start_millis`. Where it has no room, the request
    /// that was full is returned, and it begins the next one.
    pub(crate) fn add(&mut self, datum: &Datum, start_millis: Option<u64>) -> Option<Encoded> {
        let point = Point::of(datum, start_millis);
        let key = &datum.key;
        let bytes = point.encoded_len() + FRAME_BYTES;
        let metric_bytes = key.name.len() + 5 * FRAME_BYTES;
        let is_full = self.points == MAX_POINTS
            || self.bytes + bytes + metric_bytes > MAX_REQUEST_BYTES && self.points > 0;
        let full = is_full.then(|| self.take()).flatten();
        let place = self.place(key, metric_bytes);
        if let Some(metric) = self.metrics.get_mut(place) {
            point.push(metric);
        }
        self.bytes += bytes;
        self.points += 1;
        full
    }

    /// What is left; `None` where nothing is.
    pub(crate) fn take(&mut self) -> Option<Encoded> {
        if self.points == 0 {
            return None;
        }
        let draft = std::mem::replace(self, Self::new(self.origin));
        let body = self.origin.request(draft.metrics).encode_to_vec();
        Some(Encoded { body, points: draft.points })
    }

    /// The metric of a series: series of one name, unit and kind share it.
    fn place(&mut self, key: &SeriesKey, bytes: usize) -> usize {
        let unit = ucum(key.unit);
        *self.places.entry((key.name.clone(), unit, key.kind)).or_insert_with(|| {
            self.bytes += bytes;
            self.metrics.push(Metric {
                name: key.name.clone(),
                unit: unit.to_owned(),
                ..Metric::default()
            });
            self.metrics.len() - 1
        })
    }
}

/// A point of one of the three kinds.
enum Point {
    Sum(NumberDataPoint),
    Gauge(NumberDataPoint),
    Histogram(ExponentialHistogramDataPoint),
}

impl Point {
    fn of(datum: &Datum, start_millis: Option<u64>) -> Self {
        let attributes: Vec<KeyValue> =
            datum.key.dimensions.iter().map(|(name, value)| attribute(name, value)).collect();
        let time_unix_nano = nanos(datum.timestamp_millis);
        let start_time_unix_nano = start_millis.map_or(0, nanos);
        let number = |value, start_time_unix_nano| NumberDataPoint {
            attributes: attributes.clone(),
            start_time_unix_nano,
            time_unix_nano,
            value: Some(number_data_point::Value::AsDouble(value)),
            ..NumberDataPoint::default()
        };
        match datum.key.kind {
            Kind::Counter => Self::Sum(number(histogram::sum(&datum.values), start_time_unix_nano)),
            Kind::Gauge => {
                let last = datum.values.last().map_or(0.0, |(value, _)| *value);
                // A gauge has no beginning.
                Self::Gauge(number(last, 0))
            }
            Kind::Distribution => {
                let histogram = Exponential::of(&datum.values);
                Self::Histogram(ExponentialHistogramDataPoint {
                    attributes,
                    start_time_unix_nano,
                    time_unix_nano,
                    count: histogram.count,
                    sum: Some(histogram.sum),
                    scale: histogram.scale,
                    zero_count: histogram.zero_count,
                    positive: Some(histogram.positive),
                    negative: Some(histogram.negative),
                    min: Some(histogram.min),
                    max: Some(histogram.max),
                    ..ExponentialHistogramDataPoint::default()
                })
            }
        }
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::Sum(point) | Self::Gauge(point) => point.encoded_len(),
            Self::Histogram(point) => point.encoded_len(),
        }
    }

    fn push(self, metric: &mut Metric) {
        match (self, &mut metric.data) {
            (Self::Sum(point), Some(metric::Data::Sum(sum))) => sum.data_points.push(point),
            (Self::Gauge(point), Some(metric::Data::Gauge(gauge))) => gauge.data_points.push(point),
            (Self::Histogram(point), Some(metric::Data::ExponentialHistogram(histogram))) => {
                histogram.data_points.push(point);
            }
            (first, data) => *data = Some(first.begin()),
        }
    }

    fn begin(self) -> metric::Data {
        match self {
            Self::Sum(point) => metric::Data::Sum(Sum {
                data_points: vec![point],
                aggregation_temporality: DELTA,
                is_monotonic: true,
            }),
            Self::Gauge(point) => metric::Data::Gauge(Gauge { data_points: vec![point] }),
            Self::Histogram(point) => metric::Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![point],
                aggregation_temporality: DELTA,
            }),
        }
    }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) }),
        ..KeyValue::default()
    }
}

fn nanos(millis: u64) -> u64 {
    millis.saturating_mul(1_000_000)
}

/// When the interval began that a point is about.
///
/// What is flushed together carries one time, and is about the time since the flush before it.
#[derive(Debug)]
pub(crate) struct Intervals {
    latest: u64,
    before: u64,
}

impl Intervals {
    /// Nothing was recorded before `start_millis`.
    pub(crate) fn since(start_millis: u64) -> Self {
        Self { latest: start_millis, before: start_millis }
    }

    /// The beginning of the interval that ends at `millis`; `None` where it is not known, as for an
    /// event that has a time of its own, in the past or ahead of `now_millis`.
    pub(crate) fn begin_of(&mut self, millis: u64, now_millis: u64) -> Option<u64> {
        if millis > self.latest && millis <= now_millis {
            (self.before, self.latest) = (self.latest, millis);
        }
        (millis == self.latest && self.before < millis).then_some(self.before)
    }
}

/// Whether CloudWatch's OTLP endpoint takes a point of the time `millis` at the time `now_millis`.
pub(crate) fn takes_timestamp(millis: u64, now_millis: u64) -> bool {
    Duration::from_millis(now_millis.saturating_sub(millis)) <= MAX_AGE
        && Duration::from_millis(millis.saturating_sub(now_millis)) <= MAX_AHEAD
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
