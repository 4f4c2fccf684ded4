//! Where runs are kept: a trait, because this crate knows no disk.

use crate::{
    ApprovalRule, InvalidPlan, InvalidTransition, JournalRecord, NotApproved, Plan, PlanHash, RunState, Step,
    StepOutcome,
};
use async_trait::async_trait;
use hostssl_model::{Advice, Fault, Hint, Principal, ResourceId};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The name of a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(Box<str>);

/// The text is not the name of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run's id is 1 to 64 lower-case letters, digits and hyphens")]
pub struct InvalidRunId;

impl RunId {
    /// Takes 1 to 64 lower-case letters, digits and hyphens, such as a UUID. Ids that grow with time, as those of
    /// version 7, keep lists in order.
    ///
    /// # Errors
    ///
    /// [`InvalidRunId`] for anything else.
    pub fn new(text: &str) -> Result<Self, InvalidRunId> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(text.into())) } else { Err(InvalidRunId) }
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A run that is about to begin.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    /// Its name.
    pub id: &'a RunId,
    /// The plan, which is kept with it.
    pub plan: &'a Plan,
    /// Who applies it.
    pub principal: &'a Principal,
    /// The record that begins it.
    pub first: &'a JournalRecord,
    /// By what the approvals of its plan are counted, beside what is kept of it.
    pub approvals: Option<&'a ApprovalRule>,
}

/// A run as it was kept.
#[derive(Debug, Clone)]
pub struct JournalledRun {
    /// Its name.
    pub id: RunId,
    /// The plan's file form.
    pub plan: String,
    /// The hash that was approved.
    pub approved: PlanHash,
    /// Who began it.
    pub principal: Principal,
    /// Its journal, from the first record on.
    pub records: Vec<JournalRecord>,
}

/// A run that was kept, held to every rule again.
#[derive(Debug, Clone)]
pub struct LoadedRun {
    /// Its name.
    pub id: RunId,
    /// The plan.
    pub plan: Plan,
    /// Who began it.
    pub principal: Principal,
    /// Where it stands.
    pub state: RunState,
    /// When it began and when the last record was written, in milliseconds since 1970-01-01T00:00:00Z.
    pub times_ms: (i64, i64),
}

impl LoadedRun {
    /// The steps that an undo would restore.
    pub fn undoable(&self) -> impl Iterator<Item = &Step> {
        let steps = self.plan.steps().iter().zip(self.state.steps());
        steps.filter(|(_, at)| at.is_undoable()).map(|(step, _)| step)
    }

    /// The steps whose value was read back, and could not be read again.
    pub fn unread(&self) -> impl Iterator<Item = &Step> {
        let way = self.state.phase().direction();
        let steps = self.plan.steps().iter().zip(self.state.steps());
        steps
            .filter(move |(_, at)| at.track(way).is_some_and(|track| track.not_read_again.is_some()))
            .map(|(step, _)| step)
    }

    /// Whether restoring what the run changed may make a server less strict.
    #[must_use]
    pub fn undo_may_loosen(&self) -> bool {
        self.undoable().any(|step| step.effect_of_undo().may_loosen())
    }

    /// The servers that the run came to, and whether all steps of each ended well. A step that was not started says
    /// nothing.
    #[must_use]
    pub fn tried(&self) -> BTreeMap<&ResourceId, bool> {
        let mut tried = BTreeMap::new();
        for step in self.plan.steps() {
            let ending = self.state.step(step.id).and_then(|at| at.apply.ending());
            if let Some(ending) = ending.filter(|ending| !matches!(ending, StepOutcome::NotStarted { .. })) {
                *tried.entry(&step.server).or_insert(true) &= ending.is_success();
            }
        }
        tried
    }
}

