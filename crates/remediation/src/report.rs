//! The result of a run, derived from the plan and the state that the journal gives.

use crate::{
    Consent, Direction, LoadedRun, NotStarted, Plan, RefusedBy, RunId, RunState, SafeText, Stage, Step, StepOutcome,
    StepState, Track, Unproven,
};
use hostssl_model::{ParameterName, coded};

/// The result of a run. The same journal always gives the same report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The run.
    pub run: String,
    /// The hash of the plan.
    pub plan: String,
    /// The counts.
    pub summary: RunSummary,
    /// Every step of the plan, in its order.
    pub steps: Vec<StepReport>,
    /// How the run as a whole ended.
    pub outcome: RunOutcome,
    /// Why the plan was approved, where a reason was given.
    pub reason: Option<String>,
    /// Why it was undone, where a reason was given.
    pub undo_reason: Option<String>,
}

/// The number of steps by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunSummary {
    /// Steps in all.
    pub steps: u32,
    /// Written and read back.
    pub applied: u32,
    /// Right before anything was written.
    pub already: u32,
    /// Another party changed the value.
    pub changed_since_plan: u32,
    /// The write was refused.
    pub refused: u32,
    /// The write failed.
    pub failed: u32,
    /// Success was not confirmed before the deadline.
    pub timed_out: u32,
    /// Nothing was written.
    pub not_started: u32,
    /// The earlier value was restored and read back.
    pub undone: u32,
    /// The earlier value could not be restored; manual action is needed.
    pub stuck: u32,
    /// Written and read back, but the value takes effect only at the next restart; hostssl never restarts a server.
    pub waits_for_restart: u32,
    /// Excluded from the run on request.
    pub forgotten: u32,
    /// Of those above, the ones with a write that is, or may be, still in progress: resume the run to settle them.
    pub open: u32,
    /// Of those above, the ones whose value was read back and could not be read again before the report: whether it
    /// stayed is not known. Resume the run to read it.
    pub not_read_again: u32,
    /// Of those above, the ones that the wire was to confirm and that could not be probed.
    pub not_probed: u32,
}

coded! {
    /// The status of a step.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum StepStatus {
        /// Written and read back.
        Applied = "applied",
        /// Right before anything was written.
        Already = "already",
        /// Another party changed the value; it was left as it is.
        ChangedSincePlan = "changed-since-plan",
        /// The write was refused.
        Refused = "refused",
        /// The write failed.
        Failed = "failed",
        /// Success was not confirmed before the deadline.
        TimedOut = "timed-out",
        /// Nothing was written.
        NotStarted = "not-started",
        /// The earlier value was restored and read back.
        Undone = "undone",
        /// The earlier value could not be restored; manual action is needed.
        Stuck = "stuck",
        /// The value is set and takes effect only at the next restart; hostssl never restarts a server.
        WaitsForRestart = "waits-for-restart",
        /// It was excluded from the run on request.
        Forgotten = "forgotten",
    }
}

impl StepReport {
    /// Whether nothing is left to do for the step, by hostssl or by a person.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let is_good = matches!(self.status, StepStatus::Applied | StepStatus::Already | StepStatus::Undone);
        is_good && !self.manual && !self.open && !self.not_read_again
    }

    /// Whether it could not be restored because its server is no longer there, so that no retry helps.
    #[must_use]
    pub fn is_stuck_for_good(&self) -> bool {
        self.status == StepStatus::Stuck && self.vanished
    }

    /// Whether the wanted value is, or may be, in effect, so that clients may be refused. What was not written, or was
    /// restored, refuses no one.
    #[must_use]
    pub fn may_refuse_clients(&self) -> bool {
        use StepStatus as Status;
        let stands = [Status::Applied, Status::Failed, Status::TimedOut, Status::Stuck, Status::WaitsForRestart];
        stands.contains(&self.status)
    }
}

