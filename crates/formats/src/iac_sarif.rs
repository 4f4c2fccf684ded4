//! A check of a file as SARIF 2.1.0, for code scanning.
//!
//! A failure is a result of kind `fail`, what is not known is `open`, and a part of the file that could not be understood is a
//! notification. Results are at the file, because JSON that a program wrote has no lines that people know; the address of the
//! resource is the logical location.

use crate::sarif::{
    self, AutomationDetails, Descriptor, Driver, Fingerprints, Invocation, Kind, Level, Location, LogicalLocation,
    LogicalOnly, Notification, Rule, Suppression, Text, Tool, last_segment,
};
use crate::{iac_words, safe};
use hostssl_iac::{IacFinding, IacGap, IacReport, IacRule, IacServer};
use hostssl_model::{AuditEnd, Outcome};
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    automation_details: AutomationDetails<'a>,
    invocations: [Invocation<'a>; 1],
    column_kind: &'static str,
    results: Vec<SarifResult<'a>>,
    properties: RunProperties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunProperties<'a> {
    format: &'static str,
    profile: &'a str,
    complete: bool,
    servers: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'static str,
    rule_index: usize,
    kind: Kind,
    level: Level,
    message: Text<'a>,
    locations: [Location; 1],
    partial_fingerprints: Fingerprints,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressions: Option<[Suppression; 1]>,
    properties: ResultProperties,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<String>,
    server_kind: &'static str,
    setting: &'static str,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Writes the report of a file that is called so.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &IacReport, file: &str, tool_version: &str) -> io::Result<()> {
    let findings = report.servers.iter().flat_map(|server| server.findings.iter().map(move |one| (server, one)));
    let rules: Vec<IacRule> = findings.clone().map(|(_, one)| one.rule).collect::<BTreeSet<_>>().into_iter().collect();
    let results = findings.filter_map(|(server, finding)| result(server, finding, file, &rules));
    let code = match report.end() {
        AuditEnd::Pass => 0,
        AuditEnd::Findings => 3,
        AuditEnd::Incomplete => 4,
    };
    let described = |rule: &IacRule| {
        Rule::new(
            rule.as_str(),
            rule.title(),
            rule.severity(),
            rule.documentation(),
            ["infrastructure-as-code".to_owned()],
        )
    };
    let run = Run {
        tool: Tool {
            driver: Driver {
                name: "hostssl",
                semantic_version: tool_version,
                rules: rules.iter().map(described).collect(),
            },
        },
        // The part before the last slash names the kind of analysis, so that it does not supersede audits.
        automation_details: AutomationDetails { id: format!("hostssl-iac/{}/", report.profile), guid: None },
        invocations: [Invocation {
            execution_successful: report.gaps.is_empty(),
            exit_code: code,
            start_time_utc: None,
            end_time_utc: None,
            tool_execution_notifications: report.gaps.iter().map(|gap| notification(gap, file)).collect(),
        }],
        column_kind: "unicodeCodePoints",
        results: results.collect(),
        properties: RunProperties {
            format: report.format.as_str(),
            profile: &report.profile,
            complete: report.gaps.is_empty(),
            servers: report.summary().servers,
        },
    };
    sarif::write(out, run)
}

fn result<'a>(server: &IacServer, finding: &IacFinding, file: &str, rules: &[IacRule]) -> Option<SarifResult<'a>> {
    let (kind, level) = match finding.outcome {
        Outcome::Fail => (Kind::Fail, Level::from(finding.rule.severity())),
        // A result that is not a failure has no level, says the standard (3.27.10).
        Outcome::Unknown => (Kind::Open, Level::None),
        Outcome::Pass | Outcome::NotApplicable => return None,
    };
    let address = safe(&finding.address).into_owned();
    let fingerprint = server.fingerprint(finding);
    Some(SarifResult {
        rule_id: finding.rule.as_str(),
        rule_index: rules.iter().position(|rule| *rule == finding.rule)?,
        kind,
        level,
        message: Text { text: format!("{}: {}.", safe(server.title()), iac_words::what(finding)).into() },
        locations: [Location::new(path(file), LogicalLocation::resource(safe(server.title()).into_owned(), address))],
        partial_fingerprints: Fingerprints { finding: fingerprint.clone(), primary_location_line_hash: fingerprint },
        suppressions: finding.waiver.as_deref().map(|waiver| [Suppression::from(waiver)]),
        properties: ResultProperties {
            resource_id: server.id.as_ref().map(|id| safe(id.as_str()).into_owned()),
            server_kind: server.kind.as_str(),
            setting: finding.setting.key(),
            effect: finding.effect.as_str(),
            reason: finding.reason.map(hostssl_iac::IacReason::as_str),
        },
    })
}

fn notification<'a>(gap: &'a IacGap, file: &str) -> Notification<'a> {
    let place = safe(gap.address.as_deref().unwrap_or(file)).into_owned();
    Notification {
        level: Level::Error,
        descriptor: Descriptor { id: gap.kind.as_str() },
        message: Text { text: iac_words::gap(gap).into() },
        locations: [LogicalOnly { logical_locations: [LogicalLocation::resource(last_segment(&place), place)] }],
    }
}

/// The path in a log: standard input has none.
fn path(file: &str) -> &str {
    if file == "-" { "stdin" } else { file.trim_start_matches("./") }
}
