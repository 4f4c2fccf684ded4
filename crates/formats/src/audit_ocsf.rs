//! The audit as Compliance Findings of the Open Cybersecurity Schema Framework (class 2003, OCSF 1.5.0), for security
//! lakes.
//!
//! An event for each control of a server, and one for each part of the scope that could not be listed: what could not be
//! judged has the status that the schema has for "did not yield a result due to missing information". One array, an
//! event a line.

use crate::json_text::write_json_line;
use crate::standards::remediation;
use crate::{safe, waiver_text};
use hostssl_audit::{Control, Mapping, control};
use hostssl_model::{AuditReport, Finding, Gap, Outcome, Server, ServerReport, Severity};
use jiff::Timestamp;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

const VERSION: &str = "1.5.0";

/// Writes the events. They are made one by one: the whole is never in memory twice.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &AuditReport) -> io::Result<()> {
    let frame = Frame::of(report);
    let places = report.gaps.iter().filter(|gap| gap.unchecked.reason.leaves_incomplete() && !gap.scope.is_server());
    let findings = report.servers.iter().flat_map(|server| server.findings.iter().map(move |one| (server, one)));
    let events =
        findings.map(|(server, finding)| frame.finding(server, finding)).chain(places.map(|gap| frame.gap(gap)));
    let mut lead = "[\n";
    for event in events {
        out.write_all(lead.as_bytes())?;
        write_json_line(out, &event)?;
        lead = ",\n";
    }
    writeln!(out, "{}", if lead == "[\n" { "[]" } else { "\n]" })
}

/// What every event of an audit has.
struct Frame<'a> {
    report: &'a AuditReport,
    time: i64,
    subscriptions: BTreeMap<String, &'a str>,
}

/// What kind of event it is.
#[derive(Serialize)]
struct EventClass {
    activity_id: u8,
    activity_name: &'static str,
    category_uid: u8,
    category_name: &'static str,
    class_uid: u16,
    class_name: &'static str,
    type_uid: u32,
    type_name: &'static str,
}

const COMPLIANCE_FINDING: EventClass = EventClass {
    activity_id: 1,
    activity_name: "Create",
    category_uid: 2,
    category_name: "Findings",
    class_uid: 2003,
    class_name: "Compliance Finding",
    // The class and the activity in one number.
    type_uid: 200_301,
    type_name: "Compliance Finding: Create",
};

#[derive(Serialize)]
struct Event<'a> {
    #[serde(flatten)]
    class: EventClass,
    time: i64,
    severity_id: u8,
    severity: &'static str,
    status_id: u8,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<String>,
    message: String,
    metadata: Metadata<'a>,
    cloud: Cloud<'a>,
    compliance: Compliance,
    finding_info: FindingInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    remediation: Option<Text>,
    resources: [Resource<'a>; 1],
    unmapped: Unmapped<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    version: &'static str,
    profiles: [&'static str; 1],
    product: Product<'a>,
    event_code: &'static str,
    correlation_uid: &'a str,
}

#[derive(Serialize)]
struct Product<'a> {
    name: &'static str,
    vendor_name: &'static str,
    version: &'a str,
}

#[derive(Serialize)]
struct Cloud<'a> {
    provider: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Account<'a>>,
}

#[derive(Serialize)]
struct Account<'a> {
    name: Cow<'a, str>,
    uid: String,
    #[serde(rename = "type")]
    kind: &'static str,
    type_id: u8,
}

#[derive(Serialize)]
struct Compliance {
    control: &'static str,
    desc: &'static str,
    standards: Vec<String>,
    requirements: Vec<&'static str>,
    status_id: u8,
    status: &'static str,
}

#[derive(Serialize)]
struct FindingInfo {
    uid: String,
    title: &'static str,
    desc: String,
}

#[derive(Serialize)]
struct Text {
    desc: String,
}

#[derive(Serialize)]
struct Resource<'a> {
    uid: Cow<'a, str>,
    name: Cow<'a, str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Group<'a>>,
    cloud_partition: &'a str,
}

#[derive(Serialize)]
struct Group<'a> {
    name: Cow<'a, str>,
}

/// What the schema has no place for, in the words of hostssl's own JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Unmapped<'a> {
    profile: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_permission: Option<Cow<'a, str>>,
}

impl<'a> Frame<'a> {
    fn of(report: &'a AuditReport) -> Self {
        let time = report.run.finished_at.parse::<Timestamp>().map_or(0, Timestamp::as_millisecond);
        let subscriptions = report.subscriptions.iter().map(|one| (one.id.to_string(), &*one.name)).collect();
        Self { report, time, subscriptions }
    }

