//! How a [`MetricsCollector`] is made: everything that can be checked is checked here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use obs_core::clock::{Clock, SystemClock};
use obs_core::lane::Handovers;
use obs_core::{Identity, Redactor, env};

use super::{Inner, Interval, MetricsCollector};
use crate::Error;
use crate::census::{Budgets, Census};
use crate::dimensions::{DimensionSet, name_in_set};
use crate::handle::Registry;
use crate::health::FlushTimes;
use crate::limits::{DEFAULT_DOCUMENT_BYTES, DIMENSIONS_PER_SET, EVENT_BYTES, MIN_DOCUMENT_BYTES};
use crate::line::LineStyle;
use crate::names::{self, Fault};
use crate::self_metrics::SelfMetrics;
use crate::series::Table;
use crate::sink::{Sink, Start};
use crate::stats::Counters;

/// How often a collector flushes by itself unless it is told otherwise.
const FLUSH_INTERVAL: Duration = Duration::from_secs(60);

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// The namespace where neither code nor environment names one.
pub const DEFAULT_NAMESPACE: &str = "Application";

/// Collects the settings of a [`MetricsCollector`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct MetricsCollectorBuilder {
    namespace: Option<String>,
    service: Named,
    environment: Named,
    dimensions: Vec<(String, String)>,
    dimension_sets: Vec<Vec<String>>,
    sink: Sink,
    redactor: Redactor,
    document_bytes: usize,
    budgets: Budgets,
    self_metrics: bool,
    flush_interval: FlushInterval,
    clock: Box<dyn Clock>,
    enabled: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
enum FlushInterval {
    Default,
    Every(Duration),
    Never,
}

/// Where the value of a dimension comes from.
#[derive(Clone, Debug)]
enum Named {
    Given(String),
    FromEnv,
    Absent,
}

impl Default for MetricsCollectorBuilder {
    fn default() -> Self {
        Self {
            namespace: None,
            service: Named::FromEnv,
            environment: Named::Absent,
            dimensions: Vec::new(),
            dimension_sets: Vec::new(),
            sink: Sink::stdout(),
            redactor: Redactor::default(),
            document_bytes: DEFAULT_DOCUMENT_BYTES,
            budgets: Budgets::default(),
            self_metrics: false,
            flush_interval: FlushInterval::Default,
            clock: Box::new(SystemClock),
            enabled: None,
        }
    }
}

