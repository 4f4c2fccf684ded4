//! The audit as SARIF 2.1.0 (OASIS), for code scanning and for other readers of static analysis.
//!
//! A failed control is a result of kind `fail`; one that could not be judged is `open`, which the standard has for "not
//! enough information to decide". What could not be listed at all is a notification of the invocation, which is then not
//! successful; so is a server of which an earlier probe saw plaintext accepted. Passes are not written: their absence says nothing, and the notifications say whether all was seen.

use crate::earlier_look;
use crate::safe;
use crate::sarif::{
    self, AutomationDetails, Descriptor, Driver, Fingerprints, Invocation, Kind, Level, Location, LogicalLocation,
    LogicalOnly, Notification, Rule, Suppression, Text, Tool, last_segment,
};
use crate::standards::requirements;
use hostssl_audit::{Control, Profile, find};
use hostssl_model::{AuditEnd, AuditReport, ControlId, Finding, Gap, Outcome, Server, ServerReport};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::io::{self, Write};

/// Writes the report as one log with one run. Results are written one by one: the whole is never in memory twice.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &AuditReport) -> io::Result<()> {
    sarif::write(out, Run::from(report))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    automation_details: AutomationDetails<'a>,
    invocations: [Invocation<'a>; 1],
    // A log of an audit may hold logical locations alone; artifacts are for those who display files only.
    column_kind: &'static str,
    results: Results<'a>,
    properties: RunProperties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunProperties<'a> {
    cloud: &'a str,
    profile: &'a str,
    principals: Vec<Cow<'a, str>>,
    complete: bool,
    servers: u64,
}

/// The results, each made when it is written.
struct Results<'a> {
    report: &'a AuditReport,
    /// In the order of the driver's.
    rules: Vec<ControlId>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    kind: Kind,
    level: Level,
    message: Text<'a>,
    locations: [Location; 1],
    partial_fingerprints: Fingerprints,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressions: Option<[Suppression; 1]>,
    properties: ResultProperties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultProperties<'a> {
    resource_id: Cow<'a, str>,
    subscription: String,
    server_kind: &'static str,
    confidence: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_permission: Option<Cow<'a, str>>,
    /// The zones that the listeners were seen from, for a control of the wire.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    zones: Vec<Cow<'a, str>>,
    /// When the oldest of those looks was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_look: Option<&'a str>,
}

impl<'a> From<&'a AuditReport> for Run<'a> {
    fn from(report: &'a AuditReport) -> Self {
        let run = &report.run;
        let controls = controls(report);
        let results = Results { report, rules: controls.iter().map(|control| control.id).collect() };
        Self {
            tool: Tool {
                driver: Driver {
                    name: "hostssl",
                    semantic_version: &run.tool_version,
                    rules: controls.into_iter().map(rule).collect(),
                },
            },
            // The part before the last slash names the kind of analysis: runs of it supersede each other.
            automation_details: AutomationDetails {
                id: format!("hostssl/{}/{}", run.profile, run.id),
                guid: Some(&run.id),
            },
            invocations: [Invocation {
                execution_successful: run.complete && !report.knows_plaintext(),
                exit_code: match report.end() {
                    AuditEnd::Pass => 0,
                    AuditEnd::Findings => 3,
                    AuditEnd::Incomplete => 4,
                },
                start_time_utc: Some(&run.started_at),
                end_time_utc: Some(&run.finished_at),
                tool_execution_notifications: report
                    .gaps
                    .iter()
                    .map(notification)
                    .chain(report.earlier_plaintext().filter_map(|server| earlier_plaintext(server, &run.started_at)))
                    .collect(),
            }],
            column_kind: "unicodeCodePoints",
            results,
            properties: RunProperties {
                cloud: &run.cloud,
                profile: &run.profile,
                principals: run.principals.iter().map(|principal| safe(&principal.name)).collect(),
                complete: run.complete,
                servers: report.summary.servers,
            },
        }
    }
}

/// The controls of the report in the order of reports: those that a finding names, and those that the profile asks for, so
/// that an audit without a finding still says what it judged.
fn controls(report: &AuditReport) -> Vec<&'static Control> {
    let profile = Profile::of_run(&report.run);
    let asked = |control: &Control| {
        profile.as_ref().is_some_and(|profile| profile.controls.iter().any(|one| one.id == control.id))
            || report.servers.iter().any(|server| server.findings.iter().any(|one| one.control == control.id))
    };
    hostssl_audit::ALL.into_iter().filter(|control| asked(control)).collect()
}

