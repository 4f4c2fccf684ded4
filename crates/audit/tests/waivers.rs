//! Waivers: what waives, and above all what never does.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{Seen, baseline};
use hostssl_audit::{NewWaiver, apply_waivers, gate, read_waivers};
use hostssl_model::{AuditEnd, AuditReport, FailOn, Outcome, UnusedWaiver, Waiver, WaiverState};
use jiff::civil::{Date, date};
use proptest::prelude::*;

const TODAY: Date = date(2026, 11, 28);
const GROUP: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/g";

fn entry(expires: &str, owner: &str, approver: &str) -> String {
    format!(
        "[[waiver]]\ncontrol = 'require-secure-transport'\nscope = '{GROUP}'\nowner = '{owner}'\nreason = 'agreed'\n\
         approver = {approver}\n{expires}\n"
    )
}

fn read(text: &str) -> Result<Vec<Waiver>, String> {
    read_waivers(text, TODAY, 365).map_err(|error| error.to_string())
}

fn state(expires: &str, owner: &str, approver: &str) -> WaiverState {
    read(&entry(expires, owner, approver)).unwrap()[0].state
}

#[test]
fn a_waiver_holds_on_its_last_day_and_not_after() {
    let of = |expires: &str| state(expires, "shop", "'security'");
    assert_eq!(of("expires = '2026-11-28'"), WaiverState::InEffect);
    assert_eq!(of("expires = 2026-11-28"), WaiverState::InEffect);
    assert_eq!(of("expires = '2026-11-27'"), WaiverState::Expired);
    assert_eq!(of("expires = '2027-11-28'"), WaiverState::InEffect);
    assert_eq!(of("expires = '2027-11-29'"), WaiverState::TooLong);
    // No day, or none that can be read, is not a day at all.
    for wrong in
        ["", "expires = 'never'", "expires = '2027-2-3'", "expires = 20270101", "expires = 2027-01-01T00:00:00Z"]
    {
        assert_eq!(of(wrong), WaiverState::Expired, "{wrong}");
    }
}

#[test]
fn an_owner_cannot_be_the_only_approver() {
    let of = |approver: &str| state("expires = '2027-01-01'", "Shop@example.com", approver);
    assert_eq!(of("'shop@example.com'"), WaiverState::OwnerOnly);
    assert_eq!(of("['SHOP@example.com', ' shop@example.com ']"), WaiverState::OwnerOnly);
    assert_eq!(of("['shop@example.com', 'security@example.com']"), WaiverState::InEffect);
    // Another spelling is not another person.
    assert_eq!(of("['The shop <shop@example.com>', 'ＳＨＯＰ@example.com', '-']"), WaiverState::OwnerOnly);
}

/// The example of the documentation is a file that is accepted as it is printed.
#[test]
fn the_documented_example_is_in_effect() {
    let page = include_str!("../../../docs/waivers.md");
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let waivers = read(example).unwrap();
    assert_eq!(waivers.iter().map(|one| one.state).collect::<Vec<_>>(), [WaiverState::InEffect]);
}

#[test]
fn a_typo_says_where_and_waives_nothing() {
    let good = entry("expires = '2027-01-01'", "shop", "'security'");
    let refusal_of = |from: &str, to: &str| read(&format!("# reviewed\n{}", good.replacen(from, to, 1))).unwrap_err();
    for (from, to, where_and_what) in [
        ("expires", "exipres", "line 8, column 1: unknown field `exipres`"),
        ("'require-secure-transport'", "'require-secure-transprot'", "line 3, column 11: there is no control"),
        (GROUP, "g", "line 4, column 9: scope is not the resource id"),
        (GROUP, "/subscriptions/", "line 4, column 9: scope is not the resource id"),
        (GROUP, "/", "line 4, column 9: scope is not the resource id"),
        (GROUP, "/subscriptions/*", "line 4, column 9: scope has a wildcard"),
        (GROUP, "/subscriptions/s", "line 4, column 9: the subscription `s` in scope is not a GUID"),
        ("'security'", "[]", "line 7, column 12: approver is not a name"),
        ("'security'", "7", "line 7, column 12: approver is not a name"),
        ("'shop'", "' '", "line 5, column 9: owner is not a line of words"),
        ("'shop'", "'shop", "line 5, column "),
        ("[[waiver]]", "[[waivers]]", "line 2, column 3: unknown field `waivers`"),
        ("reason = 'agreed'\n", "", "missing field `reason`"),
    ] {
        let error = refusal_of(from, to);
        assert!(error.contains(where_and_what), "{to}: {error}");
    }
    assert!(refusal_of("secure-transport'", "secure-transprot'").ends_with("is it `require-secure-transport`?"));
    assert_eq!(read("").unwrap(), [], "an empty file is a file");
}

fn laid(text: &str, servers: &[(&str, Seen)]) -> AuditReport {
    let mut report = baseline(servers);
    apply_waivers(&mut report, "w.toml", read(text).unwrap());
    report
}

