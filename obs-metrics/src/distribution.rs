//! The values of one series until they leave: each distinct value with its count.

use std::ops::Deref;

use crate::limits::VALUES_PER_METRIC;

/// A value and how often it was recorded.
pub(crate) type Counted = (f64, u64);

/// Distinct values with counts. Nothing is rounded. One value takes no memory of its own.
///
/// A value is looked for among the last ones only, up to [`VALUES_PER_METRIC`], which is what one
/// document takes: beyond that, one that comes again may stand there again.
#[derive(Clone, Debug)]
pub(crate) struct Distribution(Values);

#[derive(Clone, Debug)]
enum Values {
    One(Counted),
    Any(Vec<Counted>),
}

impl Default for Distribution {
    fn default() -> Self {
        Self(Values::Any(Vec::new()))
    }
}

impl Distribution {
    /// A value with its count.
    pub(crate) fn one(value: Counted) -> Self {
        Self(Values::One(value))
    }

    /// Counts `value`, which is finite. Returns whether that took new memory.
    pub(crate) fn record(&mut self, value: f64) -> bool {
        self.record_n(value, 1)
    }

    /// As [`record`](Self::record), `n` times.
    #[inline]
    pub(crate) fn record_n(&mut self, value: f64, n: u64) -> bool {
        // -0 and 0 are one value.
        let value = value + 0.0;
        if let Values::One((known, count)) = &mut self.0
            && known.to_bits() == value.to_bits()
        {
            *count = count.saturating_add(n);
            return false;
        }
        self.record_among(value, n)
    }

    fn record_among(&mut self, value: f64, n: u64) -> bool {
        match &mut self.0 {
            // One that has memory goes on with it.
            Values::Any(values) if values.capacity() == 0 => self.0 = Values::One((value, n)),
            Values::One(first) => {
                let mut values = Vec::with_capacity(4);
                values.extend([*first, (value, n)]);
                self.0 = Values::Any(values);
            }
            Values::Any(values) => {
                let chunk = values.len() - values.len() % VALUES_PER_METRIC;
                let same = |(known, _): &&mut Counted| known.to_bits() == value.to_bits();
                if let Some((_, count)) =
                    values.get_mut(chunk..).and_then(|chunk| chunk.iter_mut().rev().find(same))
                {
                    *count = count.saturating_add(n);
                    return false;
                }
                values.push((value, n));
            }
        }
        true
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[Counted] {
        match &self.0 {
            Values::One(value) => std::slice::from_ref(value),
            Values::Any(values) => values,
        }
    }

    /// The values, where one document takes them all and there are some.
    pub(crate) fn of_one_document(&self) -> Option<&[Counted]> {
        let values = self.as_slice();
        (1..=VALUES_PER_METRIC).contains(&values.len()).then_some(values)
    }

    /// How many values were recorded.
    pub(crate) fn count(&self) -> u64 {
        self.as_slice().iter().map(|(_, count)| count).sum()
    }

    /// Forgets the values and keeps the memory of one document's.
    pub(crate) fn clear(&mut self) {
        match &mut self.0 {
            Values::One(_) => *self = Self::default(),
            Values::Any(values) => {
                values.clear();
                values.shrink_to(VALUES_PER_METRIC);
            }
        }
    }
}

impl Deref for Distribution {
    type Target = [Counted];

    fn deref(&self) -> &[Counted] {
        self.as_slice()
    }
}

impl From<Vec<Counted>> for Distribution {
    fn from(values: Vec<Counted>) -> Self {
        Self(Values::Any(values))
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
