//! What the journal holds: one record for every act, written before or right after it.

use crate::{RequestId, SafeText};
use hostssl_model::coded;
use serde::{Deserialize, Serialize};

/// One entry of a run's journal. Entries are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRecord {
    /// When, in milliseconds since 1970-01-01T00:00:00Z, by the local clock.
    pub at_ms: i64,
    /// What.
    pub event: JournalEvent,
}

/// How a run is applied, as far as it protects clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunPace {
    /// How long to wait after each wave, in milliseconds.
    pub soak_ms: u64,
    /// Whether the listeners are probed after each change.
    pub probes: bool,
}

/// What happened to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum JournalEvent {
    /// An approved plan is going to be applied. The first record of every run, and only there.
    RunStarted {
        /// Why, in the words of the person who approved it: a plan that makes servers less strict has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<SafeText>,
        /// How it was to be applied, where that is not the default: the resumed run keeps to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pace: Option<RunPace>,
    },
    /// Another process continues where an earlier one stopped.
    RunResumed,
    /// Something happened to a step.
    Step {
        /// The step's id in the plan.
        step: u32,
        /// Which way.
        direction: Direction,
        /// What.
        act: StepEvent,
    },
    /// Every step has ended.
    RunFinished,
    /// What the run changed is going to be undone.
    UndoStarted {
        /// Why, in the words of the person who ordered it: undo makes servers less strict again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<SafeText>,
    },
    /// Every step of the undo has ended.
    UndoFinished,
    /// Sessions that were still in plaintext after the run are going to be ended.
    SessionsEnding {
        /// The resource id of their server.
        server: SafeText,
        /// How many.
        sessions: u32,
    },
    /// They were told to end.
    SessionsEnded {
        /// The resource id of their server.
        server: SafeText,
        /// How many are gone.
        ended: u32,
        /// Why not all of them are, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<SafeText>,
    },
}

coded! {
    /// Which way a step goes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Direction {
        /// From the value before to the value after.
        Apply = "apply",
        /// Back.
        Undo = "undo",
    }
}

/// What happened to a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum StepEvent {
    /// The value was re-read and is as expected; the write is about to be sent. Recorded before it is.
    Intent {
        /// The value that was read, as Azure spelled it.
        found: SafeText,
        /// Whether it was the service's default, so that undo restores that and not an explicit value.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        was_default: bool,
    },
    /// Azure accepted the write; the operation may still fail.
    Accepted {
        /// The request's id. The URL to poll is never recorded, because it is signed.
        request_id: Option<RequestId>,
    },
    /// Azure certainly did not accept the write.
    Rejected {
        /// What it said.
        detail: SafeText,
    },
    /// The value was read after a write that was, or may have been, accepted.
    Observed {
        /// The value, as Azure spelled it.
        found: SafeText,
        /// Whether Azure says that it waits for a restart.
        pending_restart: bool,
    },
    /// The step has ended.
    Ended {
        /// How.
        ending: StepOutcome,
    },
    /// The step had ended well, and when the value was read again later, it was another one.
    Reverted {
        /// The value that was found.
        found: SafeText,
    },
    /// The step had ended well, and its value could not be read again later: whether it stayed is not known.
    NotReadAgain {
        /// Why.
        why: SafeText,
    },
    /// What could not be read again was read, and is still the wanted value.
    ReadAgain,
}

impl StepEvent {
    /// Whether it is of a second look at a step that had ended well, so that it may follow the end of the run.
    #[must_use]
    pub fn is_second_look(&self) -> bool {
        matches!(
            self,
            Self::Reverted { .. }
                | Self::NotReadAgain { .. }
                | Self::ReadAgain
                | Self::Ended { ending: StepOutcome::Forgotten }
        )
    }
}