/// How a run as a whole ended, from the best to the worst: what an exit code is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunOutcome {
    /// Every step has the value that was wanted.
    Done,
    /// Some steps were not started, left alone because someone else changed the value, wait for a restart, or could not
    /// be read again.
    Incomplete,
    /// Some steps were refused, failed or timed out.
    Failed,
    /// A write is, or may be, still in progress: the run must be resumed.
    Open,
    /// Something could not be restored: a person is needed.
    Stuck,
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReport {
    /// The step's id in the plan.
    pub id: u32,
    /// The server.
    pub server: String,
    /// The setting.
    pub parameter: ParameterName,
    /// The value before, as planned.
    pub before: String,
    /// The value to write, as planned.
    pub after: String,
    /// Its status.
    pub status: StepStatus,
    /// Why, or what else to know.
    pub reason: Option<String>,
    /// The id of the last write that Azure accepted.
    pub request_id: Option<String>,
    /// Whether an undo is to put it back, or did.
    pub undoing: bool,
    /// Whether a write is, or may be, still in progress: resume the run to settle it.
    pub open: bool,
    /// Whether its value was read back and could not be read again before the report, so that no one knows whether it
    /// stayed.
    pub not_read_again: bool,
    /// Its server is no longer there.
    pub vanished: bool,
    /// Whether nothing was written because hostssl does not write there.
    pub manual: bool,
    /// Who has accepted what the step does to clients.
    pub accepted: Option<Consent>,
}

impl Report {
    /// How many steps were refused, failed or timed out, or could not be restored. What is, or may be, in progress has not
    /// failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        let is_failure = |status| matches!(outcome_of(status), RunOutcome::Failed | RunOutcome::Stuck);
        self.steps.iter().filter(|step| !step.open && is_failure(step.status)).count()
    }

    /// Whether the undo of the run was begun.
    #[must_use]
    pub fn is_of_undo(&self) -> bool {
        self.steps.iter().any(|step| step.undoing)
    }

    /// The way that the report is about: back, where an undo had something to restore.
    #[must_use]
    pub fn way(&self) -> Direction {
        if self.is_of_undo() { Direction::Undo } else { Direction::Apply }
    }

    /// How many steps an undo that has ended did not begin: undoing the run again restores them.
    #[must_use]
    pub fn left_to_restore(&self) -> usize {
        self.steps.iter().filter(|step| step.undoing && step.status == StepStatus::NotStarted).count()
    }

    /// Whether all that hostssl writes is done, and some of it could not be probed.
    #[must_use]
    pub fn is_not_probed_only(&self) -> bool {
        let is_written = |step: &StepReport| matches!(step.status, StepStatus::Applied | StepStatus::Already);
        self.summary.not_probed > 0 && self.steps.iter().all(|step| is_written(step) || step.manual)
    }

    /// Whether the run has ended with all that hostssl writes done, and only steps for people are left.
    #[must_use]
    pub fn is_manual_only(&self) -> bool {
        let done = |step: &StepReport| {
            matches!(step.status, StepStatus::Applied | StepStatus::Already) && !step.undoing && !step.not_read_again
        };
        let probed = self.summary.not_probed == 0;
        self.outcome == RunOutcome::Incomplete && probed && self.steps.iter().all(|step| done(step) || step.manual)
    }
}

impl LoadedRun {
    /// What became of the run so far.
    #[must_use]
    pub fn report(&self) -> Report {
        report(&self.id, &self.plan, &self.state)
    }
}

/// What became of a run, by its state.
#[must_use]
pub fn report(run: &RunId, plan: &Plan, state: &RunState) -> Report {
    let mut summary = RunSummary::default();
    let mut outcome = RunOutcome::Done;
    // Older versions recorded undos that had nothing to restore: what the run did counts after those.
    let undoing = state.steps().iter().any(|at| at.undo.is_some());
    let mut steps = Vec::with_capacity(plan.steps().len());
    for (step, at) in plan.steps().iter().zip(state.steps()) {
        let (status, mut reason) = judge(at);
        if status == StepStatus::NotStarted && !step.is_executable() {
            // Resuming the run does nothing about it.
            reason = Some(NotStarted::Manual.as_str().to_owned());
        }
        let track = at.undo.as_ref().unwrap_or(&at.apply);
        let (open, unread) = (track.is_open(), track.not_read_again.is_some());
        summary.count(status, open);
        let unprobed = track.ending().is_some_and(StepOutcome::is_not_probed);
        summary.not_read_again += u32::from(unread);
        summary.not_probed += u32::from(unprobed);
        // An undo counts what it restores, not what the run had not done anyway.
        if at.undo.is_some() || !undoing {
            outcome = outcome.max(if open { RunOutcome::Open } else { outcome_of(status) });
            // What no one has seen stay is not done.
            outcome = outcome.max(if unread || unprobed { RunOutcome::Incomplete } else { RunOutcome::Done });
        }
        steps.push(step_report(step, at, status, reason));
    }
    // A run that has not ended must be resumed, also when no write of it is in progress.
    if state.phase().is_unfinished() {
        outcome = outcome.max(RunOutcome::Open);
    }
    let words = |reason: Option<&SafeText>| reason.map(ToString::to_string);
    Report {
        run: run.to_string(),
        plan: plan.hash().to_string(),
        summary,
        steps,
        outcome,
        reason: words(state.reason()),
        undo_reason: words(state.undo_reason()),
    }
}

