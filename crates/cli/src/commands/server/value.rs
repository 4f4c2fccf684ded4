//! Servers as `az postgres server` printed them.

use hostssl_formats::output::Format;
use hostssl_formats::server_document::{for_people, server_document};
use hostssl_ops::Document;
use serde_json::Value;

/// One document as it is, several as a list: what the Azure CLI does with `--ids`.
pub(crate) fn one_or_all(mut documents: Vec<Value>) -> Value {
    if documents.len() > 1 { Value::Array(documents) } else { documents.pop().unwrap_or_default() }
}

/// The document as this format has it: in a table, a value that waits for a restart says so.
pub(crate) fn shown(document: Value, is_queried: bool, format: Format) -> Value {
    if !is_queried && format == Format::Table { for_people(&document) } else { document }
}

/// A document in the shape that `az postgres server` printed.
pub(crate) fn shape(document: &Document) -> Value {
    server_document(&document.raw, document.ssl_enforcement, document.minimal_tls_version, &document.waiting)
}
