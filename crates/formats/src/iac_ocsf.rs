//! A check of a file as Compliance Findings of the Open Cybersecurity Schema Framework: what would hold after an apply.
//!
//! An event for each rule of a server, and one for each part of the file that could not be understood.

use crate::iac_words::IacOrigin;
use crate::ocsf::{
    self, Account, COMPLIANCE_FINDING, Cloud, Compliance, Event, FindingInfo, Group, Metadata, Resource, Text,
    Unmapped, write_events,
};
use crate::{iac_words, safe, waiver_text};
use hostssl_audit::control;
use hostssl_iac::{IacFinding, IacGap, IacReason, IacReport, IacRule, IacServer};
use hostssl_model::{Confidence, Outcome};
use std::borrow::Cow;
use std::io::{self, Write};

/// Writes the events.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &IacReport, origin: &IacOrigin<'_>) -> io::Result<()> {
    let findings = report.servers.iter().flat_map(|server| server.findings.iter().map(move |one| (server, one)));
    let gaps = report.gaps.iter().map(|gap| of_gap(report, gap, origin));
    write_events(out, findings.map(|(server, one)| of_finding(report, server, one, origin)).chain(gaps))
}

fn of_finding<'a>(
    report: &'a IacReport,
    server: &'a IacServer,
    finding: &'a IacFinding,
    origin: &'a IacOrigin<'_>,
) -> Event<'a> {
    let (severity_id, severity) = ocsf::severity(finding.rule.severity(), finding.outcome);
    let (status_id, status) = ocsf::status(finding.accepted().is_some());
    let message = format!("{}: {}", safe(server.title()), iac_words::what(finding));
    let account = server.id.as_ref().map(|id| {
        let uid = safe(id.subscription().as_str()).into_owned();
        Account::subscription(Cow::Owned(uid.clone()), uid)
    });
    let compliance = match finding.rule {
        IacRule::Control(id) => Compliance::of_control(control(id), finding.outcome),
        rule @ IacRule::ResetRefusesClients => Compliance::of_rule(rule.as_str(), rule.title(), finding.outcome),
    };
    let expected = finding.expected.as_deref().map(safe);
    Event {
        class: COMPLIANCE_FINDING,
        time: origin.checked_at.as_millisecond(),
        severity_id,
        severity,
        status_id,
        status,
        status_detail: finding.waiver.as_deref().map(waiver_text::beside),
        message: message.clone(),
        metadata: Metadata::new(finding.rule.as_str(), origin.tool_version, run(report)),
        cloud: Cloud { provider: "Azure", region: None, account },
        compliance,
        finding_info: FindingInfo { uid: server.fingerprint(finding), title: finding.rule.title(), desc: message },
        remediation: expected.as_ref().map(|expected| Text { desc: format!("Expected: {expected}.") }),
        resources: [Resource {
            // The file knows no id of a server that it creates.
            uid: server.id.as_ref().map_or_else(|| safe(&server.address), |id| safe(id.as_str())),
            name: safe(server.title()),
            kind: Some(server.kind.offering().arm_type.into()),
            region: None,
            group: server.resource_group.as_deref().map(|group| Group { name: safe(group) }),
            cloud_partition: None,
        }],
        unmapped: Unmapped {
            profile: &report.profile,
            outcome: Some(finding.outcome.as_str()),
            confidence: Some(Confidence::Declared.as_str()),
            observed: finding.after.map(|after| iac_words::spelled(finding, after).into()),
            expected,
            reason: finding.reason.map(IacReason::as_str),
            missing_permission: None,
            effect: Some(finding.effect.as_str()),
        },
    }
}

/// What could not be understood, which may be about any server.
fn of_gap<'a>(report: &'a IacReport, gap: &'a IacGap, origin: &'a IacOrigin<'_>) -> Event<'a> {
    let place = safe(gap.address.as_deref().unwrap_or(origin.file)).into_owned();
    let detail = iac_words::gap(gap);
    Event {
        class: COMPLIANCE_FINDING,
        time: origin.checked_at.as_millisecond(),
        severity_id: 0,
        severity: "Unknown",
        status_id: 1,
        status: "New",
        status_detail: None,
        message: detail.clone(),
        metadata: Metadata::new("coverage", origin.tool_version, run(report)),
        cloud: Cloud { provider: "Azure", region: None, account: None },
        compliance: Compliance::of_gap("everything in the file can be understood"),
        finding_info: FindingInfo {
            uid: format!("coverage:{place}:{}", gap.kind),
            title: "part of the file could not be understood",
            desc: detail,
        },
        remediation: None,
        resources: [Resource {
            name: Cow::Owned(place.clone()),
            uid: Cow::Owned(place),
            kind: None,
            region: None,
            group: None,
            cloud_partition: None,
        }],
        unmapped: Unmapped {
            profile: &report.profile,
            outcome: Some(Outcome::Unknown.as_str()),
            confidence: None,
            observed: None,
            expected: None,
            reason: Some(gap.kind.as_str()),
            missing_permission: None,
            effect: None,
        },
    }
}

/// The audit that the file was compared with.
fn run(report: &IacReport) -> Option<&str> {
    report.live.as_ref().map(|live| live.run.as_str())
}
