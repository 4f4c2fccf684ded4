//! What an evidence pack says of itself, and of each server, as JSON, version 1: frozen.
//!
//! The schemas are committed as `docs/schemas/evidence-v1.schema.json` and `evidence-server-v1.schema.json`.

mod not_packed;

use crate::audit_json::{Gap, Run, Server};
use hostssl_model as model;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// The name and version of the statement of a pack.
pub const SCHEMA: &str = "hostssl/evidence/v1";
/// The name and version of the document of a server.
pub const SERVER_SCHEMA: &str = "hostssl/evidence-server/v1";

/// What a pack is about, and what else is in it.
#[derive(Debug, Clone)]
pub struct EvidenceSummary<'a> {
    /// The audit, with the waivers that were applied to it.
    pub report: &'a model::AuditReport,
    /// Whether it was an audit of a simulated Azure.
    pub simulated: bool,
    /// The fingerprint of the key that signs the pack.
    pub signer: Option<&'a str>,
    /// The version of hostssl that makes the pack.
    pub packed_with: &'a str,
    /// How many servers have a census of clients.
    pub clients: usize,
    /// How many runs that changed servers of the audit.
    pub runs: usize,
    /// How many probes of servers of the audit that were run on their own.
    pub probes: usize,
    /// How many servers have a transcript of this audit's probe.
    pub transcripts: usize,
    /// How many servers have a look of an earlier audit by which they count.
    pub earlier: usize,
    /// How many of those looks have a transcript.
    pub earlier_transcripts: usize,
    /// The ids, in lower case, of the servers that an earlier audit or a probe on its own in the pack looked at.
    pub looked_at_otherwise: &'a BTreeSet<String>,
    /// How many audits of the same scope, this one included.
    pub audits: usize,
    /// What the state keeps of all this and could not be read whole.
    pub missing: &'a [MissingPart],
}

/// Something that belongs into a pack, and that could not be read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingPart {
    /// What it is, such as `run 01a2`.
    pub what: String,
    /// Why it could not be read.
    pub why: String,
}

