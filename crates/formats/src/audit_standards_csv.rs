//! The audit as CSV by standard: one row for each requirement of a standard and each server. The rows of one standard stand
//! together, so that one standard can be cut out and handed on.

use crate::csv_cell::{inert, unwrapped};
use crate::waiver_text::beside;
use hostssl_audit::{Control, Mapping};
use hostssl_model::{AuditReport, Finding, Outcome, ServerReport, SubscriptionId};
use std::collections::HashMap;
use std::io::{self, Write};

const HEADINGS: [&str; 16] = [
    "standard",
    "version",
    "requirement",
    "basis",
    "control",
    "severity",
    "subscription",
    "subscriptionId",
    "resourceGroup",
    "name",
    "id",
    "outcome",
    "observed",
    "reason",
    "waivedUntil",
    "waiver",
];

/// Writes a whole report: the standards that are named, or every one where none is. A server to which a control does not apply has no row for its requirements.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &AuditReport, named: &[&str]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(HEADINGS).map_err(unwrapped)?;
    let names: HashMap<&SubscriptionId, &str> = report.subscriptions.iter().map(|one| (&one.id, &*one.name)).collect();
    let mut mapped: Vec<(&Mapping, &Control)> = hostssl_audit::ALL
        .into_iter()
        .flat_map(|control| control.mappings.iter().map(move |one| (one, control)))
        .filter(|(mapping, _)| named.is_empty() || named.contains(&mapping.standard))
        .collect();
    mapped.sort_by_key(|(mapping, _)| (mapping.standard, mapping.version));
    for (mapping, control) in mapped {
        for requirement in mapping.requirements {
            for server in &report.servers {
                let applies = |one: &&Finding| one.control == control.id && one.outcome != Outcome::NotApplicable;
                let Some(finding) = server.findings.iter().find(applies) else { continue };
                let id = server.server.subscription();
                let subscription = names.get(&id).copied().unwrap_or_default();
                let row = row(mapping, requirement, server, finding, subscription);
                writer.write_record(row.map(|cell| inert(&cell))).map_err(unwrapped)?;
            }
        }
    }
    writer.flush()
}

fn row(
    mapping: &Mapping,
    requirement: &str,
    server: &ServerReport,
    finding: &Finding,
    subscription: &str,
) -> [String; 16] {
    let id = &server.server.id;
    [
        mapping.standard,
        mapping.version,
        requirement,
        mapping.basis.as_str(),
        finding.control.as_str(),
        finding.severity.as_str(),
        subscription,
        server.server.subscription().as_str(),
        id.resource_group(),
        id.name(),
        id.as_str(),
        finding.outcome.as_str(),
        finding.observed.as_deref().unwrap_or_default(),
        finding.unchecked.as_ref().map_or("", |unchecked| unchecked.reason.as_str()),
        finding.accepted().map_or("", |waiver| waiver.expires.as_str()),
        finding.waiver.as_deref().map(beside).as_deref().unwrap_or_default(),
    ]
    .map(str::to_owned)
}
