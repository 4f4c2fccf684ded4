//! `hostssl runs`.

mod args;
mod audits;
mod list;
mod probes;

pub(crate) use args::RunsArgs;
use args::{RunsCommand, RunsShowArgs};
pub(crate) use hostssl_formats::runs_text::COLUMNS;

use crate::args::{AuditFormat, RunList, TerminalArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::simulated::of_cloud;
use crate::state::{find_run, instant};
use crate::stdout;
use hostssl_formats::apply_json::RunApproval;
use hostssl_formats::run_refused::{self, RefusedSince};
use hostssl_formats::{
    Cell, Entry, Heading, Section, Shown, SubscriptionNames, Text, apply_json, run_text, write_list,
};
use hostssl_model::{Meaning, ResourceId};
use hostssl_remediation::{Direction, ExecuteError, PlanApproval, Report, RunId, StepStatus};
use hostssl_store::{StoreError, StoreReader, WriteReceipt, server_key};
use std::io::{self, Write};

pub(crate) fn run(args: &RunsArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    match &args.command {
        Some(RunsCommand::Show(args)) => show(args, terminal),
        Some(RunsCommand::Judge(args)) => audits::judge(args, terminal),
        None => list::write(args, terminal),
    }
}

fn show(args: &RunsShowArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.value.query.as_deref())?;
    let (reader, run) = find_run(&args.state, args.of.simulated(), &args.run)?;
    if let Some(audit) = reader.audit(run.as_str())? {
        return audits::show(&reader, &audit, args, terminal);
    }
    args.value.standards.chosen(false)?;
    if args.waivers.is_some() {
        return Err(CliError::usage(
            format!("run {run} is not an audit, and has no failures to waive"),
            "leave out --waivers",
        ));
    }
    if let Some(probe) = reader.probe(run.as_str())? {
        return probes::show(&reader, &probe, args, terminal);
    }
    let loaded = reader.load(&run)?.load().map_err(ExecuteError::Damaged)?;
    let receipts = reader.receipts(&run)?;
    let report = loaded.report();
    // The run and what audits knew are kept in one place.
    let known = reader.subscription_names()?;
    let names =
        SubscriptionNames::new(known.iter().map(|(id, name)| (id.as_str(), name.as_str()))).with_plan(&loaded.plan);
    let refused = refused_since(&reader, &report, &receipts)?;
    let approvals = approvals(&reader, &run)?;
    let terminal = of_cloud(terminal, loaded.plan.cloud()).of_plan(&loaded.plan);
    write_run(&report, (&receipts, &refused, &approvals), &names, args, query.as_ref(), &terminal)?;
    Ok(Exit::AllPass)
}

/// The result of a run with its receipts, as `hostssl runs show -o json` writes it.
pub(crate) fn document(reader: &StoreReader, run: &RunId, report: &Report) -> Result<serde_json::Value, CliError> {
    let receipts = reader.receipts(run)?;
    value(report, (&receipts, &refused_since(reader, report, &receipts)?, &approvals(reader, run)?))
}

/// What is kept of a run beside its report: its receipts, who was refused since, and the approvals that it began with.
type BesideReport<'a> = (&'a [WriteReceipt], &'a [RefusedSince], &'a [RunApproval]);

fn value(report: &Report, (receipts, refused, approvals): BesideReport<'_>) -> Result<serde_json::Value, CliError> {
    let receipts: Vec<apply_json::Receipt> = receipts.iter().map(|receipt| of_receipt(receipt, report)).collect();
    apply_json::value_with_receipts(report, &receipts, refused, approvals).map_err(|error| CliError::defect(&error))
}

/// Whose approvals counted when a run began.
pub(crate) fn approvals(reader: &StoreReader, run: &RunId) -> Result<Vec<RunApproval>, StoreError> {
    let of = |one: PlanApproval| RunApproval { person: one.person, at: instant(one.at_ms) };
    Ok(reader.run_approvals(run)?.into_iter().map(of).collect())
}

