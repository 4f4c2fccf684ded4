//! What `hostssl iac check` writes of a report: to standard output, to files, and to standard error.

use super::IacCheckArgs;
use crate::args::{IacList, ListArgs, TerminalArgs};
use crate::error::CliError;
use crate::outputs::Outputs;
use crate::stdout;
use clap::ValueEnum;
use hostssl_formats::iac_words::{self, IacOrigin};
use hostssl_formats::output::{Format, write_value};
use hostssl_formats::{
    Palette, Query, Shape, Text, iac_csv, iac_html, iac_json, iac_junit, iac_markdown, iac_ocsf, iac_sarif, iac_text,
    safe, tsv_rows,
};
use hostssl_iac::IacReport;
use jiff::Timestamp;
use serde_json::Value;
use std::borrow::Cow;
use std::io::{self, Write};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum IacOutput {
    Table,
    /// A table with every column, however wide the terminal is.
    Wide,
    Json,
    /// JSON in colour, where the terminal has colours.
    Jsonc,
    Yaml,
    /// YAML in colour, where the terminal has colours.
    Yamlc,
    Tsv,
    /// A row for each server and rule.
    Csv,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// OCSF Compliance Findings, for security lakes.
    Ocsf,
    /// JUnit XML, for the test pages of pipelines.
    Junit,
    /// A summary for a pull request.
    Markdown,
    /// One page that needs nothing but itself.
    Html,
    None,
}

impl IacOutput {
    /// The format for values; `None` for what is not a list of values.
    fn format(self) -> Option<Format> {
        Some(match self {
            Self::Table | Self::Wide => Format::Table,
            Self::Json => Format::Json,
            Self::Jsonc => Format::Jsonc,
            Self::Yaml => Format::Yaml,
            Self::Yamlc => Format::Yamlc,
            Self::Tsv => Format::Tsv,
            Self::None => Format::None,
            Self::Csv | Self::Sarif | Self::Ocsf | Self::Junit | Self::Markdown | Self::Html => return None,
        })
    }

    /// Whether it says which parts of the file could not be understood.
    const fn says_gaps(self) -> bool {
        !matches!(self, Self::Csv | Self::Tsv | Self::None)
    }
}

/// What is written of a report, and where.
pub(super) struct CheckWriter<'a> {
    name: &'a str,
    terminal: &'a TerminalArgs,
    checked_at: Timestamp,
    outputs: Outputs<IacOutput>,
    query: Option<Query>,
    shape: Shape,
}

impl<'a> CheckWriter<'a> {
    /// Takes what was asked for, of a file that is called so.
    pub(super) fn new(args: &IacCheckArgs, name: &'a str, terminal: &'a TerminalArgs) -> Result<Self, CliError> {
        let query = stdout::query(args.query.as_deref())?;
        let outputs = Outputs::of(&args.output)?;
        outputs.refuse_inputs(args.inputs())?;
        if query.is_some() && outputs.stdout.is_none_or(|format| format.format().is_none()) {
            return Err(CliError::usage(
                "--query is for values that go to stdout",
                "add -o json, or leave --query out",
            ));
        }
        let shape = shape(&args.list, &outputs, query.is_some())?;
        Ok(Self { name, terminal, checked_at: Timestamp::now(), outputs, query, shape })
    }

    /// Writes to standard output and to files, and says on standard error what standard output does not.
    pub(super) fn write(&self, report: &IacReport) -> Result<(), CliError> {
        let written = self.outputs.stdout.map_or(Ok(()), |format| self.write_stdout(report, format));
        let filed = self.outputs.write_files(self.terminal.quiet, |out, format| self.write_file(out, report, format));
        written?;
        filed?;
        let output = self.outputs.stdout;
        if self.query.is_some() || !output.is_some_and(IacOutput::says_gaps) {
            report.gaps.iter().for_each(|gap| stderr!("warning: not checked: {}", iac_words::gap(gap)));
        }
        if self.query.is_none() && output.and_then(IacOutput::format) == Some(Format::Table) {
            return Ok(());
        }
        if !self.terminal.quiet {
            stderr!("{}", safe(&iac_text::summary(report)));
            iac_words::decided(report).iter().for_each(|line| stderr!("{line}"));
        }
        iac_words::doubts(report).iter().for_each(|doubt| stderr!("warning: {doubt}"));
        Ok(())
    }

    fn write_stdout(&self, report: &IacReport, output: IacOutput) -> Result<(), CliError> {
        let palette = stdout::palette(self.terminal);
        match (output.format(), &self.query) {
            (Some(Format::Table), None) => stdout::write_text(self.terminal, &self.shape, |out, text| {
                iac_text::write(out, report, self.name, text)
            }),
            (Some(format), Some(query)) => stdout::write_value(&self.value(report)?, Some(query), format, palette),
            _ => {
                let mut whole = Vec::new();
                self.prepared(&mut whole, report, output, palette)?
                    .map_err(|error| CliError::failed(&error, "free some memory"))?;
                stdout::write(|out| out.write_all(&whole))
            }
        }
    }

    /// Writes a report to a file: without colours, and as wide as it is.
    fn write_file(&self, out: &mut dyn Write, report: &IacReport, output: IacOutput) -> Result<(), CliError> {
        let written = if output.format() == Some(Format::Table) {
            let shape = Shape { wide: output == IacOutput::Wide, ..self.shape.clone() };
            let command = |command: &str| self.terminal.again.command(command);
            let text = Text { shape: &shape, command: &command, ..Text::plain() };
            iac_text::write(out, report, self.name, &text)
        } else {
            self.prepared(out, report, output, Palette::Plain)?
        };
        written.map_err(|error| CliError::failed(&error, "free some space, or name another file"))
    }

    /// Writes a report in a format that is not a table.
    fn prepared(
        &self,
        out: &mut dyn Write,
        report: &IacReport,
        output: IacOutput,
        palette: Palette,
    ) -> Result<io::Result<()>, CliError> {
        let name = self.name;
        let origin = IacOrigin { file: name, tool_version: env!("CARGO_PKG_VERSION"), checked_at: self.checked_at };
        Ok(match output {
            IacOutput::Csv => iac_csv::write(out, report, name),
            IacOutput::Sarif => iac_sarif::write(out, report, name, origin.tool_version),
            IacOutput::Ocsf => iac_ocsf::write(out, report, &origin),
            IacOutput::Junit => iac_junit::write(out, report, name),
            IacOutput::Markdown => iac_markdown::write(out, report, name),
            IacOutput::Html => iac_html::write(out, report, &origin),
            IacOutput::Json => iac_json::write(out, report, name),
            _ => {
                let Some(format) = output.format().filter(|format| *format != Format::None) else {
                    return Ok(Ok(()));
                };
                let value = self.value(report)?;
                let rows = if format == Format::Tsv { tsv_rows(&value) } else { Cow::Borrowed(&value) };
                write_value(out, &rows, format, &[], palette)
            }
        })
    }

    fn value(&self, report: &IacReport) -> Result<Value, CliError> {
        iac_json::value(report, self.name).map_err(|error| CliError::defect(&error))
    }
}

fn shape(list: &ListArgs<IacList>, outputs: &Outputs<IacOutput>, has_query: bool) -> Result<Shape, CliError> {
    let is_table = |format: IacOutput| format.format() == Some(Format::Table);
    let on_stdout = !has_query && outputs.stdout.is_some_and(is_table);
    list.shape(on_stdout || outputs.formats().any(is_table), outputs.stdout == Some(IacOutput::Wide))
}