fn rule(control: &'static Control) -> Rule {
    Rule::new(control.id.as_str(), control.title, control.severity, control.documentation, requirements(control))
}

fn notification(gap: &Gap) -> Notification<'_> {
    let scope = safe(&gap.scope.to_string()).into_owned();
    Notification {
        level: Level::Error,
        descriptor: Descriptor { id: gap.unchecked.reason.as_str() },
        message: Text { text: format!("{scope} could not be checked: {}", safe(&gap.unchecked.detail)).into() },
        locations: [LogicalOnly { logical_locations: [LogicalLocation::resource(last_segment(&scope), scope)] }],
    }
}

fn earlier_plaintext<'a>(report: &ServerReport, started_at: &str) -> Option<Notification<'a>> {
    let (name, id) = (safe(report.server.name()), safe(report.server.id.as_str()));
    let why = earlier_look::why_worse(report, started_at)?;
    Some(Notification {
        level: Level::Error,
        descriptor: Descriptor { id: "earlier-plaintext" },
        message: Text { text: format!("{name}: {why}, and this audit did not probe it since").into() },
        locations: [LogicalOnly { logical_locations: [LogicalLocation::resource(name.into_owned(), id.into_owned())] }],
    })
}

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let servers = self.report.servers.iter();
        let all = servers.flat_map(|server| server.findings.iter().map(move |finding| (server, finding)));
        serializer.collect_seq(all.filter_map(|(server, finding)| {
            let kind = match finding.outcome {
                Outcome::Fail => Kind::Fail,
                Outcome::Unknown => Kind::Open,
                Outcome::Pass | Outcome::NotApplicable => return None,
            };
            let index = self.rules.iter().position(|id| *id == finding.control);
            Some(SarifResult::new(server, finding, kind, index))
        }))
    }
}

impl<'a> SarifResult<'a> {
    fn new(report: &'a ServerReport, finding: &'a Finding, kind: Kind, rule_index: Option<usize>) -> Self {
        let server = &report.server;
        let fingerprint = finding.fingerprint(&server.id);
        let unchecked = finding.unchecked.as_ref();
        let is_of_wire = find(finding.control.as_str()).is_some_and(|control| control.is_of_the_wire());
        Self {
            rule_id: finding.control.as_str(),
            rule_index,
            kind,
            // A result that is not a failure has no level, says the standard (3.27.10).
            level: if kind == Kind::Fail { Level::from(finding.severity) } else { Level::None },
            message: Text { text: message(server, finding).into() },
            // The resource id stands in for the path.
            locations: [Location::new(
                server.id.as_str(),
                LogicalLocation::resource(safe(server.name()).into_owned(), safe(server.id.as_str()).into_owned()),
            )],
            partial_fingerprints: Fingerprints {
                finding: fingerprint.clone(),
                primary_location_line_hash: fingerprint,
            },
            suppressions: finding.waiver.as_deref().map(|waiver| [Suppression::from(waiver)]),
            properties: ResultProperties {
                resource_id: safe(server.id.as_str()),
                subscription: server.subscription().to_string(),
                server_kind: server.kind.as_str(),
                confidence: finding.confidence.as_str(),
                reason: unchecked.map(|unchecked| unchecked.reason.as_str()),
                missing_permission: unchecked.and_then(|one| one.missing_permission.as_deref()).map(safe),
                zones: if is_of_wire { report.zones().into_iter().map(safe).collect() } else { Vec::new() },
                oldest_look: report.oldest_from_zones().filter(|_| is_of_wire),
            },
        }
    }
}

/// One sentence or two that stand alone: in a list of findings nothing else is shown.
fn message(server: &Server, finding: &Finding) -> String {
    let name = safe(server.name());
    match &finding.unchecked {
        Some(unchecked) => format!("{name} could not be checked: {}.", safe(&unchecked.detail)),
        None => {
            let observed =
                finding.observed.as_deref().map_or_else(|| finding.control.to_string(), |it| safe(it).into());
            let expected = finding.expected.as_deref().map(|it| format!(" Expected: {}.", safe(it)));
            format!("{name}: {observed}.{}", expected.unwrap_or_default())
        }
    }
}
