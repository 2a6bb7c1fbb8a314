//! How handles are made: everything that can be checked is checked here, so that recording need not.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Counter, Gauge, Histogram, Live, Timer};
use crate::Error;
use crate::census::{Admission, Candidate, OVERFLOW};
use crate::collector::Inner;
use crate::datum::{Kind, SeriesKey};
use crate::dimensions::{DimensionSet, name_in_set, unknown_name};
use crate::limits::DIMENSIONS_PER_SET;
use crate::names;
use crate::unit::{Resolution, Unit};

/// Collects what a registered metric is: its name, unit, resolution and dimensions.
///
/// Made by [`MetricsCollector::counter`](crate::MetricsCollector::counter) and its like.
#[must_use = "a metric can be recorded once it is registered"]
pub struct MetricBuilder<H> {
    collector: Option<Arc<Inner>>,
    name: String,
    unit: Unit,
    resolution: Resolution,
    dimensions: Vec<(String, String)>,
    sets: Vec<Vec<String>>,
    handle: PhantomData<fn() -> H>,
}

/// What [`MetricBuilder::register`] can make.
pub trait Handle: sealed::Sealed {}

mod sealed {
    use super::{Error, Registration, Unit};

    pub trait Sealed: Sized {
        const DEFAULT_UNIT: Unit;

        /// Why the handle cannot have this unit.
        fn refuse(unit: Unit) -> Option<Error> {
            let _ = unit;
            None
        }

        fn of(registration: Registration<'_>) -> Self;

        fn disabled(unit: Unit) -> Self;
    }
}

/// A series that is checked and admitted.
#[expect(missing_debug_implementations, reason = "nobody outside can have one")]
pub struct Registration<'a> {
    collector: &'a Arc<Inner>,
    key: SeriesKey,
    is_overflow: bool,
}

impl<H: Handle> MetricBuilder<H> {
    pub(crate) fn new(collector: Option<Arc<Inner>>, name: String) -> Self {
        Self {
            collector,
            name,
            unit: H::DEFAULT_UNIT,
            resolution: Resolution::Standard,
            dimensions: Vec::new(),
            sets: Vec::new(),
            handle: PhantomData,
        }
    }

    /// The unit. Default: `Count` for counters, `Seconds` for timers, else none. One unit per name,
    /// everywhere: CloudWatch keeps values of different units apart.
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Has CloudWatch keep the metric by the second ([`Resolution::High`]). Worth it only where it is
    /// flushed as often.
    pub fn high_resolution(mut self) -> Self {
        self.resolution = Resolution::High;
        self
    }

