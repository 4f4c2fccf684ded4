//! What an audit ends with, and why.

use super::server::Severity;
use hostssl_model as model;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Exit<'a> {
    /// The exit code of `hostssl audit`: 0 pass, 3 findings, 4 incomplete.
    code: u8,
    reason: ExitReason,
    /// The findings that decide the code: those that fail for 3, those that are unknown for 4, besides `gaps`.
    #[serde(serialize_with = "decisive")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PlacedFinding<'a>>"))]
    decided_by: &'a model::AuditReport,
    /// The resource ids of servers that an earlier probe saw accept clients without TLS although they are declared to enforce it, where
    /// nothing newer says otherwise; absent if there are none. With the reason `earlier-plaintext` they alone decide the code.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    earlier_plaintext: Vec<&'a str>,
    /// The rules that decided the code, if the command line set any; otherwise any failure does.
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<Gate<'a>>,
}

/// What decides the exit code.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Gate<'a> {
    fail_on: Vec<FailOn>,
    /// The earlier audit that decides which failures are new.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<Baseline<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum FailOn {
    Fail,
    High,
    New,
    Unknown,
    Never,
}

/// The baseline, and whether it is comparable.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Baseline<'a> {
    /// The id of the run.
    run: &'a str,
    /// RFC 3339.
    finished_at: &'a str,
    /// The rules, as `name@version`.
    profile: &'a str,
    /// Whether both audits have the same profile. If not, this audit does not pass.
    same_profile: bool,
    /// Whether both audits have the same cloud and scope. If not, this audit does not pass.
    same_scope: bool,
    /// Controls that only one of the two audits checked, or that their profiles judge differently: their failures count as new.
    not_compared: Vec<&'static str>,
    /// Controls of the baseline that this audit did not check; absent if there are none. If there are, this audit does not pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_checked: Vec<&'static str>,
    /// Controls of servers that were checked in the baseline and could not be checked now.
    not_visible: u64,
    /// Failures that were in the baseline already, with the same value.
    known: u64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum ExitReason {
    Pass,
    Findings,
    Incomplete,
    /// Everything that was asked passes, but an earlier probe saw plaintext accepted.
    EarlierPlaintext,
}

/// A finding with its server.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields, rename = "Decisive"))]
#[serde(rename_all = "camelCase")]
pub(super) struct PlacedFinding<'a> {
    /// The resource id of the server.
    server: &'a str,
    /// The id of the control.
    control: &'a str,
    severity: Severity,
    /// That of the finding.
    fingerprint: String,
}

impl<'a> From<&'a model::AuditReport> for Exit<'a> {
    fn from(report: &'a model::AuditReport) -> Self {
        let (code, reason) = match report.end() {
            model::AuditEnd::Pass => (0, ExitReason::Pass),
            model::AuditEnd::Findings => (3, ExitReason::Findings),
            model::AuditEnd::Incomplete if report.ends_by_earlier_plaintext() => (4, ExitReason::EarlierPlaintext),
            model::AuditEnd::Incomplete => (4, ExitReason::Incomplete),
        };
        let gate = report.overlay.gate.as_ref().map(Gate::from);
        let earlier_plaintext = report.earlier_plaintext().map(|server| server.server.id.as_str()).collect();
        Self { code, reason, decided_by: report, earlier_plaintext, gate }
    }
}

impl<'a> From<&'a model::Gated> for Gate<'a> {
    fn from(gate: &'a model::Gated) -> Self {
        let word = |rule: &model::FailOn| match rule {
            model::FailOn::Fail => FailOn::Fail,
            model::FailOn::High => FailOn::High,
            model::FailOn::New => FailOn::New,
            model::FailOn::Unknown => FailOn::Unknown,
            model::FailOn::Never => FailOn::Never,
        };
        Self {
            fail_on: gate.fail_on.iter().map(word).collect(),
            baseline: gate.baseline.as_ref().map(|one| Baseline {
                run: &one.run,
                finished_at: &one.finished_at,
                profile: &one.profile,
                same_profile: one.same_profile,
                same_scope: one.same_scope,
                not_compared: one.not_compared.iter().map(|id| id.as_str()).collect(),
                not_checked: one.not_checked.iter().map(|id| id.as_str()).collect(),
                not_visible: one.not_visible,
                known: one.known,
            }),
        }
    }
}

fn decisive<S: serde::Serializer>(report: &&model::AuditReport, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(report.decisive().map(PlacedFinding::from))
}

impl<'a> From<(&'a model::Server, &'a model::Finding)> for PlacedFinding<'a> {
    fn from((server, finding): (&'a model::Server, &'a model::Finding)) -> Self {
        Self {
            server: server.id.as_str(),
            control: finding.control.as_str(),
            severity: finding.severity.into(),
            fingerprint: finding.fingerprint(&server.id),
        }
    }
}
