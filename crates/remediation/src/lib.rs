//! Turns findings into changed servers: plans, checks plans, applies them, verifies, and undoes.
//!
//! The planner ([`plan()`]), the plan file ([`Plan`]), its lint ([`lint()`]) and the state machine ([`RunState`]) are
//! pure. The [`Executor`] reaches the world through traits only: [`ParameterWriter`], [`Journal`], [`Clock`],
//! [`Judge`]. So this crate knows no Azure, no disk and no terminal.
//!
//! What it promises, and where that is kept:
//!
//! - Only an [`Approved`] plan is written, and a plan leaves no choices: a step names target, before, after and undo.
//! - The journal comes before the act: an intent is kept before its write is sent, and a report is made from nothing
//!   but the plan and the journal's state.
//! - Nothing is written twice: [`Track::next`] has no transition for a write after an accepted one, and one at most
//!   after a write without an answer.
//! - Nothing is a success that was not read back.

mod approvals;
mod clients;
mod executor;
mod goal;
mod journal;
mod journal_record;
mod lint;
mod machine;
mod plan;
mod planner;
mod ports;
mod purpose;
mod report;
mod run_end;
mod setting;
mod text;

pub use approvals::{ApprovalRule, Approvers, PlanApproval, PlanApprovals, is_same_person, plain_name};
pub use clients::{AffectedClient, ClientEncryption, ClientImpact, ClientVerdict, Consent, MAX_CLIENTS};
pub use executor::{EventSink, ExecuteError, ExecutionEvent, Executor, ExecutorOptions, OnResume};
pub use goal::{FixableControl, Goal};
pub use hostssl_model::Floor;
pub use journal::{
    DamagedRun, InvalidRunId, Journal, JournalError, JournalledRun, LONGEST_APPEND, LONGEST_WRITE, LoadedRun, NewRun,
    RunId,
};
pub use journal_record::{
    Direction, JournalEvent, JournalRecord, NotStarted, RefusedBy, RunPace, StepEvent, StepOutcome, Unproven,
};
pub use lint::{
    FailedFindings, Lint, LintCode, LintContext, ServerTags, failed_findings, lint, production_canary, server_tags,
};
pub use machine::{InvalidTransition, RunPhase, RunState, Stage, StepState, Track};
#[cfg(feature = "schema")]
pub use plan::plan_schema;
pub use plan::{
    Approved, ContextMismatch, Disposition, Exposure, InvalidPlan, InvalidPlanHash, LeftOut, LeftOutReason,
    MAX_PLAN_BYTES, NotApproved, Plan, PlanContext, PlanHash, PlanOptions, Step, StepCount, StepEffect,
};
pub use planner::{
    AcceptedBreakage, PlanInputs, PlanTarget, WaivedFinding, WaveBy, WaveOrder, is_busy, is_canary, plan,
};
pub use ports::{
    Accepted, Clock, Judge, OperationProgress, ParameterRef, ParameterWriter, PollError, SystemClock, WireCheck,
    WriteError,
};
pub use report::{Report, RunOutcome, RunSummary, StepReport, StepStatus, report};
pub use run_end::RunEnd;
pub use text::{InvalidRequestId, RequestId, SafeText};
