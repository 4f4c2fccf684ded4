//! Kept audits: judged again by other rules, and which of their servers could be enforced today.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_census::{Backend, Census, Interval, KeptCensus, Millis, SessionTls, Sighting, Source, SourceKind};
use hostssl_model::{
    AuditAsked, AuditReport, AuditRun, Kind, Outcome, Overlay, Posture, Scope, Subscription, SubscriptionState, Summary,
};
use hostssl_ops::{JudgedAgain, Profile, Readiness, judge_again};
use hostssl_remediation::LeftOutReason;
use hostssl_store::{AuditEntry, AuditStore, ServerFilter, server_key};
use hostssl_test_support::fleet::{NOW, PlannerKnowledge, cosmos, flexible, id, in_state, replica, single};
use std::sync::Arc;

/// The report of an audit of these servers, as the named profile judges them.
fn report(postures: &[Posture], profile: &'static str) -> AuditReport {
    let mut known = PlannerKnowledge::new(postures.to_vec());
    known.profile = profile;
    let servers = known.reports();
    let mut summary = Summary::default();
    servers.iter().for_each(|server| summary.count(server.outcome));
    let run = AuditRun {
        id: "01890000-0000-7000-8000-000000000001".into(),
        started_at: NOW.into(),
        finished_at: NOW.into(),
        principals: vec![known.principal],
        cloud: "AzureCloud".into(),
        scope: Scope::default(),
        profile: Profile::find(profile).unwrap().to_string(),
        asked: AuditAsked::default(),
        tool_version: "0.1.0".into(),
        complete: true,
    };
    let tenant = run.principals[0].tenant.as_deref().unwrap_or_default().into();
    let subscription = Subscription {
        id: id(Kind::Flexible, "s").subscription(),
        name: "Shop".into(),
        tenant,
        state: SubscriptionState::Enabled,
    };
    let subscriptions = vec![Arc::new(subscription)];
    AuditReport { run, summary, subscriptions, servers, gaps: Vec::new(), overlay: Overlay::default() }
}

fn kept(postures: &[Posture]) -> (tempfile::TempDir, AuditStore, AuditEntry) {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let id = store.save(&report(postures, "baseline")).unwrap();
    let audit = store.audit(&id).unwrap().unwrap();
    (directory, store, audit)
}

#[test]
fn a_kept_audit_is_judged_again_as_if_it_were_judged_now() {
    let primary = id(Kind::Flexible, "a-primary");
    let postures = [
        flexible("a-primary", "on", "TLSv1.3"),
        replica(flexible("b-replica", "off", "TLSv1.2"), &primary),
        in_state(flexible("c-stopped", "on", "TLSv1.2"), "Stopped"),
        single("d-single", "Enabled", "TLS1_2"),
    ];
    let (_directory, store, audit) = kept(&postures);
    let again = judge_again(store.report(&audit, &ServerFilter::default()).unwrap(), &Profile::find("strict").unwrap());
    let direct = report(&postures, "strict");
    assert_eq!(again.run.profile, "strict@1");
    assert_eq!(again.summary, direct.summary);
    assert_eq!(format!("{:#?}", again.servers), format!("{:#?}", direct.servers));
    assert!(again.summary.fail > audit.summary.fail, "the rules must differ: {:?}", again.summary);
}

#[test]
fn of_the_servers_that_end_differently_the_first_by_name_are_named() {
    // Enough of them that what is held is cut more than once on the way, against the order of the report.
    let postures: Vec<Posture> = (0..2500).map(|n| flexible(&format!("s{n:04}"), "on", "TLSv1.2")).collect();
    let (_directory, store, audit) = kept(&postures);
    let strict = Profile::find("strict").unwrap();
    let found = JudgedAgain::of(&store, &audit, &strict, 3).unwrap();
    assert_eq!((found.total, found.summary.fail), (2500, 2500));
    let named: Vec<_> = found.differ.iter().map(|one| (one.name.as_str(), one.before, one.after)).collect();
    let differs = |name| (name, Outcome::Pass, Outcome::Fail);
    assert_eq!(named, [differs("s0000"), differs("s0001"), differs("s0002")]);
    assert_eq!(found.differ[0].key, server_key(&id(Kind::Flexible, "s0000")));
    let same = JudgedAgain::of(&store, &audit, &Profile::find("baseline").unwrap(), 3).unwrap();
    assert_eq!((same.summary, same.total), (audit.summary, 0));
}

/// A census in which one client used TLS for eight days up to `now`.
fn week_with_tls(now: Millis) -> KeptCensus {
    let mut census = Census::default();
    let source = census.add_source(Source::new(SourceKind::ArmLogFile, "log"));
    let from = now - 8 * 24 * 3_600_000;
    census.source_mut(source).unwrap().coverage.add(Interval { from, to: now });
    let sighting = Sighting {
        user: Some("app".into()),
        database: Some("shop".into()),
        application: None,
        address: Some("10.0.0.4".into()),
        backend: Backend::Client,
        tls: SessionTls::Tls,
        protocol: Some("TLSv1.3".into()),
        cipher: None,
        at: Some(now),
        doubt: None,
    };
    census.add(source, sighting);
    census.keep(now)
}

#[test]
fn readiness_is_what_the_planner_says_of_the_facts() {
    let postures = [
        flexible("enforces", "on", "TLSv1.2"),
        flexible("open-1", "off", "TLSv1.2"),
        flexible("open-2", "off", "TLSv1.2"),
        in_state(flexible("open-stopped", "off", "TLSv1.2"), "Stopped"),
        single("open-single", "Disabled", "TLS1_2"),
        cosmos("by-platform", "TLSv1.2", "TLSv1.2"),
    ];
    let (_directory, store, audit) = kept(&postures);
    // Without a look at the clients, nothing is ready.
    let now = 1_790_000_000_000;
    let found = Readiness::of(&store, &audit, now).unwrap();
    assert_eq!(found.ready, 0);
    let looks = ["open-1", "open-2"].map(|name| (id(Kind::Flexible, name), week_with_tls(now)));
    store.merge_censuses(looks.into()).unwrap();
    store.merge_censuses(vec![(id(Kind::Single, "open-single"), week_with_tls(now))]).unwrap();
    // An observation grows old.
    assert_eq!(Readiness::of(&store, &audit, now + 48 * 3_600_000).unwrap().ready, 0);
    let found = Readiness::of(&store, &audit, now).unwrap();
    assert!(found.refused.is_none(), "{:?}", found.refused);
    let first: Vec<_> = found.first.iter().map(|one| (one.name.as_str(), &*one.before, &*one.after)).collect();
    assert_eq!(first, [("open-1", "off", "on"), ("open-2", "off", "on"), ("open-single", "Disabled", "Enabled")]);
    assert_eq!((found.ready, found.manual.servers), (3, 0));
    let [(LeftOutReason::Stopped, stopped)] = &found.left_out[..] else { panic!("{:?}", found.left_out) };
    assert_eq!((stopped.servers, stopped.first[0].1.as_str()), (1, "open-stopped"));
}
