//! The hash of everything that is looked up by what the caller gave: fast, for short texts, and the
//! same in every thread. Keys come from the program itself, not from an attacker; where they do, a
//! flood of one hash costs time, not memory.

use std::hash::Hasher;

/// Eight bytes at a time; the last ones with their number, so that `a` and `a\0` differ.
pub(crate) fn mix(mut hash: u64, bytes: &[u8]) -> u64 {
    let (eights, rest) = bytes.as_chunks::<8>();
    for eight in eights {
        hash = step(hash, u64::from_le_bytes(*eight));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    step(step(hash, u64::from_le_bytes(last)), bytes.len() as u64)
}

/// The product's high half, where all bits of both meet, folded onto its low one.
pub(crate) fn step(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word) * 0xa076_1d64_78bd_642f;
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
