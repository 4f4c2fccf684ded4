//! Reads an audit from its JSON, version 1, as far as two audits are compared by it.

use super::SCHEMA;
use hostssl_model::{
    Advice, AuditAsked, AuditReport, AuditRun, Confidence, ControlId, Fault, Finding, Floor, Gap, GapScope, Hint,
    InvalidResourceId, Kind, Outcome, Overlay, Reason, ReplicationRole, ResourceId, Scope, Server, ServerReport,
    ServerState, Severity, SslEnforcement, Summary, Tags, Unchecked, Waiver, WaiverState, Word,
};
use serde::Deserialize;
use std::borrow::Cow;
use std::io;
use std::sync::Arc;

/// A text is not an audit that `hostssl audit -o json` wrote.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAuditJson {
    /// It is no JSON, or a member is missing or of another type.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is something else.
    #[error("its schema is `{0}` and not `{SCHEMA}`")]
    Schema(String),
    /// A server has no id that could be compared.
    #[error("a server has an invalid id")]
    Id(#[from] InvalidResourceId),
}

impl Advice for InvalidAuditJson {
    fn advice(&self) -> Hint {
        "name a file that `hostssl audit -o json` wrote, or a run that `hostssl runs` lists".into()
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

/// Reads what audits are compared by: the run and its scope, the servers, what was found of them, and the gaps. The readings,
/// what was seen on the wire, tags and subscriptions are not in the result. Failures keep their waivers. What words of a later
/// version say is unknown: a server with such words has a gap that names them, and the audit is not complete.
///
/// # Errors
///
/// [`InvalidAuditJson`] when the text is something else.
pub fn read(text: impl io::Read) -> Result<AuditReport, InvalidAuditJson> {
    let audit: Audit = serde_json::from_reader(io::BufReader::new(text))?;
    if audit.schema != SCHEMA {
        return Err(InvalidAuditJson::Schema(audit.schema.chars().take(80).collect()));
    }
    let newer: Vec<Gap> = audit.servers.iter().filter_map(newer_words).collect();
    let servers: Vec<ServerReport> = audit.servers.into_iter().map(server_report).collect::<Result<_, _>>()?;
    let mut summary = Summary::default();
    servers.iter().for_each(|server| summary.count(server.outcome));
    let complete = audit.run.complete && newer.is_empty();
    let run = AuditRun { complete, ..audit.run.into() };
    let gaps = audit.gaps.into_iter().map(Gap::from).chain(newer).collect();
    Ok(AuditReport { run, summary, subscriptions: Vec::new(), servers, gaps, overlay: Overlay::default() })
}

#[derive(Deserialize)]
struct Audit {
    schema: String,
    run: RunRead,
    servers: Vec<ServerRead>,
    gaps: Vec<GapRead>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunRead {
    id: String,
    started_at: String,
    finished_at: String,
    cloud: String,
    scope: ScopeRead,
    profile: String,
    #[serde(default)]
    controls: Vec<String>,
    expiry_days: Option<u32>,
    discovery: Option<String>,
    tool_version: String,
    complete: bool,
}

impl From<RunRead> for AuditRun {
    fn from(run: RunRead) -> Self {
        Self {
            id: run.id,
            started_at: run.started_at,
            finished_at: run.finished_at,
            principals: Vec::new(),
            cloud: run.cloud,
            scope: run.scope.into(),
            profile: run.profile,
            asked: AuditAsked {
                only: run.controls.iter().map(|id| Word::read(id)).collect(),
                expiry_days: run.expiry_days,
                by_graph: run.discovery.is_some(),
                // Each look says from where it was taken.
                by_zones: false,
            },
            tool_version: run.tool_version,
            complete: run.complete,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScopeRead {
    tenants: Vec<String>,
    management_groups: Vec<String>,
    subscriptions: Vec<String>,
    resource_groups: Vec<String>,
    servers: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerRead {
    id: String,
    location: String,
    kind: String,
    state: Option<String>,
    fqdn: Option<String>,
    role: String,
    ssl_enforcement: String,
    minimal_tls_version: Option<String>,
    outcome: String,
    findings: Vec<FindingRead>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FindingRead {
    control: String,
    outcome: String,
    severity: String,
    confidence: String,
    observed: Option<String>,
    expected: Option<String>,
    reason: Option<String>,
    missing_permission: Option<String>,
    waiver: Option<WaiverRead>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WaiverRead {
    state: String,
    owner: String,
    reason: String,
    approvers: Vec<String>,
    expires: String,
    compensating_control: Option<String>,
    ticket: Option<String>,
    line: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GapRead {
    scope: String,
    reason: String,
    missing_permission: Option<String>,
    detail: String,
}

impl From<ScopeRead> for Scope {
    fn from(scope: ScopeRead) -> Self {
        let ScopeRead { tenants, management_groups, subscriptions, resource_groups, servers, tags, except } = scope;
        Self { tenants, management_groups, subscriptions, resource_groups, servers, tags, except }
    }
}

impl From<GapRead> for Gap {
    fn from(gap: GapRead) -> Self {
        Self {
            scope: GapScope::read(&gap.scope),
            unchecked: unchecked(&gap.reason, gap.detail, gap.missing_permission),
        }
    }
}

/// What of a server this version does not know.
fn newer_words(server: &ServerRead) -> Option<Gap> {
    let kind = Kind::from_code(&server.kind).is_none().then(|| format!("the kind `{}`", server.kind));
    let unknown = server.findings.iter().filter(|finding| ControlId::from_code(&finding.control).is_none());
    let controls =
        unknown.map(|finding| format!("the control `{}` with the outcome `{}`", finding.control, finding.outcome));
    let words: Vec<String> = kind.into_iter().chain(controls).collect();
    let gap = || Gap { scope: GapScope::read(&server.id), unchecked: Unchecked::of_a_newer_version(&words) };
    (!words.is_empty()).then(gap)
}

fn server_report(server: ServerRead) -> Result<ServerReport, InvalidResourceId> {
    Ok(ServerReport {
        ssl_enforcement: SslEnforcement::from_code(&server.ssl_enforcement).unwrap_or(SslEnforcement::Unknown),
        minimal_tls_version: server.minimal_tls_version.as_deref().and_then(Floor::from_azure),
        outcome: outcome(&server.outcome),
        findings: server.findings.into_iter().filter_map(|one| finding(one, &server.id)).collect(),
        wire: Vec::new(),
        readings: Vec::new(),
        primary: None,
        known: None,
        server: Server {
            id: ResourceId::try_from(server.id.as_str())?,
            // No comparison asks for the kind; one of a later version is as good as any.
            kind: Kind::from_code(&server.kind).unwrap_or(Kind::Flexible),
            location: server.location.into(),
            state: server.state.as_deref().map(ServerState::new),
            fqdn: server.fqdn.map(Into::into),
            role: ReplicationRole::from_code(&server.role).unwrap_or(ReplicationRole::None),
            primary: None,
            tags: Tags::default(),
            administrator: None,
            created_at: None,
            network: hostssl_model::NetworkAccess::default(),
        },
    })
}

fn finding(finding: FindingRead, server: &str) -> Option<Finding> {
    let control = ControlId::from_code(&finding.control)?;
    let outcome = outcome(&finding.outcome);
    let unchecked = finding.reason.map(|reason| unchecked(&reason, String::new(), finding.missing_permission));
    Some(Finding {
        control,
        outcome,
        severity: Severity::from_code(&finding.severity).unwrap_or(Severity::High),
        confidence: Confidence::from_code(&finding.confidence).unwrap_or(Confidence::Declared),
        observed: finding.observed.map(Cow::Owned),
        expected: finding.expected.map(Cow::Owned),
        unchecked: unchecked.filter(|_| outcome == Outcome::Unknown),
        waiver: finding.waiver.and_then(|read| waiver(read, control, server)).map(Arc::new),
    })
}

/// The waiver of a failure, as far as the failure has it: which scope it had, only the file of waivers said. A state of a
/// later version is none: what it means is unknown.
fn waiver(read: WaiverRead, control: ControlId, server: &str) -> Option<Waiver> {
    let WaiverRead { state, owner, reason, approvers, expires, compensating_control, ticket, line } = read;
    let (state, scope) = (WaiverState::from_code(&state)?, server.to_owned());
    Some(Waiver { control, scope, owner, reason, approvers, expires, compensating_control, ticket, line, state })
}

/// A word of another version is unknown, and never a pass.
fn outcome(word: &str) -> Outcome {
    Outcome::from_code(word).unwrap_or(Outcome::Unknown)
}

fn unchecked(reason: &str, detail: String, missing_permission: Option<String>) -> Unchecked {
    let (reason, detail) = match Reason::from_code(reason) {
        Some(reason) => (reason, detail),
        None => (Reason::MalformedAnswer, format!("{reason}: {detail}")),
    };
    let mut unchecked = Unchecked::new(reason, detail);
    unchecked.missing_permission = missing_permission.map(Into::into);
    unchecked
}
