//! Servers as `az postgres server` printed them.

use crate::args::{TerminalArgs, ValueArgs, ValueFormat};
use crate::error::CliError;
use crate::stdout;
use hostssl_formats::output::Format;
use hostssl_formats::server_document::{COLUMNS, entry, server_document};
use hostssl_formats::{Query, Section, Shape, write_list};
use hostssl_ops::Document;
use serde_json::Value;

/// One document as it is, several as a list: what the Azure CLI does with `--ids`.
pub(crate) fn one_or_all(mut documents: Vec<Value>) -> Value {
    if documents.len() > 1 { Value::Array(documents) } else { documents.pop().unwrap_or_default() }
}

/// Writes servers that were named: as hostssl's own table, as `server list` does, or for programs.
pub(crate) fn write_named(
    documents: Vec<Value>,
    cloud: &str,
    value: &ValueArgs,
    query: Option<&Query>,
    terminal: &TerminalArgs,
) -> Result<(), CliError> {
    let format = Format::from(value.output);
    if query.is_none() && format == Format::Table {
        let shape = Shape { wide: value.output == ValueFormat::Wide, ..Shape::AS_IS };
        return write_table(&documents, cloud, &shape, terminal);
    }
    stdout::write_value(&one_or_all(documents), query, format, stdout::palette(terminal))
}

/// Writes hostssl's own table of servers.
pub(crate) fn write_table(
    servers: &[Value],
    cloud: &str,
    shape: &Shape,
    terminal: &TerminalArgs,
) -> Result<(), CliError> {
    let entries = servers.iter().map(|server| entry(server, cloud)).collect();
    let section = Section { title: None, entries };
    stdout::write_text(terminal, shape, |out, text| write_list(out, COLUMNS, vec![section], text))
}

/// A document in the shape that `az postgres server` printed.
pub(crate) fn shape(document: &Document) -> Value {
    server_document(&document.raw, document.ssl_enforcement, document.minimal_tls_version, &document.waiting)
}
