//! Which servers count in the present: those that no audit which was asked for them missed where it looked.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::{Difference, diff};
use hostssl_model::{
    AuditReport, ControlId, Gap, GapScope, Reason, Scope, SslEnforcement, Standing, Unchecked, WireTransport, Word,
};
use hostssl_store::{AuditEntry, AuditStore, EvidenceAges, Page, ServerFilter, ServerSort, server_key};
use hostssl_test_support::audited::{AuditedFleet, SUBSCRIPTIONS};
use proptest::prelude::*;

const ALL: Page = Page { number: 0, size: 1000 };

fn opened() -> (tempfile::TempDir, AuditStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    (directory, store)
}

fn latest(store: &AuditStore) -> AuditEntry {
    store.latest().unwrap().unwrap()
}

/// The names in the list of the present, which are as many as its counts say.
fn counted(store: &AuditStore) -> Vec<String> {
    let audit = latest(store);
    let rows = store.servers(&audit, &ServerFilter::default(), ServerSort::Name, false, ALL).unwrap().rows;
    assert_eq!((audit.standings.servers(), audit.summary.servers), (rows.len() as u64, rows.len() as u64));
    rows.into_iter().map(|row| row.name).collect()
}

fn incomplete(store: &AuditStore) -> u64 {
    store.out_of_sight(&latest(store)).unwrap()
}

/// An audit in this minute that can read everything, and lists these servers.
fn listing(minute: u64, names: &[&str]) -> AuditReport {
    let mut fleet = AuditedFleet::small();
    fleet.remove("payroll");
    let mut report = fleet.report(minute);
    report.servers.retain(|server| names.contains(&server.server.name()));
    report
}

/// The same of a tenant, with the subscriptions that it has there.
fn of_tenant(minute: u64, tenant: &str, names: &[&str]) -> AuditReport {
    let mut report = listing(minute, names);
    report.run.scope = Scope { tenants: vec![tenant.to_owned()], ..Scope::default() };
    report.run.principals[0].tenant = Some(tenant.to_owned());
    let own = |id: &str| report.servers.iter().any(|server| server.server.subscription().as_str() == id);
    let subscriptions = report.subscriptions.iter().filter(|one| own(one.id.as_str())).cloned().collect::<Vec<_>>();
    report.subscriptions = subscriptions;
    for one in &mut report.subscriptions {
        std::sync::Arc::make_mut(one).tenant = tenant.into();
    }
    report
}

fn hide(report: &mut AuditReport, subscription: usize) {
    let id = SUBSCRIPTIONS[subscription].1;
    report.servers.retain(|server| server.server.subscription().as_str() != id);
    let unchecked = Unchecked::new(Reason::Permission, "Azure answered HTTP 403");
    report.gaps.push(Gap { scope: GapScope::Subscription(id.into()), unchecked });
    report.run.complete = false;
}

#[test]
fn servers_of_other_tenants_scopes_and_clouds_count_with_the_audit_that_listed_them() {
    let (_directory, store) = opened();
    store.save(&of_tenant(1, "a", &["catalog", "orders"])).unwrap();
    store.save(&of_tenant(2, "b", &["Legacy"])).unwrap();
    assert_eq!((counted(&store), incomplete(&store)), (vec!["catalog".into(), "Legacy".into(), "orders".into()], 0));
    // Each tenant says what is gone there.
    store.save(&of_tenant(3, "a", &["orders"])).unwrap();
    assert_eq!((counted(&store), incomplete(&store)), (vec!["Legacy".into(), "orders".into()], 0));
    assert!(store.is_gone(&server_key(&AuditedFleet::small().id("catalog"))).unwrap());
    assert!(!store.is_gone(&server_key(&AuditedFleet::small().id("orders"))).unwrap());
    // It is there again.
    store.save(&of_tenant(4, "a", &["catalog", "orders"])).unwrap();
    assert_eq!(counted(&store).len(), 3);
    // Only what an audit of its scope did not check is in doubt.
    let mut partial = of_tenant(5, "b", &["Legacy"]);
    partial.run.complete = false;
    store.save(&partial).unwrap();
    store.save(&of_tenant(6, "a", &["catalog", "orders"])).unwrap();
    assert_eq!((counted(&store).len(), incomplete(&store)), (3, 1));
    let mut elsewhere = of_tenant(7, "c", &["replica"]);
    elsewhere.run.cloud = "AzureUSGovernment".to_owned();
    store.save(&elsewhere).unwrap();
    assert_eq!(counted(&store).len(), 4);
    // What is simulated is no part of it, nor the other way about.
    let mut simulated = of_tenant(8, "c", &["orders"]);
    simulated.run.cloud = "simulated:demo".to_owned();
    store.save(&simulated).unwrap();
    assert_eq!(counted(&store), ["orders"]);
}