#[test]
fn what_is_waived_still_fails_and_does_not_count() {
    let good = entry("expires = '2027-01-01'", "shop", "'security'");
    let report = laid(&good, &[("a", Seen::Off), ("b", Seen::On)]);
    assert_eq!((report.servers[0].outcome, report.summary.fail), (Outcome::Fail, 1));
    assert_eq!(gate(&report, &[], None).end, AuditEnd::Pass);
    // Another control of the same server is not waived.
    let report = laid(&good, &[("a", Seen::OffAndOld)]);
    assert_eq!(gate(&report, &[], None).decided_by.len(), 1);
    // What could not be checked is not waived.
    assert_eq!(gate(&laid(&good, &[("a", Seen::Forbidden)]), &[], None).end, AuditEnd::Incomplete);
    let over = entry("expires = '2026-01-01'", "shop", "'security'");
    let report = laid(&over, &[("a", Seen::Off)]);
    assert_eq!(gate(&report, &[], None).end, AuditEnd::Findings);
    assert_eq!(report.servers[0].findings[0].waiver.as_ref().unwrap().state, WaiverState::Expired);
    // Of several, the one that holds counts.
    let report = laid(&format!("{over}{good}"), &[("a", Seen::Off)]);
    assert_eq!(gate(&report, &[], None).end, AuditEnd::Pass);
    let uses = report.overlay.waivers.unwrap().waivers;
    assert_eq!(uses.iter().map(|one| (one.waiver.line, one.failures)).collect::<Vec<_>>(), [(1, 0), (8, 1)]);
    assert_eq!(uses[0].unused, Some(UnusedWaiver::Covered));
}

#[test]
fn a_failure_is_not_known_for_longer_than_its_waiver() {
    let good = entry("expires = '2027-01-01'", "shop", "'security'");
    let over = entry("expires = '2026-01-01'", "shop", "'security'");
    let of = |text: &str| laid(text, &[("a", Seen::Off)]);
    let end = |report: &AuditReport, before: &AuditReport| gate(report, &[FailOn::New], Some(before)).end;
    // The baseline has waived it.
    assert_eq!(end(&of(""), &of(&good)), AuditEnd::Findings);
    assert_eq!(end(&of(&good), &of(&good)), AuditEnd::Pass);
    // The baseline is a kept audit, which has no waivers, and the file says that the time is over.
    assert_eq!(end(&of(&over), &of("")), AuditEnd::Findings);
    assert_eq!(gate(&of(&over), &[FailOn::New], Some(&of(""))).baseline.unwrap().known, 0);
    // Without any waiver it is known.
    assert_eq!(end(&of(""), &of("")), AuditEnd::Pass);
}

#[test]
fn a_waiver_that_nothing_needs_says_why() {
    let good = entry("expires = '2027-01-01'", "shop", "'security'");
    let why = |text: &str, seen| laid(text, &[("a", seen)]).overlay.waivers.unwrap().waivers[0].unused;
    assert_eq!(why(&good, Seen::On), Some(UnusedWaiver::NothingFails));
    assert_eq!(why(&good, Seen::Off), None);
    assert_eq!(why(&good, Seen::Forbidden), Some(UnusedWaiver::NotJudged));
    assert_eq!(why(&good.replace(GROUP, &format!("{GROUP}g")), Seen::Off), Some(UnusedWaiver::NoServer));
    assert_eq!(
        why(&good.replace("require-secure-transport", "plaintext-refused"), Seen::Off),
        Some(UnusedWaiver::NotJudged)
    );
}

proptest! {
    /// Whatever people write in their reasons, a waiver that is added is read as it was meant.
    #[test]
    fn what_is_written_is_read_again(
        owner in "[a-z\"'\\\\ #=é]{1,12}", reason in "[ -~é\u{1F600}]{1,30}", approvers in prop::collection::vec("[a-z@.\"]{1,9}", 1..3),
    ) {
        prop_assume!(!owner.trim().is_empty() && !reason.trim().is_empty());
        let waiver = NewWaiver {
            control: "require-secure-transport",
            scope: GROUP,
            owner: &owner,
            reason: &reason,
            approvers: &approvers,
            expires: "2027-01-01",
            compensating_control: Some(&reason),
            ticket: None,
        };
        let all = read(&format!("{}\n{}", entry("", "x", "'y'"), waiver.to_toml())).unwrap();
        prop_assert_eq!((all.len(), all[1].owner.as_str(), all[1].reason.as_str()), (2, owner.trim(), reason.trim()));
        prop_assert_eq!((&all[1].approvers, all[1].compensating_control.as_deref()), (&approvers, Some(reason.trim())));
    }

    #[test]
    fn no_text_panics(text in "[\\[\\]a-z=\"' \n#.0-9é-]{0,60}") {
        let _ = read(&text);
    }
}
