//! The audit as Compliance Findings of the Open Cybersecurity Schema Framework, for security lakes.
//!
//! An event for each control of a server, and one for each part of the scope that could not be listed: what could not be
//! judged has the status that the schema has for "did not yield a result due to missing information". One array, an
//! event a line.

use crate::ocsf::{
    self, Account, COMPLIANCE_FINDING, Cloud, Compliance, Event, FindingInfo, Group, Metadata, Resource, Text,
    Unmapped, write_events,
};
use crate::standards::remediation;
use crate::{safe, waiver_text};
use hostssl_audit::control;
use hostssl_model::{AuditReport, Finding, Gap, Server, ServerReport};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

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
    write_events(out, events)
}

/// What every event of an audit has.
struct Frame<'a> {
    report: &'a AuditReport,
    time: i64,
    subscriptions: BTreeMap<String, &'a str>,
}

impl<'a> Frame<'a> {
    fn of(report: &'a AuditReport) -> Self {
        let time = report.run.finished_at.parse::<Timestamp>().map_or(0, Timestamp::as_millisecond);
        let subscriptions = report.subscriptions.iter().map(|one| (one.id.to_string(), &*one.name)).collect();
        Self { report, time, subscriptions }
    }

    fn finding(&self, server: &'a ServerReport, finding: &'a Finding) -> Event<'a> {
        let (control, resource) = (control(finding.control), &server.server);
        let (severity_id, severity) = ocsf::severity(finding.severity, finding.outcome);
        let waiver = finding.waiver.as_deref();
        let (status_id, status) = ocsf::status(finding.accepted().is_some());
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
            compliance: Compliance::of_control(control, finding.outcome),
            finding_info: FindingInfo { uid: finding.fingerprint(&resource.id), title: control.title, desc: message },
            remediation: remediation(server, finding).map(|desc| Text { desc }),
            resources: [Resource {
                uid: safe(resource.id.as_str()),
                name: safe(resource.name()),
                kind: Some(resource.kind.offering().arm_type.into()),
                region: Some(safe(&resource.location)),
                group: Some(Group { name: safe(resource.id.resource_group()) }),
                cloud_partition: Some(&self.report.run.cloud),
            }],
            unmapped: Unmapped {
                profile: &self.report.run.profile,
                outcome: Some(finding.outcome.as_str()),
                confidence: Some(finding.confidence.as_str()),
                observed: finding.observed.as_deref().map(safe),
                expected: finding.expected.as_deref().map(safe),
                reason: unchecked.map(|unchecked| unchecked.reason.as_str()),
                missing_permission: unchecked.and_then(|unchecked| unchecked.missing_permission.as_deref()).map(safe),
                effect: None,
            },
        }
    }

    /// Where a server is.
    fn cloud(&self, server: &'a Server) -> Cloud<'a> {
        let uid = server.subscription().to_string();
        let name = self.subscriptions.get(&uid).copied().map_or_else(|| Cow::Owned(uid.clone()), safe);
        let account = Some(Account::subscription(name, uid));
        Cloud { provider: "Azure", region: Some(safe(&server.location)), account }
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
            compliance: Compliance::of_gap("everything in scope can be listed"),
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
                cloud_partition: Some(&self.report.run.cloud),
            }],
            unmapped: Unmapped {
                profile: &self.report.run.profile,
                outcome: None,
                confidence: None,
                observed: None,
                expected: None,
                reason: Some(gap.unchecked.reason.as_str()),
                missing_permission: gap.unchecked.missing_permission.as_deref().map(safe),
                effect: None,
            },
        }
    }

    fn metadata(&self, event_code: &'static str) -> Metadata<'a> {
        Metadata::new(event_code, &self.report.run.tool_version, Some(&self.report.run.id))
    }
}
