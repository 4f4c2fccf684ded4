//! One direction of one step: apply, or undo.

use crate::{RequestId, SafeText, StepEvent, StepOutcome};

/// How many writes of one track may have an unknown outcome: the first, and one more after nothing of it was seen for
/// long enough.
pub(super) const MAX_UNANSWERED: u8 = 2;

/// Where a track stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Nothing is in progress.
    Planned,
    /// A write was, or was about to be, sent; its outcome is unknown.
    Intended,
    /// Azure accepted the write.
    InFlight,
    /// The value was read after the write.
    Observed {
        /// The value.
        found: SafeText,
        /// Whether Azure says that it waits for a restart.
        pending_restart: bool,
    },
    /// It has ended.
    Ended(StepOutcome),
}

impl Stage {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Intended => "intended",
            Self::InFlight => "in flight",
            Self::Observed { .. } => "observed",
            Self::Ended(_) => "ended",
        }
    }
}

/// One way of a step, there or back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// Where it stands.
    pub stage: Stage,
    /// How many writes were sent, or were about to be, without anyone having seen the answer.
    pub unanswered: u8,
    /// Whether a write was, or may have been, accepted, so that the value may be this run's doing.
    pub touched: bool,
    /// When the last write was about to be sent.
    pub last_intent_ms: Option<i64>,
    /// Whether the value before the first write of this run was the service's default.
    pub was_default: bool,
    /// The id of the last write that was accepted.
    pub request_id: Option<RequestId>,
    /// When the last write of an earlier track was about to be sent, if that one ended without anyone knowing whether
    /// the write took effect. What is read soon after may still change by itself.
    pub unsettled_since_ms: Option<i64>,
    /// When the last write of an earlier track was about to be sent, if Azure accepted that one and no run has seen its
    /// operation end. It may still take effect, long after.
    pub running_since_ms: Option<i64>,
    /// Why the value could not be read again after the track had ended well, until it is.
    pub not_read_again: Option<SafeText>,
}