/// The clients that were refused since the run has enforced TLS, of what is kept of the clients.
fn refused_since(
    reader: &StoreReader,
    report: &Report,
    receipts: &[WriteReceipt],
) -> Result<Vec<RefusedSince>, CliError> {
    let mut refused = Vec::new();
    for step in report.steps.iter().filter(|step| step.status == StepStatus::Applied) {
        let enforces = step.parameter.meaning(&step.after) == Some(Meaning::Enforced(true));
        let of_step = |receipt: &&WriteReceipt| receipt.step == step.id && receipt.direction == Direction::Apply;
        // A client may be refused before the run has read the new value back, so that the write counts and not its end.
        let at = receipts.iter().rfind(of_step).map(|receipt| receipt.intended_at_ms);
        let Some((at, id)) = at.filter(|_| enforces).zip(ResourceId::try_from(step.server.as_str()).ok()) else {
            continue;
        };
        let clients = reader.census(&server_key(&id))?.map(|kept| kept.refused_since(at)).unwrap_or_default();
        if !clients.is_empty() {
            refused.push(RefusedSince { server: step.server.clone(), name: id.name().to_owned(), clients });
        }
    }
    Ok(refused)
}

fn write_run(
    report: &Report,
    beside: BesideReport<'_>,
    names: &SubscriptionNames,
    args: &RunsShowArgs,
    query: Option<&hostssl_formats::Query>,
    terminal: &TerminalArgs,
) -> Result<(), CliError> {
    let palette = stdout::palette(terminal);
    let format = args.value.output.format().ok_or_else(|| {
        CliError::usage(
            format!("{} are for audits, and this run changed servers", AuditFormat::of_audits_alone("and")),
            "use --output tsv, or json for all of it",
        )
    })?;
    let shape = args.list.shape_as::<RunList>("a change of servers", args.value.is_table(), args.value.is_wide())?;
    if args.value.is_table() {
        return stdout::write_text(terminal, &shape, |out, text| {
            run_text::write(out, report, names, text)?;
            let (receipts, refused, approvals) = beside;
            run_text::write_approvals(out, approvals)?;
            write_receipts(out, receipts, &text.of_another_list())?;
            run_refused::write(out, refused, text)
        });
    }
    let document = value(report, beside)?;
    stdout::write_value(&document, query, format, palette)
}

/// The columns of receipts.
const RECEIPTS: &[Heading] = &[
    Heading::new("step", Shown::Always),
    Heading::new("action", Shown::Always),
    Heading::new("sent", Shown::WithRoom(2)),
    Heading::new("before", Shown::Always),
    Heading::new("read-back", Shown::Always),
    Heading::new("at", Shown::WithRoom(1)),
    Heading::new("request-id", Shown::WithRoom(3)),
];

fn write_receipts(out: &mut dyn Write, receipts: &[WriteReceipt], text: &Text<'_>) -> io::Result<()> {
    if receipts.is_empty() {
        return Ok(());
    }
    let entries = receipts.iter().map(|receipt| {
        let line = vec![
            Cell::number(receipt.step.into()),
            Cell::plain(way(receipt)),
            Cell::plain(instant(receipt.intended_at_ms)),
            Cell::plain(&receipt.value_before),
            Cell::plain(receipt.value_after.as_deref().unwrap_or("-")),
            Cell::plain(receipt.observed_at_ms.map_or("-".to_owned(), instant)),
            Cell::plain(receipt.request_id.as_deref().unwrap_or("-")),
        ];
        Entry { word: way(receipt), lines: vec![line] }
    });
    writeln!(out)?;
    let title = Some(text.palette.bold("Receipts"));
    write_list(out, RECEIPTS, vec![Section { title, entries: entries.collect() }], text)
}

fn way(receipt: &WriteReceipt) -> &'static str {
    match receipt.direction {
        Direction::Apply => "apply",
        Direction::Undo => "undo",
    }
}

fn of_receipt(receipt: &WriteReceipt, report: &Report) -> apply_json::Receipt {
    let step = report.steps.iter().find(|step| step.id == receipt.step);
    apply_json::Receipt {
        step: receipt.step,
        direction: way(receipt),
        sent_at: instant(receipt.intended_at_ms),
        before: receipt.value_before.clone(),
        request_id: receipt.request_id.clone(),
        accepted_at: receipt.accepted_at_ms.map(instant),
        after: receipt.value_after.clone(),
        read_back_at: receipt.observed_at_ms.map(instant),
        accepted: step.and_then(|step| step.accepted.as_ref()).map(apply_json::ConsentV1::from),
    }
}
