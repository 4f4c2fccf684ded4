//! How a run stands, in the words that every list and page has for it.

use crate::{Direction, LoadedRun, Report, RunOutcome};
use hostssl_model::coded;

coded! {
    /// How a run ended, or that it has not.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum RunEnd {
        /// Every value was written and read back.
        Verified = "verified",
        /// What it had changed was restored.
        Undone = "undone",
        /// All that hostssl writes is done; steps for people are left.
        ManualLeft = "manual-left",
        /// Values were read back, and could not be read again before the end.
        NotReadAgain = "not-read-again",
        /// Values were read back, and the wire, which was to confirm them, could not be asked.
        NotProbed = "not-probed",
        /// Some steps were not started or were left alone.
        Incomplete = "incomplete",
        /// The same on the way back.
        UndoIncomplete = "undo-incomplete",
        /// Some steps were refused, failed or timed out.
        Failed = "failed",
        /// A write is, or may be, in progress.
        Open = "open",
        /// The same on the way back.
        UndoOpen = "undo-open",
        /// Something could not be restored.
        Stuck = "stuck",
    }
}

impl RunEnd {
    /// The word for it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Undone => "undone",
            Self::ManualLeft => "manual steps left",
            Self::NotReadAgain => "not read again",
            Self::NotProbed => "not probed",
            Self::Incomplete => "incomplete",
            Self::UndoIncomplete => "undo incomplete",
            Self::Failed => "failed",
            Self::Open => "not ended",
            Self::UndoOpen => "undo not ended",
            Self::Stuck => "stuck",
        }
    }

    /// How the run of a report stands.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        match (report.outcome, report.way()) {
            (RunOutcome::Done, Direction::Apply) => Self::Verified,
            (RunOutcome::Done, Direction::Undo) => Self::Undone,
            (RunOutcome::Incomplete, _) if report.summary.not_read_again > 0 => Self::NotReadAgain,
            (RunOutcome::Incomplete, Direction::Apply) if report.is_manual_only() => Self::ManualLeft,
            (RunOutcome::Incomplete, Direction::Apply) if report.is_not_probed_only() => Self::NotProbed,
            (RunOutcome::Incomplete, Direction::Apply) => Self::Incomplete,
            (RunOutcome::Incomplete, Direction::Undo) => Self::UndoIncomplete,
            (RunOutcome::Failed, _) => Self::Failed,
            (RunOutcome::Open, Direction::Apply) => Self::Open,
            (RunOutcome::Open, Direction::Undo) => Self::UndoOpen,
            (RunOutcome::Stuck, _) => Self::Stuck,
        }
    }
}

impl LoadedRun {
    /// How the run stands.
    #[must_use]
    pub fn end(&self) -> RunEnd {
        RunEnd::of(&self.report())
    }
}
