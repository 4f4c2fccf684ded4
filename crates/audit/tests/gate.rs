//! What makes an audit fail, and above all what never lets one pass.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{Seen, audit, baseline};
use hostssl_audit::{apply_waivers, gate, read_waivers};
use hostssl_model::{AuditEnd, AuditReport, ControlId, FailOn, Gap, GapScope, Reason, Unchecked};
use proptest::prelude::*;

fn end(report: &AuditReport, fail_on: &[FailOn], before: Option<&AuditReport>) -> AuditEnd {
    gate(report, fail_on, before).end
}

/// The findings that decide, as server and control.
fn decided(report: &mut AuditReport, fail_on: &[FailOn], before: Option<&AuditReport>) -> Vec<String> {
    report.overlay.gate = Some(gate(report, fail_on, before));
    report.decisive().map(|(server, finding)| format!("{} {}", server.name(), finding.control)).collect()
}

#[test]
fn only_what_is_asked_for_counts() {
    let mut report = baseline(&[("a", Seen::On), ("b", Seen::OffAndOld)]);
    assert_eq!(end(&report, &[], None), AuditEnd::Findings);
    assert_eq!(decided(&mut report, &[FailOn::High], None), ["b require-secure-transport"]);
    assert_eq!(decided(&mut report, &[FailOn::Fail], None), ["b require-secure-transport", "b minimum-tls-version"]);
    assert_eq!(end(&report, &[FailOn::Never], None), AuditEnd::Pass);
    let old = baseline(&[("a", Seen::Old)]);
    assert_eq!(end(&old, &[FailOn::High], None), AuditEnd::Pass);
    assert_eq!(end(&old, &[FailOn::Fail], None), AuditEnd::Findings);
}

#[test]
fn what_could_not_be_checked_never_passes() {
    let unchecked = baseline(&[("a", Seen::Forbidden), ("b", Seen::Off)]);
    for rule in [FailOn::Never, FailOn::New] {
        assert_eq!(end(&unchecked, &[rule], Some(&unchecked)), AuditEnd::Incomplete, "{rule}");
    }
    assert_eq!(end(&unchecked, &[FailOn::Unknown], None), AuditEnd::Findings);
    let mut unlisted = baseline(&[("a", Seen::On)]);
    unlisted.run.complete = false;
    assert_eq!(end(&unlisted, &[FailOn::High], None), AuditEnd::Incomplete);
    assert_eq!(end(&unlisted, &[FailOn::Unknown], None), AuditEnd::Findings);
}

#[test]
fn only_what_is_new_counts_against_a_baseline() {
    let before = baseline(&[("a", Seen::On), ("b", Seen::Off), ("c", Seen::Forbidden), ("d", Seen::Old)]);
    let mut after = baseline(&[("A", Seen::On), ("B", Seen::Off), ("d", Seen::Old)]);
    assert_eq!(end(&after, &[FailOn::New], Some(&before)), AuditEnd::Pass);
    assert_eq!(gate(&after, &[FailOn::New], Some(&before)).baseline.unwrap().known, 2);
    // What was not seen before is not known, and another value is not the same.
    after =
        baseline(&[("a", Seen::On), ("b", Seen::OffAndOld), ("c", Seen::Off), ("d", Seen::Older), ("e", Seen::Off)]);
    assert_eq!(
        decided(&mut after, &[FailOn::New], Some(&before)),
        ["b minimum-tls-version", "c require-secure-transport", "d minimum-tls-version", "e require-secure-transport"]
    );
}

