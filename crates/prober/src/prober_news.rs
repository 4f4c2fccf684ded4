//! What a prober tells of itself while it runs.

use std::time::Duration;

/// What came of a round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoundTally {
    /// Targets that were answered with a look.
    pub looked: u64,
    /// Targets that were answered with a reason, or whose answer the console does not believe.
    pub without_look: u64,
    /// Messages that did not arrive.
    pub lost: u64,
}

/// Something that a person who runs a prober may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProberNews {
    /// The console knows it now.
    Enrolled {
        /// Its id.
        prober: String,
        /// Its zone.
        zone: String,
    },
    /// It is enrolled already, so that the join string was not used.
    AlreadyEnrolled,
    /// Its console has another address now, which the join string names.
    Moved {
        /// The address before.
        from: String,
    },
    /// A target was not probed, or what was seen of it cannot be handed over.
    WithoutLook {
        /// The target.
        target: String,
        /// Why.
        why: String,
    },
    /// The console does not believe the answer to a target.
    NotKept {
        /// The target.
        target: String,
        /// Why.
        why: String,
    },
    /// Messages went unsent, because newer ones needed their place.
    Dropped(u64),
    /// The console would refuse a message again, so it is not sent again.
    GivenUp {
        /// What it said.
        why: String,
    },
    /// Something failed, and is tried again.
    Retrying {
        /// What failed.
        why: String,
        /// What to do about it.
        hint: String,
        /// In how long it is tried again.
        after: Duration,
    },
    /// A round has ended, and everything was sent.
    RoundEnded(RoundTally),
}
