//! The list of what was run: audits, probes and applies together, the newest first.

use super::args::RunsArgs;
use crate::args::TerminalArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::simulated::of_cloud;
use crate::state::instant;
use crate::stdout;
use hostssl_formats::output::Format;
use hostssl_formats::{Text, runs_json, runs_text, safe};
use hostssl_model::Word;
use hostssl_remediation::{LoadedRun, RunEnd, RunId};
use hostssl_store::{AuditEntry, KeptRun, Page, ProbeEntry, RunEntry, StateDirectory, StoreError, StoreReader};
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

pub(super) fn write(args: &RunsArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.value.query.as_deref())?;
    let shape = args.list.shape(args.value.is_table(), args.value.is_wide())?;
    let size = if args.all { u32::MAX } else { args.limit };
    let mut directory = args.state.directory(args.of.simulated())?;
    if !args.of.simulated() && is_empty(&directory) {
        let simulated = args.state.directory(true)?;
        if !is_empty(&simulated) {
            if !terminal.quiet {
                stderr!("note: only runs of simulations are kept");
            }
            directory = simulated;
        }
    }
    let (mut ends, mut kept) = (HashMap::new(), 0);
    let (runs, total, unfinished) = match StoreReader::open(&directory) {
        Ok(reader) => {
            let (runs, total) = newest(&reader, args, size)?;
            // It may be older than what is listed.
            let unfinished = reader.unfinished()?.map(|run| (of_cloud(terminal, &cloud_of(&reader, &run)), run));
            ends = ends_of(&reader, &runs);
            if runs.is_empty() {
                kept = reader.kept_runs(Page { number: 0, size: 1 })?.1;
            }
            (runs, total, unfinished)
        }
        Err(StoreError::NoState(_)) => (Vec::new(), 0, None),
        Err(error) => return Err(error.into()),
    };
    let palette = stdout::palette(terminal);
    let format = Format::from(args.value.output);
    let listed: Vec<_> = runs.iter().map(|run| of(run, &ends)).collect();
    if query.is_none() && format == Format::Table {
        stdout::write_text(terminal, &shape, |out, text| match listed.as_slice() {
            [] if kept > 0 => {
                let rows = if kept == 1 { "row" } else { "rows" };
                writeln!(out, "none of {kept} {rows} is {}", text.shape.only.join(" or "))
            }
            [] => write_none(out, &directory, text),
            listed => runs_text::write(out, listed, text),
        })?;
    } else {
        let value = runs_json::value(&listed).map_err(|error| CliError::defect(&error))?;
        stdout::write_value(&value, query.as_ref(), format, palette)?;
    }
    let older = total.saturating_sub(runs.len() as u64);
    if older > 0 && !terminal.quiet {
        let noun = if older == 1 { "run is" } else { "runs are" };
        stderr!("the newest {} of {total}; {older} older {noun} not listed: --all, or --limit {total}", runs.len());
    }
    if let (Some((terminal, run)), false) = (unfinished, terminal.quiet) {
        let resume = terminal.again.command(&format!("hostssl resume {}", run.id));
        stderr!("next: {resume}    # it has not ended");
    }
    Ok(Exit::AllPass)
}

/// The newest runs of the kinds that are asked for, and how many there are of them.
fn newest(reader: &StoreReader, args: &RunsArgs, size: u32) -> Result<(Vec<KeptRun>, u64), StoreError> {
    if !args.list.is_filtered() {
        return reader.kept_runs(Page { number: 0, size });
    }
    let (mut runs, _) = reader.kept_runs(Page { number: 0, size: u32::MAX })?;
    let none = HashMap::new();
    runs.retain(|run| args.list.shows(of(run, &none).kind()));
    let total = runs.len() as u64;
    runs.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    Ok((runs, total))
}

/// The cloud whose servers a run changes; none where its plan cannot be read, which `runs show` reports.
fn cloud_of(reader: &StoreReader, run: &RunEntry) -> String {
    let loaded = reader.load(&run.id).ok().and_then(|stored| stored.load().ok());
    loaded.map(|loaded| loaded.plan.cloud().to_owned()).unwrap_or_default()
}

