//! `hostssl explain`: what an error that a client saw means.

use crate::args::{TerminalArgs, ValueFormat};
use crate::error::CliError;
use crate::exit::Exit;
use crate::stdout;
use clap::Args;
use hostssl_explain::{Cause, Explanation, explain, explain_all};
use hostssl_formats::output::Format;
use hostssl_formats::{Shape, explain_json, explain_text};
use std::io::{self, IsTerminal, Read};

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The error, as the client printed it; `-`, or nothing, to read it from standard input.
    #[arg(value_name = "ERROR TEXT")]
    pub(crate) text: Vec<std::ffi::OsString>,
    /// Output format.
    #[arg(long, short = 'o', value_enum, default_value_t = ValueFormat::Table, ignore_case = true)]
    pub(crate) output: ValueFormat,
}

/// Shown below the help.
pub(crate) const HELP: &str = "Examples:
  hostssl explain 'FATAL: no pg_hba.conf entry for host \"203.0.113.9\", user \"app\", database \"shop\", no encryption'
  psql 'host=db.example dbname=shop' 2>&1 >/dev/null | hostssl explain
  hostssl explain - < error.txt

Exit codes:
  0  the error is explained
  1  the tool failed
  2  wrong usage, or no text
  4  the text has no known message, or the decisive one is unknown";

/// The most bytes of standard input that are read. The first error of a log is in it, or it would not be pasted.
const MAX_INPUT: u64 = 64 << 10;

pub(crate) fn run(args: &ExplainArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let text = text(args)?;
    let mut found = explain_all(&text);
    if found.is_empty() {
        found.push(explain(&text));
    }
    let format = Format::from(args.output);
    if format != Format::Table {
        let all = explain_json::value(&found).map_err(|error| CliError::defect(&error))?;
        stdout::write_value(&all, None, format, stdout::palette(terminal))?;
        return Ok(exit(&found));
    }
    let shape = Shape { wide: args.output == ValueFormat::Wide, ..Shape::AS_IS };
    stdout::write_text(terminal, &shape, |out, text| explain_text::write(out, &found, text.palette))?;
    Ok(exit(&found))
}

/// The code of the process: a script is to know whether what counts is explained.
fn exit(found: &[Explanation]) -> Exit {
    match found.first() {
        Some(first) if first.cause != Cause::Unknown => Exit::AllPass,
        _ => Exit::Incomplete,
    }
}

/// The text of the arguments or of standard input.
fn text(args: &ExplainArgs) -> Result<String, CliError> {
    let given: Vec<_> = args.text.iter().map(|part| part.to_string_lossy()).collect();
    let is_input = given.is_empty() || matches!(given.as_slice(), [only] if only == "-");
    let text = if !is_input {
        given.join(" ")
    } else if given.is_empty() && io::stdin().is_terminal() {
        return Err(no_text());
    } else {
        read(io::stdin().lock()).map_err(|error| {
            CliError::failed(&error, "standard input could not be read; give the text as an argument")
        })?
    };
    if text.trim().is_empty() { Err(no_text()) } else { Ok(text) }
}

fn no_text() -> CliError {
    CliError::usage(
        "there is no text to explain",
        "give the error in quotes (hostssl explain 'FATAL: ...'), or on standard input (hostssl explain < error.txt)",
    )
}

/// Reads text of any encoding as far as it is text.
fn read(input: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    input.take(MAX_INPUT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_INPUT {
        stderr!("warning: only the first {} KiB are read", MAX_INPUT >> 10);
    }
    // Windows PowerShell redirects into UTF-16.
    if let [0xff, 0xfe, units @ ..] = bytes.as_slice() {
        let units =
            units.chunks_exact(2).map(|pair| pair.iter().rev().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
        return Ok(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_of_any_encoding_is_text_and_bounded() {
        assert_eq!(read(&b"a\xff\xfeb"[..]).unwrap(), "a\u{fffd}\u{fffd}b");
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("Größe".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(read(utf16.as_slice()).unwrap(), "Größe");
        assert_eq!(read(&b"\xff\xfea"[..]).unwrap(), "");
        assert!(read(io::repeat(b'x')).unwrap().len() as u64 <= MAX_INPUT + 1);
    }
}