/// What an evidence pack is.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Statement<'a> {
    /// Name and version of this format.
    schema: &'static str,
    /// The audit.
    audit: AuditOfPack<'a>,
    /// Whether it was an audit of a simulated Azure, and so no evidence of real servers.
    simulated: bool,
    /// The version of hostssl that made the pack.
    packed_with: &'a str,
    /// The fingerprint of the key that signed the pack; null if none did.
    signer: Option<&'a str>,
    /// What could be checked, and what could not.
    coverage: Coverage<'a>,
    /// Whether everything that belongs into the pack could be read. If not, `absent` has what is `damaged`.
    complete: bool,
    /// What is in the pack.
    contents: Contents,
    /// What is not in the pack.
    absent: Vec<Absent>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct AuditOfPack<'a> {
    /// The id of the run.
    run: &'a str,
    /// The run, as it is in `audit.json`.
    details: Run<'a>,
    /// The identities that ran it, one for each tenant.
    identities: Vec<Identity<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    name: &'a str,
    /// Its object id in the directory; null where the token did not say.
    object_id: Option<&'a str>,
    /// The tenant that issued the token; null where the token did not say.
    tenant: Option<&'a str>,
    /// The method of signing in.
    method: &'a str,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Coverage<'a> {
    /// Whether everything in scope was checked.
    complete: bool,
    /// Servers that were found.
    servers: usize,
    /// Of those, the ones whose listeners were not probed.
    servers_not_probed: usize,
    /// Of the servers that were probed, the ones without a transcript of that in `transcripts`.
    servers_without_transcript: usize,
    /// Of the servers that were found, the ones whose clients were never observed.
    servers_without_clients: usize,
    /// Settings that were read.
    settings_read: usize,
    /// Settings that could not be read.
    settings_unknown: usize,
    /// What could not be checked.
    gaps: Vec<Gap<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Contents {
    /// Files in `servers`.
    servers: usize,
    /// Servers in `clients.json`.
    clients: usize,
    /// Runs in `runs`.
    runs: usize,
    /// Probes in `probes`.
    probes: usize,
    /// Files in `transcripts`: what the audit's own probes exchanged; absent if no transcript was kept.
    #[serde(skip_serializing_if = "is_none")]
    transcripts: usize,
    /// Files in `earlier` that are what earlier audits saw of servers that count by it; absent if none do.
    #[serde(skip_serializing_if = "is_none")]
    earlier: usize,
    /// Files in `earlier` that are transcripts: what those audits exchanged; absent if no transcript was kept.
    #[serde(skip_serializing_if = "is_none")]
    earlier_transcripts: usize,
    /// Audits in `history.csv`.
    audits: usize,
    /// Whether `waivers.toml` is there.
    waivers: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_none(count: &usize) -> bool {
    *count == 0
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
struct Absent {
    /// A stable word. More words may be added.
    what: &'static str,
    /// One or two sentences.
    detail: String,
}

/// What is kept of one server.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct ServerEvidence<'a> {
    /// Name and version of this format.
    schema: &'static str,
    /// The id of the audit.
    run: &'a str,
    /// The audit read the server at this time or later. RFC 3339.
    observed_from: &'a str,
    /// The audit read the server before this time. RFC 3339.
    observed_until: &'a str,
    /// Who read it: the identity of its tenant, or all of them if that is not known.
    identities: Vec<Identity<'a>>,
    /// The server and the results, as they are in `audit.json`.
    server: Server<'a>,
    /// Why each control ended as it did.
    explanations: Vec<Explanation>,
    /// What Azure declared, one setting each.
    settings: Vec<Setting<'a>>,
    /// Of a replica, its primary; null for other servers.
    primary: Option<Primary<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
struct Explanation {
    /// The id of the control; `controls` has its page.
    control: &'static str,
    /// What passes.
    asks: &'static str,
    /// `pass`, `fail`, `unknown` or `not-applicable`.
    outcome: &'static str,
    /// Why, in one line.
    why: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Setting<'a> {
    /// Its name.
    setting: &'static str,
    /// The value as Azure spelled it; null if it could not be read.
    value: Option<&'a str>,
    /// Whether a change waits for a restart.
    pending_restart: bool,
    /// The part of Azure's response that declares it, as it was received; null if none is kept.
    response: Option<&'a str>,
    /// The SHA-256 of `response`.
    response_sha256: Option<String>,
    /// Why it could not be read: a stable word. Null if it was read.
    reason: Option<&'static str>,
    /// The action that the identity lacks, when that is the reason.
    missing_permission: Option<&'a str>,
    /// Why it could not be read, in one line; null if it was read.
    detail: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
struct Primary<'a> {
    /// Its resource id; null if it could not be read.
    id: Option<&'a str>,
    /// What Azure declared for it.
    settings: Vec<Setting<'a>>,
    /// Why it could not be read: a stable word. Null if it was read.
    reason: Option<&'static str>,
    /// Why it could not be read, in one line; null if it was read.
    detail: Option<&'a str>,
}

/// The JSON Schema of the statement.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> Value {
    crate::schema::of::<Statement<'_>>(SCHEMA)
}

/// The JSON Schema of the document of a server.
#[cfg(feature = "schema")]
#[must_use]
pub fn server_schema() -> Value {
    crate::schema::of::<ServerEvidence<'_>>(SERVER_SCHEMA)
}

/// The statement of a pack as one JSON value.
///
/// # Errors
///
/// None that a report can cause.
pub fn value(summary: &EvidenceSummary<'_>) -> Result<Value, serde_json::Error> {
    let report = summary.report;
    let servers = report.servers.len();
    let readings = || report.servers.iter().flat_map(|server| &server.readings);
    let read = readings().filter(|(_, reading)| matches!(reading, model::Reading::Known(_))).count();
    serde_json::to_value(Statement {
        schema: SCHEMA,
        audit: AuditOfPack {
            run: &report.run.id,
            details: Run::from(&report.run),
            identities: report.run.principals.iter().map(Identity::from).collect(),
        },
        simulated: summary.simulated,
        packed_with: summary.packed_with,
        signer: summary.signer,
        coverage: Coverage {
            complete: report.run.complete,
            servers,
            servers_not_probed: summary.not_probed(),
            servers_without_transcript: summary.without_transcript(),
            servers_without_clients: servers.saturating_sub(summary.clients),
            settings_read: read,
            settings_unknown: readings().count() - read,
            gaps: report.gaps.iter().map(Gap::from).collect(),
        },
        complete: summary.missing.is_empty(),
        contents: Contents {
            servers,
            clients: summary.clients,
            runs: summary.runs,
            probes: summary.probes,
            transcripts: summary.transcripts,
            earlier: summary.earlier,
            earlier_transcripts: summary.earlier_transcripts,
            audits: summary.audits,
            waivers: report.overlay.waivers.is_some(),
        },
        absent: summary.absent().into_iter().map(|(what, detail)| Absent { what, detail }).collect(),
    })
}

/// The document of one server of an audit as one JSON value.
///
/// # Errors
///
/// None that a report can cause.
pub fn server_value(report: &model::AuditReport, server: &model::ServerReport) -> Result<Value, serde_json::Error> {
    let run = &report.run;
    let subscription = report.subscriptions.iter().find(|one| one.id == server.server.subscription());
    let of_tenant =
        |one: &&model::Principal| one.tenant.is_some() && one.tenant.as_deref() == subscription.map(|one| &*one.tenant);
    let mut identities: Vec<Identity<'_>> = run.principals.iter().filter(of_tenant).map(Identity::from).collect();
    if identities.is_empty() {
        identities = run.principals.iter().map(Identity::from).collect();
    }
    serde_json::to_value(ServerEvidence {
        schema: SERVER_SCHEMA,
        run: &run.id,
        observed_from: &run.started_at,
        observed_until: &run.finished_at,
        identities,
        server: Server::of(server, subscription.map(|one| &*one.name)),
        explanations: server.findings.iter().map(Explanation::from).collect(),
        settings: settings(&server.readings),
        primary: server.primary.as_deref().map(Primary::from),
    })
}

fn settings(readings: &[(model::ParameterName, model::Reading<model::Parameter>)]) -> Vec<Setting<'_>> {
    readings
        .iter()
        .map(|(name, reading)| match reading {
            model::Reading::Known(parameter) => of_known(*name, parameter),
            model::Reading::Unknown(unchecked) => of_unknown(*name, unchecked),
        })
        .collect()
}

fn of_known(name: model::ParameterName, parameter: &model::Parameter) -> Setting<'_> {
    let response = parameter.excerpt.as_deref();
    let hash = |text: &str| model::hex(&Sha256::digest(text));
    Setting {
        setting: name.as_str(),
        value: Some(parameter.value()),
        pending_restart: parameter.pending_restart,
        response,
        response_sha256: response.map(hash),
        reason: None,
        missing_permission: None,
        detail: None,
    }
}

