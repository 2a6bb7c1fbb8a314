//! What a series is found by: what the caller gave, before anything is made valid.

use crate::hash::{mix, step};
use crate::unit::{Resolution, Unit};

/// What the caller gives, as it is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    pub(crate) name: &'a str,
    pub(crate) unit: Unit,
    pub(crate) resolution: Resolution,
    pub(crate) dimensions: &'a [(&'a str, &'a str)],
    /// Further sets of dimensions, by name, beside the collector's.
    pub(crate) sets: &'a [Vec<Box<str>>],
    /// Whether it has none of the collector's dimensions.
    pub(crate) is_single: bool,
}

/// What the caller gave.
#[derive(Debug)]
pub(super) struct Owned {
    kind: u8,
    /// Whether a name occurs twice: then their order decides which value it has.
    ordered: bool,
    name: Box<str>,
    dimensions: Box<[Pair]>,
    sets: Box<[Vec<Box<str>>]>,
}

type Pair = (Box<str>, Box<str>);

impl Given<'_> {
    /// A hash that does not depend on the order of the dimensions.
    #[inline]
    pub(super) fn hash(&self, seed: u64) -> u64 {
        let name = mix(seed ^ u64::from(self.kind()), self.name.as_bytes());
        let pairs = self.dimensions.iter().fold(0_u64, |sum, (name, value)| {
            sum.wrapping_add(mix(mix(seed, name.as_bytes()), value.as_bytes()))
        });
        let hash = step(name, pairs);
        if self.sets.is_empty() { hash } else { self.with_sets(hash) }
    }

    #[cold]
    fn with_sets(&self, hash: u64) -> u64 {
        self.sets.iter().fold(hash, |hash, set| {
            let begin = step(hash, set.len() as u64);
            set.iter().fold(begin, |hash, name| mix(hash, name.as_bytes()))
        })
    }

    /// Unit, resolution and whether it is single, in one byte.
    #[inline]
    fn kind(&self) -> u8 {
        ((self.unit as u8) << 1 | self.resolution as u8) << 1 | u8::from(self.is_single)
    }
}

impl Owned {
    pub(super) fn new(given: &Given<'_>) -> Self {
        let dimensions = given.dimensions;
        let twice = |n: usize, name: &str| dimensions.iter().skip(n + 1).any(|(k, _)| *k == name);
        Self {
            kind: given.kind(),
            ordered: dimensions.iter().enumerate().any(|(n, (name, _))| twice(n, name)),
            name: given.name.into(),
            dimensions: dimensions.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            sets: given.sets.into(),
        }
    }

    #[inline]
    pub(super) fn is(&self, given: &Given<'_>) -> bool {
        let dimensions = given.dimensions;
        self.kind == given.kind()
            && same(&self.name, given.name)
            && self.dimensions.len() == dimensions.len()
            && (self.dimensions.iter().zip(dimensions).all(is_pair) || self.is_permuted(dimensions))
            && self.sets.len() == given.sets.len()
            && (given.sets.is_empty() || *self.sets == *given.sets)
    }

    /// Whether the dimensions are these in another order.
    fn is_permuted(&self, dimensions: &[(&str, &str)]) -> bool {
        let own = &self.dimensions;
        !self.ordered
            && own.len() > 1
            && own.iter().all(|own| dimensions.iter().any(|pair| is_pair((own, pair))))
            && dimensions.iter().all(|pair| own.iter().any(|own| is_pair((own, pair))))
    }
}

#[inline]
fn is_pair((own, given): (&Pair, &(&str, &str))) -> bool {
    same(&own.0, given.0) && same(&own.1, given.1)
}

/// Whether the texts are equal: for short ones without a call, which would cost more than the rest of
/// a look-up.
#[inline]
fn same(own: &str, given: &str) -> bool {
    let (own, given) = (own.as_bytes(), given.as_bytes());
    if own.len() != given.len() {
        return false;
    }
    if let (Some(first), Some(last)) = (own.first_chunk::<8>(), own.last_chunk::<8>()) {
        // Two words cover 8 to 16 bytes; between them lies the rest of longer texts.
        return Some(first) == given.first_chunk()
            && Some(last) == given.last_chunk()
            && (own.len() <= 16 || own == given);
    }
    if let (Some(first), Some(last)) = (own.first_chunk::<4>(), own.last_chunk::<4>()) {
        return Some(first) == given.first_chunk() && Some(last) == given.last_chunk();
    }
    own.iter().zip(given).all(|(own, given)| own == given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_compared_whole() {
        let text: String = ('a'..='z').cycle().take(40).collect();
        for length in 0..40 {
            let given = &text[..length];
            let own = given.to_owned();
            assert!(same(&own, given), "{length}");
            assert!(!same(given, &text[..length + 1]), "{length}");
            for place in 0..length {
                let mut other = given.to_owned();
                other.replace_range(place..=place, "_");
                assert!(!same(given, &other), "{place} of {length}");
                assert_ne!(mix(7, given.as_bytes()), mix(7, other.as_bytes()));
            }
        }
    }

    #[test]
    fn a_hash_knows_no_order_of_dimensions() {
        let hash = |dimensions: &[(&str, &str)], unit, is_single| {
            let resolution = Resolution::Standard;
            Given { name: "A", unit, resolution, dimensions, sets: &[], is_single }.hash(11)
        };
        let hash_of = |dimensions| hash(dimensions, Unit::Count, false);
        let both = hash_of(&[("P", "x"), ("Q", "y")]);
        assert_eq!(both, hash_of(&[("Q", "y"), ("P", "x")]));
        for other in [
            hash_of(&[("P", "y"), ("Q", "x")]),
            hash_of(&[("P", "x")]),
            hash(&[("P", "x"), ("Q", "y")], Unit::Bytes, false),
            hash(&[("P", "x"), ("Q", "y")], Unit::Count, true),
        ] {
            assert_ne!(both, other);
        }
    }
}
