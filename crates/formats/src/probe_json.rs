//! Probed endpoints as JSON, version 1: frozen.
//!
//! What is written of an endpoint is [`EndpointReport`], whose names are part of the format. The schema is committed as
//! `docs/schemas/probe-v1.schema.json`.

use hostssl_probe::report::EndpointReport;
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// The name and version of the format.
pub const SCHEMA: &str = "hostssl/probe/v1";

/// The result of a probe.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Document<'a> {
    /// Name and version of this format.
    schema: &'static str,
    /// The endpoints, in the order in which they were done.
    endpoints: &'a [EndpointReport],
}

/// The JSON Schema of the format.
#[must_use]
pub fn schema() -> serde_json::Value {
    // Members that may be null are always there.
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Document<'_>>();
    schema.insert("$id".to_owned(), format!("{SCHEMA}/schema").into());
    if let Some(name) = schema.pointer_mut("/properties/schema").and_then(serde_json::Value::as_object_mut) {
        name.insert("const".to_owned(), SCHEMA.into());
    }
    schema.to_value()
}

/// The endpoints as one JSON value, for queries and other formats.
///
/// # Errors
///
/// None that an endpoint can cause.
pub fn value(endpoints: &[EndpointReport]) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(Document { schema: SCHEMA, endpoints })
}

/// Writes the document, endpoint by endpoint: no more than one is in memory.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    written: u64,
}

impl<W: Write> Writer<W> {
    /// A document on `out`, of which nothing is written yet.
    pub fn new(out: W) -> Self {
        Self { out, written: 0 }
    }

    /// Writes one endpoint and flushes it, so that a reader sees it at once.
    ///
    /// # Errors
    ///
    /// Whatever the writer returns.
    pub fn write(&mut self, report: &EndpointReport) -> io::Result<()> {
        let mut text = Vec::new();
        crate::write_json(&mut text, report)?;
        let text = String::from_utf8_lossy(&text);
        if self.written == 0 {
            self.begin()?;
        } else {
            writeln!(self.out, ",")?;
        }
        self.written += 1;
        // JSON has no line break within a string.
        write!(self.out, "    {}", text.replace('\n', "\n    "))?;
        self.out.flush()
    }

    /// Ends the document.
    ///
    /// # Errors
    ///
    /// Whatever the writer returns.
    pub fn finish(mut self) -> io::Result<()> {
        if self.written == 0 {
            self.begin()?;
        } else {
            writeln!(self.out)?;
        }
        writeln!(self.out, "  ]\n}}")?;
        self.out.flush()
    }

    fn begin(&mut self) -> io::Result<()> {
        writeln!(self.out, "{{\n  \"schema\": \"{SCHEMA}\",\n  \"endpoints\": [")
    }
}
