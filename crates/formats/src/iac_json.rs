//! What a file would do to encryption in transit as JSON, version 1: frozen.

use crate::audit_json::waiver::{Waiver, Waivers};
use crate::iac_words;
use crate::json_text::write_json;
use hostssl_iac as iac;
use hostssl_model as model;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// The name and version of the format.
pub const SCHEMA: &str = "hostssl/iac/v1";

/// A Terraform plan or state, or an ARM template, and what it does to the servers in it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub struct IacV1<'a> {
    /// Name and version of this format.
    schema: &'static str,
    file: FileV1<'a>,
    /// The rules, as `name@version`.
    profile: &'a str,
    /// The audit that it was compared with; null without one.
    live: Option<LiveAuditV1<'a>>,
    exit: ExitV1,
    /// The earlier check that decides which failures are new, if the command line named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<IacBaselineV1<'a>>,
    /// The waivers that were applied to the failures, if the command line named a file of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    waivers: Option<Waivers<'a>>,
    summary: SummaryV1,
    /// In the order of the file. Empty when it has no such server.
    servers: Vec<ServerV1<'a>>,
    /// Parts of the file that could not be checked.
    gaps: Vec<GapV1<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct FileV1<'a> {
    /// As it was named; `-` for standard input.
    name: &'a str,
    /// `terraform-plan`, `terraform-state` or `arm-template`.
    format: &'static str,
    /// The version of Terraform that wrote it, where it says so.
    tool_version: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct LiveAuditV1<'a> {
    /// The id of the run.
    run: &'a str,
    /// RFC 3339.
    finished_at: &'a str,
    /// Whether everything in its scope was checked.
    complete: bool,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct ExitV1 {
    /// 0, 3 or 4.
    code: u8,
    reason: ExitReasonV1,
    /// What makes it end with 3: `fail`, `high`, `new`, `unknown` or `never`.
    fail_on: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum ExitReasonV1 {
    /// Everything is known, and nothing that counts fails; or there is nothing to judge.
    Pass,
    /// Something fails that counts.
    Findings,
    /// Nothing that counts fails, but not everything is known.
    Incomplete,
}

/// The earlier check that decides which failures are new.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct IacBaselineV1<'a> {
    /// The name of its file.
    file: &'a str,
    /// Which rules judged it.
    profile: &'a str,
    /// Whether the same rules judge now.
    same_profile: bool,
    /// Whether it is of a file of the same format, and both or neither were compared with the servers.
    same_way: bool,
    /// Failures that were in it already, with the same value.
    known: u64,
}

/// The number of servers by their worst outcome.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct SummaryV1 {
    servers: u64,
    /// Also those that are destroyed, whose outcome is `not-applicable`.
    pass: u64,
    fail: u64,
    unknown: u64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct ServerV1<'a> {
    /// The address of the resource in Terraform, or its type and name in a template.
    address: &'a str,
    /// The resource id, where it is known.
    id: Option<&'a str>,
    name: Option<&'a str>,
    resource_group: Option<&'a str>,
    /// The kind of server, as audits have it.
    kind: &'static str,
    /// What becomes of the server: `creates`, `keeps`, `replaces`, `destroys`, `releases`, `recorded`, `deploys` or `elsewhere`.
    change: &'static str,
    /// Its worst finding: `pass`, `fail`, `unknown`, or `not-applicable` where nothing is left to judge.
    outcome: &'static str,
    findings: Vec<FindingV1<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct FindingV1<'a> {
    /// The id of a control, or `reset-refuses-clients`.
    rule: &'static str,
    /// `pass`, `fail` or `unknown`.
    outcome: &'static str,
    severity: SeverityV1,
    /// The name of the setting.
    setting: &'static str,
    effect: EffectV1,
    /// Where the file says so.
    address: &'a str,
    /// The value before an apply, as far as the file knows.
    before: Option<&'static str>,
    /// The value after it; null when it is not known. An empty text means that it is not set.
    after: Option<&'static str>,
    /// The value that it had before it was changed outside Terraform, where the plan says so.
    changed_outside: Option<&'static str>,
    /// What the server has; null where nothing was compared, or that is not known.
    live: Option<LiveValueV1>,
    /// What would pass; only for a failure of a control.
    expected: Option<&'a str>,
    /// Why it is unknown: a stable word. Only when the outcome is unknown.
    reason: Option<&'static str>,
    /// All of it as one sentence.
    message: String,
    /// The same for the same rule, setting and server in every run.
    fingerprint: String,
    /// Whether it fails as it did in the baseline.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    known: bool,
    /// The waiver for a failure, whether or not it is in effect. It does not change the outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<Waiver<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct LiveValueV1 {
    value: Option<&'static str>,
    /// `overwritten` when the file writes its own value over it, `unnoticed` when the file does not know it; null when they agree.
    difference: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum SeverityV1 {
    Low,
    Medium,
    High,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum EffectV1 {
    /// TLS becomes required.
    TurnsOn,
    /// TLS is no longer required.
    TurnsOff,
    /// Another value is written.
    Changes,
    /// A value is written; the one before is not in the file.
    Sets,
    /// The value stays.
    Keeps,
    /// A state has this value.
    Records,
    /// A new server starts with Azure's default.
    LeavesDefault,
    /// A block is deleted, and the provider writes Azure's default.
    ResetsToDefault,
    /// The value is no longer managed, and stays.
    Releases,
    /// Nothing in the file sets the value.
    NotManaged,
    /// The value is known only when the file is applied.
    Unknown,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct GapV1<'a> {
    /// `errored`, `partial`, `linked-template`, `not-understood` or `not-read`.
    kind: &'static str,
    /// The resource, where it is one.
    address: Option<&'a str>,
    message: String,
}

/// The JSON Schema of the format.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    crate::schema::of::<IacV1<'_>>(SCHEMA)
}

