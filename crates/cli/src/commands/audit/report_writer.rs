//! What `hostssl audit` writes of a report: to standard output, to files, and to standard error.

use super::AuditArgs;
use super::ordered_rows::OrderedRows;
use crate::args::{AuditFormat, TerminalArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::gate;
use crate::outputs::Outputs;
use crate::state_patience::StatePatience;
use crate::stdout;
use hostssl_audit::Profile;
use hostssl_formats::output::{Format, write_value};
use hostssl_formats::{
    Palette, Query, Shape, SubscriptionNames, Text, audit_csv, audit_html, audit_json, audit_junit, audit_markdown,
    audit_ocsf, audit_sarif, audit_standards_csv, audit_text,
};
use hostssl_model::{AuditReport, Standing, Standings, Summary};
use hostssl_ops::worth_observing;
use jiff::Timestamp;
use serde_json::Value;
use std::io;

/// What is written of a report, and where.
pub(super) struct ReportWriter<'a> {
    args: &'a AuditArgs,
    terminal: &'a TerminalArgs,
    pub(super) simulated: bool,
    pub(super) outputs: Outputs<AuditFormat>,
    query: Option<Query>,
    shape: Shape,
    /// The standards that a CSV by standard has; none for all.
    standards: Vec<&'static str>,
    /// Whether people read what goes to standard output.
    is_table: bool,
    /// Whether people read any output.
    has_table: bool,
    /// How long clients are to be observed, by the rules.
    observation_days: u32,
}

impl<'a> ReportWriter<'a> {
    pub(super) fn new(args: &'a AuditArgs, profile: &Profile, terminal: &'a TerminalArgs) -> Result<Self, CliError> {
        let query = stdout::query(args.query.as_deref())?;
        let outputs = Outputs::of(&args.output)?;
        outputs.refuse_inputs(args.gate.inputs())?;
        refuse_query(query.as_ref(), outputs.stdout)?;
        let is_table = query.is_none() && outputs.stdout.and_then(AuditFormat::format) == Some(Format::Table);
        let has_table = is_table || outputs.formats().any(|one| one.format() == Some(Format::Table));
        let shape = args.list.shape(has_table, outputs.stdout == Some(AuditFormat::Wide))?;
        let standards = args.standards.chosen(outputs.formats().any(|one| one == AuditFormat::StandardsCsv))?;
        let simulated = args.run.connect.simulate.is_some();
        let observation_days = profile.settings.observation_days;
        Ok(Self { args, terminal, simulated, outputs, query, shape, standards, is_table, has_table, observation_days })
    }

    /// Writes an audit that was kept under its key as it was written when it was made.
    pub(super) fn write_kept(
        &self,
        mut report: AuditReport,
        gate: Option<gate::Rules>,
        patience: StatePatience,
    ) -> Result<Exit, CliError> {
        if let Some(gate) = gate {
            gate.apply_to(&mut report);
        }
        self.write(&report, None, patience)?;
        self.summarize(&report);
        Ok(Exit::of_audit(&report))
    }

    /// Writes to standard output, where rows may have been written on the way, and to files; one that fails keeps none from the
    /// others.
    pub(super) fn write(
        &self,
        report: &AuditReport,
        rows: Option<OrderedRows<io::Stdout>>,
        patience: StatePatience,
    ) -> Result<(), CliError> {
        let Self { outputs, query, shape, standards, terminal, .. } = self;
        let query = query.as_ref();
        let unobserved = if self.has_table {
            let censuses = self.args.run.keep.state.censuses(self.simulated, patience);
            let now_ms = Timestamp::now().as_millisecond();
            worth_observing(censuses.as_deref(), report, self.observation_days, now_ms)
        } else {
            0
        };
        let written = match rows {
            Some(rows) => stdout::tolerate(rows.finish()),
            None => outputs
                .stdout
                .map_or(Ok(()), |format| write(report, (format, standards), query, shape, unobserved, terminal)),
        };
        let filed = outputs.write_files(terminal.quiet, |out, format| {
            write_file(out, report, (format, standards), shape, unobserved, terminal)
        });
        written.and(filed)
    }

    /// Says on standard error what the output does not.
    pub(super) fn summarize(&self, report: &AuditReport) {
        if !self.outputs.stdout.is_some_and(AuditFormat::holds_gaps) || self.query.is_some() {
            warn_of_unwritten(report, stdout::LISTS_GAPS, self.terminal);
        }
        if self.is_table {
            return;
        }
        if !self.terminal.quiet {
            print_summary(report);
        }
        gate::report_gate(report, self.terminal.quiet);
    }
}

/// A query is over what goes to standard output.
fn refuse_query(query: Option<&Query>, output: Option<AuditFormat>) -> Result<(), CliError> {
    match output {
        Some(format) => stdout::refuse_query(query, format),
        None if query.is_some() => {
            Err(CliError::usage("--query is for what goes to stdout, and nothing does", "add -o json, or leave it out"))
        }
        None => Ok(()),
    }
}

