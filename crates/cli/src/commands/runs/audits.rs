//! Audits that are kept: shown as they were, or evaluated again by other rules.

use super::args::{KeptArgs, RunsJudgeArgs};
use crate::args::{AuditFormat, OutputArgs};
use crate::commands::audit;
use crate::error::CliError;
use crate::exit::Exit;
use crate::simulated::of_cloud;
use crate::state::find_run;
use crate::stdout;
use hostssl_audit::Profile;
use hostssl_formats::Shape;
use hostssl_ops::judge_again;
use hostssl_store::{AuditEntry, StoreError, StoreReader};

/// Writes an audit as `hostssl audit` did.
pub(super) fn show(
    reader: &StoreReader,
    audit: &AuditEntry,
    value: &KeptArgs,
    talk: &OutputArgs,
) -> Result<Exit, CliError> {
    write(reader, audit, None, value, talk)?;
    Ok(Exit::AllPass)
}

pub(super) fn judge(args: &RunsJudgeArgs, talk: &OutputArgs) -> Result<Exit, CliError> {
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
        CliError::usage(error.to_string(), format!("profiles are {}", known.join(", ")))
    })?;
    write(&reader, &audit, Some(&profile), &args.value, talk)
}

fn write(
    reader: &StoreReader,
    audit: &AuditEntry,
    profile: Option<&Profile>,
    value: &KeptArgs,
    talk: &OutputArgs,
) -> Result<Exit, CliError> {
    let query = stdout::query(value.query.as_deref())?;
    stdout::refuse_query(query.as_ref(), value.output)?;
    let report = reader.audit_report(audit)?;
    let report = match profile {
        Some(profile) => judge_again(report, profile),
        None => report,
    };
    let shape = Shape { wide: value.output == AuditFormat::Wide, ..Shape::AS_IS };
    audit::write(&report, value.output, query.as_ref(), &shape, 0, &of_cloud(talk, &report.run.cloud))?;
    Ok(Exit::of_audit(&report))
}