/// Whether no run is kept there.
fn is_empty(directory: &StateDirectory) -> bool {
    let runs = StoreReader::open(directory).and_then(|reader| reader.kept_runs(Page { number: 0, size: 1 }));
    matches!(runs, Err(StoreError::NoState(_)) | Ok((_, 0)))
}

/// Writes where nothing is kept.
fn write_none(out: &mut dyn Write, directory: &Path, text: &Text<'_>) -> io::Result<()> {
    let place = directory.display().to_string();
    let hint = text.hint("`hostssl audit`, `hostssl probe` and `hostssl apply PLAN` keep theirs");
    writeln!(out, "no runs are kept in {}; {hint}", safe(&place))
}

/// How the runs that changed servers ended. A run whose journal cannot be read is left out: `runs show` reports why.
fn ends_of(reader: &StoreReader, runs: &[KeptRun]) -> HashMap<RunId, runs_json::Ending> {
    let changes = runs.iter().filter_map(|run| match run {
        KeptRun::Apply(run) => Some(&run.id),
        KeptRun::Audit(_) | KeptRun::Probe(_) => None,
    });
    changes.filter_map(|id| Some((id.clone(), ending_of(&reader.load(id).ok()?.load().ok()?)))).collect()
}

fn ending_of(run: &LoadedRun) -> runs_json::Ending {
    let report = run.report();
    runs_json::Ending {
        end: RunEnd::of(&report),
        failed: u32::try_from(report.failed()).unwrap_or(u32::MAX),
        open: report.summary.open,
        forgotten: report.summary.forgotten,
        not_read_again: report.summary.not_read_again,
    }
}

fn of<'a>(run: &'a KeptRun, ends: &HashMap<RunId, runs_json::Ending>) -> runs_json::Run<'a> {
    match run {
        KeptRun::Audit(audit) => runs_json::Run::Audit(runs_json::Audit {
            run: &audit.id,
            profile: &audit.profile,
            controls: audit.asked.only.iter().map(Word::as_str).collect(),
            rules: audit.asked.rules(&audit.profile),
            coverage: coverage(audit),
            servers: audit.summary.servers,
            fail: audit.summary.fail,
            unknown: audit.summary.unknown,
            pass: audit.summary.pass,
            principal: people(audit),
            started_at: instant(audit.told_ms()),
            last_at: ended(audit),
        }),
        KeptRun::Probe(probe) => runs_json::Run::Probe(runs_json::Probe {
            run: &probe.id,
            coverage: probe_coverage(probe),
            endpoints: probe.endpoints(),
            not_enforced: probe.fail,
            unknown: probe.unknown,
            enforced: probe.pass,
            started_at: instant(probe.started_ms),
            last_at: probe.finished_ms.map(instant),
        }),
        KeptRun::Apply(apply) => runs_json::Run::Apply(runs_json::Apply {
            run: apply.id.as_str(),
            plan: apply.plan.as_str(),
            phase: apply.phase.as_str(),
            ending: ends.get(&apply.id).copied(),
            steps: apply.steps,
            written: apply.written,
            put_back: apply.restored,
            principal: &apply.principal.name,
            started_at: instant(apply.started_at_ms),
            last_at: instant(apply.last_at_ms),
        }),
    }
}

fn probe_coverage(probe: &ProbeEntry) -> &'static str {
    match (probe.complete, probe.finished_ms) {
        (true, _) => "complete",
        (false, Some(_)) => "incomplete",
        (false, None) => "not ended",
    }
}

fn coverage(audit: &AuditEntry) -> &'static str {
    match (audit.complete, audit.stopped) {
        (true, _) => "complete",
        (false, true) => "stopped early",
        (false, false) => "incomplete",
    }
}

fn ended(audit: &AuditEntry) -> String {
    audit.finished_at.parse::<jiff::Timestamp>().map_or_else(|_| "-".to_owned(), |at| instant(at.as_millisecond()))
}

fn people(audit: &AuditEntry) -> String {
    audit.principals.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ")
}
