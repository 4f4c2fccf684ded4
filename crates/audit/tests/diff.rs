//! Two audits compared: what fails now, what is fixed, and above all what nobody may call fixed.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{SUBSCRIPTION, Seen, audit, baseline};
use hostssl_audit::{Difference, LastKnown, ListedBy, NotLooked, diff, diff_knowing, gate};
use hostssl_model::{
    Apart, AuditReport, ControlId, Finding, Gap, GapScope, Outcome, Reading, Reason, Subscription, Unchecked, Vantage,
    WireListener, WireObservation, WireTransport,
};
use proptest::prelude::*;
use std::sync::Arc;

/// Each change as difference, server and control.
fn changes_between(before: &AuditReport, after: &AuditReport) -> Vec<String> {
    let changes = diff(before, after).changes;
    let text = changes.iter().map(|change| {
        let control = change.control().map_or("-", |id| id.as_str());
        format!("{:?} {} {control}", change.difference, change.server.name())
    });
    text.collect()
}

#[test]
fn what_fails_now_comes_first_and_what_is_fixed_is_said() {
    let before = baseline(&[("a", Seen::On), ("b", Seen::Off), ("c", Seen::Off)]);
    let after = baseline(&[("a", Seen::Off), ("B", Seen::On), ("c", Seen::Off), ("d", Seen::Off), ("e", Seen::On)]);
    assert_eq!(
        changes_between(&before, &after),
        [
            "New a require-secure-transport",
            "New d require-secure-transport",
            "Fixed B require-secure-transport",
            "Added e -",
        ]
    );
}

#[test]
fn what_cannot_be_checked_is_not_fixed() {
    let before = baseline(&[("a", Seen::Off)]);
    let after = baseline(&[("a", Seen::Forbidden)]);
    let told = changes_between(&before, &after);
    assert!(!told.is_empty() && told.iter().all(|line| line.starts_with("NotVisible a ")), "{told:?}");
}

/// The report with one look at server `a` from a zone, or from here, and what `plaintext-refused` makes of it.
fn seen_from(zone: Option<&str>, outcome: Outcome) -> AuditReport {
    let mut report = baseline(&[("a", Seen::On)]);
    let listener = WireListener {
        transport: if outcome == Outcome::Fail { WireTransport::Optional } else { WireTransport::Enforced },
        why: "seen".into(),
        versions: Vec::new(),
        certificate: None,
    };
    report.servers[0].wire = vec![WireObservation {
        port: 5432,
        address: Some("10.0.0.4".into()),
        observed_at: "2026-11-24T12:00:00Z".into(),
        listener: Reading::Known(listener),
        vantage: zone.map(|zone| Box::new(Vantage { zone: zone.into(), observed_ms: 0, prober: None })),
    }];
    let finding = Finding { control: ControlId::PlaintextRefused, outcome, ..report.servers[0].findings[0].clone() };
    report.servers[0].findings.push(finding);
    report
}

#[test]
fn what_a_zone_saw_fail_is_fixed_only_when_that_zone_has_looked_again() {
    let failing = seen_from(Some("lab"), Outcome::Fail);
    let from_here = seen_from(None, Outcome::Pass);
    assert_eq!(changes_between(&failing, &from_here), ["NotVisible a plaintext-refused"]);
    assert_eq!(diff(&failing, &from_here).changes[0].why, Some(NotLooked::Zone("lab")));
    assert_eq!(changes_between(&failing, &seen_from(Some("lab"), Outcome::Pass)), ["Fixed a plaintext-refused"]);
    assert_eq!(changes_between(&seen_from(None, Outcome::Fail), &from_here), ["Fixed a plaintext-refused"]);
}

