//! The audit as SARIF 2.1.0 (OASIS), for code scanning and for other readers of static analysis.
//!
//! A failed control is a result of kind `fail`; one that could not be judged is `open`, which the standard has for "not
//! enough information to decide". What could not be listed at all is a notification of the invocation, which is then not
//! successful. Passes are not written: their absence says nothing, and the notifications say whether all was seen.

use crate::{safe, waiver_text};
use hostssl_audit::{Control, Profile};
use hostssl_model::{AuditEnd, AuditReport, ControlId, Finding, Gap, Outcome, Server, ServerReport, Severity, Waiver};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::io::{self, Write};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Writes the report as one log with one run. Results are written one by one: the whole is never in memory twice.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &AuditReport) -> io::Result<()> {
    crate::write_json(out, &Log { schema: SCHEMA, version: "2.1.0", runs: [Run::from(report)] })?;
    writeln!(out)
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
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
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'static str,
    semantic_version: &'a str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    name: String,
    short_description: Text<'static>,
    full_description: Text<'static>,
    help: Help,
    default_configuration: Configuration,
    properties: RuleProperties,
}

#[derive(Serialize)]
struct Text<'a> {
    text: Cow<'a, str>,
}

#[derive(Serialize)]
struct Help {
    text: &'static str,
    markdown: &'static str,
}

#[derive(Serialize)]
struct Configuration {
    level: Level,
}

#[derive(Serialize)]
struct RuleProperties {
    tags: Vec<String>,
    #[serde(rename = "security-severity")]
    security_severity: &'static str,
    precision: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AutomationDetails<'a> {
    id: String,
    guid: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    execution_successful: bool,
    exit_code: u8,
    start_time_utc: &'a str,
    end_time_utc: &'a str,
    tool_execution_notifications: Vec<Notification<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Notification<'a> {
    level: Level,
    descriptor: Descriptor<'a>,
    message: Text<'a>,
    locations: [LogicalOnly; 1],
}

#[derive(Serialize)]
struct Descriptor<'a> {
    id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalOnly {
    logical_locations: [LogicalLocation; 1],
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

/// A waiver. One that does not hold was asked for, and suppresses nothing: the standard calls that rejected (3.35.3).
#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    status: &'static str,
    justification: String,
}

impl From<&Waiver> for Suppression {
    fn from(waiver: &Waiver) -> Self {
        let status = if waiver.is_in_effect() { "accepted" } else { "rejected" };
        let (beside, approvers) = (waiver_text::beside(waiver), waiver.approvers.join(", "));
        // It stands in a file of its own, and not beside the setting.
        Self { kind: "external", status, justification: format!("{beside} (approved by {})", safe(&approvers)) }
    }
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Fail,
    Open,
}

#[derive(Serialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Level {
    None,
    Note,
    Warning,
    Error,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: PhysicalLocation,
    logical_locations: [LogicalLocation; 1],
}

/// Code scanning shows nothing without a file and a line, so the resource id stands in for the path.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    name: String,
    fully_qualified_name: String,
    kind: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fingerprints {
    #[serde(rename = "hostsslFinding/v1")]
    finding: String,
    // The name that code scanning compares; without it, it would compute one from a file that does not exist.
    primary_location_line_hash: String,
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
                    rules: controls.into_iter().map(Rule::from).collect(),
                },
            },
            // The part before the last slash names the kind of analysis: runs of it supersede each other.
            automation_details: AutomationDetails { id: format!("hostssl/{}/{}", run.profile, run.id), guid: &run.id },
            invocations: [Invocation {
                execution_successful: run.complete,
                exit_code: match report.end() {
                    AuditEnd::Pass => 0,
                    AuditEnd::Findings => 3,
                    AuditEnd::Incomplete => 4,
                },
                start_time_utc: &run.started_at,
                end_time_utc: &run.finished_at,
                tool_execution_notifications: report.gaps.iter().map(Notification::from).collect(),
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
    let profile = Profile::find(&report.run.profile).ok();
    let asked = |control: &Control| {
        profile.as_ref().is_some_and(|profile| profile.controls.iter().any(|one| one.id == control.id))
            || report.servers.iter().any(|server| server.findings.iter().any(|one| one.control == control.id))
    };
    hostssl_audit::ALL.into_iter().filter(|control| asked(control)).collect()
}

impl From<&'static Control> for Rule {
    fn from(control: &'static Control) -> Self {
        let mut tags = vec!["security".to_owned(), "postgresql".to_owned(), "encryption-in-transit".to_owned()];
        for mapping in control.mappings {
            tags.extend(mapping.requirements.iter().map(|requirement| {
                [mapping.standard, mapping.version, requirement].map(str::trim).join(" ").replace("  ", " ")
            }));
        }
        Self {
            id: control.id.as_str(),
            name: pascal(control.id.as_str()),
            short_description: Text { text: control.title.into() },
            full_description: Text { text: format!("Passes when {}.", control.title).into() },
            help: Help { text: control.documentation, markdown: control.documentation },
            default_configuration: Configuration { level: Level::from(control.severity) },
            properties: RuleProperties { tags, security_severity: band(control.severity), precision: "very-high" },
        }
    }
}

