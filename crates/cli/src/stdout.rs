//! Standard output: data only.

use crate::args::{AuditFormat, Colour, TerminalArgs, ValueFormat};
use crate::error::CliError;
use hostssl_formats::output::Format;
use hostssl_formats::{Palette, Query, Shape, SubscriptionNames, Text, Wrapping, safe, tsv_rows};
use hostssl_model::{Gap, GapScope, ResourceId};
use std::borrow::Cow;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};

/// Writes to standard output through a buffer. A reader that went away, such as `head`, is not an error.
pub(crate) fn write(how: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    tolerate(how(&mut out).and_then(|()| out.flush()))
}

/// The same for text that people read: on a terminal no line is longer than it is wide.
pub(crate) fn write_text(
    terminal: &TerminalArgs,
    shape: &Shape,
    how: impl FnOnce(&mut dyn Write, &Text<'_>) -> io::Result<()>,
) -> Result<(), CliError> {
    let width = terminal_width().filter(|_| !shape.wide);
    let command = |command: &str| terminal.again.command(command);
    let palette = palette(terminal);
    let text = Text { palette, width, shape, links: can_link(palette), command: &command };
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

/// Whether names can be links: on a terminal that shows colours, and is not asked for plain text. One that knows no links
/// shows their text alone.
fn can_link(palette: Palette) -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    palette == Palette::Colour && io::stdout().is_terminal() && !is_dumb
}

/// What someone is asked to approve, on the terminal where the question follows: standard error, so that what is piped
/// stays data.
pub(crate) fn show_for_approval(
    terminal: &TerminalArgs,
    how: impl FnOnce(&mut dyn Write, &Text<'_>) -> io::Result<()>,
) {
    let command = |command: &str| terminal.again.command(command);
    let width = stderr_width();
    let text = Text { width, command: &command, ..Text::plain() };
    let mut shown = Vec::new();
    // Writing to memory cannot fail.
    let _ = match width {
        None => how(&mut shown, &text),
        Some(width) => {
            let mut wrapping = Wrapping::new(&mut shown, width);
            how(&mut wrapping, &text).and_then(|()| wrapping.finish())
        }
    };
    stderr!("{}", String::from_utf8_lossy(&shown));
}

/// The columns of the terminal that standard output is.
pub(crate) fn terminal_width() -> Option<usize> {
    width_of(&io::stdout())
}

/// The columns of the terminal that standard error is.
pub(crate) fn stderr_width() -> Option<usize> {
    width_of(&io::stderr())
}

#[cfg(unix)]
fn width_of(stream: &(impl std::os::fd::AsFd + IsTerminal)) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok().filter(|_| stream.is_terminal())?;
    // Some terminals say 0, and nothing can be laid out in a few columns.
    (size.ws_col >= 40).then(|| usize::from(size.ws_col))
}

#[cfg(not(unix))]
fn width_of(_: &impl IsTerminal) -> Option<usize> {
    None
}

/// The result of a write to standard output.
pub(crate) fn tolerate(written: io::Result<()>) -> Result<(), CliError> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::failed(&error, "standard output could not be written; is the disk full?"))
        }
        _ => Ok(()),
    }
}

/// The palette for standard output.
pub(crate) fn palette(terminal: &TerminalArgs) -> Palette {
    palette_of(terminal, &io::stdout())
}

/// The palette for standard error.
pub(crate) fn stderr_palette(terminal: &TerminalArgs) -> Palette {
    palette_of(terminal, &io::stderr())
}

