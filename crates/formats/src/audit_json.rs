//! The audit as JSON, version 1: frozen.
//!
//! These structs are apart from the model on purpose. The model may change; what programs read may only grow, and a
//! change of meaning makes a version 2. The schema is committed as `docs/schemas/audit-v1.schema.json`.

use hostssl_model as model;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

mod controls;
mod exit;
mod listener;
mod read;
mod server;
pub(crate) mod waiver;

use controls::Control;
use exit::{Exit, PlacedFinding};
pub use read::{InvalidAuditJson, read};
pub(crate) use server::Server;
use waiver::Waivers;

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
    #[cfg_attr(feature = "schema", schemars(with = "Vec<Server<'a>>"))]
    servers: Servers<'a>,
    /// What could not be checked.
    gaps: Vec<Gap<'a>>,
    /// The controls that were checked, with what standards require of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    controls: Vec<Control>,
    /// What the audit ends with, and why.
    exit: Exit<'a>,
    /// The waivers that were applied to the findings, if the command line named a file of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    waivers: Option<Waivers<'a>>,
    /// Of a kept audit: the failures that the waivers cover, and that none covered when the audit was made; absent if there are
    /// none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    waived_later: Vec<PlacedFinding<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run<'a> {
    /// A UUID, or the key that the audit was given.
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
    /// The same by all that was known when the audit ended, as the console and `hostssl trend` count: what earlier probes
    /// observed counts where this run did not probe. Absent if that makes no difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    known_standings: Option<Standings>,
}

/// The status of the servers, from what Azure declares and what the probes observed: those of this run, or all that are known.
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
    fn new(counted: model::Standings) -> Self {
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
    let none = Servers { reports: &[], subscriptions: &report.subscriptions };
    serde_json::to_value(Audit { servers: none, ..Audit::from(report) })
}

/// One server as it stands in the list of the report.
///
/// # Errors
///
/// None that a report can cause.
pub fn server(
    server: &model::ServerReport,
    subscription_name: Option<&str>,
) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(Server::of(server, subscription_name))
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
                standings: Standings::new(model::Standings::seen(&report.servers)),
                known_standings: report
                    .servers
                    .iter()
                    .any(|server| server.known.is_some())
                    .then(|| Standings::new(model::Standings::of(&report.servers))),
            },
            servers: Servers { reports: &report.servers, subscriptions: &report.subscriptions },
            controls: controls::checked(report),
            gaps: report.gaps.iter().map(Gap::from).collect(),
            exit: Exit::from(report),
            waivers: report.overlay.waivers.as_ref().map(Waivers::from),
            waived_later: report.waived_later().into_iter().map(PlacedFinding::from).collect(),
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

/// Servers that are written one by one, each with the name of its subscription.
#[derive(Debug)]
struct Servers<'a> {
    reports: &'a [model::ServerReport],
    subscriptions: &'a [Arc<model::Subscription>],
}

impl Serialize for Servers<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names: HashMap<&model::SubscriptionId, &str> =
            self.subscriptions.iter().map(|one| (&one.id, &*one.name)).collect();
        let server = |report| Server::of(report, names.get(&report.server.subscription()).copied());
        serializer.collect_seq(self.reports.iter().map(server))
    }
}

impl<'a> From<&'a model::Gap> for Gap<'a> {
    fn from(gap: &'a model::Gap) -> Self {
        Self {
            scope: gap.scope.to_string(),
            reason: gap.unchecked.reason.as_str(),
            missing_permission: gap.unchecked.missing_permission.as_deref(),
            detail: &gap.unchecked.detail,
        }
    }
}
