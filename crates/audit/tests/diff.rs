//! Two audits compared: what fails now, what is fixed, and above all what nobody may call fixed.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::{Difference, NotLooked, Profile, diff, server_report};
use hostssl_model::{
    AuditReport, Gap, GapScope, Kind, Parameter, ParameterName as Name, Posture, Reading, Reason, ResourceId, Role,
    Run, Scope, Server, Subscription, SubscriptionId, SubscriptionState, Summary, Tags, Unchecked,
};
use proptest::prelude::*;
use std::sync::Arc;

/// What an audit saw of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    On,
    Off,
    /// Off, and the lowest version is old, too.
    OffAndOld,
    Forbidden,
}

fn posture(name: &str, seen: Seen) -> Posture {
    let id = format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}");
    let known = |name, value: &str| (name, Reading::Known(Parameter::in_effect(name, value)));
    let names = [Name::RequireSecureTransport, Name::SslMinProtocolVersion, Name::SslMaxProtocolVersion];
    let readings = match seen {
        Seen::Forbidden => {
            names.map(|name| (name, Reading::Unknown(Unchecked::new(Reason::Permission, "no authorization")))).to_vec()
        }
        Seen::On => vec![known(names[0], "on"), known(names[1], "TLSv1.2"), known(names[2], "")],
        Seen::Off => vec![known(names[0], "off"), known(names[1], "TLSv1.2"), known(names[2], "")],
        Seen::OffAndOld => vec![known(names[0], "off"), known(names[1], "TLSv1"), known(names[2], "")],
    };
    let server = Server {
        id: ResourceId::try_from(id.as_str()).unwrap(),
        kind: Kind::Flexible,
        location: "westeurope".into(),
        state: None,
        fqdn: None,
        role: Role::None,
        primary: None,
        tags: Tags::default(),
        administrator: None,
        created_at: None,
    };
    Posture { server, readings, wire: Vec::new() }
}

fn audit(profile: &str, servers: &[(&str, Seen)]) -> AuditReport {
    let profile = Profile::find(profile).unwrap();
    let servers: Vec<_> =
        servers.iter().map(|(name, seen)| server_report(&posture(name, *seen), None, &profile)).collect();
    let mut summary = Summary::default();
    servers.iter().for_each(|server| summary.count(server.outcome));
    AuditReport {
        run: Run {
            id: "r".into(),
            started_at: "2026-01-01T00:00:00Z".into(),
            finished_at: "2026-01-01T00:00:01Z".into(),
            principals: Vec::new(),
            cloud: "AzureCloud".into(),
            scope: Scope::default(),
            profile: profile.to_string(),
            tool_version: "0".into(),
            complete: true,
        },
        summary,
        subscriptions: vec![Arc::new(Subscription {
            id: SubscriptionId::new("s"),
            name: "Shop".into(),
            tenant: "t".into(),
            state: SubscriptionState::Enabled,
        })],
        servers,
        gaps: Vec::new(),
    }
}

fn baseline(servers: &[(&str, Seen)]) -> AuditReport {
    audit("baseline@1", servers)
}

/// Each change as difference, server and control.
fn told(before: &AuditReport, after: &AuditReport) -> Vec<String> {
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
        told(&before, &after),
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
    let told = told(&before, &after);
    assert!(!told.is_empty() && told.iter().all(|line| line.starts_with("NotVisible a ")), "{told:?}");
}

#[test]
fn a_server_is_gone_only_where_its_place_was_listed_whole() {
    let before = baseline(&[("a", Seen::Off), ("b", Seen::On)]);
    let mut after = baseline(&[("b", Seen::On)]);
    assert_eq!(told(&before, &after), ["Gone a -"]);

    after.gaps.push(Gap {
        scope: GapScope::AllSubscriptions,
        blind: Unchecked::new(Reason::NotOffered, "no provider is registered"),
    });
    assert_eq!(told(&before, &after), ["Gone a -"], "where no provider is, no server can be");

    after.gaps.push(Gap {
        scope: GapScope::Subscription("S".into()),
        blind: Unchecked::new(Reason::Permission, "the servers cannot be listed"),
    });
    let hidden = diff(&before, &after);
    assert!(matches!(hidden.changes[0].why, Some(NotLooked::Gap(_))), "{hidden:?}");

    after.gaps.clear();
    after.subscriptions.clear();
    assert_eq!(diff(&before, &after).changes[0].why, Some(NotLooked::SubscriptionNotSeen));

    let mut narrow = baseline(&[("b", Seen::On)]);
    narrow.run.scope.servers = vec!["b*".into()];
    assert_eq!(diff(&before, &narrow).changes[0].why, Some(NotLooked::OutOfScope));
    narrow.run.scope.servers.clear();
    narrow.run.scope.except = vec!["a".into()];
    assert_eq!(diff(&before, &narrow).changes[0].why, Some(NotLooked::OutOfScope));
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
                prop_assert!(of_server().next().is_some(), "{name}: {seen:?} then {now:?} is no change");
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
