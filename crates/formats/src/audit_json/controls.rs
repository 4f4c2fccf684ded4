//! The controls of an audit, and what standards require of each.

use super::server::Severity;
use hostssl_audit::Profile;
use hostssl_model as model;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

/// A control that was checked.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Control {
    /// The id, as findings name it.
    id: &'static str,
    /// What a server that passes does.
    title: &'static str,
    severity: Severity,
    /// Where standards require it.
    standards: Vec<StandardMap>,
}

/// A place in a standard that asks for what a control checks.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct StandardMap {
    /// The standard, such as `CIS Microsoft Azure Foundations Benchmark`.
    standard: &'static str,
    /// Its version or revision; empty where it has none.
    version: &'static str,
    /// The requirements in it.
    requirements: &'static [&'static str],
    /// Who says that the requirement asks for this: `azure-policy`, `prowler` or `own-reading`.
    basis: &'static str,
}

/// The controls that findings of the report name, in the order of reports; of a report without a server, those of its
/// profile.
pub(super) fn checked(report: &model::AuditReport) -> Vec<Control> {
    let profile = Profile::of_run(&report.run).filter(|_| report.servers.is_empty());
    let is_checked = |id| {
        profile.as_ref().is_some_and(|profile| profile.controls.iter().any(|one| one.id == id))
            || report.servers.iter().any(|server| server.findings.iter().any(|one| one.control == id))
    };
    hostssl_audit::ALL.into_iter().filter(|control| is_checked(control.id)).map(Control::from).collect()
}

impl From<&'static hostssl_audit::Control> for Control {
    fn from(from: &'static hostssl_audit::Control) -> Self {
        let standard = |mapping: &'static hostssl_audit::Mapping| StandardMap {
            standard: mapping.standard,
            version: mapping.version,
            requirements: mapping.requirements,
            basis: mapping.basis.as_str(),
        };
        Self {
            id: from.id.as_str(),
            title: from.title,
            severity: from.severity.into(),
            standards: from.mappings.iter().map(standard).collect(),
        }
    }
}
