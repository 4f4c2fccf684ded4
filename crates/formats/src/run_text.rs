//! The result of a run as text: what needs attention first.

use crate::apply_json::RunApproval;
use crate::{Cell, Entry, Heading, Palette, Section, Shown, SubscriptionNames, Text, safe, write_list};
use hostssl_model::{Outcome, ParameterName, ResourceId};
use hostssl_remediation::{Report, RunOutcome, StepReport, StepStatus};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// The columns of the steps of a run.
pub const COLUMNS: &[Heading] = &[
    Heading::new("status", Shown::Always),
    Heading::new("server", Shown::Always),
    Heading::new("resource-group", Shown::WithRoom(3)),
    Heading::new("subscription", Shown::WithRoom(2)),
    Heading::new("parameter", Shown::WithRoom(1)),
    Heading::new("change", Shown::Always),
    Heading::new("reason", Shown::Reason),
];

/// The words that rows are chosen by.
#[must_use]
pub fn words() -> Vec<&'static str> {
    [OPEN, MANUAL].into_iter().chain(MOST_URGENT_FIRST.map(StepStatus::as_str)).collect()
}

/// Every status, as [`urgency`] orders them.
const MOST_URGENT_FIRST: [StepStatus; 11] = [
    StepStatus::Stuck,
    StepStatus::Failed,
    StepStatus::TimedOut,
    StepStatus::Refused,
    StepStatus::ChangedSincePlan,
    StepStatus::WaitsForRestart,
    StepStatus::NotStarted,
    StepStatus::Forgotten,
    StepStatus::Undone,
    StepStatus::Applied,
    StepStatus::Already,
];

/// Writes the report of a run. `names` are those of subscriptions, by their id, as far as they are known.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &Report, names: &SubscriptionNames, text: &Text<'_>) -> io::Result<()> {
    write_steps(out, report, names, text)?;
    let (commands, advice) = next(report);
    if let Some(advice) = advice {
        writeln!(out, "note: {advice}")?;
    }
    write_restarts(out, report)?;
    text.write_next(out, &commands)
}

/// Writes the report of a run whose journal failed. What to do next depends on why it failed, and the error says that: a run
/// whose state is damaged cannot be resumed.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write_halted(
    out: &mut dyn Write,
    report: &Report,
    names: &SubscriptionNames,
    text: &Text<'_>,
) -> io::Result<()> {
    let mut told = report.clone();
    for reason in told.steps.iter_mut().filter_map(|step| step.reason.as_mut()) {
        if let Some(what) = reason.strip_suffix(": resume the run") {
            *reason = what.to_owned();
        }
    }
    write_steps(out, &told, names, text)?;
    write_restarts(out, report)
}

fn write_steps(out: &mut dyn Write, report: &Report, names: &SubscriptionNames, text: &Text<'_>) -> io::Result<()> {
    let mut steps: Vec<&StepReport> = report.steps.iter().collect();
    steps.sort_by_key(|step| urgency(step.status));
    if !steps.is_empty() {
        let entries = steps.into_iter().map(|step| entry(step, names)).collect();
        write_list(out, COLUMNS, vec![Section { title: None, entries }], text)?;
        writeln!(out)?;
    }
    write_accepted(out, report)?;
    let run = text.palette.bold(&safe(&report.run));
    let open = match report.left_to_restore() {
        _ if is_open_undo(report) => "; its undo has not ended".to_owned(),
        0 => String::new(),
        left => format!("; its undo has ended and left {left} not restored"),
    };
    writeln!(out, "run {run}: {}{open}", counts(report, text.palette))?;
    if let Some(reason) = &report.reason {
        writeln!(out, "reason: {}", safe(reason))?;
    }
    if let Some(reason) = &report.undo_reason {
        writeln!(out, "reason of the undo: {}", safe(reason))?;
    }
    Ok(())
}

/// Writes whose approvals counted when the run began.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write_approvals(out: &mut dyn Write, approvals: &[RunApproval]) -> io::Result<()> {
    let (first, rest) = ("approved by ", "        and ");
    for (at, one) in approvals.iter().enumerate() {
        writeln!(out, "{}{}, {}", if at == 0 { first } else { rest }, safe(&one.person), safe(&one.at))?;
    }
    Ok(())
}