/// Writes a report to standard output in one of its formats, a CSV by standard with the standards that are named. A plan has to know the clients of so many servers first.
pub(crate) fn write(
    report: &AuditReport,
    (output, standards): (AuditFormat, &[&str]),
    query: Option<&Query>,
    shape: &Shape,
    unobserved: u64,
    terminal: &TerminalArgs,
) -> Result<(), CliError> {
    match (output.format(), query) {
        (Some(Format::Table), None) => {
            stdout::write_text(terminal, shape, |out, text| audit_text::write_with_next(out, report, unobserved, text))
        }
        (Some(format), Some(query)) => {
            stdout::write_value(&value(report)?, Some(query), format, stdout::palette(terminal))
        }
        _ => {
            let write = prepare(report, (output, standards), stdout::palette(terminal))?;
            stdout::write(|out| write(out))
        }
    }
}

/// Writes a report to a file: without colours, and as wide as it is.
fn write_file(
    out: &mut dyn io::Write,
    report: &AuditReport,
    (output, standards): (AuditFormat, &[&str]),
    shape: &Shape,
    unobserved: u64,
    terminal: &TerminalArgs,
) -> Result<(), CliError> {
    let written = if output.format() == Some(Format::Table) {
        let shape = Shape { wide: output == AuditFormat::Wide, ..shape.clone() };
        let command = |command: &str| terminal.again.command(command);
        let text = Text { shape: &shape, command: &command, ..Text::plain() };
        audit_text::write_with_next(out, report, unobserved, &text)
    } else {
        prepare(report, (output, standards), Palette::Plain)?(out)
    };
    written.map_err(|error| CliError::failed(&error, "free some space, or name another file"))
}

type Written<'a> = Box<dyn FnOnce(&mut dyn io::Write) -> io::Result<()> + 'a>;

/// What writes a report in a format that is not a table.
fn prepare<'a>(
    report: &'a AuditReport,
    (output, standards): (AuditFormat, &'a [&str]),
    palette: Palette,
) -> Result<Written<'a>, CliError> {
    let whole = match output {
        AuditFormat::Json => audit_json::write,
        AuditFormat::Csv => audit_csv::write,
        // As `-o csv` and the console have it: a row for each finding, under headings.
        AuditFormat::Tsv => audit_csv::write_tabs,
        AuditFormat::StandardsCsv => {
            return Ok(Box::new(move |out| audit_standards_csv::write(out, report, standards)));
        }
        AuditFormat::Sarif => audit_sarif::write,
        AuditFormat::Ocsf => audit_ocsf::write,
        AuditFormat::Junit => audit_junit::write,
        AuditFormat::Markdown => audit_markdown::write,
        AuditFormat::Html => audit_html::write,
        _ => {
            let Some(format) = output.format().filter(|format| *format != Format::None) else {
                return Ok(Box::new(|_| Ok(())));
            };
            let value = value(report)?;
            return Ok(Box::new(move |out| write_value(out, &value, format, &[], palette)));
        }
    };
    Ok(Box::new(move |out| whole(out, report)))
}

fn value(report: &AuditReport) -> Result<Value, CliError> {
    audit_json::value(report).map_err(|error| CliError::defect(&error))
}

/// For formats that programs read: the figures for the person beside.
fn print_summary(report: &AuditReport) {
    let coverage = if report.run.complete { "complete" } else { "incomplete" };
    let standings = Standings::of(&report.servers);
    let figures = Standing::ALL.into_iter().filter_map(|standing| {
        let servers = standings.count(standing);
        (servers > 0).then(|| format!("{servers} {}", standing.words()))
    });
    let figures: Vec<String> = if report.run.asked.asks_enforcement() {
        figures.collect()
    } else {
        // Where servers stand was not asked.
        let Summary { fail, unknown, pass, .. } = report.summary;
        let asked = report.run.asked.only_words();
        vec![format!("{fail} fail {asked}"), format!("{unknown} unknown"), format!("{pass} pass")]
    };
    stderr!(
        "{} in {}{}{}; coverage {coverage}",
        counted(report.summary.servers, "server"),
        counted(report.subscriptions.len() as u64, "subscription"),
        if figures.is_empty() { "" } else { ": " },
        figures.join(", "),
    );
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Says on standard error what could not be checked, where the output does not hold it: it would look complete. `all` is
/// the command that lists it.
pub(crate) fn warn_of_unwritten(report: &AuditReport, all: &str, terminal: &TerminalArgs) {
    let names = report.subscriptions.iter().map(|one| (one.id.as_str(), &*one.name));
    stdout::warn_of_gaps(&report.gaps, &SubscriptionNames::new(names), Some(all), terminal);
}
