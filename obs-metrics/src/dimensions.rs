//! Sets of dimensions: part of what a series is.

use crate::limits::DIMENSIONS_PER_SET;
use crate::names;
use crate::stats::Counters;

/// A series' dimensions, valid, sorted by name, so that two sets are equal in any order of
/// recording; and which of them make further sets, under which its values appear too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct DimensionSet {
    pairs: Vec<(String, String)>,
    /// Places in `pairs`, in ascending order; none holds them all.
    rollups: Vec<Vec<usize>>,
}

impl DimensionSet {
    /// The collector's own dimensions with those of one call, which win where a name is the same;
    /// within a call the last one wins. What is not valid is made so; what exceeds 30 is left out,
    /// the last ones of the call first. Both are counted.
    pub(crate) fn merged<'a>(
        defaults: &DimensionSet,
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
        counters: &Counters,
    ) -> Self {
        let mut pairs = defaults.pairs.clone();
        for (name, value) in given {
            let Some((name, value)) = valid_pair(name, value, counters) else { continue };
            if let Some((_, old)) = pairs.iter_mut().find(|(known, _)| *known == name) {
                *old = value.into_owned();
            } else if pairs.len() == DIMENSIONS_PER_SET {
                counters.excess_dimension();
            } else {
                pairs.push((name.into_owned(), value.into_owned()));
            }
        }
        Self::of(pairs).with_rollups(&defaults.rollups_by_name())
    }

    /// The set of `pairs`, which are valid and have each name once.
    pub(crate) fn of(mut pairs: Vec<(String, String)>) -> Self {
        pairs.sort_unstable();
        Self { pairs, rollups: Vec::new() }
    }

    /// Adds a further set for each of `sets`, which name some of the dimensions. Names that are none
    /// are passed over; a set that is there already, or has all dimensions, is not added.
    pub(crate) fn with_rollups<S: AsRef<[N]>, N: AsRef<str>>(mut self, sets: &[S]) -> Self {
        for set in sets {
            let named = |name: &str| set.as_ref().iter().any(|wanted| wanted.as_ref() == name);
            let places = self.pairs.iter().enumerate().filter(|(_, (name, _))| named(name));
            let rollup: Vec<usize> = places.map(|(place, _)| place).collect();
            if rollup.len() < self.pairs.len() && !self.rollups.contains(&rollup) {
                self.rollups.push(rollup);
            }
        }
        self
    }

    /// The further sets.
    pub(crate) fn rollups(
        &self,
    ) -> impl ExactSizeIterator<Item = impl Iterator<Item = (&str, &str)> + Clone> + Clone {
        self.rollups.iter().map(|rollup| {
            let pairs = rollup.iter().filter_map(|place| self.pairs.get(*place));
            pairs.map(|(name, value)| (name.as_str(), value.as_str()))
        })
    }

    /// The names of the further sets.
    pub(crate) fn rollups_by_name(&self) -> Vec<Vec<&str>> {
        self.rollups().map(|rollup| rollup.map(|(name, _)| name).collect()).collect()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.iter().any(|(known, _)| known == name)
    }
}

/// A dimension as it is written; `None`, counted, where its name is blank.
pub(crate) fn valid_pair<'a>(
    name: &'a str,
    value: &'a str,
    counters: &Counters,
) -> Option<(std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)> {
    let Some(valid_name) = names::dimension_name(name) else {
        counters.blank_dimension();
        return None;
    };
    let valid_value = names::dimension_value(value);
    if *valid_name != *name || *valid_value != *value {
        counters.repaired();
    }
    Some((valid_name, valid_value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &[(&str, &str)], expected: &[(&str, &str)], repaired: u64, left_out: u64) {
        let defaults = DimensionSet::of(vec![("Service".into(), "orders".into())]);
        let counters = Counters::default();
        let set = DimensionSet::merged(&defaults, given.iter().copied(), &counters);
        assert_eq!(set.iter().collect::<Vec<_>>(), expected);
        let stats = counters.read();
        assert_eq!((stats.repaired, stats.dimensions_left_out), (repaired, left_out), "{given:?}");
    }

    #[test]
    fn dimensions_of_a_call_join_the_collectors_own() {
        check(&[], &[("Service", "orders")], 0, 0);
        check(
            &[("Pipeline", "sales"), ("A", "1")],
            &[("A", "1"), ("Pipeline", "sales"), ("Service", "orders")],
            0,
            0,
        );
        check(&[("Service", "other")], &[("Service", "other")], 0, 0);
        check(&[("A", "1"), ("A", "2")], &[("A", "2"), ("Service", "orders")], 0, 0);
        check(&[("A", " ")], &[("A", "unknown"), ("Service", "orders")], 1, 0);
        check(&[("", "x"), ("ä", "x")], &[("%C3%A4", "x"), ("Service", "orders")], 1, 1);
    }

    #[test]
    fn further_sets_name_some_of_the_dimensions() {
        let counters = Counters::default();
        let defaults = DimensionSet::of(vec![("Service".into(), "orders".into())]).with_rollups(&[
            ["Service"].as_slice(),
            &[],
            &["Service", "Unknown"],
        ]);
        // Its one dimension is all that there is: no further set.
        assert_eq!(defaults.rollups_by_name(), [[""; 0]]);
        let set = DimensionSet::merged(&defaults, [("A", "1"), ("B", "2")], &counters);
        let set = set.with_rollups(&[["B", "A"].as_slice(), &["A", "B", "Service"], &[]]);
        assert_eq!(set.rollups_by_name(), [vec![], vec!["A", "B"]]);
        assert_eq!(set.rollups().nth(1).unwrap().collect::<Vec<_>>(), [("A", "1"), ("B", "2")]);
    }

    #[test]
    fn scenario_24_the_31st_dimension_is_left_out_and_counted() {
        let given: Vec<(String, String)> =
            (0..31).map(|n| (format!("D{n:02}"), "x".to_owned())).collect();
        let counters = Counters::default();
        let defaults = DimensionSet::of(vec![("Service".into(), "orders".into())]);
        let given = given.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let set = DimensionSet::merged(&defaults, given, &counters);
        assert_eq!(set.iter().len(), DIMENSIONS_PER_SET);
        assert!(set.has("Service") && set.has("D28") && !set.has("D29"));
        assert_eq!(counters.read().dimensions_left_out, 2);
    }
}