#[test]
fn a_server_is_gone_only_where_its_place_was_listed_whole() {
    let before = baseline(&[("a", Seen::Off), ("b", Seen::On)]);
    let mut after = baseline(&[("b", Seen::On)]);
    assert_eq!(changes_between(&before, &after), ["Gone a -"]);

    after.gaps.push(Gap {
        scope: GapScope::AllSubscriptions,
        unchecked: Unchecked::new(Reason::NotOffered, "no provider is registered"),
    });
    assert_eq!(changes_between(&before, &after), ["Gone a -"], "where no provider is, no server can be");

    after.gaps.push(Gap {
        scope: GapScope::Subscription(SUBSCRIPTION.to_uppercase().into()),
        unchecked: Unchecked::new(Reason::Permission, "the servers cannot be listed"),
    });
    let hidden = diff(&before, &after);
    assert!(matches!(hidden.changes[0].why, Some(NotLooked::Gap(_))), "{hidden:?}");

    after.gaps.clear();
    after.subscriptions.clear();
    assert_eq!(diff(&before, &after).changes[0].why, Some(NotLooked::SubscriptionNotSeen));

    let mut narrow = baseline(&[("b", Seen::On)]);
    narrow.run.scope.servers = vec!["b*".into()];
    assert_eq!(left_out(&before, &narrow), [("a", ListedBy::Before)]);
    narrow.run.scope.servers.clear();
    narrow.run.scope.except = vec!["a".into()];
    assert_eq!(left_out(&before, &narrow), [("a", ListedBy::Before)]);
}

/// The servers that only one audit was asked for; nothing else may differ.
fn left_out<'a>(before: &'a AuditReport, after: &'a AuditReport) -> Vec<(&'a str, ListedBy)> {
    let compared = diff(before, after);
    assert!(compared.changes.is_empty(), "{compared:?}");
    compared.not_in_scope.iter().map(|one| (one.server.server.name(), one.listed)).collect()
}

#[test]
fn what_the_earlier_audit_was_not_asked_for_is_not_new() {
    let after = baseline(&[("a", Seen::Off), ("b", Seen::On)]);
    let mut before = baseline(&[("b", Seen::On)]);
    before.run.scope.servers = vec!["b*".into()];
    assert_eq!(left_out(&before, &after), [("a", ListedBy::After)]);
    before.run.scope.servers = vec!["a*".into(), "b*".into()];
    assert_eq!(changes_between(&before, &after)[0].split(' ').next(), Some("New"), "it was asked for");
}

#[test]
fn a_server_that_tags_put_out_of_scope_is_neither_gone_nor_new() {
    let mut with = baseline(&[("a", Seen::Off), ("b", Seen::On)]);
    with.servers[0].server.created_at = Some("2025-12-31T00:00:00Z".into());
    let mut without = baseline(&[("b", Seen::On)]);
    // Left out by a tag that the server had on that day alone.
    for audit in [&mut with, &mut without] {
        audit.run.scope.except = vec!["skip=yes".into()];
    }
    assert_eq!(changes_between(&with, &without), ["Gone a -"], "it was not left out, so it is not there");
    let id = with.servers[0].server.id.clone();
    let unchecked = Unchecked::new(Reason::Excepted, "left out on request: skip=yes");
    without.gaps.push(Gap { scope: GapScope::Server(id), unchecked });
    assert_eq!(left_out(&with, &without), [("a", ListedBy::Before)]);
    assert_eq!(left_out(&without, &with), [("a", ListedBy::After)]);

    // Chosen by a tag that the server has no longer, or has only now.
    without.gaps.clear();
    with.servers.iter_mut().for_each(|one| one.server.tags = [("env", "prod")].into_iter().collect());
    for audit in [&mut with, &mut without] {
        audit.run.scope.except.clear();
        audit.run.scope.tags = vec!["env=prod".into()];
    }
    assert_eq!(left_out(&with, &without), [("a", ListedBy::Before)]);
    assert_eq!(left_out(&without, &with), [("a", ListedBy::After)]);
    let mut known = LastKnown::default();
    known.learn(&with);
    with.servers[0].server.created_at = Some("2026-01-01T00:00:00.5Z".into());
    let made_since = diff_knowing(&without, &with, &known);
    assert_eq!(made_since.changes[0].difference, Difference::New, "it was made since: {made_since:?}");
    without.subscriptions.clear();
    assert_eq!(diff(&with, &without).changes[0].why, Some(NotLooked::SubscriptionNotSeen), "its place was not seen");
}