    fn finding(&self, server: &'a ServerReport, finding: &'a Finding) -> Event<'a> {
        let (control, resource) = (control(finding.control), &server.server);
        let counts = matches!(finding.outcome, Outcome::Fail | Outcome::Unknown);
        let (severity_id, severity) = if counts { severity(finding.severity) } else { (1, "Informational") };
        let waiver = finding.waiver.as_deref();
        let (status_id, status) = if finding.accepted().is_some() { (3, "Suppressed") } else { (1, "New") };
        let unchecked = finding.unchecked.as_ref();
        let observed = match (unchecked, finding.observed.as_deref()) {
            (Some(unchecked), _) => format!("could not be checked: {}", safe(&unchecked.detail)),
            (None, Some(observed)) => safe(observed).into_owned(),
            (None, None) => finding.outcome.to_string(),
        };
        let message = format!("{}: {observed}", safe(resource.name()));
        Event {
            class: COMPLIANCE_FINDING,
            time: self.time,
            severity_id,
            severity,
            status_id,
            status,
            status_detail: waiver.map(waiver_text::beside),
            message: message.clone(),
            metadata: self.metadata(finding.control.as_str()),
            cloud: self.cloud(resource),
            compliance: compliance(control, finding.outcome),
            finding_info: FindingInfo { uid: finding.fingerprint(&resource.id), title: control.title, desc: message },
            remediation: remediation(finding).map(|desc| Text { desc }),
            resources: [Resource {
                uid: safe(resource.id.as_str()),
                name: safe(resource.name()),
                kind: Some(resource.kind.offering().arm_type.into()),
                region: Some(safe(&resource.location)),
                group: Some(Group { name: safe(resource.id.resource_group()) }),
                cloud_partition: &self.report.run.cloud,
            }],
            unmapped: Unmapped {
                profile: &self.report.run.profile,
                outcome: Some(finding.outcome.as_str()),
                confidence: Some(finding.confidence.as_str()),
                observed: finding.observed.as_deref().map(safe),
                expected: finding.expected.as_deref().map(safe),
                reason: unchecked.map(|unchecked| unchecked.reason.as_str()),
                missing_permission: unchecked.and_then(|unchecked| unchecked.missing_permission.as_deref()).map(safe),
            },
        }
    }

    /// Where a server is.
    fn cloud(&self, server: &'a Server) -> Cloud<'a> {
        let uid = server.subscription().to_string();
        let name = self.subscriptions.get(&uid).copied().map_or_else(|| Cow::Owned(uid.clone()), safe);
        let account = Account { name, uid, kind: "Azure subscription", type_id: 99 };
        Cloud { provider: "Azure", region: Some(safe(&server.location)), account: Some(account) }
    }

    /// What could not be listed, which may hold any server.
    fn gap(&self, gap: &'a Gap) -> Event<'a> {
        let place = safe(&gap.scope.to_string()).into_owned();
        let detail = format!("could not be checked: {}: {}", gap.unchecked.reason, safe(&gap.unchecked.detail));
        Event {
            class: COMPLIANCE_FINDING,
            time: self.time,
            severity_id: 0,
            severity: "Unknown",
            status_id: 1,
            status: "New",
            status_detail: None,
            message: format!("{place}: {detail}"),
            metadata: self.metadata("coverage"),
            cloud: Cloud { provider: "Azure", region: None, account: None },
            compliance: Compliance {
                control: "coverage",
                desc: "everything in scope can be listed",
                standards: Vec::new(),
                requirements: Vec::new(),
                status_id: WARNING.0,
                status: WARNING.1,
            },
            finding_info: FindingInfo {
                uid: format!("coverage:{place}:{}", gap.unchecked.reason),
                title: "part of the scope could not be listed",
                desc: detail,
            },
            remediation: None,
            resources: [Resource {
                name: Cow::Owned(place.rsplit('/').next().unwrap_or(&place).to_owned()),
                uid: Cow::Owned(place),
                kind: None,
                region: None,
                group: None,
                cloud_partition: &self.report.run.cloud,
            }],
            unmapped: Unmapped {
                profile: &self.report.run.profile,
                outcome: None,
                confidence: None,
                observed: None,
                expected: None,
                reason: Some(gap.unchecked.reason.as_str()),
                missing_permission: gap.unchecked.missing_permission.as_deref().map(safe),
            },
        }
    }

    fn metadata(&self, event_code: &'static str) -> Metadata<'a> {
        let product = Product { name: "hostssl", vendor_name: "hostssl", version: &self.report.run.tool_version };
        Metadata { version: VERSION, profiles: ["cloud"], product, event_code, correlation_uid: &self.report.run.id }
    }
}

/// "The compliance check did not yield a result due to missing information."
const WARNING: (u8, &str) = (2, "Warning");

fn compliance(control: &'static Control, outcome: Outcome) -> Compliance {
    let (status_id, status) = match outcome {
        Outcome::Pass => (1, "Pass"),
        Outcome::Unknown => WARNING,
        Outcome::Fail => (3, "Fail"),
        Outcome::NotApplicable => (99, "Not applicable"),
    };
    let standard = |mapping: &Mapping| format!("{} {}", mapping.standard, mapping.version).trim().to_owned();
    Compliance {
        control: control.id.as_str(),
        desc: control.title,
        standards: control.mappings.iter().map(standard).collect(),
        requirements: control.mappings.iter().flat_map(|mapping| mapping.requirements.iter().copied()).collect(),
        status_id,
        status,
    }
}

fn severity(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
    }
}
