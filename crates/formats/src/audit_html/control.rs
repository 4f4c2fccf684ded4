//! What each control found, and which standards ask for it.

use hostssl_audit::{Control, Profile};
use hostssl_model::{AuditReport, Outcome};

/// A control with its results.
pub(super) struct ControlSummary {
    pub(super) control: &'static Control,
    /// Failures without a waiver that holds.
    pub(super) fail: u64,
    pub(super) waived: u64,
    pub(super) unknown: u64,
    pub(super) pass: u64,
    /// Each standard with its version and requirements.
    pub(super) standards: Vec<String>,
}

/// The controls that were checked, in the order of reports; of an audit without a server, those of its profile.
pub(super) fn controls(report: &AuditReport) -> Vec<ControlSummary> {
    let profile = Profile::of_run(&report.run);
    let of_profile = |control: &Control| {
        report.servers.is_empty()
            && profile.as_ref().is_some_and(|it| it.controls.iter().any(|one| one.id == control.id))
    };
    let summaries = hostssl_audit::ALL.into_iter().filter_map(|control| {
        let of = || report.servers.iter().flat_map(|server| &server.findings).filter(|one| one.control == control.id);
        let count = |outcome| of().filter(|finding| finding.outcome == outcome).count() as u64;
        if !of_profile(control) && of().next().is_none() {
            return None;
        }
        let waived = of().filter(|finding| finding.accepted().is_some()).count() as u64;
        Some(ControlSummary {
            control,
            fail: of().filter(|finding| finding.fails_unwaived()).count() as u64,
            waived,
            unknown: count(Outcome::Unknown),
            pass: count(Outcome::Pass),
            standards: standards(control),
        })
    });
    summaries.collect()
}

fn standards(control: &Control) -> Vec<String> {
    let mappings = control.mappings.iter();
    let named = mappings.map(|one| format!("{} {}: {}", one.standard, one.version, one.requirements.join(", ")));
    named.map(|text| text.replace(" :", ":")).collect()
}

/// What of the profile was not checked on any server: it was not asked for.
pub(super) fn left_out(report: &AuditReport) -> Vec<&'static str> {
    let Ok(profile) = Profile::find(&report.run.profile) else { return Vec::new() };
    let checked = |id| report.servers.iter().any(|server| server.findings.iter().any(|one| one.control == id));
    let missing = profile.controls.iter().filter(|control| !report.servers.is_empty() && !checked(control.id));
    missing.map(|control| control.id.as_str()).collect()
}