#[test]
fn another_subscription_is_no_part_of_a_scope_that_names_one() {
    let after = baseline(&[("a", Seen::Off)]);
    let mut before = baseline(&[]);
    before.subscriptions.clear();
    before.run.scope.subscriptions = vec!["some-other".into()];
    assert_eq!(left_out(&before, &after), [("a", ListedBy::After)]);
    assert_eq!(left_out(&after, &before), [("a", ListedBy::Before)]);
    before.run.scope.subscriptions = vec![SUBSCRIPTION.to_uppercase()];
    assert_eq!(diff(&after, &before).changes[0].why, Some(NotLooked::SubscriptionNotSeen), "it was asked for");
    // A scope that is the same for both is asked for the same, whatever has been added to it since.
    let mut group = (baseline(&[]), after.clone());
    group.0.subscriptions.clear();
    for audit in [&mut group.0, &mut group.1] {
        audit.run.scope.management_groups = vec!["mg".into()];
    }
    assert_eq!(changes_between(&group.0, &group.1)[0].split(' ').next(), Some("New"));
}

/// What a management group has is not what was asked for: that is the group.
#[test]
fn a_subscription_that_left_a_management_group_is_no_longer_visible() {
    let in_group = |name: &str, mut audit: AuditReport| {
        audit.run.scope.management_groups = vec![name.into()];
        audit
    };
    let before = in_group("mg", baseline(&[("a", Seen::Off), ("b", Seen::On)]));
    let mut after = in_group("MG", baseline(&[]));
    after.subscriptions.clear();
    let left = diff(&before, &after);
    assert!(left.not_in_scope.is_empty() && left.count(Difference::NotVisible) == 2, "{left:?}");
    assert!(left.changes.iter().all(|one| one.why == Some(NotLooked::SubscriptionNotSeen)), "{left:?}");
    let used = gate(&after, &[], Some(&before)).baseline.unwrap();
    assert!(used.same_scope && used.not_visible == 2, "{used:?}");
    // One that joined is part of what was asked for, too.
    let joined = diff(&after, &before);
    assert!(joined.not_in_scope.is_empty() && joined.count(Difference::New) > 0, "{joined:?}");
}

#[test]
fn a_scope_of_more_places_was_asked_for_what_a_part_of_it_was() {
    let before = {
        let mut audit = baseline(&[("a", Seen::Off)]);
        audit.run.scope.management_groups = vec!["MG".into()];
        audit
    };
    let mut after = baseline(&[]);
    after.subscriptions.clear();
    after.run.scope.management_groups = vec!["mg".into(), "mg-2".into()];
    assert_eq!(diff(&before, &after).changes[0].why, Some(NotLooked::SubscriptionNotSeen), "it was asked for both");
    // The other way round, only one of them was: another group of the same tenant says nothing.
    after.run.scope.management_groups = vec!["mg-2".into()];
    assert_eq!(left_out(&before, &after), [("a", ListedBy::Before)]);
    // And one that names a subscription beside the group was asked for less.
    after.run.scope.management_groups = vec!["mg".into()];
    after.run.scope.subscriptions = vec!["another".into()];
    assert_eq!(left_out(&before, &after), [("a", ListedBy::Before)]);
}

#[test]
fn audits_of_different_clouds_have_nothing_in_common() {
    let before = baseline(&[("a", Seen::Off), ("b", Seen::Off)]);
    let mut after = baseline(&[("a", Seen::On)]);
    after.run.cloud = "AzureChinaCloud".into();
    let compared = diff(&before, &after);
    assert_eq!((compared.apart, compared.unchanged), (Some(Apart::Clouds), 0));
    let expected = [("a", ListedBy::Before), ("b", ListedBy::Before), ("a", ListedBy::After)];
    assert_eq!(left_out(&before, &after), expected, "neither fixed nor gone");
}

#[test]
fn audits_without_a_tenant_in_common_say_nothing_of_each_others_servers() {
    let before = baseline(&[("a", Seen::Off), ("b", Seen::Off)]);
    let mut after = baseline(&[("a", Seen::On)]);
    after.subscriptions = vec![Arc::new(Subscription { tenant: "U".into(), ..(*before.subscriptions[0]).clone() })];
    let compared = diff(&before, &after);
    assert_eq!(compared.apart, Some(Apart::Tenants));
    // The subscription moved, and its server with it.
    assert_eq!(changes_between(&before, &after), ["Fixed a require-secure-transport"]);
    assert_eq!(compared.not_in_scope.iter().map(|one| one.server.server.name()).collect::<Vec<_>>(), ["b"]);
    after.subscriptions = vec![before.subscriptions[0].clone()];
    assert_eq!(diff(&before, &after).apart, None);
}

