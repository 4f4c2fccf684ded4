//! `hostssl diff`.

use crate::args::{
    ConnectArgs, DiffList, LimitArgs, ListArgs, StateArgs, Suggested, TerminalArgs, ValueFormat, latest, name,
};
use crate::changed_by;
use crate::commands::waivers;
use crate::connect::{block_on, connect};
use crate::error::CliError;
use crate::exit::Exit;
use crate::simulated::{kept_azure, scenario_of};
use crate::state::{find_run, newest_pair, nothing_kept};
use crate::stdout;
use clap::Args;
use hostssl_audit::{ActivityRead, Change, Diff, Difference, apply_waivers, diff, name_authors};
use hostssl_formats::output::Format;
use hostssl_formats::{Query, diff_json, diff_text, waiver_text};
use hostssl_model::{AuditReport, Finding, Hint, Outcome, ServerReport};
use hostssl_ops::rules_of;
use hostssl_store::{AuditEntry, StoreReader};
use std::path::PathBuf;

pub(crate) const HELP: &str = "Exit codes:
  0  nothing is worse than before
  1  the tool failed (no disk)
  2  wrong usage: a bad option, or no such audit
  3  a control newly fails, or fails with another value, and no waiver in effect covers that
  4  no new failure, but something could not be checked that had been checked before or is new,
     or a control that only one of the audits checked fails there,
     or a server that is not in the scope of the other audit fails,
     or the audits are of different clouds or tenants,
     or a newer version kept the later audit with codes that this version does not know";

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The earlier audit: its id or the beginning of it. Otherwise the audit of the same scope before the later one.
    #[arg(value_name = "BEFORE", value_parser = Suggested(latest), hide_possible_values = true)]
    before: Option<String>,
    /// The later audit. Otherwise the newest.
    #[arg(value_name = "AFTER", value_parser = Suggested(latest), hide_possible_values = true)]
    after: Option<String>,
    /// Output format.
    #[arg(long, short = 'o', value_enum, default_value_t = ValueFormat::Table, ignore_case = true)]
    output: ValueFormat,
    /// JMESPath query over the JSON of the comparison.
    #[arg(long, value_name = "JMESPATH")]
    query: Option<String>,
    #[command(flatten)]
    list: ListArgs<DiffList>,
    #[command(flatten)]
    state: StateArgs,
    /// A file of waivers: the failures that they cover today are shown with them, and do not count. - for standard input.
    #[arg(long, value_name = "FILE", env = "HOSTSSL_WAIVERS")]
    waivers: Option<PathBuf>,
    /// Say who made each change, by Azure's Activity Log: signs in and reads it. Azure keeps it for 90 days.
    #[arg(long)]
    who: bool,
    /// A tenant, by id or domain (repeatable; default: those of the later audit).
    #[arg(long, value_name = "TENANT", value_parser = name, requires = "who", help_heading = "Connection options")]
    tenant: Vec<String>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

pub(crate) fn run(args: &DiffArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.query.as_deref())?;
    let is_table = Format::from(args.output) == Format::Table && query.is_none();
    let shape = args.list.shape(is_table, args.output == ValueFormat::Wide)?;
    let (before, mut after) = audits(args, terminal)?;
    if let Some(path) = &args.waivers {
        let waivers = waivers::load(path, &rules_of(&after.run.profile))?;
        apply_waivers(&mut after, &path.display().to_string(), waivers);
        waiver_text::doubts(&after).iter().for_each(|doubt| stderr!("warning: {doubt}"));
    }
    let mut compared = diff(&before, &after);
    if args.who {
        let read = block_on(read_who(args, &before, &after, &compared, terminal))?;
        name_authors(&mut compared, &before, &after, &read);
    }
    let format = Format::from(args.output);
    match (format, query) {
        (Format::Table, None) => {
            stdout::write_text(terminal, &shape, |out, text| diff_text::write(out, &before, &after, &compared, text))?;
        }
        (Format::Json, None) => stdout::write(|out| diff_json::write(out, &before, &after, &compared))?,
        (format, query) => write_value(&before, &after, &compared, query.as_ref(), format, terminal)?,
    }
    Ok(exit(&compared, &before, &after))
}

/// Asks the Activity Log of the cloud of the audits.
async fn read_who(
    args: &DiffArgs,
    before: &AuditReport,
    after: &AuditReport,
    compared: &Diff<'_>,
    terminal: &TerminalArgs,
) -> Result<ActivityRead, CliError> {
    let cloud = &after.run.cloud;
    // What is found without --simulate may be of a simulation all the same.
    let simulate = scenario_of(cloud).map(ToOwned::to_owned);
    let connect_args = ConnectArgs { simulate, ..args.connect.clone() };
    let scope = &after.run.scope;
    let tenants = if args.tenant.is_empty() { &scope.tenants } else { &args.tenant };
    let tenants = connect(&connect_args, &args.state, tenants, &args.limits, terminal).await?;
    if let Some(other) = tenants.iter().map(|tenant| &tenant.arm.cloud().name).find(|name| *name != cloud) {
        let what = format!("the audits are of the cloud {cloud}, and {other} was signed in to");
        return Err(CliError::usage(what, Hint::with("name it: --cloud {}", &[cloud])));
    }
    Ok(changed_by::since(&tenants, before, after, &changed_by::changed([compared])).await)
}