#[test]
fn narrow_audits_say_what_is_gone_where_they_looked() {
    let (_directory, store) = opened();
    let scope = |name: &str| Scope { servers: vec![name.to_owned()], ..Scope::default() };
    let narrow = |minute, name: &str, names: &[&str]| {
        let mut report = listing(minute, names);
        report.run.scope = scope(name);
        store.save(&report).unwrap();
        counted(&store)
    };
    assert_eq!(narrow(1, "catalog", &["catalog"]), ["catalog"]);
    assert_eq!(narrow(2, "orders", &["orders"]), ["catalog", "orders"]);
    assert_eq!(narrow(3, "cat*", &[]), ["orders"]);
    store.save(&listing(4, &["catalog"])).unwrap();
    assert_eq!(counted(&store), ["catalog"], "everything was listed");
    let mut tagged = listing(5, &[]);
    tagged.run.scope = Scope { tags: vec!["environment=production".to_owned()], ..Scope::default() };
    store.save(&tagged).unwrap();
    assert_eq!(counted(&store), ["catalog"], "it may have lost the tag");
}

#[test]
fn an_audit_that_cannot_search_a_place_takes_nothing_away() {
    let (_directory, store) = opened();
    let all = ["catalog", "orders", "replica", "Legacy"];
    store.save(&listing(1, &all)).unwrap();
    let before = (counted(&store), latest(&store).standings);
    for minute in 2..4 {
        let mut blind = listing(minute, &all);
        hide(&mut blind, 0);
        store.save(&blind).unwrap();
        assert_eq!((counted(&store), latest(&store).standings), before);
        assert_eq!(incomplete(&store), 3);
        // The end of a trend is the same.
        assert_eq!(store.present_of(&latest(&store)).unwrap().standings, before.1);
        let whole = store.audit(&AuditedFleet::run_id(1)).unwrap().unwrap();
        assert_eq!(store.changes(&latest(&store), &whole, 10).unwrap().1, 0, "nothing is no longer listed");
    }
    // A subscription that is not among those of the audit cannot be told from one that may not be read.
    let mut lost = listing(5, &all);
    lost.subscriptions.remove(0);
    lost.servers.retain(|server| server.server.subscription().as_str() == SUBSCRIPTIONS[1].1);
    store.save(&lost).unwrap();
    assert_eq!((counted(&store), incomplete(&store)), (before.0, 3));
    store.save(&listing(6, &["catalog", "Legacy"])).unwrap();
    assert_eq!((counted(&store), incomplete(&store)), (vec!["catalog".into(), "Legacy".into()], 0));
}

#[test]
fn of_two_audits_at_the_same_time_neither_says_what_is_gone() {
    let (_directory, store) = opened();
    store.save(&listing(1, &["catalog"])).unwrap();
    // It ends first, and the other may have looked later.
    store.save(&listing(3, &[])).unwrap();
    let mut long = listing(2, &["catalog"]);
    long.run.finished_at = listing(5, &[]).run.finished_at;
    store.save(&long).unwrap();
    assert_eq!(counted(&store), ["catalog"]);
    store.save(&listing(4, &[])).unwrap();
    assert_eq!(counted(&store), ["catalog"]);
    store.save(&listing(6, &[])).unwrap();
    assert_eq!(counted(&store), Vec::<String>::new());
}

