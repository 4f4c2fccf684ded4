//! Servers as `az postgres server` printed them.

use hostssl_formats::server_document::server_document;
use hostssl_ops::Document;
use serde_json::Value;

/// One document as it is, several as a list: what the Azure CLI does with `--ids`.
pub(crate) fn one_or_all(mut documents: Vec<Value>) -> Value {
    if documents.len() > 1 { Value::Array(documents) } else { documents.pop().unwrap_or_default() }
}

/// A document in the shape that `az postgres server` printed.
pub(crate) fn shape(document: &Document) -> Value {
    server_document(&document.raw, document.ssl_enforcement, document.minimal_tls_version, &document.waiting)
}
