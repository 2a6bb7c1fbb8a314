//! The values of one series until they leave: each distinct value with its count.

use crate::limits::VALUES_PER_METRIC;

/// A value and how often it was recorded.
pub(crate) type Counted = (f64, u64);

/// Distinct values with counts, in chunks of at most [`VALUES_PER_METRIC`], which is what one
/// document takes. Nothing is rounded.
#[derive(Debug, Default)]
pub(crate) struct Distribution {
    full: Vec<Vec<Counted>>,
    current: Vec<Counted>,
}

impl Distribution {
    /// Counts `value`, which is finite. Returns whether that took new memory.
    pub(crate) fn record(&mut self, value: f64) -> bool {
        // -0 and 0 are one value.
        let value = value + 0.0;
        let same = |(known, _): &&mut Counted| known.to_bits() == value.to_bits();
        if let Some((_, count)) = self.current.iter_mut().rev().find(same) {
            *count = count.saturating_add(1);
            return false;
        }
        if self.current.len() == VALUES_PER_METRIC {
            self.full.push(std::mem::take(&mut self.current));
        }
        self.current.push((value, 1));
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.current.is_empty()
    }

    /// The chunks, the first one first.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[Counted]> {
        let current = (!self.current.is_empty()).then_some(&self.current);
        self.full.iter().chain(current).map(Vec::as_slice)
    }

    /// The one chunk, where there is exactly one.
    pub(crate) fn only_chunk(&self) -> Option<&[Counted]> {
        (self.full.is_empty() && !self.current.is_empty()).then_some(self.current.as_slice())
    }

    /// How many values were recorded.
    pub(crate) fn count(&self) -> u64 {
        self.chunks().flatten().map(|(_, count)| count).sum()
    }

    /// Forgets the values and keeps the memory of one chunk.
    pub(crate) fn clear(&mut self) {
        self.full.clear();
        self.current.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: impl IntoIterator<Item = f64>, expected: &[&[Counted]]) {
        let mut distribution = Distribution::default();
        let mut recorded = 0;
        for value in values {
            distribution.record(value);
            recorded += 1;
        }
        assert_eq!(distribution.chunks().collect::<Vec<_>>(), expected);
        assert_eq!(distribution.count(), recorded);
        assert_eq!(distribution.is_empty(), recorded == 0);
        assert_eq!(distribution.only_chunk().is_some(), expected.len() == 1);
    }

    #[test]
    fn equal_values_are_counted() {
        check([], &[]);
        check([1.0, 2.0, 1.0], &[&[(1.0, 2), (2.0, 1)]]);
        check([0.0, -0.0], &[&[(0.0, 2)]]);
    }

    #[test]
    fn scenario_24_the_101st_value_begins_a_chunk() {
        let all: Vec<Counted> = (0..101).map(|n| (f64::from(n), 1)).collect();
        check((0..100).map(f64::from), &[&all[..100]]);
        check((0..101).map(f64::from), &[&all[..100], &all[100..]]);
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
        assert_eq!(distribution.only_chunk(), Some([(7.0, 2)].as_slice()));
    }
}