#[test]
fn a_server_that_was_gone_inherits_nothing_good_from_the_one_before_it() {
    let wire = hostssl_audit::Profile::find_for("baseline", true).unwrap();
    for (seen, then) in [
        (WireTransport::Enforced, Standing::NotProbed),
        // A list may have left it out by mistake.
        (WireTransport::Optional, Standing::AcceptsPlaintext),
    ] {
        let (_directory, store) = opened();
        let mut fleet = AuditedFleet::small();
        fleet.probe("orders", &[(5432, Some(seen))]);
        let mut probed = fleet.report_by(1, &wire);
        probed.servers.retain(|server| server.server.name() == "orders");
        store.save(&probed).unwrap();
        store.save(&listing(2, &[])).unwrap();
        store.save(&listing(3, &["orders"])).unwrap();
        assert_eq!(latest(&store).standings.count(then), 1, "{seen:?} {:?}", latest(&store).standings);
    }
    // What an audit of other controls did not read is not known of it.
    let (_directory, store) = opened();
    store.save(&listing(1, &["catalog"])).unwrap();
    store.save(&listing(2, &[])).unwrap();
    let mut narrow = listing(3, &["catalog"]);
    narrow.run.asked.only = vec![Word::Known(ControlId::MinimumTlsVersion)];
    narrow.servers[0].ssl_enforcement = SslEnforcement::Unknown;
    narrow.servers[0].readings.clear();
    narrow.servers[0].findings.retain(|one| one.control.as_str() == ControlId::MinimumTlsVersion.as_str());
    store.save(&narrow).unwrap();
    assert_eq!(latest(&store).standings.count(Standing::Unknown), 1);
}

#[test]
fn a_newer_audit_of_a_part_that_was_not_complete_is_said() {
    let (_directory, store) = opened();
    store.save(&listing(1, &["catalog", "orders"])).unwrap();
    let mut part = listing(2, &["catalog"]);
    part.run.scope = Scope { servers: vec!["catalog".to_owned()], ..Scope::default() };
    part.run.complete = false;
    store.save(&part).unwrap();
    assert_eq!(incomplete(&store), 1);
    store.save(&listing(3, &["catalog", "orders"])).unwrap();
    assert_eq!(incomplete(&store), 0);
}

#[test]
fn what_another_scope_found_is_neither_new_nor_in_the_trend_of_this_one() {
    let (_directory, store) = opened();
    store.save(&of_tenant(1, "b", &["Legacy"])).unwrap();
    store.save(&of_tenant(2, "a", &["catalog"])).unwrap();
    store.save(&of_tenant(3, "a", &["catalog", "orders"])).unwrap();
    let newest = latest(&store);
    let previous = store.previous(&newest).unwrap().unwrap();
    let (changes, count) = store.changes(&newest, &previous, 10).unwrap();
    assert_eq!((changes[0].row.name.as_str(), count), ("orders", 1));
    assert_eq!((newest.standings.servers(), store.present_of(&newest).unwrap().standings.servers()), (3, 2));
}

#[test]
fn the_oldest_and_the_newest_evidence_are_those_of_servers_that_count() {
    let (_directory, store) = opened();
    let wire = hostssl_audit::Profile::find_for("baseline", true).unwrap();
    let mut fleet = AuditedFleet::small();
    fleet.probe("catalog", &[(5432, Some(WireTransport::Enforced))]);
    let mut first = fleet.report_by(1, &wire);
    first.servers.retain(|server| ["catalog", "orders"].contains(&server.server.name()));
    store.save(&first).unwrap();
    let minute = |minute: u64| {
        let report = fleet.report(minute);
        report.run.started_at.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    };
    let ages = || store.evidence_ages(&latest(&store)).unwrap();
    let of = |audited: [u64; 2], probed: Option<[u64; 2]>| EvidenceAges {
        audited_ms: Some(audited.map(minute)),
        probed_ms: probed.map(|at| at.map(minute)),
        probed_servers: probed.map_or(0, |_| 1),
    };
    assert_eq!(ages(), of([1, 1], Some([1, 1])));
    let mut narrow = listing(2, &["orders"]);
    narrow.run.scope = Scope { servers: vec!["orders".to_owned()], ..Scope::default() };
    store.save(&narrow).unwrap();
    assert_eq!(ages(), of([1, 2], Some([1, 1])));
    store.save(&listing(3, &["orders"])).unwrap();
    assert_eq!(ages(), of([3, 3], None));
}

