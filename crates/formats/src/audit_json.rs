//! The audit as JSON, version 1: frozen.
//!
//! These structs are apart from the model on purpose. The model may change; what programs read may only grow, and a
//! change of meaning makes a version 2. The schema is committed as `docs/schemas/audit-v1.schema.json`.

use hostssl_model as model;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

mod listener;
mod read;
mod waiver;

use listener::Look;
pub use read::{InvalidAuditJson, read};
use waiver::{Waiver, Waivers};

/// The name and version of the format.
pub const SCHEMA: &str = "hostssl/audit/v1";

/// The result of an audit.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub struct Audit<'a> {
    /// Name and version of this format.
    schema: &'static str,
    /// The run.
    run: Run<'a>,
    /// Servers by outcome.
    summary: Summary,
    /// Every server in scope that was found.
    #[serde(serialize_with = "servers")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<Server<'a>>"))]
    servers: &'a [model::ServerReport],
    /// What could not be checked.
    gaps: Vec<Gap<'a>>,
    /// What the audit ends with, and why.
    exit: Exit<'a>,
    /// The waivers that were applied to the findings, if the command line named a file of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    waivers: Option<Waivers<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Exit<'a> {
    /// The exit code of `hostssl audit`: 0 pass, 3 findings, 4 incomplete.
    code: u8,
    reason: ExitReason,
    /// The findings that decide the code: those that fail for 3, those that are unknown for 4, besides `gaps`.
    #[serde(serialize_with = "decisive")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<Decisive<'a>>"))]
    decided_by: &'a model::AuditReport,
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
}

/// A finding that decides the exit code.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Decisive<'a> {
    /// The resource id of the server.
    server: &'a str,
    /// The id of the control.
    control: &'a str,
    severity: Severity,
    /// That of the finding.
    fingerprint: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run<'a> {
    /// A UUID.
    id: &'a str,
    /// RFC 3339.
    started_at: &'a str,
    /// RFC 3339.
    finished_at: &'a str,
    /// The signed-in identity; if there are several, one for each tenant, separated by commas.
    principal: String,
    /// The cloud, as the Azure CLI calls it, or `custom`.
    cloud: &'a str,
    /// What was asked for.
    scope: Scope<'a>,
    /// The rules, as `name@version`.
    profile: &'a str,
    /// The only controls of the profile that were checked; absent if all were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    controls: Vec<&'a str>,
    /// The days that a certificate must last; absent if they are the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry_days: Option<u32>,
    /// How servers were listed; absent if by the lists of each subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    discovery: Option<Discovery>,
    /// The version of hostssl.
    tool_version: &'a str,
    /// Whether everything in scope was checked.
    complete: bool,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Discovery {
    Graph,
}

/// What was asked for. An empty list means everything that the principal can see.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Scope<'a> {
    tenants: &'a [String],
    management_groups: &'a [String],
    subscriptions: &'a [String],
    resource_groups: &'a [String],
    servers: &'a [String],
    /// Tags that servers must have, as NAME=VALUE; absent if there are none.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    /// Servers that were left out on request: names, patterns, or tags as NAME=VALUE; absent if there are none.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    except: &'a [String],
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Summary {
    /// Servers in all.
    servers: u64,
    /// Servers with no failed and no unknown control.
    pass: u64,
    /// Servers with a failed control.
    fail: u64,
    /// Servers with an unknown control and no failed one.
    unknown: u64,
    /// Servers by status; each server counts once.
    standings: Standings,
}

/// The status of the servers, from what Azure declares and what the probes of this run observed.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Standings {
    /// Azure says TLS is required, but a probe connected without it.
    accepts_plaintext: u64,
    /// The setting is off or waits for a restart, or it could not be read and a probe connected without TLS.
    not_enforced: u64,
    /// The setting could not be read.
    unknown: u64,
    /// Azure says TLS is required; the newest probe could not confirm it.
    unproven: u64,
    /// Azure says TLS is required; no probe has confirmed it.
    not_probed: u64,
    /// Azure says TLS is required, and every listener refused a probe without it.
    proven: u64,
}

impl Standings {
    fn of(servers: &[model::ServerReport]) -> Self {
        let counted = model::Standings::of(servers);
        Self {
            accepts_plaintext: counted.accepts_plaintext,
            not_enforced: counted.not_enforced,
            unknown: counted.unknown,
            unproven: counted.unproven,
            not_probed: counted.not_probed,
            proven: counted.proven,
        }
    }
}

/// The status of one server, in the words of `summary.standings`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Standing {
    AcceptsPlaintext,
    NotEnforced,
    Unknown,
    Unproven,
    NotProbed,
    Proven,
}