impl Track {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Planned,
            unanswered: 0,
            touched: false,
            last_intent_ms: None,
            was_default: false,
            request_id: None,
            unsettled_since_ms: None,
            running_since_ms: None,
            not_read_again: None,
        }
    }

    /// A new track after this one, which must have ended.
    pub(super) fn successor(&self) -> Self {
        let timed_out = matches!(self.ending(), Some(StepOutcome::TimedOut { .. }));
        let unsettled = if self.touched && (timed_out || self.unanswered > 0) {
            self.last_intent_ms
        } else {
            self.unsettled_since_ms
        };
        let accepted = self.touched && timed_out && self.unanswered == 0;
        let running = if accepted { self.last_intent_ms } else { self.running_since_ms };
        Self { unsettled_since_ms: unsettled, running_since_ms: running, was_default: self.was_default, ..Self::new() }
    }

    /// How it ended, when it has.
    #[must_use]
    pub fn ending(&self) -> Option<&StepOutcome> {
        match &self.stage {
            Stage::Ended(ending) => Some(ending),
            _ => None,
        }
    }

    /// Whether a write is, or may be, in progress.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self.stage {
            Stage::Planned => self.unanswered > 0,
            Stage::Intended | Stage::InFlight | Stage::Observed { .. } => true,
            Stage::Ended(_) => false,
        }
    }

    /// The track after an act, or `None` when the act does not fit. Total: every pair has an answer.
    #[must_use]
    pub fn next(&self, at_ms: i64, act: &StepEvent) -> Option<Self> {
        let mut next = self.clone();
        match (&self.stage, act) {
            (Stage::Planned | Stage::Intended, StepEvent::Intent { was_default, .. })
                if self.unanswered < MAX_UNANSWERED =>
            {
                next.stage = Stage::Intended;
                next.was_default |= *was_default;
                next.unanswered += 1;
                next.last_intent_ms = Some(at_ms);
            }
            (Stage::Intended, StepEvent::Accepted { request_id }) => {
                next.stage = Stage::InFlight;
                next.unanswered = self.unanswered.saturating_sub(1);
                next.touched = true;
                next.request_id.clone_from(request_id);
            }
            (Stage::Intended, StepEvent::Rejected { .. }) => {
                next.stage = Stage::Planned;
                next.unanswered = self.unanswered.saturating_sub(1);
            }
            (stage, StepEvent::Observed { found, pending_restart }) if self.may_observe(stage) => {
                next.stage = Stage::Observed { found: found.clone(), pending_restart: *pending_restart };
                next.touched = true;
            }
            (stage, StepEvent::Ended { ending }) if self.may_end(stage, ending) => {
                next.touched |= self.unanswered > 0;
                next.stage = Stage::Ended(ending.clone());
            }
            // Only a second look may follow an end: what was a success is none any more, or no one knows, or is one again. Who
            // cannot look, because the server is gone, forgets it.
            (Stage::Ended(ending), StepEvent::Reverted { found }) if ending.is_success() => {
                next.stage = Stage::Ended(StepOutcome::Reverted { found: found.clone() });
                next.not_read_again = None;
            }
            (Stage::Ended(ending), StepEvent::NotReadAgain { why }) if ending.is_success() => {
                next.not_read_again = Some(why.clone());
            }
            (Stage::Ended(_), StepEvent::Ended { ending: StepOutcome::Forgotten }) if self.not_read_again.is_some() => {
                next.stage = Stage::Ended(StepOutcome::Forgotten);
                next.not_read_again = None;
            }
            (Stage::Ended(_), StepEvent::ReadAgain) if self.not_read_again.is_some() => next.not_read_again = None,
            _ => return None,
        }
        Some(next)
    }

    /// Only after a write that was, or may have been, accepted.
    fn may_observe(&self, stage: &Stage) -> bool {
        match stage {
            Stage::Planned => self.unanswered > 0,
            Stage::Intended | Stage::InFlight | Stage::Observed { .. } => true,
            Stage::Ended(_) => false,
        }
    }

    fn may_end(&self, stage: &Stage, ending: &StepOutcome) -> bool {
        match (stage, ending) {
            (Stage::Ended(_), _) => false,
            // A value was read back, or no one knows.
            (Stage::Observed { .. }, StepOutcome::Reached { .. } | StepOutcome::Overwritten { .. }) => true,
            (_, StepOutcome::Reached { .. } | StepOutcome::Overwritten { .. }) => false,
            // Only who certainly wrote nothing may say so.
            (
                Stage::Planned,
                StepOutcome::Already { .. } | StepOutcome::Unexplained | StepOutcome::NotStarted { .. },
            ) => self.unanswered == 0,
            (_, StepOutcome::Already { .. } | StepOutcome::Unexplained | StepOutcome::NotStarted { .. }) => false,
            // It comes by way of `reverted`.
            (_, StepOutcome::Reverted { .. }) => false,
            // A refusal is an answer, so it comes by way of `rejected`.
            (Stage::Planned, StepOutcome::Refused { .. }) => true,
            (_, StepOutcome::Refused { .. }) => false,
            (
                _,
                StepOutcome::Changed { .. }
                | StepOutcome::Failed { .. }
                | StepOutcome::TimedOut { .. }
                | StepOutcome::Forgotten,
            ) => true,
        }
    }
}

/// What an act is called in an error.
pub(super) fn name_of(act: &StepEvent) -> &'static str {
    match act {
        StepEvent::Intent { .. } => "intent",
        StepEvent::Accepted { .. } => "accepted",
        StepEvent::Rejected { .. } => "rejected",
        StepEvent::Observed { .. } => "observed",
        StepEvent::Ended { .. } => "ended",
        StepEvent::Reverted { .. } => "reverted",
        StepEvent::NotReadAgain { .. } => "not-read-again",
        StepEvent::ReadAgain => "read-again",
    }
}