#[test]
fn an_audit_that_is_deleted_leaves_nothing_behind() {
    let (directory, store) = opened();
    store.save(&listing(1, &["catalog", "orders"])).unwrap();
    for minute in 2..5 {
        store.save(&listing(minute, &["orders"])).unwrap();
    }
    store.prune(2).unwrap();
    assert_eq!(counted(&store), ["orders"]);
    let raw = rusqlite::Connection::open(directory.path().join("hostssl.db")).unwrap();
    let rows =
        |table: &str| -> i64 { raw.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap() };
    assert_eq!((rows("unlisted"), rows("searched")), (0, 2));
}

/// A state of version 22 does not say which servers are gone: it is told by the audits that are kept.
#[test]
fn a_state_of_before_is_searched_when_it_is_read() {
    let (directory, store) = opened();
    store.save(&of_tenant(1, "b", &["Legacy"])).unwrap();
    store.save(&of_tenant(2, "a", &["catalog", "orders"])).unwrap();
    store.save(&of_tenant(3, "a", &["orders"])).unwrap();
    drop(store);
    let raw = rusqlite::Connection::open(directory.path().join("hostssl.db")).unwrap();
    raw.execute_batch("DROP TABLE unlisted; DROP TABLE searched; PRAGMA user_version = 22;").unwrap();
    drop(raw);
    let store = AuditStore::open(directory.path()).unwrap();
    assert_eq!(counted(&store), ["Legacy", "orders"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// One rule for the present and for comparisons, in whatever order audits are kept.
    #[test]
    fn a_server_is_gone_where_a_comparison_says_so(
        narrow in prop::sample::select(vec![Scope::default(), Scope { servers: vec!["o*".into()], ..Scope::default() },
            Scope { subscriptions: vec!["Alpha".into()], ..Scope::default() },
            Scope { except: vec!["orders".into()], ..Scope::default() }]),
        listed in prop::sample::subsequence(vec!["catalog", "orders", "replica", "Legacy"], 0..=4),
        blind in prop::option::of(0..2_usize),
        lost in any::<bool>(),
        backwards in any::<bool>(),
    ) {
        let first = listing(1, &["catalog", "orders", "replica", "Legacy"]);
        let mut second = listing(2, &listed);
        second.run.scope = narrow;
        second.servers.retain(|one| second.run.scope.admits(&one.server));
        if lost {
            second.subscriptions.pop();
            second.servers.retain(|one| one.server.subscription() == second.subscriptions[0].id);
        }
        if let Some(blind) = blind {
            hide(&mut second, blind);
        }
        let (_directory, store) = opened();
        let mut reports = [&first, &second];
        if backwards {
            reports.reverse();
        }
        reports.iter().for_each(|report| drop(store.save(report).unwrap()));
        let compared = diff(&first, &second);
        let told = compared.changes.iter().filter(|one| one.difference == Difference::Gone);
        let mut told: Vec<String> = told.map(|one| one.server.name().to_owned()).collect();
        let fleet = AuditedFleet::small();
        let names = ["catalog", "orders", "replica", "Legacy"].into_iter();
        let mut gone: Vec<&str> = names.filter(|name| store.is_gone(&server_key(&fleet.id(name))).unwrap()).collect();
        told.sort_unstable();
        gone.sort_unstable();
        prop_assert_eq!(told, gone);
    }
}
