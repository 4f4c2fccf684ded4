//! What decided how an audit ends, in sentences.

use crate::safe;
use hostssl_model::{AuditEnd, AuditReport, Gated};

/// Findings that are named.
const NAMED: usize = 5;

/// What decided, and by which baseline. Nothing without a gate.
#[must_use]
pub fn decided(report: &AuditReport) -> Vec<String> {
    let Some(gate) = &report.overlay.gate else { return Vec::new() };
    let rules: Vec<&str> = gate.fail_on.iter().map(|rule| rule.as_str()).collect();
    let mut lines = vec![format!("gate (--fail-on {}): {}", rules.join(","), what(report, gate))];
    if let Some(baseline) = &gate.baseline {
        lines.push(format!(
            "baseline: {} of {}, {}; known failures: {}",
            safe(&baseline.run),
            safe(&baseline.finished_at),
            safe(&baseline.profile),
            baseline.known
        ));
    }
    lines
}

fn what(report: &AuditReport, gate: &Gated) -> String {
    match gate.end {
        AuditEnd::Pass => "no finding counts".to_owned(),
        AuditEnd::Incomplete => "no finding counts, but not everything could be checked and compared".to_owned(),
        AuditEnd::Findings if gate.decided_by.is_empty() => "not everything could be checked".to_owned(),
        AuditEnd::Findings => {
            let named: Vec<String> = report
                .decisive()
                .take(NAMED)
                .map(|(server, finding)| format!("{} {}", safe(server.name()), finding.control))
                .collect();
            let more = gate.decided_by.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let noun = if gate.decided_by.len() == 1 { "finding counts" } else { "findings count" };
            format!("{} {noun}: {}{more}", gate.decided_by.len(), named.join(", "))
        }
    }
}

/// Why the baseline cannot say that nothing is new, or not of everything. Nothing without a baseline.
#[must_use]
pub fn doubts(report: &AuditReport) -> Vec<String> {
    let mut doubts = Vec::new();
    let Some(baseline) = report.overlay.gate.as_ref().and_then(|gate| gate.baseline.as_ref()) else { return doubts };
    let another = |what: &str| {
        format!(
            "the baseline has another {what}, so this audit does not pass: make a new baseline with an audit like this one"
        )
    };
    if !baseline.same_profile {
        doubts.push(another(&format!("profile, {} and not {}", safe(&baseline.profile), safe(&report.run.profile))));
    }
    if let Some(cloud) = &baseline.other_cloud {
        doubts.push(another(&format!("cloud, {} and not {}", safe(cloud), safe(&report.run.cloud))));
    } else if baseline.other_tenants {
        doubts
            .push("the baseline is of other tenants, so this audit does not pass: make a new baseline here".to_owned());
    } else if !baseline.same_scope {
        doubts.push(another("scope"));
    }
    if !baseline.not_checked.is_empty() {
        let ids: Vec<&str> = baseline.not_checked.iter().map(|id| id.as_str()).collect();
        doubts.push(format!(
            "the baseline checked more than this audit, so this audit does not pass: {}",
            ids.join(", ")
        ));
    }
    if !baseline.not_compared.is_empty() {
        let ids: Vec<&str> = baseline.not_compared.iter().map(|id| id.as_str()).collect();
        doubts.push(format!(
            "checked in only one of the audits, or by other rules, so what fails counts as new: {}",
            ids.join(", ")
        ));
    }
    if baseline.not_visible > 0 {
        let noun = if baseline.not_visible == 1 { "result" } else { "results" };
        doubts.push(format!("{} {noun} of the baseline could not be checked now", baseline.not_visible));
    }
    doubts
}
