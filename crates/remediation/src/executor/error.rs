//! Why a run could not continue, and what to do about it.

use crate::journal::HAVE_APPROVED;
use crate::{DamagedRun, InvalidTransition, JournalError, Report, RunId};
use hostssl_model::{Advice, Fault, Hint, REPORT_DEFECT};

/// Why a run could not continue. Nothing is written after one of these.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The journal cannot be written: what was in progress is unsettled until the run is resumed.
    #[error("the journal cannot be written, so no further change was made")]
    Journal {
        /// Why.
        #[source]
        source: JournalError,
        /// What the journal holds so far, when a run had begun.
        partial: Option<Box<Report>>,
    },
    /// There is no run of this name.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// What was kept of the run is damaged.
    #[error("the stored run is damaged")]
    Damaged(#[source] DamagedRun),
    /// The run has ended, so there is nothing to resume.
    #[error("run {0} has ended: there is nothing to resume")]
    NothingToResume(RunId),
    /// The run has not ended, so it cannot be undone yet.
    #[error("run {0} has not ended: resume it first")]
    NotEnded(RunId),
    /// Another run has not ended: what it left in progress must be settled first. Nothing was written.
    #[error("run {0} has not ended, so no other run can begin")]
    Unfinished(RunId),
    /// The plan has not the approvals that a run of it takes.
    #[error("nothing was written")]
    NotApproved(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A bug in hostssl: it tried a transition that does not exist.
    #[error("this is a bug in hostssl")]
    Defect(#[source] InvalidTransition),
}

impl Advice for ExecuteError {
    fn advice(&self) -> Hint {
        match self {
            Self::Journal { source, .. } => source.advice(),
            Self::NoSuchRun(_) => "`hostssl runs` lists the runs".into(),
            Self::Damaged(_) => "keep a copy of the state directory, and check the servers: `hostssl audit`".into(),
            Self::NothingToResume(run) => Hint::with("`hostssl runs show {}` shows how it ended", &[run]),
            Self::NotEnded(run) | Self::Unfinished(run) => Hint::with("run `hostssl resume {}` first", &[run]),
            Self::NotApproved(_) => HAVE_APPROVED.into(),
            Self::Defect(_) => REPORT_DEFECT.into(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::NoSuchRun(_) | Self::NothingToResume(_) | Self::NotEnded(_) | Self::NotApproved(_) => Fault::Request,
            Self::Journal { .. } | Self::Damaged(_) | Self::Unfinished(_) | Self::Defect(_) => Fault::Environment,
        }
    }
}

/// Why the walk stops at once.
#[derive(Debug)]
pub(crate) enum Abort {
    Journal(JournalError),
    Defect(InvalidTransition),
}
