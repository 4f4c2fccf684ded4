//! What became of a run, for people: what needs a person first.

use crate::{Column, Palette, safe, write_columns};
use hostssl_model::{Outcome, ResourceId};
use hostssl_remediation::{Report, RunOutcome, RunSummary, Status, StepReport};
use std::io::{self, Write};

/// Writes the report of a run.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &Report, palette: Palette) -> io::Result<()> {
    let mut steps: Vec<&StepReport> = report.steps.iter().collect();
    steps.sort_by_key(|step| urgency(step.status));
    if !steps.is_empty() {
        let headings = ["STATUS", "SERVER", "RESOURCE GROUP", "SUBSCRIPTION", "PARAMETER", "CHANGE", "REASON"];
        let mut rows = vec![headings.map(|heading| Column::painted(heading, palette.faint(heading))).to_vec()];
        rows.extend(steps.into_iter().map(|step| row(step, palette)));
        write_columns(out, "  ", &rows)?;
        writeln!(out)?;
    }
    let run = palette.bold(&safe(&report.run));
    let open = if is_open_undo(report) { "; its undo has not ended" } else { "" };
    writeln!(out, "run {run}: {}{open}", counts(&report.summary, palette))?;
    match next(report) {
        Some(next) => writeln!(out, "\nnext: {next}"),
        None => Ok(()),
    }
}

fn row(step: &StepReport, palette: Palette) -> Vec<Column> {
    let id = ResourceId::try_from(step.server.as_str()).ok();
    let status = if step.open { OPEN } else { step.status.as_str() };
    let outcome = if step.open { Outcome::Unknown } else { outcome(step.status) };
    let (from, to) = if step.undoing { (&step.after, &step.before) } else { (&step.before, &step.after) };
    vec![
        Column::painted(status, palette.outcome(outcome, status)),
        Column::plain(safe(id.as_ref().map_or(step.server.as_str(), ResourceId::name))),
        Column::plain(safe(id.as_ref().map_or("-", ResourceId::resource_group))),
        Column::plain(id.as_ref().map_or("-".to_owned(), |id| id.subscription().to_string())),
        Column::plain(safe(&step.parameter)),
        Column::plain(safe(&format!("{from} -> {to}"))),
        Column::plain(safe(step.reason.as_deref().unwrap_or_default())),
    ]
}

/// The word for a step with a write that is, or may be, under way: it has not timed out, nobody has seen its end.
const OPEN: &str = "open";

/// The most urgent first.
fn urgency(status: Status) -> u8 {
    match status {
        Status::Stuck => 0,
        Status::Failed => 1,
        Status::TimedOut => 2,
        Status::Refused => 3,
        Status::ChangedSincePlan => 4,
        Status::WaitsForRestart => 5,
        Status::NotStarted => 6,
        Status::Forgotten => 7,
        Status::Undone => 8,
        Status::Applied => 9,
        Status::Already => 10,
    }
}

fn outcome(status: Status) -> Outcome {
    match status {
        Status::Stuck | Status::Failed | Status::TimedOut | Status::Refused => Outcome::Fail,
        Status::ChangedSincePlan | Status::WaitsForRestart | Status::NotStarted | Status::Forgotten => Outcome::Unknown,
        Status::Applied | Status::Already | Status::Undone => Outcome::Pass,
    }
}

fn counts(summary: &RunSummary, palette: Palette) -> String {
    let all = [
        (Status::Stuck, summary.stuck),
        (Status::Failed, summary.failed),
        (Status::TimedOut, summary.timed_out.saturating_sub(summary.open)),
        (Status::Refused, summary.refused),
        (Status::ChangedSincePlan, summary.changed_since_plan),
        (Status::WaitsForRestart, summary.waits_for_restart),
        (Status::NotStarted, summary.not_started),
        (Status::Forgotten, summary.forgotten),
        (Status::Undone, summary.undone),
        (Status::Applied, summary.applied),
        (Status::Already, summary.already),
    ];
    let open = (summary.open > 0).then(|| palette.outcome(Outcome::Unknown, &format!("{} {OPEN}", summary.open)));
    let ended = all
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| palette.outcome(outcome(status), &format!("{count} {}", status.as_str())));
    let told: Vec<String> = open.into_iter().chain(ended).collect();
    if told.is_empty() { "nothing was to be done".to_owned() } else { told.join(", ") }
}

/// Whether an undo was begun and not ended: it goes on, or whoever did it was stopped.
fn is_open_undo(report: &Report) -> bool {
    report.outcome == RunOutcome::Open && report.steps.iter().any(|step| step.undoing)
}

/// The command to run next, where there is one.
fn next(report: &Report) -> Option<String> {
    let run = &report.run;
    match report.outcome {
        RunOutcome::Open if is_open_undo(report) => {
            Some(format!("hostssl resume {run}    # settles what is under way and goes on with the undo"))
        }
        RunOutcome::Open if report.summary.open > 0 => {
            Some(format!("hostssl resume {run}    # settles what is under way and goes on with the rest"))
        }
        RunOutcome::Open => Some(format!("hostssl resume {run}    # goes on with the rest; or hostssl undo {run}")),
        RunOutcome::Stuck => Some(format!("look at the servers that are stuck, then hostssl undo {run}")),
        RunOutcome::Incomplete if report.is_left_to_people() && report.summary.applied == 0 => {
            Some("change the rest manually; hostssl writes nothing there".to_owned())
        }
        RunOutcome::Incomplete if report.is_left_to_people() => {
            Some(format!("change the rest manually; hostssl undo {run} puts back what was applied"))
        }
        RunOutcome::Failed | RunOutcome::Incomplete if report.summary.applied > 0 => {
            Some(format!("hostssl plan, for the rest; or hostssl undo {run}, to put back what was applied"))
        }
        RunOutcome::Failed | RunOutcome::Incomplete => Some(
            "fix what stands in the way, or leave those servers out with --except NAME, then hostssl plan".to_owned(),
        ),
        RunOutcome::Done if report.summary.applied > 0 => {
            Some(format!("hostssl undo {run}    # if a client turns out to be broken"))
        }
        RunOutcome::Done => None,
    }
}