fn step_report(step: &Step, at: &StepState, status: StepStatus, reason: Option<String>) -> StepReport {
    let track = at.undo.as_ref().unwrap_or(&at.apply);
    let request_id = at.undo.as_ref().and_then(|undo| undo.request_id.as_ref()).or(at.apply.request_id.as_ref());
    StepReport {
        id: step.id,
        server: step.server.to_string(),
        parameter: step.parameter,
        before: step.before.to_string(),
        after: step.after.to_string(),
        status,
        reason,
        request_id: request_id.map(|id| id.as_str().to_owned()),
        undoing: at.undo.is_some(),
        open: track.is_open(),
        not_read_again: track.not_read_again.is_some(),
        vanished: track.ending().is_some_and(StepOutcome::is_of_a_vanished_server),
        manual: !step.is_executable() && status == StepStatus::NotStarted,
        accepted: step.accepted.clone(),
    }
}

impl RunSummary {
    fn count(&mut self, status: StepStatus, open: bool) {
        let counter = match status {
            StepStatus::Applied => &mut self.applied,
            StepStatus::Already => &mut self.already,
            StepStatus::ChangedSincePlan => &mut self.changed_since_plan,
            StepStatus::Refused => &mut self.refused,
            StepStatus::Failed => &mut self.failed,
            StepStatus::TimedOut => &mut self.timed_out,
            StepStatus::NotStarted => &mut self.not_started,
            StepStatus::Undone => &mut self.undone,
            StepStatus::Stuck => &mut self.stuck,
            StepStatus::WaitsForRestart => &mut self.waits_for_restart,
            StepStatus::Forgotten => &mut self.forgotten,
        };
        *counter += 1;
        self.steps += 1;
        self.open += u32::from(open);
    }
}

fn outcome_of(status: StepStatus) -> RunOutcome {
    match status {
        StepStatus::Applied | StepStatus::Already | StepStatus::Undone | StepStatus::Forgotten => RunOutcome::Done,
        StepStatus::ChangedSincePlan | StepStatus::NotStarted | StepStatus::WaitsForRestart => RunOutcome::Incomplete,
        StepStatus::Refused | StepStatus::Failed | StepStatus::TimedOut => RunOutcome::Failed,
        StepStatus::Stuck => RunOutcome::Stuck,
    }
}

fn judge(step: &StepState) -> (StepStatus, Option<String>) {
    let undoing = step.undo.is_some();
    let track = step.undo.as_ref().unwrap_or(&step.apply);
    let Some(ending) = track.ending() else {
        return if undoing { judge_unended_undo(&step.apply, track) } else { judge_unended(track) };
    };
    // As versions before recorded it: a write counts, whatever was read after it.
    let overwritten = match ending {
        StepOutcome::Changed { found } if track.touched => {
            Some(StepOutcome::Overwritten { found: found.clone(), accepted: track.unanswered == 0 })
        }
        _ => None,
    };
    let ending = overwritten.as_ref().unwrap_or(ending);
    let status = match ending {
        ending if ending.waits_for_restart() => StepStatus::WaitsForRestart,
        ending if undoing && ending.is_success() => StepStatus::Undone,
        ending if undoing && ending.is_failure() => StepStatus::Stuck,
        _ => applied(ending),
    };
    let unread = track.not_read_again.as_ref().map(|why| format!("not read again: {why}"));
    let said: Vec<String> = unread.into_iter().chain(reason(ending, undoing)).collect();
    (status, (!said.is_empty()).then(|| said.join("; ")))
}

/// What an ending means on the way there.
fn applied(ending: &StepOutcome) -> StepStatus {
    match ending {
        ending if ending.waits_for_restart() => StepStatus::WaitsForRestart,
        StepOutcome::Reached { .. } => StepStatus::Applied,
        StepOutcome::Already { .. } => StepStatus::Already,
        StepOutcome::Reverted { .. } | StepOutcome::Overwritten { .. } => StepStatus::Failed,
        StepOutcome::Forgotten => StepStatus::Forgotten,
        StepOutcome::Changed { .. } | StepOutcome::Unexplained => StepStatus::ChangedSincePlan,
        StepOutcome::NotStarted { .. } => StepStatus::NotStarted,
        StepOutcome::Refused { .. } => StepStatus::Refused,
        StepOutcome::Failed { .. } => StepStatus::Failed,
        StepOutcome::TimedOut { .. } => StepStatus::TimedOut,
    }
}