/// The stored run is damaged: the state directory is damaged, or was edited.
#[derive(Debug, thiserror::Error)]
pub enum DamagedRun {
    /// Its plan.
    #[error("the plan of the run is damaged")]
    Plan(#[source] InvalidPlan),
    /// Its approval.
    #[error("the run's approval is for another plan")]
    Approval(#[source] NotApproved),
    /// Its journal.
    #[error("the journal of the run is damaged")]
    Journal(#[source] InvalidTransition),
    /// It has no record.
    #[error("the journal of the run is empty")]
    Empty,
}

impl JournalledRun {
    /// Holds what was kept to every rule again: the plan's hash, the approval, and every transition.
    ///
    /// # Errors
    ///
    /// [`DamagedRun`]: nothing may be done on the ground of such a run.
    pub fn load(self) -> Result<LoadedRun, DamagedRun> {
        let plan = Plan::parse(&self.plan).map_err(DamagedRun::Plan)?;
        if *plan.hash() != self.approved {
            let mismatch = NotApproved::OtherPlan { approved: self.approved, plan: plan.hash().clone() };
            return Err(DamagedRun::Approval(mismatch));
        }
        let state = RunState::replay(plan.steps().len(), &self.records).map_err(DamagedRun::Journal)?;
        let (Some(first), Some(last)) = (self.records.first(), self.records.last()) else {
            return Err(DamagedRun::Empty);
        };
        let times_ms = (first.at_ms, last.at_ms);
        Ok(LoadedRun { id: self.id, plan, principal: self.principal, state, times_ms })
    }
}

/// What to do about a plan that lacks approvals.
pub(crate) const HAVE_APPROVED: &str =
    "have the plan approved on its page in a console; if a run has applied it already, make a new plan";

/// The journal could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is no run of this name.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// A run of this name exists.
    #[error("run {0} already exists")]
    RunExists(RunId),
    /// An earlier run was stopped in the middle; what it left in progress must be settled first.
    #[error("run {0} has not ended: resume it first")]
    Unfinished(RunId),
    /// Another process is writing to the state, or its store cannot be reached now. Nothing was saved; a retry helps.
    #[error("the state cannot be written now")]
    Busy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The disk is full.
    #[error("the disk with the state directory is full")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The state directory cannot be written.
    #[error("the state directory cannot be written")]
    ReadOnly(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The state is damaged.
    #[error("the state is damaged")]
    Corrupt(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// This process may not change servers any more: another one, of this machine or another, has taken over, or the right could not
    /// be renewed. Nothing was saved, and nothing more may be written.
    #[error("this process may no longer change servers")]
    RightLost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The plan has not the approvals that a run of it takes. Nothing was saved.
    #[error("the run may not begin")]
    NotApproved(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Anything else.
    #[error("the journal cannot be used")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Advice for JournalError {
    fn advice(&self) -> Hint {
        const RESUME: &str = "then resume the run that `hostssl runs` shows as not ended, if there is one";
        match self {
            Self::NoSuchRun(_) => "`hostssl runs` lists the runs".into(),
            Self::RunExists(_) => "give the run another name".into(),
            Self::Unfinished(run) => Hint::with("run `hostssl resume {}` first", &[run]),
            Self::Busy(_) => Hint::from("wait until the other process has ended; ").then(RESUME),
            Self::Full(_) => Hint::from("free some space; ").then(RESUME),
            Self::ReadOnly(_) => Hint::from("make the state directory writable for this user; ").then(RESUME),
            Self::Corrupt(_) => {
                "keep a copy of the state directory, restore it from a backup, and check the servers: `hostssl audit`"
                    .into()
            }
            Self::RightLost(_) => "`hostssl runs` shows where the run stands; resume it if it has not ended".into(),
            Self::NotApproved(_) => HAVE_APPROVED.into(),
            Self::Other(_) => Hint::from("repair the state directory; ").then(RESUME),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::NoSuchRun(_) | Self::RunExists(_) | Self::NotApproved(_) => Fault::Request,
            _ => Fault::Environment,
        }
    }
}

/// Keeps runs. When a call returns, what it was given survives the loss of power.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Keeps a new run with its plan and its first record, all or nothing.
    ///
    /// # Errors
    ///
    /// [`JournalError::RunExists`], [`JournalError::Unfinished`] while any run has not ended, and whatever the disk
    /// says.
    async fn begin(&self, run: &NewRun<'_>) -> Result<(), JournalError>;

    /// Appends records in this order, all or nothing. Answers [`JournalError::Busy`] within [`LONGEST_APPEND`] of its turn where
    /// another process writes. What is dropped before its turn is not kept.
    ///
    /// # Errors
    ///
    /// [`JournalError`]: nothing was kept, and nothing more may be written to Azure. [`JournalError::Unfinished`] when
    /// an undo is to begin while another run has not ended.
    async fn append(&self, run: &RunId, records: &[JournalRecord]) -> Result<(), JournalError>;

    /// Reads a run.
    ///
    /// # Errors
    ///
    /// [`JournalError`] when there is none, or when it cannot be read.
    async fn load(&self, run: &RunId) -> Result<JournalledRun, JournalError>;

    /// Whether a request may be sent to Azure now that is answered, or given up, within [`LONGEST_WRITE`]. It is asked
    /// between the record of the intent and the request: a process that was frozen in between may not be the one that
    /// changes servers any more.
    ///
    /// # Errors
    ///
    /// [`JournalError::RightLost`], or what keeps the journal from knowing: then nothing is sent.
    fn may_write(&self) -> Result<(), JournalError> {
        Ok(())
    }
}

/// How long an append waits for another process that writes. Short, so that someone who stopped a run does not wait for it.
pub const LONGEST_APPEND: Duration = Duration::from_secs(2);

/// How long a write may be on its way at most, before it is answered or given up: two requests of 30 s, because the first
/// may be refused for an expired token, and the time to get another one.
pub const LONGEST_WRITE: Duration = Duration::from_secs(75);
