//! Controls as JSON: frozen.

use hostssl_audit as audit;
use serde::Serialize;
use serde_json::Value;

/// What a control asks, and where standards ask for it.
#[derive(Debug, Serialize)]
struct Control<'a> {
    id: &'a str,
    title: &'a str,
    severity: &'a str,
    mappings: Vec<Mapping<'a>>,
}

#[derive(Debug, Serialize)]
struct Mapping<'a> {
    standard: &'a str,
    version: &'a str,
    requirements: &'a [&'a str],
    basis: &'a str,
}

/// One control as one JSON value.
///
/// # Errors
///
/// None that a control can cause.
pub fn value(control: &audit::Control) -> Result<Value, serde_json::Error> {
    serde_json::to_value(Control::from(control))
}

/// Controls as one JSON value, in their order.
///
/// # Errors
///
/// None that a control can cause.
pub fn list<'a>(controls: impl IntoIterator<Item = &'a audit::Control>) -> Result<Value, serde_json::Error> {
    serde_json::to_value(controls.into_iter().map(Control::from).collect::<Vec<_>>())
}

impl<'a> From<&'a audit::Control> for Control<'a> {
    fn from(from: &'a audit::Control) -> Self {
        Self {
            id: from.id.as_str(),
            title: from.title,
            severity: from.severity.as_str(),
            mappings: from.mappings.iter().map(Mapping::from).collect(),
        }
    }
}

impl<'a> From<&'a audit::Mapping> for Mapping<'a> {
    fn from(from: &'a audit::Mapping) -> Self {
        Self {
            standard: from.standard,
            version: from.version,
            requirements: from.requirements,
            basis: from.basis.as_str(),
        }
    }
}