/// A step that has not ended is never reported as done.
fn judge_unended(track: &Track) -> (StepStatus, Option<String>) {
    let (status, reason) = match track.stage {
        _ if !track.is_open() => (StepStatus::NotStarted, "not started yet: resume the run"),
        Stage::InFlight => {
            (StepStatus::TimedOut, "Azure accepted the write and it is still in progress: resume the run")
        }
        Stage::Observed { .. } => {
            (StepStatus::TimedOut, "the value is set and has not been probed yet: resume the run")
        }
        _ => (StepStatus::TimedOut, "the write may have been accepted, but its answer was lost: resume the run"),
    };
    (status, Some(reason.to_owned()))
}

/// A step that is to be undone and was not yet: its result still stands, unless the write that restores it is, or may
/// be, in progress.
fn judge_unended_undo(apply: &Track, undo: &Track) -> (StepStatus, Option<String>) {
    let (status, reason) = match undo.stage {
        _ if !undo.is_open() => {
            let status = apply.ending().map_or(StepStatus::NotStarted, applied);
            (status, "the previous value has not been restored yet: resume the run")
        }
        Stage::InFlight => (
            StepStatus::TimedOut,
            "Azure accepted the write that restores the previous value, and it is still in progress: resume the run",
        ),
        Stage::Observed { .. } => {
            (StepStatus::TimedOut, "the previous value is set again, but this was not recorded: resume the run")
        }
        _ => (
            StepStatus::TimedOut,
            "the write that restores the previous value may have been accepted, but its answer was lost: resume the run",
        ),
    };
    (status, Some(reason.to_owned()))
}

impl StepOutcome {
    /// Why a step ended so, or what else to know, in one line of text; `undoing`: it was being undone.
    #[must_use]
    pub fn reason(&self, undoing: bool) -> Option<String> {
        reason(self, undoing)
    }
}

const WAITS_FOR_RESTART: &str = "the value takes effect at the next restart of the server; hostssl never restarts one";

const NOT_CHECKED: &str = "not checked on the wire: ";

const NOT_RESTORED: &str = "the previous value has not been restored: the undo was resumed only to settle what was in progress; undo the run again";

const UNEXPLAINED: &str = "the new value is set, but no record says who set it: someone else, or this run if its records were \
                           lost; undo does not change it";