    /// A dimension beside the collector's; a value for one of the collector's wins over it.
    ///
    /// Names of up to 250, values of up to 1,024 printable ASCII characters; 30 dimensions in all. Each
    /// distinct combination of values is a metric that CloudWatch bills.
    pub fn dimension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.dimensions.push((name.into(), value.into()));
        self
    }

    /// A further set of dimensions, by the names of some of them, under which the values appear too;
    /// `[]` is none. Each set is a metric of its own, which CloudWatch bills.
    ///
    /// The collector's dimensions may be named too; a name that is no dimension is an error of
    /// [`register`](Self::register). A set that has all dimensions, or is there already, is there once.
    pub fn dimension_set(mut self, names: &[&str]) -> Self {
        self.sets.push(names.iter().map(|name| name_in_set(name)).collect());
        self
    }

    /// The handle. Registering what is registered already gives the same metric again.
    ///
    /// Where the metric has as many series as it may have
    /// ([`series_per_metric`](crate::MetricsCollectorBuilder::series_per_metric)), the handle records
    /// into its overflow series.
    ///
    /// # Errors
    ///
    /// - [`Error::is_metric`]: CloudWatch does not take the name, the line has a key or the metric a
    ///   dimension of that name, or a timer's unit is none of time.
    /// - [`Error::is_dimension`]: CloudWatch does not take a dimension's name or value, the name is
    ///   given twice, or log lines have a key of that name; or a
    ///   [`dimension_set`](Self::dimension_set) names what is no dimension of the metric.
    /// - [`Error::is_too_many_dimensions`]: more than 30, the collector's included.
    pub fn register(self) -> Result<H, Error> {
        if let Some(error) = H::refuse(self.unit) {
            return Err(error);
        }
        self.check_dimensions()?;
        self.check_name()?;
        let Some(collector) = &self.collector else { return Ok(H::disabled(self.unit)) };
        let pairs = self.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let own = pairs.clone().filter(|(name, _)| !collector.defaults.has(name)).count();
        let count = own + collector.defaults.iter().len();
        if count > DIMENSIONS_PER_SET {
            return Err(Error::too_many_dimensions(count));
        }
        let dimensions = DimensionSet::merged(&collector.defaults, pairs, &collector.counters);
        let unknown =
            |set| unknown_name(&dimensions.iter().map(|(name, _)| name), Vec::as_slice(set));
        if let Some(name) = self.sets.iter().find_map(unknown) {
            let fault = "is in a dimension set, but is no dimension of the metric";
            return Err(Error::dimension(name, fault));
        }
        let dimensions = Arc::new(dimensions.with_rollups(&self.sets));
        if dimensions.has(&self.name) {
            return Err(Error::metric(&self.name, "is the name of one of its dimensions"));
        }
        let (name, unit, resolution) = (self.name.as_str(), self.unit, self.resolution);
        let candidate = Candidate { name, unit, resolution, dimensions: &dimensions };
        let admission = collector.census.admit(&collector.counters, &candidate, 0);
        let is_overflow = admission != Admission::AsGiven;
        let (name, dimensions) = match admission {
            Admission::AsGiven => (self.name, dimensions),
            Admission::Overflow { dimensions, renamed: false } => (self.name, dimensions),
            Admission::Overflow { dimensions, renamed: true } => (OVERFLOW.to_owned(), dimensions),
        };
        collector.interval.ensure(collector);
        // The handle says which kind it is.
        let key = SeriesKey { name, unit, resolution, kind: Kind::default(), dimensions };
        Ok(H::of(Registration { collector, key, is_overflow }))
    }

    fn check_name(&self) -> Result<(), Error> {
        if let Some(fault) = names::metric_name_fault(&self.name) {
            return Err(Error::metric(&self.name, fault));
        }
        if names::is_line_key(&self.name) {
            return Err(Error::metric(&self.name, "is a key that log lines have"));
        }
        Ok(())
    }

    fn check_dimensions(&self) -> Result<(), Error> {
        names::check_dimensions(&self.dimensions)
    }
}

impl Registration<'_> {
    fn live<C>(
        self,
        kind: Kind,
        register: impl FnOnce(&Inner, SeriesKey, bool) -> Arc<super::Series<C>>,
    ) -> Option<Live<C>> {
        let key = SeriesKey { kind, ..self.key };
        let series = register(self.collector, key, self.is_overflow);
        Some(Live { collector: Arc::clone(self.collector), series })
    }
}

impl Handle for Counter {}
impl sealed::Sealed for Counter {
    const DEFAULT_UNIT: Unit = Unit::Count;

    fn of(registration: Registration<'_>) -> Self {
        Self(registration.live(Kind::Counter, |inner, key, over| inner.registry.counter(key, over)))
    }

    fn disabled(_: Unit) -> Self {
        Self(None)
    }
}

impl Handle for Gauge {}
impl sealed::Sealed for Gauge {
    const DEFAULT_UNIT: Unit = Unit::None;

    fn of(registration: Registration<'_>) -> Self {
        Self(registration.live(Kind::Gauge, |inner, key, over| inner.registry.gauge(key, over)))
    }

    fn disabled(_: Unit) -> Self {
        Self(None)
    }
}

impl Handle for Histogram {}
impl sealed::Sealed for Histogram {
    const DEFAULT_UNIT: Unit = Unit::None;

    fn of(registration: Registration<'_>) -> Self {
        let register = |inner: &Inner, key, over| inner.registry.histogram(key, over);
        Self(registration.live(Kind::Distribution, register))
    }

    fn disabled(_: Unit) -> Self {
        Self(None)
    }
}

impl Handle for Timer {}
impl sealed::Sealed for Timer {
    const DEFAULT_UNIT: Unit = Unit::Seconds;

    fn refuse(unit: Unit) -> Option<Error> {
        let is_time = matches!(unit, Unit::Seconds | Unit::Milliseconds | Unit::Microseconds);
        (!is_time).then(|| Error::metric_unit(unit))
    }

    fn of(registration: Registration<'_>) -> Self {
        let unit = registration.key.unit;
        Self::new(Histogram::of(registration), unit)
    }

    fn disabled(unit: Unit) -> Self {
        Self::new(Histogram(None), unit)
    }
}

impl<H> fmt::Debug for MetricBuilder<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricBuilder")
            .field("name", &self.name)
            .field("unit", &self.unit)
            .field("resolution", &self.resolution)
            .field("dimensions", &self.dimensions)
            .finish_non_exhaustive()
    }
}
