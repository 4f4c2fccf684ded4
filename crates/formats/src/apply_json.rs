//! The result of a run as JSON, version 1: frozen.
//!
//! The schema is committed as `docs/schemas/apply-v1.schema.json`.

use crate::run_refused::{RefusedSince, RefusedSinceV1};
use crate::run_sessions::RunSessions;
use hostssl_remediation as run;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// The name and version of the format.
pub const SCHEMA: &str = "hostssl/apply/v1";

/// The result of a run. The same journal always gives the same report.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    /// Always `hostssl/apply/v1`.
    schema: &'static str,
    /// The run.
    run: &'a str,
    /// The hash of the plan.
    plan: &'a str,
    /// The counts.
    summary: RunSummary,
    /// Every step of the plan, in its order.
    steps: Vec<StepReport<'a>>,
    /// The reason given for the approval; absent if none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// The reason given for the undo; absent if none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo_reason: Option<&'a str>,
    /// The sessions in plaintext of each server that enforces TLS now; absent if they were not asked for.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    plaintext_sessions: &'a [RunSessions],
}

/// The number of steps by result.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
struct RunSummary {
    /// Steps in all.
    steps: u32,
    /// Written and read back.
    applied: u32,
    /// Right before anything was written.
    already: u32,
    /// Another party changed the value.
    changed_since_plan: u32,
    /// The write was refused.
    refused: u32,
    /// The write failed.
    failed: u32,
    /// Success was not confirmed: before the deadline, or while the run lasted. Open steps, of which a write may still be in
    /// progress, have this status too: `timedOutSettled` counts those that are over.
    timed_out: u32,
    /// Nothing was written.
    not_started: u32,
    /// The earlier value was restored and read back.
    undone: u32,
    /// The earlier value could not be restored; manual action is needed.
    stuck: u32,
    /// Written and read back, but the value takes effect only at the next restart; hostssl never restarts a server.
    waits_for_restart: u32,
    /// Excluded from the run on request.
    forgotten: u32,
    /// Of those above, the ones with a write that is, or may be, still in progress: resume the run to settle them.
    open: u32,
    /// Of those above, the ones whose value was read back and could not be read again before the report: whether it
    /// stayed is not known. Resume the run to read it.
    not_read_again: u32,
    /// Of those above, the ones that the wire was to confirm (`--probe`) and that could not be probed.
    not_probed: u32,
    /// Of `timedOut`, the ones that are not open: no write is in progress any more, and its success was not confirmed.
    timed_out_settled: u32,
}

/// The status of a step.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Status {
    /// Written and read back.
    Applied,
    /// Right before anything was written.
    Already,
    /// Another party changed the value; it was left as it is.
    ChangedSincePlan,
    /// The write was refused.
    Refused,
    /// The write failed.
    Failed,
    /// Success was not confirmed: before the deadline, or while the run lasted. Then the step is `open`.
    TimedOut,
    /// Nothing was written.
    NotStarted,
    /// The earlier value was restored and read back.
    Undone,
    /// The earlier value could not be restored; manual action is needed.
    Stuck,
    /// The value is set and takes effect only at the next restart; hostssl never restarts a server.
    WaitsForRestart,
    /// It was excluded from the run on request.
    Forgotten,
}

/// The result of a step.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
struct StepReport<'a> {
    /// The step's id in the plan.
    id: u32,
    /// The server.
    server: &'a str,
    /// The setting, under its key.
    parameter: &'a str,
    /// The value before, as planned.
    before: &'a str,
    /// The value to write, as planned.
    after: &'a str,
    /// Its status.
    status: Status,
    /// Why, or what else to know.
    reason: Option<&'a str>,
    /// The id of the last write that Azure accepted.
    request_id: Option<&'a str>,
    /// Whether a write is, or may be, still in progress: resume the run to settle it.
    open: bool,
    /// Whether the value was read back and could not be read again before the report: `reason` says why, and resume reads it.
    not_read_again: bool,
    /// Who accepted that the step may refuse clients; absent if no acceptance was needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<ConsentV1>,
}

/// A person's acceptance that clients may be refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ConsentV1 {
    /// Why.
    pub reason: String,
    /// Who said it.
    pub by: String,
}

impl From<&run::Consent> for ConsentV1 {
    fn from(from: &run::Consent) -> Self {
        Self { reason: from.reason.to_string(), by: from.by.to_string() }
    }
}

