//! How many series there may be: what is decided when a new one asks.

use std::collections::HashMap;

/// Series of one metric, unless [`series_per_metric`] says otherwise.
///
/// [`series_per_metric`]: crate::MetricsCollectorBuilder::series_per_metric
pub const DEFAULT_SERIES_PER_METRIC: usize = 1_000;

/// Budgets of this many metrics make the default of all together.
const METRICS_IN_ALL: usize = 10;

/// The settings of a census.
#[derive(Clone, Debug)]
pub(crate) struct Budgets {
    per_metric: usize,
    named: HashMap<String, usize>,
    in_all: Option<usize>,
}

/// Where a new series of a metric goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// There is room for it.
    Series,
    /// Into the metric's overflow series.
    Overflow,
    /// There is no room even for the metric's name.
    None,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { per_metric: DEFAULT_SERIES_PER_METRIC, named: HashMap::new(), in_all: None }
    }
}

impl Budgets {
    /// A metric has one series at least: nothing is recorded into none.
    pub(crate) fn per_metric(&mut self, series: usize) {
        self.per_metric = series.max(1);
    }

    pub(crate) fn named(&mut self, metric: String, series: usize) {
        self.named.insert(metric, series.max(1));
    }

    pub(crate) fn in_all(&mut self, series: usize) {
        self.in_all = Some(series.max(1));
    }

    /// Where a new series of the metric `name` goes, of which there are `metric` series (`None`:
    /// the name is new), of all metrics `all`, and of names `names`.
    pub(super) fn room(&self, name: &str, metric: Option<usize>, all: usize, names: usize) -> Room {
        let limit = self.named.get(name).copied().unwrap_or(self.per_metric);
        let in_all = self.limit_in_all();
        if metric.is_none() && names >= in_all {
            Room::None
        } else if metric.unwrap_or(0) < limit && all < in_all {
            Room::Series
        } else {
            Room::Overflow
        }
    }

    fn limit_in_all(&self) -> usize {
        self.in_all.unwrap_or_else(|| {
            let named = self.named.values().fold(0_usize, |sum, n| sum.saturating_add(*n));
            self.per_metric.saturating_mul(METRICS_IN_ALL).saturating_add(named)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenario_16_where_a_new_series_goes() {
        let mut budgets = Budgets::default();
        budgets.per_metric(3);
        budgets.named("Wide".to_owned(), 5);
        budgets.in_all(8);
        for (name, metric, all, names, expected) in [
            ("A", None, 0, 0, Room::Series),
            ("A", Some(2), 2, 1, Room::Series),
            ("A", Some(3), 3, 1, Room::Overflow),
            ("Wide", Some(4), 4, 1, Room::Series),
            ("Wide", Some(5), 5, 1, Room::Overflow),
            ("A", Some(0), 8, 7, Room::Overflow),
            ("A", Some(1), 7, 7, Room::Series),
            // All series are taken: a new metric has its overflow series only.
            ("A", None, 8, 7, Room::Overflow),
            ("A", None, 8, 8, Room::None),
            ("A", Some(1), 8, 8, Room::Overflow),
        ] {
            let given = format!("{name} {metric:?} {all} {names}");
            assert_eq!(budgets.room(name, metric, all, names), expected, "{given}");
        }
    }

    #[test]
    fn budgets_are_never_none() {
        let mut budgets = Budgets::default();
        assert_eq!(budgets.limit_in_all(), 10_000);
        budgets.named("A".to_owned(), 0);
        assert_eq!(budgets.limit_in_all(), 10_001);
        budgets.per_metric(0);
        assert_eq!(budgets.limit_in_all(), 11);
        budgets.named("B".to_owned(), usize::MAX);
        assert_eq!(budgets.limit_in_all(), usize::MAX);
        budgets.in_all(0);
        assert_eq!(budgets.limit_in_all(), 1);
        assert_eq!(budgets.room("A", None, 0, 0), Room::Series);
    }
}
