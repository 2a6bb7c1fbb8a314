//! Sets of dimensions: part of what a series is.
//!
//! A series has one set of all its dimensions, and may have further ones of some of them. What makes a
//! further set of names is said here, once for all ways of recording: [`add_further_sets`].

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use crate::limits::DIMENSIONS_PER_SET;
use crate::names;
use crate::stats::Counters;

/// A series' dimensions, valid, sorted by name, so that two sets are equal in any order of
/// recording; and which of them make further sets, under which its values appear too.
#[derive(Clone, Debug, Default)]
pub(crate) struct DimensionSet {
    pairs: Vec<Pair>,
    /// Places in `pairs`, in ascending order; none holds them all.
    rollups: Vec<Vec<usize>>,
    /// Of a collector's own dimensions: the names of the further sets that every metric has. They may
    /// name what only a call has, and so are kept beside what they make of the dimensions here. No
    /// part of what makes a series.
    wanted: Vec<Vec<String>>,
}

/// A name and its value.
pub(crate) type Pair = (String, String);

impl PartialEq for DimensionSet {
    fn eq(&self, other: &Self) -> bool {
        self.pairs == other.pairs && self.rollups == other.rollups
    }
}

impl Eq for DimensionSet {}

impl Hash for DimensionSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pairs.hash(state);
        self.rollups.hash(state);
    }
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
        Self::of(pairs).with_rollups(&defaults.wanted)
    }

    /// The set of `pairs`, which are valid and have each name once.
    pub(crate) fn of(mut pairs: Vec<Pair>) -> Self {
        pairs.sort_unstable();
        Self { pairs, rollups: Vec::new(), wanted: Vec::new() }
    }

    /// The collector's own dimensions, with the further sets that every metric has.
    pub(crate) fn of_collector(pairs: Vec<Pair>, wanted: &[Vec<String>]) -> Self {
        Self { wanted: wanted.to_vec(), ..Self::of(pairs).with_rollups(wanted) }
    }

    /// Adds the further sets that these names make: [`add_further_sets`].
    pub(crate) fn with_rollups<S: AsRef<[N]>, N: AsRef<str>>(mut self, sets: &[S]) -> Self {
        let names = self.pairs.iter().map(|(name, _)| name.as_str());
        add_further_sets(&mut self.rollups, &names, sets);
        self
    }

    /// The names of the further sets that every metric of the collector has, as far as it has such
    /// dimensions.
    pub(crate) fn wanted(&self) -> &[Vec<String>] {
        &self.wanted
    }

    /// All dimensions, sorted by name: what CloudWatch knows the series by.
    pub(crate) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Whether both have the same further sets; they have the same dimensions.
    pub(crate) fn has_rollups_of(&self, other: &Self) -> bool {
        self.rollups == other.rollups
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

/// Adds to `further` what `sets` make of dimensions of these names: the places of the names in each.
///
/// A set that names what is no dimension is left out: without that name it would be a wider set, which
/// nobody asked for and CloudWatch bills. So is one with all the dimensions, which is there anyway, and
/// one that is there already, in whatever order.
pub(crate) fn add_further_sets<'a, S: AsRef<[N]>, N: AsRef<str>>(
    further: &mut Vec<Vec<usize>>,
    names: &(impl Iterator<Item = &'a str> + Clone),
    sets: &[S],
) {
    for set in sets {
        let set = set.as_ref();
        let named = |(_, name): &(usize, &str)| set.iter().any(|wanted| wanted.as_ref() == *name);
        let places: Vec<usize> =
            names.clone().enumerate().filter(named).map(|(place, _)| place).collect();
        let is_all = places.len() == names.clone().count();
        if unknown_name(names, set).is_none() && !is_all && !further.contains(&places) {
            further.push(places);
        }
    }
}

/// The first name in `set` that is none of `names`.
pub(crate) fn unknown_name<'a, 's, N: AsRef<str>>(
    names: &(impl Iterator<Item = &'a str> + Clone),
    set: &'s [N],
) -> Option<&'s str> {
    let mut set = set.iter().map(AsRef::as_ref);
    set.find(|wanted| names.clone().all(|name| name != *wanted))
}

/// The name in a further set as the dimension of that name is written.
pub(crate) fn name_in_set(name: &str) -> String {
    names::dimension_name(name).map_or_else(String::new, Cow::into_owned)
}

/// A dimension as it is written; `None`, counted, where its name is blank.
pub(crate) fn valid_pair<'a>(
    name: &'a str,
    value: &'a str,
    counters: &Counters,
) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
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
        let sets: [&[&str]; 4] = [&["Service"], &[], &["Service", "A"], &["Unknown"]];
        let sets = sets.map(|set| set.iter().map(|name| (*name).to_owned()).collect());
        let pairs = vec![("Service".into(), "orders".into())];
        let defaults = DimensionSet::of_collector(pairs, &sets);
        // Its one dimension is all that there is: no further set.
        assert_eq!(defaults.rollups_by_name(), [[""; 0]]);
        let merged = |given: &[(&str, &str)]| {
            DimensionSet::merged(&defaults, given.iter().copied(), &counters)
        };
        assert_eq!(merged(&[("B", "1")]).rollups_by_name(), [vec!["Service"], vec![]]);
        assert_eq!(merged(&[("A", "1")]).rollups_by_name(), [vec!["Service"], vec![]]);
        let set = merged(&[("A", "1"), ("B", "2")]);
        assert_eq!(set.rollups_by_name(), [vec!["Service"], vec![], vec!["A", "Service"]]);
        let more: [&[&str]; 5] =
            [&["B", "A"], &["A", "B", "Service"], &[], &["A", "A", "B"], &["B", "Misspelt"]];
        let set = set.with_rollups(&more);
        let expected = [vec!["Service"], vec![], vec!["A", "Service"], vec!["A", "B"]];
        assert_eq!(set.rollups_by_name(), expected);
        assert_eq!(set.rollups().last().unwrap().collect::<Vec<_>>(), [("A", "1"), ("B", "2")]);
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