#[test]
fn controls_of_one_audit_alone_are_not_compared() {
    let before = audit("cis-azure-foundations@3.0.0", &[("a", Seen::OffAndOld)]);
    let after = baseline(&[("a", Seen::OffAndOld)]);
    let compared = diff(&before, &after);
    assert!(compared.changes.is_empty(), "{compared:?}");
    assert_eq!(compared.unchanged, 1);
    assert!(compared.not_compared.len() >= 3, "{compared:?}");
}

#[test]
fn what_only_the_rules_change_is_neither_fixed_nor_new() {
    let (lax, strict) = (baseline(&[("a", Seen::On)]), audit("strict@1", &[("a", Seen::On)]));
    for (before, after) in [(&lax, &strict), (&strict, &lax)] {
        let compared = diff(before, after);
        assert!(compared.changes.is_empty(), "{compared:?}");
        assert!(compared.not_compared.contains(&ControlId::MinimumTlsVersion), "{compared:?}");
    }
    // A value that changed is a change, whatever the rules.
    let off = audit("strict@1", &[("a", Seen::Off)]);
    let better = diff(&off, &lax);
    assert!(better.changes.iter().any(|one| one.difference == Difference::Fixed), "{better:?}");
}

fn any_audit() -> impl Strategy<Value = Vec<(&'static str, Seen)>> {
    let seen = prop::sample::select(&[Seen::On, Seen::Off, Seen::OffAndOld, Seen::Forbidden][..]);
    prop::collection::btree_map(prop::sample::select(&["a", "b", "c", "d"][..]), seen, 0..5)
        .prop_map(|servers| servers.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_unseen_is_good_news(before in any_audit(), after in any_audit()) {
        let (old, new) = (baseline(&before), baseline(&after));
        let compared = diff(&old, &new);
        // An audit compared with itself has no change.
        prop_assert!(diff(&old, &old).changes.is_empty());
        for (name, seen) in &before {
            let of_server = || compared.changes.iter().filter(|change| change.server.name() == *name);
            let now = after.iter().find(|(other, _)| other == name).map(|(_, seen)| *seen);
            if now != Some(*seen) {
                prop_assert!(of_server().next().is_some(), "{name}: {seen:?} then {now:?} is not a change");
            }
            if now == Some(Seen::Forbidden) {
                prop_assert!(of_server().all(|change| change.difference == Difference::NotVisible));
            }
        }
        let good = |one: Difference| matches!(one, Difference::Fixed | Difference::Visible | Difference::Added);
        for change in compared.changes.iter().filter(|change| good(change.difference)) {
            let now = after.iter().find(|(name, _)| *name == change.server.name());
            prop_assert!(now.is_some_and(|(_, seen)| *seen != Seen::Forbidden), "{change:?}");
        }
    }
}

#[test]
fn what_a_newer_version_kept_of_a_server_may_be_a_failure() {
    let before = baseline(&[("a", Seen::On), ("b", Seen::On)]);
    let mut after = before.clone();
    let scope = (&after.servers[1].server.id).into();
    let words = ["the control `x` with the outcome `fail`".to_owned()];
    after.gaps.push(Gap { scope, unchecked: Unchecked::of_a_newer_version(&words) });
    assert_eq!(changes_between(&before, &after), ["NotVisible b -"]);
}

#[test]
fn an_expiry_by_other_days_is_not_compared() {
    let before = baseline(&[("a", Seen::On)]);
    let expires = |report: &mut AuditReport, outcome, observed: &'static str| {
        let finding = &mut report.servers[0].findings[0];
        (finding.control, finding.outcome, finding.observed) =
            (ControlId::CertificateExpiry, outcome, Some(observed.into()));
    };
    let (mut before, mut after) = (before.clone(), before);
    expires(&mut before, Outcome::Pass, "in 181 days");
    expires(&mut after, Outcome::Fail, "in 180 days");
    assert_eq!(changes_between(&before, &after), ["New a certificate-expiry"]);
    after.run.asked.expiry_days = Some(300);
    assert_eq!(diff(&before, &after).not_compared, [ControlId::CertificateExpiry]);
}