impl From<model::Standing> for Standing {
    fn from(standing: model::Standing) -> Self {
        match standing {
            model::Standing::AcceptsPlaintext => Self::AcceptsPlaintext,
            model::Standing::NotEnforced => Self::NotEnforced,
            model::Standing::Unknown => Self::Unknown,
            model::Standing::Unproven => Self::Unproven,
            model::Standing::NotProbed => Self::NotProbed,
            model::Standing::Proven => Self::Proven,
        }
    }
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Server<'a> {
    /// The resource id, in Azure's spelling. Compare without case.
    id: &'a str,
    name: &'a str,
    resource_group: &'a str,
    subscription_id: String,
    location: &'a str,
    kind: Kind,
    /// Azure's word; null where Azure did not say.
    state: Option<&'a str>,
    /// The name that clients connect to; null where Azure did not say.
    fqdn: Option<&'a str>,
    role: Role,
    /// Whether clients must use TLS, as declared.
    ssl_enforcement: SslEnforcement,
    /// `TLS1_0`, `TLS1_1`, `TLS1_2`, `TLS1_3` or `TLSEnforcementDisabled`; null if it could not be read.
    minimal_tls_version: Option<&'static str>,
    /// The settings whose declared value waits for a restart, so that it is not in effect; only when there is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting_for_restart: Vec<&'static str>,
    /// Its status, from what Azure declares and what the probes of this run observed.
    standing: Standing,
    /// The worst control: fail, then unknown, then pass.
    outcome: ServerOutcome,
    findings: Vec<Finding<'a>>,
    /// What a probe observed of its listeners; absent if the run did not probe.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wire: Vec<Look<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Finding<'a> {
    /// The id of the control.
    control: &'static str,
    outcome: Outcome,
    severity: Severity,
    /// The evidence: what Azure declares, or what a probe confirmed as well.
    confidence: Confidence,
    /// The observed value.
    observed: Option<&'a str>,
    /// What would pass; only when the outcome is fail.
    expected: Option<&'a str>,
    /// Why it is unknown: a stable word, the same as in `gaps`. Only when the outcome is unknown.
    reason: Option<&'static str>,
    /// The action that the principal lacks, when that is the reason.
    missing_permission: Option<&'a str>,
    /// The same in every run for this control on this server.
    fingerprint: String,
    /// The waiver for a failure, whether or not it is in effect. It does not change the outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<Waiver<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gap<'a> {
    /// What could not be checked: the id of a server, a subscription, a management group or a tenant.
    scope: String,
    /// Why: a stable word.
    reason: &'static str,
    /// The action that the principal lacks, when that is the reason.
    missing_permission: Option<&'a str>,
    /// One line of text.
    detail: &'a str,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Flexible,
    ElasticCluster,
    Single,
    CosmosCluster,
    Horizon,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Role {
    None,
    Primary,
    Replica,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
enum SslEnforcement {
    Enabled,
    Disabled,
    Unknown,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum ServerOutcome {
    Pass,
    Fail,
    Unknown,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Pass,
    Fail,
    Unknown,
    NotApplicable,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Severity {
    Low,
    Medium,
    High,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Confidence {
    Declared,
    WireConfirmed,
}

/// The JSON Schema of the format.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    crate::schema::of::<Audit<'_>>(SCHEMA)
}

/// Writes the report, indented. Servers are written one by one: the whole is never in memory twice.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &model::AuditReport) -> io::Result<()> {
    crate::write_json(out, &Audit::from(report))?;
    writeln!(out)
}

/// The report as one JSON value, for queries and other formats.
///
/// # Errors
///
/// None that a report can cause.
pub fn value(report: &model::AuditReport) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(Audit::from(report))
}

/// The report as [`value`] has it, with an empty list of servers, for those who write the servers a few at a time.
/// Everything else, the exit code and what decided it included, is of the whole report.
///
/// # Errors
///
/// None that a report can cause.
pub fn frame(report: &model::AuditReport) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(Audit { servers: &[], ..Audit::from(report) })
}

impl<'a> From<&'a model::AuditReport> for Audit<'a> {
    fn from(report: &'a model::AuditReport) -> Self {
        Self {
            schema: SCHEMA,
            run: Run::from(&report.run),
            summary: Summary {
                servers: report.summary.servers,
                pass: report.summary.pass,
                fail: report.summary.fail,
                unknown: report.summary.unknown,
                standings: Standings::of(&report.servers),
            },
            servers: &report.servers,
            gaps: report.gaps.iter().map(Gap::from).collect(),
            exit: Exit::from(report),
            waivers: report.overlay.waivers.as_ref().map(Waivers::from),
        }
    }
}

impl<'a> From<&'a model::AuditRun> for Run<'a> {
    fn from(run: &'a model::AuditRun) -> Self {
        Self {
            id: &run.id,
            started_at: &run.started_at,
            finished_at: &run.finished_at,
            principal: run.principals.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", "),
            cloud: &run.cloud,
            scope: Scope {
                tenants: &run.scope.tenants,
                management_groups: &run.scope.management_groups,
                subscriptions: &run.scope.subscriptions,
                resource_groups: &run.scope.resource_groups,
                servers: &run.scope.servers,
                tags: &run.scope.tags,
                except: &run.scope.except,
            },
            profile: &run.profile,
            controls: run.asked.only.iter().map(model::Word::as_str).collect(),
            expiry_days: run.asked.expiry_days,
            discovery: run.asked.by_graph.then_some(Discovery::Graph),
            tool_version: &run.tool_version,
            complete: run.complete,
        }
    }
}