fn palette_of(terminal: &TerminalArgs, stream: &impl anstream::stream::RawStream) -> Palette {
    let on = match terminal.color {
        _ if terminal.no_color => false,
        Colour::Always => true,
        Colour::Never => false,
        // Honours NO_COLOR, CLICOLOR and TERM=dumb.
        Colour::Auto => anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never,
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

/// Applies a query and writes what it found. Without one, TSV lists the findings, clients or steps of the document.
pub(crate) fn write_value(
    value: &serde_json::Value,
    query: Option<&Query>,
    format: Format,
    palette: Palette,
) -> Result<(), CliError> {
    let Some(query) = query else {
        let rows = if format == Format::Tsv { tsv_rows(value) } else { Cow::Borrowed(value) };
        return write(|out| hostssl_formats::output::write_value(out, &rows, format, &[], palette));
    };
    let found = query.apply(value).map_err(|error| CliError::usage(error.to_string(), QUERY_HINT))?;
    write(|out| hostssl_formats::output::write_value(out, &found, format, query.columns(), palette))
}

/// The command that lists what an audit, or a command of the same servers, could not check.
pub(crate) const LISTS_GAPS: &str = "hostssl audit -o json";

/// Gaps that are reported one by one.
const GAPS_TOLD: usize = 10;

/// Reports on stderr what could not be checked, for formats that do not hold it. `all` is the command that lists it, if one
/// does. Returns whether there was anything.
pub(crate) fn warn_of_gaps(
    gaps: &[Gap],
    names: &SubscriptionNames,
    all: Option<&str>,
    terminal: &TerminalArgs,
) -> bool {
    let incomplete_gaps: Vec<&Gap> = gaps.iter().filter(|gap| gap.unchecked.reason.leaves_incomplete()).collect();
    for gap in incomplete_gaps.iter().take(GAPS_TOLD) {
        let why = shortened(&gap.unchecked.why());
        stderr!(
            "warning: could not be checked: {}: {}: {}",
            safe(&place(&gap.scope, names)),
            gap.unchecked.reason,
            safe(&why)
        );
    }
    let more = incomplete_gaps.len().saturating_sub(GAPS_TOLD);
    if more > 0 {
        let all = all.map_or_else(String::new, |all| format!("; `{}` lists them all", terminal.again.command(all)));
        stderr!("warning: and {more} more{all}");
    }
    !incomplete_gaps.is_empty()
}

/// A place as people call it: a server by its name and resource group, a subscription by its name.
fn place(scope: &GapScope, names: &SubscriptionNames) -> String {
    if let GapScope::Subscription(id) = scope {
        let name = names.of(id);
        return if name == &**id { format!("subscription {id}") } else { name.to_owned() };
    }
    let text = scope.to_string();
    match ResourceId::try_from(text.as_str()) {
        Ok(server) if scope.is_server() => format!("{} in {}", server.name(), server.resource_group()),
        _ => text,
    }
}

/// As much of a reason as a line holds; JSON has it whole.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 110;
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

const QUERY_HINT: &str = "queries are JMESPath, such as '[*].{name:name, ssl:sslEnforcement}' for a list of servers, or \
                          \"servers[?outcome=='fail'].name\" for an audit";

impl AuditFormat {
    /// The format for values; `None` for those that only reports of audits have.
    pub(crate) fn format(self) -> Option<Format> {
        Some(match self {
            Self::Table | Self::Wide => Format::Table,
            Self::Json => Format::Json,
            Self::Jsonc => Format::Jsonc,
            Self::Yaml => Format::Yaml,
            Self::Yamlc => Format::Yamlc,
            Self::Tsv => Format::Tsv,
            Self::None => Format::None,
            Self::Csv | Self::StandardsCsv | Self::Sarif | Self::Ocsf | Self::Junit | Self::Markdown | Self::Html => {
                return None;
            }
        })
    }

    /// Whether what could not be checked stands in it.
    pub(crate) fn holds_gaps(self) -> bool {
        !matches!(self, Self::Csv | Self::StandardsCsv | Self::Tsv | Self::None)
    }
}

/// Refuses a query over a format that is not of values.
pub(crate) fn refuse_query(query: Option<&Query>, output: AuditFormat) -> Result<(), CliError> {
    if query.is_some() && output.format().is_none() {
        return Err(CliError::usage(
            format!("--query cannot be used with --output {}", AuditFormat::of_audits_alone("or")),
            "use --output json or tsv, or leave --query out",
        ));
    }
    Ok(())
}

impl From<ValueFormat> for Format {
    fn from(format: ValueFormat) -> Self {
        match format {
            ValueFormat::Json => Self::Json,
            ValueFormat::Jsonc => Self::Jsonc,
            ValueFormat::Yaml => Self::Yaml,
            ValueFormat::Yamlc => Self::Yamlc,
            ValueFormat::Table | ValueFormat::Wide => Self::Table,
            ValueFormat::Tsv => Self::Tsv,
            ValueFormat::None => Self::None,
        }
    }
}