#[test]
fn a_certificate_that_expires_on_another_listener_is_a_change_and_a_day_less_is_none() {
    let before = baseline(&[("a", Seen::On)]);
    let expires = |observed: &'static str| {
        let mut report = before.clone();
        let finding = &mut report.servers[0].findings[0];
        (finding.control, finding.outcome, finding.observed) =
            (ControlId::CertificateExpiry, Outcome::Fail, Some(observed.into()));
        report
    };
    let one = expires("port 5432: the certificate expires in 9 days");
    assert_eq!(changes_between(&one, &expires("port 5432: the certificate expires in 8 days")), [""; 0]);
    let both = expires("port 5432: the certificate expires in 8 days; port 6432: the certificate expires in 8 days");
    assert_eq!(changes_between(&one, &both), ["Changed a certificate-expiry"]);
}

#[test]
fn what_fails_again_after_an_outage_is_visible_again_and_no_new_failure() {
    let whole = baseline(&[("a", Seen::Off), ("b", Seen::On), ("c", Seen::Old)]);
    // The second is not reached, and the third not even listed.
    let mut outage = baseline(&[("a", Seen::Forbidden), ("b", Seen::Forbidden)]);
    outage.gaps.push(hidden());
    let after = baseline(&[("a", Seen::Off), ("b", Seen::Off), ("c", Seen::Older)]);
    let mut known = LastKnown::default();
    known.learn(&whole);
    known.learn(&outage);
    let changes_by_known = |after: &AuditReport, known: &LastKnown| {
        let changes = diff_knowing(&outage, after, known).changes;
        let failing = changes.iter().filter(|one| one.after.is_some_and(|after| after.outcome == Outcome::Fail));
        failing.map(|one| format!("{:?} {}", one.difference, one.server.name())).collect::<Vec<_>>()
    };
    assert_eq!(
        changes_by_known(&after, &known),
        ["New b", "New c", "Visible a"],
        "b passed, and c fails for another value"
    );
    assert_eq!(changes_by_known(&whole, &known), ["Visible a", "Visible c"]);
    assert_eq!(changes_by_known(&whole, &LastKnown::default()), ["New a", "New c"]);
}

/// Why nothing could be listed.
fn hidden() -> Gap {
    Gap { scope: GapScope::AllSubscriptions, unchecked: Unchecked::new(Reason::Permission, "HTTP 403") }
}

#[test]
fn what_an_outage_hid_is_gone_or_visible_again_and_never_added() {
    let mut whole = baseline(&[("a", Seen::Off), ("b", Seen::On), ("c", Seen::On), ("d", Seen::On)]);
    let mut blind = baseline(&[]);
    blind.gaps.push(hidden());
    // One of them is deleted, and another one is made again under the same name.
    let mut after = baseline(&[("a", Seen::Off), ("c", Seen::On), ("d", Seen::On), ("e", Seen::On)]);
    whole.servers[3].server.created_at = Some("2025-12-30T00:00:00Z".into());
    after.servers[2].server.created_at = Some("2025-12-31T00:00:00Z".into());
    let told = |before: &AuditReport, after: &AuditReport, known: &LastKnown| -> Vec<String> {
        let compared = diff_knowing(before, after, known);
        compared.changes.iter().map(|one| format!("{:?} {}", one.difference, one.server.name())).collect()
    };
    let mut known = LastKnown::default();
    known.learn(&whole);
    assert_eq!(told(&whole, &blind, &known), ["NotVisible a", "NotVisible b", "NotVisible c", "NotVisible d"]);
    known.learn(&blind);
    assert_eq!(told(&blind, &blind, &known), [""; 0], "it was told");
    assert_eq!(told(&blind, &after, &known), ["Visible a", "Visible c", "Gone b", "Added d", "Added e"]);
    known.learn(&after);
    assert_eq!(told(&after, &after, &known), [""; 0], "it is told once");
    assert_eq!(told(&blind, &after, &LastKnown::default()), ["New a", "Added c", "Added d", "Added e"]);
}
