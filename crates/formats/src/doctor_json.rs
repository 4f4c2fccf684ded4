//! The JSON of `hostssl doctor`: frozen.

use hostssl_model::{DoctorCheck, DoctorReport, DoctorStatus};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

/// The name and version of the JSON.
pub const SCHEMA: &str = "hostssl/doctor/v1";

/// What `hostssl doctor` checked.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Doctor<'a> {
    /// Name and version of this format.
    schema: &'static str,
    /// RFC 3339.
    checked_at: &'a str,
    /// The version of hostssl.
    tool_version: &'a str,
    /// The cloud.
    cloud: &'a str,
    /// Whether nothing that matters was skipped.
    complete: bool,
    /// Checks by what they ended with.
    summary: Counts,
    /// Every check, in the order in which one depends on another. Several may be about the same: a listener each.
    checks: Vec<Check<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Counts {
    ok: usize,
    warning: usize,
    failed: usize,
    skipped: usize,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Check<'a> {
    /// The stable id of the check.
    check: &'static str,
    /// `ok`, `warning`, `failed` or `skipped`.
    status: &'static str,
    /// The facts, or why there are none: one line for people.
    detail: &'a str,
    /// What to do, for people; null where nothing is to be done. Commands stand between backquotes.
    fix: Option<String>,
    /// Whether it was skipped although it matters, so that it is not known what it would have shown.
    unknown: bool,
}

impl<'a> From<&'a DoctorCheck> for Check<'a> {
    fn from(check: &'a DoctorCheck) -> Self {
        Self {
            check: check.id.as_str(),
            status: check.status.as_str(),
            detail: &check.detail,
            fix: check.fix.as_ref().map(ToString::to_string),
            unknown: check.is_unknown,
        }
    }
}

/// The JSON Schema of the format.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    crate::schema::of::<Doctor<'_>>(SCHEMA)
}

/// The report as one JSON value.
///
/// # Errors
///
/// None that a report can cause.
pub fn value(report: &DoctorReport) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(Doctor {
        schema: SCHEMA,
        checked_at: &report.checked_at,
        tool_version: &report.tool_version,
        cloud: &report.cloud,
        complete: report.is_complete(),
        summary: Counts {
            ok: report.count(DoctorStatus::Ok),
            warning: report.count(DoctorStatus::Warning),
            failed: report.count(DoctorStatus::Failed),
            skipped: report.count(DoctorStatus::Skipped),
        },
        checks: report.checks.iter().map(Check::from).collect(),
    })
}
