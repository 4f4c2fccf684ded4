//! A hash for what a log makes be looked up millions of times.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Hashes the keys of sessions and clients, a dozen times for each session. The seed is random, so that a log that was made for
/// it cannot make lookups slow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeededHash(u64, u64);

impl Default for SeededHash {
    fn default() -> Self {
        let random = RandomState::new();
        // Odd, so that no factor is lost.
        Self(random.hash_one(0), random.hash_one(1) | 1)
    }
}

impl BuildHasher for SeededHash {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { state: self.0, factor: self.1 }
    }
}

/// Multiplies, and folds the two halves of the product.
#[derive(Debug)]
pub(crate) struct Folded {
    state: u64,
    factor: u64,
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.state
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            // Its length is part of it, so that a zero counts.
            let length = rest.len() as u64;
            self.write_u64(rest.iter().fold(length, |word, byte| word << 8 | u64::from(*byte)));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.state ^ number) * u128::from(self.factor);
        let [low, high] = [product as u64, (product >> 64) as u64];
        self.state = low ^ high;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn texts_that_are_almost_alike_are_told_apart() {
        let seed = SeededHash::default();
        let mut texts: Vec<Vec<u8>> = (0..20).map(|length| vec![0; length]).collect();
        texts.extend((0..4_000_u32).map(|number| format!("user{number}").into_bytes()));
        let hashes: HashSet<u64> = texts.iter().map(|text| seed.hash_one(text)).collect();
        assert_eq!(hashes.len(), texts.len());
        // The lower bits choose the place in a table, the upper ones tell its neighbours apart.
        let places: HashSet<u64> = hashes.iter().map(|hash| hash & 0xfff).collect();
        assert!(places.len() > 2_000, "{}", places.len());
    }
}