impl MetricsCollectorBuilder {
    /// The CloudWatch namespace: 1 to 255 letters, digits, spaces and `. - _ / # :`.
    ///
    /// Default: the first of `OBS_METRICS_NAMESPACE`, `POWERTOOLS_METRICS_NAMESPACE` and
    /// `AWS_EMF_NAMESPACE` that is set, else [`DEFAULT_NAMESPACE`].
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// The dimension `Service` of every metric. Default: the service's name from the environment,
    /// [`Identity`].
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Named::Given(service.into());
        self
    }

    /// No dimension `Service`. Without it, CloudWatch merges the metrics of all services that share
    /// the namespace.
    pub fn without_service(mut self) -> Self {
        self.service = Named::Absent;
        self
    }

    /// The dimension `Environment` of every metric. Default: there is none.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Named::Given(environment.into());
        self
    }

    /// The dimension `Environment` with the environment's name from [`Identity`].
    pub fn environment_from_env(mut self) -> Self {
        self.environment = Named::FromEnv;
        self
    }

    /// A dimension of every metric. A dimension of the same name that is given with a metric wins.
    ///
    /// 30 at most, `Service` and `Environment` included. Each distinct combination of values is a
    /// metric that CloudWatch bills: no ids here.
    pub fn dimension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.dimensions.push((name.into(), value.into()));
        self
    }

    /// A further set of dimensions for every metric, by the names of some of its dimensions: its values
    /// appear under that set too, `[]` being no dimension at all. May be said several times.
    ///
    /// Each set is a metric of its own, which CloudWatch bills. It may name dimensions that only some
    /// metrics have: a metric without one of the names does not have the set, and so a misspelt name
    /// never makes a wider one. A set that has all of a metric's dimensions, or is said twice, is
    /// there once. Not for [`single_metric`](MetricsCollector::single_metric), and not over OTLP.
    ///
    /// ```
    /// # use obs_metrics::{MetricsCollector, Sink};
    /// let metrics = MetricsCollector::builder()
    ///     .service("orders")
    ///     .dimension_set(&["Service"])
    ///     .sink(Sink::null())
    ///     .build()?;
    /// // By service and pipeline, and by service alone.
    /// metrics.put_metric("ProcessedRecords", 250.0, obs_metrics::Unit::Count, &[("Pipeline", "sales")]);
    /// # Ok::<(), obs_metrics::Error>(())
    /// ```
    pub fn dimension_set(mut self, names: &[&str]) -> Self {
        self.dimension_sets.push(names.iter().map(|name| name_in_set(name)).collect());
        self
    }

    /// Where documents go. Default: [`Sink::stdout`].
    pub fn sink(mut self, sink: Sink) -> Self {
        self.sink = sink;
        self
    }

    /// Which properties of events are redacted, by name, and which secrets are taken out of messages and
    /// properties that are text. Default: the standard names; [`Redactor::standard`] searches texts too.
    /// Values of dimensions stay as they are: they are what a series is found by.
    pub fn redact(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// The most bytes of one document, 128 KiB to 1 MiB. Default: 256 KiB, at which many agents
    /// still cut; CloudWatch Logs itself takes 1 MiB. A sink that takes less, UDP, lowers it.
    pub fn document_bytes(mut self, bytes: usize) -> Self {
        self.document_bytes = bytes;
        self
    }

    /// How many series one metric may have: combinations of values of its dimensions, each of which
    /// CloudWatch bills as a metric, those of its further [sets](Self::dimension_set) included. Default:
    /// [`DEFAULT_SERIES_PER_METRIC`](crate::DEFAULT_SERIES_PER_METRIC), 1,000; 0 is 1.
    ///
    /// What is recorded beyond goes to the metric's overflow series: with the same dimensions, of
    /// which those that came with the call have the value [`OVERFLOW`](crate::OVERFLOW). It is
    /// counted in [`Stats::values_in_overflow`](crate::Stats::values_in_overflow), and said in the
    /// stream once for each metric. Which series are in the budget is decided by who came first,
    /// for the life of the collector.
    ///
    /// ```
    /// use obs_metrics::{MetricsCollector, Sink, Unit};
    ///
    /// let metrics =
    ///     MetricsCollector::builder().sink(Sink::null()).series_per_metric(2).build()?;
    /// for customer in ["a", "b", "c", "d"] {
    ///     metrics.put_metric("Orders", 1.0, Unit::Count, &[("Customer", customer)]);
    /// }
    /// assert_eq!(metrics.stats().values_in_overflow, 2);
    /// assert_eq!(metrics.preview().len(), 3); // a, b, __overflow__
    /// # Ok::<(), obs_metrics::Error>(())
    /// ```
    pub fn series_per_metric(mut self, series: usize) -> Self {
        self.budgets.per_metric(series);
        self
    }

    /// As [`series_per_metric`](Self::series_per_metric), for the metric of this name, as it is written.
    pub fn series_limit(mut self, metric: impl Into<String>, series: usize) -> Self {
        self.budgets.named(metric.into(), series);
        self
    }

    /// How many series all metrics may have together. Default: ten times
    /// [`series_per_metric`](Self::series_per_metric), 10,000, and what
    /// [`series_limit`](Self::series_limit) gives; 0 is 1.
    ///
    /// It bounds the collector's memory and the bill where the *names* of metrics never end: when
    /// it is reached, new series overflow as they do beyond their metric's budget; when there are
    /// this many names too, what has yet another name is recorded as the metric
    /// [`OVERFLOW`](crate::OVERFLOW), with the collector's dimensions only.
    pub fn series_in_all(mut self, series: usize) -> Self {
        self.budgets.in_all(series);
        self
    }

    /// Whether the collector's own numbers become metrics. Default: no; they are in
    /// [`MetricsCollector::health`] in any case.
    ///
    /// Each flush that finds something recorded sends one more document, or as many series, with
    /// the collector's dimensions. Counts are of what happened since the document before, without
    /// what these metrics themselves cause:
    ///
    /// | name | unit | |
    /// | --- | --- | --- |
    /// | `ObsValuesRecorded` | Count | values that were recorded |
    /// | `ObsValuesDropped` | Count | of these, what was dropped; the reasons are members of the line, named as in [`Stats`](crate::Stats) |
    /// | `ObsValuesInOverflow` | Count | of these, what went into overflow series |
    /// | `ObsBytes` | Bytes | lines handed to the sinks; not of sinks that take series |
    /// | `ObsDeliveriesLost` | Count | lines or series that the sinks dropped or could not deliver |
    /// | `ObsQueueDepth` | Count | lines or series that were waiting when the flush began |
    /// | `ObsFlushTime` | Milliseconds | how long the flush before this one took; from the second one on |
    ///
    /// They are seven metrics for each combination of the collector's dimensions, which CloudWatch
    /// bills: [`MetricsCollector::preview`] has them, and they are seven of
    /// [`series_in_all`](Self::series_in_all). They are sent whatever the budgets are.
    pub fn self_metrics(mut self, on: bool) -> Self {
        self.self_metrics = on;
        self
    }

    /// How often what is aggregated outside of invocations leaves without being asked for. Default: a
    /// minute, the period of standard resolution; in Lambda never, because there a flush before the
    /// response is what counts. High-resolution metrics are worth a second.
    pub fn flush_interval(mut self, every: Duration) -> Self {
        self.flush_interval = FlushInterval::Every(every);
        self
    }

    /// What is aggregated leaves only when it is asked for, when there is too much of it, or with the
    /// last handle.
    pub fn without_flush_interval(mut self) -> Self {
        self.flush_interval = FlushInterval::Never;
        self
    }

    /// The clock of timestamps. Default: the system's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Whether anything is recorded, whatever the environment says. Default: yes, unless
    /// `OBS_DISABLED` or `OBS_METRICS_DISABLED` is `true` or `1`.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = Some(enabled);
        self
    }

    /// The collector.
    ///
    /// # Errors
    ///
    /// - [`Error::is_namespace`]: CloudWatch does not take the namespace, or AWS keeps it for itself.
    /// - [`Error::is_dimension`]: CloudWatch does not take a dimension's name or value, the name is
    ///   given twice, or log lines have a key of that name.
    /// - [`Error::is_too_many_dimensions`]: more than 30.
    /// - [`Error::is_sink`]: what the sink needs cannot be had: its address, its file, the name of its log
    ///   group.
    /// - [`Error::is_document_bytes`]: the document size is out of its bounds.
    ///
    /// The service's and the environment's name of the environment are made valid instead.
    pub fn build(self) -> Result<MetricsCollector, Error> {
        let enabled = self.enabled.unwrap_or_else(|| !env::flag(env::METRICS_DISABLED));
        self.build_from(enabled, |name| std::env::var(name).ok())
    }

    /// As [`build`](Self::build), with the environment that `lookup` gives.
    pub(super) fn build_from(
        self,
        enabled: bool,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<MetricsCollector, Error> {
        let namespace = self.checked_namespace(&lookup)?;
        let found = Identity::from_vars(&lookup);
        let defaults = self.checked_dimensions(&found)?;
        if !(MIN_DOCUMENT_BYTES..=EVENT_BYTES).contains(&self.document_bytes) {
            return Err(Error::document_bytes(self.document_bytes));
        }
        if !enabled {
            return Ok(MetricsCollector::disabled());
        }
        let identity = self.identity(found);
        let aws = self.sink.aws_members()?;
        let document_bytes = self.document_bytes.min(self.sink.largest_line());
        let start =
            Start { namespace: &namespace, dimensions: &defaults, identity: &identity, aws: &aws };
        let outputs = self.sink.start(&start)?;
        let census = Census::new(self.budgets, &defaults);
        let counters = Counters::default();
        let own = self.self_metrics.then(|| SelfMetrics::new(&defaults, &census));
        let inner = Inner {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            namespace,
            defaults,
            document_bytes,
            aws,
            redactor: self.redactor,
            style: LineStyle::from_vars(&lookup),
            clock: self.clock,
            counters,
            outputs,
            census,
            flushes: Arc::new(FlushTimes::default()),
            handovers: Handovers::new("metrics"),
            own,
            registry: Registry::default(),
            interval: Interval::new(match self.flush_interval {
                FlushInterval::Every(every) => Some(every),
                FlushInterval::Default if !env::is_lambda() => Some(FLUSH_INTERVAL),
                FlushInterval::Default | FlushInterval::Never => None,
            }),
            process: Table::sharded(),
            apart: Table::sharded(),
            invocations: Mutex::default(),
        };
        Ok(MetricsCollector { inner: Some(Arc::new(inner)) })
    }

    fn checked_namespace(&self, lookup: impl Fn(&str) -> Option<String>) -> Result<String, Error> {
        let (by, namespace) = match &self.namespace {
            Some(namespace) => ("namespace()", namespace.clone()),
            None => env::first_named(env::NAMESPACE, lookup)
                .unwrap_or(("", DEFAULT_NAMESPACE.to_owned())),
        };
        let reserved = names::is_reserved_namespace(&namespace).then_some(Fault::ReservedNamespace);
        match names::namespace_fault(&namespace).or(reserved) {
            Some(fault) => Err(Error::namespace(&namespace, by, fault)),
            None => Ok(namespace),
        }
    }

    /// Who the service is: what code says of it, also as a dimension, else what was found.
    fn identity(&self, found: Identity) -> Identity {
        let said = |name: &str, named: &Named| match named {
            Named::Given(value) => Some(value.clone()),
            Named::FromEnv | Named::Absent => {
                let given = self.dimensions.iter().find(|(given, _)| given == name);
                given.map(|(_, value)| value.clone())
            }
        };
        Identity::new(
            said("Service", &self.service).unwrap_or(found.service),
            said("Environment", &self.environment).unwrap_or(found.environment),
        )
    }

    fn checked_dimensions(&self, identity: &Identity) -> Result<DimensionSet, Error> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, named, found) in [
            ("Service", &self.service, &identity.service),
            ("Environment", &self.environment, &identity.environment),
        ] {
            let value = match named {
                Named::Given(value) => value.clone(),
                Named::FromEnv if !self.dimensions.iter().any(|(given, _)| given == name) => {
                    names::dimension_value(found).into_owned()
                }
                Named::FromEnv | Named::Absent => continue,
            };
            pairs.push((name.to_owned(), value));
        }
        pairs.extend(self.dimensions.iter().cloned());
        names::check_dimensions(&pairs)?;
        if pairs.len() > DIMENSIONS_PER_SET {
            return Err(Error::too_many_dimensions(pairs.len()));
        }
        Ok(DimensionSet::of_collector(pairs, &self.dimension_sets))
    }
}

#[cfg(test)]
#[path = "builder_tests.rs"]
mod tests;
