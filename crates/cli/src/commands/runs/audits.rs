//! Audits that are kept: shown as they were, or evaluated again by other rules.

use super::args::{KeptArgs, RunsJudgeArgs, RunsShowArgs};
use crate::args::{AuditFormat, AuditList, TerminalArgs};
use crate::commands::{audit, waivers};
use crate::error::CliError;
use crate::exit::Exit;
use crate::simulated::of_cloud;
use crate::state::find_run;
use crate::stdout;
use hostssl_audit::{Profile, apply_waivers, gate};
use hostssl_formats::Shape;
use hostssl_model::{AuditReport, Hint};
use hostssl_ops::{judge_again, rules_of};
use hostssl_store::{AuditEntry, StoreError, StoreReader};

/// Writes an audit as `hostssl audit` did, with the waivers that cover its failures today.
pub(super) fn show(
    reader: &StoreReader,
    audit: &AuditEntry,
    args: &RunsShowArgs,
    terminal: &TerminalArgs,
) -> Result<Exit, CliError> {
    let mut report = reader.audit_report(audit)?;
    if let Some(path) = &args.waivers {
        let waivers = waivers::load(path, &rules_of(&report.run.profile))?;
        apply_waivers(&mut report, &path.display().to_string(), waivers);
        report.overlay.gate = Some(gate(&report, &[], None));
    }
    let shape = args.list.shape_as::<AuditList>("an audit", args.value.is_table(), args.value.is_wide())?;
    write(&report, &args.value, &shape, terminal)?;
    Ok(Exit::AllPass)
}

pub(super) fn judge(args: &RunsJudgeArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let (reader, run) = find_run(&args.state, args.of.simulated(), &args.run)?;
    let Some(audit) = reader.audit(run.as_str())? else {
        if reader.probe(run.as_str())?.is_some() {
            let what = format!("run {run} is a probe: it read no parameters that could be evaluated");
            return Err(CliError::usage(what, "name an audit instead"));
        }
        let changes_servers = reader.runs()?.iter().any(|one| one.id == run);
        return Err(if changes_servers {
            CliError::usage(format!("run {run} changed servers: it has nothing to evaluate"), "name an audit instead")
        } else {
            StoreError::NoSuchRun(run).into()
        });
    };
    // A name alone is its newest version whose controls can find what they ask for.
    let wire = reader.looked_at_the_wire(&audit)?;
    let profile = Profile::find_for(&args.profile, wire).map_err(|error| {
        let known: Vec<String> = Profile::all().iter().map(ToString::to_string).collect();
        CliError::usage(error.to_string(), Hint::with("profiles are {}", &[&known.join(", ")]))
    })?;
    let shape = args.list.shape(args.value.is_table(), args.value.is_wide())?;
    write(&judge_again(reader.audit_report(&audit)?, &profile), &args.value, &shape, terminal)
}

fn write(report: &AuditReport, value: &KeptArgs, shape: &Shape, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let query = stdout::query(value.query.as_deref())?;
    stdout::refuse_query(query.as_ref(), value.output)?;
    let standards = value.standards.chosen(value.output == AuditFormat::StandardsCsv)?;
    let terminal = &of_cloud(terminal, &report.run.cloud);
    audit::write(report, (value.output, &standards), query.as_ref(), shape, 0, terminal)?;
    if !value.output.holds_gaps() || query.is_some() {
        let all = format!("hostssl runs show {} -o json", report.run.id);
        audit::warn_of_unwritten(report, &all, terminal);
    }
    Ok(Exit::of_audit(report))
}
