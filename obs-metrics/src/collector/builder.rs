//! How a [`MetricsCollector`] is made: everything that can be checked is checked here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use obs_core::clock::{Clock, SystemClock};
use obs_core::{Identity, Redactor, env};

use super::{Inner, MetricsCollector};
use crate::Error;
use crate::dimensions::DimensionSet;
use crate::limits::{DEFAULT_DOCUMENT_BYTES, DIMENSIONS_PER_SET, EVENT_BYTES, MIN_DOCUMENT_BYTES};
use crate::line::LineStyle;
use crate::names::{self, Fault};
use crate::sink::{Sink, Start};
use crate::stats::Counters;

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
    clock: Box<dyn Clock>,
    enabled: Option<bool>,
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
    /// Each set is a metric of its own, which CloudWatch bills. Names that a metric has no dimension
    /// of are passed over.
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
        self.dimension_sets.push(names.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    /// Where documents go. Default: [`Sink::stdout`].
    pub fn sink(mut self, sink: Sink) -> Self {
        self.sink = sink;
        self
    }

    /// Which properties of events are redacted, by name. Default: the standard names of secrets.
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
        let identity = Identity::from_vars(&lookup);
        let defaults = self.checked_dimensions(&identity)?;
        if !(MIN_DOCUMENT_BYTES..=EVENT_BYTES).contains(&self.document_bytes) {
            return Err(Error::document_bytes(self.document_bytes));
        }
        if !enabled {
            return Ok(MetricsCollector::disabled());
        }
        let aws = self.sink.aws_members()?;
        let document_bytes = self.document_bytes.min(self.sink.largest_line());
        let start =
            Start { namespace: &namespace, dimensions: &defaults, identity: &identity, aws: &aws };
        let outputs = self.sink.start(&start)?;
        let inner = Inner {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            namespace,
            defaults,
            document_bytes,
            aws,
            redactor: self.redactor,
            style: LineStyle::from_vars(&lookup),
            clock: self.clock,
            counters: Counters::default(),
            outputs,
            process: Mutex::default(),
            apart: Mutex::default(),
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
        for (n, (name, value)) in pairs.iter().enumerate() {
            if let Some(fault) = names::dimension_name_fault(name) {
                return Err(Error::dimension(name, format!("its name {fault}")));
            }
            if names::is_line_key(name) {
                return Err(Error::dimension(name, "log lines have a key of that name"));
            }
            if let Some(fault) = names::dimension_value_fault(value) {
                return Err(Error::dimension(name, format!("its value {value:?} {fault}")));
            }
            if pairs.iter().take(n).any(|(other, _)| other == name) {
                return Err(Error::dimension(name, "it is given twice"));
            }
        }
        if pairs.len() > DIMENSIONS_PER_SET {
            return Err(Error::too_many_dimensions(pairs.len()));
        }
        Ok(DimensionSet::of(pairs))
    }
}

#[cfg(test)]
#[path = "builder_tests.rs"]
mod tests;