/// Writes the report of a file that is called so, indented.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &iac::IacReport, file: &str) -> io::Result<()> {
    write_json(out, &IacV1::new(report, file))?;
    writeln!(out)
}

/// The report as one JSON value, for queries and other formats.
///
/// # Errors
///
/// None that a report can cause.
pub fn value(report: &iac::IacReport, file: &str) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(IacV1::new(report, file))
}

impl<'a> IacV1<'a> {
    fn new(report: &'a iac::IacReport, file: &'a str) -> Self {
        let model::Summary { servers, pass, fail, unknown } = report.summary();
        let (code, reason) = match report.end() {
            model::AuditEnd::Pass => (0, ExitReasonV1::Pass),
            model::AuditEnd::Findings => (3, ExitReasonV1::Findings),
            model::AuditEnd::Incomplete => (4, ExitReasonV1::Incomplete),
        };
        let fail_on = report.rules().iter().map(|one| one.as_str()).collect();
        Self {
            schema: SCHEMA,
            file: FileV1 { name: file, format: report.format.as_str(), tool_version: report.tool_version.as_deref() },
            profile: &report.profile,
            live: report.live.as_ref().map(|live| LiveAuditV1 {
                run: &live.run,
                finished_at: &live.finished_at,
                complete: live.complete,
            }),
            exit: ExitV1 { code, reason, fail_on },
            baseline: report.baseline.as_ref().map(|one| IacBaselineV1 {
                file: &one.file,
                profile: &one.profile,
                same_profile: one.same_profile,
                same_way: one.same_way,
                known: one.known,
            }),
            waivers: report.waivers.as_ref().map(Waivers::from),
            summary: SummaryV1 { servers, pass, fail, unknown },
            servers: report.servers.iter().map(ServerV1::from).collect(),
            gaps: report.gaps.iter().map(GapV1::from).collect(),
        }
    }
}

impl<'a> From<&'a iac::IacServer> for ServerV1<'a> {
    fn from(server: &'a iac::IacServer) -> Self {
        Self {
            address: &server.address,
            id: server.id.as_ref().map(model::ResourceId::as_str),
            name: server.name.as_deref(),
            resource_group: server.resource_group.as_deref(),
            kind: server.kind.as_str(),
            change: server.change.as_str(),
            outcome: server.outcome().as_str(),
            findings: server.findings.iter().map(|finding| FindingV1::new(server, finding)).collect(),
        }
    }
}

impl<'a> FindingV1<'a> {
    fn new(server: &iac::IacServer, finding: &'a iac::IacFinding) -> Self {
        let spelled = |meaning: Option<model::Meaning>| meaning.and_then(|one| finding.setting.spell(one));
        Self {
            rule: finding.rule.as_str(),
            outcome: finding.outcome.as_str(),
            severity: match finding.rule.severity() {
                model::Severity::Low => SeverityV1::Low,
                model::Severity::Medium => SeverityV1::Medium,
                model::Severity::High => SeverityV1::High,
            },
            setting: finding.setting.key(),
            effect: EffectV1::from(finding.effect),
            address: &finding.address,
            before: spelled(finding.before),
            after: spelled(finding.after),
            changed_outside: spelled(finding.changed_outside),
            live: finding.live.map(|live| LiveValueV1 {
                value: spelled(Some(live.meaning)),
                difference: live.difference.map(iac::LiveDifference::as_str),
            }),
            expected: finding.expected.as_deref(),
            reason: finding.reason.map(iac::IacReason::as_str),
            message: iac_words::what(finding),
            fingerprint: server.fingerprint(finding),
            known: finding.is_known,
            waiver: finding.waiver.as_deref().map(Waiver::from),
        }
    }
}

impl From<iac::IacEffect> for EffectV1 {
    fn from(effect: iac::IacEffect) -> Self {
        match effect {
            iac::IacEffect::TurnsOn => Self::TurnsOn,
            iac::IacEffect::TurnsOff => Self::TurnsOff,
            iac::IacEffect::Changes => Self::Changes,
            iac::IacEffect::Sets => Self::Sets,
            iac::IacEffect::Keeps => Self::Keeps,
            iac::IacEffect::Records => Self::Records,
            iac::IacEffect::LeavesDefault => Self::LeavesDefault,
            iac::IacEffect::ResetsToDefault => Self::ResetsToDefault,
            iac::IacEffect::Releases => Self::Releases,
            iac::IacEffect::NotManaged => Self::NotManaged,
            iac::IacEffect::Unknown => Self::Unknown,
        }
    }
}

impl<'a> From<&'a iac::IacGap> for GapV1<'a> {
    fn from(gap: &'a iac::IacGap) -> Self {
        Self { kind: gap.kind.as_str(), address: gap.address.as_deref(), message: iac_words::gap(gap) }
    }
}