/// One write of a run, as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The step's id in the plan.
    pub step: u32,
    /// Which way: `apply` or `undo`.
    pub direction: &'static str,
    /// When the write was about to be sent, RFC 3339 in UTC.
    pub sent_at: String,
    /// The value read right before.
    pub before: String,
    /// The id of the request, if the answer arrived and had one.
    pub request_id: Option<String>,
    /// When Azure accepted it, if the answer arrived.
    pub accepted_at: Option<String>,
    /// The value read back.
    pub after: Option<String>,
    /// When it was read back.
    pub read_back_at: Option<String>,
    /// Who accepted that the write may refuse clients; absent if no acceptance was needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<ConsentV1>,
}

/// The report with the receipts of its writes, as `hostssl runs show` has it.
#[derive(Debug, Serialize)]
struct KeptReport<'a> {
    #[serde(flatten)]
    report: Report<'a>,
    receipts: &'a [Receipt],
    /// Who was refused since; absent if no client was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<RefusedSinceV1<'a>>,
    /// The approvals that counted when the run began; absent where its plan took one, that of the person who applied it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    approvals: &'a [RunApproval],
}

/// An approval that counted when a run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct RunApproval {
    /// Who approved the plan.
    pub person: String,
    /// When, in RFC 3339.
    pub at: String,
}

/// The JSON Schema of the format.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> Value {
    schemars::schema_for!(Report<'_>).to_value()
}

/// The report, and the sessions that are still in plaintext if they were asked for, as one JSON value.
///
/// # Errors
///
/// None that a report can cause.
pub fn value(report: &run::Report, sessions: &[RunSessions]) -> Result<Value, serde_json::Error> {
    serde_json::to_value(Report { plaintext_sessions: sessions, ..report.into() })
}

/// The report, the receipts of its writes, who was refused since, and whose approvals it began with, as one JSON value.
///
/// # Errors
///
/// None that a report can cause.
pub fn value_with_receipts(
    report: &run::Report,
    receipts: &[Receipt],
    refused: &[RefusedSince],
    approvals: &[RunApproval],
) -> Result<Value, serde_json::Error> {
    let refused = refused.iter().map(RefusedSinceV1::from).collect();
    serde_json::to_value(KeptReport { report: report.into(), receipts, refused, approvals })
}

impl<'a> From<&'a run::Report> for Report<'a> {
    fn from(from: &'a run::Report) -> Self {
        Self {
            schema: SCHEMA,
            run: &from.run,
            plan: &from.plan,
            summary: from.summary.into(),
            steps: from.steps.iter().map(StepReport::from).collect(),
            reason: from.reason.as_deref(),
            undo_reason: from.undo_reason.as_deref(),
            plaintext_sessions: &[],
        }
    }
}

impl From<run::RunSummary> for RunSummary {
    fn from(from: run::RunSummary) -> Self {
        let run::RunSummary {
            steps,
            applied,
            already,
            changed_since_plan,
            refused,
            failed,
            timed_out,
            not_started,
            undone,
            stuck,
            waits_for_restart,
            forgotten,
            open,
            not_read_again,
            not_probed,
        } = from;
        Self {
            steps,
            applied,
            already,
            changed_since_plan,
            refused,
            failed,
            timed_out,
            not_started,
            undone,
            stuck,
            waits_for_restart,
            forgotten,
            open,
            not_read_again,
            not_probed,
            // A step with an open write has no other status.
            timed_out_settled: timed_out.saturating_sub(open),
        }
    }
}

impl From<run::StepStatus> for Status {
    fn from(from: run::StepStatus) -> Self {
        match from {
            run::StepStatus::Applied => Self::Applied,
            run::StepStatus::Already => Self::Already,
            run::StepStatus::ChangedSincePlan => Self::ChangedSincePlan,
            run::StepStatus::Refused => Self::Refused,
            run::StepStatus::Failed => Self::Failed,
            run::StepStatus::TimedOut => Self::TimedOut,
            run::StepStatus::NotStarted => Self::NotStarted,
            run::StepStatus::Undone => Self::Undone,
            run::StepStatus::Stuck => Self::Stuck,
            run::StepStatus::WaitsForRestart => Self::WaitsForRestart,
            run::StepStatus::Forgotten => Self::Forgotten,
        }
    }
}

impl<'a> From<&'a run::StepReport> for StepReport<'a> {
    fn from(from: &'a run::StepReport) -> Self {
        Self {
            id: from.id,
            server: &from.server,
            parameter: from.parameter.key(),
            before: &from.before,
            after: &from.after,
            status: from.status.into(),
            reason: from.reason.as_deref(),
            request_id: from.request_id.as_deref(),
            open: from.open,
            not_read_again: from.not_read_again,
            accepted: from.accepted.as_ref().map(ConsentV1::from),
        }
    }
}