#[test]
fn a_baseline_of_other_rules_or_another_scope_never_lets_pass() {
    let after = baseline(&[("a", Seen::Off)]);
    let strict = audit("strict@1", &[("a", Seen::Off)]);
    let gated = gate(&after, &[FailOn::New], Some(&strict));
    assert_eq!((gated.end, gated.baseline.unwrap().same_profile), (AuditEnd::Incomplete, false));
    let mut elsewhere = after.clone();
    elsewhere.run.scope.servers = vec!["a".into()];
    let gated = gate(&after, &[FailOn::New], Some(&elsewhere));
    assert_eq!((gated.end, gated.baseline.unwrap().same_scope), (AuditEnd::Incomplete, false));
    // Of a control that the baseline did not judge by, nothing is known.
    let narrow = audit("cis-azure-foundations@3.0.0", &[("a", Seen::OffAndOld)]);
    let mut old = baseline(&[("a", Seen::OffAndOld)]);
    assert_eq!(decided(&mut old, &[FailOn::New], Some(&narrow)), ["a minimum-tls-version"]);
}

#[test]
fn an_audit_that_checks_less_than_its_baseline_never_passes() {
    let before = baseline(&[("a", Seen::Off)]);
    let mut after = before.clone();
    for server in &mut after.servers {
        server.findings.retain(|finding| finding.control != ControlId::RequireSecureTransport);
    }
    let gated = gate(&after, &[FailOn::New], Some(&before));
    assert_eq!(gated.end, AuditEnd::Incomplete);
    assert_eq!(gated.baseline.unwrap().not_checked, [ControlId::RequireSecureTransport]);
}

#[test]
fn a_baseline_does_not_outlast_the_waivers_that_it_was_made_with() {
    let mut before = baseline(&[("a", Seen::Off), ("b", Seen::Off)]);
    let waived = "[[waiver]]\ncontrol = 'require-secure-transport'\nowner = 'a'\nreason = 'b'\napprover = 'c'\n\
                  expires = '2026-02-01'\n";
    let of_a = format!("{waived}scope = '{}'\n", before.servers[0].server.id.as_str());
    let today = jiff::civil::date(2026, 1, 1);
    apply_waivers(&mut before, "w.toml", read_waivers(&of_a, today, 365).unwrap());
    let mut after = baseline(&[("a", Seen::Off), ("b", Seen::Off)]);
    assert_eq!(decided(&mut after, &[FailOn::New], Some(&before)), ["a require-secure-transport"]);
}

#[test]
fn a_server_that_is_no_longer_visible_never_passes() {
    let before = baseline(&[("a", Seen::On), ("b", Seen::On)]);
    let mut after = baseline(&[("a", Seen::On)]);
    assert_eq!(end(&after, &[FailOn::New], Some(&before)), AuditEnd::Pass, "it is gone");
    after.subscriptions.clear();
    assert_eq!(end(&after, &[FailOn::New], Some(&before)), AuditEnd::Incomplete);
}

fn seen() -> impl Strategy<Value = Seen> {
    prop::sample::select(vec![Seen::On, Seen::Off, Seen::Old, Seen::Older, Seen::OffAndOld, Seen::Forbidden])
}

proptest! {
    /// Whatever is asked for and whatever was before: an audit that passes has seen everything.
    #[test]
    fn no_gate_passes_while_something_is_unchecked(
        before in prop::collection::vec(seen(), 0..4),
        after in prop::collection::vec(seen(), 0..4),
        rules in prop::sample::subsequence(FailOn::ALL.to_vec(), 0..5),
        complete in any::<bool>(),
    ) {
        let names = ["a", "b", "c", "d"];
        let of = |seen: &[Seen]| baseline(&names.into_iter().zip(seen.iter().copied()).collect::<Vec<_>>());
        let (before, mut report) = (of(&before), of(&after));
        report.run.complete = complete && !after.contains(&Seen::Forbidden);
        if !report.run.complete {
            let unchecked = Unchecked::new(Reason::Permission, "no authorization");
            report.gaps.push(Gap { scope: GapScope::AllSubscriptions, unchecked });
        }
        let gated = gate(&report, &rules, Some(&before));
        prop_assert!(report.run.complete || gated.end != AuditEnd::Pass);
        // What decides is in the report, and the end says so.
        let ends = gated.end == AuditEnd::Pass;
        prop_assert!(!ends || gated.decided_by.is_empty());
        prop_assert!(gated.decided_by.iter().all(|place| report.servers[place.server].findings.len() > place.finding));
    }
}
