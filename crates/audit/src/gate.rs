//! How an audit ends by the rules of a gate, where failures that are waived do not count: a decision over its report,
//! and over an earlier one where only what is new counts.
//!
//! A gate chooses which failures count. It never makes what could not be checked a pass: an audit that did not see
//! everything, or that is compared with one of other rules or another scope, never passes.

use crate::{Difference, ListedBy, diff};
use hostssl_model::{
    Apart, AuditEnd, AuditReport, BaselineUse, ControlId, FailOn, Finding, FindingPlace, Gated, Outcome, ResourceId,
    Scope, Severity, WaiverState,
};
use std::collections::BTreeSet;

/// Decides how an audit ends. Without a rule in `fail_on`, every failure counts. Without a `baseline`, every failure is
/// new.
#[must_use]
pub fn gate(report: &AuditReport, fail_on: &[FailOn], baseline: Option<&AuditReport>) -> Gated {
    let fail_on = if fail_on.is_empty() { vec![FailOn::Fail] } else { fail_on.to_vec() };
    let known = baseline.map(|baseline| Known::of(baseline, report));
    let counts = |place: FindingPlace, finding: &Finding| {
        let fails = finding.fails_unwaived();
        fail_on.iter().any(|rule| match rule {
            FailOn::Fail => fails,
            FailOn::High => fails && finding.severity == Severity::High,
            FailOn::New => fails && !known.as_ref().is_some_and(|known| known.failures.contains(&place)),
            FailOn::Unknown => finding.outcome == Outcome::Unknown,
            FailOn::Never => false,
        })
    };
    let all = || places(report);
    let counted: Vec<FindingPlace> = all().filter(|(place, one)| counts(*place, one)).map(|(place, _)| place).collect();
    let unknown = all().filter(|(_, one)| one.outcome == Outcome::Unknown).map(|(place, _)| place);
    let unknown: Vec<FindingPlace> = unknown.collect();
    let saw_all = unknown.is_empty() && report.run.complete && !report.knows_plaintext();
    let compares = known.as_ref().is_none_or(|known| known.used.serves() && known.used.not_visible == 0);
    let (end, decided_by) = if !counted.is_empty() || (fail_on.contains(&FailOn::Unknown) && !saw_all) {
        (AuditEnd::Findings, counted)
    } else if !saw_all || !compares {
        (AuditEnd::Incomplete, unknown)
    } else {
        (AuditEnd::Pass, Vec::new())
    };
    Gated { fail_on, baseline: known.map(|known| known.used), end, decided_by }
}

/// Every finding and where it stands.
fn places(report: &AuditReport) -> impl Iterator<Item = (FindingPlace, &Finding)> {
    report.servers.iter().enumerate().flat_map(|(server, one)| {
        one.findings.iter().enumerate().map(move |(finding, one)| (FindingPlace { server, finding }, one))
    })
}

/// What is known by a baseline.
struct Known {
    used: BaselineUse,
    /// What fails as it did in the baseline.
    failures: BTreeSet<FindingPlace>,
}

impl Known {
    fn of(baseline: &AuditReport, report: &AuditReport) -> Self {
        let compared = diff(baseline, report);
        let worse =
            compared.changes.iter().filter(|one| matches!(one.difference, Difference::New | Difference::Changed));
        let worse: BTreeSet<(&ResourceId, ControlId)> =
            worse.filter_map(|one| Some((&one.server.id, one.control()?))).collect();
        // What was accepted for a time is not known for good once that time is over.
        let waived = baseline.waived();
        let has_expired =
            |one: &Finding| one.waiver.as_ref().is_some_and(|waiver| waiver.state == WaiverState::Expired);
        let fails = |one: &Finding| {
            one.outcome == Outcome::Fail && !has_expired(one) && !compared.not_compared.contains(&one.control)
        };
        let is_known = |place: FindingPlace, one: &Finding| {
            let Some(server) = report.servers.get(place.server) else { return false };
            let id = &server.server.id;
            // What the baseline was not asked for, it does not know.
            let is_asked = !compared.not_in_scope.iter().any(|other| other.server.server.id == *id);
            is_asked && fails(one) && !worse.contains(&(id, one.control)) && !waived.contains(&one.fingerprint(id))
        };
        let not_asked = compared.not_in_scope.iter().filter(|one| one.listed == ListedBy::Before).count();
        let failures: BTreeSet<FindingPlace> =
            places(report).filter(|(place, one)| is_known(*place, one)).map(|(place, _)| place).collect();
        let used = BaselineUse {
            run: baseline.run.id.clone(),
            finished_at: baseline.run.finished_at.clone(),
            profile: baseline.run.profile.clone(),
            same_profile: baseline.run.profile == report.run.profile,
            same_scope: compared.apart.is_none() && same_scope(&baseline.run.scope, &report.run.scope),
            other_cloud: (compared.apart == Some(Apart::Clouds)).then(|| baseline.run.cloud.clone()),
            other_tenants: compared.apart == Some(Apart::Tenants),
            not_checked: compared.not_compared.iter().copied().filter(|control| !judges(report, *control)).collect(),
            not_visible: (compared.count(Difference::NotVisible) + not_asked) as u64,
            known: failures.len() as u64,
            not_compared: compared.not_compared,
        };
        Self { used, failures }
    }
}

/// Whether an audit checked a control of any server.
fn judges(report: &AuditReport, control: ControlId) -> bool {
    places(report).any(|(_, finding)| finding.control == control)
}

/// Whether two scopes name the same places, in any order and any case of the letters.
fn same_scope(a: &Scope, b: &Scope) -> bool {
    let lists = |scope: &Scope| {
        [
            &scope.tenants,
            &scope.management_groups,
            &scope.subscriptions,
            &scope.resource_groups,
            &scope.servers,
            &scope.tags,
            &scope.except,
        ]
        .map(|names| names.iter().map(|name| name.to_lowercase()).collect::<BTreeSet<_>>())
    };
    lists(a) == lists(b)
}
