//! Deterministic randomness for fleets and identifiers.
//!
//! A fleet must be the same on every machine for the same seed, so the generator is written out here and owes nothing
//! to the clock or to the operating system. It is not for secrets.

use std::fmt;

/// The splitmix64 generator of Steele, Lea and Flood (2014).
#[derive(Debug, Clone)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator that starts at `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The bias of the remainder is below one in 2^32 for the bounds used here, which a demonstration can bear.
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// True in about `percent` of a hundred calls.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`, or `None` when there are none.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        choices.get(index)
    }

    /// A version 4 identifier.
    pub(crate) fn guid(&mut self) -> Guid {
        Guid(self.next(), self.next())
    }
}

/// An identifier in the 8-4-4-4-12 form, marked as version 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Guid(u64, u64);

impl Guid {
    /// The identifier that belongs to `number` in the sequence `salt`: no state, so request ids need no lock.
    pub(crate) fn numbered(salt: u64, number: u64) -> Self {
        SplitMix64::new(salt ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93)).guid()
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (high, low) = (self.0, self.1);
        write!(
            f,
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            ((low >> 48) & 0x3fff) | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_sequence() {
        let mut one = SplitMix64::new(7);
        let mut other = SplitMix64::new(7);
        assert!((0..100).all(|_| one.next() == other.next()));
        assert_ne!(SplitMix64::new(7).next(), SplitMix64::new(8).next());
    }

    #[test]
    fn first_output_is_the_published_one() {
        // The reference implementation seeded with 1234567 starts with this number.
        assert_eq!(SplitMix64::new(1_234_567).next(), 6_457_827_717_110_365_317);
    }

    #[test]
    fn identifiers_have_the_form_of_version_4() {
        let text = Guid::numbered(1, 2).to_string();
        assert_eq!(text.len(), 36);
        let parts: Vec<&str> = text.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(parts[2].starts_with('4'));
        assert!("89ab".contains(&parts[3][..1]));
    }

    #[test]
    fn an_empty_choice_is_none() {
        assert_eq!(SplitMix64::new(1).pick::<u8>(&[]), None);
        assert_eq!(SplitMix64::new(1).below(0), 0);
    }
}