fn write_value(
    before: &AuditReport,
    after: &AuditReport,
    compared: &Diff<'_>,
    query: Option<&Query>,
    format: Format,
    terminal: &TerminalArgs,
) -> Result<(), CliError> {
    let value = diff_json::value(before, after, compared).map_err(|error| CliError::defect(&error))?;
    stdout::write_value(&value, query, format, stdout::palette(terminal))
}

pub(crate) fn exit(compared: &Diff<'_>, before: &AuditReport, after: &AuditReport) -> Exit {
    let is_open = |one: &Finding| one.outcome == Outcome::Fail && compared.not_compared.contains(&one.control);
    let mut findings = [before, after].into_iter().flat_map(|audit| &audit.servers).flat_map(|server| &server.findings);
    let is_waived = |one: &Change<'_>| {
        one.after.and_then(|finding| finding.waiver.as_ref()).is_some_and(|waiver| waiver.is_in_effect())
    };
    let worse = |one: &&Change<'_>| matches!(one.difference, Difference::New | Difference::Changed);
    let fails = |server: &ServerReport| server.findings.iter().any(|one| one.outcome == Outcome::Fail);
    if compared.changes.iter().filter(worse).any(|one| !is_waived(one)) {
        Exit::Findings
    } else if compared.count(Difference::NotVisible) > 0
        || findings.any(is_open)
        || compared.not_in_scope.iter().any(|one| fails(one.server))
        || is_of_newer(after)
        || (after.knows_plaintext() && !before.knows_plaintext())
        || compared.apart.is_some()
        || has_nothing_in_common(compared)
    {
        Exit::Incomplete
    } else {
        Exit::AllPass
    }
}

/// Whether nothing at all was compared, though there was something to compare.
fn has_nothing_in_common(compared: &Diff<'_>) -> bool {
    let is_anything_left_out = !compared.not_compared.is_empty() || !compared.not_in_scope.is_empty();
    compared.changes.is_empty() && compared.unchanged == 0 && is_anything_left_out
}

/// Whether a newer version kept something of the audit in words that this one does not know: that may be a failure.
fn is_of_newer(audit: &AuditReport) -> bool {
    audit.gaps.iter().any(|gap| gap.unchecked.is_of_newer)
}

/// The audits to compare.
fn audits(args: &DiffArgs, terminal: &TerminalArgs) -> Result<(AuditReport, AuditReport), CliError> {
    let simulated = args.connect.simulate.is_some();
    // A run behind --simulate would be taken for its scenario, and two others compared.
    if let Some(name) = &args.connect.simulate {
        kept_azure::named_scenario(name)?;
    }
    let none = || nothing_kept(&args.state, simulated);
    let (reader, before, after) = match (&args.before, &args.after) {
        (Some(before), Some(after)) => {
            let (reader, before) = find_audit(&args.state, simulated, before)?;
            let before = reader.audit_report(&before)?;
            let (reader, after) = find_audit(&args.state, simulated, after)?;
            if before.run.id == after.id {
                return Err(CliError::usage(
                    "both names mean the same audit",
                    "name another one; `hostssl runs` lists them",
                ));
            }
            return Ok((before, reader.audit_report(&after)?));
        }
        (Some(before), None) => {
            let (reader, before) = find_audit(&args.state, simulated, before)?;
            let after = reader.newest_audit()?.ok_or_else(none)?;
            if before.id == after.id {
                let what = format!("{} is the newest audit, and there is none after it to compare it with", before.id);
                return Err(CliError::usage(
                    what,
                    "name an earlier one, or none: then it is compared with the one before",
                ));
            }
            (reader, before, after)
        }
        (None, _) => {
            let reader = args.state.read_if_any(simulated)?.ok_or_else(none)?;
            let newest = reader.newest_audit()?.ok_or_else(none)?;
            let (before, after) = newest_pair(&reader, terminal)?.ok_or_else(|| {
                let what = format!("there is no audit of the same scope before {}", newest.id);
                CliError::usage(what, "name both audits; `hostssl runs` lists them")
            })?;
            (reader, before, after)
        }
    };
    Ok((reader.audit_report(&before)?, reader.audit_report(&after)?))
}

fn find_audit(state: &StateArgs, simulated: bool, text: &str) -> Result<(StoreReader, AuditEntry), CliError> {
    let (reader, run) = find_run(state, simulated, text)?;
    let audit = reader.audit(run.as_str())?.ok_or_else(|| {
        CliError::usage(format!("run {run} is not an audit"), "name two audits; `hostssl runs` lists them")
    })?;
    Ok((reader, audit))
}
