//! The JSON of `hostssl config show`: frozen.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

/// The name and version of the JSON.
#[cfg(feature = "schema")]
const SCHEMA: &str = "hostssl/config-show/v1";

/// A key of the configuration, and what holds for it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
pub struct ConfigRow {
    /// The name of the key.
    pub key: &'static str,
    /// The value that holds; several are separated by a comma and a space; `-` where no value is set.
    pub value: String,
    /// Who says so: `default`, the name of a variable of the environment, or file and line.
    pub from: String,
}

/// The JSON Schema of the format.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    crate::schema::of::<Vec<ConfigRow>>(SCHEMA)
}

/// All rows as one JSON value.
///
/// # Errors
///
/// None that a row can cause.
pub fn value(rows: &[ConfigRow]) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(rows)
}