/// Why a value that was read back is not confirmed on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Unproven {
    /// It could not be probed.
    NotProbed(SafeText),
    /// No client can observe it.
    #[serde(rename_all = "kebab-case")]
    NotShown {
        /// Why not.
        not_shown: SafeText,
    },
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ending", rename_all = "kebab-case")]
pub enum StepOutcome {
    /// The value was written and read back.
    Reached {
        /// Why the wire has not confirmed it, where it was asked.
        note: Option<Unproven>,
        /// Whether Azure says that the value takes effect at the next restart only.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        waits_for_restart: bool,
    },
    /// The value was there before anything was written.
    Already {
        /// Whether Azure says that the value takes effect at the next restart only.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        waits_for_restart: bool,
    },
    /// The wanted value was there when the run was resumed, and no record says that the run wrote it. Where records
    /// were lost, for instance with a state directory that was restored from a backup, it may have.
    Unexplained,
    /// The value had been read back, and something set another one before the run ended.
    Reverted {
        /// The value that was found.
        found: SafeText,
    },
    /// A person said that the step is to be forgotten, for instance because its server was deleted.
    Forgotten,
    /// The value was changed by others: nothing more is written.
    Changed {
        /// The value that was found.
        found: SafeText,
    },
    /// A write was sent, and what was read next was neither its value nor the one before: something else set it.
    Overwritten {
        /// The value that was found.
        found: SafeText,
        /// Whether Azure accepted the write. Otherwise its answer was lost.
        accepted: bool,
    },
    /// Azure does not allow the write.
    Refused {
        /// What stands against it.
        by: RefusedBy,
        /// Its name: the lock's, the policy assignment's, the missing action.
        name: SafeText,
        /// What Azure said.
        detail: SafeText,
    },
    /// It did not work.
    Failed {
        /// Why.
        detail: SafeText,
        /// Its server is no longer there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        vanished: bool,
    },
    /// It is not known to have worked within the time allowed.
    TimedOut {
        /// What was waited for.
        detail: SafeText,
        /// Its server is no longer there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        vanished: bool,
    },
    /// Nothing was written.
    NotStarted {
        /// Why not.
        why: NotStarted,
    },
}

impl StepOutcome {
    /// Whether the value is the wanted one, by reading it.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Reached { .. } | Self::Already { .. })
    }

    /// Whether the wire was to confirm the value, and could not be asked.
    #[must_use]
    pub fn is_not_probed(&self) -> bool {
        matches!(self, Self::Reached { note: Some(Unproven::NotProbed(_)), .. })
    }

    /// Whether the value is the wanted one, and takes effect at the next restart only.
    #[must_use]
    pub fn waits_for_restart(&self) -> bool {
        matches!(self, Self::Reached { waits_for_restart: true, .. } | Self::Already { waits_for_restart: true })
    }

    /// Whether it ended so because its server is no longer there.
    #[must_use]
    pub fn is_of_a_vanished_server(&self) -> bool {
        matches!(self, Self::Failed { vanished: true, .. } | Self::TimedOut { vanished: true, .. })
    }

    /// Whether it counts towards the failures after which a run stops.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Failed { .. }
                | Self::TimedOut { .. }
                | Self::Reverted { .. }
                | Self::Overwritten { .. }
        )
    }
}

/// What stands against a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusedBy {
    /// A ReadOnly lock (`ScopeLocked`).
    Lock,
    /// A deny policy (`RequestDisallowedByPolicy`).
    Policy,
    /// A missing permission (`AuthorizationFailed`).
    Permission,
    /// The server is stopped (`ServerStoppedError`).
    Stopped,
}

impl RefusedBy {
    /// The human-readable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Policy => "policy",
            Self::Permission => "permission",
            Self::Stopped => "stopped",
        }
    }
}

/// Why nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotStarted {
    /// The user interrupted the run.
    Interrupted,
    /// Too many steps had failed.
    TooManyFailures,
    /// The canary wave did not succeed.
    CanaryFailed,
    /// A server of the same replica set, whose turn was before, did not succeed.
    ReplicaSetNotDone,
    /// An earlier step of the same server did not succeed.
    EarlierStepFailed,
    /// It is done manually.
    Manual,
    /// The run was resumed only to settle what was in progress, or was undone.
    NotContinued,
}

impl NotStarted {
    /// One line of text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interrupted => "the run was interrupted or reached its deadline first",
            Self::TooManyFailures => "too many earlier steps had failed",
            Self::CanaryFailed => "the first wave did not succeed",
            Self::ReplicaSetNotDone => "an earlier server of its replica set did not succeed",
            Self::EarlierStepFailed => "an earlier step of this server did not succeed",
            Self::Manual => "hostssl does not write this: change it manually",
            Self::NotContinued => "the run was settled or undone before this step was started",
        }
    }
}
