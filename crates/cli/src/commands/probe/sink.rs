//! Where probed endpoints go.

use crate::args::ValueFormat;
use crate::error::CliError;
use crate::stdout;
use hostssl_formats::output::Format;
use hostssl_formats::probe_json::ProbeExit;
use hostssl_formats::probe_text::TableWriter;
use hostssl_formats::{Palette, Query, Shape, Wrapping, probe_json};
use hostssl_probe::report::EndpointReport;
use std::io::{self, BufWriter, ErrorKind, Stdout, Write};

type Out = BufWriter<Stdout>;

/// Takes endpoints one by one. A table, JSON and TSV are written as they come; a query and the other formats need the whole.
pub(crate) enum EndpointSink {
    Table(TableWriter<Box<dyn Write>>),
    Json(probe_json::ProbeWriter<Out>),
    /// Rows of values apart by tabs, which do not depend on each other.
    Rows(Out),
    Whole {
        reports: Vec<EndpointReport>,
        zone: Option<String>,
        query: Option<Query>,
        format: Format,
        palette: Palette,
    },
    Nothing,
}

impl EndpointSink {
    pub(super) fn new(
        output: ValueFormat,
        query: Option<Query>,
        shape: Shape,
        palette: Palette,
        of: Option<&str>,
    ) -> Self {
        let sink = match output {
            ValueFormat::None => Self::Nothing,
            other => Self::of(other.into(), query, shape, palette),
        };
        match sink {
            Self::Json(writer) => Self::Json(writer.with_zone(of.map(str::to_owned))),
            Self::Whole { reports, query, format, palette, .. } => {
                Self::Whole { reports, zone: of.map(str::to_owned), query, format, palette }
            }
            other => other,
        }
    }

    /// The same for what is not `none`.
    pub(crate) fn of(format: Format, query: Option<Query>, shape: Shape, palette: Palette) -> Self {
        let out = || BufWriter::with_capacity(64 << 10, io::stdout());
        match format {
            Format::Table if query.is_none() => {
                let width = stdout::terminal_width().filter(|_| !shape.wide);
                let out: Box<dyn Write> = match width {
                    Some(width) => Box::new(Wrapping::new(out(), width)),
                    None => Box::new(out()),
                };
                Self::Table(TableWriter::new(out, palette, width, shape))
            }
            Format::Json if query.is_none() => Self::Json(probe_json::ProbeWriter::new(out())),
            Format::Tsv if query.is_none() => Self::Rows(out()),
            format => Self::Whole { reports: Vec::new(), zone: None, query, format, palette },
        }
    }

    /// Takes one endpoint. False when the reader of standard output has gone away.
    pub(crate) fn write(&mut self, mut report: EndpointReport) -> Result<bool, CliError> {
        let written = match self {
            Self::Table(table) => table.write(report),
            Self::Json(writer) => writer.write(&report),
            Self::Rows(out) => write_row(out, &report),
            Self::Whole { reports, .. } => {
                // The certificates themselves are not shown.
                if let Some(certificate) = &mut report.certificate {
                    certificate.chain = Vec::new();
                }
                reports.push(report);
                Ok(())
            }
            Self::Nothing => Ok(()),
        };
        let gone = written.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe);
        stdout::tolerate(written)?;
        Ok(!gone)
    }

    /// Takes what people are to read below the endpoints. Documents have a member for it.
    pub(super) fn note(&mut self, words: &str) {
        if let Self::Table(table) = self {
            table.note(words.to_owned());
        }
    }

    /// Ends the output, which says what decided the exit code where its format has a place for that.
    pub(crate) fn finish(self, exit: Option<&ProbeExit>) -> Result<(), CliError> {
        match self {
            Self::Table(table) => stdout::tolerate(table.finish()),
            Self::Json(writer) => stdout::tolerate(writer.finish(exit)),
            Self::Whole { reports, zone, query, format, palette } => {
                let value = probe_json::value(&reports, zone.as_deref(), exit);
                let value = value.map_err(|error| CliError::defect(&error))?;
                stdout::write_value(&value, query.as_ref(), format, palette)
            }
            Self::Rows(mut out) => stdout::tolerate(out.flush()),
            Self::Nothing => stdout::tolerate(io::stdout().flush()),
        }
    }
}

fn write_row(out: &mut Out, report: &EndpointReport) -> io::Result<()> {
    let row = serde_json::Value::Array(vec![probe_json::endpoint(report)?]);
    hostssl_formats::output::write_value(out, &row, Format::Tsv, &[], Palette::Plain)?;
    out.flush()
}
