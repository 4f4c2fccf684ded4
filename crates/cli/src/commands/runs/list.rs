//! The list of what was run: audits, probes and applies together, the newest first.

use super::args::RunsArgs;
use crate::args::OutputArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::state::instant;
use crate::stdout;
use hostssl_formats::output::Format;
use hostssl_formats::{Cell, Entry, Heading, Section, Shown, Text, runs_json, safe, write_list};
use hostssl_model::Word;
use hostssl_store::{AuditEntry, KeptRun, Page, ProbeEntry, RunEntry, StoreError, StoreReader};
use std::io::{self, Write};
use std::path::Path;

pub(super) fn write(args: &RunsArgs, talk: &OutputArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.value.query.as_deref())?;
    let shape = args.list.shape(args.value.is_table(), args.value.is_wide())?;
    let size = if args.all { u32::MAX } else { args.limit };
    let mut directory = args.state.directory(args.of.simulated())?;
    if !args.of.simulated() && is_empty(&directory) {
        let simulated = args.state.directory(true)?;
        if !is_empty(&simulated) {
            if !talk.quiet {
                say!("note: only runs of simulations are kept");
            }
            directory = simulated;
        }
    }
    let (runs, total, unfinished) = match StoreReader::open(&directory) {
        Ok(reader) => {
            let (runs, total) = reader.kept_runs(Page { number: 0, size })?;
            // It may be older than what is listed.
            (runs, total, reader.unfinished()?)
        }
        Err(StoreError::NoState(_)) => (Vec::new(), 0, None),
        Err(error) => return Err(error.into()),
    };
    let palette = stdout::palette(talk);
    let format = Format::from(args.value.output);
    if query.is_none() && format == Format::Table {
        stdout::write_text(talk, &shape, |out, text| table(out, &runs, &directory, text))?;
    } else {
        let listed: Vec<_> = runs.iter().map(of).collect();
        let value = runs_json::value(&listed).map_err(|error| CliError::defect(&error))?;
        stdout::write_value(&value, query.as_ref(), format, palette)?;
    }
    let older = total.saturating_sub(runs.len() as u64);
    if older > 0 && !talk.quiet {
        let noun = if older == 1 { "run is" } else { "runs are" };
        say!("the newest {} of {total}; {older} older {noun} not listed: --all, or --limit {total}", runs.len());
    }
    if let (Some(run), false) = (unfinished, talk.quiet) {
        let resume = talk.again.command(&format!("hostssl resume {}", run.id));
        say!("next: {resume}    # it has not ended");
    }
    Ok(Exit::AllPass)
}

/// Whether no run is kept there.
fn is_empty(directory: &Path) -> bool {
    let runs = StoreReader::open(directory).and_then(|reader| reader.kept_runs(Page { number: 0, size: 1 }));
    matches!(runs, Err(StoreError::NoState(_)) | Ok((_, 0)))
}

fn table(out: &mut dyn Write, runs: &[KeptRun], directory: &Path, text: &Text<'_>) -> io::Result<()> {
    if runs.is_empty() {
        let place = directory.display().to_string();
        return writeln!(
            out,
            "no runs are kept in {}; `hostssl audit`, `hostssl probe` and `hostssl apply` keep theirs",
            safe(&place)
        );
    }
    let entries = runs.iter().map(|run| {
        let [result, started, updated, by, what] = match run {
            KeptRun::Audit(audit) => of_audit(audit),
            KeptRun::Probe(probe) => of_probe(probe),
            KeptRun::Apply(run) => of_apply(run),
        };
        let id = if text.shape.wide { run.id() } else { short(run.id()) };
        let cells = [id, run.kind(), &started, &updated, &what, &by, &result];
        Entry { word: run.kind(), lines: vec![cells.map(Cell::plain).to_vec()] }
    });
    write_list(out, COLUMNS, vec![Section { title: None, entries: entries.collect() }], text)
}

/// The columns of what was run.
pub(crate) const COLUMNS: &[Heading] = &[
    Heading::new("run", Shown::Always),
    Heading::new("kind", Shown::Always),
    Heading::new("started", Shown::Always),
    Heading::new("updated", Shown::Wide),
    Heading::new("profile-or-plan", Shown::WithRoom(1)),
    Heading::new("by", Shown::WithRoom(2)),
    Heading::new("result", Shown::Prose),
];

/// As much of an id as names the run: the beginning of an audit's or probe's holds the millisecond in which it began. Those of
/// runs that change servers are short.
fn short(id: &str) -> &str {
    const SHOWN: usize = "01a2b3c4-d5e6".len();
    if id.len() == uuid::fmt::Hyphenated::LENGTH { id.get(..SHOWN).unwrap_or(id) } else { id }
}

fn of_audit(audit: &AuditEntry) -> [String; 5] {
    let summary = &audit.summary;
    let servers = if summary.servers == 1 { "server" } else { "servers" };
    let found = format!(
        "{} {servers}: {} fail, {} unknown, {} pass; {}",
        summary.servers,
        summary.fail,
        summary.unknown,
        summary.pass,
        coverage(audit)
    );
    [found, instant(audit.started_ms), ended(audit), people(audit), audit.asked.rules(&audit.profile)]
}

fn of_probe(probe: &ProbeEntry) -> [String; 5] {
    let endpoints = if probe.endpoints() == 1 { "endpoint" } else { "endpoints" };
    let found = format!(
        "{} {endpoints}: {} not enforced, {} unknown, {} enforced; {}",
        probe.endpoints(),
        probe.fail,
        probe.unknown,
        probe.pass,
        probe_coverage(probe)
    );
    let ended = probe.finished_ms.map_or_else(|| "-".to_owned(), instant);
    [found, instant(probe.started_ms), ended, "-".to_owned(), "-".to_owned()]
}

fn probe_coverage(probe: &ProbeEntry) -> &'static str {
    match (probe.complete, probe.finished_ms) {
        (true, _) => "complete",
        (false, Some(_)) => "incomplete",
        (false, None) => "not ended",
    }
}

fn of_apply(run: &RunEntry) -> [String; 5] {
    let steps = if run.steps == 1 { "step" } else { "steps" };
    let plan = run.plan.as_str().get(..12).unwrap_or_default().to_owned();
    let back = if run.put_back > 0 { format!(", {} restored", run.put_back) } else { String::new() };
    let result = format!("{}, {} {steps}: {} written{back}", run.phase.as_str(), run.steps, run.written);
    [result, instant(run.started_at_ms), instant(run.last_at_ms), run.principal.name.clone(), plan]
}

fn of(run: &KeptRun) -> runs_json::Run<'_> {
    match run {
        KeptRun::Audit(audit) => runs_json::Run::Audit(runs_json::Audit {
            run: &audit.id,
            profile: &audit.profile,
            controls: audit.asked.only.iter().map(Word::as_str).collect(),
            coverage: coverage(audit),
            servers: audit.summary.servers,
            fail: audit.summary.fail,
            unknown: audit.summary.unknown,
            pass: audit.summary.pass,
            principal: people(audit),
            started_at: instant(audit.started_ms),
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
            steps: apply.steps,
            written: apply.written,
            put_back: apply.put_back,
            principal: &apply.principal.name,
            started_at: instant(apply.started_at_ms),
            last_at: instant(apply.last_at_ms),
        }),
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
