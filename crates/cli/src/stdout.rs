//! Standard output: data only.

use crate::args::{AuditFormat, Colour, OutputArgs, ValueFormat};
use crate::error::CliError;
use hostssl_formats::output::Format;
use hostssl_formats::{Palette, Query, Text, Wrapping, safe};
use hostssl_model::Gap;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};

/// Writes to standard output through a buffer. A reader that went away, such as `head`, is no error.
pub(crate) fn write(how: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    tolerate(how(&mut out).and_then(|()| out.flush()))
}

/// The same for text that people read: on a terminal no line is longer than it is wide.
pub(crate) fn write_text(
    talk: &OutputArgs,
    how: impl FnOnce(&mut dyn Write, &Text<'_>) -> io::Result<()>,
) -> Result<(), CliError> {
    let width = terminal_width();
    let command = |command: &str| talk.again.command(command);
    let text = Text { palette: palette(talk), width, command: &command };
    let how = |out: &mut dyn Write| how(out, &text);
    match width {
        None => write(how),
        Some(width) => write(|out| {
            let mut wrapping = Wrapping::new(out, width);
            how(&mut wrapping)?;
            wrapping.finish()
        }),
    }
}

/// The columns of the terminal that standard output is.
#[cfg(unix)]
fn terminal_width() -> Option<usize> {
    let out = io::stdout();
    let size = rustix::termios::tcgetwinsize(&out).ok().filter(|_| out.is_terminal())?;
    // Some terminals say 0, and nothing can be laid out in a few columns.
    (size.ws_col >= 40).then(|| usize::from(size.ws_col))
}

#[cfg(not(unix))]
fn terminal_width() -> Option<usize> {
    None
}

/// What a write to standard output came to.
pub(crate) fn tolerate(written: io::Result<()>) -> Result<(), CliError> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::failed(&error, "standard output could not be written; is the disk full?"))
        }
        _ => Ok(()),
    }
}

/// The palette for standard output.
pub(crate) fn palette(talk: &OutputArgs) -> Palette {
    let on = match talk.color {
        Colour::Always => true,
        Colour::Never => false,
        // Honours NO_COLOR, CLICOLOR and TERM=dumb.
        Colour::Auto => anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
    };
    if on { Palette::Colour } else { Palette::Plain }
}

/// Whether progress can be shown.
pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Reads `--query`.
pub(crate) fn query(text: Option<&str>) -> Result<Option<Query>, CliError> {
    let parsed = text.map(Query::parse).transpose();
    parsed.map_err(|error| CliError::usage(error.to_string(), QUERY_HINT))
}

/// Applies a query and writes what it found.
pub(crate) fn write_value(
    value: &serde_json::Value,
    query: Option<&Query>,
    format: Format,
    palette: Palette,
) -> Result<(), CliError> {
    let Some(query) = query else {
        return write(|out| hostssl_formats::output::write_value(out, value, format, &[], palette));
    };
    let found = query.apply(value).map_err(|error| CliError::usage(error.to_string(), QUERY_HINT))?;
    write(|out| hostssl_formats::output::write_value(out, &found, format, query.columns(), palette))
}

/// Gaps that are told one by one.
const GAPS_TOLD: usize = 10;

/// Tells on stderr what could not be seen, for formats that do not hold it. Says whether there was anything.
pub(crate) fn warn_of_gaps(gaps: &[Gap]) -> bool {
    let blinding: Vec<&Gap> = gaps.iter().filter(|gap| gap.blind.reason.blinds()).collect();
    for gap in blinding.iter().take(GAPS_TOLD) {
        let why = match &gap.blind.missing_permission {
            Some(permission) => format!("needs {permission}"),
            None => gap.blind.detail.to_string(),
        };
        say!("warning: not seen: {}: {}: {}", safe(&gap.scope.to_string()), gap.blind.reason, safe(&why));
    }
    if blinding.len() > GAPS_TOLD {
        say!("warning: and {} more; `hostssl audit -o json` lists them all", blinding.len() - GAPS_TOLD);
    }
    !blinding.is_empty()
}

const QUERY_HINT: &str = "queries are JMESPath, such as '[*].{name:name, ssl:sslEnforcement}'";

impl AuditFormat {
    /// The format for values; `None` for csv, which only reports have.
    pub(crate) fn format(self) -> Option<Format> {
        Some(match self {
            Self::Table => Format::Table,
            Self::Json => Format::Json,
            Self::Jsonc => Format::Jsonc,
            Self::Yaml => Format::Yaml,
            Self::Yamlc => Format::Yamlc,
            Self::Tsv => Format::Tsv,
            Self::None => Format::None,
            Self::Csv => return None,
        })
    }
}

impl From<ValueFormat> for Format {
    fn from(format: ValueFormat) -> Self {
        match format {
            ValueFormat::Json => Self::Json,
            ValueFormat::Jsonc => Self::Jsonc,
            ValueFormat::Yaml => Self::Yaml,
            ValueFormat::Yamlc => Self::Yamlc,
            ValueFormat::Table => Self::Table,
            ValueFormat::Tsv => Self::Tsv,
            ValueFormat::None => Self::None,
        }
    }
}
