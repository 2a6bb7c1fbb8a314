//! The values of one series until they leave: each distinct value with its count.

use crate::limits::VALUES_PER_METRIC;

/// A value and how often it was recorded.
pub(crate) type Counted = (f64, u64);

/// Distinct values with counts. Nothing is rounded.
///
/// A value is looked for among the last ones only, up to [`VALUES_PER_METRIC`], which is what one
/// document takes: beyond that, one that comes again may stand there again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Distribution(Vec<Counted>);

impl Distribution {
    /// Counts `value`, which is finite. Returns whether that took new memory.
    pub(crate) fn record(&mut self, value: f64) -> bool {
        self.record_n(value, 1)
    }

    /// As [`record`](Self::record), `n` times.
    pub(crate) fn record_n(&mut self, value: f64, n: u64) -> bool {
        // -0 and 0 are one value.
        let value = value + 0.0;
        let chunk = self.0.len() - self.0.len() % VALUES_PER_METRIC;
        let same = |(known, _): &&mut Counted| known.to_bits() == value.to_bits();
        if let Some((_, count)) =
            self.0.get_mut(chunk..).and_then(|chunk| chunk.iter_mut().rev().find(same))
        {
            *count = count.saturating_add(n);
            return false;
        }
        self.0.push((value, n));
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn as_slice(&self) -> &[Counted] {
        &self.0
    }

    pub(crate) fn into_values(self) -> Vec<Counted> {
        self.0
    }

    /// The values, where one document takes them all and there are some.
    pub(crate) fn of_one_document(&self) -> Option<&[Counted]> {
        (1..=VALUES_PER_METRIC).contains(&self.0.len()).then_some(self.as_slice())
    }

    /// How many values were recorded.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Forgets the values and keeps the memory of one document's.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
        self.0.shrink_to(VALUES_PER_METRIC);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: impl IntoIterator<Item = f64>, expected: &[Counted]) {
        let mut distribution = Distribution::default();
        let mut recorded = 0;
        for value in values {
            distribution.record(value);
            recorded += 1;
        }
        assert_eq!(distribution.as_slice(), expected);
        assert_eq!(distribution.count(), recorded);
        assert_eq!(distribution.is_empty(), recorded == 0);
        let fits = (1..=VALUES_PER_METRIC).contains(&expected.len());
        assert_eq!(distribution.of_one_document().is_some(), fits);
    }

    #[test]
    fn equal_values_are_counted() {
        check([], &[]);
        check([1.0, 2.0, 1.0], &[(1.0, 2), (2.0, 1)]);
        check([0.0, -0.0], &[(0.0, 2)]);
    }

    #[test]
    fn scenario_24_the_101st_value_begins_another_document() {
        let all: Vec<Counted> = (0..101).map(|n| (f64::from(n), 1)).collect();
        check((0..100).map(f64::from), &all[..100]);
        check((0..101).map(f64::from), &all);
        check((0..100).map(f64::from).chain([7.0, 7.0]), &[&all[..100], &[(7.0, 2)]].concat());
    }

    #[test]
    fn a_cleared_distribution_begins_anew() {
        let mut distribution = Distribution::default();
        for n in 0..250 {
            distribution.record(f64::from(n));
        }
        distribution.clear();
        assert!(distribution.is_empty());
        assert!(distribution.record(7.0));
        assert!(!distribution.record(7.0));
        assert_eq!(distribution.of_one_document(), Some([(7.0, 2)].as_slice()));
    }
}
