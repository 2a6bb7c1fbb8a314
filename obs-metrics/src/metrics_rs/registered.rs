//! How the facade's keys become registered metrics: names and labels are made valid first, since here
//! nobody could be told of an error.

use ::metrics::Label;

use crate::collector::MetricsCollector;
use crate::dimensions::DimensionSet;
use crate::handle::{Handle, MetricBuilder};
use crate::names;
use crate::unit::Unit;

/// Registers what `begin` begins, with its name and labels made valid; what exceeds 30 dimensions is
/// left out and counted. `None`, counted, where the name is blank; and where nothing is recorded.
pub(super) fn register<'a, H: Handle>(
    collector: &MetricsCollector,
    begin: impl FnOnce(&MetricsCollector, String) -> MetricBuilder<H>,
    name: &str,
    unit: Unit,
    labels: impl Iterator<Item = &'a Label>,
) -> Option<H> {
    let inner = collector.inner()?;
    let Some(valid) = names::metric_name(name) else {
        inner.counters.value();
        inner.counters.value_without_name();
        return None;
    };
    let labels = labels.map(|label| (label.key(), label.value()));
    let dimensions = DimensionSet::merged(&inner.defaults, labels, &inner.counters);
    let valid = names::free_name(&valid, |name| dimensions.has(name));
    if valid != name {
        inner.counters.repaired();
    }
    let builder = begin(collector, valid).unit(unit);
    let builder =
        dimensions.iter().fold(builder, |builder, (name, value)| builder.dimension(name, value));
    // Everything that it checks was made valid.
    builder.register().ok()
}