/// What puts the values in effect that wait for a restart.
fn write_restarts(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let waiting = report.steps.iter().filter(|step| step.status == StepStatus::WaitsForRestart);
    let servers: BTreeSet<&str> = waiting.map(|step| step.server.as_str()).collect();
    if servers.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "note: the values that wait take effect when the owner of the server restarts it, which ends its sessions:"
    )?;
    for server in servers.iter().take(SERVERS_NAMED).filter_map(|server| ResourceId::try_from(*server).ok()) {
        writeln!(out, "      {}", safe(&restart_command(&server)))?;
    }
    match servers.len().saturating_sub(SERVERS_NAMED) {
        0 => Ok(()),
        more => writeln!(out, "      and {more} more"),
    }
}

/// The columns of what an undo restores.
const UNDO_COLUMNS: &[Heading] = &[
    Heading::new("server", Shown::Always),
    Heading::new("resource-group", Shown::WithRoom(2)),
    Heading::new("subscription", Shown::WithRoom(1)),
    Heading::new("parameter", Shown::Always),
    Heading::new("change", Shown::Always),
];

/// Writes what an undo of these steps restores, for the one who approves it.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write_undo(
    out: &mut dyn Write,
    steps: &[&StepReport],
    names: &SubscriptionNames,
    text: &Text<'_>,
) -> io::Result<()> {
    let row = |step: &&StepReport| {
        let line = place(step, names).into_iter().chain([Cell::plain(format!("{} -> {}", step.after, step.before))]);
        Entry { word: step.status.as_str(), lines: vec![line.collect()] }
    };
    write_list(out, UNDO_COLUMNS, vec![Section { title: None, entries: steps.iter().map(row).collect() }], text)
}

/// The server of a step, where it is, and the parameter.
fn place(step: &StepReport, names: &SubscriptionNames) -> [Cell; 4] {
    let id = ResourceId::try_from(step.server.as_str()).ok();
    let subscription = id.as_ref().map(|id| id.subscription());
    [
        Cell::plain(id.as_ref().map_or(step.server.as_str(), ResourceId::name)),
        Cell::plain(id.as_ref().map_or("-", ResourceId::resource_group)),
        Cell::plain(subscription.as_ref().map_or("-", |id| names.of(id.as_str()))),
        Cell::plain(step.parameter.key()),
    ]
}