fn reason(ending: &StepOutcome, undoing: bool) -> Option<String> {
    match ending {
        StepOutcome::Reached { note, waits_for_restart } => {
            let restart = waits_for_restart.then(|| WAITS_FOR_RESTART.to_owned());
            let note = note.as_ref().map(|note| match note {
                // As versions before wrote it.
                Unproven::NotProbed(why) if why.as_str().starts_with(NOT_CHECKED) => why.to_string(),
                Unproven::NotProbed(why) | Unproven::NotShown { not_shown: why } => format!("{NOT_CHECKED}{why}"),
            });
            let said: Vec<String> = restart.into_iter().chain(note).collect();
            (!said.is_empty()).then(|| said.join("; "))
        }
        StepOutcome::Already { waits_for_restart: true } => Some(WAITS_FOR_RESTART.to_owned()),
        StepOutcome::Already { .. } if undoing => Some("the previous value was already restored".to_owned()),
        StepOutcome::Already { .. } => None,
        StepOutcome::Reverted { found } if undoing => {
            Some(format!("the previous value was read back, but then it was {found} again: something else sets it"))
        }
        StepOutcome::Reverted { found } => {
            Some(format!("the new value was read back, but then it was {found} again: something else sets it"))
        }
        StepOutcome::Forgotten => Some("the server was excluded from the run on request".to_owned()),
        StepOutcome::Unexplained => Some(UNEXPLAINED.to_owned()),
        StepOutcome::Changed { found } if undoing => {
            Some(format!("not changed: the value is {found}, which this run did not set"))
        }
        StepOutcome::Changed { found } => {
            Some(format!("the value is {found}, neither the one that the plan expects nor the new one"))
        }
        StepOutcome::Overwritten { found, accepted } => {
            let wrote = match (accepted, undoing) {
                (true, false) => "written",
                (true, true) => "the previous value was written",
                (false, false) => "a write was sent whose answer was lost",
                (false, true) => "the previous value was sent, and the answer was lost",
            };
            Some(format!("{wrote}, then the value was {found}: something else set it"))
        }
        StepOutcome::Refused { by: by @ RefusedBy::Stopped, detail, .. } => Some(format!("{}: {detail}", by.as_str())),
        StepOutcome::Refused { by, name, detail } => Some(format!("{} {name}: {detail}", by.as_str())),
        StepOutcome::Failed { detail, .. } | StepOutcome::TimedOut { detail, .. } => Some(detail.to_string()),
        StepOutcome::NotStarted { .. } if undoing => Some(NOT_RESTORED.to_owned()),
        StepOutcome::NotStarted { why } => Some(why.as_str().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Direction, JournalEvent, JournalRecord, SafeText, StepEvent};

    /// A step that was applied, and then undone up to these acts.
    fn undone_up_to(acts: &[StepEvent]) -> StepState {
        let mut state = RunState::new(1);
        let mut go = |event| state.advance(&JournalRecord { at_ms: 0, event }).unwrap();
        let step = |direction, act| JournalEvent::Step { step: 1, direction, act };
        let text = || SafeText::new("on");
        go(JournalEvent::RunStarted { reason: None, pace: None });
        for act in [
            StepEvent::Intent { found: text(), was_default: false },
            StepEvent::Accepted { request_id: None },
            StepEvent::Observed { found: text(), pending_restart: false },
            StepEvent::Ended { ending: StepOutcome::Reached { note: None, waits_for_restart: false } },
        ] {
            go(step(Direction::Apply, act));
        }
        go(JournalEvent::RunFinished);
        go(JournalEvent::UndoStarted { reason: None });
        acts.iter().for_each(|act| go(step(Direction::Undo, act.clone())));
        state.step(1).unwrap().clone()
    }

    #[test]
    fn an_undo_that_was_broken_off_says_of_each_step_what_stands_there() {
        let waiting = judge(&undone_up_to(&[]));
        assert_eq!(waiting.0, StepStatus::Applied);
        assert!(waiting.1.unwrap().contains("has not been restored yet"));
        let text = || SafeText::new("on");
        let (intent, accepted) =
            (StepEvent::Intent { found: text(), was_default: false }, StepEvent::Accepted { request_id: None });
        let observed = StepEvent::Observed { found: text(), pending_restart: false };
        for (acts, words) in [
            (&[intent.clone()][..], "its answer was lost"),
            (&[intent.clone(), accepted.clone()], "still in progress"),
            (&[intent, accepted, observed], "set again"),
        ] {
            let (status, reason) = judge(&undone_up_to(acts));
            assert_eq!(status, StepStatus::TimedOut);
            assert!(reason.unwrap().contains(words), "{words}");
        }
    }

    #[test]
    fn a_stopped_server_is_named_once() {
        let refused = |detail| StepOutcome::Refused {
            by: RefusedBy::Stopped,
            name: SafeText::new(""),
            detail: SafeText::new(detail),
        };
        assert_eq!(reason(&refused("the server is stopped"), false).unwrap(), "stopped: the server is stopped");
    }

    fn line(status: StepStatus, undoing: bool, manual: bool) -> StepReport {
        let text = || "x".to_owned();
        StepReport {
            id: 1,
            server: text(),
            parameter: ParameterName::RequireSecureTransport,
            before: text(),
            after: text(),
            status,
            reason: None,
            request_id: None,
            undoing,
            open: false,
            not_read_again: false,
            vanished: false,
            manual,
            accepted: None,
        }
    }

    #[test]
    fn only_an_applied_run_that_has_ended_is_left_to_people() {
        let report = |outcome, steps| Report {
            run: "run".to_owned(),
            plan: "plan".to_owned(),
            summary: RunSummary::default(),
            steps,
            outcome,
            reason: None,
            undo_reason: None,
        };
        let hand = || line(StepStatus::NotStarted, false, true);
        let applied = |undoing| line(StepStatus::Applied, undoing, false);
        let left = |outcome, steps| report(outcome, steps).is_manual_only();
        assert!(left(RunOutcome::Incomplete, vec![applied(false), hand()]));
        assert!(left(RunOutcome::Incomplete, vec![line(StepStatus::Already, false, false), hand()]));
        // One that was broken off looks the same, step by step.
        assert!(!left(RunOutcome::Open, vec![applied(false), hand()]));
        assert!(!left(RunOutcome::Open, vec![applied(true), hand()]));
        assert!(!left(RunOutcome::Incomplete, vec![applied(true), hand()]));
        assert!(!left(RunOutcome::Done, vec![applied(false)]));
        assert!(!left(RunOutcome::Incomplete, vec![line(StepStatus::NotStarted, false, false), hand()]));
    }
}
