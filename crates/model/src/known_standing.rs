//! Where a server stands by all that is kept of it, beside what one audit saw.
//!
//! This is the one rule by which servers are counted for people: the newest evidence of each kind stands, with its age,
//! until newer evidence of that kind replaces it. An audit that did not probe a server says nothing of its listeners, so an
//! earlier probe still counts.

use crate::{ServerReport, Standing, WorstListener};

/// Where a server stands by all that was known of it when an audit ended, if that is more than the audit itself saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownStanding {
    /// Where it stands.
    pub standing: Standing,
    /// What its worst listener does by the newest looks; `None` where no look counts, or where that was not kept.
    pub wire: Option<WorstListener>,
    /// When the looks that decide were taken, in milliseconds since 1970-01-01T00:00:00Z, where that is known: the newest of those
    /// that accept plaintext, otherwise the oldest of all.
    pub probed_ms: Option<i64>,
}

impl ServerReport {
    /// Takes in what is known of the server. What the audit saw itself needs no telling twice.
    pub fn learn(&mut self, known: KnownStanding) {
        let seen = (Standing::seen(self), WorstListener::of(&self.wire));
        self.known = (seen != (known.standing, known.wire)).then_some(known);
    }

    /// Whether it counts by a look at its listeners that the audit did not take.
    #[must_use]
    pub fn has_earlier_look(&self) -> bool {
        let rests_on_a_look =
            |standing| matches!(standing, Standing::AcceptsPlaintext | Standing::Unproven | Standing::Proven);
        self.known.is_some_and(|known| {
            known.wire != WorstListener::of(&self.wire)
                || (known.standing != Standing::seen(self) && rests_on_a_look(known.standing))
        })
    }
}