/// Who has accepted that clients are refused, and where.
fn write_accepted(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let mut words: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for step in report.steps.iter().filter(|step| step.may_refuse_clients()) {
        if let Some(accepted) = &step.accepted {
            let name = step.server.rsplit('/').next().unwrap_or_default();
            words.entry((accepted.by.as_str(), accepted.reason.as_str())).or_default().insert(name);
        }
    }
    for ((by, reason), servers) in words {
        let named: Vec<&str> = servers.iter().take(SERVERS_NAMED).copied().collect();
        let more = servers.len().saturating_sub(SERVERS_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        writeln!(
            out,
            "clients may be refused: accepted by {}: {} ({}{more})",
            safe(by),
            safe(reason),
            safe(&named.join(", "))
        )?;
    }
    Ok(())
}

/// Servers that are named of those that share a reason.
const SERVERS_NAMED: usize = 5;

fn entry(step: &StepReport, names: &SubscriptionNames) -> Entry {
    let (word, outcome) = match step.status {
        _ if step.open => (OPEN, Outcome::Unknown),
        status if step.not_read_again => (status.as_str(), Outcome::Unknown),
        StepStatus::NotStarted if step.manual => (MANUAL, Outcome::Unknown),
        status => (status.as_str(), outcome(status)),
    };
    let (from, to) = if step.undoing { (&step.after, &step.before) } else { (&step.before, &step.after) };
    let mut line = vec![Cell::outcome(outcome, word).ranked(urgency(step.status))];
    line.extend(place(step, names));
    line.push(Cell::plain(format!("{from} -> {to}")));
    line.push(Cell::plain(step.reason.as_deref().unwrap_or_default()));
    Entry { word, lines: vec![line] }
}

/// The word for a step with a write that is, or may be, in progress: it has not timed out, its end is unknown.
const OPEN: &str = "open";
/// The word for a step that hostssl does not write: nothing holds it up, and someone has to do it.
const MANUAL: &str = "manual";

/// The most urgent first.
fn urgency(status: StepStatus) -> u64 {
    let place = MOST_URGENT_FIRST.iter().position(|one| *one == status);
    place.map_or(u64::MAX, |place| place as u64)
}

fn outcome(status: StepStatus) -> Outcome {
    match status {
        StepStatus::Stuck | StepStatus::Failed | StepStatus::TimedOut | StepStatus::Refused => Outcome::Fail,
        StepStatus::ChangedSincePlan | StepStatus::WaitsForRestart | StepStatus::NotStarted | StepStatus::Forgotten => {
            Outcome::Unknown
        }
        StepStatus::Applied | StepStatus::Already | StepStatus::Undone => Outcome::Pass,
    }
}

fn counts(report: &Report, palette: Palette) -> String {
    let summary = &report.summary;
    let manual = report.steps.iter().filter(|step| step.status == StepStatus::NotStarted && step.manual).count();
    let manual = u32::try_from(manual).unwrap_or(u32::MAX);
    let all = [
        (StepStatus::Stuck, summary.stuck),
        (StepStatus::Failed, summary.failed),
        (StepStatus::TimedOut, summary.timed_out.saturating_sub(summary.open)),
        (StepStatus::Refused, summary.refused),
        (StepStatus::ChangedSincePlan, summary.changed_since_plan),
        (StepStatus::WaitsForRestart, summary.waits_for_restart),
        (StepStatus::NotStarted, summary.not_started.saturating_sub(manual)),
        (StepStatus::Forgotten, summary.forgotten),
        (StepStatus::Undone, summary.undone),
        (StepStatus::Applied, summary.applied),
        (StepStatus::Already, summary.already),
    ];
    let open = (summary.open > 0).then(|| palette.outcome(Outcome::Unknown, &format!("{} {OPEN}", summary.open)));
    let manual = (manual > 0).then(|| palette.outcome(Outcome::Unknown, &format!("{manual} {MANUAL}")));
    let ended = all
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| palette.outcome(outcome(status), &format!("{count} {}", status.as_str())));
    let unread = (summary.not_read_again > 0)
        .then(|| palette.outcome(Outcome::Unknown, &format!("{} of them not read again", summary.not_read_again)));
    let unprobed = (summary.not_probed > 0)
        .then(|| palette.outcome(Outcome::Unknown, &format!("{} of them not probed", summary.not_probed)));
    let told: Vec<String> = open.into_iter().chain(ended).chain(unread).chain(unprobed).chain(manual).collect();
    if told.is_empty() { "no change was needed".to_owned() } else { told.join(", ") }
}

/// Whether an undo was begun and has not ended: it is in progress, or was stopped.
fn is_open_undo(report: &Report) -> bool {
    report.outcome == RunOutcome::Open && report.is_of_undo()
}

/// Whether nothing was changed that a client could notice.
fn turns_on_logs_alone(report: &Report) -> bool {
    let is_of_logs = |step: &StepReport| {
        matches!(step.parameter, ParameterName::LogDownloadEnable | ParameterName::LogRetentionDays)
    };
    report.steps.iter().all(is_of_logs)
}

/// What restarts a server. hostssl never does it: every session ends.
#[must_use]
pub fn restart_command(server: &ResourceId) -> String {
    let (name, group, subscription) = (server.name(), server.resource_group(), server.subscription());
    format!("az postgres flexible-server restart -n {name} -g {group} --subscription {subscription}")
}

/// What leaves out of an undo the servers that are no longer there.
fn forget(report: &Report) -> Option<(String, &'static str)> {
    let gone = report.steps.iter().filter(|step| step.is_stuck_for_good()).map(|step| step.server.as_str());
    let gone: BTreeSet<&str> = gone.collect();
    if gone.is_empty() {
        return None;
    }
    let name_of = |id: &str| id.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let options = gone.into_iter().map(|id| {
        let (name, all) = (name_of(id), report.steps.iter().map(|step| step.server.as_str()));
        let is_one = all.filter(|other| name_of(other) == name).collect::<BTreeSet<_>>().len() == 1;
        format!(" --forget {}", safe(if is_one { id.rsplit('/').next().unwrap_or(id) } else { id }))
    });
    let options: String = options.collect();
    Some((format!("hostssl undo {}{options}", safe(&report.run)), "leaves out what is no longer there"))
}