impl<'a> From<&'a model::AuditReport> for Exit<'a> {
    fn from(report: &'a model::AuditReport) -> Self {
        let (code, reason) = match report.end() {
            model::AuditEnd::Pass => (0, ExitReason::Pass),
            model::AuditEnd::Findings => (3, ExitReason::Findings),
            model::AuditEnd::Incomplete => (4, ExitReason::Incomplete),
        };
        let gate = report.overlay.gate.as_ref().map(Gate::from);
        Self { code, reason, decided_by: report, gate }
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
    serializer.collect_seq(report.decisive().map(|(server, finding)| Decisive {
        server: server.id.as_str(),
        control: finding.control.as_str(),
        severity: finding.severity.into(),
        fingerprint: finding.fingerprint(&server.id),
    }))
}

fn servers<S: serde::Serializer>(servers: &&[model::ServerReport], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(servers.iter().map(Server::from))
}

impl<'a> From<&'a model::ServerReport> for Server<'a> {
    fn from(report: &'a model::ServerReport) -> Self {
        let server = &report.server;
        Self {
            id: server.id.as_str(),
            name: server.name(),
            resource_group: server.id.resource_group(),
            subscription_id: server.subscription().to_string(),
            location: &server.location,
            kind: match server.kind {
                model::Kind::Flexible => Kind::Flexible,
                model::Kind::ElasticCluster => Kind::ElasticCluster,
                model::Kind::Single => Kind::Single,
                model::Kind::CosmosCluster => Kind::CosmosCluster,
                model::Kind::Horizon => Kind::Horizon,
            },
            state: server.state.as_ref().map(model::ServerState::as_str),
            fqdn: server.fqdn.as_deref(),
            role: match server.role {
                model::ReplicationRole::None => Role::None,
                model::ReplicationRole::Primary => Role::Primary,
                model::ReplicationRole::Replica => Role::Replica,
            },
            ssl_enforcement: match report.ssl_enforcement {
                model::SslEnforcement::Enabled => SslEnforcement::Enabled,
                model::SslEnforcement::Disabled => SslEnforcement::Disabled,
                model::SslEnforcement::Unknown => SslEnforcement::Unknown,
            },
            minimal_tls_version: report.minimal_tls_version.map(model::Floor::as_azure),
            waiting_for_restart: report.waiting().map(model::ParameterName::key).collect(),
            standing: model::Standing::of(report).into(),
            outcome: match report.outcome {
                model::Outcome::Fail => ServerOutcome::Fail,
                model::Outcome::Unknown => ServerOutcome::Unknown,
                model::Outcome::Pass | model::Outcome::NotApplicable => ServerOutcome::Pass,
            },
            findings: report.findings.iter().map(|finding| Finding::new(finding, &server.id)).collect(),
            wire: report.wire.iter().map(Look::from).collect(),
        }
    }
}

impl From<model::Severity> for Severity {
    fn from(severity: model::Severity) -> Self {
        match severity {
            model::Severity::Low => Self::Low,
            model::Severity::Medium => Self::Medium,
            model::Severity::High => Self::High,
        }
    }
}

impl<'a> Finding<'a> {
    fn new(finding: &'a model::Finding, server: &model::ResourceId) -> Self {
        Self {
            control: finding.control.as_str(),
            outcome: match finding.outcome {
                model::Outcome::Pass => Outcome::Pass,
                model::Outcome::Fail => Outcome::Fail,
                model::Outcome::Unknown => Outcome::Unknown,
                model::Outcome::NotApplicable => Outcome::NotApplicable,
            },
            severity: finding.severity.into(),
            confidence: match finding.confidence {
                model::Confidence::Declared => Confidence::Declared,
                model::Confidence::WireConfirmed => Confidence::WireConfirmed,
            },
            observed: finding.observed.as_deref(),
            expected: finding.expected.as_deref(),
            reason: finding.blind.as_ref().map(|blind| blind.reason.as_str()),
            missing_permission: finding.blind.as_ref().and_then(|blind| blind.missing_permission.as_deref()),
            fingerprint: finding.fingerprint(server),
            waiver: finding.waiver.as_deref().map(Waiver::from),
        }
    }
}

impl<'a> From<&'a model::Gap> for Gap<'a> {
    fn from(gap: &'a model::Gap) -> Self {
        Self {
            scope: gap.scope.to_string(),
            reason: gap.blind.reason.as_str(),
            missing_permission: gap.blind.missing_permission.as_deref(),
            detail: &gap.blind.detail,
        }
    }
}
