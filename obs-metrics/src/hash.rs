//! The hash of everything that is looked up by what the caller gave: fast, for short texts, and the
//! same in every thread. Keys come from the program itself, not from an attacker; where they do, a
//! flood of one hash costs time, not memory.

use std::hash::Hasher;

/// Adds `bytes` to `hash`: one multiplication for up to 16 bytes, one more for each further 16. Short
/// texts are read in two words that may overlap; the length tells those apart.
#[inline]
pub(crate) fn mix(hash: u64, bytes: &[u8]) -> u64 {
    let hash = hash ^ (bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (first, last) = if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk())
    {
        if bytes.len() > 16 {
            return mix_long(hash, bytes, u64::from_le_bytes(*last));
        }
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
    } else if let [first, .., last] | [first @ last] = bytes {
        let middle = bytes.get(1).copied().unwrap_or_default();
        (u64::from(*first) << 8 | u64::from(middle), u64::from(*last))
    } else {
        (0, 0)
    };
    two(hash, first, last)
}

fn mix_long(mut hash: u64, bytes: &[u8], last: u64) -> u64 {
    let (eights, _) = bytes.as_chunks::<8>();
    let (pairs, odd) = eights.as_chunks::<2>();
    for [first, second] in pairs {
        hash = two(hash, u64::from_le_bytes(*first), u64::from_le_bytes(*second));
    }
    two(hash, odd.first().map_or(0, |odd| u64::from_le_bytes(*odd)), last)
}

/// Neither factor is what a text makes zero, unless it knows the hash before it.
#[inline]
fn two(hash: u64, first: u64, second: u64) -> u64 {
    fold(hash ^ first, hash.rotate_left(32) ^ second ^ 0xe703_7ed1_a0b4_28db)
}

/// Adds one word to `hash`.
#[inline]
pub(crate) fn step(hash: u64, word: u64) -> u64 {
    fold(hash ^ word, 0xa076_1d64_78bd_642f)
}

/// The product's high half, where all bits of both meet, folded onto its low one.
#[inline]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    let [low, high] = [0, 64].map(|shift| (product >> shift) & u128::from(u64::MAX));
    u64::try_from(low ^ high).unwrap_or_default()
}

/// Takes a hash that is one already, or hashes what it is given.
#[derive(Debug, Default)]
pub(crate) struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