/// What to do next: commands, each with what it is for, or advice where no command helps.
fn next(report: &Report) -> (Vec<(String, &'static str)>, Option<&'static str>) {
    let run = safe(&report.run);
    let plan = |what| ("hostssl plan".to_owned(), what);
    let resume = |what| (format!("hostssl resume {run}"), what);
    let undo = |what| (format!("hostssl undo {run}"), what);
    let manually = "change the rest manually: hostssl does not write it";
    let stands =
        |step: &StepReport| !step.undoing && matches!(step.status, StepStatus::Applied | StepStatus::WaitsForRestart);
    let applied = report.steps.iter().any(stands);
    let is_in_place = |step: &StepReport| {
        let status = step.status;
        outcome(status) == Outcome::Pass || status == StepStatus::WaitsForRestart || step.manual
    };
    let unread = (report.summary.not_read_again > 0).then(|| resume("reads the values again that could not be read"));
    match report.outcome {
        RunOutcome::Open if is_open_undo(report) => {
            (vec![resume("settles what is in progress and continues the undo")], None)
        }
        RunOutcome::Open if report.summary.open > 0 => {
            (vec![resume("settles what is in progress and continues with the rest")], None)
        }
        RunOutcome::Open if applied => {
            (vec![resume("continues with the rest"), undo("restores what was applied")], None)
        }
        RunOutcome::Open => (vec![resume("continues with the rest")], None),
        RunOutcome::Stuck => {
            let stuck = |step: &&StepReport| step.status == StepStatus::Stuck && !step.is_stuck_for_good();
            let retry = report.steps.iter().any(|step| stuck(&step)).then(|| undo("retries"));
            let advice = retry.is_some().then_some("check the servers that are stuck first");
            (retry.into_iter().chain(forget(report)).collect(), advice)
        }
        RunOutcome::Incomplete if report.is_manual_only() && !applied => (Vec::new(), Some(manually)),
        RunOutcome::Incomplete if report.is_manual_only() => (vec![undo("restores what was applied")], Some(manually)),
        // Planning again would change what was to be restored.
        RunOutcome::Failed | RunOutcome::Incomplete if report.is_of_undo() => {
            let rest = (report.left_to_restore() > 0).then(|| undo("restores the rest"));
            (unread.into_iter().chain(rest).collect(), None)
        }
        // Only a restart is missing, or the probe.
        RunOutcome::Incomplete if report.steps.iter().all(is_in_place) => {
            let unprobed = (report.summary.not_probed > 0)
                .then(|| ("hostssl audit --probe".to_owned(), "probes the servers, from a network that reaches them"));
            let undo = applied.then(|| undo("restores what was applied"));
            (unread.into_iter().chain(unprobed).chain(undo).collect(), None)
        }
        RunOutcome::Failed | RunOutcome::Incomplete if applied => {
            let rest = [plan("plans the rest again"), undo("restores what was applied")];
            (unread.into_iter().chain(rest).collect(), None)
        }
        RunOutcome::Failed | RunOutcome::Incomplete => {
            // Azure accepted a write of a step that failed.
            let wrote = |step: &StepReport| step.status == StepStatus::Failed && step.request_id.is_some();
            let undo = report.steps.iter().any(wrote).then(|| undo("restores what was written"));
            (
                unread.into_iter().chain([plan("plans again")]).chain(undo).collect(),
                Some("fix the cause first, or leave those servers out with --except NAME"),
            )
        }
        RunOutcome::Done if applied && turns_on_logs_alone(report) => {
            (vec![undo("restores the previous values")], None)
        }
        RunOutcome::Done if applied => (vec![undo("restores it if a client stops working")], None),
        RunOutcome::Done => (Vec::new(), None),
    }
}