/// `require-secure-transport` as `RequireSecureTransport`, which the standard asks of a rule's name.
fn pascal(id: &str) -> String {
    let upper = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    id.split('-').map(upper).collect()
}

/// Code scanning wants a number and shows a word: below 4.0 low, below 7.0 medium, below 9.0 high. These are not scores of
/// anything; each only lands in the band of its word.
fn band(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "3.0",
        Severity::Medium => "6.0",
        Severity::High => "8.0",
    }
}

impl From<Severity> for Level {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Low => Self::Note,
            Severity::Medium => Self::Warning,
            Severity::High => Self::Error,
        }
    }
}

impl<'a> From<&'a Gap> for Notification<'a> {
    fn from(gap: &'a Gap) -> Self {
        let scope = safe(&gap.scope.to_string()).into_owned();
        Self {
            level: Level::Error,
            descriptor: Descriptor { id: gap.blind.reason.as_str() },
            message: Text { text: format!("{scope} could not be checked: {}", safe(&gap.blind.detail)).into() },
            locations: [LogicalOnly {
                logical_locations: [LogicalLocation {
                    name: last_segment(&scope),
                    fully_qualified_name: scope,
                    kind: "resource",
                }],
            }],
        }
    }
}

fn last_segment(id: &str) -> String {
    id.rsplit('/').find(|segment| !segment.is_empty()).unwrap_or(id).to_owned()
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
        let unchecked = finding.blind.as_ref();
        Self {
            rule_id: finding.control.as_str(),
            rule_index,
            kind,
            // A result that is not a failure has no level, says the standard (3.27.10).
            level: if kind == Kind::Fail { Level::from(finding.severity) } else { Level::None },
            message: Text { text: message(server, finding).into() },
            locations: [Location {
                physical_location: PhysicalLocation {
                    artifact_location: ArtifactLocation { uri: relative_uri(server.id.as_str()) },
                    region: Region { start_line: 1 },
                },
                logical_locations: [LogicalLocation {
                    name: safe(server.name()).into_owned(),
                    fully_qualified_name: safe(server.id.as_str()).into_owned(),
                    kind: "resource",
                }],
            }],
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
            },
        }
    }
}

/// One sentence or two that stand alone: in a list of findings nothing else is shown.
fn message(server: &Server, finding: &Finding) -> String {
    let name = safe(server.name());
    match &finding.blind {
        Some(unchecked) => format!("{name} could not be checked: {}.", safe(&unchecked.detail)),
        None => {
            let observed =
                finding.observed.as_deref().map_or_else(|| finding.control.to_string(), |it| safe(it).into());
            let expected = finding.expected.as_deref().map(|it| format!(" Expected: {}.", safe(it)));
            format!("{name}: {observed}.{}", expected.unwrap_or_default())
        }
    }
}

/// A resource id as a relative URI (RFC 3986): everything but unreserved characters and slashes is percent-encoded.
fn relative_uri(id: &str) -> String {
    let mut uri = String::with_capacity(id.len());
    for byte in id.trim_start_matches('/').bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_id_is_a_relative_uri() {
        assert_eq!(relative_uri("/subscriptions/s/a b/ü%"), "subscriptions/s/a%20b/%C3%BC%25");
    }

    #[test]
    fn rules_are_named_as_the_standard_asks() {
        assert_eq!(pascal("require-secure-transport"), "RequireSecureTransport");
    }
}
