//! Counts of sessions that can be merged: reading the same session again, from whatever file or source, changes
//! nothing.
//!
//! Each day of a client keeps the smallest hashes of its sessions (a bottom-k sketch; Cohen and Kaplan, "Summarizing
//! data using bottom-k sketches", PODC 2007). The union of two is the sketch of the union, so the order and the number
//! of readings do not matter. Up to [`EXACT`] sessions a day the count is exact; beyond, it is an estimate.

use crate::Millis;
use std::collections::HashSet;

/// Sessions of a client in a day that are counted exactly. Beyond, the estimate has a standard error of one in √62, 13
/// %.
pub(crate) const EXACT: usize = 64;

/// What distinguishes one session of a server from every other, as a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u32);

impl SessionId {
    /// The session of a backend that began at this time, in seconds since 1970: what `%c` of `log_line_prefix` holds,
    /// and what `backend_start` and `pid` of `pg_stat_activity` say too.
    #[must_use]
    pub fn of_backend(start: u64, pid: u32) -> Self {
        Self(mixed(start ^ (u64::from(pid) << 40) ^ u64::from(pid)))
    }

    /// A session of which the process id is known, and when it was seen: process ids are used again.
    #[must_use]
    pub fn of_process(pid: u32, at: Option<Millis>) -> Self {
        Self(mixed(at.unwrap_or_default().unsigned_abs().rotate_left(17) ^ u64::from(pid)))
    }
}

/// SplitMix64's finalizer (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
fn mixed(value: u64) -> u32 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or_default()
}

/// The sessions of one client on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DailySessions(Vec<u32>);

impl DailySessions {
    /// The sessions with these hashes.
    pub(crate) fn of(mut hashes: Vec<u32>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        hashes.truncate(EXACT);
        Self(hashes)
    }

    pub(crate) fn hashes(&self) -> &[u32] {
        &self.0
    }

    pub(crate) fn add(&mut self, SessionId(hash): SessionId) {
        if self.0.len() == EXACT && self.0.last().is_some_and(|last| *last < hash) {
            return;
        }
        if let Err(at) = self.0.binary_search(&hash) {
            self.0.insert(at, hash);
            self.0.truncate(EXACT);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for hash in &other.0 {
            self.add(SessionId(*hash));
        }
    }

    /// How many sessions there were.
    pub(crate) fn count(&self) -> u64 {
        match self.0.last() {
            Some(last) if self.0.len() >= EXACT => {
                let space = u64::from(u32::MAX) + 1;
                (EXACT as u64 - 1) * space / (u64::from(*last) + 1)
            }
            _ => self.0.len() as u64,
        }
    }

    /// Whether the count is exact.
    pub(crate) fn is_exact(&self) -> bool {
        self.0.len() < EXACT
    }
}

/// Whether each of these sessions is known to be one of `others`: so that where some could not be counted one by one, it is not.
pub(crate) fn are_among<'a>(days: impl IntoIterator<Item = &'a DailySessions>, others: &HashSet<u32>) -> bool {
    days.into_iter().all(|day| day.is_exact() && day.hashes().iter().all(|session| others.contains(session)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(pids: impl IntoIterator<Item = u32>) -> DailySessions {
        let mut sessions = DailySessions::default();
        pids.into_iter().for_each(|pid| sessions.add(SessionId::of_backend(1_790_000_000, pid)));
        sessions
    }

    #[test]
    fn counts_are_exact_first_and_close_later() {
        for count in [0, 1, 24, 63] {
            assert_eq!((of(0..count).count(), of(0..count).is_exact()), (u64::from(count), true));
        }
        for count in [1_000_u32, 100_000] {
            let many = of(0..count);
            assert!(!many.is_exact());
            // Four standard errors.
            let off = (many.count() as f64 / f64::from(count) - 1.0).abs();
            assert!(off < 0.52, "{count}: {}", many.count());
        }
    }

    proptest! {
        #[test]
        fn the_order_and_number_of_readings_do_not_matter(parts in prop::collection::vec((0..500u32, 0..200u32), 0..6)) {
            let whole = of(parts.iter().flat_map(|(from, length)| *from..from + length));
            let mut merged = DailySessions::default();
            for (from, length) in parts.iter().rev().chain(&parts) {
                merged.merge(&of(*from..from + length));
            }
            prop_assert_eq!(merged, whole);
        }
    }
}