fn of_unknown(name: model::ParameterName, unchecked: &model::Unchecked) -> Setting<'_> {
    Setting {
        setting: name.as_str(),
        value: None,
        pending_restart: false,
        response: None,
        response_sha256: None,
        reason: Some(unchecked.reason.as_str()),
        missing_permission: unchecked.missing_permission.as_deref(),
        detail: Some(&unchecked.detail),
    }
}

impl<'a> From<&'a model::Principal> for Identity<'a> {
    fn from(from: &'a model::Principal) -> Self {
        Self {
            name: &from.name,
            object_id: from.object_id.as_deref(),
            tenant: from.tenant.as_deref(),
            method: &from.method,
        }
    }
}

impl From<&model::Finding> for Explanation {
    fn from(finding: &model::Finding) -> Self {
        let observed = finding.observed.as_deref();
        let why = match (finding.outcome, &finding.unchecked) {
            (model::Outcome::Unknown, Some(unchecked)) => {
                let needs = unchecked.missing_permission.as_deref().map(|action| format!("; needs {action}"));
                format!("{}: {}{}", unchecked.reason.as_str(), unchecked.detail, needs.unwrap_or_default())
            }
            (model::Outcome::Fail, _) => match finding.expected.as_deref() {
                Some(expected) => format!("{}; expected: {expected}", observed.unwrap_or("nothing that passes")),
                None => observed.unwrap_or("nothing that passes").to_owned(),
            },
            (model::Outcome::NotApplicable, _) => {
                observed.unwrap_or("the control does not apply to this server").to_owned()
            }
            _ => observed.unwrap_or_default().to_owned(),
        };
        Self {
            control: finding.control.as_str(),
            asks: hostssl_audit::control(finding.control).title,
            outcome: finding.outcome.as_str(),
            why,
        }
    }
}

impl<'a> From<&'a model::Reading<model::Posture>> for Primary<'a> {
    fn from(reading: &'a model::Reading<model::Posture>) -> Self {
        match reading {
            model::Reading::Known(posture) => Self {
                id: Some(posture.server.id.as_str()),
                settings: settings(&posture.readings),
                reason: None,
                detail: None,
            },
            model::Reading::Unknown(unchecked) => Self {
                id: None,
                settings: Vec::new(),
                reason: Some(unchecked.reason.as_str()),
                detail: Some(&unchecked.detail),
            },
        }
    }
}
